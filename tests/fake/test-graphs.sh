#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# CUDA graphs on the fake machine, which enforces the rules of capture: the graph is captured and computes as without us; its launches are events with
# their nodes and the bytes before and after.
set -u
[ -n "${PYTHON3:-}" ] && [ "$PYTHON3" != no ] || exit 77
work=$(mktemp -d "${TMPDIR:-/tmp}/ekka-graphs.XXXXXX")
trap 'rm -rf "$work"' EXIT
unset LD_PRELOAD ${!EKKA_@}
ekka=$top_builddir/tools/ekka
failures=0

fail() {
	echo "FAIL: $*"
	failures=$((failures + 1))
}

# subject NAME WAY [ENVIRONMENT...]
subject() {
	local name=$1 way=$2 program=graphs
	shift 2
	[ "$way" = linked ] && program=graphs-linked
	env LD_LIBRARY_PATH="$top_builddir/tests/fake/.libs" "$@" timeout 60 "$top_builddir/tests/fake/.libs/$program" "$way" >"$work/out" 2>"$work/err"
	status=$?
	[ $status -eq 0 ] && grep -q '^fine' "$work/out" || fail "$name: status $status: $(cat "$work/out" "$work/err" | head -3)"
}

# graphs NAME LAUNCHES WAY LEVEL [ENVIRONMENT...]
graphs() {
	local name=$1 mode=$2 way=$3 level=$4
	shift 4
	rm -rf "$work/t.ekka"
	subject "$name" "$way" LD_PRELOAD="$top_builddir/.libs/libekkatrace.so" EKKA_OUTPUT="$work/t.ekka" EKKA_LAUNCHES="$mode" EKKA_LEVEL="$level" \
		EKKA_QUIET=1 EKKA_TEST_FAKE_REPORT="$work/report" "$@"
	[ -s "$work/err" ] && fail "$name: said $(head -3 "$work/err")"
	"$PYTHON3" "$top_srcdir/tests/fake/check_graphs.py" "$ekka" "$work/t.ekka" "$level" || fail "$name"
	"$ekka" fsck "$work/t.ekka" >"$work/out" 2>&1 || fail "$name: fsck: $(head -3 "$work/out")"
	[ "$(waits "$work/alone")" = "$(waits "$work/report")" ] || fail "$name: other waits than without us"
}

waits() {
	grep -E '^cu(Stream|Ctx|Event)Synchronize' "$1" | sort
}

subject alone proc EKKA_TEST_FAKE_REPORT="$work/alone"
[ -s "$work/alone" ] || fail "no report"
for mode in cupti driver; do
	for way in linked dlsym proc; do
		graphs "$mode $way" $mode $way full EKKA_TEST_FAKE_SEED=$((${#mode} + ${#way}))
	done
	graphs "$mode calls" $mode proc calls
done
# How far a buffer reaches: as a description says, else EKKA_BUFFER_BYTES at most.
cat >"$work/scale.kd" <<'KD'
kernel "scale"
  from "tests/fake/launches_image.c"
  in in0 : dtype("f32") at ptr(p0) dims i32(p2)
  out out0 : dtype("f32") at ptr(p0) dims i32(p2)
  op elementwise
  attr f = f32(p1)
  expr "f * in0"
KD
buffers() {
	rm -rf "$work/t.ekka"
	subject "buffers $1" proc LD_PRELOAD="$top_builddir/.libs/libekkatrace.so" EKKA_OUTPUT="$work/t.ekka" EKKA_LAUNCHES=cupti EKKA_QUIET=1 EKKA_BUFFER_BYTES=64 \
		EKKA_KERNELS="$2"
	"$PYTHON3" -c "
import json, subprocess
def run(*a): return subprocess.run(['$ekka', *a, '$work/t.ekka'], stdout=subprocess.PIPE, check=True, text=True).stdout
first = next(e for e in map(json.loads, run('log', '--json').splitlines()) if e['name'].startswith('cuGraphLaunch'))
t = [(t['name'], t['dims']) for t in json.loads(run('show', '--json', str(first['event'])))['tensors']]
assert t == $3, t" || fail "buffers $1"
}
buffers words "" "[('n0.p0', [64]), ('n1.p0', [64])]"
buffers described "$work/scale.kd" "[('n0.in0', [400]), ('n1.in0', [400])]"
# They are launches, not asides: listed, and there when memory operations are not.
rm -rf "$work/t.ekka"
subject "no lineage" proc LD_PRELOAD="$top_builddir/.libs/libekkatrace.so" EKKA_OUTPUT="$work/t.ekka" EKKA_LAUNCHES=cupti EKKA_LINEAGE=0 EKKA_QUIET=1
[ "$("$ekka" log --depth 0 "$work/t.ekka" | awk 'NR > 1 { print $2 }' | uniq -c | tr -s ' \n' ' ')" = " 2 scale 4 cuGraphLaunch " ] ||
	fail "no lineage: $("$ekka" log "$work/t.ekka" | head -8)"

[ $failures -eq 0 ] && echo "all fine"
exit $((failures != 0))
