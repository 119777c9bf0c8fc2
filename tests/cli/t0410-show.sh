#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `ekka show`: arguments by name, statistics, values, stack; every way of asking for what is not there.
. "$top_srcdir/tests/cli/lib.sh"
make_trace=$top_builddir/tests/cli/make_trace
for kind in clean partial sample; do
	"$make_trace" $kind.ekka $kind || { echo "make_trace $kind failed"; exit 99; }
done

run show 2 clean.ekka
expect_status 0
expect_no_err
expect_out '^event 2  cblas_dgemm, complete$'
expect_out '^  transa +CBLAS_TRANSPOSE +111 CblasNoTrans$'
expect_out '^  alpha +0.5$'
expect_out '^  C  in/out f64 \[17, 9\] strides \[12, 1\] at 0x30000'
expect_out '^    before min .* NaN 0  Inf 0  zero 1  denormal 1$'
expect_out '^  python +/home/u/model.py:42 forward$'
expect_out '^  native +0x401000$'
cp out by-event-first
run show clean.ekka 2
expect_status 0
cmp -s out by-event-first || fail "the order of EVENT and TRACE matters"

run show 2 clean.ekka --json
expect_status 0
json 'j["event"] == 2 and j["name"] == "cblas_dgemm" and j["status"] == "complete"'
json '[a["text"] for a in j["arguments"] if a["name"] == "transa"] == ["111 CblasNoTrans"]'
json 'j["attributes"]["beta"] == 2 and j["tensors"][2]["dims"] == [17, 9] and j["tensors"][2]["strides"] == [12, 1]'
json 'j["tensors"][0]["before"]["zeros"] == 1 and j["tensors"][0]["before"]["denormals"] == 1 and "after" not in j["tensors"][0]'
json 'j["stack"]["python"][0] == {"file": "/home/u/model.py", "line": 42, "function": "forward"}'

# Statistics and slices against each other, through the padding and through a transposed view.
run show 2 clean.ekka --tensor C --slice : --json
json 'j["phase"] == "after" and j["start"] == [0, 0] and j["stop"] == [17, 9] and len(j["values"]) == 153'
cp out whole
run show 2 clean.ekka --json
"$PYTHON3" - <<'END' || fail "statistics are not those of the values"
import json, math
v = json.load(open("whole"))["values"]
s = json.load(open("out"))["tensors"][2]["after"]
assert s["min"] == min(v) and s["max"] == max(v) and s["abs_max"] == max(map(abs, v)), s
assert math.isclose(s["mean"], sum(v) / len(v), rel_tol=1e-12), s
END
run show 2 clean.ekka --tensor C --slice 3:5,-2: --json
"$PYTHON3" - <<'END' || fail "a slice is not that part of the whole"
import json
v, s = json.load(open("whole"))["values"], json.load(open("out"))
assert s["start"] == [3, 7] and s["stop"] == [5, 9]
assert s["values"] == [v[9 * r + c] for r in (3, 4) for c in (7, 8)]
END
run show 3 clean.ekka --tensor B --slice 1:3,4 --json
json 'j["phase"] == "before" and len(j["values"]) == 2 and all(len(z) == 2 for z in j["values"])'
cp out part
run show 3 clean.ekka --tensor B --slice : --json
"$PYTHON3" -c 'import json; w, p = json.load(open("out")), json.load(open("part")); assert p["values"] == [w["values"][5 + 4], w["values"][10 + 4]]' ||
	fail "a slice through a transposed view is wrong"
# The whole of that view against its raw bytes: element (r, c) is the pair number 11 c + r.
run show 3 clean.ekka --tensor B --slice : --json
cp out whole
run export 3 clean.ekka -o raw
"$PYTHON3" - <<'END' || fail "a transposed view is read wrongly"
import json, struct
data = open("raw/event-3.safetensors", "rb").read()
n = struct.unpack("<Q", data[:8])[0]
a, b = json.loads(data[8:8 + n])["B.pre.span"]["data_offsets"]
x = struct.unpack("<%dd" % ((b - a) // 8), data[8 + n + a:8 + n + b])
v = json.load(open("whole"))["values"]
assert v == [[x[2 * (11 * c + r)], x[2 * (11 * c + r) + 1]] for r in range(11) for c in range(5)]
END
run show 2 clean.ekka --tensor C --slice 0:2,0:3
expect_status 0
[ "$(wc -l <out)" -eq 2 ] || fail "not a line per row"
expect_out '^\[0,0\] +-?[0-9.]+ +-?[0-9.]+ +-?[0-9.]+$'
run show 2 clean.ekka -t C --pre -s 0,0
expect_status 0

# What is not there.
run show 2 clean.ekka --tensor Z
expect_status 128
expect_err "^ekka: event has no tensor 'Z'"
run show 1 clean.ekka --tensor C --pre
expect_status 128
expect_err 'the bytes of C before the call were not recorded'
for slice in 17 0:1,0:1,0:1 a 5:3 ','; do
	run show 2 clean.ekka --tensor C --slice "$slice"
	expect_status 129
done
run show 2 clean.ekka --slice 0
expect_status 129
run show 99 clean.ekka
expect_status 128
expect_no_out
expect_err "^ekka: no event 99 in 'clean.ekka', which has 4$"
run show 0 clean.ekka
expect_status 128
run show
expect_status 129
expect_err 'no event given'
run show first clean.ekka
expect_status 129
expect_err "'first' is no event number"
run show 1 nowhere.ekka
expect_status 128
run show 1 partial.ekka
expect_status 0
expect_out '^    before missing: budget$'
run show 3 partial.ekka
expect_out 'did not return'
for i in 1 2 3 4; do
	run show $i sample.ekka
	expect_status 0
	run show $i sample.ekka --json
	expect_status 0
	json 'j["event"] > 0'
done
finish
