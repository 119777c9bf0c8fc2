#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Recording inside NVTX ranges or between signals alone: those launches and no others, with the bytes that were there then, whatever was written
# outside; NVTX answers the program as it would without us.
set -u
[ -n "${PYTHON3:-}" ] && [ "$PYTHON3" != no ] || exit 77
work=$(mktemp -d "${TMPDIR:-/tmp}/ekka-window.XXXXXX")
trap 'rm -rf "$work"' EXIT
unset LD_PRELOAD NVTX_INJECTION64_PATH ${!EKKA_@}
ekka=$top_builddir/tools/ekka
failures=0

fail() {
	echo "FAIL: $*"
	failures=$((failures + 1))
}

# window NAME CONDITION HOW ENVIRONMENT...: CONDITION is Python over the summary s of what was judged.
window() {
	local name=$1 condition=$2 how=$3
	shift 3
	rm -rf "$work/t.ekka"
	env LD_LIBRARY_PATH="$top_builddir/tests/fake/.libs" LD_PRELOAD="$top_builddir/.libs/libekkatrace.so" EKKA_OUTPUT="$work/t.ekka" EKKA_QUIET=1 \
		EKKA_KERNELS="$top_srcdir/tests/fake/launches.kd" EKKA_TEST_FAKE_SEED=$RANDOM "$@" \
		timeout 60 "$top_builddir/tests/fake/.libs/window" $how >"$work/out" 2>"$work/err"
	status=$?
	[ $status -eq 77 ] && return
	[ $status -eq 0 ] && grep -q '^fine' "$work/out" || fail "$name: status $status: $(cat "$work/out" "$work/err" | head -3)"
	[ -z "$condition" ] && return
	"$ekka" fsck "$work/t.ekka" >"$work/fsck" 2>&1 || fail "$name: fsck: $(head -3 "$work/fsck")"
	"$ekka" replay --json "$work/t.ekka" >"$work/json" 2>>"$work/err" || fail "$name: replay: status $?: $(head -3 "$work/err")"
	"$PYTHON3" -c "
import json
s = json.load(open('$work/json'))['summary']
assert $condition, s" || fail "$name: not $condition"
}

# Seven steps, three of them inside; between those the same bytes change unseen.
inside="s['ops'] == 3 == s['pass'] and s['left_out'] >= 4"
for mode in cupti driver; do
	for how in push ex wide domain registered start; do
		window "$how $mode" "$inside" $how EKKA_LAUNCHES=$mode EKKA_WINDOW='step*'
	done
	window "signal $mode" "$inside" signal EKKA_LAUNCHES=$mode EKKA_SIGNAL=1
done
window always "s['ops'] == 7 == s['pass'] and s['left_out'] == 0" push
window calls-level "s['ops'] == 3 and s['left_out'] >= 4" push EKKA_LEVEL=calls EKKA_WINDOW='*1,nothing'
window first-two "s['ops'] == 2 == s['pass']" push EKKA_WINDOW='step*' EKKA_COUNT=2
window either "$inside" push EKKA_WINDOW='step ?' EKKA_SIGNAL=1
# A tool keeps its place, and its answers.
if [ -e "$top_builddir/tests/fake/.libs/libnvtx-tool.so" ]; then
	window tool "$inside" "push tool" EKKA_WINDOW='step*' NVTX_INJECTION64_PATH="$top_builddir/tests/fake/.libs/libnvtx-tool.so"
	grep -qx 'tool 3 0' "$work/out" || fail "tool: $(cat "$work/out")"
fi
# Nothing matches: no trace, and that is said.
window typo "" push EKKA_WINDOW=stepp EKKA_QUIET=0
[ -e "$work/t.ekka" ] && fail "typo: there is a trace"
[ $status -eq 77 ] || grep -q 'EKKA_WINDOW' "$work/err" || fail "typo: not said"
# A signal that is in use is left alone, and that is said.
trap '' USR2
window taken "" signal EKKA_SIGNAL=1 EKKA_QUIET=0
trap - USR2
grep -q 'SIGUSR2 is in use' "$work/err" || fail "taken: $(cat "$work/err")"

[ $failures -eq 0 ] && echo "all fine"
exit $((failures != 0))
