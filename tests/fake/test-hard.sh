#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Programs that end, fork or reset the device with snapshots in flight: their status is theirs, the end comes in bounded time, the trace
# opens and what it holds is right.
set -u
[ -n "${PYTHON3:-}" ] && [ "$PYTHON3" != no ] || exit 77
work=$(mktemp -d "${TMPDIR:-/tmp}/ekka-hard.XXXXXX")
trap 'rm -rf "$work"' EXIT
unset LD_PRELOAD ${!EKKA_@}
ekka=$top_builddir/tools/ekka
failures=0

fail() {
	echo "FAIL: $*"
	failures=$((failures + 1))
}

# hard NAME HOW CONDITION ENVIRONMENT...: CONDITION is Python over the summary s.
hard() {
	local name=$1 how=$2 condition=$3
	shift 3
	env LD_LIBRARY_PATH="$top_builddir/tests/fake/.libs" EKKA_QUIET=1 "$@" timeout 40 "$ekka" record -o "$work/$name.ekka" -- \
		"$top_builddir/tests/gpu/.libs/hard" "$how" >"$work/out" 2>"$work/err"
	status=$?
	[ $status -eq 0 ] || fail "$name: status $status: $(head -3 "$work/err")"
	"$ekka" fsck "$work/$name.ekka" >"$work/out" 2>&1 || fail "$name: fsck: $(head -3 "$work/out")"
	"$ekka" replay --json "$work/$name.ekka" >"$work/json" 2>"$work/err" || fail "$name: replay: status $?: $(head -3 "$work/err")"
	"$PYTHON3" -c "
import json
s = json.load(open('$work/json'))['summary']
assert $condition, s" || fail "$name: not $condition"
}

# All eight products arrive, although the program left before the device had done any.
hard exit exit "s['pass'] == 8 == s['ops']"
hard exit-thread thread "s['pass'] == 8 == s['ops']"
hard _exit _exit "s['pass'] == 8 == s['ops']"
hard fork fork "s['pass'] == 8 == s['ops']"
# Those in flight are lost with the context or not, those after it are there.
hard reset reset "s['fail'] == 0 and s['ops'] == 16 and s['pass'] >= 8"
# A stream that never moves again: nothing arrives, and the process still ends.
hard stuck exit "s['incomplete'] == 8 == s['ops'] and s['fail'] == 0" EKKA_TEST_FAKE_STUCK=1

[ $failures -eq 0 ] && echo "all fine"
exit $((failures != 0))
