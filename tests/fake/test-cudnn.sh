#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# cuDNN on the fake machine, however the program got it: every execution is an event whose plan was decoded, with its tensors' bytes; the
# program computes the same.
set -u
[ -n "${PYTHON3:-}" ] && [ "$PYTHON3" != no ] || exit 77
work=$(mktemp -d "${TMPDIR:-/tmp}/ekka-cudnn.XXXXXX")
trap 'rm -rf "$work"' EXIT
unset LD_PRELOAD ${!EKKA_@}
ekka=$top_builddir/tools/ekka
programs=$top_builddir/tests/gpu
failures=0

fail() {
	echo "FAIL: $*"
	failures=$((failures + 1))
}

# record NAME COMMAND...: the subject's lines are in $work/NAME.out.
record() {
	local name=$1
	shift
	env LD_LIBRARY_PATH="$top_builddir/tests/fake/.libs" EKKA_LINEAGE=0 EKKA_QUIET=1 timeout 60 "$ekka" record -o "$work/$name.ekka" -- "$@" \
		>"$work/$name.out" 2>"$work/$name.err"
	status=$?
	[ $status -eq 0 ] || fail "$name: the subject's status is $status: $(head -3 "$work/$name.err")"
	grep -qE '^(WRONG|skipped)' "$work/$name.out" && fail "$name: the subject computed something else"
	"$ekka" fsck "$work/$name.ekka" >"$work/fsck" 2>&1 || fail "$name: fsck: $(head -3 "$work/fsck")"
	"$PYTHON3" "$top_srcdir/tests/fake/check_cudnn.py" "$ekka" "$work/$name.ekka" || fail "$name"
}

for seed in 1 2; do
	EKKA_TEST_FAKE_SEED=$seed record linked-$seed "$programs/.libs/cudnn-linked"
done
record dlsym "$programs/.libs/cudnn-dlsym"
record local "$programs/cases-local" "$programs/.libs/cudnn-plugin.so"

# The GPU suite's steps: everything judged but one graph, then one execution spoiled in each way.
mkdir "$work/suite"
ln -s "$programs"/.libs/{cudnn-linked,cudnn-dlsym,cudnn-plugin.so,cudnn-legacy,libfaulty-cudnn.so} "$programs/cases-local" "$work/suite"
"$PYTHON3" "$top_srcdir/tests/gpu/suite.py" --bundle "$top_builddir" --suite "$work/suite" --out "$work/out" --fake "$top_builddir/tests/fake/.libs" \
	--jobs 2 --budget 240 --steps cudnn,cudnnfaults >"$work/steps" || fail "the suite's steps: $(grep -v ' ok ' "$work/steps")"
grep -qE '^cudnn legacy .* refused here: none' "$work/steps" || fail "a legacy call was refused"

[ $failures -eq 0 ] && echo "all fine"
exit $((failures != 0))
