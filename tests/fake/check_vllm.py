#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_vllm.py EKKA TRACE OUTPUT [REGEX]: of the launches of tests/gpu/vllm_cases.cu, or of kernels whose mangled names match, are those judged wrong that OUTPUT, what the program printed, says are wrong, and all others right?"""
import json
import re
import subprocess
import sys


# What the report says that a defect looks like, in part. The others have no simple explanation, or are named only by the difference they make.
LOOKS = {
    "eps": "as if eps was 0.1 instead of 0.001",
    "no_weight": "as if there was no weight",
    "no_residual": "as if the residual was not added",
    "residual_not_stored": "not written: still what event",
    "rope_halves": "as if the two elements of every pair were swapped",
    "rope_position": "as if every position was one more",
    "rope_no_offset": "as if the offsets were not added",
    "gate_up": "as if in0 and in1 were swapped",
    "threshold": "as if threshold was 0 instead of 0.25",
    "gelu_constant": "a constant factor: 0.898",
    "slot": "as if index 3 of out0 was one more",
    "cache_scale": "a constant factor: 0.25",
    "flash_slot": "as if index 1 of out0 was one more",
    "flash_head": "as if shifted by a row",
    "last_key": "as if the last key was missing",
    "no_alibi": "as if there was no ALiBi",
    "part_scale": "as if the scale was 0.137",
    "part_sum": "a constant factor: 1.01",
    "last_part": "as if the last part was left out",
    "fp8_no_scale": "as if there was no scale",
    "fp8_amax": "as if only the first 1 of 640 elements were reduced",
    "fp8_row": "as if shifted by a row",
    "fp8_strided_amax": "a constant factor: 2 times",
    "fp8_bound": "as if scale_ub was ignored",
    "int8_truncated": "as if it was cut toward zero",
    "int8_zero": "as if there was no zero point",
    "int8_range": "as if the largest number was one more",
    "int8_zero_point": "off by a constant: 1 added",
    "topk_weights": "as if the weights were renormalised",
    "softmax_column": "as if the sum ended at element 59 of 60",
    "sum_expert": "as if the last element of every row was left out",
}


def lines(*command):
    return [json.loads(line) for line in subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()]


def check(ekka, trace, output, kernels="vllm"):
    """What is not as it should be, in words; a summary; and wrong launches whose explanation is another than expected."""
    told = [line.split() for line in output.splitlines()]
    count = next(int(words[0]) for words in told if words[1:] == ["launches"])
    planted = {int(words[0]): words[1:] for words in told if words[1:] != ["launches"]}
    launches = [e["event"] for e in lines(ekka, "log", "--json", trace) if re.search(kernels, e["name"])]
    status = subprocess.run([ekka, "replay", "--json", trace], stdout=subprocess.PIPE)
    report = json.loads(status.stdout)
    wrong = []
    if len(launches) != count:
        wrong.append("%d launches recorded, %d launched" % (len(launches), count))
    s = report["summary"]
    if s["judged"] != count or s["pass"] != count - len(planted) or s["fail"] != len(planted):
        wrong.append("of %d launches %s" % (count, {k: s[k] for k in ("judged", "pass", "fail", "undecided", "unsupported", "incomplete")}))
    failed = {x["event"] for x in report["suspects"] if x["verdict"] == "FAIL"}
    for place, event in enumerate(launches):
        if (place in planted) != (event in failed):
            wrong.append("launch %d, event %d: %s" % (place, event, " ".join(planted[place]) + " passed" if place in planted else "failed"))
    looks = {x["event"]: x["looks_like"] for x in report["suspects"]}
    unnamed = ["%s looks like '%s', not '%s'" % (words[0], looks.get(launches[place], ""), LOOKS[words[0]]) for place, words in planted.items()
               if words[0] in LOOKS and place < len(launches) and LOOKS[words[0]] not in looks.get(launches[place], "")]
    return wrong, "%d launches, %d wrong, %d judged wrong, %d of %d explained as expected" % (
        count, len(planted), len(failed), sum(words[0] in LOOKS for words in planted.values()) - len(unnamed),
        sum(not words[0].startswith("again:") for words in planted.values())), unnamed


if __name__ == "__main__":
    with open(sys.argv[3]) as f:
        problems, summary, unnamed = check(sys.argv[1], sys.argv[2], f.read(), *sys.argv[4:])
    print("\n".join(problems + unnamed) or summary)
    sys.exit(len(problems + unnamed) > 0)
