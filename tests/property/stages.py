#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Launches that are steps of something against NumPy: radix, select, topk_digit; and one place of a sort, variants of scans."""
import need
import numpy as np

import formats
from cases import DENSE, IN, INOUT, OUT, Case, main, put


def integers(rng, dims, dtype):
    info = np.iinfo(formats.INTS[dtype])
    return rng.integers(info.min, info.max, dims, dtype=formats.INTS[dtype], endpoint=True)


def radix(rng):
    for dtype in ("u8", "u16", "u32", "u64"):
        for _ in range(3):
            rows, n = [int(x) for x in (rng.choice([1, 3]), rng.choice([1, 2, 50, 700]))]
            bits = 8 * formats.size(dtype)
            begin = int(rng.integers(bits - 3))
            width = int(rng.integers(1, min(8, bits - begin) + 1))
            x = integers(rng, [rows, n], dtype)
            digit = x >> x.dtype.type(begin) & x.dtype.type((1 << width) - 1)
            down = rng.random() < 0.5
            key = (1 << width) - 1 - digit.astype(int) if down else digit.astype(int)
            order = np.argsort(key, axis=-1, kind="stable")
            moved = integers(rng, [rows, n], "u32")
            tensors = [put(rng, "in0", IN, dtype, x), put(rng, "in1", IN, "u32", moved)]
            attrs = {"begin": begin, "mask": (1 << width) - 1, "key": "~in0 >> begin & mask" if down else "in0 >> begin & mask"}
            if rows == 1 and rng.random() < 0.5:    # digits begin in another order
                counts = np.bincount(key[0], minlength=1 << width)
                shuffled = rng.permutation(1 << width)
                first = np.zeros(1 << width, np.uint64)
                first[shuffled] = np.concatenate([[0], np.cumsum(counts[shuffled])[:-1]])
                rank = np.argsort(shuffled)
                order = np.argsort(rank[key], axis=-1, kind="stable")
                tensors.append(put(rng, "first", IN, "u64", first))
            tensors.append(put(rng, "out0", OUT, dtype, np.take_along_axis(x, order, -1)))
            tensors.append(put(rng, "out1", OUT, "u32", np.take_along_axis(moved, order, -1)))
            yield Case("radix", tensors, attrs)


def selections(rng):
    for dtype in ("u8", "i32", "i64", "f32", "bf16"):
        n = int(rng.choice([1, 5, 300, 900]))
        x = np.where(rng.random(n) < rng.choice([0.1, 0.9]), formats.random(rng, [n], dtype), 0).astype(formats.random(rng, [1], dtype).dtype)
        at = np.flatnonzero(x != 0)
        count = put(rng, "count", OUT, "i32", np.array([at.size]))
        base = int(rng.integers(-5, 1000))
        if at.size:
            yield Case("select", [put(rng, "in0", IN, dtype, x), put(rng, "out0", OUT, "i64", at + base, DENSE), count],
                       {"when": "in0 != 0", "expr": "i0 + base", "base": base})
            yield Case("select", [put(rng, "in0", IN, dtype, x), put(rng, "out0", OUT, dtype, x[at], DENSE)], {"when": "in0 != 0", "expr": "in0"})
        runs = np.sort(formats.rounded(np.floor(rng.random(n) * 9), "bf16"))
        y = np.unique(runs)
        yield Case("select", [put(rng, "in0", IN, "f32", runs), put(rng, "out0", OUT, "f32", y, DENSE), put(rng, "count", OUT, "i64", np.array([y.size]))],
                   {"when": "i0 == 0 ? 1 : in0[i0 == 0 ? 0 : i0 - 1] != in0", "expr": "in0"})


def ordered(x, dtype):
    """Bits in the order of the numbers."""
    bits = formats.encode(x, dtype).astype(np.uint64)
    top = np.uint64(1 << (8 * formats.size(dtype) - 1))
    if dtype in ("f32", "bf16", "f16"):
        return np.where(bits & top, ~bits & np.uint64(2 * int(top) - 1), bits ^ top)
    return (bits & np.uint64(2 * int(top) - 1)) ^ (top if dtype[0] == "i" else np.uint64(0))


def topk_steps(rng):
    """A selection by radix from its first digit to its last, over rows in several parts."""
    for dtype in ("f32", "bf16", "i32", "u8"):
        rows, parts, each = [int(x) for x in (rng.choice([1, 4]), rng.choice([1, 3]), rng.choice([20, 200]))]
        x = formats.random(rng, [rows, parts, each], dtype)
        v = ordered(x, dtype)
        k = rng.integers(1, parts * each + 1, rows).astype(np.uint32)
        down = int(rng.random() < 0.5)
        known = np.zeros(rows, np.uint64)
        mask = np.uint64(0)
        above = np.zeros([rows, parts], np.int64)
        result = np.sort(v.reshape(rows, -1), axis=-1)[np.arange(rows), k.astype(int) - 1]
        values = np.take_along_axis(x.reshape(rows, -1), np.argsort(v.reshape(rows, -1), axis=-1, kind="stable"), -1)[np.arange(rows), k.astype(int) - 1]
        for bit in range(8 * formats.size(dtype) - 8, -1, -8):
            digits = (v >> np.uint64(bit) & np.uint64(255)).astype(int)
            counted = (v & mask) == (known & mask)[:, None, None]
            counts = np.zeros([rows, parts, 256], np.int64)
            np.add.at(counts, (np.arange(rows)[:, None, None], np.arange(parts)[None, :, None], digits), counted)
            sums = np.cumsum(counts.sum(1), axis=-1)
            d = (result >> np.uint64(bit) & np.uint64(255)).astype(int)
            mask |= np.uint64(255 << bit)
            new = result & mask
            inside = np.arange(256)[None, :] > d[:, None] if down else np.arange(256)[None, :] < d[:, None]
            more = above + (counts * inside[:, None, :]).sum(-1)
            k_out = (k - np.where(d > 0, np.take_along_axis(sums, np.maximum(d - 1, 0)[:, None], -1)[:, 0], 0)).astype(np.uint32)
            tensors = [put(rng, "counts", IN, "i16", counts), put(rng, "sums", IN, "u32", sums), put(rng, "k", IN, "u32", k),
                       put(rng, "known", IN, "u32", known), put(rng, "known_out", OUT, "u32", new), put(rng, "above", INOUT, "u32", more, before=above)]
            if bit > 0:
                tensors.append(put(rng, "k_out", OUT, "u32", k_out))
            else:
                tensors.append(put(rng, "value", OUT, {1: "u8", 2: "u16", 4: "u32"}[formats.size(dtype)], formats.encode(values, dtype).view(
                    {1: np.uint8, 2: np.uint16, 4: np.uint32}[formats.size(dtype)])))
            order = "float" if dtype in formats.FLOATS else "signed" if dtype[0] == "i" else "unsigned"
            yield Case("topk_digit", tensors, {"bit": bit, "descending": down, "order": order})
            known, k, above = new, k_out, more


def places(rng):
    for dtype in ("f32", "bf16", "f64", "i32"):
        n = int(rng.choice([1, 2, 9, 64]))
        x = formats.random(rng, [3, n], dtype)
        order = np.argsort(x, axis=-1, kind="stable")
        at = int(rng.integers(n))
        for attrs, place in (({"at": at}, at), ({"median": 1}, (n - 1) // 2)):
            i = order[:, place:place + 1]
            y, index = put(rng, "y", OUT, dtype, np.take_along_axis(x, i, -1)), put(rng, "index", OUT, "i64", i)
            same = np.sum(x == np.take_along_axis(x, i, -1), axis=-1, keepdims=True) > 1
            index.fixed = same
            y.fixed = np.isnan(np.take_along_axis(x, i, -1)) if dtype[0] == "f" or dtype == "bf16" else None
            yield Case("sort", [put(rng, "x", IN, dtype, x), y, index], attrs)


def scans(rng):
    n = int(rng.choice([1, 40, 700]))
    mask = rng.integers(0, 4, n).astype(np.uint8)
    init = int(rng.integers(-9, 9))
    counted = init + np.concatenate([[0], np.cumsum(mask != 0)[:-1]])
    yield Case("scan", [put(rng, "in0", IN, "u8", mask), put(rng, "out0", OUT, "i64", counted)], {"kind": "sum", "count": 1, "exclusive": 1, "init": init})
    parts = rng.integers(0, 300, [2, 5, n]).astype(np.int16)
    yield Case("scan", [put(rng, "in0", IN, "i16", parts), put(rng, "out0", OUT, "u32", np.cumsum(parts.sum(1), axis=-1))], {"kind": "sum", "parts": 5})
    bins = rng.integers(0, 50, n)
    yield Case("scatter", [put(rng, "in0", IN, "i64", bins), put(rng, "out0", OUT, "i32", np.bincount(bins, minlength=60))],
               {"reduce": "add", "fresh": 1, "at": "in0", "expr": "1"})


def orders(rng):
    """NumPy accumulates one after another, and rounds every time."""
    for dtype, numpy in (("f16", np.float16), ("f32", np.float32), ("f64", np.float64)):
        for kind, f in (("sum", np.add), ("prod", np.multiply)):
            n = int(rng.choice([1, 100, 3000]))
            x = formats.random(rng, [2, n], dtype)
            if kind == "prod":
                x = formats.rounded(1 + x / (64 * np.abs(x).max()), dtype)
            with np.errstate(all="ignore"):
                y = f.accumulate(x.astype(numpy), axis=-1, dtype=numpy)
            if not np.isfinite(y).all():
                continue
            tensors = [put(rng, "in0", IN, dtype, x), put(rng, "out0", OUT, dtype, y.astype(np.float64))]
            tensors[1].fixed = np.full([2, n], n < 500)     # too short to tell the order by
            tensors[1].named = False        # the next one follows from it
            yield Case("scan", tensors, {"kind": kind, "order": "sequence"}, near=float(np.abs(y.astype(np.float64)).max()) * n)


def bags(rng):
    for dtype in ("f32", "bf16", "f16", "f64"):
        for kind in ("sum", "mean", "max"):
            rows, width, bags, n = [int(x) for x in (rng.choice([1, 40]), rng.choice([1, 7, 33]), rng.choice([1, 2, 9]), rng.choice([1, 5, 60]))]
            table = formats.random(rng, [rows, width], dtype)
            ids = rng.integers(0, rows, n)
            first = np.sort(rng.integers(0, n + 1, bags))
            first[0] = 0
            padding = int(rng.integers(0, rows)) if rng.random() < 0.4 else -1
            weights = formats.random(rng, [n], dtype) if kind == "sum" and rng.random() < 0.5 else None
            out, slack = np.zeros([bags, width]), np.zeros([bags, width])
            index, size, bag_of = np.full([bags, width], -1), np.zeros(bags, int), np.zeros(n, int)
            u = formats.unit("f64" if dtype == "f64" else "f32")
            for b in range(bags):
                at = np.arange(first[b], first[b + 1] if b + 1 < bags else n)
                bag_of[at] = b
                at = at[ids[at] != padding]
                size[b] = at.size
                if at.size and kind == "max":
                    x = table[ids[at]]
                    out[b], index[b] = x.max(0), ids[at][np.argmax(x, 0)]
                elif at.size:
                    x = table[ids[at]] * (1 if weights is None else weights[at][:, None])
                    out[b] = x.sum(0) / (at.size if kind == "mean" else 1)
                    slack[b] = (2 * (at.size + 4) * u * np.abs(x).sum(0) + at.size * 2.0**-126)
            tensors = [put(rng, "ids", IN, "i64", ids), put(rng, "offsets", IN, "i32", first), put(rng, "table", IN, dtype, table)]
            y = put(rng, "out0", OUT, dtype, out)
            y.slack = slack
            tensors += [y, put(rng, "size", OUT, "i64", size), put(rng, "bag_of", OUT, "i32", bag_of)]
            if weights is not None:
                tensors.append(put(rng, "weights", IN, dtype, weights))
            if kind == "max":
                tensors.append(put(rng, "index", OUT, "i64", index))
            yield Case("bag", tensors, {"kind": kind, "padding": padding})


def lists(rng):
    for dtype in ("f32", "bf16", "f64"):
        tensors, attrs = [], {"of": "elementwise", "expr": "in0 * scalar - in1", "compute": "f64"}
        for k in range(int(rng.integers(1, 5))):
            dims = [int(n) for n in rng.integers(1, 9, int(rng.integers(1, 4)))]
            x, z, s = formats.random(rng, dims, dtype), formats.random(rng, dims, dtype), float(rng.integers(-4, 5))
            tensors += [put(rng, f"in0_{k}", IN, dtype, x), put(rng, f"in1_{k}", IN, dtype, z)]
            y = put(rng, f"out0_{k}", OUT, dtype, x * s - z)
            y.slack = 2.0**-50 * np.abs(x * s) + 2.0**-50 * np.abs(z)
            tensors.append(y)
            attrs[f"scalar_{k}"] = s
        yield Case("list", tensors, attrs)
        rows = [formats.random(rng, [int(rng.integers(1, 300))], dtype) for _ in range(int(rng.integers(1, 6)))]
        tensors = []
        for k, x in enumerate(rows):
            y = put(rng, f"out0_{k}", OUT, "f64", np.array((x * x).sum()))
            y.slack = 4 * len(x) * 2.0**-52 * float((x * x).sum())
            tensors += [put(rng, f"in0_{k}", IN, dtype, x), y]
        yield Case("list", tensors, {"of": "reduce", "kind": "sum", "map": "in0 * in0", "reduced": 1, "compute": "f64"})


def losses(rng):
    for dtype in ("f32", "bf16", "f16", "f64"):
        n, classes = int(rng.choice([1, 3, 60])), int(rng.choice([1, 5, 300]))
        x, target = formats.random(rng, [n, classes], dtype), rng.integers(0, classes, n)
        ignore = int(rng.integers(0, classes)) if rng.random() < 0.3 else -100
        weight = np.abs(formats.random(rng, [classes], dtype)) + 0.5 if rng.random() < 0.5 else None
        if weight is not None:
            weight = formats.rounded(weight, dtype)
        counts = target != ignore
        w = (np.ones(n) if weight is None else weight[target]) * counts
        terms = -x[np.arange(n), target] * w
        mean = int(rng.random() < 0.5)
        if mean and not counts.any():
            continue
        u, m = formats.unit("f64" if dtype == "f64" else "f32"), counts.sum()
        slack = 2 * (m + 3) * u * np.abs(terms).sum() + (0 if weight is None else formats.unit(dtype)) * np.abs(terms).sum() + m * 2.0**-24 * (dtype == "f16")
        total = w.sum()
        y = put(rng, "out0", OUT, dtype, [terms.sum() / (total if mean else 1)])
        y.slack = 2 * slack / (total if mean else 1) + (abs(terms.sum() / total) * (2 * m + 8) * u if mean else 0)
        t = put(rng, "total", OUT, dtype, [total])
        t.slack = 0 if weight is None else 2 * m * u * total
        tensors = [put(rng, "x", IN, dtype, x), put(rng, "target", IN, "i64", target), y, t]
        if weight is not None:
            tensors.append(put(rng, "weight", IN, dtype, weight))
        yield Case("nll", tensors, {"mean": mean, "ignore": ignore})


def searches(rng):
    for dtype in ("f32", "bf16", "f64", "i32", "i64", "u8"):
        rows, n, m = [int(x) for x in (rng.choice([1, 3]), rng.choice([1, 2, 40]), rng.choice([1, 50]))]
        table = np.sort(np.floor(formats.random(rng, [rows, n], dtype)), -1)
        x = np.floor(formats.random(rng, [rows, m], dtype))
        x[0, 0] = table[0, -1]
        right = int(rng.random() < 0.5)
        y = np.stack([np.searchsorted(t, v, "right" if right else "left") for t, v in zip(table, x)])
        tensors = [put(rng, "x", IN, dtype, x), put(rng, "out0", OUT, "i64", y)]
        if rng.random() < 0.5:
            order = np.stack([rng.permutation(n) for _ in range(rows)])
            shuffled = np.zeros_like(table)
            np.put_along_axis(shuffled, order, table, -1)
            tensors += [put(rng, "table", IN, dtype, shuffled), put(rng, "order", IN, "i64", order)]
        else:
            tensors.append(put(rng, "table", IN, dtype, table))
        yield Case("search", tensors, {"right": right})


main(radix, selections, topk_steps, places, scans, orders, bags, lists, losses, searches)
