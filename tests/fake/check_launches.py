#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_launches.py EKKA TRACE STDERR CONDITION: is the condition true of the events of tests/fake/launches.c?"""
import json
import subprocess
import sys

SCALE = "_Z5scalePffi"
NAMES = [SCALE, SCALE, SCALE, SCALE, "_Z3odd3oddlh", "_Z3odd3oddlh", "_Z3big3big", "_Z5fiftyi", "cblas_sdot", SCALE, "_Z5otherPf"]


def lines(*command):
    return [json.loads(line) for line in subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()]


def show(ekka, trace, number):
    return json.loads(subprocess.run([ekka, "show", "--json", str(number), trace], stdout=subprocess.PIPE, check=True).stdout)


def must(what, got, want):
    if got != want:
        print("%s: %r, not %r" % (what, got, want))
        raise SystemExit(1)


def values(event):
    return [a["value"] for a in event["arguments"]]


def attrs(event):
    return event["attributes"]


def all_there(events, way):
    must("names", [e["name"] for e in events], NAMES)
    shown = [show(EKKA, TRACE, e["event"]) for e in events]
    plain, packed, ex, kernel, odd, failed, big, fifty, dot, inner, other = shown
    x = values(plain)[0]
    must("an address", x[:2], "0x")
    must("parameters", values(plain), [x, 0x40000000, 100])
    must("packed parameters", values(packed), [x, 0x40400000, 100])
    must("types", [a["type"] for a in plain["arguments"]], ["8 bytes at 0", "4 bytes at 8", "4 bytes at 12"])
    shape = {"grid_x": 2, "grid_y": 3, "grid_z": 1, "block_x": 64, "block_y": 1, "block_z": 1, "shared": 128}
    must("shape", attrs(plain), shape)
    cluster = {"grid_x": 4, "grid_y": 1, "grid_z": 1, "block_x": 32, "block_y": 1, "block_z": 1, "shared": 7, "cluster_x": 2,
               "cluster_y": 1, "cluster_z": 1, "cooperative": 1}
    must("launch attributes", attrs(ex), cluster)
    must("parameters of a CUkernel", values(kernel), [x, 0x40e00000, 100])
    must("a structure", values(odd), ["ffffffff0000c03f61626300", 2**64 - 2, 200])
    must("cooperative", attrs(odd)["cooperative"], 1)
    must("results", [s["returned"] for s in (plain, odd, failed)], [0, 0, 1])
    must("a large structure", (len(values(big)[0]), attrs(big)["cut"]), (2 * 8192, 20000 - 8192))
    must("many parameters", (values(fifty), attrs(fifty)["cut"]), (list(range(40)), 40))
    must("parent", (inner["parent"], inner["depth"], plain["parent"]), (dot["event"], 1, 0))
    must("another kernel behind an old handle", values(other), [x])
    must("stream", plain["stream"], "0x2" if way == "proc-thread" else "0x0")
    must("caller", all(e["caller"].startswith("launch_") for e in events[:4]) or [e["caller"] for e in events[:4]], True)
    return True


EKKA, TRACE = sys.argv[1:3]
e = lines(EKKA, "log", "--json", TRACE)
with open(sys.argv[3]) as f:
    text = f.read()
if not eval(sys.argv[4]):
    print("not %s: %s; %r" % (sys.argv[4], [x["name"] for x in e], text))
    sys.exit(1)
