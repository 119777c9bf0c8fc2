#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What PyTorch computes with cuDNN: convolutions and their transposes, attention, batch normalisation in evaluation. Checks each result itself,
coarsely; prints a line of JSON: {"ran": [...], "wrong": [...], "skipped": {name: reason}}. With arguments, only the cases whose names begin with one
of them."""
import json
import sys

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

ran, wrong, skipped, cases = [], [], {}, []
TOLERANCE = {torch.bfloat16: 2e-2, torch.float16: 4e-3, torch.float32: 1e-5}


def case(name, function, *args, **options):
    cases.append((name, function, args, options))


def random(*shape, dtype):
    return torch.randn(*shape, device="cuda").to(dtype)


def check(name, got, want, tolerance):
    ran.append(name)
    error = (got.double().cpu() - want).abs().max().item()
    if not error <= tolerance * (1 + want.abs().max().item()):
        wrong.append("%s: off by %g" % (name, error))


def exact(*tensors):
    """For a reference by other code: the CPU's, in float64."""
    return [t if t is None else t.double().cpu() if t.is_floating_point() else t.cpu() for t in tensors]


# ---- convolution

def convolution(name, dtype, x, w, bias=True, tf32=True, last=False, benchmark=False, transposed=False, **options):
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = benchmark
    function = getattr(F, "conv%s%dd" % ("_transpose" if transposed else "", len(x) - 2))
    channels = w[1] * options.get("groups", 1) if transposed else w[0]
    a, b = random(*x, dtype=dtype), random(*w, dtype=dtype) / (w[0] if transposed else w[1]) ** 0.5
    c = random(channels, dtype=dtype) if bias else None
    if last:
        layout = torch.channels_last if len(x) == 4 else torch.channels_last_3d
        a, b = a.to(memory_format=layout), b.to(memory_format=layout)
    y = function(a, b, c, **options)
    check(name, y, function(*exact(a, b, c), **options), 5e-3 if dtype == torch.float32 and tf32 else TOLERANCE[dtype])


def fused(name, dtype, add):
    """Bias, addend and ReLU inside cuDNN."""
    a, w = random(2, 16, 12, 12, dtype=dtype), random(32, 16, 3, 3, dtype=dtype) / 4
    a, w = (t.to(memory_format=torch.channels_last) for t in (a, w))
    b, z = random(32, dtype=dtype), random(2, 32, 12, 12, dtype=dtype).to(memory_format=torch.channels_last)
    settings = [1, 1], [1, 1], [1, 1], 1
    if add:
        y = torch.cudnn_convolution_add_relu(a, w, z, 0.5, b, *settings)
    else:
        y = torch.cudnn_convolution_relu(a, w, b, *settings)
    xa, xw, xb, xz = exact(a, w, b, z)
    check(name, y, (F.conv2d(xa, xw, xb, padding=1) + (0.5 * xz if add else 0)).relu(), 5e-3 if dtype == torch.float32 else TOLERANCE[dtype])


def convolutions(t, dtype):
    for tf32 in (True, False) if dtype == torch.float32 else (True,):
        kind = t + ("" if dtype != torch.float32 else " tf32" if tf32 else " ieee")
        add = lambda name, x, w, **options: case("%s %s" % (name, kind), convolution, dtype, x, w, tf32=tf32, **options)
        add("conv2d", (2, 16, 20, 20), (32, 16, 3, 3), padding=1)
        add("conv2d last", (2, 16, 20, 20), (32, 16, 3, 3), padding=1, last=True)
        add("conv2d stride", (2, 8, 23, 19), (16, 8, 5, 3), bias=False, stride=(2, 1), padding=(2, 0))
        add("conv2d dilation", (1, 16, 24, 24), (16, 16, 3, 3), dilation=2, padding=2)
        add("conv2d groups", (2, 32, 14, 14), (32, 8, 3, 3), groups=4, padding=1)
        add("conv2d point", (2, 64, 16, 16), (128, 64, 1, 1))
        add("conv2d deep", (1, 256, 14, 14), (64, 256, 3, 3), padding=1)
        add("conv2d odd", (1, 3, 33, 31), (7, 3, 7, 7), stride=2, padding=3)
        add("conv1d", (2, 16, 100), (24, 16, 5), padding=2)
        add("conv3d", (1, 8, 8, 12, 12), (16, 8, 3, 3, 3), padding=1)
        add("conv3d last", (1, 8, 8, 12, 12), (16, 8, 3, 3, 3), padding=1, last=True)
        for shape in ((2, 16, 20, 20), (1, 64, 28, 28)):
            add("benchmark %d" % shape[1], shape, (32, shape[1], 3, 3), padding=1, benchmark=True)
        add("transposed conv2d", (2, 16, 10, 10), (16, 8, 3, 3), stride=2, padding=1, output_padding=1, transposed=True)
        add("transposed conv2d last", (2, 16, 10, 10), (16, 8, 4, 4), stride=2, padding=1, last=True, transposed=True)
        add("transposed conv2d groups", (1, 16, 9, 9), (16, 4, 3, 3), groups=2, dilation=2, transposed=True)
        add("transposed conv1d", (2, 16, 40), (16, 24, 5), stride=3, padding=2, transposed=True)
        add("transposed conv3d", (1, 8, 5, 6, 7), (8, 16, 3, 3, 3), stride=2, transposed=True)


# ---- attention

def mathematics(q, k, v, causal, mask, scale):
    q, k, v, mask = exact(q, k, v, mask)
    k, v = (t.repeat_interleave(q.shape[1] // t.shape[1], 1) for t in (k, v))
    s = q @ k.transpose(-1, -2) * (scale or q.shape[-1] ** -0.5)
    if causal:
        s = s.masked_fill(torch.ones(s.shape[-2:], dtype=torch.bool).triu(1), -torch.inf)
    if mask is not None:
        s = s.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else s + mask
    return s.softmax(-1) @ v


def attention(name, dtype, b, h, hk, m, n, d, causal=False, mask=None, scale=None, permuted=False):
    def heads(count, length):
        return random(b, length, count, d, dtype=dtype).transpose(1, 2) if permuted else random(b, count, length, d, dtype=dtype)
    q, k, v = heads(h, m), heads(hk, n), heads(hk, n)
    x = None
    if mask == "bias":
        x = random(b, h, m, n, dtype=dtype)
    elif mask == "row":
        x = random(1, h, m, n, dtype=dtype)
    elif mask == "bool":
        x = torch.rand(b, 1, m, n, device="cuda") < 0.7
        x[..., 0] = True
    with sdpa_kernel(SDPBackend.CUDNN_ATTENTION):
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=x, is_causal=causal, scale=scale, enable_gqa=h != hk)
    check(name, y, mathematics(q, k, v, causal, x, scale), 2 * TOLERANCE[dtype])


def attentions(t, dtype):
    add = lambda name, *shape, **options: case("sdpa %s %s" % (name, t), attention, dtype, *shape, **options)
    add("plain", 2, 4, 4, 64, 64, 64)
    add("causal", 2, 4, 4, 96, 96, 64, causal=True)
    add("causal 128", 1, 4, 4, 130, 130, 128, causal=True, permuted=True)
    add("gqa", 2, 8, 2, 64, 64, 64, causal=True)
    add("cross", 2, 4, 4, 48, 77, 64)
    add("decode", 2, 8, 2, 1, 131, 128)
    add("bias", 2, 4, 4, 64, 64, 64, mask="bias")
    add("row bias", 2, 4, 4, 33, 72, 64, mask="row")
    add("mask", 2, 4, 4, 64, 96, 64, mask="bool")
    for causal in (False, True):
        case("sdpa packed%s %s" % (" causal" if causal else "", t), packed, dtype, 4, 4, 64, [13, 78, 40], causal=causal)
    # One plan, three scales.
    for scale in (0.1, 0.2, 0.05):
        add("scale %g" % scale, 2, 4, 4, 64, 64, 32, causal=True, scale=scale)


def packed(name, dtype, h, hk, d, lengths, causal=False):
    """Sequences one behind another, as nested tensors have them."""
    q, k, v = ([random(n, heads, d, dtype=dtype) for n in lengths] for heads in (h, hk, hk))
    nested = [torch.nested.nested_tensor(t, layout=torch.jagged).transpose(1, 2) for t in (q, k, v)]
    with sdpa_kernel(SDPBackend.CUDNN_ATTENTION):
        y = F.scaled_dot_product_attention(*nested, is_causal=causal).transpose(1, 2).unbind()
    for i in range(len(lengths)):
        want = mathematics(*(t[i].transpose(0, 1).unsqueeze(0) for t in (q, k, v)), causal, None, None)
        check("%s %d" % (name, i), y[i].transpose(0, 1).unsqueeze(0), want, 2 * TOLERANCE[dtype])


# ---- normalisation

def batch_norm(name, dtype, *shape):
    n = shape[1]
    x, w, b, mean = random(*shape, dtype=dtype), *(random(n, dtype=torch.float32) for _ in range(3))
    var = torch.rand(n, device="cuda") + 0.1
    y = F.batch_norm(x, mean, var, w, b, training=False, eps=1e-5)
    check(name, y, F.batch_norm(exact(x)[0], *exact(mean, var, w, b), training=False, eps=1e-5), TOLERANCE[dtype])


def main():
    torch.manual_seed(1)
    for dtype in (torch.bfloat16, torch.float16, torch.float32):
        t = str(dtype)[6:]
        if dtype != torch.float32:
            attentions(t, dtype)
        convolutions(t, dtype)
        for add in (False, True):
            case("fused conv2d%s %s" % (" add" if add else "", t), fused, dtype, add)
        if dtype != torch.bfloat16:
            case("batch_norm 2d %s" % t, batch_norm, dtype, 4, 16, 9, 11)
            case("batch_norm 3d %s" % t, batch_norm, dtype, 2, 8, 5, 6, 7)
    with torch.no_grad():
        for name, function, args, options in cases:
            if len(sys.argv) > 1 and not name.startswith(tuple(sys.argv[1:])):
                continue
            try:
                function(name, *args, **options)
            except (RuntimeError, ValueError, NotImplementedError, AttributeError) as e:
                skipped[name] = str(e).splitlines()[0][:200]
    torch.cuda.synchronize()
    print(json.dumps({"ran": ran, "wrong": wrong, "skipped": skipped}))
    return len(wrong) != 0


if __name__ == "__main__":
    sys.exit(main())
