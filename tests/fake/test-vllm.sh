#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Kernels with vLLM's names and parameter lists on the fake machine (tests/gpu/vllm_cases.cu): all are judged and right; and with a defect in one launch of
# each kernel, those launches alone are wrong.
set -u
[ -n "${PYTHON3:-}" ] && [ "$PYTHON3" != no ] || exit 77
work=$(mktemp -d "${TMPDIR:-/tmp}/ekka-vllm.XXXXXX")
trap 'rm -rf "$work"' EXIT
unset LD_PRELOAD ${!EKKA_@}
failures=0

for defects in none all; do
	for mode in cupti driver; do
		[ "$defects $mode" = "all driver" ] && continue
		rm -rf "$work/t.ekka"
		env LD_LIBRARY_PATH="$top_builddir/tests/fake/.libs" LD_PRELOAD="$top_builddir/.libs/libekkatrace.so" EKKA_OUTPUT="$work/t.ekka" \
			EKKA_LAUNCHES=$mode EKKA_QUIET=1 EKKA_STACK=0 timeout 100 "$top_builddir/tests/fake/.libs/vllm" $defects >"$work/out" 2>"$work/err"
		status=$?
		if [ $status -ne 0 ] || ! "$PYTHON3" "$top_srcdir/tests/fake/check_vllm.py" "$top_builddir/tools/ekka" "$work/t.ekka" "$work/out"; then
			echo "FAIL: $defects, $mode: status $status: $(head -3 "$work/err")"
			failures=$((failures + 1))
		fi
	done
done
# Listings, which do not know what was allocated: nothing is refused, and a name is a name whatever its return type.
"$top_builddir/tools/ekka" kernels --json "$work/t.ekka" >"$work/out" 2>/dev/null
grep -q '"kernel"' "$work/out" && ! grep -q '"reason":"' "$work/out" || { echo "FAIL: kernels: $(grep -m1 '"reason":"' "$work/out")"; failures=$((failures + 1)); }
[ "$("$top_builddir/tools/ekka" log "$work/t.ekka" | grep -c ' fused_add_rms')" -eq 13 ] || { echo "FAIL: log"; failures=$((failures + 1)); }
[ $failures -eq 0 ] && echo "all fine"
exit $((failures != 0))
