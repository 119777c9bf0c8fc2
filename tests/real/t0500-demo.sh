#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The demo finds its culprit, and says so when there is none to find.
set -u
: "${top_srcdir:?}" "${top_builddir:?}"
work=$(mktemp -d "${TMPDIR:-/tmp}/ekka-demo-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
unset LD_PRELOAD FAULTY_BLAS

timeout 100 "$top_srcdir/examples/demo.sh" "$top_builddir" >"$work/out" 2>&1 </dev/null || {
	echo "FAIL: the demo ended with status $?"
	cat "$work/out"
	exit 1
}
tail -n 1 "$work/out" | grep -qx 'Found and reproduced.' || { echo "FAIL: the demo does not end well"; cat "$work/out"; exit 1; }
[ "$(grep -c 'granted herein' "$work/out")" -eq 2 ] || { echo "FAIL: no two texts"; cat "$work/out"; exit 1; }

# A build whose BLAS is right has no culprit.
mkdir -p "$work/build/tools" "$work/build/examples/tinylm" "$work/build/examples/faulty-blas/.libs"
printf '#!/bin/sh\nexec "%s" "$@"\n' "$top_builddir/tools/ekka" >"$work/build/tools/ekka"
printf '#!/bin/sh\nunset FAULTY_BLAS\nexec "%s" "$@"\n' "$top_builddir/examples/tinylm/tinylm" >"$work/build/examples/tinylm/tinylm"
chmod +x "$work/build/tools/ekka" "$work/build/examples/tinylm/tinylm"
cp "$top_builddir/examples/faulty-blas/.libs/libfaulty-blas.so" "$work/build/examples/faulty-blas/.libs/"
if timeout 100 "$top_srcdir/examples/demo.sh" "$work/build" >"$work/out" 2>&1 </dev/null; then
	echo "FAIL: the demo is content although nothing was wrong"
	exit 1
fi
