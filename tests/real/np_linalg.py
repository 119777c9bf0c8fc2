# SPDX-License-Identifier: Apache-2.0
"""The linear algebra that people do with NumPy. Prints one line per case: its name and a hash of the result's bits."""
import hashlib
import threading

import numpy as np

rng = np.random.default_rng(7)


def real(*shape, dtype=np.float32):
    return rng.standard_normal(shape).astype(dtype)


def complex_(*shape, dtype=np.complex64):
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(dtype)


def show(name, *results):
    h = hashlib.sha256()
    for r in results:
        r = np.ascontiguousarray(r)
        h.update(f"{r.dtype} {r.shape}".encode() + r.tobytes())
    print(name, h.hexdigest()[:16])


def products():
    for dtype in np.float32, np.float64:
        t = np.dtype(dtype).name
        a, b, x = real(70, 133, dtype=dtype), real(133, 45, dtype=dtype), real(133, dtype=dtype)
        show(f"A@B {t}", a @ b)
        show(f"A@A.T {t}", a @ a.T)                                     # syrk
        show(f"A.T@A {t}", a.T @ a)
        show(f"A.T@B {t}", np.ascontiguousarray(a.T).T @ b)
        show(f"A@x {t}", a @ x)
        show(f"x@B {t}", x @ b)
        show(f"x@x {t}", np.dot(x, x))
        show(f"dot strided {t}", np.dot(a[0, ::3], x[::3]))
        show(f"outer {t}", np.outer(x[:20], x[20:50]))
        show(f"batched {t}", real(4, 19, 33, dtype=dtype) @ real(4, 33, 21, dtype=dtype))
        show(f"einsum {t}", np.einsum("ij,jk->ik", a, b, optimize=True))
        show(f"tensordot {t}", np.tensordot(real(5, 6, 37, dtype=dtype), real(37, 6, 9, dtype=dtype), axes=([2, 1], [0, 1])))


def views():
    big = real(160, 300)
    show("columns of a matrix", big[:, 10:130] @ real(120, 33))          # leading dimension 300
    show("rows and columns", big[5:60, 3:80].T @ big[5:60, 100:190])
    show("every second column", big[:, ::2] @ real(150, 20))             # no BLAS layout: NumPy copies
    show("backwards", big[::-1, :90] @ real(90, 20))
    show("vector of a matrix", big[:, 7] @ big)
    show("fortran order", np.asfortranarray(big[:50, :70]) @ real(70, 30))
    out = np.zeros((64, 80), np.float32)
    np.matmul(big[:64, :33], real(33, 80), out=out)
    show("into out", out)
    show("empty", real(5, 0) @ real(0, 7), real(0, 9) @ real(9, 3))
    show("one", real(1, 1) @ real(1, 1))


def complexes():
    for dtype in np.complex64, np.complex128:
        t = np.dtype(dtype).name
        a, b = complex_(31, 45, dtype=dtype), complex_(45, 27, dtype=dtype)
        show(f"A@B {t}", a @ b)
        show(f"A.conj().T@A {t}", a.conj().T @ a)
        show(f"A@A.T {t}", a @ a.T)
        show(f"vdot {t}", np.vdot(a[0], a[1]), np.dot(a[0], a[1]))
        show(f"A@x {t}", a @ b[:, 0].copy())


def lapack():
    a = real(60, 60, dtype=np.float64) + 8 * np.eye(60)
    u, s, vt = np.linalg.svd(real(50, 35, dtype=np.float64))
    show("solve", np.linalg.solve(a, real(60, 3, dtype=np.float64)))
    show("svd", u, s, vt)
    show("inv det", np.linalg.inv(a), np.linalg.det(a))
    show("qr", *np.linalg.qr(real(80, 40, dtype=np.float64)))
    show("eigh", *np.linalg.eigh(a + a.T))
    show("eig", *np.linalg.eig(a))
    show("cholesky", np.linalg.cholesky(a @ a.T))
    show("lstsq", np.linalg.lstsq(real(70, 20, dtype=np.float64), real(70, dtype=np.float64), rcond=None)[0])
    show("pinv", np.linalg.pinv(real(30, 20)))
    show("matrix_power", np.linalg.matrix_power(a / 20, 5))


def threads():
    inputs = [(real(60, 70 + i), real(70 + i, 50)) for i in range(8)]
    outputs = [None] * len(inputs)

    def work(i):
        for _ in range(5):
            outputs[i] = inputs[i][0] @ inputs[i][1]
    running = [threading.Thread(target=work, args=(i,)) for i in range(len(inputs))]
    for t in running:
        t.start()
    for t in running:
        t.join()
    show("threads", *outputs)


products()
views()
complexes()
lapack()
threads()
