#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What slides over images, against NumPy: op pool, and transposed convolutions of op conv."""
import need
import numpy as np

import formats
from cases import IN, INOUT, OUT, Case, main, put


def windows(x, window, pad, stride, dilation, fill):
    """x [n, c, i...] as [n, c, o..., r...]: what each window sees, `fill` in the padding."""
    x = np.pad(x, [(0, 0), (0, 0)] + [(p, p) for p in pad], constant_values=fill)
    out = [(n - dl * (r - 1) - 1) // s + 1 for n, r, s, dl in zip(x.shape[2:], window, stride, dilation)]
    seen = np.zeros(list(x.shape[:2]) + out + list(window), x.dtype)
    for r in np.ndindex(*window):
        at = tuple(slice(i * dl, i * dl + (o - 1) * s + 1, s) for i, dl, o, s in zip(r, dilation, out, stride))
        seen[(slice(None), slice(None)) + (slice(None),) * len(out) + r] = x[(slice(None), slice(None)) + at]
    return seen


def pools(rng):
    for kind in ("max", "avg", "avg_padded"):
        for dtype in ("f32", "bf16", "f16", "f64") * 2:
            d = int(rng.integers(1, 4))
            window = [int(rng.integers(1, 4)) for _ in range(d)]
            pad, stride = [int(rng.integers(0, w // 2 + 1)) for w in window], [int(rng.integers(1, 3)) for _ in range(d)]
            dilation = [int(rng.integers(1, 3)) if kind == "max" and not p else 1 for p in pad]
            x = formats.random(rng, [int(rng.integers(1, 3)) for _ in range(2)] + [int(rng.integers(5, 9)) for _ in range(d)], dtype)
            axes = tuple(range(2 + d, 2 + 2 * d))
            inside = np.isfinite(windows(x, window, pad, stride, dilation, np.nan))
            seen = windows(x, window, pad, stride, dilation, np.nan)
            attrs = {name: ",".join(map(str, v)) for name, v in (("window", window), ("pad", pad), ("stride", stride), ("dilation", dilation))} | {"kind": kind}
            outs = []
            if kind == "max":
                y = np.nanmax(seen, axis=axes)
                place = windows(np.arange(np.prod(x.shape[2:])).reshape([1, 1] + list(x.shape[2:])) + np.zeros(x.shape), window, pad, stride, dilation, -1)
                best = np.argmax(np.where(inside, seen, -np.inf).reshape(list(y.shape) + [-1]), axis=-1)
                if dtype != "f16" and rng.random() < 0.7:
                    index = np.take_along_axis(place.reshape(list(y.shape) + [-1]), best[..., None], -1)[..., 0]
                    it = put(rng, "index", OUT, "i64", index.astype(np.int64))
                    least = np.argmin(np.where(inside, seen, np.inf).reshape(list(y.shape) + [-1]), axis=-1)
                    it.other = np.take_along_axis(place.reshape(list(y.shape) + [-1]), least[..., None], -1)[..., 0].astype(np.int64)
                    it.fixed = np.nanmin(seen, axis=axes) == y
                    outs.append(it)
            else:
                divisor = inside.sum(axis=axes) if kind == "avg" else np.prod(window)
                if kind == "avg_padded" and rng.random() < 0.3:
                    attrs["divisor"] = divisor = 5
                y = np.nansum(seen, axis=axes) / divisor
            if kind == "max" or rng.random() < 0.5:
                t = put(rng, "y", OUT, dtype, y)
            else:
                before = formats.random(rng, list(y.shape), dtype)
                attrs |= {"alpha": 0.5, "beta": 2.0}
                y = 0.5 * y + 2.0 * before
                t = put(rng, "y", INOUT, dtype, y, before=before)
            if kind != "max":
                t.slack = 200 * formats.unit("f64" if dtype == "f64" else "f32") * (np.abs(y) + 10)
            yield Case("pool", [put(rng, "x", IN, dtype, x), t] + outs, attrs, near=1e-14)


def spread(x, w, pad, stride, dilation, groups):
    """Transposed convolution by its definition: every input adds its window to the output. w [C, K / groups, r...]."""
    d = x.ndim - 2
    full = [(n - 1) * s + dl * (r - 1) + 1 for n, s, dl, r in zip(x.shape[2:], stride, dilation, w.shape[2:])]
    per_c, per_k = x.shape[1] // groups, w.shape[1]
    y = np.zeros([x.shape[0], per_k * groups] + full)
    for r in np.ndindex(*w.shape[2:]):
        at = tuple(slice(i * dl, i * dl + (n - 1) * s + 1, s) for i, dl, n, s in zip(r, dilation, x.shape[2:], stride))
        for g in range(groups):
            c, k = slice(g * per_c, (g + 1) * per_c), slice(g * per_k, (g + 1) * per_k)
            y[(slice(None), k) + at] += np.einsum("nc...,ck->nk...", x[:, c], w[(c, slice(None)) + r])
    return y[(slice(None), slice(None)) + tuple(slice(p, n - p) for p, n in zip(pad, full))]


def transposed_convolutions(rng):
    for dtype in ("f32", "bf16", "f64") * 2:
        d, groups = int(rng.integers(1, 3)), int(rng.choice([1, 2]))
        c, k = groups * int(rng.integers(1, 4)), groups * int(rng.integers(1, 4))
        window, stride, dilation = [int(rng.integers(1, 4)) for _ in range(d)], [int(rng.integers(1, 3)) for _ in range(d)], [int(rng.integers(1, 3)) for _ in range(d)]
        pad = [int(rng.integers(0, 2)) if dl * (r - 1) >= 1 else 0 for dl, r in zip(dilation, window)]
        x = formats.random(rng, [2, c] + [int(rng.integers(4, 8)) for _ in range(d)], dtype)
        w = formats.random(rng, [c, k // groups] + window, dtype)
        args = pad, stride, dilation, groups
        y, size = spread(x, w, *args), spread(np.abs(x), np.abs(w), *args)
        t = put(rng, "y", OUT, dtype, y)
        t.slack = size * 64 * (c * np.prod(window) + 64) * (2.0**-53 if dtype == "f64" else 2.0**-24)
        attrs = {name: ",".join(map(str, v)) for name, v in (("pad", pad), ("stride", stride), ("dilation", dilation))} | {"groups": groups, "transposed": 1}
        yield Case("conv", [put(rng, "x", IN, dtype, x), put(rng, "w", IN, dtype, w), t], attrs | {"compute": "f64" if dtype == "f64" else "f32"}, near=1e-12)


main(pools, transposed_convolutions, rounds=3)
