# SPDX-License-Identifier: Apache-2.0
"""Step "hard" of the GPU suite: programs in bad conditions, and windows. The program's status is its own, the end comes in bounded time, the trace
opens, nothing in it is wrong, and it holds what it must."""
import concurrent.futures
import json
import os

LIMIT = 60  # seconds for any of them; the longest wait of ours is 10
KILLED = 137  # `ekka record` returns 128 + the signal

# Name, program, how, environment, expected status, what must hold of the summary.
ROWS = [
    ("exit", "hard", "exit", {}, 0, lambda s: s["pass"] == 8 == s["ops"]),
    ("exit from a thread", "hard", "thread", {}, 0, lambda s: s["pass"] == 8 == s["ops"]),
    ("_exit", "hard", "_exit", {}, 0, lambda s: s["pass"] == 8 == s["ops"]),
    ("main thread gone", "hard", "main", {}, 0, lambda s: s["pass"] == 9 == s["ops"]),
    ("fork after CUDA", "hard", "fork", {}, 0, lambda s: s["pass"] == 8 == s["ops"]),
    ("fork before CUDA", "hard", "fork-first", {}, 0, lambda s: s["pass"] == 16 == s["ops"]),
    ("refused call", "hard", "refused", {}, 0, lambda s: s["pass"] == 8 and s["ops"] == 9),
    ("reset", "hard", "reset", {}, 0, lambda s: s["ops"] == 16 and s["pass"] >= 8),
    ("reset, no launches", "hard", "reset", {"EKKA_LAUNCHES": "off"}, 0, lambda s: s["ops"] == 16 and s["pass"] >= 8),
    ("killed", "hard", "kill", {}, KILLED, lambda s: 0 < s["pass"] <= s["ops"] <= 16),
    ("killed, synchronous", "hard", "kill", {"EKKA_SYNC": "1"}, KILLED, lambda s: 0 < s["pass"] <= s["ops"] <= 16),
    ("cuBLAS unloaded", "hard-dlsym", "unload", {}, 0, lambda s: s["pass"] == 9 == s["ops"]),
    ("illegal launch", "hard", "illegal", {}, 0, lambda s: s["pass"] == 8 and s["ops"] == 9),
    ("kernel that traps", "hard", "sticky", {}, 0, lambda s: s["ops"] >= 9),
    ("little pinned memory", "hard", "wait", {"EKKA_CUDA_PINNED": "4K"}, 0, lambda s: s["pass"] + s["incomplete"] == 8),
    ("little of both, drop", "hard", "wait", {"EKKA_CUDA_STAGING": "20K", "EKKA_CUDA_PINNED": "20K", "EKKA_WHEN_FULL": "drop"}, 0,
     lambda s: s["pass"] + s["incomplete"] == 8),
    ("budget spent", "hard", "wait", {"EKKA_BUDGET": "32K", "EKKA_COMPRESS": "0"}, 0, lambda s: s["incomplete"] > 0 and s["dropped"] > 0),
]

NVTX = """
import torch
x = torch.randn(64, 64, device="cuda")
for i in range(5):
    torch.cuda.nvtx.range_push("step %d" % i)
    y = (x @ x).relu()
    torch.cuda.nvtx.range_pop()
torch.cuda.synchronize()
print(torch.isfinite(y).all().item())
"""


def record_and_judge(suite, name, argv, env, expected, holds, preload=None):
    step = "hard " + name
    trace, status, _, seconds = suite.record(step, argv, env, LIMIT, preload=preload)
    opened, _, _ = suite.run(step + ".fsck", [suite.ekka, "fsck", trace], dict(os.environ), 30)
    report, _ = suite.replay(step, trace, 60)
    s = report["summary"] if report else {"fail": -1, "ops": 0}
    good = status == expected and s["fail"] == 0 and (opened == 0 or expected == KILLED) and holds(s)
    return step, good, "status %d, %.1f s; fsck %d; %s" % (
        status, seconds, opened, {k: s.get(k) for k in ("ops", "pass", "fail", "unsupported", "incomplete", "dropped", "left_out")})


def all_memory(suite):
    """Everything is taken in chunks: with us the program gets all but what a few kernels and streams of ours need, though we held 1 GiB."""
    argv = [os.path.join(suite.suite, "hard"), "all-memory"]
    env = dict(suite.cuda_env, EKKA_CUDA_STAGING="1G")
    _, plain, _ = suite.run("hard all memory.plain", argv, suite.cuda_env, LIMIT)
    trace, status, out, seconds = suite.record("hard all memory", argv, env, LIMIT)
    report, _ = suite.replay("hard all memory", trace, 60)
    s = report["summary"] if report else {"fail": -1}
    alone, ours = (int(text.split()[1]) if text.startswith("chunks") else -1 for text in (plain, out))
    suite.row("hard all memory", status == 0 and s["fail"] == 0 and 0 <= alone - ours <= 2 and s["pass"] == 16,
              "%d chunks of 64 MiB, %d without us; status %d, %.1f s, %s" % (ours, alone, status, seconds, s))


def window(suite):
    """PyTorch's ranges: the work of one step out of five."""
    trace, status, out, seconds = suite.record("hard window", [suite.args.python, "-c", NVTX], dict(os.environ, EKKA_WINDOW="step 3"), LIMIT)
    report, _ = suite.replay("hard window", trace, 60)
    _, events, _ = suite.run("hard window.log", [suite.ekka, "log", "--json", "--depth", "0", trace], dict(os.environ), 30)
    names = [e["name"] for e in map(json.loads, events.splitlines())]
    s = report["summary"] if report else {}
    suite.row("hard window", status == 0 and len(names) == 2 and s.get("pass") == 2 and s.get("left_out", 0) > 0 and out == "True\n",
              "status %d, %.1f s; %s; %s" % (status, seconds, [n[:40] for n in names], s))


def run(suite):
    jobs = []
    with concurrent.futures.ThreadPoolExecutor(suite.args.jobs) as pool:
        for name, program, how, extra, expected, holds in ROWS:
            argv = [os.path.join(suite.suite, program), how]
            jobs.append(pool.submit(record_and_judge, suite, name, argv, dict(suite.cuda_env, **extra), expected, holds))
        for other in ("libfaulty-cublas.so", "libfaulty-launch.so"):
            argv = [os.path.join(suite.suite, "hard"), "wait"]
            other = os.path.join(suite.suite, other)
            shim = suite.shim()
            for order, preload in (("before", other + ":" + shim), ("behind", shim + ":" + other)):
                jobs.append(pool.submit(record_and_judge, suite, "%s %s" % (os.path.basename(other), order), argv, suite.cuda_env, 0,
                                        lambda s: s["pass"] == 8 == s["ops"], preload))
    for job in jobs:
        suite.row(*job.result())
    all_memory(suite)
    window(suite)
