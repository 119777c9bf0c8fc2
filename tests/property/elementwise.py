#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Op elementwise against NumPy and SciPy: every function and operator of its expressions, casts with their roundings, fills, copies, transposes."""
import need
import numpy as np
from scipy import special

import formats
from cases import IN, OUT, Case, main, put

FLOAT_TYPES = ("f64", "f32", "f16", "bf16")


def shape(rng, most=3):
    pool = [1, 1, 2, 3, 5, 7, 8, 13, 17, 31, 64]
    return [int(rng.choice(pool)) for _ in range(rng.integers(1, most + 1))]


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


# name: NumPy's own, and how to make arguments (from a standard normal distribution)
UNARY = {
    "neg": (np.negative, None), "abs": (np.abs, None), "sign": (np.sign, None), "exp": (np.exp, None), "exp2": (np.exp2, None),
    "expm1": (np.expm1, None), "log": (np.log, np.abs), "log2": (np.log2, np.abs), "log10": (np.log10, np.abs),
    "log1p": (np.log1p, np.abs), "sqrt": (np.sqrt, np.abs), "rsqrt": (lambda x: 1 / np.sqrt(x), np.abs), "sin": (np.sin, None),
    "cos": (np.cos, None), "tan": (np.tan, None), "sinh": (np.sinh, None), "cosh": (np.cosh, None), "tanh": (np.tanh, None),
    "asin": (np.arcsin, lambda x: np.clip(x / 3, -1, 1)), "acos": (np.arccos, lambda x: np.clip(x / 3, -1, 1)), "atan": (np.arctan, None),
    "erf": (special.erf, None), "erfc": (special.erfc, lambda x: np.clip(x, -9, 1)), "sigmoid": (special.expit, None), "silu": (lambda x: x * special.expit(x), None),
    "gelu": (lambda x: x * special.ndtr(x), None), "gelu_tanh": (gelu_tanh, None), "gelu_quick": (lambda x: x * special.expit(1.702 * x), None),
    "relu": (lambda x: np.maximum(x, 0), None), "softplus": (lambda x: np.logaddexp(0, x), None), "floor": (np.floor, lambda x: 3 * x),
    "ceil": (np.ceil, lambda x: 3 * x), "trunc": (np.trunc, lambda x: 3 * x), "rint": (np.rint, lambda x: 3 * x),
    "round": (np.rint, lambda x: 3 * x),
}

BINARY = {
    "in0 + in1": np.add, "in0 - in1": np.subtract, "in0 * in1": np.multiply, "in0 / in1": np.divide, "min(in0, in1)": np.minimum,
    "max(in0, in1)": np.maximum, "fmod(in0, in1)": np.fmod, "pow(abs(in0), in1)": lambda a, b: np.abs(a) ** b,
}


def fused(a, b, c):
    """a b + c, rounded once (but for halves): Dekker's product and Knuth's sum."""
    def halves(x):
        t = x * 134217729.0
        high = t - (t - x)
        return high, x - high
    p, (a1, a0), (b1, b0) = a * b, halves(a), halves(b)
    e = a0 * b0 - (((p - a1 * b1) - a0 * b1) - a1 * b0)
    s = p + c
    z = s - p
    return s + ((p - (s - z)) + (c - z) + e)


def cost(y, dtype, compute):
    """What a kernel that computes in `compute` may be off by at most, generously: for the elements that are made wrong."""
    u = formats.unit(compute)
    return 128 * u * (np.abs(y) + 1) + 2.0**-100


def finite(y, dtype):
    return np.isfinite(y) & (np.abs(y) < formats.FLOATS[dtype][2] / 4)


def unary(rng):
    for name, (f, domain) in UNARY.items():
        for dtype in FLOAT_TYPES:
            x = rng.standard_normal(shape(rng)) * 2
            x = formats.rounded(domain(x) if domain else x, dtype)
            y = f(x)
            out = dtype if rng.random() < 0.6 else str(rng.choice(FLOAT_TYPES))
            if dtype == "f64" and out != "f64":
                out = "f64"
            y = np.where(finite(y, out), y, 0)
            if not np.all(finite(f(x), out)):
                x = np.where(finite(f(x), out), x, formats.rounded(np.ones_like(x), dtype))
                y = f(x)
            t = put(rng, "out0", OUT, out, y)
            t.slack = cost(y, out, "f64" if dtype == "f64" else "f32")
            if name == "round":
                t.fixed = np.abs(x - np.trunc(x)) == 0.5    # either way
            yield Case("elementwise", [put(rng, "in0", IN, dtype, x), t], {"expr": f"{name}(in0)"}, near=1e-15)


def special_values(rng):
    """NaN, infinities, zeros of both signs, subnormals through functions and casts."""
    for name in ("exp", "relu", "abs", "floor", "tanh", "sigmoid", "sqrt", "neg", "log", "atan", "erf", "gelu", "silu"):
        f = UNARY[name][0]
        x = np.array([np.nan, np.inf, 0.0, -0.0, 1.0, 2.0**-149, -np.inf])
        if name in ("silu", "gelu"):    # x times 0: NaN or 0, by how it is computed
            x = x[:-1]
        y = f(x)
        t = put(rng, "out0", OUT, "f32", np.where(np.isnan(x), np.nan, y))
        t.slack = np.full(x.shape, 1e-4)
        t.fixed = ~np.isfinite(y)
        yield Case("elementwise", [put(rng, "in0", IN, "f32", x), t], {"expr": f"{name}(in0)"}, near=1e-15)


def binary(rng):
    for expr, f in BINARY.items():
        for dtype in FLOAT_TYPES:
            dims = shape(rng)
            a = formats.random(rng, dims, dtype, 2)
            b = formats.random(rng, dims, dtype, 1)
            b = np.where(b == 0, 1.0, b)
            kinds = ("dense", "padded", "permuted", "stepped", "reversed", "broadcast")
            ta, tb = put(rng, "in0", IN, dtype, a, kinds), put(rng, "in1", IN, dtype, b, kinds)
            y = f(ta.values(ta.before), tb.values(tb.before))
            if not np.all(finite(y, dtype)):
                continue
            t = put(rng, "out0", OUT, dtype, y)
            t.slack = cost(y, dtype, "f64" if dtype == "f64" else "f32")
            yield Case("elementwise", [ta, tb, t], {"expr": expr})


def ternary(rng):
    exprs = {
        "fma(in0, in1, in2)": fused, "in0 + alpha * in1 * in2": lambda a, b, c: a + 0.25 * b * c,
        "where(in0 > in1, in1, in2)": lambda a, b, c: np.where(a > b, b, c), "clamp(in0, min(in1, in2), max(in1, in2))":
        lambda a, b, c: np.clip(a, np.minimum(b, c), np.maximum(b, c)), "in0 + in2 * (in1 - in0)": lambda a, b, c: a + c * (b - a),
        "silu(in0) * in1 + in2": lambda a, b, c: a * special.expit(a) * b + c, "in0 / (1 + abs(in1)) - in2": lambda a, b, c: a / (1 + np.abs(b)) - c,
    }
    for expr, f in exprs.items():
        for dtype in FLOAT_TYPES:
            dims = shape(rng)
            x = [formats.random(rng, dims, dtype) for _ in range(3)]
            y = f(*x)
            t = put(rng, "out0", OUT, dtype, y)
            t.slack = cost(np.abs(x[0]) + np.abs(x[1]) * np.abs(x[2]) + np.abs(y) + np.abs(x[2]), dtype, "f64" if dtype == "f64" else "f32")
            yield Case("elementwise", [put(rng, f"in{i}", IN, dtype, v) for i, v in enumerate(x)] + [t], {"expr": expr, "alpha": 0.25}, near=1e-14)


def several_outputs(rng):
    for dtype in ("f32", "bf16"):
        dims = shape(rng)
        a, b = formats.random(rng, dims, dtype), formats.random(rng, dims, dtype)
        outs = [put(rng, "out0", OUT, dtype, a + b), put(rng, "out1", OUT, "f32", (a + b) * a), put(rng, "out2", OUT, "u8", (a < b).astype(np.uint8))]
        outs[0].slack, outs[1].slack = cost(a + b, dtype, "f32"), cost(np.abs(a * a) + np.abs(a * b), dtype, "f32")
        yield Case("elementwise", [put(rng, "in0", IN, dtype, a), put(rng, "in1", IN, dtype, b)] + outs,
                   {"expr": "t = in0 + in1; out0 = t; out1 = t * in0; out2 = in0 < in1"})


def wrapped(y, dtype):
    return y.astype(np.int64).astype(formats.INTS[dtype]) if y.dtype != np.bool_ else y.astype(formats.INTS[dtype])


def integers(rng):
    exprs = {
        "in0 + in1": np.add, "in0 - in1": np.subtract, "in0 * in1": np.multiply, "min(in0, in1)": np.minimum, "max(in0, in1)": np.maximum,
        "in0 & in1": np.bitwise_and, "in0 | in1": np.bitwise_or, "in0 ^ in1": np.bitwise_xor, "~in0": lambda a, b: ~a, "in0 < in1": np.less,
        "in0 <= in1": np.less_equal, "in0 > in1": np.greater, "in0 == in1": np.equal, "in0 != in1": np.not_equal, "!in0": lambda a, b: a == 0,
        "in0 && in1": np.logical_and, "in0 || in1": np.logical_or, "-in0": lambda a, b: (0 - a), "in0 << (in1 & 3)": lambda a, b: a << (b & 3),
        "in0 >> (in1 & 3)": lambda a, b: a >> (b & 3), "abs(in0)": lambda a, b: np.abs(a),
    }
    for expr, f in exprs.items():
        for dtype in formats.INTS:
            info = np.iinfo(formats.INTS[dtype])
            dims = shape(rng)
            whole = rng.random() < 0.5
            a, b = (rng.integers(info.min if whole else max(info.min, -9), info.max if whole else 9, dims, dtype=formats.INTS[dtype], endpoint=True)
                    for _ in range(2))
            y = f(a, b)
            out = dtype if y.dtype != np.bool_ else "u8"
            yield Case("elementwise", [put(rng, "in0", IN, dtype, a), put(rng, "in1", IN, dtype, b), put(rng, "out0", OUT, out, y.astype(formats.INTS[out]))],
                       {"expr": expr})


def divisions(rng):
    for dtype in ("i8", "u8", "i16", "i32", "u32", "i64", "u64"):
        t = formats.INTS[dtype]
        info = np.iinfo(t)
        dims = shape(rng)
        a, b = rng.integers(info.min, info.max, dims, dtype=t, endpoint=True), rng.integers(1, 50, dims).astype(t)
        q = a // b
        q = q + ((a < 0) & (q * b != a)).astype(t)  # truncated
        for expr, y in (("in0 / in1", q), ("in0 % in1", a - q * b)):
            yield Case("elementwise", [put(rng, "in0", IN, dtype, a), put(rng, "in1", IN, dtype, b), put(rng, "out0", OUT, dtype, y.astype(t))], {"expr": expr})


def casts(rng):
    """From every type to every type, where the result is defined; the expression is in0 itself, or a rounding by name."""
    for src in list(formats.FLOATS) + list(formats.INTS):
        for dst in list(formats.FLOATS) + list(formats.INTS):
            dims = shape(rng)
            x = formats.random(rng, dims, src, 4)
            if src in formats.FLOATS and dst in formats.INTS:
                x = formats.rounded(np.abs(x) if dst[0] == "u" else x, src)
                y = np.trunc(x)
            elif dst in formats.INTS:
                y = x.astype(np.int64).astype(formats.INTS[dst])
            else:
                y = x.astype(np.float64)
            yield Case("elementwise", [put(rng, "in0", IN, src, x), put(rng, "out0", OUT, dst, y)], {"expr": "in0"}, near=0)


def large_integers(rng):
    """64 bits to floats: rounded once, signed or not."""
    for src in ("i64", "u64"):
        info = np.iinfo(formats.INTS[src])
        for dst in ("f64", "f32", "bf16"):
            x = rng.integers(info.min, info.max, shape(rng), dtype=formats.INTS[src], endpoint=True)
            if dst == "bf16":   # more than halfway between two by what float drops: rounded twice, and down
                x.reshape(-1)[0] = (int(rng.integers(64, 127)) * 4 + 1 << 50) + 1024
            y = x.astype({"f64": np.float64}.get(dst, np.float32))
            if dst == "bf16":
                y = y.astype(np.float64)
            yield Case("elementwise", [put(rng, "in0", IN, src, x), put(rng, "out0", OUT, dst, y)], {"expr": "in0"}, near=2.0**12)


def rounding_casts(rng):
    """Named roundings: ties, saturation, subnormals."""
    for dst in ("e4m3", "e5m2", "f16", "bf16"):
        p, emin, largest = formats.FLOATS[dst]
        grid = formats.rounded(rng.standard_normal(40) * 2.0 ** rng.integers(emin - p, 8, 40), dst)
        half = grid + formats.quantum(grid, dst) / 2 * rng.choice([-1, 1], 40)          # ties
        edge = np.array([largest, largest * 1.01, -largest, 2.0 ** (emin - p + 1), 2.0 ** (emin - p), 3 * 2.0 ** (emin - p - 1)])
        x = np.concatenate([grid, half, edge])
        if dst in ("f16", "bf16"):
            x = x[np.abs(x) <= largest]
        x = formats.rounded(x, "f32")
        y = formats.rounded(x, dst, saturate=dst in ("e4m3", "e5m2"))
        yield Case("elementwise", [put(rng, "in0", IN, "f32", x), put(rng, "out0", OUT, dst, y)], {"expr": f"{dst}(in0)"}, near=0)
        yield Case("elementwise", [put(rng, "in0", IN, "f32", x), put(rng, "out0", OUT, "f32", y)], {"expr": f"{dst}(in0)"}, near=0)
        z = formats.rounded(x, dst)                                                       # a plain store does not saturate
        t = put(rng, "out0", OUT, dst, z)
        yield Case("elementwise", [put(rng, "in0", IN, "f32", x), t], {"expr": "in0"}, near=0)
    for dst in ("i8", "u8", "i16", "i32"):
        info = np.iinfo(formats.INTS[dst])
        x = formats.rounded(rng.uniform(max(info.min, -1e6), min(info.max, 1e6), 50), "f32")
        yield Case("elementwise", [put(rng, "in0", IN, "f32", x), put(rng, "out0", OUT, dst, np.trunc(x))], {"expr": f"{dst}(in0)"}, near=0)


def fills(rng):
    for dtype in list(formats.FLOATS) + list(formats.INTS):
        dims = shape(rng)
        value = float(formats.random(rng, [1], dtype)[0])
        yield Case("elementwise", [put(rng, "out0", OUT, dtype, np.full(dims, value))], {"expr": "value", "value": int(value) if dtype in formats.INTS else value},
                   near=abs(value) * 2.0**-24)
    for dtype in ("f32", "f64", "i32", "i64"):
        n = int(rng.integers(1, 200))
        y = np.arange(n) * 3 + 5
        yield Case("elementwise", [put(rng, "out0", OUT, dtype, y if dtype[0] == "i" else y.astype(float))], {"expr": "start + i0 * step", "start": 5, "step": 3})
    a = formats.random(rng, [6, 11], "f32")
    i, j = np.indices(a.shape)
    yield Case("elementwise", [put(rng, "in0", IN, "f32", a), put(rng, "out0", OUT, "f32", np.where(j <= i, a, 0))], {"expr": "where(i1 <= i0, in0, 0)"})


def steps_of_doubles(rng):
    """floor and others of f64 arithmetic that rounds correctly: at integers, too, there is one right result."""
    exprs = {"floor(in0 / in1)": lambda a, b: np.floor(a / b), "trunc(in0 * in1)": lambda a, b: np.trunc(a * b), "ceil(in0 + in1)": lambda a, b: np.ceil(a + b),
             "floor(sqrt(in0 * in0))": lambda a, b: np.floor(np.sqrt(a * a))}
    for expr, f in exprs.items():
        a, b = rng.integers(-99, 99, 60).astype(float), rng.integers(1, 9, 60) * 0.25
        t = put(rng, "out0", OUT, "f64", f(a, b))
        t.slack = 0.9           # the next integer is wrong
        yield Case("elementwise", [put(rng, "in0", IN, "f64", a), put(rng, "in1", IN, "f64", b), t], {"expr": expr}, near=0, margin=0)


def indexed(rng):
    """Gathers: rows of an embedding, indices of any integer type, negative ones added up."""
    for dtype in ("f32", "bf16", "f16", "i64", "u8", "f64"):
        for index in ("i32", "i64"):
            v, d, n = int(rng.integers(2, 50)), int(rng.integers(1, 20)), int(rng.integers(1, 30))
            table = formats.random(rng, [v, d], dtype)
            at = rng.integers(-v, v, n)
            yield Case("elementwise", [put(rng, "table", IN, dtype, table), put(rng, "index", IN, index, at), put(rng, "out0", OUT, dtype, table[at])],
                       {"expr": "row = index[i0]; out0 = table[row < 0 ? row + rows : row, i1]", "rows": v}, near=0)


def chained(rng):
    """Functions of inexact operands: errors that are carried on, on both sides of poles and steps."""
    exprs = {
        "exp(in0 * in1)": lambda a, b: np.exp(a * b), "sqrt(in0 * in0 + in1 * in1)": np.hypot, "tanh(in0 + in1) * in0": lambda a, b: np.tanh(a + b) * a,
        "log(exp(in0) + exp(in1))": np.logaddexp, "1 / (1 + exp(-(in0 * in1)))": lambda a, b: special.expit(a * b),
        "gelu(in0 * in1)": lambda a, b: a * b * special.ndtr(a * b), "sin(in0) * cos(in1)": lambda a, b: np.sin(a) * np.cos(b),
        "pow(abs(in0) + 1, in1 * 0.5)": lambda a, b: (np.abs(a) + 1) ** (b * 0.5), "max(in0 * in1, 0)": lambda a, b: np.maximum(a * b, 0),
    }
    for expr, f in exprs.items():
        for dtype in FLOAT_TYPES:
            dims = shape(rng)
            a, b = formats.random(rng, dims, dtype), formats.random(rng, dims, dtype)
            y = f(a, b)
            t = put(rng, "out0", OUT, dtype, y)
            t.slack = cost(np.abs(y) * 4 + np.abs(a) + np.abs(b) + np.abs(a * b), dtype, "f64" if dtype == "f64" else "f32")
            yield Case("elementwise", [put(rng, "in0", IN, dtype, a), put(rng, "in1", IN, dtype, b), t], {"expr": expr}, near=1e-13)


def float64_references(rng):
    """f32 arithmetic whose exact results are stored as f64: the reference itself is seen."""
    for name, (f, domain) in UNARY.items():
        x = rng.standard_normal(shape(rng)) * 2
        x = formats.rounded(domain(x) if domain else x, "f32")
        y = f(x)
        if not np.all(np.isfinite(y)):
            continue
        t = put(rng, "out0", OUT, "f64", y)
        t.slack = cost(y, "f64", "f32")
        exact = name in ("neg", "abs", "sign", "relu", "floor", "ceil", "trunc", "rint", "round")
        yield Case("elementwise", [put(rng, "in0", IN, "f32", x), t], {"expr": f"{name}(in0)", "compute": "f32"}, near=0 if exact else 1e-14, margin=0 if exact else 1e-6)


main(unary, special_values, binary, ternary, several_outputs, integers, divisions, casts, large_integers, rounding_casts, fills, steps_of_doubles, indexed, chained, float64_references)
