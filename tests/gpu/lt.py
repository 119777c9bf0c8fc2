#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What PyTorch computes with cuBLASLt: linear layers with a bias, FP8 and int8 products. Checks each result itself, coarsely;
prints a line of JSON: {"ran": [...], "wrong": [...], "skipped": {name: reason}}."""
import json
import sys

import torch
import torch.nn.functional as F

ran, wrong, skipped = [], [], {}


def close(name, got, want, tolerance):
    ran.append(name)
    error = (got.double() - want).abs().max().item()
    if not error <= tolerance * (1 + want.abs().max().item()):
        wrong.append("%s: off by %g" % (name, error))


def attempt(name, function):
    try:
        function(name)
    except (RuntimeError, ValueError, NotImplementedError, AttributeError) as e:
        skipped[name] = str(e).splitlines()[0][:200]


def linear(dtype, rows, k, n, tolerance):
    def run(name):
        x = torch.randn(rows, k, device="cuda", dtype=dtype)
        w = torch.randn(n, k, device="cuda", dtype=dtype) / k ** 0.5
        b = torch.randn(n, device="cuda", dtype=dtype)
        close(name, F.linear(x, w, b), x.double() @ w.double().T + b.double(), tolerance)
        if hasattr(torch, "_addmm_activation"):
            y = torch._addmm_activation(b, x, w.t())
            close(name + " relu", y, (x.double() @ w.double().T + b.double()).relu(), tolerance)
            y = torch._addmm_activation(b, x, w.t(), use_gelu=True)
            close(name + " gelu", y, F.gelu(x.double() @ w.double().T + b.double(), approximate="tanh"), tolerance)
    return run


def scaled(out, fast, rowwise=False, bias=False):
    def run(name):
        m, k, n = 64, 512, 96
        x = torch.randn(m, k, device="cuda").clamp(-4, 4).to(torch.float8_e4m3fn)
        w = torch.randn(n, k, device="cuda").clamp(-4, 4).to(torch.float8_e4m3fn)
        a = torch.rand(m, 1, device="cuda") + 0.5 if rowwise else torch.tensor(0.5, device="cuda")
        b = torch.rand(1, n, device="cuda") + 0.5 if rowwise else torch.tensor(0.125, device="cuda")
        c = torch.randn(n, device="cuda", dtype=torch.bfloat16) if bias else None
        y = torch._scaled_mm(x, w.t(), scale_a=a, scale_b=b, bias=c, out_dtype=out, use_fast_accum=fast)
        y = y[0] if isinstance(y, tuple) else y
        want = (x.double() * a.double()) @ (w.double().T * b.double()) + (c.double() if bias else 0)
        close(name, y, want, 2e-2)
    return run


def int8(name):
    x = torch.randint(-128, 128, (64, 256), device="cuda", dtype=torch.int8)
    w = torch.randint(-128, 128, (256, 96), device="cuda", dtype=torch.int8)
    close(name, torch._int_mm(x, w), x.double() @ w.double(), 0)


def main():
    torch.manual_seed(1)
    for dtype, tolerance in ((torch.bfloat16, 2e-2), (torch.float16, 4e-3), (torch.float32, 1e-4)):
        for rows, k, n in ((64, 256, 128), (16, 2048, 512), (512, 1024, 1024), (8, 4096, 256)):
            attempt("linear %s %dx%dx%d" % (str(dtype)[6:], rows, k, n), linear(dtype, rows, k, n, tolerance))
    for out in (torch.bfloat16, torch.float16, torch.float32):
        for fast in (False, True):
            attempt("scaled_mm %s%s" % (str(out)[6:], " fast" if fast else ""), scaled(out, fast))
    attempt("scaled_mm bias", scaled(torch.bfloat16, False, bias=True))
    attempt("scaled_mm rowwise", scaled(torch.bfloat16, True, rowwise=True))
    attempt("int_mm", int8)
    torch.cuda.synchronize()
    print(json.dumps({"ran": ran, "wrong": wrong, "skipped": skipped}))
    return len(wrong) != 0


if __name__ == "__main__":
    sys.exit(main())
