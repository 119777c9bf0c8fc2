#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Seeds for the fuzzer from a golden trace: make_seeds.py GOLDEN.ekka DIR [PREFIX-OF-THEIR-NAMES]."""
import os
import struct
import sys


def read(trace, name):
    path = os.path.join(trace, name)
    return open(path, "rb").read() if os.path.exists(path) else b""


def main():
    trace, out = sys.argv[1:3]
    prefix = sys.argv[3] if len(sys.argv) > 3 else ""
    parent = [read(trace, f"{kind}-100-0.ekka") for kind in ("events", "blobs", "index")]
    child = [read(trace, f"{kind}-101-0.ekka") for kind in ("events", "blobs", "index")]
    seeds = {
        "whole": parent,
        "child": child,
        "no-index": parent[:2] + [b""],
        "no-blobs": [parent[0], b"", b""],
        "cut": [parent[0][:1500], parent[1][:4000], b""],
        "other-index": [child[0], parent[1], parent[2]],
    }
    for name, (events, blobs, index) in seeds.items():
        with open(os.path.join(out, prefix + name), "wb") as f:
            f.write(struct.pack("<HH", len(events), len(blobs)) + events + blobs + index)


main()
