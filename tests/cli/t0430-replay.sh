#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `ekka replay`: exit status, report, JSON with the promised keys.
. "$top_srcdir/tests/cli/lib.sh"
make_trace=$top_builddir/tests/cli/make_trace
for kind in clean chosen faulty nan partial budget; do
	"$make_trace" $kind.ekka $kind || { echo "make_trace $kind failed"; exit 99; }
done
keys='{"ops", "judged", "pass", "fail", "undecided", "unsupported", "incomplete", "coverage", "dropped"} <= set(j["summary"])'

run replay clean.ekka
expect_status 0
expect_no_err
expect_out '^nothing wrong found: 3 of 3 calls judged \(100 %\)'
expect_out '^pass 3, fail 0, undecided 0, unsupported 0, incomplete 0; dropped by the recording: 0$'
run replay --strict clean.ekka
expect_status 0
run replay --json clean.ekka
expect_status 0
json "$keys"
json 'j["summary"]["ops"] == j["summary"]["judged"] == j["summary"]["pass"] == 3 and j["summary"]["coverage"] == 1 and j["suspects"] == []'

run replay faulty.ekka
expect_status 1
expect_out '^1\. event 3: cblas_sgemm 64x128 \* 128x32 f32, FAIL$'
expect_out '^   where +.*2048 of 2048 elements of C$'
expect_out '^   how much +[0-9.e+]+ times the bound; off by [0-9.]+ where [0-9.e-]+ is the most \(.*K=128.*\)$'
expect_out '^   worst +C\[[0-9]+, [0-9]+\] is -?[0-9.]+, should be -?[0-9.]+$'
expect_out '^   called from +/home/u/model.py:42 forward$'
expect_out '^   reproduce +ekka export 3 faulty.ekka$'
expect_out '^something is wrong: 4 of 4 calls judged'
run replay --json faulty.ekka
expect_status 1
json "$keys"
json '{"rank", "event", "name", "verdict", "margin", "where", "stack", "reproduce"} <= set(j["suspects"][0])'
json 'len(j["suspects"]) == 1 and j["suspects"][0]["rank"] == 1 and j["suspects"][0]["event"] == 3'
json 'j["suspects"][0]["verdict"] == "FAIL" and j["suspects"][0]["margin"] > 100 and not j["suspects"][0]["margin_infinite"]'
json 'j["suspects"][0]["stack"][0] == "/home/u/model.py:42 forward" and j["suspects"][0]["reproduce"] == "ekka export 3 faulty.ekka"'
json 'j["summary"]["fail"] == 1 and "verdicts" not in j'
run replay --json --verbose faulty.ekka
json '[(v["event"], v["verdict"]) for v in j["verdicts"]] == [(1, "PASS"), (2, "PASS"), (3, "FAIL"), (4, "PASS")]'
run replay -v faulty.ekka
expect_out '^ +3  FAIL +cblas_sgemm '
expect_out '^ +1  PASS +cblas_sgemm '
for more in --exact "-j 1" "-j 4" "--memory 64M" "--event 3" "--only *sgemm"; do
	set -f
	# shellcheck disable=SC2086
	run replay --json $more faulty.ekka
	set +f
	expect_status 1
	json 'j["suspects"][0]["event"] == 3'
done
run replay --sample 0.5 --seed 3 --json clean.ekka
expect_status 0
json 'j["summary"]["ops"] == 3 == j["summary"]["judged"] + j["summary"]["not_sampled"]'
run replay --sample 1e-9 --json faulty.ekka
expect_status 0
json 'j["summary"]["not_sampled"] == 4 and j["summary"]["coverage"] == 0 and j["summary"]["miss_one"] == 1'
run replay --sample 1e-9 faulty.ekka
expect_out '^sampled: 4 of 4 calls left alone; a fault in one call is missed with probability 1,'
run replay --sample 1 --json faulty.ekka
expect_status 1
json 'j["summary"]["judged"] == 4 and j["summary"]["not_sampled"] == 0 and "miss_one" not in j["summary"]'
for bad in 0 1.5 x -1 ""; do
	run replay --sample "$bad" clean.ekka
	expect_status 129
done
run replay --backend cpu --json faulty.ekka
expect_status 1
run replay --backend tpu clean.ekka
expect_status 129
run replay --event 1 faulty.ekka --json
expect_status 0
json 'j["summary"]["ops"] == 1'
run replay --only '*dgemm' faulty.ekka --json
expect_status 0
json 'j["summary"]["ops"] == 1'


# Calls that were left out on purpose are no reproach, but are said.
run replay clean.ekka
! grep -q '^left out' out || fail 'says that calls were left out'
run replay --strict chosen.ekka
expect_status 0
expect_out "^left out by the recording's settings, hence not among these calls: 7$"
run replay --json chosen.ekka
json 'j["summary"]["left_out"] == 7 and j["summary"]["dropped"] == 0'

# A trace without a call to judge shows nothing: that is no success.
run replay --only nosuch clean.ekka
expect_status 0
expect_out '^nothing was judged: 0 of 0 calls'
run replay --strict --only nosuch clean.ekka --json
expect_status 2
json 'j["summary"]["ops"] == 0 and j["summary"]["coverage"] == 0'

# JSON has no infinity.
run replay --json nan.ekka
expect_status 1
json 'j["suspects"][0]["margin"] is None and j["suspects"][0]["margin_infinite"] is True'
run replay nan.ekka
expect_status 1
expect_out 'NaN or Inf where the reference has none'

# What could not be judged is said, and counts with --strict.
run replay partial.ekka
expect_status 0
expect_out '^nothing wrong found in what could be judged: 0 of '
expect_out 'dropped by the recording: at least 0$'
run replay --strict partial.ekka
expect_status 2
run replay --strict --json partial.ekka
expect_status 2
json 'j["summary"]["incomplete"] >= 2 and j["summary"]["coverage"] == 0 and j["summary"]["unclosed"]'
run replay --json budget.ekka
expect_status 0
json 'j["summary"]["incomplete"] == 1 and not j["summary"]["unclosed"] and j["summary"]["dropped"] == 0'
run replay --strict budget.ekka
expect_status 2
run replay -v partial.ekka
expect_out 'INCOMPLETE .*budget'
# By reason and function, and the groups are all that was not judged.
expect_out '^not judged:$'
expect_out '^ +1 call, .*: cblas_[a-z]+, INCOMPLETE: .*budget.* \(event [0-9]+\)$'
run replay --json partial.ekka
json 'sum(u["events"] for u in j["unjudged"]) == j["summary"]["ops"] and len({(u["name"], u["reason"]) for u in j["unjudged"]}) == len(j["unjudged"])'
json 'sum(u["bytes"] for u in j["unjudged"]) == j["summary"]["bytes_total"] and j["summary"]["coverage_bytes"] == 0'
run replay faulty.ekka
! grep -q 'not judged' out || fail "all was judged"

# How far right results lie off: the same figures as from all verdicts, as a table and as JSON.
run replay --json --verbose --margins faulty.ekka
"$PYTHON3" - <<'END' || fail "margins are not those of the verdicts"
import json, statistics
j = json.load(open("out"))
groups, events = {}, {}
for v in j["verdicts"]:
    if v["verdict"] == "PASS":
        key = v["op"], v["dtype"]
        events[key] = events.get(key, 0) + 1
        groups.setdefault(key, []).extend([] if v["margin"] is None else [v["margin"]])
assert sorted(groups) == [(m["op"], m["dtype"]) for m in j["margins"]] and len(groups) == 3, j["margins"]
for m in j["margins"]:
    g = sorted(groups[m["op"], m["dtype"]])
    assert m["events"] == events[m["op"], m["dtype"]] and m["measured"] == len(g)
    assert not g or (m["median"], m["p99"], m["max"]) == (statistics.median(g), g[-1], g[-1]), (m, g)
assert any(m["measured"] for m in j["margins"])
END
run replay --margins faulty.ekka
expect_out '^gemm +f32 +1 +1 '
expect_out '^1\. event 3: '
run replay faulty.ekka
! grep -q '^OP  ' out || fail "margins that nobody asked for"

# The reproducing command survives odd names.
mkdir "it's odd" && cp -r faulty.ekka "it's odd/"
run replay --json "it's odd/faulty.ekka"
json 'j["suspects"][0]["reproduce"] == "ekka export 3 '"'it'\\\\''s odd/faulty.ekka'"'"'

# With the shim exported, replay does not record itself.
shim=$top_builddir/.libs/libekkatrace.so
if [ -e "$shim" ]; then
	LD_PRELOAD=$shim run replay --exact clean.ekka
	expect_status 0
	ls -d ekka-*.ekka >/dev/null 2>&1 && fail "replay has recorded itself"
fi

run replay nowhere.ekka
expect_status 128
expect_no_out
run replay --event 99 clean.ekka
expect_status 128
expect_err "no event 99 in 'clean.ekka', which has 4"
run replay --memory lots clean.ekka
expect_status 129
expect_err "bad value 'lots' for --memory: expected bytes, such as 512M"
run replay -j many clean.ekka
expect_status 129
run replay clean.ekka faulty.ekka
expect_status 129
finish
