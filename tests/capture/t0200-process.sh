# SPDX-License-Identifier: Apache-2.0
# Every way in which a process begins or ends.
# shellcheck source=tests/capture/lib.sh
. "$top_srcdir/tests/capture/lib.sh"

for mode in linked local dlsym; do
	compare $mode fork
	orderly
	count 2 '^segment [0-9]+ [0-9]+ exit 2 full$'
	count 4 '^event .* complete '
	# the child's pid and its parent's
	[ "$(awk '/^segment/ { pid[$2] = 1; ppid[$3] = 1 } END { for (p in pid) if (p in ppid) n++; print n + 0 }' dump)" = 1 ] ||
		fail "no segment is the other's parent"

	compare $mode rawfork
	orderly
	count 2 '^segment [0-9]+ [0-9]+ exit 1 full$'

	compare $mode forkquiet
	orderly
	count 1 '^segment '
	[ "$(grep -c ekkatrace err)" = 1 ] || fail "the silent child spoke: $(cat err)"

	compare $mode vfork
	orderly
	count 1 '^segment [0-9]+ [0-9]+ exit 2 full$'

	compare $mode vforkfail
	orderly
	count 1 '^segment [0-9]+ [0-9]+ exit 2 full$'

	for how in execv execl execle execlp execvp; do
		compare $mode exec $how
		orderly
		count 1 '^segment [0-9]+ [0-9]+ exec 1 full$'
		count 1 '^segment [0-9]+ [0-9]+ exit 2 full$'
	done

	compare $mode execfail
	orderly
	count 1 '^segment [0-9]+ [0-9]+ exec 1 full$'
	count 1 '^segment [0-9]+ [0-9]+ exit 1 full$'

	for how in exit quick_exit _exit _Exit handler; do
		why=exit
		case $how in _* | handler) why=_exit ;; esac
		compare $mode end $how
		orderly
		count 1 "^segment [0-9]+ [0-9]+ $why 1 full\$"
	done

	compare $mode end mainexit
	orderly
	count 1 '^segment [0-9]+ [0-9]+ exit 2 full$'

	for how in sigterm sigkill abort; do
		compare $mode end $how
		count 0 '^(problem|error) '
		count 1 '^segment [0-9]+ [0-9]+ open '
		[ $how = abort ] || count 1 '^event 1 0 cblas_sgemm depth 0 parent 0 complete'
	done

	# Inputs are in the file before the library is called.
	EKKA_SYNC=1 compare $mode killed
	count 0 '^(problem|error) '
	count 1 '^event 2 0 cblas_sgemm depth 0 parent 0 begun'
	count 3 '^data 2 [ABC] pre 1024 whole$'
done

# A helper that computes nothing leaves nothing, not even a line.
mkdir helper && cd helper || exit 99
LD_PRELOAD=$shim bash -c 'ls | cat; (exit 3); true' >out 2>err
[ "$(ls)" = "$(printf 'err\nout')" ] && [ ! -s err ] || fail "a shell left: $(ls; cat err)"
finish
