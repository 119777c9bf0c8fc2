#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Op random against Philox4x32-10 in NumPy, written from Salmon, Moraes, Dror and Shaw, Parallel random numbers: as easy as 1, 2, 3 (2011), with a known answer."""
import need
import numpy as np

import formats
from cases import IN, OUT, Case, main, put

LOW = np.uint64(0xFFFFFFFF)


def philox(counter, key):
    """Ten rounds: counter [n, 4] and key (two words) to [n, 4] words."""
    c, k = [counter[:, i].astype(np.uint64) for i in range(4)], [np.uint64(key & 0xFFFFFFFF), np.uint64(key >> 32)]
    for _ in range(10):
        a, b = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(b >> np.uint64(32)) ^ c[1] ^ k[0], b & LOW, (a >> np.uint64(32)) ^ c[3] ^ k[1], a & LOW]
        k = [(k[0] + np.uint64(0x9E3779B9)) & LOW, (k[1] + np.uint64(0xBB67AE85)) & LOW]
    return np.stack(c, axis=1)


assert [hex(int(w)) for w in philox(np.zeros([1, 4]), 0)[0]] == ["0x6627e8d5", "0xe169c58d", "0xbc57ac4c", "0x9b00dbd8"]


def words(n, seed, offset, threads, lanes, packed):
    """The four words that belong to each element, and its lane."""
    e = np.arange(n)
    thread, taking, lane = (e // lanes, 0 * e, e % lanes) if packed else (e % threads, e // (threads * lanes), e % (threads * lanes) // threads)
    block = offset // 4 + taking
    return philox(np.stack([block & 0xFFFFFFFF, block >> 32, thread & 0xFFFFFFFF, thread >> 32], axis=1), seed), lane


def pick(x, at):
    return np.take_along_axis(x, at[:, None], 1)[:, 0]


def numbers(kind, x, lane, lanes):
    if lanes == 4:
        uniform = lambda w: w.astype(np.float32).astype(float) * 2.0**-32 + 2.0**-33
        u = formats.rounded(uniform(pick(x, lane)), "f32")
        first, second = formats.rounded(uniform(pick(x, lane & ~1)), "f32"), uniform(pick(x, lane | 1))
        even, tail = lane % 2 == 0, 2.0**-24
    else:
        join = lambda a, b: (a ^ (b << np.uint64(21))).astype(float) * 2.0**-53 + 2.0**-54
        u = join(pick(x, 2 * lane), pick(x, 2 * lane + 1))
        first, second = join(x[:, 0], x[:, 1]), join(x[:, 2], x[:, 3])
        even, tail = lane == 0, 2.0**-53
    if kind == "uniform":
        return u
    if kind == "exponential":
        return np.where(u >= 1 - tail, tail, -np.log(u))
    s, v = np.sqrt(-2 * np.log(first)), 2 * np.pi * second
    return s * np.where(even, np.sin(v), np.cos(v))


def setting(rng, lanes):
    n, packed = int(rng.choice([1, 3, 64, 500, 2049])), bool(rng.random() < 0.4)
    # Seeds and offsets of 64 bits, too; as many threads as there are, or some elements each.
    attrs = {"seed": int(rng.integers(0, 1 << 62)), "offset": 4 * int(rng.integers(0, 1 << int(rng.choice([4, 40])))), "lanes": lanes}
    if packed:
        attrs["packed"] = 1
    else:
        attrs["threads"] = int(rng.choice([1, 7, 256, 4096]))
    return n, attrs, words(n, attrs["seed"], attrs["offset"], attrs.get("threads", 1), lanes, packed)


def reals(rng):
    for kind in ("uniform", "normal", "exponential"):
        for lanes, dtype in ((4, "f32"), (4, "bf16"), (2, "f64")):
            n, attrs, (x, lane) = setting(rng, lanes)
            y = numbers(kind, x, lane, lanes) * 3 - 1
            t = put(rng, "out0", OUT, dtype, y)
            t.slack = 2.0**-16 if dtype != "f64" else 2.0**-45
            yield Case("random", [t], attrs | {"kind": kind, "expr": "r * 3 - 1"}, near=2.0**-18 if lanes == 4 else 1e-13)
        n, attrs, (x, lane) = setting(rng, 4)
        a = formats.random(rng, [n], "f32")
        keep = numbers("uniform", x, lane, 4) < 0.75
        mask = put(rng, "out1", OUT, "u8", keep.astype(np.uint8))
        kept = put(rng, "out0", OUT, "f32", np.where(keep, a / 0.75, 0))
        kept.slack = 2.0**-20 * np.abs(a)
        yield Case("random", [put(rng, "in0", IN, "f32", a), kept, mask],
                   attrs | {"kind": "uniform", "expr": "out1 = r < 0.75; out0 = where(r < 0.75, in0 * scale, 0)", "scale": 1 / 0.75}, near=1e-6)


def whole_bits(rng):
    for lanes in (4, 2):
        for modulo in (0, 10, 1000003):
            n, attrs, (x, lane) = setting(rng, lanes)
            bits = pick(x, lane) if lanes == 4 else (pick(x, 2 * lane) << np.uint64(32)) | pick(x, 2 * lane + 1)
            y = (bits % np.uint64(modulo) if modulo else bits).astype(np.int64)
            yield Case("random", [put(rng, "out0", OUT, "i64", y)], attrs | {"kind": "bits", "expr": "r"} | ({"modulo": modulo} if modulo else {}))


main(reals, whole_bits)
