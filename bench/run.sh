#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs every benchmark and prints one markdown table. Each figure stands beside its baseline of the same run: on a shared machine the
# ratio says more than the number. `make bench` calls this; BENCH_QUICK=1 takes fewer rounds.
set -eu

: "${top_builddir:?set by make bench}"
shim=$top_builddir/.libs/libekkatrace.so
bench=$top_builddir/bench
ekka=$top_builddir/tools/ekka
tinylm=$top_builddir/examples/tinylm/tinylm
quick=${BENCH_QUICK:-0}
ram=$(mktemp -d /dev/shm/ekka-bench.XXXXXX)
disk=$(mktemp -d "${TMPDIR:-/var/tmp}/ekka-bench.XXXXXX")
trap 'rm -rf "$ram" "$disk"' EXIT
export OPENBLAS_NUM_THREADS=1 EKKA_QUIET=1

scale() { if [ "$quick" = 1 ]; then echo "$2"; else echo "$1"; fi; }
calc() { awk "BEGIN { printf \"$1\", $2 }"; }
row() { echo "| $1 | $2 | $3 | $4 |"; }
talk() { echo "bench: $*" >&2; }

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# Seconds that a command takes, median of $1 runs; its output is thrown away, its exit status is not looked at (a replay may find faults).
seconds() {
	local runs=$1 i start
	shift
	for ((i = 0; i < runs; i++)); do
		start=$(date +%s%N)
		"$@" >/dev/null 2>&1 || true
		echo $(($(date +%s%N) - start))
	done | sort -n | awk '{ v[NR] = $1 } END { printf "%.3f", v[int((NR + 1) / 2)] / 1e9 }'
}

# traced LEVEL DIR COMMAND...: runs it under the shim.
traced() {
	local level=$1 out=$2
	shift 2
	rm -rf "$out"
	env EKKA_LEVEL="$level" EKKA_OUTPUT="$out" LD_PRELOAD="$shim" "$@"
}

call_rows() {
	local level=$1 batch=$2 rounds=$3 kind=$4 what=$5 base wrapped
	read -r base wrapped < <(traced "$level" "$ram/call.ekka" "$bench/bench-call" "$batch" "$rounds" "$kind")
	row "call, $what" "+$(calc %.0f "$wrapped - $base") ns" "unwrapped call of nothing: $base ns" \
		"+$(calc %.1f "100 * ($wrapped - $base) / $gemm_ns") % of a real 64x64x64 sgemm ($(calc %.0f "$gemm_ns") ns)"
}

bench_calls() {
	talk "ns per call"
	gemm_ns=$("$bench/bench-gemm" 1000 "$(scale 51 11)")
	call_rows off "$(scale 100000 20000)" 51 seen "level off"
	EKKA_SIGNAL=1 call_rows full "$(scale 100000 20000)" 51 seen "level full, outside the window"
	EKKA_STACK=0 call_rows calls 200 "$(scale 101 21)" seen "level calls, no stack"
	call_rows calls 200 "$(scale 101 21)" seen "level calls"
	call_rows full 100 "$(scale 101 21)" seen "level full, bytes seen before"
	call_rows full 100 "$(scale 101 21)" fresh "level full, 16 KiB of 48 KiB fresh"
}

# launch_ns LEVEL COMMAND...: median ns of a launch on the fake machine, plain without the shim.
launch_ns() {
	local level=$1 preload=$shim
	shift
	[ "$level" = plain ] && preload=
	rm -rf "$ram/launch.ekka"
	env LD_LIBRARY_PATH="$top_builddir/tests/fake/.libs" EKKA_TEST_FAKE_DELAY_NS=0 EKKA_LEVEL="$level" EKKA_OUTPUT="$ram/launch.ekka" \
		LD_PRELOAD="$preload" "$@" 300 "$(scale 31 11)"
}

launch_rows() {
	local from=$1 level i
	shift
	for ((i = 0; i < $(scale 5 3); i++)); do
		for level in plain off calls full; do
			echo "$level $(launch_ns $level "$@")"
		done
	done >"$ram/launches"
	local plain ns
	plain=$(sed -n 's/^plain //p' "$ram/launches" | median)
	for level in off calls full; do
		ns=$(sed -n "s/^$level //p" "$ram/launches" | median)
		row "launch, level $level, $from" "$(printf %+d $((ns - plain))) ns" "plain launch: $plain ns" "$(calc %.2f "$ns / $plain")x"
	done
}

bench_launches() {
	talk "ns per launch"
	if [ ! -e "$bench/bench-launch" ]; then
		talk "no CUDA headers: no launches"
		return
	fi
	launch_rows "called from C" "$bench/bench-launch"
	[ -z "${PYTHON3:-}" ] || launch_rows "called from Python, 21 frames deep" "$PYTHON3" "$(dirname "$0")/launch.py" "$top_builddir/.libs/libbenchlaunches.so"
}

# Nanoseconds from when the data of bench-capture are ready to its end.
capture_ns() {
	local start
	start=$("$@")
	echo $(($(date +%s%N) - start))
}

# Pairs of a plain write and a traced run; of the first only the memory that it leaves behind is of use: where pages come from a
# hypervisor, new ones cost many times what used ones do.
capture_rows() {
	local dir=$1 where=$2 mib i plain traced_ns
	mib=$(scale 512 128)
	for ((i = 0; i <= $(scale 5 3); i++)); do
		plain=$(capture_ns "$bench/bench-capture" "$mib" "$dir/plain")
		rm -f "$dir/plain"
		traced_ns=$(capture_ns traced full "$dir/capture.ekka" "$bench/bench-capture" "$mib" call)
		rm -rf "$dir/capture.ekka"
		[ "$i" = 0 ] || echo "$plain $traced_ns"
	done >"$ram/pairs"
	plain=$(cut -d" " -f1 "$ram/pairs" | median)
	traced_ns=$(cut -d" " -f2 "$ram/pairs" | median)
	row "capture to $where" "$(calc %.0f "$mib * 1048.576 / $traced_ns * 1e6") MB/s" \
		"plain write of the same bytes: $(calc %.0f "$mib * 1048.576 / $plain * 1e6") MB/s" \
		"$(calc %.2f "$plain / $traced_ns")"
}

bench_capture() {
	talk "capture MB/s"
	capture_rows "$ram" tmpfs
	EKKA_COMPRESS=0 capture_rows "$ram" "tmpfs, no compression"
	capture_rows "$disk" disk
}

stored_row() {
	local n open read seen stored
	read -r n open read seen stored < <("$bench/bench-reader" "$2")
	row "bytes stored, $1, $n calls" "$(calc %.2f "$stored / 1048576") MiB" "seen: $(calc %.2f "$seen / 1048576") MiB" \
		"$(calc %.4f "$stored / $seen")"
}

bench_stored() {
	talk "bytes stored"
	traced full "$ram/lm.ekka" "$tinylm" --tokens 32 >/dev/null
	stored_row "tinylm, 32 bytes of text" "$ram/lm.ekka"
	traced full "$ram/weights.ekka" "$bench/bench-call" 1000 1 seen >/dev/null
	stored_row "the same operands again and again" "$ram/weights.ekka"
	traced full "$ram/cache.ekka" "$bench/bench-cache" 64 >/dev/null
	stored_row "a KV-cache of 4 MiB written and read 64 times" "$ram/cache.ekka"
	[ -e "$bench/bench-cache-device" ] || return 0
	LD_LIBRARY_PATH=$top_builddir/tests/fake/.libs EKKA_TEST_FAKE_DELAY_NS=0 traced full "$ram/cache.ekka" "$bench/bench-cache-device" 64 >/dev/null
	stored_row "the same on the fake machine" "$ram/cache.ekka"
	rm -rf "$ram/cache.ekka"
}

bench_reader() {
	local n open read rest
	talk "reader"
	traced calls "$ram/many.ekka" "$bench/bench-call" 1000 "$(scale 200 20)" seen >/dev/null
	read -r n open read rest < <("$bench/bench-reader" "$ram/many.ekka")
	row "reader, $n events: open, scan and check" "$open events/s" "" ""
	row "reader, $n events: decode each" "$read events/s" "" ""
	rm -rf "$ram/many.ekka"
}

bench_replay() {
	local plain traced_s replay read runs cores
	talk "replay"
	runs=$(scale 5 3)
	cores=$(nproc)
	plain=$(seconds "$runs" "$tinylm" --tokens 32)
	traced_s=$(seconds "$runs" traced full "$ram/lm.ekka" "$tinylm" --tokens 32)
	replay=$(seconds "$runs" "$ekka" replay "$ram/lm.ekka")
	row "tinylm, traced" "$traced_s s" "plain: $plain s" "$(calc %.1f "$traced_s / $plain")x"
	row "tinylm, replay on $cores cores" "$replay s" "traced run: $traced_s s" "$(calc %.1f "$replay / $traced_s")x"
	"$bench/bench-layer" "$ram/layer.ekka" "$(scale 512 128)" 8
	read=$(seconds "$runs" "$ekka" fsck "$ram/layer.ekka")
	replay=$(seconds "$runs" "$ekka" replay "$ram/layer.ekka")
	row "a decoder layer, bf16, hidden 2048, prefill 2x$(scale 512 128) and 8 steps, replay on $cores cores" "$replay s" \
		"ekka fsck, which reads each byte once, on one core: $read s" "$(calc %.1f "$replay / $read")x"
	rm -rf "$ram/layer.ekka"
}

bench_screen() {
	local cores copy gbs type
	talk "screen"
	read -r cores copy < <("$bench/bench-copy")
	for type in f32 bf16 f16; do
		gbs=$("$bench/bench-screen" "$type" 2048 "$cores")
		row "GEMM screen, $type 2048x2048x2048, $cores threads" "$gbs GB/s" "memory copy, $cores threads: $copy GB/s" "$(calc %.2f "$gbs / $copy")"
	done
}

if [ ! -e "$shim" ]; then
	talk "no shim in this build ($shim)"
	exit 1
fi
echo "$(nproc) cores, $(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -1), $(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release), $(date +%F), load $(cut -d" " -f1 /proc/loadavg) at the start"
echo
echo "| what | figure | baseline of the same run | ratio |"
echo "|---|---|---|---|"
for part in ${BENCH_PARTS:-calls launches capture stored reader screen replay}; do
	"bench_$part"
done
