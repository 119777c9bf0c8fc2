# SPDX-License-Identifier: Apache-2.0
"""The distribution's own NumPy, unmodified: linear algebra of all kinds and a transformer; clean and with a faulty BLAS."""
import lib

lib.need_numpy()
linalg = [lib.python, lib.source("np_linalg.py")]
transformer = [lib.python, lib.source("np_transformer.py"), lib.weights, "You may not ", "8"]


def line_of(script, text):
    """The number of the first line that contains the text."""
    with open(lib.source(script)) as f:
        return next(n for n, line in enumerate(f, 1) if text in line)


def expect_line(recording, script, text, what):
    n = line_of(script, text)
    stack = recording.first_stack()
    lib.expect(f"{script}:{n} " in stack, f"{what}: no {script}, line {n}, in {stack}")


for name, command in ("linear algebra", linalg), ("transformer", transformer):
    clean = lib.Recording(command)
    clean.expect_clean(name)
    lib.expect(clean.stdout == lib.output(command), f"{name}: other results when recorded")

# The transformer writes what tinylm writes: two programs, one model.
text = lib.output(transformer).splitlines()[0]
lib.expect(lib.tinylm(8).splitlines()[0] == text, "tinylm and NumPy disagree on the text")

for fault, script, command, line in [
    ("k-tail,min-k=340", "np_transformer.py", transformer, 'return x @ self.layers[i]["down"]'),
    ("half-k,name=cblas_sgemm,min-k=120", "np_transformer.py", transformer, 'np.split(x @ self.layers[i]["qkv"]'),
    ("linear-read,name=cblas_sgemm", "np_transformer.py", transformer, "scores = q @ k"),
    ("previous-matrix", "np_transformer.py", transformer, "scores = q @ k"),
    ("nan-tile,call=40", "np_transformer.py", transformer, "mixed = (weights @ v)"),
    ("half-k,name=cblas_ssyrk", "np_linalg.py", linalg, 'show(f"A@A.T {t}", a @ a.T)'),
    ("k-tail,name=cblas_dsyrk,min-k=133", "np_linalg.py", linalg, 'show(f"A@A.T {t}", a @ a.T)'),
    ("fp16-sum,from=2,name=cblas_sgemm", "np_linalg.py", linalg, 'show(f"A@B {t}", a @ b)'),
    ("a-element,from=2,name=cblas_sdot", "np_linalg.py", linalg, 'show(f"x@x {t}", np.dot(x, x))'),
    ("twice,name=cblas_dgemv,min-k=50", "np_linalg.py", linalg, 'show(f"A@x {t}", a @ x)'),
]:
    found = lib.Recording(command, fault)
    found.expect_found(f"{fault}: {script}")
    lib.expect(script in found.first_stack(), f"{fault}: no Python frame of {script} in {found.first_stack()}")
    if line:
        expect_line(found, script, line, fault)
lib.finish()
