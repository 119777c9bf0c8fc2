#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_memory.py EKKA TRACE CONDITION: is the condition true of the events of tests/fake/memory.c?"""
import json
import subprocess
import sys

EKKA, TRACE, CONDITION = sys.argv[1:4]
PLAIN = """cuMemHostAlloc cuMemAlloc cuMemAlloc cuMemcpyHtoD cuMemcpyDtoDAsync cuMemcpyDtoHAsync cuStreamSynchronize cuMemsetD8Async cuMemsetD32
cuMemcpy cuMemcpyDtoHAsync cuStreamSynchronize cuMemcpyDtoHAsync cuStreamSynchronize cuMemcpyHtoD cuMemAlloc cuMemFree""".split()
ORDERED = """cuMemAllocAsync cuMemsetD8Async cuEventRecord cuStreamWaitEvent cuMemcpyDtoHAsync cuStreamSynchronize cuMemFreeAsync
cuEventSynchronize cuCtxSynchronize""".split()
BOXES = """cuMemAllocPitch cuMemAlloc cuMemcpy2DAsync cuStreamSynchronize cuMemcpy3D cuMemcpyDtoHAsync cuStreamSynchronize cuMemsetD2D32Async
cuStreamSynchronize cuMemFree cuMemFree""".split()
MAPPED = """cuMemAddressReserve cuMemMap cuMemSetAccess cuMemMap cuMemSetAccess cuMemsetD8Async cuMemcpyDtoHAsync cuStreamSynchronize cuMemUnmap
cuMemUnmap cuMemAddressFree cuMemFreeHost""".split()


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode()


def must(what, got, want):
    if got != want:
        print("%s: %r, not %r" % (what, got, want))
        raise SystemExit(1)


def base(name):
    for ending in ("_ptsz", "_ptds", "_v2"):
        name = name[:-len(ending)] if name.endswith(ending) else name
    return name


def args(event):
    return {a["name"]: a["value"] for a in event["arguments"]}


def tensors(event):
    return [(t["name"], t["dir"], t["place"], t["dims"], t["strides"], t["span_bytes"]) for t in event["tensors"]]


def address(event, i=0):
    return int(event["tensors"][i]["address"], 16)


def line(n):
    return ([n], [1], n)


def all_there(way):
    must("names", [base(x["name"]) for x in e], PLAIN + ORDERED + BOXES + MAPPED)
    s = [json.loads(run(EKKA, "show", "--json", str(x["event"]), TRACE)) for x in e]
    must("library", {x["library"] for x in e}, {"driver"})
    must("no bytes", [d for x in s for t in x["tensors"] for d in (t.get("before"), t.get("after")) if d], [])
    own = "0x2" if way == "proc-thread" else "0x0"
    plain, ordered, boxes, mapped = s[:17], s[17:26], s[26:37], s[37:]
    alloc, up, within, down = plain[1], plain[3], plain[4], plain[5]
    a, b = (int(x["attributes"]["address"], 16) for x in plain[1:3])
    must("an allocation", tensors(alloc), [("memory", "out", "device", *line(1000))])
    must("its address", address(alloc), a)
    must("its arguments", args(alloc)["bytes"], 1000)
    must("up", tensors(up), [("src", "in", "host", *line(1000)), ("dst", "out", "device", *line(1000))])
    must("within", (address(within), address(within, 1)), (a + 100, b))
    must("within", tensors(within), [("src", "in", "device", *line(900)), ("dst", "out", "device", *line(900))])
    must("down", [t[2] for t in tensors(down)], ["device", "host"])
    must("ops", [x["attributes"].get("op") for x in plain[3:10]], ["copy", "copy", "copy", None, "fill", "fill", "copy"])
    must("fill", (tensors(plain[7]), plain[7]["attributes"]["value"]), ([("dst", "out", "device", *line(10))], 0x5a))
    must("fill by words", (tensors(plain[8]), address(plain[8]), plain[8]["attributes"]["value"], plain[8]["attributes"]["element"]),
         ([("dst", "out", "device", *line(16))], b + 12, 0x01020304, 4))
    must("any to any", [t[2] for t in tensors(plain[9])], ["host", "device"])
    must("a failure", (plain[14]["returned"], plain[15]["returned"], tensors(plain[15])), (1, 2, []))
    must("freed", int(args(plain[16])["p"], 16), b)
    must("default stream", plain[5]["stream"], own)
    record, wait = ordered[2:4]
    must("one event", record["attributes"]["event"], wait["attributes"]["event"])
    must("streams", (record["stream"] != wait["stream"], wait["stream"]), (True, ordered[4]["stream"]))
    must("event to wait for", ordered[7]["attributes"]["event"], record["attributes"]["event"])
    must("stream of an allocation", ordered[0]["stream"], record["stream"])
    rect, box, fill = boxes[2], boxes[4], boxes[7]
    must("rows", tensors(rect), [("src", "in", "host", [3, 5], [20, 1], 45), ("dst", "out", "device", [3, 5], [512, 1], 2 * 512 + 5)])
    must("layers", tensors(box), [("src", "in", "device", [3, 1, 5], [512, 512, 1], 2 * 512 + 5), ("dst", "out", "device", [3, 1, 5], [5, 5, 1], 15)])
    must("a pitched allocation", tensors(boxes[0])[0][3], [3 * 512])
    must("a fill of rows", tensors(fill), [("dst", "out", "device", [2, 4], [512, 1], 516)])
    must("mapped", tensors(mapped[1]), [("memory", "out", "device", *line(1 << 16))])
    must("unmapped", (mapped[8]["returned"], mapped[9]["returned"]), (1, 0))
    return True


e = [json.loads(x) for x in run(EKKA, "log", "--json", "--all", TRACE).splitlines()]
if not eval(CONDITION):
    print("not %s: %s" % (CONDITION, [x["name"] for x in e]))
    sys.exit(1)
