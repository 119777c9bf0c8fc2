# SPDX-License-Identifier: Apache-2.0
# Functions for tests of capture: run a subject with and without the shim, compare, decode its trace.
# shellcheck shell=bash
set -u
bin=$top_builddir
shim=$bin/.libs/libekkatrace.so
subjects=$bin/tests/subjects/.libs
export SUBJECT_TOY1=$subjects/libtoy1.so SUBJECT_TOY2=$subjects/libtoy2.so
export SUBJECT_PLUGIN1=$subjects/libplugin1.so SUBJECT_PLUGIN2=$subjects/libplugin2.so
export SUBJECT_DISPATCH=$subjects/libdispatch.so
unset "${!EKKA_@}" LD_PRELOAD
work=$(mktemp -d "${TMPDIR:-/tmp}/ekka-capture.XXXXXX") || exit 99
trap 'chmod -R u+rwx "$work" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit 99
failed=0
what=

# fail TEXT...: notes a failure and goes on
fail()
{
	echo "FAIL: $what: $*"
	failed=1
}

# finish: ends the test
finish()
{
	[ $failed = 0 ] && echo "all passed"
	exit $failed
}

# subject MODE SCENARIO [ARGUMENT]...: runs it, at most 60 s
subject()
{
	if [ "$1" = linked ]; then
		timeout -s KILL 60 "$bin/tests/subjects/subject-linked" "$@"
	else
		timeout -s KILL 60 "$bin/tests/subjects/subject" "$@"
	fi
}

# compare MODE SCENARIO...: with the shim as without: output and exit status. The trace is t.ekka, decoded in `dump`; stderr of the
# run with the shim in `err`. Settings come from EKKA_* in the environment.
compare()
{
	local plain traced

	what="$*"
	rm -rf t.ekka dump out-plain out-traced err
	subject "$@" >out-plain 2>/dev/null
	plain=$?
	EKKA_OUTPUT=${EKKA_OUTPUT-t.ekka} LD_PRELOAD=${PRELOAD-$shim} subject "$@" >out-traced 2>err
	traced=$?
	[ $plain = $traced ] || fail "exit status $traced, without the shim $plain"
	cmp -s out-plain out-traced || fail "output differs: $(diff out-plain out-traced | head -4)"
	if [ -d t.ekka ]; then
		"$bin/tests/capture/dump" t.ekka >dump || fail "dump: $(head -3 dump)"
	else
		: >dump
	fi
}

# count N PATTERN: so many lines of the decoded trace match the extended regular expression
count()
{
	local n

	n=$(grep -cE -- "$2" dump)
	[ "$n" = "$1" ] || fail "$n lines match '$2', not $1: $(grep -E -- "$2" dump | head -3)"
}

# says PATTERN / silent: what the shim wrote to stderr
says()
{
	grep -qE -- "$1" err || fail "stderr has no '$1': $(head -3 err)"
}
silent()
{
	! grep -q ekkatrace err || fail "stderr: $(head -3 err)"
}

# orderly: no problems, nothing dropped, no blob damaged
orderly()
{
	count 0 '^(problem|drop|error) '
	count 0 '(missing:|absent)'
}
