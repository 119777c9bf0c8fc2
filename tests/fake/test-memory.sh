#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The driver's memory operations on the fake machine, however the program got its entry points: each is an event that says what was read and
# written and in which order; the program computes the same and waits as often as without us.
set -u
[ -n "${PYTHON3:-}" ] && [ "$PYTHON3" != no ] || exit 77
work=$(mktemp -d "${TMPDIR:-/tmp}/ekka-memory.XXXXXX")
trap 'rm -rf "$work"' EXIT
unset LD_PRELOAD ${!EKKA_@}
ekka=$top_builddir/tools/ekka
failures=0

fail() {
	echo "FAIL: $*"
	failures=$((failures + 1))
}

# subject NAME WAY SCENARIO [ENVIRONMENT...]
subject() {
	local name=$1 way=$2 scenario=$3 program=memory
	shift 3
	[ "$way" = linked ] && program=memory-linked
	env LD_LIBRARY_PATH="$top_builddir/tests/fake/.libs" "$@" timeout 60 "$top_builddir/tests/fake/.libs/$program" "$way" $scenario \
		>"$work/out" 2>"$work/err"
	status=$?
	[ $status -eq 0 ] && grep -q '^fine' "$work/out" || fail "$name: status $status: $(cat "$work/out" "$work/err" | head -3)"
}

# memory NAME LAUNCHES WAY SCENARIO CONDITION [ENVIRONMENT...]: CONDITION is Python over `e`, the events.
memory() {
	local name=$1 mode=$2 way=$3 scenario=$4 condition=$5
	shift 5
	rm -rf "$work/t.ekka"
	subject "$name" "$way" "$scenario" LD_PRELOAD="$top_builddir/.libs/libekkatrace.so" EKKA_OUTPUT="$work/t.ekka" EKKA_LAUNCHES="$mode" \
		EKKA_QUIET=1 EKKA_TEST_FAKE_REPORT="$work/report" "$@"
	[ -s "$work/err" ] && fail "$name: said $(head -3 "$work/err")"
	"$PYTHON3" "$top_srcdir/tests/fake/check_memory.py" "$ekka" "$work/t.ekka" "$condition" || fail "$name"
	"$ekka" fsck "$work/t.ekka" >"$work/out" 2>&1 || fail "$name: fsck: $(head -3 "$work/out")"
}

# Waits and frees, by entry point: those of the program and nobody else's.
waits() {
	grep -E '^cu(Stream|Ctx|Event)Synchronize|^cuMemFree' "$1" | sort
}

for mode in cupti driver; do
	for way in linked dlsym proc proc-thread; do
		subject "$way alone" $way "" EKKA_TEST_FAKE_REPORT="$work/alone"
		memory "$mode $way" $mode $way "" "all_there('$way')"
		[ -s "$work/alone" ] && [ "$(waits "$work/alone")" = "$(waits "$work/report")" ] || fail "$mode $way: other waits than without us"
	done
done
# What the tools make of it: nothing to judge, nothing to list unless asked for.
[ "$("$ekka" log "$work/t.ekka" | wc -l)" = 1 ] || fail "log: $("$ekka" log "$work/t.ekka" | head -3)"
"$ekka" log --all "$work/t.ekka" | grep -q ' cuMemcpyDtoDAsync' || fail "log --all"
"$ekka" log --only 'cuEvent*' "$work/t.ekka" | grep -q ' cuEventRecord' || fail "log --only"
"$ekka" replay --json "$work/t.ekka" >"$work/json" || fail "replay: status $?"
grep -q '"ops": *0' "$work/json" || fail "replay: memory operations are ops: $(head -c 300 "$work/json")"

memory calls cupti proc "" "all_there('proc')" EKKA_LEVEL=calls
memory threads cupti proc threads "len([x for x in e if x['name'].startswith('cuMemAlloc')]) == 200 and {x['status'] for x in e} == {'complete'}"
memory fork cupti proc fork "all_there('proc')"
memory excluded cupti proc "" "{x['name'] for x in e} == {'cuMemAlloc_v2', 'cuMemAllocPitch_v2', 'cuMemAllocAsync'}" EKKA_INCLUDE='cuMemAlloc*'
# A driver that refuses; the events say so.
for symbol in cuMemcpyDtoDAsync_v2 cuMemsetD8Async cuEventRecord cuMemAllocAsync cuMemUnmap; do
	env EKKA_TEST_FAKE_FAIL=$symbol=700 LD_LIBRARY_PATH="$top_builddir/tests/fake/.libs" LD_PRELOAD="$top_builddir/.libs/libekkatrace.so" \
		EKKA_OUTPUT="$work/$symbol.ekka" EKKA_LAUNCHES=cupti EKKA_QUIET=1 timeout 60 "$top_builddir/tests/fake/.libs/memory" proc \
		>"$work/out" 2>"$work/err"
	[ $? -eq 1 ] && grep -q '^WRONG' "$work/out" || fail "$symbol fails: status $?"
	"$ekka" show --json "$("$ekka" log --json --all "$work/$symbol.ekka" | tail -1 | "$PYTHON3" -c 'import json, sys; print(json.loads(input())["event"])')" \
		"$work/$symbol.ekka" | grep -q '"returned": *700' || fail "$symbol fails: not recorded"
done

rm -rf "$work/t.ekka"
subject off proc "" LD_PRELOAD="$top_builddir/.libs/libekkatrace.so" EKKA_OUTPUT="$work/t.ekka" EKKA_LAUNCHES=cupti EKKA_LINEAGE=0 EKKA_QUIET=1
[ -d "$work/t.ekka" ] && fail "off: there is a trace"

[ $failures -eq 0 ] && echo "all fine"
exit $((failures != 0))
