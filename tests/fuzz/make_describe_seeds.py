#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Seeds for the fuzzer of kernel descriptions: make_describe_seeds.py DIR FILE.kd... A description each, with a name that it matches."""
import os
import re
import struct
import sys


def stanzas(text):
    return re.split(r"\n(?=kernel |functor )", text)


def name_for(pattern):
    name = re.sub(r"\$\$?\w+|\*\*?", "int", pattern)
    return name.replace("\\", "")


def main():
    out, *files = sys.argv[1:]
    all_stanzas = [s for f in files for s in stanzas(open(f).read()) if re.match(r"kernel |functor ", s)]
    functors = [s for s in all_stanzas if s.startswith("functor")]
    words = b"".join(struct.pack("<Q", 0x200000 * (i + 1)) for i in range(64))
    for i, stanza in enumerate(s for s in all_stanzas if s.startswith("kernel")):
        text = stanza + "\n" + functors[i % len(functors)] if functors else stanza
        name = name_for(re.match(r'kernel "([^"]*)"', stanza)[1])
        sizes = [int(n) for _, n in sorted(re.findall(r"bytes\(p(\d+)\) == (\d+)", stanza))]
        count = re.search(r"params == (\d+)", stanza)
        sizes += [8] * ((int(count[1]) if count else 4) - len(sizes))
        params = b"".join(bytes([min(n, 255)]) + (b"\4\0\0\0" * 70 if n == 4 else words)[: min(n, 255)] for n in sizes)
        with open(os.path.join(out, f"describe-{i}"), "wb") as f:
            f.write(struct.pack("<H", len(text.encode())) + text.encode() + name.encode() + b"\0\4" + params)


main()
