# SPDX-License-Identifier: Apache-2.0
"""Calls BLAS functions under a preloaded faulty-blas and compares with what the fault named in $FAULTY_BLAS should give.

Prints a line for every disagreement. Each matrix lies in a larger one, whose other elements must not change.
"""
import ctypes
import os
import sys

import numpy as np

ROW, COL, NO, TRANS, UPPER = 101, 102, 111, 112, 121
blas = ctypes.CDLL(None)
rng = np.random.default_rng(3)
fault = os.environ.get("FAULTY_BLAS", "none").split(",")[0]
bad = 0


def padded(rows, cols, dtype, pad=3):
    return rng.standard_normal((rows + 1, cols + pad)).astype(dtype)


def ptr(a):
    return a.ctypes.data_as(ctypes.c_void_p)


def scalar(x, dtype):
    return (ctypes.c_float if dtype == np.float32 else ctypes.c_double)(x)


def check(name, got, want, loose=False):
    global bad
    scale = np.abs(want[np.isfinite(want)]).max()
    tolerance = scale * (2e-3 if loose else 1e-5 if got.dtype == np.float32 else 1e-13)
    if (np.isnan(got) != np.isnan(want)).any() or np.nanmax(np.abs(got - want)) > tolerance:
        print(f"{name}: {np.nanmax(np.abs(got - want)):g} off, scale {scale:g}")
        bad += 1


def product(a, b):
    """In float64 and without BLAS, which is not to be trusted here."""
    return np.einsum("ij,jk->ik", a.astype(np.float64), b.astype(np.float64))


def kept_k(k):
    """The elements of K that enter the sum."""
    return {"k-tail": slice(0, k - k % 16), "half-k": slice(k // 2, k)}.get(fault, slice(0, k))


def reread(stored, rows, cols, ld):
    """The matrix of rows x cols that one sees with another leading dimension."""
    flat = stored.ravel()
    return np.array([flat[i * ld:i * ld + cols] for i in range(rows)])


def expected(a, b, stored_b, tb, alpha, beta, c, ldc, before):
    """What op(a) * op(b) becomes, in float64; everything in mathematical orientation, C by rows."""
    m, k = a.shape
    n = b.shape[1]
    a, b, c = (x.astype(np.float64) for x in (a, b, c))
    old = c.copy()
    if fault in ("half-stride", "linear-read"):
        rows, cols = (n, k) if tb else (k, n)
        wrong = reread(stored_b, rows, cols, stored_b.shape[1] // 2 if fault == "half-stride" else cols)
        b = (wrong.T if tb else wrong).astype(np.float64)
    if fault == "previous-matrix":
        b = before.astype(np.float64)
    if fault == "a-element":
        a[:, 1:k - 1:8] = a[:, 2:k:8][:, :a[:, 1:k - 1:8].shape[1]]
    if fault == "beta-lost":
        beta = 0
    if fault == "c-half":
        c[m // 2:] = c[:m - m // 2]
    s = kept_k(k)
    out = alpha * product(a[:, s], b[s]) * (2 if fault == "twice" else 1) + beta * c
    if fault == "next-row":
        out[1:, :64 - n % 64 - (ldc - n)] = 0
    if fault == "tail-unwritten":
        out[:, n - n % 32:] = old[:, n - n % 32:]
    if fault == "nan-tile":
        out[(m - 1) // 16 * 16:, (n - 1) // 16 * 16:] = np.nan
    return out


def gemm(dtype, ta, tb, m=21, n=45, k=53):
    f = getattr(blas, "cblas_sgemm" if dtype == np.float32 else "cblas_dgemm")
    before = None
    for _ in range(2):                              # the second is judged: previous-matrix needs one before
        a, b, c = padded(*((k, m) if ta else (m, k)), dtype), padded(*((n, k) if tb else (k, n)), dtype), padded(m, n, dtype)
        old = c.copy()
        f(ROW, TRANS if ta else NO, TRANS if tb else NO, m, n, k, scalar(1.5, dtype), ptr(a), a.shape[1], ptr(b), b.shape[1],
          scalar(0.5, dtype), ptr(c), c.shape[1])
        op_a = a[:k, :m].T if ta else a[:m, :k]
        op_b = b[:n, :k].T if tb else b[:k, :n]
        if before is not None:
            want = expected(op_a, op_b, b, tb, 1.5, 0.5, old[:m, :n], c.shape[1], before)
            check(f"gemm {dtype.__name__} {ta} {tb}", c[:m, :n], want, loose=fault == "fp16-sum")
            exact = 1.5 * product(op_a, op_b) + 0.5 * old[:m, :n]
            right = np.allclose(c[:m, :n], exact, rtol=0, atol=1e-4)
            if right != (fault == "none"):
                print(f"gemm {dtype.__name__} {ta} {tb}: the result is {'right' if right else 'wrong'}")
                globals()["bad"] += 1
        before = op_b
        changed = c != old
        changed[:m, :n] = False
        if changed.any():
            print("gemm: wrote outside C")
            globals()["bad"] += 1


def others(dtype):
    """gemv, syrk, dot and the Fortran spelling, for the faults of K and none."""
    t = "s" if dtype == np.float32 else "d"
    m, n, k = 21, 45, 53
    a, b, c, x, y = (padded(*s, dtype) for s in ((m, k), (k, n), (m, m), (1, 2 * k), (1, m)))
    s = kept_k(k)
    old = c.copy()
    getattr(blas, f"cblas_{t}syrk")(ROW, UPPER, NO, m, k, scalar(1, dtype), ptr(a), a.shape[1], scalar(0, dtype), ptr(c), c.shape[1])
    aa = a[:m, :k].astype(np.float64)
    upper = np.triu(np.ones((m, m), bool))
    check(f"{t}syrk", c[:m, :m], np.where(upper, product(aa[:, s], aa[:, s].T), old[:m, :m]))
    xx = x[0, :2 * k:2].astype(np.float64)
    old = y[0, :m].copy()
    getattr(blas, f"cblas_{t}gemv")(ROW, NO, m, k, scalar(1, dtype), ptr(a), a.shape[1], ptr(x), 2, scalar(2, dtype), ptr(y), 1)
    check(f"{t}gemv", y[0, :m], product(aa[:, s], xx[s, None])[:, 0] + 2.0 * old)
    dot = getattr(blas, f"cblas_{t}dot")
    dot.restype = type(scalar(0, dtype))
    check(f"{t}dot", np.array([dot(k, ptr(a[2:]), 1, ptr(x), 2)], dtype), np.array([(aa[2, s] * xx[s]).sum()]))
    # Fortran sees the transposes: C' = B' A'.
    c = padded(m, n, dtype)
    i = [ctypes.byref(ctypes.c_int(v)) for v in (n, m, k, b.shape[1], a.shape[1], c.shape[1])]
    getattr(blas, f"{t}gemm_")(b"N", b"N", i[0], i[1], i[2], ctypes.byref(scalar(1, dtype)), ptr(b), i[3], ptr(a), i[4],
                               ctypes.byref(scalar(0, dtype)), ptr(c), i[5], ctypes.c_size_t(1), ctypes.c_size_t(1))
    check(f"{t}gemm_", c[:m, :n], product(aa[:, s], b[:k, :n][s]))


for dtype in np.float32, np.float64:
    for ta in False, True:
        for tb in False, True:
            gemm(dtype, ta, tb)
    if fault in ("none", "k-tail", "half-k"):
        others(dtype)
sys.exit(bad != 0)
