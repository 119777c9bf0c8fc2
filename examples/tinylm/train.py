#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains the weights of tinylm: about 20 minutes on one CPU core.

    pip install jax && ./train.py -o tinylm.bin

The text is that of the licences which every Debian system carries in
/usr/share/common-licenses, with line breaks inside paragraphs taken out.
The file format is described in README.md.
"""
import argparse
import os
import re
import sys

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import jax
import jax.numpy as jnp
import numpy as np

LICENCES = ["GPL-2", "GPL-3", "LGPL-2.1", "LGPL-3", "Apache-2.0", "MPL-2.0", "GFDL-1.3", "CC0-1.0"]

# None of these is a multiple of 16, so that the tails of blocked kernels are used.
VOCAB, DIM, HEADS, LAYERS, MLP, CONTEXT = 256, 120, 5, 3, 340, 256
HEAD = DIM // HEADS
EPS = 1e-5


def read_text(folder):
    parts = []
    for name in LICENCES:
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            paragraphs = re.split(r"\n\s*\n", f.read())
        parts.append("\n\n".join(" ".join(p.split()) for p in paragraphs if p.strip()))
    return np.frombuffer("\n\n".join(parts).encode(), dtype=np.uint8)


def init(key):
    def normal(shape, fan_in):
        nonlocal key
        key, sub = jax.random.split(key)
        return jax.random.normal(sub, shape) / np.sqrt(fan_in)
    layer = lambda: dict(norm1=jnp.ones(DIM), qkv=normal((DIM, 3 * DIM), DIM), out=normal((DIM, DIM), 2 * LAYERS * DIM),
                         norm2=jnp.ones(DIM), up=normal((DIM, MLP), DIM), down=normal((MLP, DIM), 2 * LAYERS * MLP))
    return dict(embed=normal((VOCAB, DIM), DIM), layers=[layer() for _ in range(LAYERS)], norm=jnp.ones(DIM))


def rmsnorm(x, g):
    return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + EPS) * g


def rotate(x):
    """Rotary positions: element i of the first half of a head turns with element i of the second half."""
    half = HEAD // 2
    angle = jnp.arange(x.shape[1])[:, None] * (10000.0 ** (-jnp.arange(half) / half))
    c, s = jnp.cos(angle)[None, :, None, :], jnp.sin(angle)[None, :, None, :]
    a, b = x[..., :half], x[..., half:]
    return jnp.concatenate([a * c - b * s, b * c + a * s], -1)


def logits(p, tokens):
    n, t = tokens.shape
    mask = jnp.tril(jnp.ones((t, t), bool))
    x = p["embed"][tokens] * np.sqrt(DIM)
    for l in p["layers"]:
        q, k, v = (z.reshape(n, t, HEADS, HEAD) for z in jnp.split(rmsnorm(x, l["norm1"]) @ l["qkv"], 3, -1))
        s = jnp.einsum("nqhd,nkhd->nhqk", rotate(q), rotate(k)) / np.sqrt(HEAD)
        w = jax.nn.softmax(jnp.where(mask, s, -1e30), -1)
        x = x + jnp.einsum("nhqk,nkhd->nqhd", w, v).reshape(n, t, DIM) @ l["out"]
        x = x + jax.nn.gelu(rmsnorm(x, l["norm2"]) @ l["up"], approximate=True) @ l["down"]
    return rmsnorm(x, p["norm"]) @ p["embed"].T


def loss(p, batch):
    z = logits(p, batch[:, :-1])
    return jnp.mean(jax.nn.logsumexp(z, -1) - jnp.take_along_axis(z, batch[:, 1:, None], -1)[..., 0])


@jax.jit
def step(p, m, v, batch, i, lr):
    value, g = jax.value_and_grad(loss)(p, batch)
    norm = jnp.sqrt(sum(jnp.sum(x * x) for x in jax.tree.leaves(g)))
    g = jax.tree.map(lambda x: x * jnp.minimum(1.0, 1.0 / norm), g)
    m = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, m, g)
    v = jax.tree.map(lambda a, b: 0.98 * a + 0.02 * b * b, v, g)
    def update(w, a, b):
        adam = (a / (1 - 0.9 ** i)) / (jnp.sqrt(b / (1 - 0.98 ** i)) + 1e-8)
        return w - lr * (adam + (0.05 * w if w.ndim == 2 else 0.0))
    return jax.tree.map(update, p, m, v), m, v, value


def save(p, path):
    tensors = [p["embed"]]
    for l in p["layers"]:
        tensors += [l[name] for name in ("norm1", "qkv", "out", "norm2", "up", "down")]
    tensors.append(p["norm"])
    with open(path + ".new", "wb") as f:
        f.write(f"tinylm 1 {VOCAB} {DIM} {HEADS} {LAYERS} {MLP} {CONTEXT}\n".encode())
        for t in tensors:
            f.write(np.asarray(t, dtype="<f2").tobytes())
    os.replace(path + ".new", path)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("-o", "--output", default="tinylm.bin")
    a.add_argument("--text", default="/usr/share/common-licenses", help="folder with the licence texts")
    a.add_argument("--steps", type=int, default=5000, help="the learning rate falls to 0 over them")
    a.add_argument("--batch", type=int, default=8)
    a = a.parse_args()

    text = read_text(a.text)
    rng = np.random.default_rng(1)
    p = init(jax.random.PRNGKey(1))
    m = v = jax.tree.map(jnp.zeros_like, p)
    for i in range(a.steps):
        at = rng.integers(0, len(text) - CONTEXT - 1, a.batch)
        batch = np.stack([text[j:j + CONTEXT + 1] for j in at]).astype(np.int32)
        lr = 3e-3 * min(1, (i + 1) / 100) * (1 - i / a.steps)
        p, m, v, value = step(p, m, v, batch, i + 1, lr)
        mean = float(value) if i == 0 else 0.98 * mean + 0.02 * float(value)
        if i % 250 == 249:
            print(f"step {i + 1}: loss {mean:.3f} nats a byte", file=sys.stderr, flush=True)
            save(p, a.output)
    save(p, a.output)


if __name__ == "__main__":
    main()
