#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The command table: help, man pages and completion say the same; wrong usage is 129 and leaves stdout alone.
. "$top_srcdir/tests/cli/lib.sh"

# The words of a roff or plain synopsis, one blank between.
words() { tr '\n' ' ' | sed 's/\\-/-/g; s/\\&//g; s/  */ /g; s/^ //; s/ $//'; }

man_synopsis() { sed -n '/^\.SH SYNOPSIS/,/^\.ad b/p' "$1" | grep -v '^\.' | words; }
help_synopsis() { sed -n '1,/^$/p' out | sed 's/^usage: //' | words; }

run --dump-table commands
expect_status 0
commands=$(cat out)
[ "$(echo "$commands" | wc -l)" -ge 3 ] || fail "too few commands"

for c in $commands; do
	page=$top_builddir/tools/ekka-$c.1
	[ -s "$page" ] || { fail "no man page for $c"; continue; }
	run "$c" -h
	expect_status 0
	expect_no_err
	[ -n "$(help_synopsis)" ] || fail "no synopsis"
	[ "$(help_synopsis)" = "$(man_synopsis "$page")" ] || fail "$c: -h and man page differ: $(man_synopsis "$page")"
	cp out by-h
	run help "$c"
	expect_status 0
	cmp -s out by-h || fail "help $c and $c -h differ"
	run "$c" --help
	cmp -s out by-h || fail "$c --help and $c -h differ"
	# Every option of -h is in the man page and the other way round.
	sed -n 's/^  \(-., \)\{0,1\}\(--[a-z-]*\).*/\2/p' out | sort >by-h
	sed -n '/^\.SH OPTIONS/,/^\.SH [^O]/p' "$page" | sed -n 's/^\.B \(\\-., \)\{0,1\}\(\\-\\-[a-z\\-]*\).*/\2/p' | sed 's/\\//g' | sort >by-man
	cmp -s by-h by-man || fail "options of -h and of the man page differ: $(diff by-h by-man | tr '\n' ' ')"
	run "$c" --no-such-option
	expect_status 129
	expect_no_out
	expect_err "^ekka: $c: unknown or ambiguous option '--no-such-option'$"
	expect_err '^usage: ekka '
	run
	run help
	expect_out "^  $c +[a-z]"
done

run
expect_status 129
expect_no_out
expect_err '^usage: ekka '
run frobnicate
expect_status 129
expect_no_out
expect_err "^ekka: 'frobnicate' is not a command"
run --frobnicate
expect_status 129
run help frobnicate
expect_status 129
run --version
expect_status 0
expect_out '^ekka \(ekkatrace\) [0-9]+\.[0-9]+'
run -h
expect_status 0
expect_out '^usage: ekka '
run record --output
expect_status 129
expect_err "option '--output' needs a value"
run record --sync=yes
expect_status 129
expect_err "option '--sync' takes no value"

# What cannot be printed was not "nothing found".
if [ -e /dev/full ]; then
	"$ekka" help >/dev/full 2>err
	status=$? ran="ekka help >/dev/full"
	expect_status 128
	expect_err 'cannot write to standard output: No space left'
fi

# The environment table is in the manual, whole.
vars=$(sed -n 's/^CONF[A-Z_]*([a-z_]*, "\(EKKA_[A-Z_]*\)".*/\1/p' "$top_srcdir/preload/conf.def")
[ -n "$vars" ] || fail "no variable found in conf.def"
for v in $vars; do
	grep -q "^\.B $v" "$top_builddir/tools/ekka.1" || fail "$v is not in ekka(1)"
done

if command -v mandoc >/dev/null; then
	mandoc -T lint -W error "$top_builddir"/tools/ekka*.1 >lint || fail "mandoc: $(cat lint)"
elif command -v groff >/dev/null; then
	groff -man -Tascii -ww "$top_builddir"/tools/ekka*.1 2>lint >/dev/null
	[ ! -s lint ] || fail "groff: $(cat lint)"
fi
finish
