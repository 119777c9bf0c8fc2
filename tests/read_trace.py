#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads a trace with nothing but the msgpack package, from FORMAT.md alone: it shares no code with trace/.

read_trace.py TRACE            one JSON line per record, in the order of the files
read_trace.py --events TRACE   one per segment, event and blob, put together as a reader sees them

Checks (XXH3) are not verified. Chunks that zstd compressed need the zstd command; without it a blob's "adler32" is null.
Text is shown byte by byte (Latin-1), as it need not be UTF-8.
"""
import glob
import json
import os
import shutil
import subprocess
import sys
import zlib

import msgpack


def plain(v):
    """msgpack's values as JSON has them: bytes in hex, keys as text."""
    if isinstance(v, bytes):
        return v.hex()
    if isinstance(v, str):
        return v.encode("utf-8", "surrogateescape").decode("latin-1")
    if isinstance(v, dict):
        return {plain(k): plain(x) for k, x in v.items()}
    if isinstance(v, (list, tuple)):
        return [plain(x) for x in v]
    return v


def unpack(body):
    return msgpack.unpackb(body, raw=False, unicode_errors="surrogateescape", strict_map_key=False)


def frames(path, places=False):
    """Yields (kind, body as a dict, data or None), with places the offset in the file before them; stops where the file ends inside a frame."""
    with open(path, "rb") as f:
        stream = msgpack.Unpacker(f, raw=False, max_buffer_size=0, unicode_errors="surrogateescape")
        at = stream.tell()
        for frame in stream:
            found = frame[0], unpack(frame[1]), frame[3] if len(frame) == 4 else None
            yield (at, *found) if places else found
            at = stream.tell()


def files(trace, kind):
    return sorted(glob.glob(os.path.join(glob.escape(trace), kind + "-*.ekka")))


def unzstd(data):
    zstd = shutil.which("zstd")
    return subprocess.run([zstd, "-dc"], input=data, stdout=subprocess.PIPE, check=True).stdout if zstd else None


def read_blobs(trace):
    """id -> (size, bytes or None when zstd is not there)"""
    parts = {}
    for path in files(trace, "blobs"):
        chunks = {}     # by offset in the file
        for at, kind, body, data in frames(path, places=True):
            if kind == "chunk":
                assert len(data) == body["n"]
                raw = data if body["c"] == 0 else unzstd(data)
                assert raw is None or len(raw) == body["raw"]
                chunks[at] = raw
                parts.setdefault(body["id"], (body["size"], {}))[1][body["off"]] = raw
            if kind == "links":
                for off, raw, chunk, start in body["l"]:
                    data = chunks[chunk]
                    assert data is None or start + raw <= len(data)
                    parts.setdefault(body["id"], (body["size"], {}))[1][off] = data and data[start : start + raw]
    blobs = {}
    for blob, (size, chunks) in parts.items():
        raw = [chunks[off] for off in sorted(chunks)]
        blobs[blob] = (size, None if None in raw else b"".join(raw))
        assert blobs[blob][1] is None or len(blobs[blob][1]) == size
    return blobs


def read_segment(path):
    seg = {"file": os.path.basename(path), "close": None, "fn": {}, "device": [], "module": [], "maps": [], "stack": {}, "call": {}}
    for kind, body, _ in frames(path):
        if kind in ("open", "close"):
            seg[kind] = body
        elif kind in ("fn", "stack"):
            seg[kind][body["id"]] = body
        elif kind in ("device", "module"):
            seg[kind].append(body)
        elif kind == "maps":
            seg["maps"] += body["maps"]
        elif kind == "call":
            seg["call"][body["ev"]] = {"call": body, "data": [], "ret": None, "end": False}
        elif kind == "data":
            seg["call"][body["ev"]]["data"].append(body)
        elif kind == "ret":
            seg["call"][body["ev"]]["ret"] = body
        elif kind == "time":
            seg["call"][body["ev"]]["gpu"] = body["gpu"]
        elif kind == "end":
            seg["call"][body["ev"]]["end"] = True
    return seg


def events(trace):
    segments = sorted((read_segment(p) for p in files(trace, "events")), key=lambda s: (s["open"]["unix_ns"], s["file"]))
    number = 0
    for seg in segments:
        yield {"segment": seg["file"], "open": seg["open"], "close": seg["close"], "device": seg["device"], "maps": seg["maps"],
               **({"module": seg["module"]} if seg["module"] else {})}
        numbers = {ev: number + i + 1 for i, ev in enumerate(sorted(seg["call"]))}
        for ev, e in sorted(seg["call"].items()):
            call = dict(e["call"], ev=numbers[ev], par=numbers.get(e["call"]["par"], 0))
            data = sorted(([d["i"], d["ph"], d["n"], d.get("id", d.get("miss"))] for d in e["data"]), key=lambda d: d[:2])
            yield {"event": numbers[ev], "fn": seg["fn"].get(call["fn"]), "call": call, "stack": seg["stack"].get(call["stk"]),
                   "ret": e["ret"] and [e["ret"]["t"], e["ret"]["v"]], "data": data, "complete": e["end"], **({"gpu": e["gpu"]} if "gpu" in e else {})}
        number += len(numbers)
    for blob, (size, raw) in sorted(read_blobs(trace).items()):
        yield {"blob": blob, "size": size, "adler32": None if raw is None else zlib.adler32(raw)}


def records(trace):
    for path in (p for kind in ("events", "blobs", "index") for p in files(trace, kind)):
        for kind, body, data in frames(path):
            yield {"file": os.path.basename(path), "kind": kind, "body": body, **({"data_bytes": len(data)} if data is not None else {})}


def main():
    args = [a for a in sys.argv[1:] if a != "--events"]
    if len(args) != 1:
        sys.exit(__doc__)
    for line in (events if "--events" in sys.argv else records)(args[0]):
        print(json.dumps(plain(line)))


if __name__ == "__main__":
    main()
