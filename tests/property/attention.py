#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ops attention and attention_combine against NumPy: masks, windows, soft caps, ALiBi, groups of heads, packed and paged keys, parts and their combination."""
import need
import numpy as np

import formats
from cases import IN, OUT, Case, main, put, spoiled


def visible(m, n, o):
    """Which of n keys each of m queries sees."""
    i, j = np.arange(m)[:, None], np.arange(n)[None, :]
    shift = 0 if o.get("causal") == "top-left" else n - m
    right = 0 if o.get("causal") else o.get("window_right", -1)
    seen = np.ones((m, n), bool)
    if right >= 0:
        seen &= j <= i + shift + right
    if o.get("window_left", -1) >= 0:
        seen &= j >= i + shift - o["window_left"]
    return seen


def attend(q, k, v, o, bias=None, slope=None, keep=None, keys=None):
    """One head of one batch item: q [m, d], k [n, d], v [n, dv]. keys: of a part. Returns out, lse, max, sum, weights."""
    m, n = len(q), len(k)
    s = q @ k.T * o.get("scale", 1 / np.sqrt(q.shape[1]))
    if o.get("softcap"):
        s = o["softcap"] * np.tanh(s / o["softcap"])
    if bias is not None:
        s = s + bias
    if slope is not None:
        s = s - slope * np.abs(np.arange(m)[:, None] + n - m - np.arange(n)[None, :])
    seen = visible(m, n, o)
    if keep is not None:
        seen &= keep != 0
    if keys is not None:
        seen &= (np.arange(n) >= keys[0]) & (np.arange(n) < keys[1])
    s = np.where(seen, s, -np.inf)
    top = np.max(s, axis=1, initial=-np.inf)
    p = np.where(seen, np.exp(s - np.where(np.isfinite(top), top, 0)[:, None]), 0)
    total = p.sum(1)
    return p @ v / np.where(total > 0, total, 1)[:, None], top + np.log(total), top, total, p / np.where(total > 0, total, 1)[:, None]


class Problem:
    """Random operands [B, H, M, D]... and the results."""

    def __init__(self, rng, dtype, kv=None):
        self.rng, self.dtype, self.kv = rng, dtype, kv or dtype
        self.b, self.hk = int(rng.integers(1, 4)), int(rng.integers(1, 3))
        self.h = self.hk * int(rng.choice([1, 1, 2, 3]))
        self.m, self.n = int(rng.choice([1, 2, 5, 17])), int(rng.choice([1, 3, 16, 33, 70]))
        self.d, self.dv = int(rng.choice([1, 4, 8, 16])), int(rng.choice([1, 4, 8]))
        self.attrs, self.extra = {}, {}

    def operands(self, m=None, n=None, b=None):
        rng, b = self.rng, b or self.b
        self.q = formats.random(rng, [b, self.h, m or self.m, self.d], self.dtype)
        self.k = formats.random(rng, [b, self.hk, n or self.n, self.d], self.kv)
        self.v = formats.random(rng, [b, self.hk, n or self.n, self.dv], self.kv)

    def options(self):
        rng, o = self.rng, self.attrs
        if rng.random() < 0.4:
            o["causal"] = str(rng.choice(["top-left", "bottom-right"]))
        if rng.random() < 0.3:
            o["window_left"] = int(rng.integers(0, 9))
            if "causal" not in o and rng.random() < 0.5:
                o["window_right"] = int(rng.integers(0, 9))
        if rng.random() < 0.3:
            o["softcap"] = 5.0
        if rng.random() < 0.5:
            o["scale"] = 0.25
        if rng.random() < 0.3:
            self.extra["alibi"] = formats.rounded(np.abs(rng.standard_normal(self.h)) / 8, "f32")

    def row_slack(self, q, k, v, w, o):
        """What a bound may leave open, generously: logits, weights, P's rounding, sums."""
        u = 2.0**-53 if self.dtype == "f64" else 2.0**-24
        scale = abs(o.get("scale", 1 / np.sqrt(q.shape[1])))
        product = {"f64": 2.0**-45, "f32": 2.0**-14}.get(self.dtype, 2.0**-17)
        converted = 4 * formats.unit(self.dtype) if self.kv != self.dtype else 0    # a cache of another type is rounded to q's, with its factor
        logits = scale * np.linalg.norm(q, axis=1)[:, None] * np.max(np.linalg.norm(k, axis=1), initial=0)
        eta = (product + converted) * logits * (1 + len(q[0]) / 16) + 64 * u * (logits + 8) + (2.0**-8 * np.minimum(o["softcap"], logits) if o.get("softcap") else 0)
        p_type = self.dtype if self.dtype in ("bf16", "f16") else "f64" if self.dtype == "f64" else "f32"
        each = 4 * eta + converted + 6 * formats.unit(p_type) + (len(k) + 64) * u * 64 + (0 if self.dtype == "f64" else 2.0**-15)
        return each * (w @ np.abs(v) + np.max(np.abs(v), axis=0, initial=0) * 2.0**-10), each[:, 0] * 2

    def results(self, lengths=None, bias=None, keep=None):
        """Of every batch item and head; rows without keys are free."""
        shape = [self.b, self.h, self.q.shape[2]]
        self.out, self.lse, self.slack, self.lse_slack = np.zeros(shape + [self.dv]), np.zeros(shape), np.zeros(shape + [self.dv]), np.zeros(shape)
        for b, h in np.ndindex(self.b, self.h):
            n = self.n if lengths is None else int(lengths[b])
            hk = h // (self.h // self.hk)
            q, k, v = self.q[b, h], self.k[b, hk, :n], self.v[b, hk, :n]
            pick = lambda a: None if a is None else np.broadcast_to(a, [self.b, self.h, len(q), self.n])[b, h][:, :n]
            slope = self.extra["alibi"][h] if "alibi" in self.extra else None
            self.out[b, h], self.lse[b, h], _, _, w = attend(q, k, v, self.attrs, pick(bias), slope, pick(keep))
            self.slack[b, h], self.lse_slack[b, h] = self.row_slack(q, k, v, w, self.attrs)

    def tensors(self, out_type=None):
        rng = self.rng
        t = [put(rng, "q", IN, self.dtype, self.q), put(rng, "k", IN, self.kv, self.k), put(rng, "v", IN, self.kv, self.v)]
        if "alibi" in self.extra:
            t.append(put(rng, "alibi", IN, "f32", self.extra["alibi"], ("dense",)))
        out = put(rng, "out", OUT, out_type or self.dtype, self.out)
        out.slack, out.fixed = self.slack, ~np.isfinite(self.lse)[..., None]
        t.append(out)
        if rng.random() < 0.6 and "alibi" not in self.extra:
            base2 = rng.random() < 0.3
            if base2:
                self.attrs["lse_base"] = 2
            lse = put(rng, "lse", OUT, "f64" if self.dtype == "f64" else "f32", self.lse / (np.log(2) if base2 else 1))
            lse.slack, lse.fixed = self.lse_slack + 2.0**-18 * (self.dtype != "f64"), ~np.isfinite(self.lse)
            t.append(lse)
        return t


def nonfinite(rng):
    """NaN in a key makes all rows that see it NaN; in a value, its column of these rows; keys that a mask hides do nothing."""
    for dtype in ("bf16", "f32", "f64"):
        for where in ("q", "k", "v"):
            p = Problem(rng, dtype)
            p.attrs["causal"] = "bottom-right"
            p.operands()
            if where == "v":    # of a key that all rows see: what engines make of others is their own matter
                p.n = max(p.n, p.m)
                p.operands()
                p.v[:, :, 0] = spoiled(rng, p.v[:, :, 0], (np.nan,))
            else:
                setattr(p, where, spoiled(rng, getattr(p, where), (np.nan,)))
            p.results()
            for b, h in np.ndindex(p.b, p.h):
                hk = h // (p.h // p.hk)
                seen = visible(p.m, p.n, p.attrs)
                bad = np.isnan(p.q[b, h]).any(1)[:, None] | np.isnan(p.k[b, hk]).any(1)[None, :]
                rows = (bad & seen).any(1)
                columns = (seen[:, :, None] & np.isnan(p.v[b, hk])[None]).any(1)
                clean = np.where(np.isnan(p.v[b, hk]), 0, p.v[b, hk])
                q, k = np.nan_to_num(p.q[b, h]), np.nan_to_num(p.k[b, hk])
                out, lse, _, _, w = attend(q, k, clean, p.attrs)
                p.slack[b, h], p.lse_slack[b, h] = p.row_slack(q, k, clean, w, p.attrs)
                p.out[b, h] = np.where(rows[:, None] | columns, np.nan, out)
                p.lse[b, h] = np.where(rows, np.nan, lse)
            tensors = p.tensors()
            for t in tensors[4:]:
                t.fixed = ~np.isfinite(p.lse)   # of NaN engines write what they like
            tensors[3].fixed = np.isinf(p.lse)[..., None]
            yield Case("attention", tensors, p.attrs, near=1e-9)


def large(rng):
    """Several tiles of keys and rows."""
    for dtype in ("bf16", "f32", "f64"):
        p = Problem(rng, dtype)
        p.b, p.hk, p.h, p.m, p.n, p.d, p.dv = 1, 2, 4, 150, 333, 16, 8
        p.attrs["causal"] = "bottom-right"
        p.operands()
        p.results()
        yield Case("attention", p.tensors("f64"), p.attrs, near=1e-12)


def tiles(q, k, v, dtype, lost):
    """As kernels compute it: tile by tile, weights rounded to the type. Without key `lost`."""
    top, total, out = -np.inf, 0.0, np.zeros(v.shape[1])
    for at in range(0, len(k), 64):
        s = k[at : at + 64] @ q / np.sqrt(len(q))
        if lost is not None and at <= lost < at + 64:
            s[lost - at] = -np.inf
        new = max(top, s.max())
        p = np.exp(s - new)
        scale = np.exp(top - new)
        total, out, top = total * scale + p.sum(), out * scale + formats.rounded(p, dtype) @ v[at : at + 64], new
    return out / total


def lost_keys(rng):
    """Rounded weights are right; a key of ordinary weight that is lost among hundreds is noticed, by all columns together."""
    for dtype, n in (("bf16", 128), ("bf16", 800), ("f16", 1000)):
        q, k, v = (formats.random(rng, [1, 1, m, 64], dtype) for m in (3, n, n))
        for lost in (False, True):
            out = np.zeros([1, 1, 3, 64])
            for i in range(3):
                median = int(np.argsort(k[0, 0] @ q[0, 0, i])[n // 2])
                out[0, 0, i] = tiles(q[0, 0, i], k[0, 0], v[0, 0], dtype, median if lost else None)
            t = put(rng, "out", OUT, dtype, out)
            t.slack = np.max(np.abs(v)) / 8
            c = Case("attention", [put(rng, "q", IN, dtype, q), put(rng, "k", IN, dtype, k), put(rng, "v", IN, dtype, v), t], {}, near=2.0**-7)
            c.wrong = "out" if lost else None
            yield c


def plain(rng):
    for dtype in ("f64", "f32", "bf16", "f16") * 6:
        p = Problem(rng, dtype)
        p.operands()
        p.options()
        bias = keep = None
        tensors = []
        if rng.random() < 0.3:
            dims = [int(rng.choice([1, n])) for n in (p.b, p.h, p.m)] + [p.n]
            bias = formats.random(rng, dims, dtype)
            tensors.append(put(rng, "bias", IN, dtype, bias))
        if rng.random() < 0.3:
            keep = rng.integers(0, 2, [int(rng.choice([1, n])) for n in (p.b, p.h, p.m)] + [p.n]).astype(np.uint8)
            tensors.append(put(rng, "mask", IN, "u8", keep))
        p.results(bias=bias, keep=keep)
        yield Case("attention", tensors + p.tensors("f64" if rng.random() < 0.5 else None), p.attrs, near=1e-12)


def lengths(rng):
    """Keys and queries of different lengths per batch item: seqlens, and packed ones."""
    for dtype in ("f32", "bf16", "f64") * 3:
        p = Problem(rng, dtype)
        p.operands()
        p.options()
        n = rng.integers(0, p.n, p.b, endpoint=True)
        p.results(lengths=n)
        yield Case("attention", [put(rng, "seqlens_k", IN, "i32", n, ("dense",))] + p.tensors(), p.attrs, near=1e-12)
        yield packed(rng, dtype)


def packed(rng, dtype):
    p = Problem(rng, dtype)
    items = p.b
    mq, nk = rng.integers(0, 8, items), rng.integers(1, 40, items)
    mq[0] = max(1, mq[0])
    cq, ck = np.concatenate([[0], np.cumsum(mq)]), np.concatenate([[0], np.cumsum(nk)])
    p.b = 1
    p.operands(m=int(cq[-1]), n=int(ck[-1]), b=1)
    p.options()
    shape = [1, p.h, int(cq[-1])]
    p.out, p.lse, p.slack, p.lse_slack = np.zeros(shape + [p.dv]), np.zeros(shape), np.zeros(shape + [p.dv]), np.zeros(shape)
    for i, h in np.ndindex(items, p.h):
        hk, at = h // (p.h // p.hk), slice(cq[i], cq[i + 1])
        q, k, v = p.q[0, h, at], p.k[0, hk, ck[i] : ck[i + 1]], p.v[0, hk, ck[i] : ck[i + 1]]
        if not len(q):
            continue
        p.out[0, h, at], p.lse[0, h, at], _, _, w = attend(q, k, v, p.attrs, None, p.extra["alibi"][h] if "alibi" in p.extra else None)
        p.slack[0, h, at], p.lse_slack[0, h, at] = p.row_slack(q, k, v, w, p.attrs)
    lists = [put(rng, "cu_seqlens_q", IN, "i32", cq, ("dense",)), put(rng, "cu_seqlens_k", IN, "i32", ck, ("dense",))]
    return Case("attention", lists + p.tensors(), p.attrs, near=1e-12)


def paged(rng):
    """Keys in pages of a cache, K also in vLLM's layout; fp8 caches with factors; parts to be combined."""
    for dtype, kv in (("bf16", "bf16"), ("f16", "e4m3"), ("f32", "f32"), ("bf16", "e5m2")) * 3:
        p = Problem(rng, dtype, kv)
        p.m, page, blocks = 1, int(rng.choice([1, 4, 16])), int(rng.integers(1, 6))
        p.n = blocks * page
        p.operands()
        cache = p.b * blocks + 3
        table = rng.permutation(cache)[: p.b * blocks].reshape(p.b, blocks)
        n = rng.integers(1, p.n, p.b, endpoint=True)
        kc, vc = formats.random(rng, [cache, p.hk, page, p.d], kv), formats.random(rng, [cache, p.hk, page, p.dv], kv)
        for b, j in np.ndindex(p.b, blocks):
            kc[table[b, j]], vc[table[b, j]] = p.k[b, :, j * page : (j + 1) * page], p.v[b, :, j * page : (j + 1) * page]
        p.attrs["scale"] = 0.25
        if kv[0] == "e":
            p.attrs |= {"k_scale": 0.5, "v_scale": 2.0}
            p.k, p.v = p.k * 0.5, p.v * 2.0
        if rng.random() < 0.3:
            p.extra["alibi"] = formats.rounded(np.abs(rng.standard_normal(p.h)) / 8, "f32")
        k = kc
        if p.d % 4 == 0 and rng.random() < 0.5:
            k = kc.reshape(cache, p.hk, page, p.d // 4, 4).transpose(0, 1, 3, 2, 4)
        tensors = [put(rng, "q", IN, dtype, p.q), put(rng, "k", IN, kv, k), put(rng, "v", IN, kv, vc), put(rng, "block_table", IN, "i32", table),
                   put(rng, "seqlens_k", IN, "i32", n, ("dense",))]
        if "alibi" in p.extra:
            tensors.append(put(rng, "alibi", IN, "f32", p.extra["alibi"], ("dense",)))
        p.results(lengths=n)
        out = put(rng, "out", OUT, dtype, p.out)
        out.slack = p.slack
        yield Case("attention", tensors + [out], p.attrs, near=1e-12)
        yield parts(rng, p, tensors, n, page)


def parts(rng, p, tensors, n, page):
    """The same keys split among blocks: parts, their maxima and sums."""
    size = page * int(rng.integers(1, 4))
    count = -(-p.n // size)
    shape = [p.b, p.h, 1, count]
    out, top, total, slack, row, dead = (np.zeros(shape + [p.dv]), *(np.zeros(shape) for _ in range(2)), np.zeros(shape + [p.dv]), np.zeros(shape), np.zeros(shape, bool))
    for b, h, j in np.ndindex(p.b, p.h, count):
        hk = h // (p.h // p.hk)
        k, v = p.k[b, hk, : n[b]], p.v[b, hk, : n[b]]
        dead[b, h, 0, j] = j * size >= n[b]
        slope = p.extra["alibi"][h] if "alibi" in p.extra else None
        o, _, t, s, w = attend(p.q[b, h], k, v, p.attrs, None, slope, None, (j * size, (j + 1) * size))
        out[b, h, 0, j], top[b, h, 0, j], total[b, h, 0, j] = o[0], t[0], s[0]
        a, c = p.row_slack(p.q[b, h], k, v, w, p.attrs)
        slack[b, h, 0, j], row[b, h, 0, j] = a[0], c[0]
    top[dead], total[dead] = 0, 0
    made = [put(rng, "out", OUT, p.dtype, out), put(rng, "max", OUT, "f32", top), put(rng, "sum", OUT, "f32", total)]
    made[0].slack, made[1].slack, made[2].slack = slack, row + 2.0**-18, (row + 2.0**-18) * 4 * np.maximum(total, 1)
    made[0].fixed, made[1].fixed, made[2].fixed = dead[..., None], dead, dead
    if "alibi" in p.extra:      # either form of ALiBi will do: the maximum may be off by a constant
        made = made[:1]
    return Case("attention", tensors + made, p.attrs | {"partition": size}, near=1e-12)


def combine(rng):
    for dtype in ("f32", "bf16", "f16", "f64") * 3:
        rows, count, dv = [int(rng.integers(1, 4)) for _ in range(rng.integers(1, 4))], int(rng.integers(1, 9)), int(rng.choice([1, 5, 16]))
        x = formats.random(rng, rows + [count, dv], dtype)
        lse = formats.random(rng, rows + [count], "f32", 2)
        by_sums, base2 = rng.random() < 0.5, rng.random() < 0.3
        unit = np.log(2) if base2 and not by_sums else 1.0
        tensors, attrs = [put(rng, "parts", IN, dtype, x)], {}
        if by_sums:
            s = formats.rounded(1 + np.abs(rng.standard_normal(rows + [count])), "f32")
            tensors += [put(rng, "max", IN, "f32", lse), put(rng, "sum", IN, "f32", s)]
            attrs["eps"] = 1e-6
        else:
            s = np.ones(rows + [count])
            tensors.append(put(rng, "lse", IN, "f32", lse))
            if base2:
                attrs["lse_base"] = 2
        alive = np.ones(rows + [count], bool)
        if rng.random() < 0.5:
            n = rng.integers(1, 10 * count, rows[0], endpoint=True)
            tensors.append(put(rng, "seqlens_k", IN, "i32", n, ("dense",)))
            attrs["partition"] = 10
            alive &= np.arange(count) < -(-n // 10).reshape([-1] + [1] * len(rows))
        e = np.where(alive, lse * unit, -np.inf)
        top = np.max(e, axis=-1, keepdims=True)
        w = s * np.exp(e - top)
        total = w.sum(-1, keepdims=True)
        y = np.einsum("...p,...pd->...d", w / (total + attrs.get("eps", 0)), np.where(alive[..., None], x, 0))
        t = put(rng, "out", OUT, dtype, y)
        t.slack = 2.0**-17 * (np.abs(e - top)[..., None] * 0 + np.abs(np.where(alive[..., None], x, 0))).sum(-2)
        tensors.append(t)
        if rng.random() < 0.5:
            u = put(rng, "out_lse", OUT, "f32", (top + np.log(total))[..., 0] / unit)
            u.slack = 2.0**-15
            tensors.append(u)
        yield Case("attention_combine", tensors, attrs, near=1e-12)


main(large, nonfinite, lost_keys, plain, lengths, paged, combine)
