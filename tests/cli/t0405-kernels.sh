#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `ekka kernels`: what descriptions say of a trace's launches, skeletons of descriptions, errors in them.
. "$top_srcdir/tests/cli/lib.sh"
"$top_builddir/tests/cli/make_launches" run.ekka || { echo "make_launches failed"; exit 99; }

run kernels run.ekka
expect_status 0
expect_out '^ +LAUNCHES +SHARE +GPU TIME +SHAPES +MEANING +INSIDE +KERNEL$'
expect_out '^ +5 +83.3% +- +2  - +-, ... +own::scale<4>$'
expect_err 'outside of library calls 0 of 5 launches \(0.0%\) and 0 of 2 kernels are described; 0 launches are refused'

cat >own.kd <<'END'
kernel "own::scale<$N>"
  from "own 1.0, scale.cu"
  facts int($N) == 4
  check "the grid does not cover the elements" grid_x * block_x >= i32(p3)
  out out0 : f32 at ptr(p0) dims i32(p3)
  in in0 : f32 at ptr(p1) dims i32(p3)
  op elementwise
  attr a = f32(p2)
  expr "a * in0"
END
run kernels --kernels own.kd run.ekka
expect_status 0
expect_out '^ +5 +83.3% +- +2  refused +-, ... +own::scale<4>$'
expect_out '^ +own.kd:4: the grid does not cover the elements: 1 of 5 launches$'
expect_err 'outside of library calls 3 of 5 launches \(60.0%\) and 0 of 2 kernels are described; 1 launches are refused'
run kernels --json --kernels own.kd run.ekka
json 'rows[0]["op"] == "elementwise" and rows[0]["described"] == 4 and rows[0]["refused"] == 1 and rows[0]["nothing"] == 0'
json 'rows[0]["reason"] == "own.kd:4: the grid does not cover the elements"'
json 'rows[1]["op"] is None and rows[1]["described"] == 0 and rows[1]["reason"] is None'

sed '/check/d' own.kd >fits.kd
printf 'kernel "odd*"\n from "a test"\n nothing\n' >odd.kd
run kernels --kernels fits.kd:odd.kd run.ekka
expect_out '^ +5 +83.3% +- +2  elementwise +-, ... +own::scale<4>$'
expect_out '^ +1 +16.7% +- +1  nothing +- +odd\$1$'
expect_err 'outside of library calls 5 of 5 launches \(100.0%\) and 2 of 2 kernels are described; 0 launches are refused'

# A file with an error is left away, which is said.
printf 'kernel "odd*"\nfrom "a test"\nfrob\n' >bad.kd
run kernels --kernels bad.kd:fits.kd run.ekka
expect_status 128
expect_err '^ekka: bad.kd:3: there is no statement .frob.$'
expect_out '  elementwise +-, ...'

run kernels --check bad.kd:own.kd
expect_status 1
expect_out '^bad.kd:3: there is no statement .frob.$'
[ "$(wc -l <out)" -eq 1 ] || fail "one error a file"
run kernels --check own.kd:odd.kd
expect_status 0
expect_no_out
run kernels --check missing.kd
expect_status 1
expect_out "cannot read 'missing.kd'"
run kernels --check own.kd run.ekka
expect_status 129

# Launches that were recorded with raw buffers are judged when a description comes later.
"$top_builddir/tests/cli/make_launches" full.ekka full || fail "make_launches full"
run replay --json full.ekka
expect_status 0
json 'j["summary"]["unsupported"] == 5 and j["summary"]["pass"] == 0'
run replay --json -v --kernels fits.kd:odd.kd full.ekka
expect_status 1
json 'j["summary"]["pass"] == 3 and j["summary"]["fail"] == 1'
json '[(v["event"], v["verdict"]) for v in j["verdicts"]] == [(1, "PASS"), (2, "PASS"), (3, "PASS"), (4, "FAIL")]'
json '[x["event"] for x in j["suspects"]] == [4] and not j["suspects"][0]["audit"]'
# In words: what it computes, its shape as tensors, the kernel in full.
run replay -v --kernels fits.kd:odd.kd full.ekka
expect_out '^ +4  FAIL +elementwise a \* in0 +256 +f32 .* scale: '
expect_out '^1\. event 4: elementwise a \* in0 256 f32, FAIL$'
expect_out '^   computes +elementwise, .*expr "a \* in0"'
expect_out '^   kernel +void own::scale<4>\(float\*, float const\*, float, int\) <<<2, 64>>>$'
expect_out '^   described +fits.kd:1$'
expect_out '^   how much +off by [0-9.]+ where only one result is right '
grep -q '^   inputs' out && fail "nobody wrote what it reads; the buffer that it writes is no input"
expect_out '^   reproduce +ekka export 4 --kernels fits.kd:odd.kd full.ekka$'
expect_out '^ +4  FAIL .* inf  '
# Alone it is judged as here.
run export -o alone 4 --kernels fits.kd:odd.kd full.ekka
expect_status 0
run replay --json -v alone/event-4.ekka
expect_status 1
json '[(v["op"], v["verdict"], v["n_bad"]) for v in j["verdicts"]] == [("elementwise", "FAIL", 128)]'
# Without descriptions: what is missing most, by kernel.
run replay full.ekka
expect_out '^ +4 calls, .*: scale, UNSUPPORTED: no description of kernel void own::scale<4>\(float\*, float const\*, float, int\) \(event 1 is the first\)$'
run replay --json full.ekka
json 'j["unjudged"][0]["events"] == 4 and j["unjudged"][0]["title"] == "scale" and j["unjudged"][0]["first"] == 1'
run replay -v --kernels own.kd full.ekka
expect_out 'the description does not fit: own.kd:4: the grid does not cover the elements'
sed 's/dims i32(p3)/dims 1000/' fits.kd >far.kd
run replay -v --kernels far.kd full.ekka
expect_status 0
expect_out 'tensor out0 lies in no buffer that was recorded'
sed 's/"a \* in0"/"in0 * 2.4"/' fits.kd >wrong.kd
run replay --json --kernels wrong.kd full.ekka
json 'j["summary"]["fail"] == 4'
run replay --kernels bad.kd full.ekka
expect_status 128

# What the manual and the README show.
sed -n '/^    kernel "scale_rows<\$T>"/,/^\.fi/p' "$top_srcdir/tools/man/ekka-kernels.5" | grep -v '^\.' >manual.kd
sed -n '/^    # vLLM/,/eps = /p' "$top_srcdir/spec/kernels/README.md" >readme.kd
[ "$(wc -l <manual.kd)" -eq 11 ] && [ "$(wc -l <readme.kd)" -ge 10 ] || fail "examples: $(wc -l manual.kd readme.kd)"
run kernels --check manual.kd:readme.kd
expect_status 0
expect_no_out

# A skeleton names what is there, and compiles.
run kernels --skeleton scale run.ekka
expect_status 0
expect_out '^kernel "own::scale<4>"$'
expect_out '^  facts params == 4 && bytes\(p0\) == 8 && bytes\(p1\) == 8 && bytes\(p2\) == 4 && bytes\(p3\) == 4$'
expect_out '^  # in x1_0 : f32 at ptr\(p1\) dims 1	# 0x7f0000200000$'
expect_out '^  # p2: i32 1075838976, f32 2.5$'
expect_out '^  # p3: i32 256, f32 '
cp out skeleton.kd
run kernels --check skeleton.kd
expect_status 0
run kernels --kernels skeleton.kd run.ekka
expect_out 'skeleton.kd:[0-9]+: there is no output: 5 of 5 launches'
run kernels --skeleton odd run.ekka
expect_out '^kernel "odd\*1"$'
expect_out '^  # in x0_0 : f32 at ptr\(p0\) dims 1	# 0x7f0000300010$'
expect_out '^  # p0 \+ 8: i64 0, '
expect_out '^  # p0 \+ 16: i32 4, f32 '
expect_out '^  # p0 \+ 20: bytes 7$'
expect_out '^  # p1: 4 bytes at 24 of the parameter block, not recorded$'
run kernels --skeleton nosuch run.ekka
expect_status 128
expect_err "no kernel of the trace has 'nosuch' in its name"
finish
