#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Python frames as capture sees them against what the interpreter itself says, on every CPython that can be found.

Each scene calls a hook with the same arguments from the same place: once a Python function that walks sys._getframe (the
truth), then the C probe through ctypes, with the GIL released (CDLL) and held (PyDLL), read raw and through the C API."""
import ctypes
import os
import shutil
import subprocess
import sys
import threading
import types

SIZE = 1 << 16
CAPTURE, RAW, API, KEY = range(4)
DEPTH = 32


def truth(way, out, size, depth):
    frame, lines = sys._getframe(1), []
    while frame is not None and len(lines) < depth:
        code = frame.f_code
        name = getattr(code, "co_qualname", code.co_name)
        lines.append("%s\t%d\t%s\n" % (code.co_filename, frame.f_lineno, name))
        frame = frame.f_back
    out.value = "".join(lines).encode("utf-8", "replace")
    return len(lines)


def plain(hook, args):
    return hook(*args)


def nested(hook, args):
    def inner(x):
        return hook(*x)

    return inner(args)


def many_lines(hook, args):
    return max(
        0,
        hook(
            args[0],
            args[1],
            args[2],
            args[3],
        ),
        -5)


def generator(hook, args):
    def gen():
        yield 0
        yield hook(*args)

    return [x for x in gen()][1]


def in_lambda(hook, args):
    return (lambda x: hook(*x))(args)


def decorated(hook, args):
    def decorator(fn):
        def wrapper(*a):

            return fn(*a)

        return wrapper

    @decorator
    def fn(x):
        return hook(*x)

    return fn(args)


def größe_数_𝔸(hook, args):
    return hook(*args)


def in_exec(hook, args):
    space = {"hook": hook, "args": args}
    exec(compile("x = 1\n\n\ndef f():\n    return hook(*args)\ny = f()\n", "<string>", "exec"), space)
    return space["y"]


def odd_file(hook, args):
    space = {"hook": hook, "args": args}
    exec(compile("y = hook(*args)", "/tmp/d\u00e9j\u00e0/\u65e5\u672c.py", "exec"), space)
    return space["y"]


def far_down(hook, args):
    source = "def f(hook, args):\n" + "    x = 1\n" * 700 + "    for i in range(2):\n        y = hook(*args)\n    return y\n"
    space = {}
    exec(compile(source, "far", "exec"), space)
    return space["f"](hook, args)


def deep(hook, args, n=100):
    if n:
        return deep(hook, args, n - 1)
    return hook(*args)


class Method:
    def __call__(self, hook, args):
        try:
            raise ValueError("pending while handled")
        except ValueError:
            return hook(*args)


def callback_from_c(hook, args):
    results = []
    sorted([1], key=lambda x: results.append(hook(*args)) or 0)
    return results[0]


def comprehension(hook, args):
    return [hook(*args) for _ in range(1)][0]


def in_thread(hook, args):
    results = []
    thread = threading.Thread(target=lambda: results.append(hook(*args)))
    thread.start()
    thread.join()
    return results[0]


SCENES = [plain, nested, many_lines, generator, in_lambda, decorated, größe_数_𝔸, in_exec, odd_file, far_down, deep, Method(),
          callback_from_c, comprehension, in_thread]


def look(scene, hook, way, depth=DEPTH):
    out = ctypes.create_string_buffer(SIZE)
    n = scene(hook, (way, out, SIZE, depth))
    return n, out.value.decode()


def check_here(library):
    """All scenes on this interpreter; returns the number of failures."""
    released, held = ctypes.CDLL(library).probe, ctypes.PyDLL(library).probe
    ctypes.CDLL(library).probe_init()
    ways = [("GIL released, raw", released, RAW), ("GIL held, raw", held, RAW), ("GIL released", released, CAPTURE)]
    if sys.version_info >= (3, 9):
        ways.append(("GIL held, C API", held, API))
    bad = 0
    # Twice: the first walks go through the kernel, the later ones read directly.
    for scene in SCENES * 2:
        for depth in (DEPTH, 1):
            # One call site for all: the line of this frame is compared too.
            results = [look(scene, hook, way, depth) for _, hook, way in [("truth", truth, 0)] + ways]
            for (name, _, _), result in zip(ways, results[1:]):
                if result != results[0]:
                    bad += 1
                    print("%s: %s:\nexpected %d\n%sgot %d\n%s" % (getattr(scene, "__name__", scene), name,
                          results[0][0], results[0][1], result[0], result[1]))
    return bad + check_keys(released)


def replaced(hook, way, i):
    """A function alike to the last one but for one thing, its code where that one's was, as likely as not."""
    what = ("co_firstlineno", 100 + i), ("co_name", "f%d" % i), ("co_filename", "file%d" % i)
    changes = dict([what[i % 3]])
    if i % 3 == 1 and sys.version_info >= (3, 11):
        changes["co_qualname"] = changes["co_name"]
    function = types.FunctionType(plain.__code__.replace(**changes), {})
    return look(function, hook, way, 1)


def check_keys(probe):
    """Stacks of one key are the same stack, and the same place in the same code has one key."""
    bad, text_of, keys = 0, {}, {}
    for i in list(range(300)) * 2:
        (_, text), (there, key) = replaced(truth, 0, i), replaced(probe, KEY, i)
        bad += not there or text_of.setdefault(key, text) != text
    for scene in SCENES * 3:
        for depth in (DEPTH, 1):
            (_, text), (there, key) = [look(scene, hook, way, depth) for hook, way in ((truth, 0), (probe, KEY))]
            bad += not there or text_of.setdefault((depth, key), text) != text
            if scene in (plain, many_lines):
                bad += keys.setdefault((scene, depth), key) != key
    for _ in range(2):
        # The same line, another instruction: another key is fine. Another line: another key.
        a, b = look(plain, probe, KEY)[1], look(plain, probe, KEY)[1]
        c = look(plain, probe, KEY)[1]
        bad += a == c or b == c
    if bad:
        print("keys: %d are wrong" % bad)
    return bad


def interpreters():
    """Distinct CPython versions on PATH and in EKKA_TEST_PYTHONS (colon-separated paths)."""
    seen = {}
    names = os.environ.get("EKKA_TEST_PYTHONS", "").split(":") + [sys.executable]
    names += [shutil.which("python3.%d" % minor) for minor in range(8, 20)] + ["/usr/bin/python3"]
    for name in filter(None, names):
        ask = "import sys, ctypes; print(sys.implementation.name, sys.version.split()[0], sys.prefix)"
        try:
            answer = subprocess.run([name, "-c", ask], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if answer.returncode == 0 and answer.stdout.startswith(b"cpython "):
            seen.setdefault(answer.stdout, name)
    return seen


def main():
    if len(sys.argv) > 2 and sys.argv[1] == "--here":
        sys.exit(1 if check_here(sys.argv[2]) else 0)
    library = os.path.join(os.environ.get("top_builddir", "."), ".libs", "libstackprobe.so")
    if not os.path.exists(library):
        print("no", library)
        sys.exit(77)
    bad = 0
    for answer, name in sorted(interpreters().items()):
        status = subprocess.run([name, os.path.abspath(__file__), "--here", library], timeout=60).returncode
        print("%s %s: %s" % (name, answer.decode().split()[1], "ok" if status == 0 else "FAILED, status %d" % status))
        sys.stdout.flush()
        bad += status != 0
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
