#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a wrong result looks like, in the words of the report: each sentence for the fault that it names, and none for faults that it does not fit."""
import need
import os
import re
import sys
import tempfile

import numpy as np

import formats
from cases import IN, OUT, Case, Run, put

DENSE = ("dense",)


class Looks(Run):
    """Events that fail, each with a pattern that must be all of what is said of it; None: whatever is said, no sentence of those tested here."""

    OURS = re.compile(r"as if (the scale was .* \(instead|it ended|the last \d+ of|nothing was clamped|clamp had|there was no (min|max|relu)|.* of event \d+)")

    def add(self, case, pattern, wrong=True):
        self.write(case, {}, (pattern, wrong))

    def complaints(self):
        import json
        import subprocess
        n = 0
        for device, w in self.traces.items():
            w.close()
            ekka = os.path.join(os.environ["top_builddir"], "tools/ekka")
            p = subprocess.run([ekka, "replay", "--json", "--verbose", "-j2", "--backend", "cpu", "--exact", self.path(device)], stdout=subprocess.PIPE, check=False)
            report = json.loads(p.stdout)
            said = {s["event"]: s["looks_like"] for s in report["suspects"]}
            verdict = {v["event"]: v["verdict"] for v in report["verdicts"]}
            for event, case, (pattern, wrong) in self.expected[device]:
                text = said.get(event) or ""
                if verdict[event] != ("FAIL" if wrong else "PASS"):
                    complaint = f"{verdict[event]}"
                elif not wrong:
                    continue
                elif pattern is None:
                    complaint = f"says '{text}'" if self.OURS.match(text) else None
                else:
                    complaint = None if re.fullmatch(pattern, text) else f"says '{text}', not '{pattern}'"
                if complaint:
                    n += 1
                    print(f"event {event}: {case.what}: {complaint}")
        return n


def spoil(t, at, values):
    """Elements of an output become these."""
    t.after = t.after.copy()
    t.after[t.places()[at]] = formats.encode(values, t.dtype)


def attention(run, rng):
    """A scale that is wrong, by little, too; where out hides it, lse shows it."""
    for dtype, factor, flat in (("bf16", 1.1, 1), ("bf16", 0.8, 1), ("f16", 1.05, 1), ("bf16", 3.0, 1), ("f32", 1.01, 1), ("bf16", 1.1, 0.25), ("bf16", 1.2, 0.125),
                                ("bf16", 1.1, 0.0625), ("bf16", 1.02, 0.125)):
        for fault in ("scale", "row", "lse alone"):
            q, k, v = (formats.random(rng, [1, 2, n, 32], dtype) for n in (9, 70, 70))
            q, scale = q * flat, 32**-0.5
            def attend(s):
                x = np.einsum("bhmd,bhnd->bhmn", q, k) * s
                p = np.exp(x - x.max(-1, keepdims=True))
                return np.einsum("bhmn,bhnd->bhmd", p / p.sum(-1, keepdims=True), v), x.max(-1) + np.log(p.sum(-1))
            y, lse = attend(scale)
            if fault == "scale":
                y, lse = attend(scale * factor)
            elif fault == "row":
                y = np.roll(y, 3, -1)
            else:
                lse = np.roll(lse, 3, -1)
            tensors = [put(rng, n, IN, dtype, x, DENSE) for n, x in (("q", q), ("k", k), ("v", v))] + [put(rng, "out", OUT, dtype, y, DENSE)]
            if flat < 0.2 or fault == "lse alone":
                tensors.append(put(rng, "lse", OUT, "f32", lse, DENSE))
            run.add(Case("attention", tensors, {"scale": scale}, what=f"attention {dtype}, {fault} {factor}, queries times {flat}"),
                    r"as if the scale was .* \(instead of 0\.17678\)" if fault == "scale" else "")


def tails(run, rng):
    """The end of an output was not computed; or it was, wrongly."""
    for op, attrs in (("elementwise", {"expr": "in0 * 0.75"}), ("norm", {"kind": "rms", "eps": 1e-5}), ("reduce", {"kind": "sum", "reduced": 1}),
                      ("softmax", {}), ("quantize", {})):
        for dtype in ("f32", "bf16"):
            for fault in ("rows", "zeros", "flat", "columns", "twice", "middle", "wobble", "all but a row"):
                rows, n = 96, 40
                x = formats.random(rng, [rows, n], dtype)
                inputs = [put(rng, "in0" if op in ("elementwise", "reduce") else "x", IN, dtype, x, DENSE)]
                y = {"elementwise": lambda: x * 0.75, "norm": lambda: x / np.sqrt((x * x).mean(1, keepdims=True) + 1e-5), "reduce": lambda: x.sum(1),
                     "softmax": lambda: np.exp(x) / np.exp(x).sum(1, keepdims=True), "quantize": lambda: x / 0.25}[op]()
                out, name = dtype, "out0" if op in ("elementwise", "reduce") else "y"
                if op == "quantize":
                    inputs.append(put(rng, "scale", IN, "f32", np.array([0.25]), DENSE))
                    out, y = "e4m3", y
                t = put(rng, name, OUT, out, y, DENSE)
                garbage = formats.random(rng, [rows, n], out, float(np.std(y)))
                if y.ndim == 1:
                    garbage = garbage[:, 0]
                    if fault in ("columns", "flat"):
                        continue
                last = 40
                one = y.ndim == 1
                if fault == "rows":
                    spoil(t, np.s_[-last:], garbage[-last:])
                    want = f"as if it ended at element {rows - last} of {rows}: the last {last} were not computed" if one else f"as if the last {last} of {rows} rows were not computed"
                elif fault == "zeros":
                    spoil(t, np.s_[-last:], np.zeros_like(garbage[-last:]))
                    want = f"as if it ended at element {rows - last} of {rows}: the last {last} were not computed: zeros" if one else \
                        f"as if the last {last} of {rows} rows were not computed: zeros"
                elif fault == "flat":
                    values = t.after.copy()
                    flat = t.places().reshape(-1)[-90:]
                    values[flat] = formats.encode(garbage.reshape(-1)[-90:], out)
                    t.after = values
                    want = f"as if it ended at element \\d+ of {rows * n}: the last (90|8\\d) were not computed"      # some are right by chance
                elif fault == "columns":
                    spoil(t, np.s_[:, -8:], garbage[:, -8:])
                    want = f"as if the last 8 of {n} columns were not computed"
                elif fault == "twice":
                    spoil(t, np.s_[-last:], y[-last:] * 2)
                    want = None
                elif fault == "all but a row":
                    spoil(t, np.s_[2:], garbage[2:])
                    want = None
                elif fault == "middle":
                    spoil(t, np.s_[5:35], garbage[5:35])
                    want = None
                else:
                    spoil(t, np.s_[-last:], y[-last:] * (1 + 0.5 * np.abs(garbage[-last:]) / np.std(y)))
                    want = None
                run.add(Case(op, inputs + [t], attrs, what=f"{op} {dtype}, {fault}"), want)


def clamps(run, rng):
    for expr, f, others in (
            ("clamp(in0 * 2, -1, 1.5)", lambda x: np.clip(x * 2, -1, 1.5),
             [(lambda x: x * 2, "as if nothing was clamped"), (lambda x: np.maximum(x * 2, -1), "as if clamp had no upper end"),
              (lambda x: np.minimum(x * 2, 1.5), "as if clamp had no lower end"), (lambda x: np.clip(x * 3, -1, 1.5), None)]),
            ("min(in0 + 1, in0 * in0)", lambda x: np.minimum(x + 1, x * x), [(lambda x: x + 1, "as if there was no min"), (lambda x: x * x, "as if there was no min")]),
            ("max(in0, 0.25) - max(in0 * 0.5, 0.125)", lambda x: np.maximum(x, 0.25) - np.maximum(0.5 * x, 0.125),
             [(lambda x: np.maximum(x, 0.25) - 0.5 * x, "as if there was no max")]),
            ("out0 = relu(max(in0, -0.5) + 0.25) * 2", lambda x: np.maximum(np.maximum(x, -0.5) + 0.25, 0) * 2,
             [(lambda x: (np.maximum(x, -0.5) + 0.25) * 2, "as if there was no relu"), (lambda x: np.cos(9 * x), None)])):
        for wrong, want in others:
            x = formats.random(rng, [16, 48], "f32", 1.5)
            run.add(Case("elementwise", [put(rng, "in0", IN, "f32", x, DENSE), put(rng, "out0", OUT, "f32", wrong(x), DENSE)], {"expr": expr}, what=f"{expr}: {want}"),
                    want and re.escape(want))


def operands(run, rng):
    """Layers of one shape, of which one was given another's bias, or another's weights; or nobody's."""
    biases = [formats.random(rng, [24], "bf16") for _ in range(4)]
    sums = [formats.random(rng, [12, 24], "f32") for _ in range(4)]
    first = {}
    for layer in range(4):
        a, b = formats.random(rng, [24, 40], "bf16"), formats.random(rng, [40, 12], "bf16")
        x = formats.random(rng, [12, 24], "f32")
        for fault in (None, "bias", "nobody's"):
            use = biases[layer] if fault is None else biases[(layer + 1) % 4] if fault == "bias" else formats.random(rng, [24], "bf16")
            if fault == "bias" and layer == 3:
                continue
            tensors = [put(rng, "A", IN, "bf16", a, DENSE), put(rng, "B", IN, "bf16", b, DENSE), put(rng, "bias", IN, "bf16", biases[layer].reshape(24, 1), DENSE),
                       put(rng, "D", OUT, "bf16", a @ b + use[:, None], DENSE)]
            run.add(Case("matmul", tensors, {"epilogue": "bias", "compute": "f32", "split_k": 1, "reduction": 0, "alpha": 1.0, "beta": 0.0}, lib="cublaslt",
                         name="cublasLtMatmul", what=f"layer {layer}, {fault} bias"), r"as if bias was bias of event \d+" if fault == "bias" else None, fault is not None)
            add = sums[layer] if fault is None else sums[(layer + 1) % 4] if fault == "bias" else formats.random(rng, [12, 24], "f32")
            tensors = [put(rng, "in0", IN, "f32", x, DENSE), put(rng, "in1", IN, "f32", sums[layer], DENSE), put(rng, "out0", OUT, "f32", x * 0.5 + add, DENSE)]
            run.add(Case("elementwise", tensors, {"expr": "in0 * 0.5 + in1"}, what=f"layer {layer}, {fault} addend"), r"as if in1 was in1 of event \d+" if fault == "bias" else None,
                    fault is not None)


seed = int(os.environ.get("EKKA_PROPERTY_SEED") or "1")
print(f"EKKA_PROPERTY_SEED={seed}")
bad = 0
with tempfile.TemporaryDirectory() as tmp, np.errstate(all="ignore"):
    for n, generator in enumerate((attention, tails, clamps, operands)):
        if sys.argv[1:] and generator.__name__ not in sys.argv[1:]:
            continue
        path = os.path.join(os.environ.get("EKKA_PROPERTY_KEEP") or tmp, generator.__name__)
        os.makedirs(path, exist_ok=True)
        run = Looks(np.random.default_rng(seed), path)
        generator(run, np.random.default_rng([seed, n]))
        bad += run.complaints()
print(f"{bad} complaints")
sys.exit(1 if bad else 0)
