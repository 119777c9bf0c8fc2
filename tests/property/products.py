#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ops gemm, matmul and conv against NumPy and SciPy, with the screen and without it."""
import need
import numpy as np
from scipy import signal, special

import formats
from cases import IN, INOUT, OUT, Case, main, put, spoiled
from write_trace import BLACKWELL

SIZES = [1, 1, 2, 3, 5, 7, 16, 17, 31, 48]
LAYOUTS = ("dense", "padded", "permuted")
UNIT = {"f64": 2.0**-53, "c128": 2.0**-53}


def sizes(rng):
    return (int(rng.choice(SIZES)) for _ in range(3))


def magnitude(a, b):
    return (np.abs(np.real(a)) + np.abs(np.imag(a))) @ (np.abs(np.real(b)) + np.abs(np.imag(b)))


def loosest(dtype, out, k, device):
    """What a product's bound may be, relative to sum |a b|: generously, after the accumulator."""
    if dtype in ("f64", "c128", "i8"):
        return 16 * (k + 16) * 2.0**-53
    if dtype in ("e4m3", "e5m2"):
        return 6 * (k + 64) / 16 * 17 * 2.0**-12 + 2.0**-9
    if dtype in ("f16", "bf16"):
        return 16 * (k + 64) * 2.0**-24 + 4 * formats.unit(out) if device else 16 * (k + 16) * 2.0**-23
    return 16 * (k + 16) * 2.0**-24


def scalar(rng, dtype, choices=(0.0, 1.0, -0.5, 2.0)):
    v = float(rng.choice(choices))
    return complex(v, float(rng.choice(choices))) if dtype in formats.COMPLEX else v


def attribute(v):
    return [v.real, v.imag] if isinstance(v, complex) else v


def gemms(rng):
    types = [("f32", "f32", -1), ("f64", "f64", -1), ("c64", "c64", -1), ("c128", "c128", -1), ("f32", "f32", 0), ("f64", "f64", 0), ("f16", "f16", 0),
             ("bf16", "bf16", 0), ("bf16", "f32", 0), ("f16", "f32", 0), ("i8", "i32", 0), ("c64", "c64", 0), ("bf16", "bf16", -1)]
    for dtype, out, device in types * 3:
        m, n, k = sizes(rng)
        batch = [] if rng.random() < 0.6 else [int(rng.integers(1, 4))]
        a, b = formats.random(rng, batch + [m, k], dtype), formats.random(rng, batch + [k, n], dtype)
        alpha, beta = (1, int(rng.choice([0, 1]))) if dtype == "i8" else (scalar(rng, dtype, (1.0, -0.5, 2.0)), scalar(rng, dtype))
        c0 = formats.random(rng, batch + [m, n], out)
        attrs = {"alpha": attribute(alpha), "beta": attribute(beta), "conja": 0, "conjb": 0}
        x, y = a, b
        if dtype in formats.COMPLEX:
            attrs["conja"], attrs["conjb"] = int(rng.integers(2)), int(rng.integers(2))
            x, y = (np.conj(a) if attrs["conja"] else a), (np.conj(b) if attrs["conjb"] else b)
        if dtype == "i8":
            x, y, c0 = x.astype(np.int64), y.astype(np.int64), c0.astype(np.int64)
        if dtype == "f16" and out == "f16":
            attrs["compute"] = "f32"
        c = alpha * (x @ y) + (beta * c0 if beta != 0 else 0)
        t = put(rng, "C", INOUT, out, c, LAYOUTS, before=c0)
        size = magnitude(x, y)
        t.slack = 0 if dtype == "i8" else abs(alpha) * loosest(dtype, out, k, device >= 0) * size * 2 + np.abs(c) * 16 * UNIT.get(dtype, 2.0**-24) + np.abs(beta * c0) * (k + 8) * 2**-22 + 1e-30
        if dtype in ("f64", "c128"):
            t.slack = (np.abs(c) + abs(alpha) * size + np.abs(beta * c0)) * 8 * (k + 16) * 2.0**-53
        yield Case("gemm", [put(rng, "A", IN, dtype, a, LAYOUTS), put(rng, "B", IN, dtype, b, LAYOUTS), t], attrs, lib="cublas" if device >= 0 else "cblas",
                   name="cublas" if device >= 0 else "cblas", device=device, near=0 if dtype == "i8" else float(np.max(size)) * abs(alpha) * k * 2.0**-50)


def without_product(rng):
    """k or alpha 0: C is scaled, or zero."""
    for dtype in ("f32", "f64", "bf16", "c64"):
        for beta in (0.0, 1.0, -2.0):
            m, n, _ = sizes(rng)
            c0 = formats.random(rng, [m, n], dtype)
            t = put(rng, "C", INOUT, dtype, beta * c0, LAYOUTS, before=c0)
            t.slack = np.abs(c0) * 2.0**-18
            yield Case("gemm", [t], {"alpha": 0.0, "beta": attribute(complex(beta)) if dtype == "c64" else beta}, lib="cublas", name="cublas")


def pointers(rng):
    """Batches by arrays of pointers: items follow one another in the bytes."""
    for dtype in ("f32", "f64", "bf16"):
        m, n, k = sizes(rng)
        batch = int(rng.integers(1, 5))
        a, b = formats.random(rng, [batch, m, k], dtype), formats.random(rng, [batch, k, n], dtype)
        tensors = [put(rng, "A", IN, dtype, a, ("dense",)), put(rng, "B", IN, dtype, b, ("dense",)), put(rng, "C", OUT, dtype, a @ b, ("dense",))]
        for t in tensors:
            t.pointers = batch
        tensors[2].slack = magnitude(a, b) * loosest(dtype, dtype, k, True) * 2
        yield Case("gemm", tensors, {"alpha": 1.0, "beta": 0.0}, lib="cublas", name="cublas", near=1e-12)


def triangles(rng):
    """syrk and herk: one triangle; the other one keeps what it had."""
    for dtype in ("f32", "f64", "c64", "c128"):
        for lower in (False, True):
            hermitian = dtype in formats.COMPLEX and rng.random() < 0.5
            n, k, _ = sizes(rng)
            a = formats.random(rng, [n, k], dtype)
            c0 = formats.random(rng, [n, n], dtype)
            other = np.conj(a.T) if hermitian else a.T
            if hermitian:
                c0 = c0 - 1j * np.diag(np.imag(np.diag(c0)))
            full = 2.0 * (a @ other) + 0.5 * c0
            inside = np.tri(n, dtype=bool) if lower else np.tri(n, dtype=bool).T
            c = np.where(inside, full, c0)
            if hermitian:
                c = c - 1j * np.diag(np.imag(np.diag(c)))
            t = put(rng, "C", INOUT, dtype, c, LAYOUTS, before=c0)
            t.slack = (magnitude(a, other) * 2 + np.abs(c)) * 16 * (k + 16) * (2.0**-53 if dtype in ("f64", "c128") else 2.0**-24)
            t.fixed = t.kept = ~inside
            ta = put(rng, "A", IN, dtype, a, ("dense",))
            tb = put(rng, "B", IN, dtype, a.T, strides=ta.strides[::-1])
            tb.alias, tb.before = 0, None
            attrs = {"alpha": 2.0, "beta": 0.5, "uplo": "lower" if lower else "upper", "hermitian": int(hermitian), "conja": 0, "conjb": int(hermitian)}
            yield Case("gemm", [ta, tb, t], attrs, lib="cblas", name="cblas_syrk", device=-1, near=1e-12)


def gelu(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def gelu_slope(x):
    u, v = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3), np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * x * x)
    return (1 + np.tanh(u)) / 2 + x / 2 / np.cosh(u) ** 2 * v


def mask_bytes(bits):
    """[n, ceil(m / 8)] of [m, n] bits."""
    return np.packbits(bits.T, axis=1, bitorder="little")


EPILOGUES = ["none", "bias", "relu", "relu_bias", "relu_aux", "relu_aux_bias", "gelu", "gelu_bias", "gelu_aux", "gelu_aux_bias", "drelu", "dgelu",
             "drelu_bgrad", "dgelu_bgrad", "bgrada", "bgradb"]


def matmul_inputs(rng, dtype, epilogue):
    """A, B with their tensors, attributes, and the exact sum after factors."""
    m, n, k = sizes(rng)
    if "relu" in epilogue and ("aux" in epilogue or epilogue[0] == "d"):
        m = 8 * int(rng.integers(1, 4))
    a, b = formats.random(rng, [m, k], dtype, 0.5), formats.random(rng, [k, n], dtype, 0.5)
    tensors = [put(rng, "A", IN, dtype, a, LAYOUTS), put(rng, "B", IN, dtype, b, LAYOUTS)]
    return m, n, k, a, b, tensors, {"epilogue": epilogue, "compute": "f32", "split_k": 1, "reduction": 0}


def epilogues(rng):
    for epilogue in EPILOGUES:
        for dtype, out in (("bf16", "bf16"), ("f16", "f16"), ("bf16", "f32"), ("f32", "f32"), ("e4m3", "bf16")):
            m, n, k, a, b, tensors, attrs = matmul_inputs(rng, dtype, epilogue)
            alpha, beta = (1.0, 0.0) if "bgrad" in epilogue else (float(rng.choice([1.0, 0.5])), float(rng.choice([0.0, 1.0])))
            size = magnitude(a, b) * alpha
            t = alpha * (a @ b)
            attrs |= {"alpha": alpha, "beta": beta}
            if beta:
                c = formats.random(rng, [m, n], out)
                tensors.append(put(rng, "C", IN, out, c, LAYOUTS))
                t, size = t + beta * c, size + np.abs(c)
            if "bias" in epilogue:
                bias = formats.random(rng, [m], out)
                tensors.append(put(rng, "bias", IN, out, bias.reshape(m, 1), ("dense",)))
                t, size = t + bias[:, None], size + np.abs(bias[:, None])
            before, extra, loose = t, [], loosest(dtype, out, k, True)
            input_error = 0.0
            if epilogue.startswith("relu"):
                t = np.maximum(t, 0)
                if "aux" in epilogue:
                    aux = put(rng, "aux", OUT, "u8", mask_bytes(before > 0), ("dense",))
                    certain = np.packbits((np.abs(before) > size * loose * 4).T, axis=1, bitorder="little") == 255
                    aux.fixed, aux.named = ~certain, False
                    extra.append(aux)
            elif epilogue.startswith("gelu"):
                t = gelu(t)
                input_error = 2.0**-11 * np.abs(before)
                if "aux" in epilogue:
                    aux = put(rng, "aux", OUT, out, before, LAYOUTS)
                    aux.slack = size * loose * 4
                    extra.append(aux)
            elif epilogue.startswith("drelu"):
                bits = rng.integers(0, 2, [m, n]).astype(np.uint8)
                tensors.append(put(rng, "aux", IN, "u8", mask_bytes(bits), ("dense",)))
                t = np.where(bits, t, 0)
            elif epilogue.startswith("dgelu"):
                x = formats.random(rng, [m, n], out, 2)
                tensors.append(put(rng, "aux", IN, out, x, LAYOUTS))
                t = t * gelu_slope(x)
                input_error = np.abs(before) * (2.0**-11 * (1 + np.abs(x) * (1 + x * x)) + formats.unit(out)) * 4
            if "bgrad" in epilogue:
                sums = {"bgrada": a.sum(1)[:, None], "bgradb": b.sum(0)[None, :]}.get(epilogue, t.sum(1)[:, None])
                grad = put(rng, "dbias", OUT, out, sums, ("dense",))
                of = {"bgrada": np.abs(a).sum(1)[:, None], "bgradb": np.abs(b).sum(0)[None, :]}.get(epilogue)
                if of is None:
                    of = (np.abs(t) * (formats.unit(out) * 4 + n * 2.0**-23) + size * loose * 4 + input_error).sum(1)[:, None]
                    grad.slack = of * 2
                else:
                    grad.slack = of * (loosest(dtype, out, max(k, n), True) + 2 * formats.unit(out)) * 4
                extra.append(grad)
            d = put(rng, "D", OUT, out, t, LAYOUTS)
            d.slack = (size * loose + input_error) * 4
            if epilogue in ("bgrada", "bgradb") and dtype == "e4m3":
                continue        # sums of fp8 operands have no reference
            yield Case("matmul", tensors + [d] + extra, attrs, lib="cublaslt", name="cublasLtMatmul", near=1e-11 + float(np.max(size)) * k * 2.0**-50)


def scales(rng):
    """FP8 with factors: of the tensor, of rows and columns, of 128 elements, of blocks; a scaled, saturating output and amax."""
    for a_type, b_type in (("e4m3", "e4m3"), ("e4m3", "e5m2"), ("e5m2", "e4m3")):
        for mode in ("tensor", "outer", "vec128", "blk128"):
            for out in ("bf16", "f32", "e4m3"):
                m, n, k = sizes(rng)
                if mode.endswith("128"):
                    k = int(rng.choice([128, 200, 256]))
                a, b = formats.random(rng, [m, k], a_type), formats.random(rng, [k, n], b_type)
                tensors = [put(rng, "A", IN, a_type, a, LAYOUTS), put(rng, "B", IN, b_type, b, LAYOUTS)]
                attrs = {"epilogue": "none", "compute": "f32", "split_k": 1, "reduction": 0, "alpha": 1.0, "beta": 0.0, "fast_accum": int(rng.integers(2))}
                def factors(*dims):
                    return formats.rounded(np.exp(rng.standard_normal(dims)) / 8, "f32")
                if mode == "tensor":
                    sa, sb = factors(1, 1), factors(1, 1)
                    x, y = a * sa, b * sb
                elif mode == "outer":
                    sa, sb = factors(m, 1), factors(1, n)
                    attrs |= {"scaleA_mode": 3, "scaleB_mode": 3}
                    x, y = a * sa, b * sb
                else:
                    lines = 128 if mode == "blk128" else 1
                    blocks = -(-k // 128)
                    sa, sb = factors(-(-m // lines), blocks), factors(blocks, n)
                    attrs |= {"scaleA_mode": 5 if lines == 128 else 4, "scaleB_mode": 4}
                    x = a * np.repeat(np.repeat(sa, lines, 0)[:m], 128, 1)[:, :k]
                    y = b * np.repeat(sb, 128, 0)[:k]
                tensors += [put(rng, "scaleA", IN, "f32", sa, ("dense",)), put(rng, "scaleB", IN, "f32", sb, ("dense",))]
                t, size = x @ y, magnitude(x, y)
                extra = []
                if out == "e4m3":
                    sd = float(formats.rounded(2.0 ** rng.standard_normal(), "f32"))
                    tensors.append(put(rng, "scaleD", IN, "f32", np.array([[sd]]), ("dense",)))
                    amax = put(rng, "amax", OUT, "f32", np.array([[np.max(np.abs(t))]]), ("dense",))
                    amax.named, amax.slack = False, float(np.max(size)) * loosest(a_type, out, k, True) * 4 + float(np.max(np.abs(t))) / 8 + 2.0**-8 / sd
                    extra.append(amax)
                    t, size = np.clip(t * sd, -448, 448), size * sd
                d = put(rng, "D", OUT, out, t, LAYOUTS)
                d.slack = size * loosest(a_type, out, k, True) * 4
                if out == "e4m3":
                    d.fixed = np.abs(t) + d.slack > 200
                yield Case("matmul", tensors + [d] + extra, attrs, lib="cublaslt", name="cublasLtMatmul", near=1e-11 + float(np.max(size)) * k * 2.0**-44)


E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6])


def e2m1_codes(x):
    """The nearest number of four bits, of two as near the one whose last bit is 0; its sign on top."""
    distance = np.abs(np.abs(x)[..., None] - E2M1) + np.where(np.arange(8) % 2, 1e-12, 0)
    return (np.argmin(distance, -1) | np.where(np.signbit(x), 8, 0)).astype(np.uint8)


def e2m1(codes):
    return np.where(codes & 8, -1, 1) * E2M1[codes & 7]


def pairs(codes, axis):
    """Two numbers in a byte along axis, the first in the lower half."""
    even, odd = (np.take(codes, range(i, codes.shape[axis], 2), axis) for i in (0, 1))
    return (even | odd << 4).astype(np.uint8)


def tiles(scales, fill=0):
    """[..., lines, blocks] of bytes as cuBLAS has them; and where each lies."""
    *batch, lines, blocks = scales.shape
    across, down = -(-blocks // 4), -(-lines // 128)
    i, j = np.meshgrid(np.arange(lines), np.arange(blocks), indexing="ij")
    at = (i // 128 * across + j // 4) * 512 + i % 32 * 16 + i % 128 // 32 * 4 + j % 4
    out = np.full(batch + [down * across * 512], fill, dtype=np.uint8)
    out[..., at] = scales
    return out, at


def scale_values(codes, four_bits):
    return formats.decode(codes & 127, "e4m3") if four_bits else np.where(codes == 255, np.nan, np.ldexp(1.0, codes.astype(int) - 127))


def quantized(t, four_bits, out):
    """Columns of t in blocks, from the documentation's steps: scales' codes [..., n, blocks], factors like t, and t over them, rounded."""
    *batch, m, n = t.shape
    size, largest = (16, 6.0) if four_bits else (32, formats.FLOATS[out][2])
    blocks = -(-m // size)
    padded = np.pad(t, [(0, 0)] * len(batch) + [(0, blocks * size - m), (0, 0)])
    s = (np.max(np.abs(padded.reshape(batch + [blocks, size, n])), -2) / largest).astype(np.float32)
    if four_bits:
        codes = formats.encode(s.astype(np.float64), "e4m3", True)
    else:
        bits = s.view(np.uint32).astype(np.int64)
        e, f = bits >> 23, bits & 0x7FFFFF
        codes = (e + np.where((e > 0) & (e < 254), f > 0, (e == 0) & (f > 0x400000))).astype(np.uint8)
    factors = np.repeat(scale_values(codes, four_bits), size, -2)[..., :m, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.where(factors > 0, t / factors, 0)
    d = e2m1_codes(y) if four_bits else formats.rounded(np.clip(y, -largest, largest), out, True)
    return np.swapaxes(codes, -1, -2), factors, d


def scaled_operand(rng, name, dims, along, four_bits, dtype, zeros):
    """An operand with scales for blocks of its elements along an axis: what it means, its tensors."""
    size, k = (16 if four_bits else 32), dims[along]
    codes = e2m1_codes(rng.standard_normal(dims) * 2) if four_bits else None
    values = e2m1(codes) if four_bits else formats.random(rng, dims, dtype)
    if zeros:       # lines of nothing
        values[..., : dims[-2] // 2, :], codes = 0, codes if codes is None else np.where(np.arange(dims[-2])[:, None] < dims[-2] // 2, 0, codes).astype(np.uint8)
    lines = dims[along - 1 if along == -1 else -1]
    s = rng.integers(44, 68, dims[:-2] + [lines, -(-k // size)]) if four_bits else rng.integers(120, 132, dims[:-2] + [lines, -(-k // size)])
    s = s.astype(np.uint8)
    factors = np.repeat(scale_values(s, four_bits), size, -1)[..., :k]
    values = values * (factors if along == -1 else np.swapaxes(factors, -1, -2))
    stored = pairs(codes, along) if four_bits else values / (factors if along == -1 else np.swapaxes(factors, -1, -2))
    shape = list(stored.shape)
    strides = [1] * len(shape)
    other = -2 if along == -1 else -1
    strides[other] = shape[along] + int(rng.integers(0, 3))
    if len(shape) == 3:
        strides[0] = strides[other] * shape[other]
    tiled, _ = tiles(s, 7)
    return values, [put(rng, name, IN, "u8" if four_bits else dtype, stored, strides=strides), put(rng, "scale" + name, IN, "u8", tiled[..., None], ("dense",))]


def block_scaled(rng):
    """MXFP8 and NVFP4 on a Blackwell: inputs with scales for their blocks, batches of them, and outputs whose scales the library computes."""
    for four_bits, a_type, b_type, out in ((False, "e4m3", "e4m3", "bf16"), (False, "e4m3", "e4m3", "e4m3"), (False, "e5m2", "e4m3", "e5m2"), (False, "e4m3", "e5m2", "e4m3"),
                                           (True, "u8", "u8", "bf16"), (True, "u8", "u8", "u8"), (True, "u8", "u8", "u8")) * 2:
        m, n, k = 2 * int(rng.integers(1, 41)), int(rng.choice([1, 5, 33, 130])), 2 * int(rng.integers(8, 60))
        batch = [] if rng.random() < 0.6 else [int(rng.integers(2, 4))]
        zeros, noisy = rng.random() < 0.3, rng.random() < 0.5
        a, tensors = scaled_operand(rng, "A", batch + [m, k], -1, four_bits, a_type, zeros)
        b, more = scaled_operand(rng, "B", batch + [k, n], -2, four_bits, b_type, False)
        tensors += more
        mode = 1 if four_bits else 2
        attrs = {"epilogue": "none", "compute": "f32", "split_k": 1, "reduction": 0, "alpha": 0.5, "beta": 0.0, "scaleA_mode": mode, "scaleB_mode": mode}
        attrs |= {"A_packed": "e2m1", "B_packed": "e2m1"} if four_bits else {}
        size = magnitude(a, b) * 0.5
        t = (a @ b) * 0.5
        noise = size * (k / 4 * 2.0**-24) * rng.uniform(-1, 1, t.shape)        # less than a tensor core may lose
        if rng.random() < 0.4:
            bias = formats.random(rng, [m], "bf16") * np.max(np.abs(t)) / 4
            bias = formats.rounded(bias, "bf16")
            tensors.append(put(rng, "bias", IN, "bf16", bias.reshape(m, 1), ("dense",)))
            attrs["epilogue"] = str(rng.choice(["bias", "relu_bias"]))
            t, size = t + bias[:, None], size + np.abs(bias[:, None])
        if "relu" in attrs["epilogue"]:
            t = np.maximum(t, 0)
        if rng.random() < 0.4 and out != "bf16":       # an addend with scales, too
            c, more = scaled_operand(rng, "C", batch + [m, n], -2, four_bits, "e4m3", False)
            if "relu" not in attrs["epilogue"]:
                attrs |= {"beta": 2.0, "scaleC_mode": mode} | ({"C_packed": "e2m1"} if four_bits else {})
                tensors += more
                t, size = t + 2 * c, size + 2 * np.abs(c)
        if four_bits and out == "u8":
            sd = float(formats.rounded(2.0 ** rng.standard_normal() * 400 / np.max(np.abs(t) + 1e-30), "f32"))
            tensors.append(put(rng, "scaleD", IN, "f32", np.array([[sd]]), ("dense",)))
            t, size, noise = t * sd, size * sd, noise * sd
        error = size * (k + 16) * 2.0**-24
        if noisy:
            t = np.maximum(t + noise, 0) if "relu" in attrs["epilogue"] else t + noise
        case = lambda extra: Case("matmul", tensors + extra, attrs, lib="cublaslt", name="cublasLtMatmul", near=False if noisy else 1e-6 * float(np.max(size)) + (four_bits and out == "u8"), device=BLACKWELL)
        if out == "bf16":
            d = put(rng, "D", OUT, out, t, ("dense",))
            d.slack = np.max(size) * loosest("bf16", out, k, True) * 2      # the screen sees sums of a row, whose elements differ by far
            yield behind_the_first(case([d]), batch)
            continue
        codes, factors, y = quantized(t, four_bits, out)
        attrs["scaleDOut_mode"] = mode
        if four_bits:
            attrs["D_packed"] = "e2m1"
            stored = pairs(y, -2)
        else:
            stored = y
        shape = list(stored.shape)
        ld = shape[-2] + int(rng.integers(0, 3))
        d = put(rng, "D", OUT, "u8" if four_bits else out, stored, strides=([ld * n] if batch else []) + [1, ld])
        unit = np.where(factors > 0, factors, np.inf)
        vague = (factors <= 2.0**-120) | (error * 16 / unit > 0.1)
        if four_bits:
            d.fixed, d.named = vague[..., ::2, :] | vague[..., 1::2, :], False
            d.other = stored ^ 4
        else:
            d.fixed, d.slack = vague, error * 8 / unit
        tiled, at = tiles(codes, 0)
        s = put(rng, "scaleDOut", OUT, "u8", tiled[..., None], ("dense",))
        block = 16 if four_bits else 32
        clear = np.ones(tiled.shape, dtype=bool)
        clear[..., at] = np.swapaxes(vague[..., ::block, :], -1, -2)
        s.fixed, s.named, s.or_named = clear[..., None], False, ["D"]
        s.other = np.where(tiled > 30, tiled - 24 if four_bits else tiled - 2, tiled + 24)[..., None].astype(np.uint8)
        yield behind_the_first(case([d, s]), batch)


def behind_the_first(case, batch):
    """Where the scales of a batch's items lie is not documented: what is wrong behind the first is no proof."""
    for t in case.tensors:
        if t.after is not None and batch:
            later = np.zeros(t.dims, dtype=bool)
            later[1:] = True
            t.fixed = later if t.fixed is None else t.fixed | later
    return case


def correlate(x, w, pad, stride, dilation, groups):
    """Convolution forward from its definition, one window element at a time."""
    spatial = x.ndim - 2
    x = np.pad(x, [(0, 0), (0, 0)] + [(p, p) for p in pad])
    window, channels = w.shape[2:], w.shape[1]
    out = [(n - dl * (r - 1) - 1) // s + 1 for n, r, s, dl in zip(x.shape[2:], window, stride, dilation)]
    y = np.zeros([x.shape[0], w.shape[0]] + out)
    per = w.shape[0] // groups
    for r in np.ndindex(*window):
        at = tuple(slice(i * dl, i * dl + (o - 1) * s + 1, s) for i, dl, o, s in zip(r, dilation, out, stride))
        for g in range(groups):
            part = x[(slice(None), slice(g * channels, (g + 1) * channels)) + at]
            y[:, g * per : (g + 1) * per] += np.einsum("nc...,kc->nk...", part, w[(slice(g * per, (g + 1) * per), slice(None)) + r])
    return y


def convolutions(rng):
    for dtype in ("f32", "bf16", "f16", "f64") * 4:
        d = int(rng.integers(1, 4))
        groups = int(rng.choice([1, 1, 2, 3]))
        n, c, k = int(rng.integers(1, 3)), groups * int(rng.integers(1, 4)), groups * int(rng.integers(1, 4))
        window, pad = [int(rng.integers(1, 4)) for _ in range(d)], [int(rng.integers(0, 3)) for _ in range(d)]
        stride, dilation = [int(rng.integers(1, 3)) for _ in range(d)], [int(rng.integers(1, 3)) for _ in range(d)]
        size = [int(rng.integers(5, 10)) for _ in range(d)]
        x, w = formats.random(rng, [n, c] + size, dtype), formats.random(rng, [k, c // groups] + window, dtype)
        flip = rng.random() < 0.3
        mirrored = w[(slice(None), slice(None)) + (slice(None, None, -1),) * d] if flip else w
        y = correlate(x, mirrored, pad, stride, dilation, groups)
        magnitudes = correlate(np.abs(x), np.abs(mirrored), pad, stride, dilation, groups)
        if groups == 1 and d <= 2 and max(stride + dilation) == 1:     # SciPy says the same
            padded = np.pad(x, [(0, 0), (0, 0)] + [(p, p) for p in pad])
            assert np.allclose(y[0, 0], sum(signal.correlate(padded[0, i], mirrored[0, i], "valid") for i in range(c)), atol=1e-10)
        attrs = {name: ",".join(map(str, v)) for name, v in (("pad", pad), ("stride", stride), ("dilation", dilation))} | {"groups": groups, "flip": int(flip), "compute": "f64" if dtype == "f64" else "f32"}
        tensors = [put(rng, "x", IN, dtype, x), put(rng, "w", IN, dtype, w)]
        alpha = float(rng.choice([1.0, 0.5]))
        y, magnitudes = y * alpha, magnitudes * alpha
        attrs["alpha"] = alpha
        if rng.random() < 0.4:
            z = formats.random(rng, list(y.shape), dtype)
            tensors.append(put(rng, "z", IN, dtype, z))
            attrs["beta"] = 2.0
            y, magnitudes = y + 2 * z, magnitudes + 2 * np.abs(z)
        if rng.random() < 0.5:
            bias = formats.random(rng, [k], dtype)
            tensors.append(put(rng, "bias", IN, dtype, bias))
            y, magnitudes = y + bias.reshape([1, k] + [1] * d), magnitudes + np.abs(bias.reshape([1, k] + [1] * d))
        if rng.random() < 0.5:
            attrs["activation"], f = [("relu", lambda v: np.maximum(v, 0)), ("silu", lambda v: v * special.expit(v)), ("tanh", np.tanh),
                                      ("r > 0 ? r : 0.125 * r", lambda v: np.where(v > 0, v, 0.125 * v))][rng.integers(4)]
            y = f(y)
        t = put(rng, "y", OUT, dtype, y)
        t.slack = magnitudes * loosest(dtype, dtype, c * int(np.prod(window)), True) * 8 + 1e-30
        yield Case("conv", tensors + [t], attrs, near=1e-11)


def nonfinite(rng):
    """NaN and infinities among the factors reach every element they are a term of; beta 0 forgets what C held."""
    for dtype, device in (("f32", -1), ("f64", -1), ("bf16", 0), ("f32", 0)):
        for size in (9, 200):
            a, b = spoiled(rng, formats.random(rng, [size, 33], dtype)), formats.random(rng, [33, size], dtype)
            y = np.zeros([size, size])
            for k in range(33):     # one product after the other: libraries' own sums may know less of infinities
                y = y + a[:, k : k + 1] * b[k : k + 1, :]
            t = put(rng, "C", INOUT, dtype, y, LAYOUTS, before=spoiled(rng, np.ones([size, size])))
            t.slack = np.where(np.isfinite(y), 1.0, 0)
            yield Case("gemm", [put(rng, "A", IN, dtype, a, LAYOUTS), put(rng, "B", IN, dtype, b, LAYOUTS), t], {"alpha": 1.0, "beta": 0.0},
                       lib="cublas" if device >= 0 else "cblas", name="cublas" if device >= 0 else "cblas", device=device, near=1e-9)
    for dtype in ("f32", "bf16"):
        x, w = spoiled(rng, formats.random(rng, [2, 3, 6, 5], dtype)), formats.random(rng, [4, 3, 3, 2], dtype)
        y = correlate(x, w, [1, 0], [1, 1], [1, 1], 1)
        t = put(rng, "y", OUT, dtype, y)
        t.slack = 1.0
        yield Case("conv", [put(rng, "x", IN, dtype, x), put(rng, "w", IN, dtype, w), t], {"pad": "1,0", "stride": "1,1", "compute": "f32"}, near=1e-9)


def large(rng):
    """Products that are screened, of several chunks of K and blocks of rows; a batch; epilogues by rows."""
    for dtype, out, device, m, n, k in (("f32", "f32", -1, 300, 260, 700), ("bf16", "bf16", 0, 257, 300, 1000), ("f64", "f64", -1, 200, 310, 300),
                                        ("c64", "c64", -1, 150, 140, 260), ("i8", "i32", 0, 140, 200, 520), ("f16", "f32", 0, 513, 129, 257)):
        a, b = formats.random(rng, [m, k], dtype), formats.random(rng, [k, n], dtype)
        x, y = (a.astype(np.int64), b.astype(np.int64)) if dtype == "i8" else (a, b)
        t = put(rng, "C", OUT, out, x @ y, LAYOUTS)
        t.slack = 0 if dtype == "i8" else 2 * loosest(dtype, out, k, device >= 0) * magnitude(a, b)
        yield Case("gemm", [put(rng, "A", IN, dtype, a, LAYOUTS), put(rng, "B", IN, dtype, b, LAYOUTS), t], {"alpha": 1, "beta": 0} if dtype == "i8" else {"alpha": 1.0, "beta": 0.0},
                   lib="cublas" if device >= 0 else "cblas", name="cublas" if device >= 0 else "cblas", device=device, near=1e-9)
        if device >= 0 and dtype != "i8":
            bias = formats.random(rng, [m], out)
            z = gelu(x @ y / 32 + bias[:, None])
            t = put(rng, "D", OUT, out, z, LAYOUTS)
            t.slack = (magnitude(a, b) / 16 * loosest(dtype, out, k, True) + 2.0**-10 * np.abs(x @ y)) * 4
            yield Case("matmul", [put(rng, "A", IN, dtype, a, LAYOUTS), put(rng, "B", IN, dtype, b, LAYOUTS), put(rng, "bias", IN, out, bias.reshape(m, 1), ("dense",)), t],
                       {"epilogue": "gelu_bias", "compute": "f32", "split_k": 1, "reduction": 0, "alpha": 1 / 32, "beta": 0.0}, lib="cublaslt", name="cublasLtMatmul", near=1e-9)
    x, w = formats.random(rng, [2, 20, 40, 37], "bf16"), formats.random(rng, [24, 20, 3, 3], "bf16")
    y = correlate(x, w, [1, 1], [1, 1], [1, 1], 1)
    t = put(rng, "y", OUT, "bf16", y)
    t.slack = correlate(np.abs(x), np.abs(w), [1, 1], [1, 1], [1, 1], 1) * loosest("bf16", "bf16", 180, True) * 4
    yield Case("conv", [put(rng, "x", IN, "bf16", x), put(rng, "w", IN, "bf16", w), t], {"pad": "1,1", "stride": "1,1", "compute": "f32"}, near=1e-10)


main(large, nonfinite, gemms, without_product, pointers, triangles, epilogues, scales, block_scaled, convolutions, modes=((), ("--exact",)))
