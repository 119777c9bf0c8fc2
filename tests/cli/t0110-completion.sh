#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The completion script, sourced in a bash and asked as readline would ask.
. "$top_srcdir/tests/cli/lib.sh"
script=$top_builddir/tools/completions/ekka
: >out
: >err

# complete_words WORD...: completes the last one.
complete_words() {
	ran="completion of: $*"
	bash --norc -c '. "$0" || exit 99; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _ekka; printf "%s\n" "${COMPREPLY[@]}"' \
		"$script" "$@" >out 2>err
	status=$?
	expect_status 0
	expect_no_err
}

bash -n "$script" || fail "the script does not parse"
complete_words ekka rec
expect_out '^record$'
complete_words ekka ''
for c in $("$ekka" --dump-table commands); do
	expect_out "^$c\$"
done
complete_words ekka --ver
expect_out '^--version$'
complete_words ekka record --le
expect_out '^--level$'
complete_words ekka record --when
expect_out '^--when-full$'
complete_words ekka record --level ''
expect_out '^full$'
expect_out '^calls$'
complete_words ekka record --level f
expect_out '^full$'
! grep -q calls out || fail "offers words that do not begin as asked"
complete_words ekka help doc
expect_out '^doctor$'
mkdir -p 'a b' folder
complete_words ekka record -o fol
expect_out '^folder$'
finish
