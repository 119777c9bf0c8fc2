#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_vllm.py EKKA TRACE OUTPUT [REGEX]: of the launches of tests/gpu/vllm_cases.cu, or of kernels whose mangled names match, are those judged wrong that OUTPUT, what the program printed, says are wrong, and all others right?"""
import json
import re
import subprocess
import sys


def lines(*command):
    return [json.loads(line) for line in subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()]


def check(ekka, trace, output, kernels="vllm"):
    """What is not as it should be, in words; and a summary."""
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
    return wrong, "%d launches, %d wrong, %d judged wrong" % (count, len(planted), len(failed))


if __name__ == "__main__":
    with open(sys.argv[3]) as f:
        problems, summary = check(sys.argv[1], sys.argv[2], f.read(), *sys.argv[4:])
    print("\n".join(problems) or summary)
    sys.exit(len(problems) > 0)
