# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by the tests of the `ekka` command. Each works in an empty folder of its own and counts what it finds wrong.
set -u
ekka=$top_builddir/tools/ekka
work=$(mktemp -d "${TMPDIR:-/tmp}/ekka-cli.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99
export HOME=$work
unset LD_PRELOAD NO_COLOR PAGER COLUMNS ${!EKKA_@}
failures=0

# run ARGS...: runs ekka, keeps its status in $status, its output in the files out and err.
run() {
	ran="ekka $*"
	timeout 60 "$ekka" "$@" >out 2>err </dev/null
	status=$?
}

fail() {
	echo "FAIL: ${ran:-}: $*"
	sed 's/^/    out: /' out | head -20
	sed 's/^/    err: /' err | head -20
	failures=$((failures + 1))
}

expect_status() { [ "$status" -eq "$1" ] || fail "status $status, expected $1"; }
expect_out() { grep -qE -- "$1" out || fail "stdout lacks /$1/"; }
expect_err() { grep -qE -- "$1" err || fail "stderr lacks /$1/"; }
expect_no_out() { [ ! -s out ] || fail "stdout is not empty"; }
# A sanitizer says that it may be wrong about the demangler's own stack.
expect_no_err() { ! grep -qv "ASan doesn't fully support makecontext" err || fail "stderr is not empty"; }
expect_json() { "$PYTHON3" -m json.tool out >/dev/null 2>&1 || fail "stdout is no JSON"; }

# json EXPRESSION: stdout's JSON as `j` (one object a line: `rows`) must make it true.
json() {
	"$PYTHON3" - "$1" <<-'END' || fail "JSON lacks: $1"
	import json, math, sys
	def no(x): raise ValueError(x)
	text = open("out").read()
	load = lambda s: json.loads(s, parse_constant=no)
	try:
	    j, rows = load(text), None
	except json.JSONDecodeError:
	    j, rows = None, [load(line) for line in text.splitlines()]
	sys.exit(0 if eval(sys.argv[1]) else 1)
	END
}

finish() {
	[ "$failures" -eq 0 ] || echo "$failures failed"
	exit $((failures != 0))
}
