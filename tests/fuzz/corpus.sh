#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The reader survives its fuzzing corpus. Run by make check with whatever sanitizers the build has.
set -eu
corpus=("$top_srcdir"/tests/fuzz/corpus/*)
[ -f "${corpus[0]}" ] || { echo "no corpus"; exit 1; }
exec timeout 120 "$top_builddir"/tests/fuzz/run_corpus "${corpus[@]}"
