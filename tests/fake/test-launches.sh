#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Kernel launches on the fake machine, seen by CUPTI and at the driver's entry points, however the program got those: each is an event with its
# kernel's name, shape and parameters; the program computes the same; profilers are not disturbed.
set -u
[ -n "${PYTHON3:-}" ] && [ "$PYTHON3" != no ] || exit 77
work=$(mktemp -d "${TMPDIR:-/tmp}/ekka-launches.XXXXXX")
trap 'rm -rf "$work"' EXIT
unset LD_PRELOAD ${!EKKA_@}
ekka=$top_builddir/tools/ekka
failures=0

fail() {
	echo "FAIL: $*"
	failures=$((failures + 1))
}

# launches NAME LAUNCHES WAY SCENARIO CONDITION [ENVIRONMENT...]: CONDITION is Python over `e`, the events, and `text`, what was said.
launches() {
	local name=$1 mode=$2 way=$3 scenario=$4 condition=$5 program=launches
	shift 5
	[ "$way" = linked ] && program=launches-linked
	rm -rf "$work/t.ekka"
	env LD_LIBRARY_PATH="$top_builddir/tests/fake/.libs" LD_PRELOAD="$top_builddir/.libs/libekkatrace.so" EKKA_OUTPUT="$work/t.ekka" \
		EKKA_LAUNCHES="$mode" EKKA_LINEAGE=0 EKKA_QUIET=1 "$@" timeout 60 "$top_builddir/tests/fake/.libs/$program" "$way" $scenario >"$work/out" 2>"$work/err"
	status=$?
	[ $status -eq 0 ] && grep -q '^fine' "$work/out" || fail "$name: status $status: $(cat "$work/out" "$work/err" | head -3)"
	"$PYTHON3" "$top_srcdir/tests/fake/check_launches.py" "$ekka" "$work/t.ekka" "$work/err" "$condition" || fail "$name"
	# What these scenarios do not get is looked at in detail.
	if [ -d "$work/t.ekka" ] && [ "$scenario" != bytes ] && [ "$scenario" != often ]; then
		"$ekka" fsck "$work/t.ekka" >"$work/out" 2>&1 || fail "$name: fsck: $(head -3 "$work/out")"
	fi
}

for mode in cupti driver; do
	for way in linked dlsym proc proc-thread; do
		launches "$mode $way" $mode $way "" "all_there(e, '$way') and text == ''"
	done
done
# What the tools say of the last one: launches by kernel, most GPU time first; the program's own are what replay cannot judge.
"$ekka" kernels --json "$work/t.ekka" >"$work/out" || fail "kernels: status $?"
"$PYTHON3" -c "
import json
k = [json.loads(line) for line in open('$work/out')]
assert [x['gpu_ns'] for x in k] == sorted((x['gpu_ns'] for x in k), reverse=True), k
assert abs(sum(x['gpu_time_share'] for x in k) - 1) < 1e-9 and [x['timed'] for x in k if x['launches'] > 1] in ([5, 1], [1, 5]), k
k.sort(key=lambda x: -x['launches'])
assert [(x['kernel'], x['launches'], x['shapes']) for x in k][:2] == [('scale(float*, float, int)', 6, 3), ('odd(odd, long, unsigned char)', 2, 2)], k
assert [(p['name'], p['launches']) for p in k[0]['parents']] == [(None, 5), ('cblas_sdot', 1)], k
assert len(k) == 5 and abs(sum(x['share'] for x in k) - 1) < 1e-9, k" || fail "kernels"
"$ekka" log "$work/t.ekka" | grep -qE '1  scale +<<<2x3, 64>>> ' || fail "log: $("$ekka" log "$work/t.ekka" | head -3)"
"$ekka" show 1 "$work/t.ekka" | grep -q 'kernel  *scale(float\*, float, int)' || fail "show"
"$ekka" replay --json "$work/t.ekka" >"$work/out" || fail "replay: status $?"
"$PYTHON3" -c "
import json
s = json.load(open('$work/out'))['summary']
assert s['fail'] == 0 and s['unsupported'] >= 9, s" || fail "replay"
# Where their code comes from: two images, each once, though one was loaded as a module and as a library and the other's memory is gone; only what the device runs.
"$ekka" kernels --modules --json "$work/t.ekka" >"$work/out" || fail "modules: status $?"
"$PYTHON3" -c "
import json
m = [json.loads(line) for line in open('$work/out')]
assert [(x['kind'], x['bytes'], x['of_bytes'], x['launches'], len(x['kernels']), x['missing']) for x in m] == [
    ('fatbin', 16 + 80, 16 + 160, 9, 4, None), ('fatbin', 16 + 80, 16 + 160, 2, 2, None)], m
assert m[1]['kernels'] == ['_Z5scalePffi', '_Z5otherPf'] and m[0]['blob'] != m[1]['blob'], m" || fail "modules"
"$ekka" show 1 "$work/t.ekka" | grep -qE 'module  *[0-9a-f]{32}, fatbin 96 B of 176 B$' || fail "show: $("$ekka" show 1 "$work/t.ekka" | grep module)"
"$ekka" kernels --extract "$work/code" --only other\* "$work/t.ekka" >"$work/out" || fail "extract: status $?"
[ "$(wc -l <"$work/out")" = 1 ] && [ "$(head -c 4 "$(cat "$work/out")" | od -An -tx1)" = " 50 ed 55 ba" ] && [ "$(stat -c %s "$(cat "$work/out")")" = 96 ] ||
	fail "extract: $(cat "$work/out")"
"$ekka" export -o "$work/one" 1 "$work/t.ekka" >"$work/out" 2>&1 && "$ekka" show 1 "$work/one/event-1.ekka" | grep -q 'fatbin 96 B of 176 B$' ||
	fail "export: $(cat "$work/out")"
launches no-modules driver proc "" "all_there(e, 'proc') and not modules(e)" EKKA_MODULES=off
"$ekka" kernels --modules "$work/t.ekka" | grep -qE '^ +[0-9]+  launches of kernels whose module is not known$' || fail "modules that are not known"
launches calls-modules driver proc "" "all_there(e, 'proc') and not modules(e)" EKKA_LEVEL=calls
# Off: not one; and nobody is told that there would be.
launches off off proc "" "[x['name'] for x in e] == ['cblas_sdot'] and text == ''"
# The bytes of launches, by description or without one; the stand-in's streams run late, and whoever does not keep their order is wrong.
bytes=(EKKA_KERNELS="$top_srcdir/tests/fake/launches.kd" EKKA_BUFFER_BYTES=50000 EKKA_STACK=0)
for mode in cupti driver; do
	for way in linked dlsym proc; do
		launches "bytes $mode $way" $mode $way bytes "bytes_there(e) and text == ''" "${bytes[@]}" EKKA_TEST_FAKE_SEED=$RANDOM
	done
done
# They are judged: what the stand-in computed is right, and in place. One failed; what went into a graph does not count.
"$ekka" replay --json "$work/t.ekka" >"$work/out" || fail "replay of bytes: status $?"
"$PYTHON3" -c "
import json
r = json.load(open('$work/out'))
s = r['summary']
assert (s['pass'], s['fail'], s['undecided'], s['incomplete']) == (16, 0, 0, 1), s
assert s['timed'] == s['ops'] - 3 and s['untimed'] == 1 and 0 < s['coverage_gpu_time'] < 1, s	# one failed, two are the host's
assert s['gpu_ns_total'] - s['gpu_ns_judged'] == sum(u['gpu_ns'] for u in r['unjudged']), r['unjudged']
assert not any(x['audit'] for x in r['suspects']), r['suspects'][0]" || fail "replay of bytes"
# With memory operations seen too, what nothing wrote is not copied again, and right nevertheless.
for seed in 1 2 3; do
	launches known cupti proc bytes "len(e) > 20" "${bytes[@]}" EKKA_LINEAGE=1 EKKA_TEST_FAKE_SEED=$seed
	"$ekka" replay --json "$work/t.ekka" >"$work/out" || fail "replay of known bytes: status $?"
	"$PYTHON3" -c "
import json
s = json.load(open('$work/out'))['summary']
assert s['known_bytes'] > 0 and (s['pass'], s['fail'], s['undecided']) == (16, 0, 0), s" || fail "known bytes, seed $seed"
done
# Writes of every kind between them: a launch that got old bytes would be judged wrong.
for seed in 1 2 3 4; do
	launches random $([ $((seed % 2)) = 0 ] && echo cupti || echo driver) proc random "len(e) > 400" "${bytes[@]}" EKKA_LINEAGE=1 EKKA_TEST_FAKE_SEED=$seed
	"$ekka" replay --json "$work/t.ekka" >"$work/out" || fail "replay of random writes: status $?"
	"$PYTHON3" -c "
import json
s = json.load(open('$work/out'))['summary']
assert s['known_bytes'] > 10000 and s['pass'] >= 400 and (s['fail'], s['undecided'], s['incomplete']) == (0, 0, 0), s" || fail "random writes, seed $seed"
done
# An array of pointers in device memory, as far as copies tell what is in it.
for mode in cupti driver; do
	launches "arrays $mode" $mode proc arrays "arrays_there(e)" EKKA_LINEAGE=1 EKKA_STACK=0
done
launches "no copies" driver proc arrays "[len(show(EKKA, TRACE, x['event'])['tensors']) for x in e] == [1, 1, 1]" EKKA_STACK=0
# More launches than can be in progress at once, and no end of them is told.
launches deaf cupti proc often "often_there(e)" "${bytes[@]}" EKKA_TEST_FAKE_CUPTI=deaf
# Without bytes nobody asks what a launch means.
launches calls cupti proc bytes "not any(t for x in e for t in show(EKKA, TRACE, x['event'])['tensors'] if x['name'] != 'cblas_sdot')" \
	"${bytes[@]}" EKKA_LEVEL=calls
# GPU times come with bytes, or alone when they are asked for, of all that is not inside something else and did run; then no memory is taken for bytes.
launches untimed driver proc bytes "timed(e) == []" "${bytes[@]}" EKKA_LEVEL=calls
launches untimed-full driver proc bytes "timed(e) == []" "${bytes[@]}" EKKA_TIMING=off
for mode in cupti driver; do
	launches "timed $mode" $mode proc bytes "timed(e) == ran(e)" "${bytes[@]}" EKKA_LEVEL=calls EKKA_TIMING=on EKKA_TEST_FAKE_REPORT="$work/report"
	grep -q '^peak-pinned 1824$' "$work/report" || fail "timed $mode: $(grep peak "$work/report")"
	launches "timed bytes $mode" $mode proc bytes "timed(e) == ran(e)" "${bytes[@]}"
done
# Another subscriber is there already: said once, and nothing is lost.
launches taken cupti proc "" "all_there(e, 'proc') and text.count('\n') == 1 and 'another profiler' in text" EKKA_TEST_FAKE_CUPTI=taken
# Unless CUPTI was asked for by name, the trace alone says that.
launches auto auto proc "" "all_there(e, 'proc') and text == '' and via(e) == ['cupti']"
launches auto-taken auto proc "" "all_there(e, 'proc') and text == '' and via(e) == ['driver: another profiler uses CUPTI already']" \
	EKKA_TEST_FAKE_CUPTI=taken
# One that comes later gets CUPTI; its own launch is recorded too.
launches profile cupti proc profile "len(e) == 13 and text.count('\n') == 1 and 'profiler' in text and via(e) == ['cupti', 'driver: a profiler uses CUPTI']"
launches profile-driver driver proc profile "len(e) == 13 and text == '' and via(e) == ['driver']"
# Selection is by the kernel's mangled name.
launches include driver proc "" "{x['name'] for x in e} == {'_Z5scalePffi'}" EKKA_INCLUDE='_Z5scale*'

[ $failures -eq 0 ] && echo "all fine"
exit $((failures != 0))
