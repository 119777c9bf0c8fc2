# SPDX-License-Identifier: Apache-2.0
# What EKKA_* variables do, and what a wrong one does.
# shellcheck source=tests/capture/lib.sh
. "$top_srcdir/tests/capture/lib.sh"

EKKA_LEVEL=off compare linked plain 3
[ ! -e t.ekka ] || fail "left a trace"
silent

EKKA_LEVEL=calls compare linked plain 3
orderly
count 1 '^segment [0-9]+ [0-9]+ exit 3 calls$'
count 3 '^event .* complete .* args 14 '
count 0 '^data '

EKKA_SKIP=2 EKKA_COUNT=3 EKKA_EVERY=2 compare linked plain 20
orderly
count 3 '^event .* complete '
count 1 '^left 17$'
EKKA_SKIP=1 EKKA_COUNT=1 compare linked nested
count 0 '^event '

EKKA_EXCLUDE='*dgemm' compare linked nested
count 1 '^event 1 0 cblas_sgemm depth 0 parent 0 complete'
count 1 '^event '
count 1 '^left 1$'
EKKA_INCLUDE='cublas*,cblas_d*' compare linked nested
count 1 '^event 1 0 cblas_dgemm depth 0'
count 1 '^event '
count 0 '^left '

EKKA_QUIET=1 compare linked plain 3
silent
count 3 '^event '

EKKA_STACK=0 compare linked plain 3
count 3 ' pc 0 py 0$'
EKKA_STACK=24 compare linked plain 3
count 0 ' pc 0 '

for n in 0 1 19; do
	EKKA_COMPRESS=$n compare linked plain 3
	orderly
done

EKKA_WHEN_FULL=drop EKKA_MEMORY=1M compare linked many
count 0 '^(problem|error) '

# One clear line, no trace, and the program runs.
for wrong in EKKA_LEVEL=ful EKKA_EVERY=0 EKKA_SKIP=-1 EKKA_COUNT=x EKKA_BUDGET=1Q EKKA_BUDGET=0 EKKA_BUDGET=99999999999G EKKA_MEMORY=4K \
	EKKA_WHEN_FULL=wait EKKA_COMPRESS=20 EKKA_STACK=65 EKKA_SYNC=yes EKKA_QUIET=; do
	(export "${wrong?}"; compare linked plain 3; [ ! -e t.ekka ] || fail "left a trace"
	 says "^ekkatrace: ${wrong%%=*}"; [ "$(wc -l <err)" = 1 ] || fail "more than one line"; exit $failed) || failed=1
done

# A name that is no setting: one line, and everything is recorded. A program without calls says nothing.
EKKA_LEVLE=off EKKA_QUIET=1 EKKA_TEST_X=1 compare linked plain 3
orderly
count 3 '^event .* complete'
says '^ekkatrace: EKKA_LEVLE is not a setting.* EKKA_LEVEL[?]$'
[ "$(wc -l <err)" = 1 ] || fail "more than one line"
EKKA_LEVLE=off LD_PRELOAD=$shim true 2>err
silent

# The default place.
what="default output"
mkdir here && cd here || exit 99
LD_PRELOAD=$shim subject linked plain 1 >out 2>err
name=$(sed -n 's|^ekkatrace: 1 call, [0-9.]* KiB in ./\(ekka-subject-linked-[0-9]*.ekka\)$|\1|p' err)
[ -d "$name" ] || fail "no directory: $(cat err)"
[ "$(stat -c %a "$name")" = 700 ] || fail "directory mode $(stat -c %a "$name")"
for f in "$name"/*; do
	[ "$(stat -c %a "$f")" = 600 ] || fail "$f has mode $(stat -c %a "$f")"
done
finish
