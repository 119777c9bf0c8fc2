#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `ekka log`: table, filters, JSON, what it says of traces that are not whole.
. "$top_srcdir/tests/cli/lib.sh"
make_trace=$top_builddir/tests/cli/make_trace
for kind in clean faulty partial sample; do
	"$make_trace" $kind.ekka $kind || { echo "make_trace $kind failed"; exit 99; }
done

run log clean.ekka
expect_status 0
expect_no_err
expect_out '^ +EVENT +FUNCTION +SHAPES +DTYPE +STATUS +CALLER$'
expect_out '^ +1  cblas_sgemm +64x128 \* 128x32 +f32 +complete +/home/u/model.py:42 forward$'
expect_out '^ +4   cblas_sgemm ' # indented below the call it serves
[ "$(wc -l <out)" -eq 5 ] || fail "not one line per event"

run log --json clean.ekka
expect_status 0
json 'len(rows) == 4 and [r["event"] for r in rows] == [1, 2, 3, 4]'
json 'all(isinstance(r["name"], str) and r["status"] == "complete" and r["missing"] == [] for r in rows)'
json '[r["depth"] for r in rows] == [0, 0, 0, 1] and rows[3]["parent"] == 3'
json 'rows[0]["shapes"] == "64x128 * 128x32" and rows[0]["dtype"] == "f32" and rows[0]["duration_ns"] == 2500'

run log --json --only '*dgemm' clean.ekka
json 'j["event"] == 2'
run log --json --depth 0 clean.ekka
json 'len(rows) == 3 and max(r["event"] for r in rows) == 3'
run log --json --thread 1235 clean.ekka
json 'j["event"] == 2'
run log --json --from 2 --to 3 clean.ekka
json '[r["event"] for r in rows] == [2, 3]'
run log --json --incomplete clean.ekka
expect_status 0
expect_no_out
run log --from 0 clean.ekka
expect_status 129
run log --from x clean.ekka
expect_status 129
expect_err "bad value 'x' for --from: expected a decimal number"

# Not whole: what is missing, and why.
run log --json --incomplete partial.ekka
expect_status 0
json '[(r["event"], r["status"]) for r in rows] == [(1, "complete"), (3, "begun")]'
json 'rows[0]["missing"] == [{"tensor": "A", "phase": "before", "why": "budget"}]'
json '{"tensor": "C", "phase": "after", "why": "not recorded"} in rows[1]["missing"] and rows[1]["duration_ns"] is None'
run log partial.ekka
expect_err '^ekka: warning: 1 of 1 processes were killed, or still run'
expect_out '^ +1 .* complete -1 '

# Every kind of record and value, bytes that are no UTF-8 among them.
run log --json sample.ekka
expect_status 0
json 'len(rows) == 4'
run log sample.ekka
expect_status 0

# TRACE left out: the one written to last.
run log
expect_status 0
expect_err "^ekka: using '(clean|faulty|partial|sample).ekka'$"
touch -d '+1 minute' faulty.ekka/events-1234-0.ekka
run log --json
expect_err "^ekka: using 'faulty.ekka'$"
json 'len(rows) == 5'
mkdir bare && cd bare || exit 99
run log
expect_status 128
expect_err '^ekka: no \*.ekka directory here'
cd ..

# No trace, no directory, a damaged one.
run log nowhere.ekka
expect_status 128
expect_no_out
expect_err "^ekka: .*nowhere.ekka.*No such file or directory"
mkdir empty.ekka
run log empty.ekka
expect_status 128
expect_err '^ekka: '
run log clean.ekka faulty.ekka
expect_status 129
truncate -s -200 clean.ekka/events-1234-0.ekka
run log clean.ekka
expect_status 0
expect_err '^ekka: warning: .*events-1234-0.ekka: offset [0-9]+: '
expect_out '^ +1  cblas_sgemm '
head -c 3000 /dev/urandom >faulty.ekka/events-1234-0.ekka
run log faulty.ekka
expect_status 128

# On a terminal: fits the width, colours only there, and no control bytes get through.
cat >terminal.py <<'END'
import os, pty, re, sys
def run(width, *command, **environment):
    text = b""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm", COLUMNS=str(width), **environment)
        os.execv(command[0], command)
    while True:
        try:
            data = os.read(fd, 10000)
        except OSError:
            break
        if not data:
            break
        text += data
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    plain = re.sub(rb"\x1b\[[0-9;]*m", b"", text).replace(b"\r", b"").decode("utf-8", "replace")
    return status, text, plain.splitlines()
ekka, sample, partial, clean = sys.argv[1:]
for width in 78, 80, 100, 160:
    status, text, lines = run(width, ekka, "log", sample, PAGER="cat")
    assert status == 0 and b"\x1b[1m" in text
    assert "\x1b" not in "".join(lines), lines
    assert max(len(l) for l in lines if not l.startswith("ekka: ")) <= width, (width, lines)
    assert any("model.py:4" in l for l in lines), lines
assert b"\x1b" not in run(100, ekka, "log", sample, PAGER="cat", NO_COLOR="1")[1]
# The pager gets everything; leaving it early is no error; NO_PAGER and --no-pager go without.
status, _, lines = run(100, ekka, "log", sample, PAGER="sed 's/^/paged /'")
assert status == 0 and len([l for l in lines if l.startswith("paged ")]) == 5, lines
status, _, lines = run(100, ekka, "log", sys.argv[4], PAGER="head -n 1")
assert status == 0 and len(lines) == 1, (status, lines)
assert "paged" not in run(100, ekka, "log", sample, PAGER="sed 's/^/paged /'", NO_PAGER="1")[2][0]
assert "paged" not in run(100, ekka, "--no-pager", "log", sample, PAGER="sed 's/^/paged /'")[2][0]
END
"$make_trace" whole.ekka many 3000 || exit 99
"$PYTHON3" terminal.py "$ekka" sample.ekka partial.ekka whole.ekka >out 2>err || fail "on a terminal"
finish
