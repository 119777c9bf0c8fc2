#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the GPU suite: record, replay, judge; one line per step, all logs in one tarball.

Needs a bundle or an installed tree (bin/ekka, lib/.../libekkatrace.so) and the folder that tests/gpu/build.sh makes
(subjects, faulty cuBLAS). The same script runs the subjects on the fake machine (--fake DIR).
"""
import argparse
import collections
import concurrent.futures
import glob
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time

# What libfaulty-cublas.so counts.
WRAPPED = {"cublasGemmEx", "cublasGemmStridedBatchedEx", "cublasSgemm_v2", "cublasSgemmStridedBatched", "cublasLtMatmul",
           "cublasLtMatrixTransform"}
KINDS = ["k-tail", "half-k", "wrong-lda", "shifted", "swapped", "alpha", "transposed", "batch-stride", "beta", "stale",
         "overrun", "nan-row"]
LT_KINDS = ["lt-no-bias", "lt-no-relu", "lt-no-gelu", "lt-wrong-bias", "lt-rounded-bias", "lt-lost-split", "lt-wrong-scale",
            "lt-no-output-scale", "lt-stale-amax", "lt-stale-aux", "lt-alpha", "lt-stale-bgrad", "lt-wrong-input", "lt-no-gradient",
            "lt-shifted-blocks", "lt-untransposed", "lt-no-sum", "lt-stale-aux-amax", "lt-no-aux-scale", "lt-stale-out-scale"]
# The only case of lt-cases that a fault fits, where there is one: a machine without an algorithm for it is not asked.
LT_NEEDS = {"lt-stale-aux-amax": "e4m3-e4m3-gelu-aux-bias", "lt-no-aux-scale": "e4m3-e4m3-gelu-aux-bias",
            "lt-stale-out-scale": "mxfp8-mxfp8"}
# Launches that are altered after they were recorded (faulty_launch.c): name, part of the kernel's mangled name, which, what is done.
LAUNCH_FAULTS = [
    ("eps", "CUDAFunctorOnSelf_addIf", 5, "mul 1 0 f32 1000"),
    ("dropped-tail", "silu_kernel", 2, "mul 0 0 i32 0.875"),
    ("stale-pointer", "vectorized_elementwise_kernelILi8ENS0_13BinaryFunctorIN3c108BFloat16ES4_S4_NS0_15binary_internal10MulFunctor", 1,
     "add 2 16 i64 512"),
    ("nan-row", "vectorized_elementwise_kernelILi8ENS0_15CUDAFunctor_addIN3c108BFloat16", 3, "fill 2 0 0 1024 255"),
    ("mean-divisor", "MeanOps", 4, "mul 0 0 f32 1.03"),
    ("shifted-input", "rsqrt_kernel", 2, "add 2 8 i64 4"),
    ("not-run", "pow_tensor_scalar_kernel_impl", 3, "skip"),
    ("half-cast", "bfloat16_copy_kernel", 3, "mul 0 0 i32 0.5"),
    ("gather-stride", "vectorized_gather_kernel", 1, "add 6 0 i64 -16"),
    ("cat-input", "CatArrayBatchedCopy", 2, "add 1 8 i64 -64"),
    ("cos-tail", "cos_kernel_cuda", 1, "mul 0 0 i32 0.5"),
    ("rope-not-run", "gpu_kernel_impl_nocastINS0_13BinaryFunctorIN3c108BFloat16", 5, "skip"),
    ("attention-not-run", "sdpa", 3, "skip"),
    ("attention-overwritten", "sdpa", 2, "skip"),
]
FLASH_FAULTS = [
    ("flash-scale", "flash_fwd", 2, "mul 0 216 f32 1.1,mul 0 220 f32 1.1"),
    ("flash-last-key", "flash_fwd", 3, "add 0 184 i32 -1"),
]
GONE = -9  # exit status of what ran past its limit


class Suite:
    def __init__(self, args):
        self.args = args
        self.here = os.path.dirname(os.path.abspath(__file__))
        self.out = os.path.abspath(args.out)
        self.work = os.path.abspath(args.work or tempfile.mkdtemp(prefix="ekka-gpu."))
        self.logs = os.path.join(self.work, "logs")
        os.makedirs(self.logs, exist_ok=True)
        os.makedirs(self.out, exist_ok=True)
        self.bundle = os.path.abspath(args.bundle)
        self.ekka = next(p for p in (self.bundle + "/bin/ekka", self.bundle + "/tools/ekka") if os.path.exists(p))
        self.suite = os.path.abspath(args.suite)
        self.deadline = time.monotonic() + args.budget
        self.rows = []
        self.facts = {}
        self.cuda_env = dict(os.environ, LD_LIBRARY_PATH=":".join(self.library_folders()), EKKA_QUIET="1")

    def library_folders(self):
        """Where libcublas.so.13, libcudart.so.13 and cuDNN with what it loads are: the fake machine's, PyTorch's wheels', the toolkit's."""
        if self.args.fake:
            return [os.path.abspath(self.args.fake)]
        folders = []
        for path in sys.path + glob.glob("/opt/*/.venv/lib/python3*/site-packages"):
            folders += glob.glob(os.path.join(path, "nvidia", "*", "lib"))
        folders += glob.glob("/usr/local/cuda*/lib64") + ["/usr/local/cuda/targets/x86_64-linux/lib"]
        return [f for f in dict.fromkeys(folders)
                if any(glob.glob(f + name) for name in ("/libcublas.so.1*", "/libcudart.so.1*", "/libcudnn.so.9", "/libnvrtc.so.1*"))]

    def shim(self):
        found = glob.glob(self.bundle + "/lib*/**/libekkatrace.so", recursive=True)
        return (found or [self.bundle + "/.libs/libekkatrace.so"])[0]

    # ---- running things ---------------------------------------------------

    def run(self, name, argv, env=None, limit=120):
        """Runs a command, its output in logs/NAME.{out,err}. Returns (status, stdout, seconds)."""
        limit = max(1, min(limit, self.deadline - time.monotonic()))
        base = os.path.join(self.logs, name.replace("/", "-"))
        start = time.monotonic()
        with open(base + ".out", "w+") as out, open(base + ".err", "w") as err:
            err.write("$ %s\n" % " ".join(argv))
            err.flush()
            try:
                status = subprocess.run(argv, stdout=out, stderr=err, env=env, timeout=limit, stdin=subprocess.DEVNULL).returncode
            except subprocess.TimeoutExpired:
                status = GONE
            out.seek(0)
            return status, out.read(), time.monotonic() - start

    def record(self, name, argv, env, limit=120, preload=None, options=()):
        """Records a program. Returns (trace, status, stdout, seconds)."""
        trace = os.path.join(self.work, name + ".ekka")
        shutil.rmtree(trace, ignore_errors=True)
        env = dict(env)
        if preload:
            env["LD_PRELOAD"] = preload
        status, out, seconds = self.run(name + ".record", [self.ekka, "record", "-o", trace, *options, "--", *argv], env, limit)
        return trace, status, out, seconds

    def replay(self, name, trace, limit=180, options=()):
        """Returns (report or None, seconds). 0 and 1 are verdicts; anything else is a failure to replay."""
        status, out, seconds = self.run(name + ".replay", [self.ekka, "replay", "--json", *options, trace], dict(os.environ), limit)
        if status not in (0, 1):
            return None, seconds
        try:
            return json.loads(out), seconds
        except ValueError:
            return None, seconds

    def row(self, step, good, detail):
        mark = "ok" if good else "FAILED"
        self.rows.append((step, mark, detail))
        print("%-28s %-7s %s" % (step, mark, detail), flush=True)
        self.save()

    def save(self):
        with open(os.path.join(self.out, "summary.json"), "w") as f:
            json.dump({"rows": self.rows, "facts": self.facts}, f, indent=1)
        with open(os.path.join(self.out, "summary.txt"), "w") as f:
            f.writelines("%-28s %-7s %s\n" % row for row in self.rows)

    @staticmethod
    def stored(trace):
        return sum(os.path.getsize(f) for f in glob.glob(trace + "/*"))

    def judge(self, step, trace, allowed_incomplete=0, note="", limit=180, options=()):
        """A row for a clean trace: everything judged, nothing wrong."""
        report, seconds = self.replay(step, trace, limit, options)
        if report is None:
            self.row(step, False, "no report; " + note)
            return None
        s = report["summary"]
        lacking = s["undecided"] + s["unsupported"] + s["incomplete"]
        good = s["fail"] == 0 and s["ops"] > 0 and s["judged"] + lacking == s["ops"] and lacking <= allowed_incomplete
        self.facts[step] = dict(s, replay_s=seconds, trace_bytes=self.stored(trace))
        self.row(step, good, "%d ops, %d judged, %d pass, %d FAIL, %d undecided, %d unsupported, %d incomplete; %d dropped; "
                 "replay %.1f s; %.1f MB%s" % (s["ops"], s["judged"], s["pass"], s["fail"], s["undecided"], s["unsupported"],
                                               s["incomplete"], s["dropped"], seconds, self.stored(trace) / 1e6, note))
        return s

    # ---- steps ------------------------------------------------------------

    def step_machine(self):
        status, out, _ = self.run("doctor", [self.ekka, "doctor"], self.cuda_env)
        self.row("doctor", status == 0, out.strip().splitlines()[0] if out.strip() else "no output")
        if not self.args.fake:
            self.run("nvidia-smi", ["nvidia-smi"])
            self.facts["libraries"] = self.library_folders()

    def subject(self, mode):
        if mode == "local":
            return [os.path.join(self.suite, "cases-local"), os.path.join(self.suite, "cases-plugin.so")]
        return [os.path.join(self.suite, "cases-" + mode)]

    def step_cases(self):
        """Every family of calls, three ways of reaching cuBLAS; the subject checks its own results."""
        for mode in ("linked", "local", "dlsym"):
            trace, status, out, _ = self.record("cases-" + mode, self.subject(mode), self.cuda_env)
            wrong = [line for line in out.splitlines() if line.startswith("WRONG")]
            note = "" if status == 0 and not wrong else "; subject: status %d %s" % (status, wrong)
            # A product that goes into a graph does not count; both launches of the graph do, and have no op.
            s = self.judge("cases " + mode, trace, allowed_incomplete=2, note=note, options=["--exact"])
            if status != 0:
                self.row("cases %s, subject" % mode, False, "status %d" % status)
            if s and (s["incomplete"], s["unsupported"]) != (0, 2):
                self.row("cases %s, graph" % mode, False, "a product in a stream capture was not left out")

        self.check_settings()

    def check_settings(self):
        """A call's event carries the handle's state: the first of two with settings of its own, the second with none."""
        trace, _, _, _ = self.record("settings", self.subject("dlsym") + ["settings"], self.cuda_env)
        _, out, _ = self.run("settings.events", [self.ekka, "log", "--json", trace], dict(os.environ), 60)
        found = []
        for event in [e["event"] for e in map(json.loads, out.splitlines()) if e["name"] in WRAPPED and e["depth"] == 0]:
            _, out, _ = self.run("settings.show", [self.ekka, "show", "--json", trace, str(event)], dict(os.environ), 60)
            attributes = json.loads(out)["attributes"]
            found.append([attributes.get(name) for name in ("workspace_bytes", "atomics", "sm_count_target", "pointer_mode")])
        self.row("cases settings", found == [[4 << 20, 1, 8, 0], [None, None, None, 0]], str(found))

    def step_tinylm(self):
        program = os.path.join(self.suite, "tinylm")
        if not os.path.exists(program):
            return self.row("tinylm", False, "not built")
        argv = [program, "--weights", os.path.join(self.suite, "tinylm.bin"), "--prompt", "You may not ", "--tokens", "40",
                "--print-logits-hash"]
        _, plain, _ = self.run("tinylm.plain", argv, self.cuda_env)
        trace, status, text, _ = self.record("tinylm", argv, self.cuda_env)
        same = plain == text and len(plain) > 0
        self.judge("tinylm", trace, note="; %s text, status %d" % ("same" if same else "OTHER", status))
        if not same or status != 0:
            self.row("tinylm, text", False, "differs from the plain run's")
        return None

    def fault(self, program, argv, env, kind, call, limit):
        """One fault: (caught first, detail); None instead of caught: this machine cannot compute what the fault would spoil."""
        name = "fault-%s-%s" % (program, kind)
        log = os.path.join(self.work, name + ".log")
        if os.path.exists(log):
            os.remove(log)
        env = dict(env, FAULTY_KIND=kind, FAULTY_CALL=str(call), FAULTY_LOG=log)
        trace, _, out, _ = self.record(name, argv, env, limit, preload=os.path.join(self.suite, "libfaulty-cublas.so"))
        if not os.path.exists(log):
            if "skipped %s" % LT_NEEDS.get(kind) in out.splitlines():
                return None, "no algorithm here for %s" % LT_NEEDS[kind]
            return False, "the fault did not strike"
        with open(log) as f:
            number, function, *shape = f.read().split()
        status, out, _ = self.run(name + ".events", [self.ekka, "log", "--json", trace], dict(os.environ), 60)
        events = [e for e in map(json.loads, out.splitlines()) if e["name"] in WRAPPED and e["depth"] == 0]
        if status != 0 or len(events) < int(number) or events[int(number) - 1]["name"] != function:
            return False, "call %s of %s is not in the log" % (number, function)
        guilty = events[int(number) - 1]["event"]
        # One rounding too many does not stand out in a screen.
        report, _ = self.replay(name, trace, limit, ["--exact"] if kind == "lt-rounded-bias" else [])
        shutil.rmtree(trace, ignore_errors=True)
        if report is None:
            return False, "no report"
        first = report["suspects"][0] if report["suspects"] else {}
        good = first.get("event") == guilty and first.get("verdict") == "FAIL"
        detail = "event %s %s %s: rank 1 is event %s, %d FAIL in all; margin %s; %s" % (
            guilty, function, "x".join(shape), first.get("event"), report["summary"]["fail"], first.get("margin"), first.get("where"))
        return good and report["summary"]["fail"] == 1, detail

    def step_aten(self):
        """Some 250 operations of PyTorch, three types each."""
        trace, status, out, seconds = self.record("aten", [self.args.python, os.path.join(self.here, "aten.py")], os.environ, 200)
        self.run("aten.kernels", [self.ekka, "kernels", trace])
        report, replay_s = self.replay("aten", trace, 300, ["--verbose", "--margins"])
        if report is None:
            return self.row("aten", False, "no report; status %d" % status)
        s = report["summary"]
        self.odd_verdicts("aten", report)
        self.row("aten", s["fail"] == 0 and status == 0, "%d ops, %d judged, %d pass, %d FAIL, %d undecided, %d unsupported, %d incomplete; "
                 "record %.1f s, replay %.1f s" % (s["ops"], s["judged"], s["pass"], s["fail"], s["undecided"], s["unsupported"],
                                                  s["incomplete"], seconds, replay_s))
        shutil.rmtree(trace, ignore_errors=True)
        return None

    def step_vllm(self):
        """Kernels with vLLM's names and parameters: all right; and with a defect in one launch of each, those alone wrong."""
        program = os.path.join(self.suite, "vllm-cases")
        if not os.path.exists(program):
            return self.row("vllm", False, "not built")
        import check_vllm
        for defects in ("none", "all"):
            name = "vllm-" + defects
            trace, status, out, _ = self.record(name, [program, defects], self.cuda_env)
            self.run(name + ".kernels", [self.ekka, "kernels", trace])
            problems, summary, _ = check_vllm.check(self.ekka, trace, out)  # the explanations count in the summary
            self.row("vllm, defects: " + defects, status == 0 and not problems, "; ".join([summary] + problems[:20]))
        return None

    def step_others(self):
        """JAX and CuPy: the same results, and their products judged."""
        for name in ("jax", "cupy"):
            argv = [self.args.python, os.path.join(self.here, "other_engines.py"), name]
            status, plain, _ = self.run(name + ".plain", argv, limit=120)
            if status != 0:
                self.row(name, False, "does not run here")
                continue
            trace, status, out, seconds = self.record(name, argv, os.environ, 150)
            report, _ = self.replay(name, trace, 120, ["--verbose", "--margins"])
            s = report["summary"] if report else {"fail": -1}
            products = [v["verdict"] for v in (report or {}).get("verdicts", []) if v["op"] in ("gemm", "matmul")]
            if report:
                self.odd_verdicts(name, report)
            self.row(name, plain == out and status == 0 and s["fail"] == 0 and products.count("PASS") > 0,
                     "%s results; %s; %d of %d products pass; record %.1f s" % (
                         "same" if plain == out else "OTHER", {k: s.get(k) for k in ("ops", "judged", "fail", "unsupported", "incomplete")},
                         products.count("PASS"), len(products), seconds))
            shutil.rmtree(trace, ignore_errors=True)

    def step_profiler(self):
        """torch.profiler inside a traced process sees what it sees without us, and so do we."""
        argv = [self.args.python, os.path.join(self.here, "profiled.py")]
        _, plain, _ = self.run("profiler.plain", argv, limit=120)
        trace, status, out, _ = self.record("profiler", argv, os.environ, 150)
        try:
            a, b = json.loads(plain), json.loads(out)
        except ValueError:
            return self.row("profiler", False, "no result; record's status is %d" % status)
        _, events, _ = self.run("profiler.events", [self.ekka, "log", "--all", "--json", trace], dict(os.environ), 60)
        launches = sum(e["library"] == "kernel" for e in map(json.loads, events.splitlines()))
        report, _ = self.replay("profiler", trace, 120)
        s = report["summary"] if report else {"fail": -1}
        profiled = sum(b["kernels"].values())
        # The same work is done before, under and after the profiler.
        self.row("profiler", status == 0 and a == b and profiled > 0 and launches >= 3 * profiled and s["fail"] == 0 and s["judged"] == s["ops"],
                 "%s results, %s kernels profiled: %d; %d launches recorded; %s" % (
                     "same" if a["results"] == b["results"] else "OTHER", "same" if a["kernels"] == b["kernels"] else "OTHER", profiled, launches,
                     {k: s.get(k) for k in ("ops", "judged", "fail", "unsupported", "incomplete")}))
        shutil.rmtree(trace, ignore_errors=True)
        return None

    def launch_fault(self, program, argv, fault, limit):
        """One altered launch: (ranked first and alone, detail)."""
        name, kernel, call, action = fault
        step = "fault-%s-%s" % (program, name)
        log = os.path.join(self.work, step + ".log")
        if os.path.exists(log):
            os.remove(log)
        env = dict(os.environ, FAULTY_KERNEL=kernel, FAULTY_CALL=str(call), FAULTY_DO=action, FAULTY_LOG=log, EKKA_LAUNCHES="driver")
        trace, _, _, _ = self.record(step, argv, env, limit, preload=os.path.join(self.suite, "libfaulty-launch.so"))
        if not os.path.exists(log):
            return False, "the fault did not strike"
        status, out, _ = self.run(step + ".events", [self.ekka, "log", "--json", trace], dict(os.environ), 60)
        events = {e["event"]: e for e in map(json.loads, out.splitlines())}
        hit = [e for e in events.values() if kernel in e["name"] and e["library"] == "kernel"]
        if status != 0 or len(hit) < call:
            return False, "launch %d of %s is not in the log" % (call, kernel)
        guilty = hit[call - 1]
        while guilty["parent"]:
            guilty = events[guilty["parent"]]
        report, _ = self.replay(step, trace, limit)
        shutil.rmtree(trace, ignore_errors=True)
        if report is None:
            return False, "no report"
        first = report["suspects"][0] if report["suspects"] else {}
        good = first.get("event") == guilty["event"] and first.get("verdict") == "FAIL"
        return good and report["summary"]["fail"] == 1, "event %s: rank 1 is event %s, %d FAIL in all; %s; %s; %s; fed %s later calls" % (
            guilty["event"], first.get("event"), report["summary"]["fail"], first.get("name", "")[:60], first.get("where"),
            first.get("looks_like"), first.get("infected"))

    def step_launchfaults(self):
        argv = self.llama("--size", "small", "--batch", "2", "--prompt", "64", "--steps", "3")
        plans = [("launch", argv, f) for f in LAUNCH_FAULTS] + [("launch", argv + ["--backend", "flash"], f) for f in FLASH_FAULTS]
        with concurrent.futures.ThreadPoolExecutor(self.args.jobs) as pool:
            jobs = [(fault[0], pool.submit(self.launch_fault, program, options, fault, 120)) for program, options, fault in plans]
            caught = 0
            for name, job in jobs:
                good, detail = job.result()
                caught += good
                self.row("launch fault " + name, good, detail)
        self.row("launch faults", caught == len(plans), "%d of %d ranked first, alone" % (caught, len(plans)))

    def faults(self, program, argv, env, calls, limit, kinds=KINDS):
        with concurrent.futures.ThreadPoolExecutor(self.args.jobs) as pool:
            jobs = [(kind, pool.submit(self.fault, program, argv, env, kind, call, limit)) for kind, call in zip(kinds, calls)]
            results = []
            for kind, job in jobs:
                good, detail = job.result()
                results.append(good)
                self.row("%s fault %s" % (program, kind), good is not False, detail)
        struck = [good for good in results if good is not None]
        self.row("%s faults" % program, all(struck), "%d of %d ranked first, alone" % (sum(struck), len(struck)))

    def step_hard(self):
        import hard
        hard.run(self)

    def step_cudnn(self):
        import cudnn_steps
        cudnn_steps.clean(self)

    def step_cudnnfaults(self):
        import cudnn_steps
        cudnn_steps.faults(self)

    def step_casefaults(self):
        """The same faults in the C subject, at the first call that each fits."""
        self.faults("cases", self.subject("linked"), self.cuda_env, [1] * len(KINDS), 60)

    def step_lt(self):
        """cuBLASLt: every epilogue, type and scale that it takes here; what PyTorch computes with it."""
        trace, status, out, _ = self.record("lt", [os.path.join(self.suite, "lt-cases")], self.cuda_env)
        skipped = [line.split()[1] for line in out.splitlines() if line.startswith("skipped")]
        note = "; subject: status %d; no algorithm here: %s" % (status, " ".join(skipped) or "none")
        self.judge("lt cases", trace, note=note, options=["--exact"])
        if status != 0:
            self.row("lt cases, subject", False, " ".join(line for line in out.splitlines() if line.startswith("WRONG")))
        if self.args.fake:
            return
        trace, status, out, _ = self.record("lt-torch", [self.args.python, os.path.join(self.here, "lt.py")],
                                               dict(os.environ, EKKA_LAUNCHES="off"), 200)
        try:
            result = json.loads(out)
        except ValueError:
            return self.row("lt torch", False, "no result; record's status is %d" % status)
        self.judge("lt torch", trace, note="; %d products; skipped: %s" % (len(result["ran"]), result["skipped"]), limit=240)
        if result["wrong"] or status != 0:
            self.row("lt torch, results", False, "status %d %s" % (status, result["wrong"]))
        return None

    def step_ltfaults(self):
        self.faults("lt", [os.path.join(self.suite, "lt-cases")], self.cuda_env, [1] * len(LT_KINDS), 60, LT_KINDS)

    def llama(self, *options):
        return [self.args.python, os.path.join(self.here, "llama.py"), *options]

    def step_llama(self):
        """Clean runs: same tokens with and without, every product judged, none wrong."""
        runs = [("small", "2", "128", "sdpa", "bfloat16"), ("small", "2", "128", "eager", "float16"),
                ("small", "2", "128", "eager", "float32"), (self.args.large, "2", "512", "sdpa", "bfloat16")]
        for size, batch, prompt, attn, dtype in runs:
            step = "llama %s %s %s" % (size, attn, dtype)
            argv = self.llama("--size", size, "--batch", batch, "--prompt", prompt, "--attn", attn, "--dtype", dtype)
            _, plain, _ = self.run(step + ".plain", argv, limit=120)
            trace, status, out, seconds = self.record(step, argv, os.environ, 240)
            try:
                a, b = json.loads(plain), json.loads(out)
            except ValueError:
                self.row(step, False, "no result; record's status is %d" % status)
                continue
            note = "; record %.1f s; prefill %.3f s (plain %.3f), decode %.3f s (plain %.3f); %s tokens" % (
                seconds, b["prefill_s"][0], a["prefill_s"][0], b["decode_s"][0], a["decode_s"][0],
                "same" if a["tokens"] == b["tokens"] else "OTHER")
            self.judge(step, trace, note=note, limit=300)
            if a["tokens"] != b["tokens"] or status != 0:
                self.row(step + ", tokens", False, "differ, or status %d" % status)
            shutil.rmtree(trace, ignore_errors=True)

    def step_engine(self):
        """One engine captured and judged whole: every launch and call with its bytes."""
        kinds = [("bfloat16", "cudnn"), ("bfloat16", "flash"), ("bfloat16", "efficient"), ("float16", "math"), ("float32", "efficient"),
                 ("tf32", "efficient")]
        large = kinds if self.args.all_large else kinds[:1]
        runs = [("small", "2", "64", "3", "sdpa", dtype, backend) for dtype, backend in kinds]
        runs += [(self.args.large, "2", "512", "8", "sdpa", dtype, backend) for dtype, backend in large]
        for size, batch, prompt, steps, attn, dtype, backend in runs:
            step = "engine %s %s %s" % (size, backend, dtype)
            if self.args.only not in step:
                continue
            argv = self.llama("--size", size, "--batch", batch, "--prompt", prompt, "--steps", steps, "--attn", attn, "--backend", backend,
                              *(["--dtype", "float32", "--tf32"] if dtype == "tf32" else ["--dtype", dtype]), *(["--no-gqa"] if backend == "efficient" else []))
            _, plain, _ = self.run(step + ".plain", argv, limit=120)
            trace, status, out, seconds = self.record(step, argv, os.environ, 300)
            try:
                a, b = json.loads(plain), json.loads(out)
            except ValueError:
                self.row(step, False, "no result; record's status is %d" % status)
                continue
            same = a["tokens"] == b["tokens"] and status == 0
            undescribed = self.undescribed(step, trace)
            report, replay_s = self.replay(step, trace, 400, ["--verbose", "--margins"])
            if report is None:
                self.row(step, False, "no report; record %.1f s" % seconds)
                continue
            s = report["summary"]
            self.facts[step] = dict(s, record_s=seconds, replay_s=replay_s, trace_bytes=self.stored(trace), plain=a, recorded=b,
                                    undescribed=undescribed)
            covered, of_bytes = s["judged"] / max(s["ops"], 1), s["bytes_judged"] / max(s["bytes_total"], 1)
            self.row(step, same and s["fail"] == 0 and covered >= 0.95 and of_bytes >= 0.99,
                     "%s tokens; %d ops, %.2f %% judged, %.2f %% of %.1f MB written, %.2f %% of %.1f ms on the GPU (%d ops timed); %d pass, %d FAIL, %d undecided, %d unsupported, "
                     "%d incomplete; %d dropped; record %.1f s, replay %.1f s; seen %.1f MB, known %.1f MB, stored %.1f MB" % (
                         "same" if same else "OTHER", s["ops"], 100 * covered, 100 * of_bytes, s["bytes_total"] / 1e6,
                         100 * (s["coverage_gpu_time"] or 0), s["gpu_ns_total"] / 1e6, s["timed"], s["pass"], s["fail"],
                         s["undecided"], s["unsupported"], s["incomplete"], s["dropped"], seconds, replay_s, s["seen_bytes"] / 1e6,
                         s["known_bytes"] / 1e6, self.stored(trace) / 1e6))
            self.odd_verdicts(step, report)
            shutil.rmtree(trace, ignore_errors=True)

    def undescribed(self, step, trace):
        """The ten kernels that the GPU was busiest with of those that nothing describes: name, launches, share of the GPU time measured."""
        self.run(step + ".kernels", [self.ekka, "kernels", trace])
        _, out, _ = self.run(step + ".kernels-json", [self.ekka, "kernels", "--json", trace])
        found = [k for k in (json.loads(line) for line in out.splitlines() if line.startswith("{"))
                 if k["launches"] > k["described"] + k["nothing"] and any(p["name"] is None for p in k["parents"])]
        return [(k["kernel"][:160], k["launches"], k["gpu_time_share"]) for k in found[:10]]

    def odd_verdicts(self, step, report):
        """What was not judged, and why: one line a function and reason, into the logs."""
        count = {}
        for v in report.get("verdicts", []):
            if v["verdict"] != "PASS":
                key = (v["verdict"], v["name"][:160], (v["reason"] or v["where"] or "")[:160])
                count[key] = count.get(key, 0) + 1
        margins = report.get("margins", [])
        with open(os.path.join(self.logs, step.replace("/", "-") + ".odd"), "w") as f:
            for key, n in sorted(count.items(), key=lambda x: -x[1]):
                f.write("%6d %s\n" % (n, "  ".join(key)))
            f.write("\nop, types, events, those with a margin, median, 99 % and largest margin\n")
            for m in margins:
                f.write("%-14s %-20s %6d %6d  %s\n" % (m["op"], m["dtype"], m["events"], m["measured"], "  ".join(
                    "-" if m[key] is None else "%.3g" % m[key] for key in ("median", "p99", "max"))))
        self.facts.setdefault("margins", {})[step] = {
            "%s %s" % (m["op"], m["dtype"]): [m["measured"], m["median"], m["p99"], m["max"]] for m in margins}

    def step_backends(self):
        """What the CPU and the GPU say of the same traces, launches and all, event by event, with everything recomputed."""
        traces = [("cases", self.record("backends-cases", self.subject("linked"), self.cuda_env)[0])]
        for attn, backend, dtype in (("sdpa", "flash", "bfloat16"), ("sdpa", "efficient", "float32"), ("eager", "math", "float16")):
            argv = self.llama("--size", "small", "--batch", "2", "--prompt", "600", "--steps", "2", "--attn", attn, "--dtype", dtype, "--backend", backend,
                              *(["--no-gqa"] if backend == "efficient" else []))
            traces.append(("llama %s %s" % (backend, dtype), self.record("backends-llama-" + backend, argv, os.environ, 240)[0]))
        for name, trace in traces:
            verdicts, seconds = {}, {}
            for where in ("cpu", "gpu"):
                argv = [self.ekka, "replay", "--json", "--verbose", "--exact", "--backend", where, trace]
                status, out, seconds[where] = self.run("backends-%s-%s" % (name, where), argv, self.cuda_env, 240)
                verdicts[where] = {v["event"]: v for v in json.loads(out)["verdicts"]} if status in (0, 1) else {}
            cpu, gpu = verdicts["cpu"], verdicts["gpu"]
            other = [e for e in cpu if e not in gpu or any(cpu[e][key] != gpu[e][key] for key in ("verdict", "where", "looks_like"))]
            far = {e: (cpu[e]["margin"], gpu[e]["margin"]) for e in cpu if e in gpu and not self.same_margin(cpu[e], gpu[e]["margin"])}
            ops = collections.Counter(v["op"] for v in cpu.values())
            self.row("backends " + name, bool(cpu) and len(cpu) == len(gpu) and not other and not far,
                     "%d events (%s), %d with another verdict %s, %d with another margin %s; CPU %.1f s, GPU %.1f s" % (
                         len(cpu), ", ".join("%d %s" % (n, op) for op, n in ops.most_common()), len(other), other[:5], len(far), list(far.items())[:5],
                         seconds["cpu"], seconds["gpu"]))

    @staticmethod
    def same_margin(verdict, other):
        """
        Up to the rounding of float64, which an exact operation's margin of 0 does not have either. References are off by some 1e-13 of what a bound of float32 is
        made of; attention's bound is summed up in float32 on the CPU.
        """
        margin = verdict["margin"]
        if margin is None or other is None:
            return margin is other
        return abs(margin - other) <= (4e-6 if verdict["op"] == "attention" else 1e-6) * max(abs(margin), abs(other)) + 1e-9

    def step_bench(self):
        """How long replay takes on the CPU, on the GPU and by `auto`, against what the run itself took on the GPU; every product and attention recomputed, too."""
        size = self.args.large
        argv = self.llama("--size", size, "--batch", "2", "--prompt", "512", "--steps", "8", "--backend", "flash")
        plain = [self.run("bench.plain", argv, limit=120)[1] for _ in range(2)][-1]
        trace, status, _, _ = self.record("bench", argv, os.environ, 300)
        if status != 0:
            return self.row("bench", False, "the recording's status is %d" % status)
        run = json.loads(plain)
        # The files are in memory from here on.
        report, _ = self.replay("bench.warm", trace, 300, ["--backend", "cpu"])
        gpu_ns = report["summary"]["gpu_ns_total"] if report else 0
        base = gpu_ns / 1e9 if gpu_ns else run["prefill_s"][0] + run["decode_s"][0]
        source = "GPU time of its calls and launches" if gpu_ns else "wall time, unrecorded: GPU time is not known"
        facts = {"run_s": base, "of": source, "replay_s": {}, "replay_user_and_system_s": {}}
        self.facts["bench"] = facts
        for options in (["cpu"], ["gpu"], ["auto"], ["gpu", "--exact"], ["cpu", "-j4"], ["cpu", "--exact"]):
            name = " ".join(options)
            times, before = [], resource.getrusage(resource.RUSAGE_CHILDREN)
            for _ in range(3 if len(options) == 1 else 1):
                report, s = self.replay("bench " + name, trace, 300, ["--backend", *options])
                times.append(s)
                if report is None or report["summary"]["fail"]:
                    break
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            if report is None or report["summary"]["fail"]:
                self.row("bench " + name, False, "no report, or something failed")
                continue
            seconds = statistics.median(times)
            used = [(after.ru_utime - before.ru_utime) / len(times), (after.ru_stime - before.ru_stime) / len(times)]
            facts["replay_s"][name] = seconds
            facts["replay_user_and_system_s"][name] = used
            self.row("bench " + name, True, "%.2f s, %.1f times the run's %.3f s (%s); user %.1f s, system %.1f s" % (seconds, seconds / base, base, source, *used))
        best = min(facts["replay_s"].get(name, float("inf")) for name in ("gpu", "auto"))
        shutil.rmtree(trace, ignore_errors=True)
        self.row("bench", best <= 3 * base, "replay with the GPU: %.1f times what the run took on it" % (best / base))
        return None

    def step_llamafaults(self):
        argv = self.llama("--size", "small", "--batch", "2", "--prompt", "64", "--attn", "eager", "--steps", "4")
        # Spread over prefill and decode steps; the layer takes the next call that the fault fits.
        calls = [3 + 7 * i for i in range(len(KINDS))]
        self.faults("llama", argv, os.environ, calls, 120)

    def timed(self, mode, size, turn):
        # Few repetitions where gigabytes move.
        argv = self.llama("--size", size, "--batch", "2", "--prompt", self.args.overhead_prompt, "--steps", "16", "--repeat",
                          "3" if mode in ("full", "hooks") else "8")
        env = dict(os.environ)
        trace = os.path.join(self.work, "overhead.ekka")
        if mode == "hooks":
            argv += ["--hooks"]
        elif mode != "plain":
            env.update(LD_PRELOAD=self.shim(), EKKA_LEVEL=mode, EKKA_OUTPUT=trace)
        _, out, _ = self.run("overhead-%s-%d" % (mode, turn), argv, env, 240)
        shutil.rmtree(trace, ignore_errors=True)
        return json.loads(out)

    def step_overhead(self):
        """Alternating processes; the first repetition of each is a warm-up (and in full the one that stores the weights)."""
        modes = ["plain", "off", "calls", "full", "hooks"]
        size = self.args.large
        times = {m: {"prefill_s": [], "decode_s": [], "first": []} for m in modes}
        tokens = {m: set() for m in modes}
        for turn in range(self.args.rounds):
            for mode in modes if turn % 2 == 0 else modes[::-1]:
                try:
                    result = self.timed(mode, size, turn)
                except ValueError:
                    self.row("overhead " + mode, False, "no result")
                    continue
                for key in ("prefill_s", "decode_s"):
                    times[mode][key] += result[key][1:]
                times[mode]["first"].append(result["prefill_s"][0] + result["decode_s"][0])
                tokens[mode].add(json.dumps(result["tokens"]))
        self.facts["overhead"] = times
        for mode in modes:
            if not times[mode]["prefill_s"]:
                continue
            values = []
            for key in ("prefill_s", "decode_s"):
                mine, base = times[mode][key], statistics.median(times["plain"][key] or [float("nan")])
                values.append("%s %.4f s (%.4f-%.4f), %.2fx" % (key[:-2], statistics.median(mine), min(mine), max(mine),
                                                                statistics.median(mine) / base))
            self.row("overhead " + mode, True, "; ".join(values))
        # PyTorch's own runs may differ among each other at this size; then there is nothing to compare with.
        if len(tokens["plain"]) > 1:
            self.row("overhead, tokens", True, "plain runs differ among themselves: not comparable")
        else:
            others = [m for m in modes if tokens[m] - tokens["plain"]]
            self.row("overhead, tokens", not others, "differ from plain: %s" % (", ".join(others) or "none"))

    def finish(self):
        with tarfile.open(os.path.join(self.out, "logs.tar.gz"), "w:gz") as tar:
            tar.add(self.logs, "logs")
        shutil.rmtree(self.work, ignore_errors=True)
        bad = sum(mark != "ok" for _, mark, _ in self.rows)
        print("%d steps ok, %d failed" % (len(self.rows) - bad, bad))
        return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", required=True, help="bundle, installed tree or build tree")
    parser.add_argument("--suite", required=True, help="folder made by build.sh")
    parser.add_argument("--out", required=True, help="gets summary.txt, summary.json, logs.tar.gz")
    parser.add_argument("--work", help="folder for traces (default: a temporary one)")
    parser.add_argument("--fake", metavar="DIR", help="CUDA libraries of the fake machine")
    parser.add_argument("--steps", default="machine,cases,lt,cudnn,tinylm,casefaults,ltfaults,cudnnfaults,llama,llamafaults,overhead")
    parser.add_argument("--budget", type=float, default=560, help="seconds for everything")
    parser.add_argument("--jobs", type=int, default=4, help="faulty runs at a time")
    parser.add_argument("--python", default="python3", help="the one that has PyTorch")
    parser.add_argument("--large", default="1b", help="llama.py --size of the large run")
    parser.add_argument("--all-large", action="store_true", help="the large engine with every type and back end")
    parser.add_argument("--rounds", type=int, default=2, help="turns of the overhead step")
    parser.add_argument("--only", default="", help="of the engine's runs those with this in their names")
    parser.add_argument("--overhead-prompt", default="2048")
    args = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    suite = Suite(args)
    for step in args.steps.split(","):
        if time.monotonic() > suite.deadline:
            suite.row(step, False, "no time left")
            continue
        try:
            getattr(suite, "step_" + step)()
        except Exception as error:  # one step must not cost the others
            suite.row(step, False, "%s: %s" % (type(error).__name__, error))
    sys.exit(suite.finish() != 0)


if __name__ == "__main__":
    main()
