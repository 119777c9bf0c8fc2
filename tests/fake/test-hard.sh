#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Programs in bad conditions, most with snapshots in flight: their status is theirs, the end comes in bounded time, the trace
# opens, what it holds is right and it says what it lacks.
set -u
[ -n "${PYTHON3:-}" ] && [ "$PYTHON3" != no ] || exit 77
work=$(mktemp -d "${TMPDIR:-/tmp}/ekka-hard.XXXXXX")
trap 'rm -rf "$work"' EXIT
unset LD_PRELOAD NVTX_INJECTION64_PATH ${!EKKA_@}
ekka=$top_builddir/tools/ekka
shim=$top_builddir/.libs/libekkatrace.so
failures=0

fail() {
	echo "FAIL: $*"
	failures=$((failures + 1))
}

# hard NAME HOW CONDITION ENVIRONMENT...: CONDITION is Python over the summary s. Set before: expected status, replay's, program, LD_PRELOAD.
expected=0 verdict=0 program=hard preload=$shim
hard() {
	local name=$1 how=$2 condition=$3
	shift 3
	env LD_LIBRARY_PATH="$top_builddir/tests/fake/.libs" EKKA_QUIET=1 LD_PRELOAD="$preload" EKKA_OUTPUT="$work/$name.ekka" \
		EKKA_TEST_FAKE_REPORT="$work/report" "$@" timeout 40 "$top_builddir/tests/gpu/.libs/$program" "$how" >"$work/out" 2>"$work/err"
	status=$?
	[ $status -eq $expected ] || fail "$name: status $status: $(head -3 "$work/err")"
	"$ekka" fsck "$work/$name.ekka" >"$work/fsck" 2>&1 || [ $expected -eq 137 ] || fail "$name: fsck: $(head -3 "$work/fsck")"
	"$ekka" replay --json "$work/$name.ekka" >"$work/json" 2>"$work/err2"
	status=$?
	[ $status -eq $verdict ] || fail "$name: replay: status $status: $(head -3 "$work/err2")"
	"$PYTHON3" -c "
import json
s = json.load(open('$work/json'))['summary']
assert $condition, s" || fail "$name: not $condition"
}

# The report of the last run: the most bytes of a kind that somebody who is not the runtime had.
peak() {
	sed -n "s/^peak-$1 //p" "$work/report"
}

# All eight products arrive, although the program left before the device had done any.
all="s['pass'] == 8 == s['ops']"
hard exit exit "$all"
# The operands of the later products have been stored before, and nothing wrote them since, whatever the runtime asked the driver for.
hard known exit "$all and s['known_bytes'] > 0" EKKA_LINEAGE=1
hard exit-thread thread "$all"
hard _exit _exit "$all"
start=$SECONDS
hard fork fork "$all"
[ $((SECONDS - start)) -lt 5 ] || fail "fork: the child took $((SECONDS - start)) s to end"
hard fork-first fork-first "s['pass'] == 16 == s['ops']"
hard main main "s['pass'] == 9 == s['ops']"
# A call that is refused is an event without bytes, and a suspect.
verdict=1 hard refused refused "s['pass'] == 8 and s['fail'] == 0 and s['ops'] == 9"
# Those in flight are lost with the context or not, those after it are there.
hard reset reset "s['fail'] == 0 and s['ops'] == 16 and s['pass'] >= 8"
# The driver's entry points that end a context are ours without launches, too.
for program in hard hard-dlsym; do
	hard reset-off-$program reset "s['fail'] == 0 and s['ops'] == 16 and s['pass'] >= 8" EKKA_LAUNCHES=off
done
program=hard
# Killed: what has reached the files is right, and the rest is missed. Whichever came first.
for seed in 1 2 3; do
	expected=137 hard kill-$seed kill "s['fail'] == 0 and s['pass'] + s['incomplete'] == s['ops'] <= 16 and s['pass'] > 0" EKKA_TEST_FAKE_SEED=$seed EKKA_SYNC=$((seed % 2))
done
# cuBLAS comes, goes, and comes again.
program=hard-dlsym hard unload unload "s['pass'] == 9 == s['ops']"
# Another shim of the same functions, before us and behind us.
for other in libfaulty-cublas.so libfaulty-launch.so; do
	other=$top_builddir/tests/gpu/.libs/$other
	preload="$other:$shim" hard before-$(basename "$other") wait "$all"
	preload="$shim:$other" hard behind-$(basename "$other") wait "$all"
done
# A stream that never moves again: nothing arrives, and the process still ends.
hard stuck exit "s['incomplete'] == 8 == s['ops'] and s['fail'] == 0" EKKA_TEST_FAKE_STUCK=1
# From some moment the context answers every call of ours with an error, as after a fault of the engine's.
for symbol in cuEventQuery cuEventRecord cuMemcpyDtoDAsync_v2 cuMemcpyDtoHAsync_v2 cuStreamIsCapturing cuPointerGetAttributes=719,cuPointerGetAttribute; do
	hard sticky-$symbol wait "s['incomplete'] == 8 == s['ops'] and s['dropped'] >= 8" EKKA_TEST_FAKE_FAIL=$symbol=719
done

# ---- memory -------------------------------------------------------------

# Neither more device memory nor more pinned memory than is allowed, and what is lacking is said; nobody was waited for.
MIB=$((1 << 20))
hard limits wait "$all" EKKA_CUDA_STAGING=1M EKKA_CUDA_PINNED=2M
[ "$(peak device)" -le $MIB ] && [ "$(peak pinned)" -le $((2 * MIB)) ] || fail "limits: $(grep peak "$work/report")"
grep -E '^cu(Stream|Ctx|Event)Synchronize|^cuMemFree' "$work/report" && fail "limits: somebody waited"
hard small wait "s['fail'] == 0 and s['pass'] + s['incomplete'] == 8" EKKA_CUDA_STAGING=20K EKKA_CUDA_PINNED=20K EKKA_WHEN_FULL=drop
[ "$(peak device)" -le 20480 ] && [ "$(peak pinned)" -le 20480 ] || fail "small: $(grep peak "$work/report")"
hard no-pinned wait "$all" EKKA_TEST_FAKE_FAIL=cuMemHostAlloc=2
hard neither wait "s['incomplete'] == 8 and s['dropped'] >= 8" EKKA_TEST_FAKE_FAIL=cuMemHostAlloc=2,cuMemCreate=2,cuMemAlloc_v2=2
hard no-device wait "$all" EKKA_TEST_FAKE_FAIL=cuMemCreate=2,cuMemAlloc_v2=2

# The program gets as much as without us, and its snapshots go on.
full=(EKKA_TEST_FAKE_MEMORY=$((8 * MIB)) HARD_CHUNK=$((MIB / 4)) EKKA_CUDA_STAGING=2M)
env LD_LIBRARY_PATH="$top_builddir/tests/fake/.libs" "${full[@]}" "$top_builddir/tests/gpu/.libs/hard" all-memory >"$work/alone"
for mode in cupti driver; do
	hard all-$mode all-memory "s['pass'] == 16 == s['ops']" "${full[@]}" EKKA_LAUNCHES=$mode
	[ -s "$work/alone" ] && cmp -s "$work/alone" "$work/out" || fail "all-$mode: $(cat "$work/out") instead of $(cat "$work/alone")"
	[ "$(grep -c 'device memory' "$work/err")" = 1 ] || fail "all-$mode: not said once: $(cat "$work/err")"
done
# Where it cannot be mapped it stays ours.
hard all-unmapped all-memory "s['pass'] == 16 == s['ops']" "${full[@]}" EKKA_TEST_FAKE_FAIL=cuMemMap=801

# ---- waits --------------------------------------------------------------

# Launches with their bytes, hundreds of them, graphs, memory operations: exactly the waits that the program makes by itself, and no stream of its waits for ours.
waits() {
	grep -E '^cu(Stream|Ctx|Event)Synchronize|^cuStreamWaitEvent|^cuMemFree|^cuMemcpy((HtoD|DtoH|DtoD)(_v2)?)? ' "$1" | sort
}
for scenario in "launches bytes" "launches often" graphs memory; do
	for way in linked proc; do
		read -r subject scene <<<"$scenario"
		command=$top_builddir/tests/fake/.libs/$subject
		[ $way = linked ] && command=$command-linked
		env=(LD_LIBRARY_PATH="$top_builddir/tests/fake/.libs" EKKA_KERNELS="$top_srcdir/tests/fake/launches.kd" EKKA_QUIET=1)
		env "${env[@]}" EKKA_TEST_FAKE_REPORT="$work/alone" "$command" $way $scene >"$work/out" || fail "waits: $scenario alone"
		env "${env[@]}" EKKA_TEST_FAKE_REPORT="$work/report" EKKA_OUTPUT="$work/$way-$subject$scene.ekka" LD_PRELOAD="$shim" "$command" $way $scene \
			>"$work/out" || fail "waits: $scenario recorded"
		# Memory operations have no bytes.
		grep -q '^cuMemcpyDtoDAsync_v2' "$work/report" || [ $subject = memory ] || fail "waits: no snapshot"
		[ -n "$(waits "$work/alone")" ] && [ "$(waits "$work/alone")" = "$(waits "$work/report")" ] ||
			fail "waits: $way $scenario: $(waits "$work/report" | diff - <(waits "$work/alone"))"
	done
done

# ---- disk ---------------------------------------------------------------

hard budget wait "s['fail'] == 0 and 0 < s['incomplete'] and s['dropped'] > 0" EKKA_BUDGET=32K EKKA_COMPRESS=0
[ "$(du -sb --apparent-size "$work/budget.ekka" | cut -f1)" -le $((32 << 10)) ] || fail "budget: $(du -sb "$work/budget.ekka")"

[ $failures -eq 0 ] && echo "all fine"
exit $((failures != 0))
