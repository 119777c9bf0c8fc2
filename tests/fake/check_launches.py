#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_launches.py EKKA TRACE STDERR CONDITION: is the condition true of the events of tests/fake/launches.c?"""
import json
import subprocess
import sys

SCALE = "_Z5scalePffi"
NAMES = [SCALE, SCALE, SCALE, SCALE, "_Z3odd3oddlh", "_Z3odd3oddlh", "_Z3big3big", "_Z5fiftyi", "cblas_sdot", SCALE, SCALE, "_Z5otherPf"]


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


def only(names, event):
    """Those of the event's attributes."""
    return {k: v for k, v in attrs(event).items() if k.startswith(names)}


SHAPE = ("grid_", "block_", "shared", "cluster_", "cooperative")


def all_there(events, way):
    must("names", [e["name"] for e in events], NAMES)
    shown = [show(EKKA, TRACE, e["event"]) for e in events]
    plain, packed, ex, kernel, odd, failed, big, fifty, dot, inner, again, other = shown
    x = values(plain)[0]
    must("an address", x[:2], "0x")
    must("parameters", values(plain), [x, 0x40000000, 100])
    must("packed parameters", values(packed), [x, 0x40400000, 100])
    must("types", [a["type"] for a in plain["arguments"]], ["8 bytes at 0", "4 bytes at 8", "4 bytes at 12"])
    shape = {"grid_x": 2, "grid_y": 3, "grid_z": 1, "block_x": 64, "block_y": 1, "block_z": 1, "shared": 128}
    must("shape", only(SHAPE, plain), shape)
    cluster = {"grid_x": 4, "grid_y": 1, "grid_z": 1, "block_x": 32, "block_y": 1, "block_z": 1, "shared": 7, "cluster_x": 2,
               "cluster_y": 1, "cluster_z": 1, "cooperative": 1}
    must("launch attributes", only(SHAPE, ex), cluster)
    must("parameters of a CUkernel", values(kernel), [x, 0x40e00000, 100])
    must("a structure", values(odd), ["ffffffff0000c03f61626300", 2**64 - 2, 200])
    must("cooperative", attrs(odd)["cooperative"], 1)
    must("results", [s["returned"] for s in (plain, odd, failed)], [0, 0, 1])
    must("a large structure", (len(values(big)[0]), attrs(big)["cut"]), (2 * 8192, 20000 - 8192))
    must("many parameters", (values(fifty), attrs(fifty)["cut"]), (list(range(40)), 40))
    must("parent", (inner["parent"], inner["depth"], plain["parent"]), (dot["event"], 1, 0))
    must("a kernel of the same name behind an old handle", values(again), [x, 0x3f800000, 100])
    must("another kernel behind an old handle", values(other), [x])
    must("streams", {s["stream"] for s in (plain, packed, ex, kernel, odd)}, {"0x2" if way == "proc-thread" else "0x0"})
    must("caller", all(e["caller"].startswith("launch_") for e in events[:4]) or [e["caller"] for e in events[:4]], True)
    return True


def tensor(event, i):
    """Name, direction, type, bytes, least and greatest before and after, or why not."""
    def seen(t, when):
        x = t.get(when)
        return None if x is None else x["missing"] if "missing" in x else (x["min"], x["max"])
    t = event["tensors"][i]
    return t["name"], t["dir"], t["dtype"], t["span_bytes"], seen(t, "before"), seen(t, "after")


def step_there(event, before, after):
    must("what it means", only(("op", "a", "b_", "expr", "refused", "extent"), event), {"op": "elementwise", "a": 1, "expr": "a * in0 + b"})
    must("its place", attrs(event)["description"].split("/")[-1], "launches.kd:3")
    must("input of %d" % event["event"], tensor(event, 0), ("in0", "in", "f32", 800, before, None))
    must("output of %d" % event["event"], tensor(event, 1), ("out0", "out", "f32", 800, None, after))


def bytes_there(events):
    must("names", [e["name"] for e in events], [STEP] * 12 + ["_Z5paintPcS_3boxPvS1_", "_Z4many4many", "_Z6refusePf", STEP, STEP] +
         ["cblas_sdot", STEP, STEP] + ["cblas_sdot", STEP, STEP])
    shown = [show(EKKA, TRACE, e["event"]) for e in events]
    for i in range(12):
        step_there(shown[i], (i, i), (i + 1, i + 1))
    paint, many, refused, captured, failed, dot, inner, on_thread, dot2, inner2, last = shown[12:]
    must("buffers", [tensor(paint, i) for i in range(len(paint["tensors"]))],
         [("p0", "inout", "u8", 5120, (9, 9), (1, 9)), ("p1", "inout", "u8", 3072, (9, 9), (9, 9)),
          ("p2+8", "inout", "u8", 50000, (9, 9), (2, 9))])
    must("bounds", only("extent", paint), {"extent_p0": "neighbour", "extent_p1": "allocation", "extent_p2+8": "cap"})
    must("no description", only(("op", "description", "refused"), paint), {})
    must("many", (len(many["tensors"]), attrs(many)["more_buffers"], many["tensors"][15]["name"]), (16, 4, "p0+120"))
    must("refusal", only(("op", "refused", "extent"), refused), {"refused": "launches.kd:14: the grid is not two", "extent_p0": "neighbour"})
    must("a refused launch's buffer", tensor(refused, 0)[:4], ("p0", "inout", "u8", 256))
    step_there(captured, None, None)
    must("captured", attrs(captured)["captured"], 1)
    must("a failure", (failed["returned"], tensor(failed, 0)[4]), (1, (12, 12)))
    must("after a failure", tensor(failed, 1)[5], "launch failed")
    for outer, launch in (dot, inner), (dot2, inner2):
        must("inside a library call", (launch["parent"], launch["depth"], launch["tensors"]), (outer["event"], 1, []))
        must("nothing of what it means", only(("op", "description", "extent"), launch), {})
    step_there(on_thread, (13, 13), (14, 14))
    step_there(last, (15, 15), (16, 16))
    must("threads", on_thread["tid"] == last["tid"] == inner2["tid"] != paint["tid"], True)
    return True


def often_there(events):
    """Launches of which nobody told the end: what was before them is there all the same."""
    must("launches", len(events), 100)
    for i in list(range(5)) + list(range(60, 70)) + [99]:
        must("before %d" % i, tensor(show(EKKA, TRACE, events[i]["event"]), 0)[4], (i, i))
    return True


def arrays_there(events):
    """An array of pointers as the host sent it, with its second item sent again and the third one's memory freed, and filled."""
    shown = [show(EKKA, TRACE, x["event"]) for x in events if x["name"] == "_Z7throughPPfi"]
    sizes = {"p0": 1016, "p0[0]": 1024, "p0[1]": 2048, "p0[2]": 3072}
    for i, items in enumerate((["p0[0]", "p0[1]", "p0[2]"], ["p0[0]"], [])):
        must("buffers of %d" % i, [(t["name"], t["span_bytes"]) for t in shown[i]["tensors"]], [(n, sizes[n]) for n in ["p0"] + items])
        must("bounds of %d" % i, only("extent", shown[i]), {"extent_" + n: "allocation" for n in ["p0"] + items})
    leads = [[(p["word"], p["offset"], show(EKKA, TRACE, p["allocated_by"])["tensors"][0]["span_bytes"]) for p in s["tensors"][0].get("leads_to", [])]
             for s in shown]
    must("where it leads", leads, [[(0, 0, 1024), (1, 0, 2048), (2, 0, 3072)], [(0, 0, 1024)], []])
    must("an item", tensor(shown[0], 3), ("p0[2]", "inout", "u8", 3072, (9, 9), (0, 64)))
    return True


def modules(events):
    """Launches that name the code they come from."""
    return [x["event"] for x in events if "module" in show(EKKA, TRACE, x["event"])]


def timed(events):
    """Events that have a GPU time."""
    return [x["event"] for x in events if show(EKKA, TRACE, x["event"])["gpu_ns"] is not None]


def ran(events):
    """Launches that are inside nothing, did not fail and went into no graph."""
    shown = [show(EKKA, TRACE, x["event"]) for x in events]
    return [e["event"] for e in shown if e["library"] == "kernel" and e["depth"] == 0 and e["returned"] == 0 and "captured" not in attrs(e)]


def via(events):
    """How launches were seen, in the order of its first appearance."""
    return list(dict.fromkeys(show(EKKA, TRACE, x["event"])["via"] for x in events if x["name"] != "cblas_sdot"))


STEP = "_Z4axpbPfPKfffi"
EKKA, TRACE = sys.argv[1:3]
e = lines(EKKA, "log", "--json", TRACE)
with open(sys.argv[3]) as f:
    text = f.read()
if not eval(sys.argv[4]):
    print("not %s: %s; %r" % (sys.argv[4], [x["name"] for x in e], text))
    sys.exit(1)
