# SPDX-License-Identifier: Apache-2.0
"""NumPy as PyPI ships it: its own OpenBLAS, symbols spelt scipy_cblas_*64_. Skipped where pip cannot fetch it."""
import os
import shutil
import subprocess

import lib

version = "2.2.6"				# for Python 3.10 to 3.13
site = os.path.join(lib.folder.name, "numpy-wheel")


def fetch():
    """The Python that the wheel was fetched for."""
    for python in lib.python, shutil.which("python3"):
        command = [python, "-m", "pip", "install", "-q", "--no-deps", "--only-binary=:all:", "--retries=0", "--timeout=10",
                   "--disable-pip-version-check", "--target", site, f"numpy=={version}"]
        try:
            if subprocess.run(command, capture_output=True, timeout=60).returncode == 0:
                return python
        except (subprocess.TimeoutExpired, OSError):
            pass
    lib.skip(f"cannot fetch numpy {version} with pip")


python = fetch()
os.environ["PYTHONPATH"] = site
linalg = [python, lib.source("np_linalg.py")]
transformer = [python, lib.source("np_transformer.py"), lib.weights, "You may not ", "6"]

for name, command in ("linear algebra", linalg), ("transformer", transformer):
    clean = lib.Recording(command)
    clean.expect_clean(name)
    lib.expect(clean.stdout == lib.output(command), f"{name}: other results when recorded")
    lib.expect(any(e["name"] == "scipy_cblas_sgemm64_" for e in clean.events), f"{name}: no scipy_cblas_sgemm64_ was seen")
for fault, command in ("k-tail,min-k=340", transformer), ("half-k,name=scipy_cblas_ssyrk64_", linalg):
    found = lib.Recording(command, fault)
    found.expect_found(fault)
    lib.expect(os.path.basename(command[1]) in found.first_stack(), f"{fault}: no Python frame in {found.first_stack()}")
lib.finish()
