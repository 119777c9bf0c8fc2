#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ops that go row by row against NumPy and SciPy: reduce, scan, softmax, norm, sort, cat."""
import need
import numpy as np
from scipy import special

import formats
from cases import IN, INOUT, OUT, Case, main, put, spoiled

FLOAT_TYPES = ("f64", "f32", "f16", "bf16")
LENGTHS = [1, 2, 3, 5, 7, 16, 31, 64, 127, 257, 1021]


def compute_unit(dtype):
    return formats.unit("f64" if dtype == "f64" else "f32")


def dims(rng, n=None):
    lead = [int(rng.choice([1, 2, 3, 5, 7])) for _ in range(rng.integers(0, 3))]
    return lead, int(n or rng.choice(LENGTHS))


def fit(out, y):
    """Results that leave the output's type are not what is tested here."""
    return np.all(np.abs(y) < formats.FLOATS[out][2] / 4)


def reductions(rng):
    kinds = {"sum": np.sum, "mean": np.mean, "prod": np.prod, "max": np.max, "min": np.min, "norm2": lambda x, axis: np.sqrt(np.sum(x * x, axis)),
             "any": lambda x, axis: np.any(x != 0, axis), "all": lambda x, axis: np.all(x != 0, axis)}
    for kind, f in kinds.items():
        for dtype in FLOAT_TYPES:
            lead, n = dims(rng)
            tail = [n] if rng.random() < 0.5 else [n, int(rng.choice([1, 2, 3]))]
            x = formats.random(rng, lead + tail, dtype)
            if kind == "prod":
                x = formats.rounded(np.sign(x) * np.exp(x / 30), dtype)
            if kind in ("any", "all"):
                x = np.where(rng.random(x.shape) < 0.5 ** (1 / max(1, n)), x, 0) if kind == "all" else np.where(rng.random(x.shape) < 1 / n, x, 0)
            axes = tuple(range(len(lead), x.ndim))
            y = np.asarray(f(x.reshape(lead + [-1]), axis=-1), dtype=float)
            out = "u8" if kind in ("any", "all") else dtype if rng.random() < 0.6 else "f64"
            if out != "u8" and not fit(out, y):
                continue
            t = put(rng, "out0", OUT, out, y)
            if kind in ("sum", "mean", "norm2", "prod"):
                size = np.sum(np.abs(x), axis=axes) if kind != "prod" else np.abs(y)
                size = np.abs(y) if kind == "norm2" else size / (x[..., 0].size and np.prod(tail)) if kind == "mean" else size
                t.slack = 3 * (np.prod(tail) + 4) * compute_unit(dtype) * size + 1e-30
            attrs = {"kind": kind, "reduced": len(tail), "compute": "f64" if dtype == "f64" else "f32"}
            yield Case("reduce", [put(rng, "in0", IN, dtype, x), t], attrs, near=float(np.sum(np.abs(x))) * 2.0**-50 if kind != "prod" else 1e-13 * float(np.max(np.abs(y))))


def variances(rng):
    for kind in ("var", "std"):
        for dtype in FLOAT_TYPES:
            lead, n = dims(rng, int(rng.choice([2, 3, 5, 31, 257])))
            x = formats.rounded(formats.random(rng, lead + [n], dtype) + rng.choice([0.0, 3.0]), dtype)
            correction = int(rng.choice([0, 1]))
            y = np.var(x, axis=-1, ddof=correction)
            y = np.sqrt(y) if kind == "std" else y
            out = dtype if rng.random() < 0.5 else "f64"
            t, m = put(rng, "out0", OUT, out, y), put(rng, "out1", OUT, out, np.mean(x, axis=-1))
            top = np.max(np.abs(x), axis=-1)
            u = compute_unit(dtype)
            e = 4 * (n + 8) * u * (np.var(x, axis=-1) + top * np.sqrt(np.var(x, axis=-1)) * 2 + top * top * (n + 8) * u * 8)
            t.slack = np.where(y > 0, e / np.maximum(y, 1e-30), np.sqrt(e)) + e if kind == "std" else e * 2
            m.slack = 4 * (n + 4) * u * top
            yield Case("reduce", [put(rng, "in0", IN, dtype, x), t, m], {"kind": kind, "reduced": 1, "correction": correction,
                                                                         "compute": "f64" if dtype == "f64" else "f32"}, near=1e-12)


def integer_reductions(rng):
    for kind, f in {"sum": np.sum, "prod": np.prod, "max": np.max, "min": np.min}.items():
        for dtype in formats.INTS:
            lead, n = dims(rng)
            info = np.iinfo(formats.INTS[dtype])
            x = rng.integers(info.min, info.max, lead + [n], dtype=formats.INTS[dtype], endpoint=True)
            out = "i64" if kind in ("sum", "prod") and dtype != "u64" else dtype
            y = f(x.astype(formats.INTS[out]), axis=-1) if kind in ("max", "min") else f(x, axis=-1, dtype=formats.INTS[out])
            yield Case("reduce", [put(rng, "in0", IN, dtype, x), put(rng, "out0", OUT, out, y)], {"kind": kind, "reduced": 1})


def equal_neighbours(x, at):
    """Is the element before or behind place at[..., i] of its row as good as the one there."""
    n = x.shape[-1]
    here, before, behind = (np.take_along_axis(x, i, -1) for i in (at, np.maximum(at - 1, 0), np.minimum(at + 1, n - 1)))
    alike = (lambda a: (a == here) | (np.isnan(a) & np.isnan(here))) if x.dtype.kind == "f" else (lambda a: a == here)
    return (alike(before) & (at > 0)) | (alike(behind) & (at < n - 1))


def arguments(rng):
    """Indices of extremes: the first of ties where that is asked for, any otherwise; NaN wins."""
    for kind in ("argmax", "argmin"):
        for dtype in ("f32", "bf16", "i32", "u8", "f64", "i64", "u64"):
            lead, n = dims(rng)
            few = rng.random() < 0.5
            x = rng.integers(0, 4, lead + [n]).astype(float) if few else formats.random(rng, lead + [n], dtype).astype(float)
            x = x.astype(formats.INTS[dtype]) if dtype in formats.INTS else x
            if dtype == "u64":
                x = x + np.uint64(1 << 63) * rng.integers(0, 2, x.shape).astype(np.uint64)
            if dtype == "f32" and rng.random() < 0.5:
                x.reshape(-1)[rng.integers(x.size)] = np.nan
            best = np.argmax(x, axis=-1) if kind == "argmax" else np.argmin(x, axis=-1)
            ties = rng.random() < 0.5
            if not ties and dtype != "f32":     # the last one is as good
                best = n - 1 - (np.argmax(x[..., ::-1], axis=-1) if kind == "argmax" else np.argmin(x[..., ::-1], axis=-1))
            t = put(rng, "out0", OUT, "i64", best)
            t.fixed = equal_neighbours(x, best[..., None])[..., 0] if not ties else None
            yield Case("reduce", [put(rng, "in0", IN, dtype, x), t], {"kind": kind, "reduced": 1, **({"ties": "first"} if ties else {})})
            value = np.take_along_axis(x, np.expand_dims(best, -1), -1)[..., 0]
            index = put(rng, "out1", OUT, "i64", best)
            index.fixed = t.fixed
            yield Case("reduce", [put(rng, "in0", IN, dtype, x), put(rng, "out0", OUT, dtype, value), index],
                       {"kind": kind[3:], "reduced": 1, "index": 1, **({"ties": "first"} if ties else {})})


def mapped(rng):
    for dtype in ("f32", "bf16", "f64"):
        lead, n = dims(rng)
        a, b = formats.random(rng, lead + [n], dtype), formats.random(rng, lead + [n], dtype)
        y = np.sqrt(np.sum((a - b) ** 2, axis=-1) / n + 1.0)
        t = put(rng, "out0", OUT, dtype, y)
        t.slack = 8 * (n + 8) * compute_unit(dtype) * y
        yield Case("reduce", [put(rng, "in0", IN, dtype, a), put(rng, "in1", IN, dtype, b), t],
                   {"kind": "sum", "reduced": 1, "map": "(in0 - in1) * (in0 - in1)", "finish": "sqrt(r / n + 1)"}, near=1e-13)


def scans(rng):
    kinds = {"sum": np.cumsum, "prod": np.cumprod, "max": np.maximum.accumulate, "min": np.minimum.accumulate, "logsumexp": np.logaddexp.accumulate}
    for kind, f in kinds.items():
        for dtype in ("f64", "f32", "bf16", "i32", "i64", "u8"):
            if kind == "logsumexp" and dtype in formats.INTS:
                continue
            lead, n = dims(rng, rng.choice([1, 2, 3, 17, 64, 300]))
            x = formats.random(rng, lead + [n], dtype)
            if kind == "prod" and dtype in formats.FLOATS:
                x = formats.rounded(np.sign(x) * np.exp(x / 20), dtype)
            out = dtype if dtype in formats.FLOATS else "i64"
            if out == "i64":
                x = x.astype(np.int64)
            y = f(x, axis=-1)
            exclusive = rng.random() < 0.4 and kind in ("sum", "prod")
            if exclusive:
                first = 0 if kind == "sum" else 1
                y = np.concatenate([np.full(lead + [1], first, y.dtype), y[..., :-1]], axis=-1)
            t = put(rng, "out0", OUT, out, y)
            if dtype in formats.FLOATS and kind in ("sum", "prod", "logsumexp"):
                u = formats.unit(dtype)
                size = np.cumsum(np.abs(x), axis=-1) if kind == "sum" else np.abs(y) if kind == "prod" else np.maximum.accumulate(np.abs(x), axis=-1) + np.log(n) + 24
                t.slack = 4 * (n + 2) * u * size + np.abs(y) * 4 * u + 1e-30
                if kind == "prod":
                    t.slack = np.expm1((n + 2) * u) * np.abs(y) * 2
            tensors = [put(rng, "in0", IN, dtype, x), t]
            if kind in ("max", "min") and not exclusive:
                best = y == x
                index = np.maximum.accumulate(np.where(best, np.arange(n), 0), axis=-1)     # the last one that is as good
                i = put(rng, "out1", OUT, "i64", index)
                i.fixed = equal_neighbours(x, index)
                tensors.append(i)
            yield Case("scan", tensors, {"kind": kind, **({"exclusive": 1} if exclusive else {})}, near=float(np.max(np.abs(y.astype(float)))) * n * 2.0**-50)


def softmaxes(rng):
    for dtype in FLOAT_TYPES:
        for log in (0, 1):
            for mask_kind in (None, "added", "mask_keep", "mask_drop"):
                lead, n = dims(rng)
                x = formats.random(rng, lead + [n], dtype, 3)
                attrs = {"log": 1} if log else {}
                s = x
                if rng.random() < 0.5:
                    attrs["scale"] = 0.125
                    s = s * 0.125
                tensors = [put(rng, "x", IN, dtype, x)]
                if mask_kind == "added":
                    m = formats.random(rng, [n] if rng.random() < 0.5 else lead + [n], dtype)
                    tensors.append(put(rng, "mask", IN, dtype, m))
                    s = s + m
                elif mask_kind:
                    m = rng.integers(0, 2, lead + [n]).astype(np.uint8)
                    m[..., 0] = mask_kind == "mask_keep"
                    attrs[mask_kind] = 1
                    tensors.append(put(rng, "mask", IN, "u8", m))
                    s = np.where((m != 0) == (mask_kind == "mask_keep"), s, -np.inf)
                y = special.log_softmax(s, axis=-1) if log else special.softmax(s, axis=-1)
                out = dtype if rng.random() < 0.6 else "f64"
                t = put(rng, "y", OUT, out, y)
                u = compute_unit(dtype)
                spread = np.where(np.isfinite(s), np.max(np.where(np.isfinite(s), s, -1e30), axis=-1, keepdims=True) - s, 0)
                size = np.max(np.where(np.isfinite(s), np.abs(s), 0), axis=-1, keepdims=True) + spread
                t.slack = (np.where(np.isfinite(y), np.abs(y), 1) if not log else 1 + np.where(np.isfinite(y), np.abs(y), 1)) * 16 * u * (size * 2 + n + 8) + 1e-37
                t.fixed = ~np.isfinite(y)
                attrs["compute"] = "f64" if dtype == "f64" else "f32"
                yield Case("softmax", tensors + [t], attrs, near=1e-14 * float(1 + np.max(size)) + (float(np.max(size)) * 2 * u if mask_kind == "added" else 0))


def empty_rows(rng):
    """Rows of which a mask leaves nothing: NaN, or 0 where that is said; and infinities among the logits."""
    x = formats.random(rng, [4, 9], "f32")
    m = np.ones([4, 9], np.uint8)
    m[1] = 0
    s = np.where(m != 0, x, -np.inf)
    y = special.softmax(s, axis=-1)
    for empty in (None, "zero"):
        want = np.where(np.isnan(y), 0, y) if empty else y
        t = put(rng, "y", OUT, "f32", want)
        t.slack = 1e-4
        yield Case("softmax", [put(rng, "x", IN, "f32", x), put(rng, "mask", IN, "u8", m), t], {"mask_keep": 1, **({"empty": empty} if empty else {})}, near=1e-15)


def norms(rng):
    for kind in ("rms", "layer"):
        for dtype in FLOAT_TYPES:
            for _ in range(3):
                lead, n = dims(rng)
                lead = lead or [2]
                x = formats.random(rng, lead + [n], dtype)
                eps = float(rng.choice([1e-5, 1e-6, 1e-3]))
                tensors, attrs, h = [put(rng, "x", IN, dtype, x)], {"kind": kind, "eps": eps}, x
                stored = None
                if rng.random() < 0.5:
                    r = formats.random(rng, lead + [n], dtype)
                    h = x + r
                    stored = formats.rounded(h, dtype)
                    if rng.random() < 0.5 or dtype == "f64":
                        attrs["round_residual"] = dtype
                        h = stored
                    name = "residual" if rng.random() < 0.5 else "residual_out"
                    if name == "residual":
                        tensors.append(put(rng, "residual", INOUT, dtype, x + r, before=r))
                    else:
                        tensors += [put(rng, "residual", IN, dtype, r), put(rng, "residual_out", OUT, dtype, x + r)]
                    tensors[-1].slack = 4 * compute_unit(dtype) * np.abs(stored)
                mean = np.mean(h, axis=-1) if kind == "layer" else np.zeros(lead)
                d = h - mean[..., None]
                rstd = 1 / np.sqrt(np.mean(d * d, axis=-1) + eps)
                y = d * rstd[..., None]
                scale = np.abs(y)
                if "round_residual" not in attrs and rng.random() < 0.3 and dtype != "f64":
                    attrs["round_before_weight"] = dtype
                    y = formats.rounded(y, dtype)
                if rng.random() < 0.7:
                    w = formats.random(rng, [n], dtype)
                    tensors.append(put(rng, "weight", IN, dtype, w))
                    if rng.random() < 0.3:
                        attrs["weight_plus"] = 1.0
                        w = w + 1
                    y, scale = y * w, scale * np.abs(w)
                else:
                    w = np.ones(n)
                if rng.random() < 0.5:
                    b = formats.random(rng, [n], dtype)
                    tensors.append(put(rng, "bias", IN, dtype, b))
                    y = y + b
                out = dtype if rng.random() < 0.6 and "round_before_weight" not in attrs else dtype
                t = put(rng, "y", OUT, out, y)
                u = compute_unit(dtype)
                top = np.max(np.abs(h), axis=-1)
                relative = 8 * (n + 16) * u * (1 + (top * rstd) ** 2)
                amount = (relative * (1 + top * rstd))[..., None] * (np.abs(w) + scale) + 8 * u * np.abs(y)
                if "round_before_weight" in attrs:
                    amount = amount + 2 * formats.unit(dtype) * scale * 2
                t.slack = amount
                tensors.append(t)
                if rng.random() < 0.5:
                    other = "f64" if dtype == "f64" else "f32"
                    rt = put(rng, "rstd", OUT, other, rstd)
                    rt.slack = relative * rstd
                    tensors.append(rt)
                    if kind == "layer":
                        mt = put(rng, "mean", OUT, other, mean)
                        mt.slack = 8 * (n + 8) * u * top
                        tensors.append(mt)
                yield Case("norm", tensors, attrs, near=1e-13 * (1 + float(np.max(np.abs(y)))) + (2 * float(np.max(formats.quantum(y, dtype))) if "round_before_weight" in attrs else 0))


def sorts(rng):
    for dtype in ("f32", "bf16", "f16", "f64", "i32", "i64", "u8", "u64"):
        for _ in range(3):
            lead, n = dims(rng, rng.choice([1, 2, 3, 17, 64, 300]))
            x = formats.random(rng, lead + [n], dtype)
            if rng.random() < 0.4:  # ties
                x = rng.integers(0, 5, lead + [n]).astype(x.dtype)
            if dtype == "u64":
                x = x + np.uint64(1 << 63) * rng.integers(0, 2, x.shape).astype(np.uint64)
            if dtype == "f32" and rng.random() < 0.5 and n > 2:
                x.reshape(-1)[rng.integers(x.size)] = np.nan
            down, stable = rng.random() < 0.5, rng.random() < 0.5
            if down:
                order = n - 1 - np.argsort(x[..., ::-1], axis=-1, kind="stable")[..., ::-1]
            else:
                order = np.argsort(x, axis=-1, kind="stable")
            k = n if rng.random() < 0.5 else int(rng.integers(1, n + 1))
            order, attrs = order[..., :k], {"descending": int(down), **({"stable": 1} if stable else {}), **({"k": k} if k < n else {})}
            if k < n and not stable and rng.random() < 0.5:     # top-k in any order
                attrs["sorted"] = 0
                order = np.take_along_axis(order, np.argsort(rng.random(order.shape), axis=-1), -1)
            y = np.take_along_axis(x, order, -1)
            it = put(rng, "index", OUT, "i64", order)
            it.fixed = equal_neighbours(x, order) if not stable else None
            yt = put(rng, "y", OUT, dtype, y)
            yt.fixed = np.isnan(y) if y.dtype.kind == "f" else None
            if attrs.get("sorted") == 0:
                yt.or_named, it.or_named = ["index"], ["y"]
                yt.named = False        # which of two that are equal is the wrong one
            yield Case("sort", [put(rng, "x", IN, dtype, x), yt, it], attrs)
            if n > 1 and not np.any(np.isnan(x.astype(float))):
                full = np.sort(x, axis=-1)[..., ::-1] if down else np.sort(x, axis=-1)
                yield Case("sort", [put(rng, "x", INOUT, dtype, full, before=x)], {"descending": int(down)})


def nonfinite(rng):
    """NaN and infinities in the input: what they make of the rows they are in, and that other rows are judged as ever."""
    for dtype in ("f32", "f64", "bf16"):
        x = spoiled(rng, formats.random(rng, [5, int(rng.choice([2, 9, 64]))], dtype))
        whole = np.all(np.isfinite(x), axis=-1)
        results = {"sum": np.sum(x, -1), "mean": np.mean(x, -1), "max": np.max(x, -1), "min": np.min(x, -1), "norm2": np.sqrt(np.sum(x * x, -1)), "prod": np.prod(x, -1)}
        for kind, y in results.items():
            t = put(rng, "out0", OUT, dtype, y)
            t.slack = 1e-2
            yield Case("reduce", [put(rng, "in0", IN, dtype, x), t], {"kind": kind, "reduced": 1}, near=1e-9)
        for kind in ("var", "std"):
            y = np.var(x, -1, ddof=1)
            t = put(rng, "out0", OUT, dtype, np.sqrt(y) if kind == "std" else y)
            t.slack, t.fixed = 1e-2, ~whole
            yield Case("reduce", [put(rng, "in0", IN, dtype, x), t], {"kind": kind, "reduced": 1}, near=1e-9)
        for kind, f in (("sum", np.cumsum), ("max", np.maximum.accumulate), ("min", np.minimum.accumulate)):
            t = put(rng, "out0", OUT, dtype, f(x, -1))
            t.slack = 3.0
            yield Case("scan", [put(rng, "in0", IN, dtype, x), t], {"kind": kind}, near=1e-9)
        for log in (0, 1):
            y = special.log_softmax(x, -1) if log else special.softmax(x, -1)
            top = np.max(x, -1)
            y = np.where(np.isnan(top)[:, None] | (top == np.inf)[:, None], np.nan, y)
            t = put(rng, "y", OUT, dtype, y)
            t.slack = 0.3
            yield Case("softmax", [put(rng, "x", IN, dtype, x), t], {"log": 1} if log else {}, near=1e-9)
        for kind in ("rms", "layer"):
            d = x - (np.mean(x, -1, keepdims=True) if kind == "layer" else 0)
            t = put(rng, "y", OUT, dtype, d / np.sqrt(np.mean(d * d, -1, keepdims=True) + 1e-3))
            t.slack = 1.0
            yield Case("norm", [put(rng, "x", IN, dtype, x), t], {"kind": kind, "eps": 1e-3}, near=1e-9)
        for down in (0, 1):
            y = np.sort(x, -1)[..., ::-1] if down else np.sort(x, -1)
            t = put(rng, "y", OUT, dtype, y)
            t.named = False
            yield Case("sort", [put(rng, "x", IN, dtype, x), t], {"descending": down})


def cats(rng):
    for dtype in list(formats.FLOATS) + list(formats.INTS):
        rank = int(rng.integers(1, 4))
        dim = int(rng.integers(rank))
        base = [int(rng.choice([1, 2, 3, 5, 8])) for _ in range(rank)]
        parts = []
        for _ in range(rng.integers(1, 5)):
            base[dim] = int(rng.choice([1, 2, 7]))
            parts.append(formats.random(rng, base, dtype))
        y = np.concatenate(parts, axis=dim)
        yield Case("cat", [put(rng, f"in{i}", IN, dtype, p) for i, p in enumerate(parts)] + [put(rng, "out0", OUT, dtype, y)], {"dim": dim})


def long_rows(rng):
    """More than fits into a working buffer, or into a block of the comparison: rows of thousands, thousands of rows."""
    for rows, n in ((2, 9001), (9001, 2), (3, 8192)):
        x = formats.random(rng, [rows, n], "f32")
        y = np.sum(x, axis=-1)
        t = put(rng, "out0", OUT, "f64", y)
        t.slack = 2 * n * 2.0**-24 * np.sum(np.abs(x), axis=-1)
        yield Case("reduce", [put(rng, "in0", IN, "f32", x), t], {"kind": "sum", "reduced": 1, "compute": "f32"}, near=1e-9)
        i = put(rng, "out0", OUT, "i64", np.argmax(x, axis=-1))
        yield Case("reduce", [put(rng, "in0", IN, "f32", x), i], {"kind": "argmax", "reduced": 1, "ties": "first"})
        v, m = put(rng, "out0", OUT, "f64", np.var(x, axis=-1, ddof=1)), put(rng, "out1", OUT, "f64", np.mean(x, axis=-1))
        v.slack, m.slack = 2.0**-4, 2.0**-4
        yield Case("reduce", [put(rng, "in0", IN, "f32", x), v, m], {"kind": "var", "reduced": 1, "compute": "f32"}, near=1e-10)
        s = put(rng, "out0", OUT, "f64", np.cumsum(x, axis=-1))
        s.slack = 3 * n * 2.0**-24 * np.cumsum(np.abs(x), axis=-1)
        yield Case("scan", [put(rng, "in0", IN, "f32", x), s], {"kind": "sum", "compute": "f32"}, near=1e-9)
        p = put(rng, "y", OUT, "f64", special.softmax(x, axis=-1))
        p.slack = 2.0**-8 * p.values(p.after).view(np.float64)
        yield Case("softmax", [put(rng, "x", IN, "f32", x), p], {"compute": "f32"}, near=1e-15)
        for kind in ("rms", "layer"):
            d = x - (np.mean(x, axis=-1, keepdims=True) if kind == "layer" else 0)
            y = d / np.sqrt(np.mean(d * d, axis=-1, keepdims=True) + 1e-5)
            t = put(rng, "y", OUT, "f64", y)
            t.slack = np.abs(y) * 2.0**-5 + 2.0**-5 if n > 2 else 1e9
            t.fixed = None if n > 2 else np.ones(y.shape, bool)
            yield Case("norm", [put(rng, "x", IN, "f32", x), t], {"kind": kind, "eps": 1e-5, "compute": "f32"}, near=1e-10)
        order = np.argsort(x, axis=-1, kind="stable")
        yield Case("sort", [put(rng, "x", IN, "f32", x), put(rng, "y", OUT, "f32", np.sort(x, axis=-1)), put(rng, "index", OUT, "i64", order)], {"descending": 0, "stable": 1})
    a, b = formats.random(rng, [3, 700, 5], "bf16"), formats.random(rng, [3, 900, 5], "bf16")
    yield Case("cat", [put(rng, "in0", IN, "bf16", a), put(rng, "in1", IN, "bf16", b), put(rng, "out0", OUT, "bf16", np.concatenate([a, b], axis=1))], {"dim": 1})


main(long_rows, reductions, variances, integer_reductions, arguments, mapped, scans, softmaxes, empty_rows, norms, sorts, nonfinite, cats)
