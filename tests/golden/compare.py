#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every golden trace, and one written just now, read by the C reader and by tests/read_trace.py: the same, and the same as ever."""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

try:
    import msgpack  # noqa: F401
except ImportError:
    print("no msgpack package: skipped")
    sys.exit(77)

TOP = os.environ["top_srcdir"]
DUMP = os.path.join(os.environ["top_builddir"], "tests/golden/dump_trace")
HAVE_ZSTD = shutil.which("zstd") is not None


def parse(text):
    """JSON lines; blobs, which come in no particular order, sorted."""
    read = [json.loads(line) for line in text.splitlines()]
    blobs = sorted((r for r in read if "blob" in r), key=lambda r: r["blob"])
    if not HAVE_ZSTD:
        for blob in blobs:
            blob["adler32"] = None
    return [r for r in read if "blob" not in r] + blobs


def lines(*cmd):
    return parse(subprocess.run(cmd, stdout=subprocess.PIPE, check=True).stdout.decode())


def python_reader(trace):
    return lines(sys.executable, os.path.join(TOP, "tests/read_trace.py"), "--events", trace)


def same(what, got, want):
    # repr: a minus sign on a zero counts, and NaN equals NaN.
    if repr(got) == repr(want):
        return True
    for g, w in zip(got, want):
        if repr(g) != repr(w):
            print(f"{what}:\n  got  {g!r}\n  want {w!r}")
            break
    else:
        print(f"{what}: {len(got)} lines instead of {len(want)}")
    return False


def in_order(value):
    """Dictionaries by key, so that repr does not depend on the order of keys."""
    if isinstance(value, dict):
        return {k: in_order(value[k]) for k in sorted(value)}
    return [in_order(v) for v in value] if isinstance(value, list) else value


def main():
    good = True
    golden = sorted(glob.glob(os.path.join(TOP, "tests/golden/*.ekka")))
    assert golden, "no golden trace"
    for trace in golden:
        name = os.path.basename(trace)
        from_c, from_python = in_order(lines(DUMP, trace)), in_order(python_reader(trace))
        good &= same(f"{name}, C reader against Python reader", from_c, from_python)
        with open(trace[: -len(".ekka")] + ".jsonl") as f:
            want = in_order(parse(f.read()))
        good &= same(f"{name}, C reader against what it read when the trace was made", from_c, want)
    with tempfile.TemporaryDirectory() as tmp:
        fresh = os.path.join(tmp, "fresh.ekka")
        subprocess.run([DUMP, "--make", fresh], check=True)
        good &= same("fresh trace, C reader against Python reader", in_order(lines(DUMP, fresh)), in_order(python_reader(fresh)))
    sys.exit(0 if good else 1)


main()
