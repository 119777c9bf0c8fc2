#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Kernels of PyTorch and CUB on the fake machine (tests/fake/aten.c): all are described, judged and right; and with its defect in one launch of each, those
# launches alone are wrong.
set -u
[ -n "${PYTHON3:-}" ] && [ "$PYTHON3" != no ] || exit 77
work=$(mktemp -d "${TMPDIR:-/tmp}/ekka-aten.XXXXXX")
trap 'rm -rf "$work"' EXIT
unset LD_PRELOAD ${!EKKA_@}
failures=0

for defects in none all; do
	rm -rf "$work/t.ekka"
	env LD_LIBRARY_PATH="$top_builddir/tests/fake/.libs" LD_PRELOAD="$top_builddir/.libs/libekkatrace.so" EKKA_OUTPUT="$work/t.ekka" \
		EKKA_LAUNCHES=cupti EKKA_QUIET=1 EKKA_STACK=0 timeout 100 "$top_builddir/tests/fake/.libs/aten" $defects >"$work/out" 2>"$work/err"
	status=$?
	if [ $status -ne 0 ] || ! "$PYTHON3" "$top_srcdir/tests/fake/check_vllm.py" "$top_builddir/tools/ekka" "$work/t.ekka" "$work/out" '^_ZN'; then
		echo "FAIL: $defects: status $status: $(head -3 "$work/err")"
		failures=$((failures + 1))
	fi
	# Nor are arguments suspect: lengths that no parameter tells reach into nobody else's memory.
	[ $defects = all ] || "$top_builddir/tools/ekka" replay "$work/t.ekka" >"$work/out" 2>/dev/null ||
		{ echo "FAIL: $defects: $(grep -m1 arguments "$work/out")"; failures=$((failures + 1)); }
done
[ $failures -eq 0 ] && echo "all fine"
exit $((failures != 0))
