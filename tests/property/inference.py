#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What inference engines add, against NumPy and SciPy: ops rope, quantize, topk_softmax, moe_align, and scatter (stores, sums, extremes, KV-cache writes)."""
import need
import numpy as np
from scipy import special

import formats
from cases import IN, INOUT, OUT, Case, main, put


def rotate(x, cos, sin, rot, interleaved):
    """x [tokens, heads, d]; cos and sin [tokens, rot / 2]."""
    y = x.copy()
    a, b = (slice(0, rot, 2), slice(1, rot, 2)) if interleaved else (slice(0, rot // 2), slice(rot // 2, rot))
    c, s = cos[:, None, :], sin[:, None, :]
    y[..., a], y[..., b] = x[..., a] * c - x[..., b] * s, x[..., b] * c + x[..., a] * s
    return y


def ropes(rng):
    for dtype in ("f64", "f32", "bf16", "f16") * 4:
        tokens, heads, rot = int(rng.integers(1, 9)), int(rng.integers(1, 4)), 2 * int(rng.integers(1, 9))
        d, positions = rot + 2 * int(rng.choice([0, 0, 3])), 40
        style = str(rng.choice(["neox", "interleaved"]))
        attrs, tensors = {"style": style, "rotary_dim": rot}, []
        at = np.arange(tokens)
        if rng.random() < 0.7:
            at = rng.integers(0, positions - 5, tokens)
            tensors.append(put(rng, "positions", IN, "i64", at, ("dense",)))
        if rng.random() < 0.3:
            offsets = rng.integers(0, 5, tokens)
            tensors.append(put(rng, "offsets", IN, "i32", offsets, ("dense",)))
            at = at + offsets
        table = str(rng.choice(["cache", "half", "full", "angles"]))
        angles = np.arange(positions)[:, None] * 10000.0 ** (-2 * np.arange(rot // 2) / rot)
        error = 0.0
        if table == "angles":
            attrs |= {"theta": 10000.0, "scaling": 2.0}
            cos, sin = np.cos(angles / 2.0), np.sin(angles / 2.0)
            error = 2.0**-18 * 40
        else:
            cos, sin = formats.rounded(np.cos(angles), dtype), formats.rounded(np.sin(angles), dtype)
            wide = (lambda t: np.concatenate([t, t], 1) if style == "neox" else np.repeat(t, 2, 1)) if table == "full" else (lambda t: t)
            if table == "cache":
                tensors.append(put(rng, "cache", IN, dtype, np.concatenate([cos, sin], 1)))
            else:
                tensors += [put(rng, "cos", IN, dtype, wide(cos)), put(rng, "sin", IN, dtype, wide(sin))]
        u = formats.unit("f64" if dtype == "f64" else "f32")
        for name in ("", "2") if rng.random() < 0.5 else ("",):
            x = formats.random(rng, [tokens, heads if not name else 1, d], dtype)
            y = rotate(x, cos[at], sin[at], rot, style == "interleaved")
            if rng.random() < 0.5:
                t = put(rng, "x" + name, INOUT, dtype, y, before=x)
            else:
                tensors.append(put(rng, "x" + name, IN, dtype, x))
                t = put(rng, "y" + name, OUT, dtype, y)
            t.slack = (8 * u + error) * (np.max(np.abs(x), axis=-1, keepdims=True) * 2 + np.abs(y))
            tensors.append(t)
        yield Case("rope", tensors, attrs, near=1e-14 * 100)


def blocks(x, r, g):
    """x [rows, n] as [r, g, what belongs to one scale]."""
    rows, n = x.shape
    return x.reshape(r, rows // r, g, n // g).transpose(0, 2, 1, 3).reshape(r, g, -1)


def spread(scale, rows, n):
    return np.repeat(np.repeat(scale, rows // scale.shape[0], 0), n // scale.shape[1], 1)


QMAX = {"e4m3": 448.0, "e5m2": 57344.0, "i8": 127.0}


def store(t, dtype):
    """Rounded to nearest, clamped."""
    if dtype in formats.INTS:
        info = np.iinfo(formats.INTS[dtype])
        return np.clip(np.rint(t), info.min, info.max).astype(np.int64)
    return formats.rounded(t, dtype, saturate=True)


def clear(t, dtype):
    """Not near a tie: there either neighbour is right."""
    if dtype in formats.INTS:
        return np.abs(np.abs(t - np.trunc(t)) - 0.5) > 1e-3
    q = formats.quantum(np.clip(t, -QMAX[dtype], QMAX[dtype]), dtype)
    return np.abs(np.abs(t / q - np.trunc(t / q)) - 0.5) > 1e-3


def quantizations(rng):
    for dtype in ("e4m3", "e5m2", "i8") * 3:
        for kind in ("static", "tensor", "token", "block"):
            r, g = {"static": (1, 1), "tensor": (1, 1)}.get(kind, (int(rng.integers(1, 6)), 1 if kind == "token" else int(rng.integers(1, 4))))
            rows, n = r * (1 if kind in ("token", "block") else int(rng.integers(1, 6))), g * int(rng.choice([1, 4, 13, 32]))
            src = str(rng.choice(["f32", "bf16", "f16"]))
            x = formats.random(rng, [rows, n], src, 2)
            attrs, inverse = {}, kind == "static" and rng.random() < 0.5
            amax = np.abs(blocks(x, r, g)).max(-1)
            scale = formats.rounded(np.maximum(amax, 1e-3) / QMAX[dtype], "f32")
            if kind == "static":
                scale = formats.rounded(np.full((1, 1), 2.0 / QMAX[dtype]), "f32")      # clamps now and then
            elif rng.random() < 0.3:
                attrs["eps"] = 1.0
                scale = formats.rounded(np.maximum(amax, 1.0) / QMAX[dtype], "f32")
            elif rng.random() < 0.3:
                attrs["min_scale"] = 0.01
                scale = formats.rounded(np.maximum(np.maximum(amax, 1e-3) / QMAX[dtype], 0.01), "f32")
            elif rng.random() < 0.3:
                attrs["power2"] = 1
                scale = np.exp2(np.ceil(np.log2(np.maximum(amax, 1e-3) / QMAX[dtype])))
            if kind != "static" and "min_scale" not in attrs:
                attrs.setdefault("eps", 1e-3)
            elif kind != "static":
                attrs["eps"] = 1e-3
            ratio = x / spread(scale, rows, n)
            if inverse:
                attrs["inverse"] = 1
                scale = formats.rounded(1 / scale, "f32")
                ratio = x * spread(scale, rows, n)
            shape = [1] if kind in ("static", "tensor") else [r, g]
            st = put(rng, "scale", IN if kind == "static" else OUT, "f32", scale.reshape(shape), ("dense",))
            st.slack = 2.0**-20 * np.abs(scale.reshape(shape))
            if "power2" in attrs:
                st.slack = scale.reshape(shape) / 4
            yt = put(rng, "y", OUT, dtype, store(ratio, dtype))
            yt.fixed = ~clear(ratio, dtype)
            if kind != "static":
                st.or_named = ["y"]     # what was written is what y is judged with
            yield Case("quantize", [put(rng, "x", IN, src, x), yt, st], attrs, near=False)


def asymmetric(rng):
    for dtype in ("i8", "u8"):
        for _ in range(3):
            rows, n = int(rng.integers(1, 5)), int(rng.choice([3, 8, 31]))
            x = formats.random(rng, [rows, n], "f32", 2)
            low, high = x.min(1, keepdims=True), x.max(1, keepdims=True)
            scale = formats.rounded((high - low) / 255, "f32")
            zero = np.rint((-128 if dtype == "i8" else 0) - low / scale)
            q = np.clip(np.rint(x / scale) + zero, *((-128, 127) if dtype == "i8" else (0, 255)))
            yt, st, zt = put(rng, "y", OUT, dtype, q), put(rng, "scale", OUT, "f32", scale, ("dense",)), put(rng, "zero", OUT, "i32", zero, ("dense",))
            yt.fixed = ~clear(x / scale, "i8") | (np.abs(x / scale) > 1e5)
            st.slack, st.or_named, zt.or_named = scale * 2.0**-6, ["y", "zero"], ["y"]
            yield Case("quantize", [put(rng, "x", IN, "f32", x), yt, st, zt], {}, near=False)


def dequantizations(rng):
    """An elementwise op: y = x * scale[block]."""
    for dtype in ("e4m3", "e5m2", "i8", "u8"):
        rows, n, block = int(rng.integers(1, 7)), 4 * int(rng.integers(1, 9)), 4
        x = formats.random(rng, [rows, n], dtype)
        scale = formats.rounded(np.exp(rng.standard_normal([rows, n // block])), "f32")
        for out in ("f32", "bf16", "f16"):
            y = x.astype(float) * np.repeat(scale, block, 1)
            t = put(rng, "out0", OUT, out, y)
            t.slack = np.abs(y) * 2.0**-20
            yield Case("elementwise", [put(rng, "in0", IN, dtype, x), put(rng, "scale", IN, "f32", scale), t], {"expr": "in0 * scale[i0, i1 / 4]"})


def routing(rng):
    for scoring in ("softmax", "sigmoid", "none") * 4:
        tokens, experts = int(rng.integers(1, 9)), int(rng.choice([1, 2, 4, 8, 60]))
        k = int(rng.integers(1, min(experts, 8) + 1))
        dtype = str(rng.choice(["f32", "bf16", "f16"]))
        x = formats.random(rng, [tokens, experts], dtype, 2)
        p = {"softmax": lambda: special.softmax(x, axis=-1), "sigmoid": lambda: special.expit(x), "none": lambda: x}[scoring]()
        attrs, tensors, key = {} if scoring == "softmax" else {"scoring": scoring}, [put(rng, "x", IN, dtype, x)], p
        if rng.random() < 0.3:
            bias = formats.random(rng, [experts], "f32")
            tensors.append(put(rng, "bias", IN, "f32", bias))
            key = p + bias
        order = np.argsort(-key, axis=-1, kind="stable")[:, :k]
        w = np.take_along_axis(p, order, -1)
        if rng.random() < 0.5 and scoring != "none":
            attrs["renormalize"] = 1
            w = w / w.sum(-1, keepdims=True)
        if rng.random() < 0.3:
            attrs["scale"] = 2.5
            w = w * 2.5
        wt, it = put(rng, "weights", OUT, "f32", w), put(rng, "indices", OUT, str(rng.choice(["i32", "i64", "u32"])), order)
        wt.slack, it.or_named, it.named = 2.0**-16 * np.abs(w) * 4 + 1e-30, ["weights"], False
        tensors += [wt, it]
        if rng.random() < 0.5:
            tensors.append(put(rng, "source_rows", OUT, "i32", np.arange(k)[None, :] * tokens + np.arange(tokens)[:, None]))
        yield Case("topk_softmax", tensors, attrs, near=1e-14)


def alignment(rng):
    """Slots sorted by expert, in blocks."""
    for _ in range(8):
        tokens, k, experts, block = int(rng.integers(1, 20)), int(rng.integers(1, 4)), int(rng.integers(1, 9)), int(rng.choice([1, 4, 16]))
        ids = rng.integers(0, experts, [tokens, k])
        slots = tokens * k
        places, owners = [], []
        for e in range(experts):
            mine = rng.permutation(np.flatnonzero(ids.reshape(-1) == e))
            pad = -len(mine) % block
            places += list(mine) + [slots] * pad
            owners += [e] * ((len(mine) + pad) // block)
        used = len(places)
        room = used + block * int(rng.integers(0, 3))
        st = put(rng, "sorted", OUT, "i32", np.array(places + [slots] * (room - used)), ("dense",))
        et = put(rng, "expert_ids", OUT, "i32", np.array(owners + [0] * (room // block - len(owners))), ("dense",))
        st.fixed, et.fixed = np.arange(room) >= used, np.arange(room // block) >= len(owners)
        st.named = False        # a slot that comes twice: which one is too many
        yield Case("moe_align", [put(rng, "ids", IN, str(rng.choice(["i32", "i64"])), ids, ("dense",)), st, et, put(rng, "total", OUT, "i32", np.array([used]), ("dense",))],
                   {"experts": experts, "block": block})


def stores(rng):
    """KV-cache writes: rows of tokens to slots; -1 is left out; everything else stays."""
    for dtype in ("bf16", "f16", "f32", "i64", "u8"):
        for cache_type in (dtype,) if dtype in ("i64", "u8") else (dtype, "e4m3"):
            tokens, heads, d, page, pages = int(rng.integers(1, 9)), int(rng.integers(1, 4)), int(rng.integers(1, 9)), 4, 5
            slot = rng.permutation(page * pages)[:tokens]
            slot[rng.random(tokens) < 0.2] = -1
            x = formats.random(rng, [tokens, heads, d], dtype)
            cache = formats.random(rng, [pages, heads, page, d], cache_type)
            after = cache.astype(float) if dtype in formats.FLOATS else cache.copy()
            value = x * 0.5 if cache_type == "e4m3" else x
            for t in range(tokens):
                if slot[t] >= 0:
                    after[slot[t] // page, :, slot[t] % page] = value[t]
            out = put(rng, "out0", INOUT, cache_type, formats.rounded(after, "e4m3", saturate=True) if cache_type == "e4m3" else after, before=cache)
            out.slack = 0 if cache_type == "e4m3" else 2.0**-22
            if dtype in formats.INTS:
                out.slack = 0
            yield Case("scatter", [put(rng, "in0", IN, dtype, x), put(rng, "slot", IN, "i64", slot, ("dense",)), out],
                       {"at": "slot[i0] / 4, i1, slot[i0] % 4, i2", "when": "slot[i0] >= 0", "expr": "e4m3(in0 * 0.5)" if cache_type == "e4m3" else "in0"}, near=0)


def reductions(rng):
    """index_add, scatter_reduce: several writes to one place."""
    for dtype in ("f32", "f64", "bf16", "i32", "i64", "u8"):
        for how in ("add", "max", "min"):
            n, m = int(rng.choice([1, 7, 40, 300])), int(rng.integers(1, 9))
            x, before = formats.random(rng, [n], dtype), formats.random(rng, [m], dtype)
            at = rng.integers(0, m, n)
            after = before.astype(np.int64) if dtype in formats.INTS else before.copy()
            getattr(np, {"add": "add", "max": "maximum", "min": "minimum"}[how]).at(after, at, x.astype(after.dtype))
            size = np.abs(before.astype(float))
            np.add.at(size, at, np.abs(x.astype(float)))
            t = put(rng, "out0", INOUT, dtype, after, before=before)
            if dtype in formats.FLOATS and how == "add":
                count = np.bincount(at, minlength=m)
                t.slack = 3 * (count + 4) * max(formats.unit(dtype), 0) * size + 1e-30
            yield Case("scatter", [put(rng, "in0", IN, dtype, x), put(rng, "index", IN, "i64", at, ("dense",)), t],
                       {"at": "index[i0]", "expr": "in0", "reduce": how}, near=float(np.max(size)) * n * 2.0**-53)


def large(rng):
    """Thousands of writes to hundreds of places, and to one."""
    for m in (1, 500):
        x, before, at = formats.random(rng, [7000], "f32"), formats.random(rng, [m, 3], "f32"), rng.integers(0, m, 7000)
        after, size = before.copy(), np.abs(before)
        np.add.at(after, (at, 1), x)
        np.add.at(size, (at, 1), np.abs(x))
        t = put(rng, "out0", INOUT, "f32", after, before=before)
        t.slack = 3 * 7000 * 2.0**-24 * size
        yield Case("scatter", [put(rng, "in0", IN, "f32", x), put(rng, "index", IN, "i32", at, ("dense",)), t], {"at": "index[i0], 1", "expr": "in0", "reduce": "add"}, near=1e-10)


def any_of_several(rng):
    """Where stores meet, any of them may be the last; other elements are untouched; two outputs at once."""
    for dtype in ("f32", "bf16", "i32"):
        n, m = int(rng.integers(2, 30)), int(rng.integers(2, 9))
        x, before, other = formats.random(rng, [n], dtype), formats.random(rng, [m], dtype), rng.integers(0, 99, m)
        at = rng.integers(0, m, n)
        after, places = before.copy(), other.copy()
        for i in rng.permutation(n):
            after[at[i]] = x[i]
        places[at] = 7
        a, b = put(rng, "out0", INOUT, dtype, after, before=before), put(rng, "out1", INOUT, "i64", places, before=other)
        a.slack = 300       # not another one that was written there
        yield Case("scatter", [put(rng, "in0", IN, dtype, x), put(rng, "index", IN, "i32", at, ("dense",)), a, b],
                   {"at": "index[i0]", "expr": "out0 = in0; out1 = 7"}, near=0)


main(large, ropes, quantizations, asymmetric, dequantizations, routing, alignment, stores, reductions, any_of_several)
