# SPDX-License-Identifier: Apache-2.0
"""launch.py LIBRARY LAUNCHES ROUNDS: bench_launch from under a stack of Python functions as deep and as long as an engine's are."""
import ctypes
import sys

DEPTH = 20
LINES = 12  # of each function, above the one that calls on


def function(i):
    above = "".join(f"        x = x + {n} if x else (x, {n})[1]\n" for n in range(LINES))
    return f"def layer_{i}(f, x):\n    if x is None:\n{above}    return layer_{i + 1}(f, x)\n"


library = ctypes.CDLL(sys.argv[1])
library.bench_launch.restype = ctypes.c_double
names = {}
for i in range(DEPTH):
    exec(compile(function(i), f"/opt/engine/models/layer_{i}.py", "exec"), names)
names[f"layer_{DEPTH}"] = lambda f, x: f()
print("%.0f" % names["layer_0"](lambda: library.bench_launch(ctypes.c_long(int(sys.argv[2])), ctypes.c_long(int(sys.argv[3]))), 1))
