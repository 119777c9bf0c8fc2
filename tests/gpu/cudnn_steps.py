# SPDX-License-Identifier: Apache-2.0
"""Steps "cudnn" and "cudnnfaults" of the GPU suite: what programs compute with cuDNN is judged whole and right; one spoiled execution is
named."""
import concurrent.futures
import json
import os
import shutil

EXECUTE = "cudnnBackendExecute"
UNKNOWN = ["sums"]  # the subject's graphs that have no reference
# Kind of fault, first execution that it may strike, the subject's case.
FAULTS = [("scale", 1, "attention-causal"), ("scale", 1, "attention-decode"), ("scale", 2, "attention-scales"), ("stale-scale", 1, "attention-scales"),
          ("skip", 1, "attention-bias"), ("skip", 1, "conv-bias-relu"), ("skip", 1, "conv-groups"), ("skip", 1, "product")]
TORCH_FAULTS = [("scale", 1, "sdpa causal"), ("scale", 2, "sdpa gqa"), ("scale", 1, "sdpa bias"), ("stale-scale", 1, "sdpa scale"),
                ("skip", 1, "sdpa plain"), ("skip", 2, "sdpa decode"), ("skip", 1, "conv2d"), ("skip", 3, "conv2d stride"), ("skip", 1, "transposed")]


def subject(suite, mode):
    if mode == "local":
        return [os.path.join(suite.suite, "cases-local"), os.path.join(suite.suite, "cudnn-plugin.so")]
    return [os.path.join(suite.suite, "cudnn-" + mode)]


def lines(out, word):
    return [line.split(" ", 1)[1] for line in out.splitlines() if line.startswith(word + " ")]


def row(suite, step, trace, good, note, lacking):
    """A row for a clean trace of which exactly `lacking` events have no verdict."""
    report, seconds = suite.replay(step, trace, 300, ["--verbose", "--margins"])
    if report is None:
        return suite.row(step, False, "no report; " + note)
    s = report["summary"]
    suite.odd_verdicts(step, report)
    # The operation graphs without a reference, as bytes of JSON, for the logs.
    for v in [v for v in report.get("verdicts", []) if v["verdict"] == "UNSUPPORTED" and v["name"] == EXECUTE][:6]:
        suite.run("%s.graph-%d" % (step, v["event"]), [suite.ekka, "show", "--json", "-t", "graph", "-s", "0:8000", str(v["event"]), trace], dict(os.environ), 30)
    suite.facts[step] = dict(s, replay_s=seconds)
    suite.row(step, good and s["fail"] == 0 and s["pass"] > 0 and s["ops"] - s["pass"] == lacking,
              "%d ops, %d pass, %d FAIL, %d undecided, %d unsupported, %d incomplete, %d dropped; %d expected without verdict; replay %.1f s; %s" % (
                  s["ops"], s["pass"], s["fail"], s["undecided"], s["unsupported"], s["incomplete"], s["dropped"], lacking, seconds, note))
    return None


def clean(suite):
    env = dict(suite.cuda_env, EKKA_LAUNCHES="off")
    for mode in ("linked", "dlsym", "local"):
        name = "cudnn-" + mode
        trace, status, out, _ = suite.record(name, subject(suite, mode), env)
        wrong, none = lines(out, "WRONG"), lines(out, "skipped")
        row(suite, "cudnn " + mode, trace, status == 0 and not wrong, "subject: status %d, wrong: %s, no engine here: %s" % (
            status, wrong or "none", " ".join(none) or "none"), len([x for x in UNKNOWN if x not in none]))
    trace, status, out, _ = suite.record("cudnn-legacy", [os.path.join(suite.suite, "cudnn-legacy")], env)
    refused = lines(out, "skipped")
    row(suite, "cudnn legacy", trace, status == 0, "subject: status %d, %s; refused here: %s" % (
        status, (out.splitlines() or ["nothing"])[-1], " ".join(refused) or "none"), len(refused))
    if suite.args.fake:
        return
    argv = [suite.args.python, os.path.join(suite.here, "cudnn_torch.py")]
    trace, status, out, seconds = suite.record("cudnn-torch", argv, dict(os.environ, EKKA_LAUNCHES="off"), 200)
    try:
        result = json.loads(out)
    except ValueError:
        suite.row("cudnn torch", False, "no result; record's status is %d" % status)
        return
    row(suite, "cudnn torch", trace, status == 0 and not result["wrong"], "%d computed, wrong: %s, skipped: %s; record %.1f s" % (
        len(result["ran"]), result["wrong"] or "none", result["skipped"] or "none", seconds), 0)
    shutil.rmtree(trace, ignore_errors=True)


def fault(suite, program, argv, env, kind, first, case):
    """One spoiled execution: (ranked first and alone, or None where it cannot be planted here; detail)."""
    name = "fault-%s-%s-%s" % (program, kind, case.replace(" ", "-"))
    log = os.path.join(suite.work, name + ".log")
    if os.path.exists(log):
        os.remove(log)
    env = dict(env, EKKA_LAUNCHES="off", FAULTY_KIND=kind, FAULTY_CALL=str(first), FAULTY_LOG=log)
    trace, status, out, _ = suite.record(name, argv + [case], env, 120, preload=os.path.join(suite.suite, "libfaulty-cudnn.so"))
    if not os.path.exists(log):
        return None if lines(out, "skipped") else False, "the fault did not strike; status %d" % status
    with open(log) as f:
        number = int(f.read().split()[0])
    status, out, _ = suite.run(name + ".events", [suite.ekka, "log", "--json", trace], dict(os.environ), 60)
    events = {e["event"]: e for e in map(json.loads, out.splitlines())}
    executions = [e for e in events.values() if e["name"] == EXECUTE]
    if status != 0 or len(executions) < number:
        return False, "execution %d is not in the log" % number
    guilty = executions[number - 1]
    while guilty["parent"]:
        guilty = events[guilty["parent"]]
    report, _ = suite.replay(name, trace, 120)
    shutil.rmtree(trace, ignore_errors=True)
    if report is None:
        return False, "no report"
    ranked = report["suspects"][0] if report["suspects"] else {}
    good = ranked.get("event") == guilty["event"] and ranked.get("verdict") == "FAIL" and report["summary"]["fail"] == 1
    return good, "event %s of %d executions: rank 1 is event %s, %d FAIL in all; margin %s; %s; %s" % (
        guilty["event"], len(executions), ranked.get("event"), report["summary"]["fail"], ranked.get("margin"), ranked.get("where"),
        ranked.get("looks_like"))


def faults(suite):
    plans = [("cudnn", subject(suite, "linked"), suite.cuda_env, f) for f in FAULTS]
    if not suite.args.fake:
        plans += [("cudnn-torch", [suite.args.python, os.path.join(suite.here, "cudnn_torch.py")], os.environ, f) for f in TORCH_FAULTS]
    with concurrent.futures.ThreadPoolExecutor(suite.args.jobs) as pool:
        jobs = [(program, f, pool.submit(fault, suite, program, argv, env, *f)) for program, argv, env, f in plans]
        caught = planted = 0
        for program, (kind, _, case), job in jobs:
            good, detail = job.result()
            planted += good is not None
            caught += good is True
            suite.row("%s fault %s, %s" % (program, kind, case), good is not False, detail)
    suite.row("cudnn faults", 0 < planted == caught, "%d of %d ranked first, alone" % (caught, planted))
