#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_graphs.py EKKA TRACE full|calls: are the events those of tests/fake/graphs.c?"""
import json
import struct
import subprocess
import sys

EKKA, TRACE, LEVEL = sys.argv[1:4]
N = 100


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode()


def must(what, got, want):
    if got != want:
        print("%s: %r, not %r" % (what, got, want))
        raise SystemExit(1)


def mean(value):
    return sum(struct.pack("<f", value)) / 4


def values(event):
    return [a["value"] for a in event["arguments"]]


def f32(value):
    return struct.unpack("<I", struct.pack("<f", value))[0]


def changes(event, address):
    """The bytes at address before and after, as the mean of N floats that are all alike."""
    found = [t for t in event["tensors"] if int(t["address"], 16) == address]
    must("one buffer", (len(found), found[0]["span_bytes"], found[0]["dir"]), (1, 4 * N, "inout"))
    return tuple(found[0][k]["mean"] for k in ("before", "after"))


e = [json.loads(x) for x in run(EKKA, "log", "--json", "--all", TRACE).splitlines()]
s = [json.loads(run(EKKA, "show", "--json", str(x["event"]), TRACE)) for x in e]
x, y, z = (int(v["attributes"]["address"], 16) for v in s if v["name"] == "cuMemAlloc_v2")
captured = [v for v in s if v["attributes"].get("captured")]
must("captured", [v["name"] for v in captured], ["_Z5scalePffi", "_Z5scalePffi", "cuMemsetD8Async", "cuEventRecord"])
graphs = [v for v in s if v["name"] == "cuGraphLaunch"]
inner = [[v for v in s if v["parent"] == g["event"]] for g in graphs]
must("launches", [g["returned"] for g in graphs], [0] * 4)
must("nodes", [(g["attributes"]["nodes"], g["attributes"]["kernels"]) for g in graphs], [(4, 2)] * 4)
must("same as", [g["attributes"].get("same_as") for g in graphs], [None, graphs[0]["event"], None, graphs[2]["event"]])
must("inside", [[v["name"] for v in i] for i in inner], [["_Z5scalePffi"] * 2, [], ["_Z5scalePffi"], []])
must("first node", (values(inner[0][0]), inner[0][0]["attributes"]["grid_x"], inner[0][0]["attributes"]["shared"]), ([hex(x), f32(2), N], 2, 16))
must("second node", values(inner[0][1]), [hex(y), f32(3), N])
must("changed node", (values(inner[2][0]), inner[2][0]["attributes"]["grid_x"]), ([hex(x), f32(5), N], 4))
must("depth", {(v["depth"], v["stream"]) for i in inner for v in i}, {(1, graphs[0]["stream"])})
must("all whole", {v["status"] for v in e}, {"complete"})
if LEVEL == "full":
    must("boundary", {g["attributes"]["snapshot"] for g in graphs}, {"boundary"})
    want = [(1, 2), (2, 4), (4, 20), (20, 100)]
    must("x", [changes(g, x) for g in graphs], [(mean(a), mean(b)) for a, b in want])
    must("y", [changes(g, y) for g in graphs[:2]], [(mean(1), mean(3)), (mean(3), mean(9))])
    must("y is off, then freed", [[t["name"] for t in g["tensors"]] for g in graphs[2:]], [["n0.p0"]] * 2)
else:
    must("no bytes", [g["tensors"] for g in graphs], [[]] * 4)
