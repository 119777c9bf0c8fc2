#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The reader and the evaluator of kernel descriptions survive their fuzzing corpora. Run by make check with whatever sanitizers the build has.
set -eu
for target in "" _describe; do
	corpus=("$top_srcdir/tests/fuzz/corpus$target"/*)
	[ -f "${corpus[0]}" ] || { echo "no corpus$target"; exit 1; }
	timeout 120 "$top_builddir/tests/fuzz/run_corpus$target" "${corpus[@]}"
done
