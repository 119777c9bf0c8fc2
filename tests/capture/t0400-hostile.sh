# SPDX-License-Identifier: Apache-2.0
# Full disks, lost descriptors, bad pointers: the program goes on unharmed, and the trace says what is missing.
# shellcheck source=tests/capture/lib.sh
. "$top_srcdir/tests/capture/lib.sh"

# sound [TRACE]: whatever is missing is accounted for
sound()
{
	"$bin/tools/ekka" fsck "${1:-t.ekka}" >fsck 2>&1 || fail "fsck: $(grep damage fsck | head -3)"
}

for mode in linked local dlsym; do
	# The shim's files survive a program that closes everything, and the program's file stays its own.
	rm -f own
	compare $mode closefds "$work/own"
	count 0 '^(problem|error) '
	count 1 '^segment [0-9]+ [0-9]+ exit 19 full$'
	[ -e own ] && [ ! -s own ] || fail "wrote into the program's file: $(head -c 60 own)"

	ulimit -S -n 64
	compare $mode nofds
	count 1 '^event 1 .* complete'
	ulimit -S -n "$(ulimit -H -n)"

	compare $mode large
	orderly
	count 2 '^event .* complete'
	EKKA_MEMORY=1M compare $mode large
	orderly
	count 2 '^event .* complete'
	count 1 '^data 2 B pre 5760000 whole$'

	compare $mode badptr
	count 0 '^(problem|error) '
	count 4 '^event .* complete'
	count 4 '^data [0-9]+ A pre 16 missing:fault$'
	count 4 '^data [0-9]+ B pre 16 whole$'
	count 1 '^drop fault 4$'

	compare $mode chdir
	orderly
done

# Not into a file that took the number of stderr.
compare linked stderr "$work/file2"
[ ! -s file2 ] || fail "the line at exit went into the program's file"

# Nobody reads stderr any more: the line at exit must not be the end of a program that itself writes nothing.
what="broken pipe"
rm -rf t.ekka
mkfifo pipe
exec 8<>pipe 9>pipe 8<&-
EKKA_OUTPUT=t.ekka LD_PRELOAD=$shim subject linked plain 3 >out-traced 2>&9
status=$?
exec 9>&-
[ $status = 0 ] || fail "exit status $status"
"$bin/tests/capture/dump" t.ekka >dump || fail "cannot be read"
orderly

# The budget is hard; what is left out is counted, and what was stored before still serves.
EKKA_BUDGET=400K compare linked many
count 0 '^(problem|error) '
[ "$(du -sb t.ekka | cut -f1)" -le $((400 * 1024 + 4096)) ] || fail "$(du -sb t.ekka) bytes"
grep -qE '^drop budget [0-9]+$' dump || fail "the trailer does not count what the budget left out"
grep -q 'A pre 1024 missing:budget$' dump || fail "no event says that bytes are missing"
grep -q 'whole$' dump || fail "nothing was stored"
says 'budget'
count 1 '^segment [0-9]+ [0-9]+ exit '

# After the end of the recording calls are still counted: a small queue keeps the program from being done by then.
EKKA_BUDGET=400K EKKA_MEMORY=1M compare linked many
ended=$(sed -n 's/^drop ended //p' dump)
sound
[ "${ended:-0}" -gt 1000 ] && [ "$ended" -lt 2000 ] || fail "${ended:-0} of 2000 calls are said to have come after the end"

# No room: by the limit on file sizes, which gives the same errors as a full disk. Blobs meet it before events do, also when the
# sink is behind and writes a MiB at a time.
what="full disk"
rm -rf t.ekka
subject linked many >out-plain
(ulimit -f 700; EKKA_COMPRESS=0 EKKA_OUTPUT=t.ekka LD_PRELOAD=$shim subject linked many >out-traced 2>err)
cmp -s out-plain out-traced || fail "output differs"
"$bin/tests/capture/dump" t.ekka >dump || fail "cannot be read"
count 0 '^(problem|error) '
says 'cannot write .*File too large'
count 1 '^segment [0-9]+ [0-9]+ exit '
grep -qE '^drop record [0-9]+$' dump || fail "the trailer does not count what is missing"
grep -q 'missing:disk$' dump || fail "no event says that bytes are missing"
sound

# A real full file system, where that can be had.
if [ "$(id -u)" = 0 ] && mkdir small && mount -t tmpfs -o size=512k none small 2>/dev/null; then
	what="full tmpfs"
	EKKA_COMPRESS=0 EKKA_BUDGET=1G EKKA_OUTPUT=small/t.ekka LD_PRELOAD=$shim subject linked many >out-traced 2>err
	cmp -s out-plain out-traced || fail "output differs"
	"$bin/tests/capture/dump" small/t.ekka >dump || fail "cannot be read"
	count 0 '^(problem|error) '
	says 'cannot write .*No space left'
	count 1 '^segment [0-9]+ [0-9]+ exit '
	sound small/t.ekka
	umount small
fi

# Bytes that got as far as the batch that could not be written are missing wherever they are named, before that and after.
for sync in 0 1; do
	what="full disk, the same operands again, EKKA_SYNC=$sync"
	rm -rf t.ekka
	subject linked again >out-plain
	(ulimit -f 40; EKKA_SYNC=$sync EKKA_COMPRESS=0 EKKA_OUTPUT=t.ekka LD_PRELOAD=$shim subject linked again >out-traced 2>err)
	cmp -s out-plain out-traced || fail "output differs"
	"$bin/tests/capture/dump" t.ekka >dump || fail "cannot be read"
	count 0 '^(problem|error) '
	count 3 '^data [0-9]+ B pre 25600 missing:disk$'
	count 0 'absent$'
	sound
done

# Nowhere to write: one line, no trace.
for dir in /nonexistent/t.ekka /proc/t.ekka; do
	EKKA_OUTPUT=$dir compare linked plain 3
	says "^ekkatrace: cannot create $dir"
	[ "$(wc -l <err)" = 1 ] || fail "more than one line: $(cat err)"
done
: >afile
EKKA_OUTPUT=$work/afile compare linked plain 3
says "^ekkatrace: cannot create"
finish
