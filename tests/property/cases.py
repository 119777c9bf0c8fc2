# SPDX-License-Identifier: Apache-2.0
"""Cases, and what must be said of them.

A case is an event with its outputs as NumPy has them, rounded once. It must PASS, with references within `near` of NumPy's. Then, for every output, one
element is moved by `slack` (what a sound bound may leave open, by the test's own account) and two units of its type: that must FAIL and name it. Where an
output has gaps, bytes there are changed, which must be noticed, too.

EKKA_PROPERTY_SEED sets the seed (a number, or "random"; it is printed), EKKA_PROPERTY_ROUNDS how often every generator runs, EKKA_PROPERTY_KEEP a directory to
leave traces in.
"""
import collections
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile

import numpy as np

import formats
from write_trace import Writer

IN, OUT, INOUT = 1, 2, 3
SHOWN = 12      # complaints of a replay that are printed


class Tensor:
    """A tensor somewhere in memory. place[i...]: element's place, in elements from the lowest address; before and after: raw memory or None."""

    def __init__(self, name, dir, dtype, dims, strides, offset, span, before=None, after=None):
        self.name, self.dir, self.dtype, self.dims, self.strides, self.offset, self.span = name, dir, dtype, dims, strides, offset, span
        self.before, self.after, self.pointers, self.alias = before, after, 0, None
        self.fixed = None       # places that must not be perturbed: nothing is said of them
        self.kept = None        # elements that are none of the output's (the other triangle): changed, they are what changed gaps are
        self.other = None       # per element a value that is as plausible, and wrong
        self.slack = 0.0
        self.gap_status = "UNDECIDED"   # what changed bytes between elements give
        self.saturate = False
        self.named = True               # verdicts name the element that is wrong in this output
        self.or_named = []              # outputs that may be named as well: which of them is wrong is a matter of view

    def places(self):
        at = np.full(self.dims, self.offset, dtype=np.int64)
        for d, (n, s) in enumerate(zip(self.dims, self.strides)):
            at += (np.arange(n, dtype=np.int64) * s).reshape([-1 if i == d else 1 for i in range(len(self.dims))])
        return at

    def values(self, memory):
        return formats.decode(memory[self.places()], self.dtype)

    def described(self, address):
        m = {"n": self.name, "d": self.dir, "t": self.dtype, "pl": 1, "dim": list(self.dims), "str": list(self.strides), "off": self.offset,
             "p": address, "b": self.span * formats.size(self.dtype), "w": (self.before is not None) + 2 * (self.after is not None)}
        if self.pointers:       # items one behind another, as the batch is
            m |= {"np": self.pointers, "b": m["b"] // self.pointers, "str": [0] + list(self.strides[1:])}
        return m


def layout(rng, dims, kinds):
    """Strides, offset and span (elements) of one of the kinds: dense, padded, permuted, stepped, reversed, broadcast."""
    kind = kinds[rng.integers(len(kinds))]
    order = list(range(len(dims)))
    if kind == "permuted":
        rng.shuffle(order)
    strides, step = [0] * len(dims), 1
    for n, d in enumerate(reversed(order)):
        if kind == "stepped" and n == 0:
            step = int(rng.integers(2, 4))
        strides[d] = step
        step *= dims[d]
        if kind == "padded" and n == 0:
            step += int(rng.integers(1, 6))
    if kind == "broadcast" and len(dims):
        strides[rng.integers(len(dims))] = 0
    offset = 0
    if kind == "reversed" and len(dims):
        d = rng.integers(len(dims))
        offset, strides[d] = (dims[d] - 1) * strides[d], -strides[d]
    span = offset + 1 + sum((n - 1) * s for n, s in zip(dims, strides) if s > 0)
    return [int(s) for s in strides], int(offset), int(span)


INPUTS = ("dense", "dense", "padded", "permuted", "stepped", "reversed")
OUTPUTS = ("dense", "dense", "padded", "permuted", "stepped")
DENSE = ("dense",)


def garbage(rng, n, dtype):
    """Raw memory of n elements that no engine wrote: any bits at all, of floats no NaN."""
    raw = formats.encode(formats.random(rng, n, dtype), dtype)
    return raw.copy()


def spoiled(rng, x, which=(np.nan, np.inf, -np.inf)):
    """x with one element, or some, that are no numbers."""
    x = np.array(x, dtype=float)
    for _ in range(int(rng.integers(1, 3))):
        x.reshape(-1)[rng.integers(x.size)] = which[rng.integers(len(which))]
    return x


def put(rng, name, dir, dtype, values, kinds=None, before=None, strides=None):
    """A tensor with these values (as decode gives them, of outputs exact ones to be rounded). before: values of an output before the call."""
    values = np.asarray(values)
    dims = list(values.shape)
    if strides is None:
        strides, offset, span = layout(rng, dims, kinds or (OUTPUTS if dir & OUT else INPUTS))
    else:
        offset, span = 0, 1 + sum((n - 1) * s for n, s in zip(dims, strides))
    t = Tensor(name, dir, dtype, dims, strides, offset, span)
    memory = garbage(rng, span, dtype)
    at = t.places()
    if dir == IN:
        memory[at] = formats.encode(values, dtype)
        t.before = memory
        return t
    if before is not None:
        memory[at] = formats.encode(before, dtype)
    t.before = memory
    t.after = memory.copy()
    t.after[at] = formats.encode(values, dtype, t.saturate)
    return t


class Case:
    def __init__(self, op, tensors, attrs=None, near=None, what="", lib="kernel", name=None, device=0, margin=1.0, ret=None):
        self.wrong = None       # an output that is wrong as it stands: the event must fail for it
        self.op, self.tensors, self.attrs = op, tensors, dict(attrs or {})
        self.near, self.what, self.lib, self.name, self.device, self.margin, self.ret = near, what, lib, name or "k_" + op, device, margin, ret

    def text(self):
        return f"{self.op} {self.attrs} " + " ".join(f"{t.name}:{t.dtype}{t.dims}/{t.strides}+{t.offset}" for t in self.tensors) + " " + self.what


def moved(rng, t, i):
    """Raw value of element i (flat) moved by more than slack and two units; None when there is none."""
    place = t.places().reshape(-1)[i]
    raw = t.after[place]
    if t.other is not None:
        return place, raw.dtype.type(np.asarray(t.other).reshape(-1)[i])
    if t.dtype in formats.INTS:
        step = int(np.asarray(t.slack).reshape(-1)[i] if np.ndim(t.slack) else t.slack) + 1
        low, high = np.iinfo(raw.dtype).min, np.iinfo(raw.dtype).max
        new = [n for n in (int(raw) + step, int(raw) - step) if low <= n <= high]
        return place, raw.dtype.type(new[rng.integers(len(new))]) if new else None
    slack = float(np.asarray(t.slack).reshape(-1)[i]) if np.ndim(t.slack) else float(t.slack)
    if t.dtype in formats.COMPLEX:
        part = formats.COMPLEX[t.dtype]
        v = formats.decode(raw, t.dtype)
        new = v + slack + 2.5 * max(formats.quantum(abs(v), part), 2.0**-140)
        return place, formats.encode(new, t.dtype)
    v = float(formats.decode(np.asarray(raw).reshape(1), t.dtype)[0])
    largest = formats.FLOATS[t.dtype][2]
    if not np.isfinite(v):
        return place, formats.encode(np.array([1.0]), t.dtype)[0]
    step = slack + 2.5 * float(formats.quantum(v, t.dtype))
    if t.dtype in ("bf16", "f32"):
        step = max(step, 2.0**-120)
    new = v + step * rng.choice([-1, 1])
    if abs(new) > largest / 2:
        new = v - np.copysign(step, v)
    if not np.isfinite(new) or abs(new) > largest:
        return place, None
    return place, formats.encode(np.array([new]), t.dtype)[0]


class Run:
    """Writes events, replays them at once, and checks what is said of each. Devices have traces of their own: events of others at the same time would excuse
    changed gaps."""

    def __init__(self, rng, directory):
        self.rng, self.directory, self.traces, self.expected, self.address = rng, directory, {}, {}, 0x7F0000000000

    def path(self, device):
        return os.path.join(self.directory, f"{os.path.basename(sys.argv[0])[:-3]}{device}.ekka")

    def write(self, case, changes, expect):
        """changes: {tensor index: raw memory after}. expect: function(verdict) -> complaint or None."""
        if case.device not in self.traces:
            self.traces[case.device], self.expected[case.device] = Writer(self.path(case.device)), []
        w = self.traces[case.device]
        tensors, addresses = [], []
        for i, t in enumerate(case.tensors):
            if t.alias is not None:
                address = addresses[t.alias]
            else:
                address = self.address = (self.address + 0x1000) & ~0xFF
                self.address += t.span * formats.size(t.dtype)
            addresses.append(address)
            m = t.described(address)
            if t.alias is not None:
                m["al"] = t.alias
            after = changes.get(i, t.after)
            owner = t.alias is None
            tensors.append((m, t.before.tobytes() if owner and t.before is not None else None,
                            after.tobytes() if owner and after is not None else None))
        attrs = dict(case.attrs)
        op = case.op if case.lib != "kernel" else ""
        if case.lib == "kernel":
            attrs["op"] = case.op
        ev = w.event(w.function(case.name, case.lib, op), attrs, tensors, ret=case.ret if case.ret is not None else 0, device=case.device)
        self.expected[case.device].append((ev, case, expect))

    def gaps(self, t):
        used = np.zeros(t.after.shape[0], dtype=bool)
        used[t.places()[... if t.kept is None else ~t.kept].reshape(-1)] = True
        return np.flatnonzero(~used)

    def add(self, case):
        if case.wrong:
            self.write(case, {}, lambda v: None if v["verdict"] == "FAIL" and v["output"] == case.wrong else f"{v['verdict']} of {v['output']} although {case.wrong} is wrong")
            return
        self.write(case, {}, lambda v: self.check_pass(case, v))
        for i, t in enumerate(case.tensors):
            if t.after is None or not np.prod(t.dims):
                continue
            for _ in range(4):
                k = int(self.rng.integers(np.prod(t.dims)))
                if t.fixed is not None and np.broadcast_to(t.fixed, t.dims).reshape(-1)[k]:
                    continue
                place, new = moved(self.rng, t, k)
                if new is None:
                    continue
                memory = t.after.copy()
                memory[place] = new
                index = [int(x) for x in np.unravel_index(k, t.dims)]
                self.write(case, {i: memory}, lambda v, t=t, index=index: self.check_fail(t, index, v))
                break
            gaps = self.gaps(t)
            if len(gaps) and t.gap_status and t.before is not None:
                memory = t.after.copy()
                g = gaps[self.rng.integers(len(gaps))]
                memory[g] = ~memory[g]
                self.write(case, {i: memory}, lambda v, t=t: self.check_gap(t, v))

    def check_pass(self, case, v):
        if v["verdict"] != "PASS":
            return f"{v['verdict']} instead of PASS: {v['reason']} {v.get('output')}{v.get('worst')} holds {v.get('worst_out')}, " \
                   f"reference {v.get('worst_ref')}, bound {v.get('max_bound')}"
        if v["margin"] is not None and v["margin"] > case.margin:
            return f"margin {v['margin']}"
        if not v["screened"] and case.near is not False and v["max_abs_error"] is not None:
            limit = self.limit(case)
            if v["max_abs_error"] > limit:
                return f"the reference lies {v['max_abs_error']:g} off, more than {limit:g}, at {v['output']}{v['worst']}: {v['worst_out']} {v['worst_ref']}"
        return None

    def limit(self, case):
        """Half a unit of the largest result, and what two computations in float64 may differ by."""
        most = 0.0
        for t in case.tensors:
            if t.after is None or t.dtype in formats.INTS or not np.prod(t.dims):
                continue
            x = np.abs(t.values(t.after))
            x = x[np.isfinite(x)]
            top = float(x.max()) if x.size else 0.0
            most = max(most, 0.5 * float(formats.quantum(top, formats.COMPLEX.get(t.dtype, t.dtype))) * 1.00001 + top * 2.0**-44)
        return most + (case.near or 0.0)

    def check_fail(self, t, index, v):
        if v["verdict"] != "FAIL":
            return f"{v['verdict']} although {t.name}{index} is wrong: {v['reason']}, margin {v['margin']}"
        if v["output"] not in [t.name] + t.or_named or (t.named and v["output"] == t.name and v["worst"] != index):
            return f"FAIL names {v['output']}{v['worst']}, wrong is {t.name}{index}"
        return None

    def check_gap(self, t, v):
        if v["verdict"] != t.gap_status or "another thread" not in v["reason"]:
            return f"{v['verdict']} ({v['reason']}) although bytes between the elements of {t.name} changed"
        return None

    def replay(self, device, *options):
        ekka = os.path.join(os.environ["top_builddir"], "tools/ekka")
        p = subprocess.run([ekka, "replay", "--json", "--verbose", "-j2", "--backend", "cpu", *options, self.path(device)], stdout=subprocess.PIPE, check=False)
        if p.returncode not in (0, 1):
            sys.exit(f"ekka replay: exit status {p.returncode}")
        return {v["event"]: v for v in json.loads(p.stdout)["verdicts"]}

    def check(self, *options):
        """How many complaints there are; the first ones are printed."""
        complaints = 0
        for device, w in self.traces.items():
            verdicts = self.replay(device, *options)
            for ev, case, expect in self.expected[device]:
                complaint = expect(verdicts[ev]) if ev in verdicts else "no verdict"
                complaints += complaint is not None
                if complaint and complaints <= SHOWN:
                    print(f"{' '.join(options)} event {ev}: {case.text()}\n    {complaint}")
        return complaints


def main(*generators, rounds=2, modes=((),)):
    """Runs generators (functions of rng that yield cases) and exits with what came of it. rounds: how often each runs; modes: options of the replays."""
    seed = os.environ.get("EKKA_PROPERTY_SEED") or "1"
    seed = random.SystemRandom().randrange(1 << 32) if seed == "random" else int(seed)
    rounds = int(os.environ.get("EKKA_PROPERTY_ROUNDS") or rounds)
    only = sys.argv[1:]
    print(f"EKKA_PROPERTY_SEED={seed}")
    counts = collections.Counter()
    with tempfile.TemporaryDirectory() as tmp, np.errstate(all="ignore"):
        run = Run(np.random.default_rng([seed, 99]), os.environ.get("EKKA_PROPERTY_KEEP") or tmp)
        for round_, (n, generator) in itertools.product(range(rounds), enumerate(generators)):
            if only and generator.__name__ not in only:
                continue
            for case in generator(np.random.default_rng([seed, round_, n])):
                run.add(case)
                counts[case.op] += 1
        for w in run.traces.values():
            w.close()
        bad = sum(run.check(*mode) for mode in modes)
    print(f"{sum(counts.values())} cases, {sum(map(len, run.expected.values()))} events: " + ", ".join(f"{n} {op}" for op, n in sorted(counts.items())))
    print(f"{bad} complaints")
    sys.exit(1 if bad else 0)
