#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The GPU suite's subjects and faults on the fake machine, recorded and judged: clean runs under several orders of events, then one fault
# of each kind, and bad conditions. Streams of the engine must never be synchronised.
set -u
[ -n "${PYTHON3:-}" ] && [ "$PYTHON3" != no ] || exit 77
work=$(mktemp -d "${TMPDIR:-/tmp}/ekka-fake.XXXXXX")
trap 'rm -rf "$work"' EXIT
unset LD_PRELOAD ${!EKKA_@}
fakes=$top_builddir/tests/fake/.libs
ekka=$top_builddir/tools/ekka
failures=0

fail() {
	echo "FAIL: $*"
	failures=$((failures + 1))
}

mkdir "$work/suite"
ln -s "$top_builddir"/tests/gpu/.libs/{cases-linked,cases-dlsym,cases-plugin.so,libfaulty-cublas.so,lt-cases} "$work/suite"
ln -s "$top_builddir/tests/gpu/cases-local" "$work/suite"

suite() {
	"$PYTHON3" "$top_srcdir/tests/gpu/suite.py" --bundle "$top_builddir" --suite "$work/suite" --out "$work/out" \
		--fake "$fakes" --jobs 2 --budget 240 "$@"
}

for seed in 1 2; do
	EKKA_TEST_FAKE_SEED=$seed suite --steps cases,lt || fail "clean run, seed $seed"
done
suite --steps casefaults,ltfaults || fail "faults"

# record NAME ENVIRONMENT...: records the subject on the fake machine.
record() {
	local name=$1
	shift
	env LD_LIBRARY_PATH="$fakes" EKKA_QUIET=1 "$@" timeout 60 "$ekka" record -o "$work/$name.ekka" -- \
		"$work/suite/cases-linked" >"$work/$name.out" 2>"$work/$name.err"
	status=$?
	[ $status -eq 0 ] || fail "$name: the subject's status is $status"
	grep -q '^WRONG' "$work/$name.out" && fail "$name: the subject computed something else"
}

# judged NAME PYTHON-EXPRESSION over the summary s of the replay.
judged() {
	"$ekka" replay --json "$work/$1.ekka" >"$work/json" 2>"$work/err"
	"$PYTHON3" -c "
import json
s = json.load(open('$work/json'))['summary']
assert $2, s" || fail "$1: not $2"
}

record plain EKKA_TEST_FAKE_REPORT="$work/report"
judged plain "s['fail'] == 0 and s['incomplete'] == 0 and s['unsupported'] == 2"
grep -qE '^cu(Stream|Ctx|Event)Synchronize|^cuMemFree' "$work/report" && fail "something was synchronised"
grep -q '^cuMemcpyDtoDAsync_v2' "$work/report" || fail "no snapshot was taken at all"

# Memory short on the device, on the host, both refused; a driver that refuses the copies.
record little-staging EKKA_CUDA_STAGING=32K
judged little-staging "s['fail'] == 0 and s['incomplete'] == 0 and s['unsupported'] == 2"
record little-of-both EKKA_CUDA_STAGING=800K EKKA_CUDA_PINNED=1M
judged little-of-both "s['fail'] == 0 and s['incomplete'] == 0 and s['unsupported'] == 2"
record drop EKKA_CUDA_STAGING=16K EKKA_CUDA_PINNED=32K EKKA_WHEN_FULL=drop
judged drop "s['fail'] == 0 and s['incomplete'] >= 1"
record no-device-memory EKKA_TEST_FAKE_FAIL=cuMemAlloc_v2=2,cuMemCreate=2
judged no-device-memory "s['fail'] == 0 and s['incomplete'] == 0 and s['unsupported'] == 2"
record no-pinned-memory EKKA_TEST_FAKE_FAIL=cuMemHostAlloc=2
judged no-pinned-memory "s['fail'] == 0 and s['incomplete'] == 0 and s['unsupported'] == 2"
record errors EKKA_TEST_FAKE_FAIL=cuMemcpyDtoDAsync_v2=999
judged errors "s['fail'] == 0 and s['incomplete'] == s['ops'] - 2 and s['unsupported'] == 2"
record no-events EKKA_TEST_FAKE_FAIL=cuEventRecord=999
judged no-events "s['fail'] == 0 and s['incomplete'] == s['ops'] - 2 and s['unsupported'] == 2"

[ $failures -eq 0 ] && echo "all fine"
exit $((failures != 0))
