# SPDX-License-Identifier: Apache-2.0
"""A transformer in NumPy, as one writes it; runs the weights of examples/tinylm (their format: its README.md).

usage: np_transformer.py WEIGHTS PROMPT BYTES
"""
import hashlib
import sys

import numpy as np


class Model:
    def __init__(self, path):
        with open(path, "rb") as f:
            header = f.readline().split()
            data = np.frombuffer(f.read(), "<f2").astype(np.float32)
        assert header[:2] == [b"tinylm", b"1"], path
        vocab, self.dim, self.heads, layers, mlp, self.context = map(int, header[2:])
        self.head = self.dim // self.heads
        at = 0

        def take(*shape):
            nonlocal at
            n = int(np.prod(shape))
            at += n
            return data[at - n:at].reshape(shape)
        self.embed = take(vocab, self.dim)
        self.layers = [dict(norm1=take(self.dim), qkv=take(self.dim, 3 * self.dim), out=take(self.dim, self.dim),
                            norm2=take(self.dim), up=take(self.dim, mlp), down=take(mlp, self.dim)) for _ in range(layers)]
        self.norm = take(self.dim)
        assert at == len(data), path
        self.cache = [None] * layers
        self.seen = 0

    def split(self, x):
        return x.reshape(len(x), self.heads, self.head).swapaxes(0, 1)

    def rotate(self, x):
        half = self.head // 2
        angle = np.arange(self.seen, self.seen + x.shape[1])[:, None] * 10000.0 ** (-np.arange(half) / half)
        c, s = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
        a, b = x[..., :half], x[..., half:]
        return np.concatenate([a * c - b * s, b * c + a * s], -1)

    def attention(self, i, x):
        q, k, v = (self.split(z) for z in np.split(x @ self.layers[i]["qkv"], 3, -1))
        q, k = self.rotate(q), self.rotate(k)
        if self.cache[i] is not None:
            k, v = (np.concatenate([old, new], 1) for old, new in zip(self.cache[i], (k, v)))
        self.cache[i] = k, v
        scores = q @ k.swapaxes(1, 2) / np.sqrt(np.float32(self.head))
        future = np.arange(k.shape[1]) > np.arange(self.seen, self.seen + len(x))[:, None]
        scores = np.where(future, np.float32(-np.inf), scores)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        mixed = (weights @ v).swapaxes(0, 1).reshape(len(x), self.dim)
        return mixed @ self.layers[i]["out"]

    def mlp(self, i, x):
        x = x @ self.layers[i]["up"]
        x = x / 2 * (1 + np.tanh(np.float32(0.7978845608) * (x + np.float32(0.044715) * x ** 3)))
        return x @ self.layers[i]["down"]

    def feed(self, tokens):
        x = self.embed[tokens] * np.sqrt(np.float32(self.dim))
        for i, layer in enumerate(self.layers):
            x = x + self.attention(i, rmsnorm(x, layer["norm1"]))
            x = x + self.mlp(i, rmsnorm(x, layer["norm2"]))
        self.seen += len(tokens)
        return rmsnorm(x[-1], self.norm) @ self.embed.T


def rmsnorm(x, gain):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(1e-5)) * gain


def main(weights, prompt, count):
    model = Model(weights)
    text = list(prompt.encode())
    new = text
    h = hashlib.sha256()
    for _ in range(int(count)):
        logits = model.feed(np.array(new))
        h.update(logits.tobytes())
        new = [int(np.nan_to_num(logits, nan=-np.inf).argmax())]
        text += new
    print(bytes(text).decode(errors="replace"))
    print("logits", h.hexdigest()[:16])


main(*sys.argv[1:])
