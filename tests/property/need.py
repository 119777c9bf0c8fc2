# SPDX-License-Identifier: Apache-2.0
"""Imported first by every program here: leaves with automake's status for a skipped test where a package is not there."""
import ctypes
import sys

try:
    import msgpack  # noqa: F401
    import numpy  # noqa: F401
    import scipy  # noqa: F401
except ImportError as e:
    print(f"no {e.name} package: skipped")
    sys.exit(77)
try:
    ctypes.CDLL("libxxhash.so.0")
except OSError:
    print("no libxxhash.so.0: skipped")
    sys.exit(77)
