# SPDX-License-Identifier: Apache-2.0
"""Element types (spec/dtypes.def) in NumPy: values to bits, rounded once, and back. Written from the formats' definitions; nothing is shared with replay/.

A float format has p significand bits (the hidden one included), exponents down to emin (of the smallest normal number) and a largest number.
"""
import numpy as np

FLOATS = {  # p, emin, largest
    "f64": (53, -1022, np.finfo(np.float64).max),
    "f32": (24, -126, float(np.finfo(np.float32).max)),
    "f16": (11, -14, 65504.0),
    "bf16": (8, -126, 255 * 2.0**120),
    "e4m3": (4, -6, 448.0),
    "e5m2": (3, -14, 57344.0),
}
INTS = {"i8": np.int8, "u8": np.uint8, "i16": np.int16, "u16": np.uint16, "i32": np.int32, "u32": np.uint32, "i64": np.int64, "u64": np.uint64}
COMPLEX = {"c64": "f32", "c128": "f64"}
RAW = {"f64": np.uint64, "f32": np.uint32, "f16": np.uint16, "bf16": np.uint16, "e4m3": np.uint8, "e5m2": np.uint8}


def size(dtype):
    if dtype in COMPLEX:
        return 2 * size(COMPLEX[dtype])
    return np.dtype(RAW[dtype] if dtype in RAW else INTS[dtype]).itemsize


def unit(dtype):
    """Unit roundoff; 0 for integers."""
    return 2.0 ** -FLOATS[dtype][0] if dtype in FLOATS else 0.0


def quantum(x, dtype):
    """Spacing of the numbers of a float format around x."""
    p, emin, _ = FLOATS[dtype]
    _, e = np.frexp(np.where(np.isfinite(x), x, 1.0))
    return np.ldexp(1.0, np.maximum(e - 1, emin) - p + 1)


def rounded(x, dtype, saturate=False):
    """x to the nearest number of the format, ties to even; beyond the largest an infinity (e4m3: NaN), or with saturate the largest."""
    x = np.asarray(x, dtype=np.float64)
    if dtype == "f64":
        return x
    _, _, largest = FLOATS[dtype]
    with np.errstate(over="ignore", invalid="ignore"):
        q = quantum(x, dtype)
        r = np.where(np.isfinite(x), np.rint(x / q) * q, x)
        beyond = np.abs(r) > largest
        if saturate:
            return np.where(beyond, np.copysign(largest, r), r)
        return np.where(beyond, np.nan if dtype == "e4m3" else np.copysign(np.inf, r), r)


def _decode8(dtype):
    bits = 4 if dtype == "e4m3" else 5
    man = 7 - bits
    codes = np.arange(256)
    e, m = (codes >> man) & ((1 << bits) - 1), codes & ((1 << man) - 1)
    bias = (1 << (bits - 1)) - 1
    v = np.where(e == 0, np.ldexp(m.astype(float), 1 - bias - man), np.ldexp(1 + m / (1 << man), e - bias))
    if dtype == "e4m3":
        v = np.where((codes & 127) == 127, np.nan, v)
    else:
        v = np.where(e == 31, np.where(m == 0, np.inf, np.nan), v)
    return np.where(codes & 128, -v, v)


TABLES = {t: _decode8(t) for t in ("e4m3", "e5m2")}


def _encode8(x, dtype):
    table = TABLES[dtype][:128]
    ordered = np.nan_to_num(table, nan=1e9, posinf=1e8)
    size_of = np.nan_to_num(np.abs(x), nan=1e9, posinf=1e8)
    return (np.searchsorted(ordered, size_of).clip(0, 127) | np.where(np.signbit(x), 128, 0)).astype(np.uint8)


def encode(x, dtype, saturate=False):
    """Values to an array of raw elements: the floats' bits, or integers (wrapped). Complex ones get a last dim of two."""
    if dtype in COMPLEX:
        x = np.asarray(x, dtype=np.complex128)
        return np.stack([encode(x.real, COMPLEX[dtype]), encode(x.imag, COMPLEX[dtype])], axis=-1)
    if dtype in INTS:
        x = np.asarray(x)
        return (x.astype(np.int64) if x.dtype.kind == "f" else x).astype(INTS[dtype])
    with np.errstate(over="ignore", invalid="ignore"):
        r = rounded(x, dtype, saturate)
        if dtype == "f64":
            return r.view(np.uint64) if r.ndim else np.asarray(r).reshape(1).view(np.uint64).reshape(())
        if dtype in ("e4m3", "e5m2"):
            return _encode8(r, dtype)
        if dtype == "f16":
            return np.asarray(r.astype(np.float16)).view(np.uint16)
        bits = np.asarray(r.astype(np.float32)).view(np.uint32)
        return bits if dtype == "f32" else (bits >> np.uint32(16)).astype(np.uint16)


def decode(raw, dtype):
    """Raw elements to float64 (complex128), or the integers themselves."""
    if dtype in COMPLEX:
        parts = decode(raw, COMPLEX[dtype])
        return parts[..., 0] + 1j * parts[..., 1]
    if dtype in INTS:
        return raw
    if dtype in TABLES:
        return TABLES[dtype][raw]
    if dtype == "bf16":
        return (raw.astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64)
    return raw.view({"f64": np.float64, "f32": np.float32, "f16": np.float16}[dtype]).astype(np.float64)


def random(rng, shape, dtype, scale=1.0):
    """Numbers that the type holds exactly, as decode gives them."""
    if dtype in INTS:
        info = np.iinfo(INTS[dtype])
        return rng.integers(max(info.min, -100), min(info.max, 100), shape, dtype=np.int64, endpoint=True).astype(INTS[dtype])
    x = rng.standard_normal(shape) * scale
    if dtype in COMPLEX:
        x = x + 1j * rng.standard_normal(shape) * scale
        part = COMPLEX[dtype]
        return rounded(x.real, part) + 1j * rounded(x.imag, part)
    return rounded(x, dtype, saturate=True)
