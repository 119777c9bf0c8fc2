# SPDX-License-Identifier: Apache-2.0
"""Shared by the tests on programs that are not ours: runs them with and without the shim, records, replays, compares."""
import json
import os
import subprocess
import sys
import tempfile

top_srcdir = os.environ["top_srcdir"]
top_builddir = os.environ["top_builddir"]
python = sys.executable
ekka = os.path.join(top_builddir, "tools/ekka")
faulty_blas = os.path.join(top_builddir, "examples/faulty-blas/.libs/libfaulty-blas.so")
weights = os.path.join(top_srcdir, "examples/tinylm/tinylm.bin")

faults = ["k-tail", "half-k", "beta-lost", "c-half", "twice", "fp16-sum", "next-row", "tail-unwritten", "nan-tile",
          "a-element", "half-stride", "linear-read", "previous-matrix"]

folder = tempfile.TemporaryDirectory(prefix="ekka-real.")
failures = 0
SKIP = 77


def source(name):
    return os.path.join(top_srcdir, "tests/real", name)


def expect(condition, what):
    global failures
    if not condition:
        print("FAIL:", what)
        failures += 1


def finish():
    sys.exit(failures != 0)


def skip(why):
    print("SKIP:", why)
    sys.exit(SKIP)


def need_numpy():
    try:
        import numpy  # noqa: F401
    except ImportError:
        skip("no numpy")


def run(command, **variables):
    """Runs it with these variables set, or unset when None; a clean environment otherwise."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("EKKA_") and k not in ("LD_PRELOAD", "FAULTY_BLAS")}
    env.update((k, v) for k, v in variables.items() if v)
    return subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=120)


def output(command, **variables):
    """What it prints; it must succeed."""
    r = run(command, **variables)
    expect(r.returncode == 0, f"{' '.join(command)}: status {r.returncode}\n{r.stderr}")
    return r.stdout


def tinylm_command(tokens):
    return [os.path.join(top_builddir, "examples/tinylm/tinylm"), "--prompt", "You may not ", "--tokens", str(tokens),
            "--print-logits-hash"]


def tinylm(tokens, **variables):
    return output(tinylm_command(tokens), **variables)


def calls_in(log):
    """faulty-blas's own account: [(number of the call, function)]."""
    with open(log) as f:
        return sorted((int(line.split()[1]), line.split()[2]) for line in f)


def planted(fault, tokens=None, command=None):
    """Runs the command (tinylm) with the fault; the calls that were computed wrongly."""
    log = os.path.join(folder.name, "planted")
    open(log, "w").close()
    output(command or tinylm_command(tokens), FAULTY_BLAS=f"{fault},log={log}", LD_PRELOAD=faulty_blas)
    return calls_in(log)


# ---- recording and replaying ----

# What faulty-blas counts. The shim may record more (complex products): numbers are compared among these only.
counted = {f"{pre}{t}{f}{post}" for t in "sd" for f in ("gemm", "gemv", "syrk", "dot")
           for pre, post in (("cblas_", ""), ("cblas_", "64_"), ("scipy_cblas_", ""), ("scipy_cblas_", "64_"),
                             ("", "_"), ("", "_64_"), ("scipy_", "_"), ("scipy_", "_64_"))}


class Recording:
    """A recorded run of a command: its stdout, and from the trace the events and the replay's report."""

    def __init__(self, command, fault=None):
        self.path = os.path.join(folder.name, "t.ekka")
        self.log = os.path.join(folder.name, "planted")
        open(self.log, "w").close()
        r = run([ekka, "record", "--force", "-o", self.path, "--"] + command, LD_PRELOAD=fault and faulty_blas,
                FAULTY_BLAS=fault and f"{fault},log={self.log}")
        expect(r.returncode == 0, f"record: status {r.returncode}\n{r.stderr}")
        self.stdout = r.stdout
        self.events = [json.loads(line) for line in output([ekka, "log", "--json", self.path]).splitlines()]
        r = run([ekka, "replay", "--json", self.path])
        self.status = r.returncode
        self.report = json.loads(r.stdout) if r.returncode in (0, 1, 2) else {}
        expect(self.report, f"replay: status {r.returncode}\n{r.stderr}")
        self.summary = self.report.get("summary", {})
        self.suspects = self.report.get("suspects", [])

    def planted(self):
        """The events of the calls that faulty-blas says it computed wrongly."""
        calls = [e for e in self.events if e["depth"] == 0 and e["name"] in counted]
        found = []
        for n, name in calls_in(self.log):
            expect(n <= len(calls) and calls[n - 1]["name"] == name, f"call {n} of {name} is not in the trace")
            if n <= len(calls):
                found.append(calls[n - 1]["event"])
        return found

    def failed(self):
        return [s["event"] for s in self.suspects if s["verdict"] == "FAIL"]

    def expect_clean(self, what):
        s = self.summary
        expect(self.status == 0 and s.get("fail") == 0 and not self.suspects,
               f"{what}: status {self.status}, {s}, {self.suspects[:2]}")
        expect(s.get("ops", 0) > 0 and s.get("judged") == s.get("ops") and s.get("dropped") == 0,
               f"{what}: not everything was judged: {s}")
        late = [e for e in self.events if not 0 <= e["t_ns"] < 600e9]
        expect(not late, f"{what}: before the start, or long after it: {late[:1]}")

    def expect_found(self, what):
        """The first wrong call comes first, and no right one is accused."""
        wrong, found = self.planted(), self.failed()
        expect(wrong, f"{what}: the fault was never applied")
        first = wrong[0] if wrong else None
        expect(self.status == 1 and self.suspects and self.suspects[0]["event"] == first and self.suspects[0]["verdict"] == "FAIL",
               f"{what}: planted at event {first}, status {self.status}, first suspects {self.suspects[:2]}")
        expect(set(found) <= set(wrong), f"{what}: right calls are accused: {sorted(set(found) - set(wrong), key=str)[:5]}")

    def first_stack(self):
        """The first suspect's call stack as text."""
        return json.dumps(self.suspects[0].get("stack")) if self.suspects else ""
