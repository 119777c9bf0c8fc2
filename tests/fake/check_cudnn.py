#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_cudnn.py EKKA TRACE: does the trace say what tests/gpu/cudnn_cases.c did?"""
import json
import subprocess
import sys

FAILED = []


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode()


def check(what, got, want):
    if got != want:
        FAILED.append("%s: %r, not %r" % (what, got, want))


def tensors(event):
    return {t["name"]: t for t in event["tensors"]}


def shape(event, name):
    t = tensors(event).get(name)
    return (t["dtype"], t["dims"], t["strides"]) if t else None


def attention(event, wanted, scale, shapes):
    a = event["attributes"]
    check("%s op" % event["event"], (a.get("op"), a.get("refused")), ("attention", None))
    check("%s scale" % event["event"], round(a.get("scale", 0), 6), round(scale, 6))
    check("%s mask" % event["event"], {k: v for k, v in a.items() if k in ("causal", "window_left", "window_right")}, wanted)
    for name, want in shapes.items():
        check("%s %s" % (event["event"], name), shape(event, name), want)


def main():
    ekka, trace = sys.argv[1:3]
    log = [json.loads(line) for line in run(ekka, "log", "--json", trace).splitlines()]
    events = [json.loads(run(ekka, "show", "--json", str(e["event"]), trace)) for e in log if e["name"] == "cudnnBackendExecute"]
    check("number of executions", len(events), 24)
    ops = [e["attributes"].get("op") for e in events]
    check("ops", ops, ["attention"] * 6 + ["conv"] * 6 + ["matmul"] * 2 + ["elementwise"] * 2 + [None] + ["norm"] * 3 + ["elementwise"] + ["pool"] * 3)
    for e in events:
        check("%s: status" % e["event"], e["status"], "complete")
        check("%s: result" % e["event"], e["returned"], 0)
        check("%s: outermost" % e["event"], e["depth"], 0)
        check("%s: stream" % e["event"], e["stream"] not in ("0x0", 0), True)
    causal, decode, bias, *scales = events[:6]
    attention(causal, {"causal": "top-left"}, 32 ** -0.5, {
        "q": ("bf16", [2, 4, 40, 32], [5120, 32, 128, 1]), "k": ("bf16", [2, 2, 40, 32], [2560, 32, 64, 1]),
        "v": ("bf16", [2, 2, 40, 32], [2560, 32, 64, 1]), "out": ("bf16", [2, 4, 40, 32], [5120, 32, 128, 1]), "lse": None})
    attention(decode, {}, 64 ** -0.5, {"q": ("bf16", [1, 4, 1, 64], [256, 64, 256, 1]), "lse": ("f32", [1, 4, 1], [4, 1, 1])})
    attention(bias, {}, 32 ** -0.5, {"bias": ("f16", [2, 2, 24, 56], [0, 1344, 56, 1]), "lse": ("f32", [2, 2, 24], [48, 24, 1])})
    for i, e in enumerate(scales):
        attention(e, {"causal": "top-left"}, (1 + i) * 32 ** -0.5, {})
    check("conv-bias-relu", {k: v for k, v in events[6]["attributes"].items() if k not in ("op", "engine", "numerical_notes", "workspace", "workspace_bytes")},
          {"pad": "1,1", "stride": "1,1", "dilation": "1,1", "groups": 1, "alpha": 1.0, "activation": "relu", "algorithm": "gemm", "compute": "f32"})
    check("conv-bias-relu x", shape(events[6], "x"), ("f16", [2, 16, 12, 12], [2304, 1, 192, 16]))
    check("conv-bias-relu bias", shape(events[6], "bias"), ("f16", [32], [1]))
    check("engines", [(e["attributes"].get("numerical_notes"), e["attributes"].get("compute")) for e in events[6:8]], [(1, "f32"), (0, "f32")])
    check("conv-stride", [events[7]["attributes"][k] for k in ("stride", "groups")], ["2,2", 1])
    check("conv-groups", [events[8]["attributes"][k] for k in ("dilation", "groups")], ["2,2", 2])
    check("conv-add", (events[9]["attributes"].get("beta"), shape(events[9], "z") is not None), (0.5, True))
    check("product", (events[12]["attributes"]["epilogue"], shape(events[12], "A")), ("default", ("bf16", [2, 32, 64], [2048, 1, 32])))
    check("product-bias", (events[13]["attributes"]["epilogue"], shape(events[13], "bias")), ("bias", ("bf16", [32, 1], [1, 1])))
    check("transposed", ([events[10]["attributes"][k] for k in ("transposed", "stride", "groups")], shape(events[10], "x"), shape(events[10], "y")),
          ([1, "2,2", 1], ("f16", [2, 32, 7, 7], [1568, 1, 224, 32]), ("f16", [2, 16, 13, 13], [2704, 1, 208, 16])))
    check("transposed-groups", (events[11]["attributes"]["groups"], shape(events[11], "w")), (2, ("f32", [16, 4, 3, 3], [36, 9, 3, 1])))
    check("pointwise", [e["attributes"]["expr"] for e in events[14:16]],
          ["out0 = abs(in0)", "t01 = in0 - in1; t03 = t01 * in2; t05 = t03 * in3; out0 = t05 + in4; out1 = sigmoid(out0)"])
    check("layer-norm", (events[17]["attributes"]["kind"], round(events[17]["attributes"]["eps"], 9), shape(events[17], "x"), shape(events[17], "weight")),
          ("layer", 0.001, ("bf16", [48, 256], [256, 1]), ("bf16", [256], [1])))
    check("instance-norm", (shape(events[19], "x"), shape(events[19], "bias")), (("f16", [2, 16, 64], [1024, 1, 16]), ("f32", [16, 64], [1, 0])))
    check("batch-norm", shape(events[20], "in2"), ("f32", [2, 16, 8, 8], [0, 1, 0, 0]))
    check("pools", [[e["attributes"].get(k) for k in ("kind", "window", "stride", "pad", "pad_end")] for e in events[21:]],
          [[kind, "3,3", "2,2", "1,1", "1,1"] for kind in ("max", "avg_padded", "avg")])
    unknown = events[16]
    check("an unknown graph", sorted(tensors(unknown)), ["X_0", "Y_1", "graph"])
    check("an unknown graph's reason", unknown["attributes"].get("refused"), "this operation graph has no reference")
    for line in FAILED:
        print(line)
    return len(FAILED) != 0


if __name__ == "__main__":
    sys.exit(main())
