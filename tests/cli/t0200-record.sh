#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `ekka record` as a launcher: environment, exit status, signals, output directory. The shim here is empty.
. "$top_srcdir/tests/cli/lib.sh"
echo 'const char ekka_version[] = "0";' >empty.c
"$CC" -shared -fPIC -o shim.so empty.c || { echo "cannot compile"; exit 77; }
record() { run record --shim shim.so "$@"; }

record -- sh -c 'exit 3'
expect_status 3
record sh -c 'exit 0'
expect_status 0
record -- sh -c 'kill -9 $$'
expect_status 137
expect_err "was killed by signal 9 \(Killed\)"
record -- sh -c 'kill -SEGV $$'
expect_status 139
record -- ./no-such-program
expect_status 127
expect_err "^ekka: cannot run './no-such-program': No such file or directory$"
: >not-executable
record -- ./not-executable
expect_status 126
expect_err "^ekka: cannot run './not-executable': Permission denied$"
run record
expect_status 129
expect_err 'no program given'
run record --shim nowhere.so -- true
expect_status 128
expect_err "^ekka: cannot open 'nowhere.so': No such file or directory$"
mkdir 'with blank' && cp shim.so 'with blank'
run record --shim 'with blank/shim.so' -- true
expect_status 128
expect_err 'cannot be preloaded'

# Options end at the program: its own are its own.
record -- sh -c 'echo "$@"' sh -o x --level off
expect_out '^-o x --level off$'
record sh -c 'echo "$1"' sh --json
expect_out '^--json$'

# Ours first, the rest kept; settings become variables; the output is absolute.
cp shim.so other.so
ASAN_OPTIONS=verify_asan_link_order=0 LD_PRELOAD=$work/other.so record sh -c 'echo "$LD_PRELOAD"'
expect_out "^$work/shim.so:$work/other.so\$"
record -o t.ekka --level calls --when-full drop --sync --exclude 'a*,b*' --budget 1G -- env
expect_out "^EKKA_OUTPUT=$work/t.ekka$"
expect_out '^EKKA_LEVEL=calls$'
expect_out '^EKKA_WHEN_FULL=drop$'
expect_out '^EKKA_SYNC=1$'
expect_out '^EKKA_EXCLUDE=a\*,b\*$'
expect_out '^EKKA_BUDGET=1G$'
EKKA_LEVEL=off EKKA_STACK=7 record --level full -- env
expect_out '^EKKA_LEVEL=full$'
expect_out '^EKKA_STACK=7$'
record -- sh -c 'echo $$; env'
expect_out "^EKKA_OUTPUT=$work/ekka-sh-$(head -1 out).ekka$"

# A wrong setting is refused before the program runs.
record --level everything -- touch ran
expect_status 129
expect_err 'EKKA_LEVEL'
EKKA_BUDGET=many record -- touch ran
expect_status 129
expect_err 'EKKA_BUDGET'
[ ! -e ran ] || fail "the program ran"

# An output directory that is there.
mkdir old.ekka && touch old.ekka/events-1-0.ekka old.ekka/blobs-1-0.ekka
record -o old.ekka -- touch ran
expect_status 128
expect_err "'old.ekka' exists; --force replaces it"
[ ! -e ran ] && [ -e old.ekka/events-1-0.ekka ] || fail "the program ran, or the trace is gone"
record -o old.ekka --force -- touch ran
expect_status 0
[ -e ran ] && [ ! -e old.ekka/events-1-0.ekka ] || fail "--force did not replace"
mkdir precious && touch precious/thesis.tex precious/events-1-0.ekka
record -o precious --force -- true
expect_status 128
expect_err "'precious' is there and is not a trace"
[ -e precious/thesis.tex ] && [ -e precious/events-1-0.ekka ] || fail "something was removed"
record -o shim.so --force -- true
expect_status 128
[ -e shim.so ] || fail "a file was removed"
mkdir empty.ekka
record -o empty.ekka -- true
expect_status 0

# Programs that will not load it.
record -- true
expect_err "warning: 'true' recorded nothing"
record --level off -- true
expect_no_err
echo 'int main(void) { return 5; }' >s.c
if "$CC" -static -o static s.c 2>/dev/null; then
	record -- ./static
	expect_status 5
	expect_err "warning: './static' will probably not be recorded: it is statically linked"
fi
printf '#!%s/static\n' "$work" >script
chmod +x script
if [ -e static ]; then
	record -- ./script
	expect_err 'statically linked'
fi
for setuid in /usr/bin/su /bin/su /usr/bin/passwd; do
	[ -u $setuid ] && [ "$(id -u)" -ne 0 ] || continue
	record -- $setuid --help
	expect_err 'it is setuid'
	break
done

# A signal for us is passed on; one to the group (Ctrl-C) arrives once; ignored ones stay ignored.
cat >count.sh <<'END'
n=0
trap 'n=$((n + 1))' INT TERM
echo ready
i=0
while [ $n = 0 ] && [ $i -lt 300 ]; do sleep 0.1; i=$((i + 1)); done
i=0
while [ $i -lt 5 ]; do sleep 0.1; i=$((i + 1)); done	# for a second one
echo "got $n"
END
"$ekka" record --shim shim.so -- sh count.sh >out 2>err &
pid=$! ran="record, then kill -TERM"
for _ in $(seq 50); do grep -q ready out && break; sleep 0.1; done
kill -TERM $pid
wait $pid
status=$?
expect_status 0
expect_out '^got 1$'
"$PYTHON3" - "$ekka" <<'END' >out 2>err
import os, pty, signal, sys, time
pid, fd = pty.fork()
if pid == 0:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever runs this in the background has it ignored
    os.execv(sys.argv[1], [sys.argv[1], "record", "--shim", "shim.so", "--", "sh", "count.sh"])
text = b""
while b"ready" not in text:
    text += os.read(fd, 1000)
os.write(fd, b"\x03")
try:
    while True:
        got = os.read(fd, 1000)
        if not got:
            break
        text += got
except OSError:
    pass
print(text.decode(), "status", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
ran="record on a terminal, then Ctrl-C"
expect_out 'got 1'
expect_out 'status 0$'
(trap '' HUP; exec "$ekka" record --shim shim.so -- sh -c 'kill -HUP $$; echo alive') >out 2>err
ran="record under nohup"
expect_out '^alive$'
finish
