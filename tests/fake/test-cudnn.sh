#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# cuDNN on the fake machine, however the program got it: every execution is an event whose plan was decoded, with its tensors' bytes; the
# program computes the same.
set -u
[ -n "${PYTHON3:-}" ] && [ "$PYTHON3" != no ] || exit 77
work=$(mktemp -d "${TMPDIR:-/tmp}/ekka-cudnn.XXXXXX")
trap 'rm -rf "$work"' EXIT
unset LD_PRELOAD ${!EKKA_@}
ekka=$top_builddir/tools/ekka
programs=$top_builddir/tests/gpu
failures=0

fail() {
	echo "FAIL: $*"
	failures=$((failures + 1))
}

# record NAME COMMAND...: the subject's lines are in $work/NAME.out.
record() {
	local name=$1
	shift
	env LD_LIBRARY_PATH="$top_builddir/tests/fake/.libs" EKKA_LINEAGE=0 EKKA_QUIET=1 timeout 60 "$ekka" record -o "$work/$name.ekka" -- "$@" \
		>"$work/$name.out" 2>"$work/$name.err"
	status=$?
	[ $status -eq 0 ] || fail "$name: the subject's status is $status: $(head -3 "$work/$name.err")"
	grep -qE '^(WRONG|skipped)' "$work/$name.out" && fail "$name: the subject computed something else"
	"$ekka" fsck "$work/$name.ekka" >"$work/fsck" 2>&1 || fail "$name: fsck: $(head -3 "$work/fsck")"
	"$PYTHON3" "$top_srcdir/tests/fake/check_cudnn.py" "$ekka" "$work/$name.ekka" || fail "$name"
	judged "$name" "s['fail'] == 0 and s['incomplete'] == 0 and s['pass'] == 12 and s['unsupported'] == 1"
}

# judged NAME CONDITION: Python over the summary s and the events e of the replay.
judged() {
	"$ekka" replay --json "$work/$1.ekka" >"$work/json" 2>"$work/err"
	"$PYTHON3" -c "
import json
r = json.load(open('$work/json'))
s, e = r['summary'], r['suspects']
assert $2, (s, e)" || fail "$1: not $2"
}

# fault KIND FIRST CASE NUMBER: the execution NUMBER of the case is the only one that fails.
fault() {
	local name=fault-$1-$3
	env LD_LIBRARY_PATH="$top_builddir/tests/fake/.libs" LD_PRELOAD="$top_builddir/.libs/libekkatrace.so $programs/.libs/libfaulty-cudnn.so" \
		EKKA_OUTPUT="$work/$name.ekka" EKKA_LINEAGE=0 EKKA_QUIET=1 FAULTY_KIND="$1" FAULTY_CALL="$2" FAULTY_LOG="$work/$name.log" \
		timeout 60 "$programs/.libs/cudnn-linked" "$3" >"$work/$name.out" 2>"$work/$name.err"
	[ -s "$work/$name.log" ] || fail "$name: the fault was not planted"
	grep -q '^WRONG' "$work/$name.out" || fail "$name: the subject did not notice"
	judged "$name" "s['fail'] == 1 and [x['event'] for x in e] == [$4]"
}

for seed in 1 2; do
	EKKA_TEST_FAKE_SEED=$seed record linked-$seed "$programs/.libs/cudnn-linked"
done
record dlsym "$programs/.libs/cudnn-dlsym"
record local "$programs/cases-local" "$programs/.libs/cudnn-plugin.so"

# The legacy calls, all of which have a reference; the one inside another is nobody's.
env LD_LIBRARY_PATH="$top_builddir/tests/fake/.libs" EKKA_LINEAGE=0 EKKA_QUIET=1 timeout 60 "$ekka" record -o "$work/legacy.ekka" -- \
	"$programs/.libs/cudnn-legacy" >"$work/legacy.out" 2>&1 && grep -q '^16 calls' "$work/legacy.out" || fail "legacy: $(head -3 "$work/legacy.out")"
judged legacy "s['fail'] == 0 and s['pass'] == s['ops'] == 16"

fault scale 1 attention-causal 1
fault scale 1 attention-decode 1
fault scale 2 attention-scales 2
fault stale-scale 1 attention-scales 2
fault skip 1 attention-bias 1

[ $failures -eq 0 ] && echo "all fine"
exit $((failures != 0))
