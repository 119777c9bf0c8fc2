#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `ekka export`: files that reproduce a call; the program passes on a right BLAS and says WRONG on a faulty one.
. "$top_srcdir/tests/cli/lib.sh"
make_trace=$top_builddir/tests/cli/make_trace
for kind in faulty partial; do
	"$make_trace" $kind.ekka $kind || { echo "make_trace $kind failed"; exit 99; }
done
cc="$CC -O1 -Wall -Wextra -Werror"

# program N [FLAG...]: compiles event-N/event-N.c; runs it, status in $status, output in out.
program() {
	local n=$1
	shift
	ran="event-$n $*"
	(cd "event-$n" && $cc -o program "event-$n.c" "$@" -Wl,--no-as-needed -lopenblas -lm && ./program) >out 2>err
	status=$?
}

run export 3 faulty.ekka
expect_status 0
expect_no_err
expect_out '^event-3/event-3.safetensors$'
expect_out '^event-3/event-3.c$'
[ "$(stat -c %a event-3)" = 700 ] && [ "$(stat -c %a event-3/event-3.safetensors)" = 600 ] || fail "others may read it"
program 3
expect_status 0
expect_out '^OK$'
expect_out '^recorded: max error .* 2048 elements beyond the bound$'
expect_out '^this run against the recorded one: 2048 elements differ'
$cc -c -o faulty.o "$top_srcdir/tests/cli/faulty.c" || exit 99
program 3 ../faulty.o
expect_status 1
expect_out '^WRONG$'
expect_out '^this run against the recorded one: 0 elements differ'
sed -n 's/^    cc /cc /p' event-3/README >line
(cd event-3 && sh ../line) >out 2>err
status=$? ran="the command line in README"
expect_status 0
rm -f event-3/event-3.safetensors
program 3
expect_status 2

# The file by the format's rules, and its numbers against those of the trace.
run export 2 faulty.ekka -o dir --json
expect_status 0
json 'j == {"event": 2, "tensors": "dir/event-2.safetensors", "program": "dir/event-2.c", "trace": "dir/event-2.ekka", "meaning": "dir/event-2.json", "readme": "dir/README"}'
run show 2 faulty.ekka --tensor C --slice : --json
"$PYTHON3" - dir/event-2.safetensors <<'END' || fail "not a right safetensors file"
import json, struct, sys
data = open(sys.argv[1], "rb").read()
n = struct.unpack("<Q", data[:8])[0]
head = json.loads(data[8:8 + n])
assert data[8:9] == b"{" and n % 8 == 0
meta = head.pop("__metadata__")
assert all(isinstance(v, str) for v in meta.values()) and meta["function"] == "cblas_dgemm"
end = 0
for e in sorted(head.values(), key=lambda e: e["data_offsets"]):
    assert e["data_offsets"][0] == end, "gap"
    end = e["data_offsets"][1]
    size = {"F64": 8, "U8": 1}[e["dtype"]]
    for d in e["shape"]:
        size *= d
    assert size == end - e["data_offsets"][0]
assert end == len(data) - 8 - n
assert set(head) == {"A.pre", "B.pre", "C.pre", "C.post", "C.pre.span", "C.post.span"}, sorted(head)
c = head["C.post"]
a, b = (8 + n + o for o in c["data_offsets"])
assert c["shape"] == [17, 9]
assert list(struct.unpack("<153d", data[a:b])) == json.load(open("out"))["values"]
END

# A trace of this event alone: judged as the whole one judges it, with nothing of any other event in it.
for n in 1 3 4; do
	rm -rf alone
	run export "$n" faulty.ekka -o alone
	run replay --json -v --event "$n" faulty.ekka
	cp out whole.json
	run replay --json -v "alone/event-$n.ekka"
	"$PYTHON3" - "$n" <<'END' || fail "event $n is judged otherwise alone"
import json, sys
whole, alone = json.load(open("whole.json")), json.load(open("out"))
a, b = whole["verdicts"][0], alone["verdicts"][0]
assert a.pop("event") == int(sys.argv[1]) and b.pop("event") == 1 and a == b, (a, b)
assert len(alone["verdicts"]) == 1 and (a["verdict"] == "FAIL") == (sys.argv[1] == "3")
for key in ("bound", "worst_out", "worst_ref", "stack", "n_bad"):
    assert sys.argv[1] != "3" or whole["suspects"][0][key] == alone["suspects"][0][key], key
END
	run fsck "alone/event-$n.ekka"
	expect_status 0
	[ "$(stat -c %a "alone/event-$n.ekka")" = 700 ] && [ -z "$(find alone -type f ! -perm 600)" ] || fail "others may read it"
	"$PYTHON3" -c 'import msgpack' 2>/dev/null || continue
	"$PYTHON3" - "$top_srcdir/tests" "$n" <<'END' || fail "event $n: not just its own records"
import glob, json, sys
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
import read_trace
meaning = json.load(open("alone/event-%s.json" % sys.argv[2]))
mine = {t[p]["blob"] for t in meaning["tensors"] for p in ("before", "after") if p in t}
blobs = {b.hex() for b in read_trace.read_blobs(glob.glob("alone/*.ekka")[0])}
assert blobs == mine and mine, (mine, blobs)
END
done
run export 4 faulty.ekka -o alone
expect_status 128
run export 4 faulty.ekka -o alone --force
expect_status 0
run fsck alone/event-4.ekka
expect_status 0

# What is there is not overwritten; what is missing is said.
run export 2 faulty.ekka -o dir
expect_status 128
expect_err "^ekka: cannot create 'dir/event-2.safetensors': File exists$"
run export 2 faulty.ekka -o dir --force
expect_status 0
run export 2 faulty.ekka -o nowhere/dir
expect_status 128
expect_err "^ekka: cannot create 'nowhere/dir': No such file or directory$"
run export 1 partial.ekka --json
expect_status 0
expect_err 'warning: no program: the bytes of A before the call were not recorded'
json 'j["program"] is None'
[ -e event-1/event-1.safetensors ] && [ ! -e event-1/event-1.c ] || fail "not just the tensors"
run export 2 partial.ekka
expect_status 0
expect_err "warning: no program: no program is known for op '' of 'cblas_mystery'"
run export 99 faulty.ekka
expect_status 128
run export
expect_status 129

# A launch: described with --kernels, and judged alone, on any machine, without them.
"$top_builddir/tests/cli/make_launches" full.ekka full || exit 99
printf '%s\n' 'kernel "own::scale<4>"' 'from "test"' 'in in0 : f32 at ptr(p1) dims i32(p3)' 'out out0 : f32 at ptr(p0) dims i32(p3)' \
	'op elementwise' 'attr a = f32(p2)' 'expr "a * in0"' >own.kd
run export 4 full.ekka --kernels own.kd -o launch
expect_status 0
expect_no_err
grep -q '^One launch of void own::scale<4>(float\*, float const\*, float, int), recorded as event 4\.$' launch/README || fail "README: $(head -1 launch/README)"
grep -q '^It computes: elementwise a \* in0\.$' launch/README || fail "README: no meaning"
[ ! -e launch/event-4.c ] || fail "a program for a launch"
run replay --json launch/event-4.ekka
expect_status 1
json 'j["summary"]["fail"] == 1 and j["suspects"][0]["title"] == "elementwise a * in0" and j["suspects"][0]["n_bad"] == 128'
run export 1 full.ekka -o raw
run replay --json -v --kernels own.kd raw/event-1.ekka
expect_status 0
json 'j["summary"]["pass"] == 1'
run show 4 full.ekka --kernels own.kd --json
json 'j["op"] == "elementwise" and j["kernel"].startswith("void own::scale<4>(") and [t["name"] for t in j["tensors"]][:2] == ["in0", "out0"]'

# Names from a trace that somebody else made reach neither the terminal nor the program.
"$make_trace" hostile.ekka hostile || exit 99
rm -rf event-*
for command in log "show 1" "show 2" "replay -v" "export 1" "export 2 -o hostile"; do
	# shellcheck disable=SC2086
	run $command hostile.ekka
	expect_status 0
	! grep -q "$(printf '\033')" out err || fail "a control byte came through"
done
expect_err 'warning: no program: parameter 0 has no name that C knows'
[ ! -e hostile/event-2.c ] || fail "a program was made"
rm -rf event-*

# Every kind of call, as the shim records it.
if [ -e "$top_builddir/.libs/libekkatrace.so" ]; then
	$CC -O1 -o calls "$top_srcdir/tests/cli/calls.c" -lopenblas || exit 99
	run record -o calls.ekka -- ./calls
	expect_status 0
	rm -rf event-*
	run log calls.ekka --depth 0 --json
	json 'len(rows) == 10'
	for n in $("$PYTHON3" -c 'import json; [print(json.loads(l)["event"]) for l in open("out")]'); do
		run export "$n" calls.ekka
		expect_status 0
		expect_no_err
		program "$n"
		expect_status 0
		expect_out '^OK$'
		expect_out ' 0 elements differ in their bytes$'
	done
fi

# cuBLAS, one call of each function and type, on a machine that is not there.
fakes=$top_builddir/tests/fake/.libs
if [ -e "$fakes/libcublas.so" ] && [ -e "$top_builddir/tests/gpu/.libs/cases-linked" ]; then
	export LD_LIBRARY_PATH=$fakes
	run record -o gpu.ekka -- "$top_builddir/tests/gpu/.libs/cases-linked"
	expect_status 0
	rm -rf event-*
	run log gpu.ekka --depth 0 --json
	exported=0
	for n in $("$PYTHON3" -c 'import json; print(*{(r["name"], r["dtype"]): r["event"] for r in map(json.loads, open("out")) if r["library"] == "cublas"}.values())'); do
		run export "$n" gpu.ekka
		expect_status 0
		[ -e "event-$n/event-$n.c" ] || { grep -q "warning: no program: argument '.*_array'" err || fail "no program"; continue; }
		(cd "event-$n" && $cc -o program "event-$n.c" -L"$fakes" -lcublas -lcudart -lm && ./program) >out 2>err
		status=$? ran="event-$n of gpu.ekka"
		expect_status 0
		expect_out '^OK$'
		exported=$((exported + 1))
	done
	[ "$exported" -ge 5 ] || fail "only $exported cuBLAS calls were made again"
fi
finish
