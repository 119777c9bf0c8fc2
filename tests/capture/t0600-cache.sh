# SPDX-License-Identifier: Apache-2.0
# A KV-cache that is written position by position is not stored whole at each write.
# shellcheck source=tests/capture/lib.sh
. "$top_srcdir/tests/capture/lib.sh"

# stored MOST: the blobs file has some links and at most so many bytes; nothing is damaged, by the index, if there is one, or without
stored()
{
	local bytes

	bytes=$(stat -c %s t.ekka/blobs-*.ekka | sort -n | tail -1)
	[ "$bytes" -le "$1" ] || fail "$bytes bytes in a blobs file, at most $1 expected"
	for f in t.ekka/blobs-*.ekka; do
		grep -qa links "$f" || fail "no links in $f"
	done
	"$bin/tools/ekka" fsck t.ekka >fsck 2>&1 || fail "fsck: $(grep damage fsck | head -3)"
	rm -f t.ekka/index-*
	"$bin/tests/capture/dump" t.ekka >dump-scanned || fail "dump without index: $(head -3 dump-scanned)"
	diff <(grep -v ^indexed dump) <(grep -v ^indexed dump-scanned) >differ || fail "without the index: $(head -4 differ)"
}

for mode in linked local dlsym; do
	# 24 steps: 36 MiB are seen of the cache alone, as each write is looked at before and after, and read once.
	compare $mode cache 24
	orderly
	count 48 '^event .* complete'
	count 24 '^data [0-9]+ A pre 524288 whole$'
	count 1 '^indexed 1$'
	stored 4500000

	# In pieces that are smaller than a tensor.
	EKKA_MEMORY=1M compare $mode cache 24
	orderly
	count 24 '^data [0-9]+ A pre 524288 whole$'
	stored 5000000

	EKKA_COMPRESS=0 compare $mode cache 24
	orderly
	stored 4500000
done

# What is named is there when the process is killed.
EKKA_SYNC=1 compare linked cache 8 killed
count 0 '^(problem|error) '
count 0 '(missing:|absent)'
count 1 '^event 16 0 cblas_sgemm depth 0 parent 0 begun'
count 1 '^data 16 A pre 524288 whole$'
stored 5000000

# A child has files of its own: it links to nothing of its parent's.
compare linked cache 24 fork
count 0 '^(problem|error) '
count 0 '(missing:|absent)'
count 2 '^segment '
stored 4500000

# What is left out for want of room is counted, and what is there is whole.
EKKA_BUDGET=2M compare linked cache 24
count 0 '^(problem|error) '
[ "$(stat -c %s t.ekka/* | awk '{ n += $1 } END { print n }')" -le 2097152 ] || fail "the budget was overrun"
count 1 '^drop budget '
"$bin/tools/ekka" fsck t.ekka >fsck 2>&1 || fail "fsck: $(grep damage fsck | head -3)"

# A disk that is full at any moment: whatever is named is there.
for kib in $(seq 600 60 3000); do
	rm -rf t.ekka
	(ulimit -f "$kib" && trap '' XFSZ && EKKA_OUTPUT=t.ekka LD_PRELOAD=$shim subject linked cache 24) >out-traced 2>err || fail "exit status $?"
	"$bin/tools/ekka" fsck t.ekka >fsck 2>&1 || fail "$kib KiB: fsck: $(grep damage fsck | head -3)"
done
finish
