# SPDX-License-Identifier: Apache-2.0
"""Writes a trace as trace/FORMAT.md says: a second writer, which shares no code with trace/. XXH3 comes from libxxhash."""
import ctypes
import os
import struct

import msgpack

_xxh = ctypes.CDLL("libxxhash.so.0")


class _Hash128(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]


_xxh.XXH3_64bits.restype = ctypes.c_uint64
_xxh.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
_xxh.XXH3_128bits.restype = _Hash128
_xxh.XXH3_128bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]

CHUNK = 1 << 20
BLACKWELL = 10      # ordinal of a device with that arithmetic


def hash64(data):
    return _xxh.XXH3_64bits(data, len(data))


def hash128(data):
    h = _xxh.XXH3_128bits(data, len(data))
    return struct.pack(">QQ", h.high, h.low)


def frame(kind, body, data=None):
    packed = msgpack.packb(body, use_bin_type=True)
    head = bytes([0x93 if data is None else 0x94, 0xA0 | len(kind)]) + kind.encode() + b"\xc6" + struct.pack(">I", len(packed)) + packed
    out = head + b"\xcf" + struct.pack(">Q", hash64(head))
    return out if data is None else out + b"\xc6" + struct.pack(">I", len(data)) + data


class Writer:
    """One segment of one process. event() returns the event's number."""

    def __init__(self, path, device=(9, 0)):
        os.mkdir(path, 0o700)
        self.files = [open(os.path.join(path, f"{kind}-100-0.ekka"), "wb") for kind in ("events", "blobs")]
        head = {"format": "ekkatrace", "version": 1, "pid": 100, "ppid": 1, "unix_ns": 1, "mono_ns": 1, "exe": "/property", "argc": 1,
                "argv": ["property"], "level": "full", "tool": "tests/property", "arch": "x86_64", "cpu": "none"}
        for f in self.files:
            f.write(frame("open", head))
        self.put("device", ord=0, name="NVIDIA H200", cc=list(device), driver=13000, runtime=13000)
        self.put("device", ord=BLACKWELL, name="NVIDIA B200", cc=[10, 0], driver=13000, runtime=13000)
        self.functions, self.blobs, self.events, self.stored = {}, set(), 0, 0

    def put(self, kind, **body):
        self.files[0].write(frame(kind, body))

    def function(self, name, lib, op):
        key = (name, lib, op)
        if key not in self.functions:
            self.functions[key] = len(self.functions) + 1
            self.put("fn", id=self.functions[key], name=name, lib=lib, op=op, obj=None, build=None, args=[])
        return self.functions[key]

    def blob(self, data):
        """Stores bytes once; their id."""
        name = hash128(data)
        if name not in self.blobs:
            self.blobs.add(name)
            for off in range(0, len(data), CHUNK):
                raw = data[off : off + CHUNK]
                self.files[1].write(frame("chunk", {"id": name, "size": len(data), "off": off, "raw": len(raw), "c": 0, "n": len(raw), "sum": hash64(raw)}, raw))
        return name

    def event(self, fn, attrs, tensors, ret=None, device=0):
        """tensors: maps as FORMAT.md has them, each with (before, after): bytes or None."""
        self.events += 1
        ev, t = self.events, 1000 * self.events
        self.put("call", ev=ev, par=0, fn=fn, depth=0, group=0, tid=100, dev=device, strm=7, t=t, stk=0, a=[], x=attrs, tn=[m for m, _, _ in tensors])
        for phase in (0, 1):
            for i, data in enumerate(t[1 + phase] for t in tensors):
                if data is not None:
                    self.put("data", ev=ev, i=i, ph=phase, n=len(data), id=self.blob(data))
                    self.stored += len(data)
            if phase == 0:
                self.put("ret", ev=ev, t=t + 10, v=ret)
        self.put("end", ev=ev, t=t + 20)
        return ev

    def close(self):
        self.put("close", t=1000 * (self.events + 1), events=self.events, seen=self.stored, stored=self.stored, drop={}, why="exit")
        for f in self.files:
            f.close()
