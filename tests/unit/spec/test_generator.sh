#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The generator: a small spec gives exactly the expected files, and each mistake is reported with file and line; under every awk
# that is installed. Then: all awks generate the same from the real specs.
set -u
: "${top_srcdir:?}"
spec=$top_srcdir/spec
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
export LC_ALL=C
failed=0

fail() { echo "FAIL ($awk): $*"; failed=1; }

gen() { # gen NAME ARGS FILES...
	local name=$1
	shift
	$awk -f "$spec/parse.awk" -f "$spec/ctypes.awk" -f "$spec/gen-$name.awk" "$@"
}

cat >"$dir/ops.spec" <<'END'
block scale
  valid "n is negative" n >= 0
  scalars
  tensor x inout T	# in place
    dims n, 1
    strides incx, 1
    read !alpha_is_zero
END
cat >"$dir/small.spec" <<'END'
# A small library.
library small
  soname libsmall.so.1 libsmall.so
  ctype f32 elem float
  ctype c64 elem void value float _Complex arg const void *
  spell % int
  spell %_64 int64_t

signature small_scale(T, I)
  returns int
  param n I
  scalar alpha T : T.arg
  param x T *
  ref incx I
  let last = max(n, 'T')
  attr kind str "T"
  flag long I == int
  use scale

call small_cscale small_scale(c64, INT) scale
call small_sscale small_scale(f32, INT)
irregular small_hand small_scale(f32, INT) scale
nothing small_init
later small_norm
export small_version
enum small_t 0 SMALL_A 1 SMALL_B
END

cat >"$dir/want.c" <<'END'
/* Generated from spec/ by gen-wrappers.awk. */
#include "spec/wrap.h"
#include "spec/gen/ids.h"

/* small.spec:20 */
static __attribute__((noinline)) void describe_small_scale_c64_int(struct ekka_call *call, int n, const void *alpha, void *x, const int *p_incx, void *ret)
{
	(void)ret;
	ekka_arg_int(call, n);
	ekka_arg_ptr(call, alpha);
	ekka_arg_ptr(call, x);
	const int incx = *p_incx;
	ekka_arg_int(call, incx);
	/* small.spec:15 */
	const int64_t last = max(n, 'T');
	(void)last;
	/* small.spec:16 */
	ekka_attr_str(call, "kind", "T");
	/* small.spec:17 */
	if (int == int)
		ekka_attr_int(call, "long", 1);
	/* ops.spec:2 */
	if (!(n >= 0)) {
		ekka_call_bad_args(call, "n is negative");
		return;
	}
	/* ops.spec:3 */
	ekka_attr_scalar(call, "alpha", EKKA_C64, alpha);
	const bool alpha_is_zero = ekka_scalar_is_zero(call, EKKA_C64, alpha);
	(void)alpha_is_zero;
	/* ops.spec:4 */
	const int t_x = !(true) ? -1 : ekka_tensor(call, &(struct ekka_tensor){
		.name = "x", .dtype = EKKA_C64,
		.dir = (!alpha_is_zero) ? EKKA_INOUT : EKKA_OUT,
		.place = EKKA_HOST,
		.n_dims = 2,
		.dim = { n, 1 },
		.stride = { incx, 1 },
		.addr = (uintptr_t)(x),
		.alias_of = -1,
		.pre = true,
		.post = true,
	});
	(void)t_x;
}

EKKA_PUBLIC int small_cscale(int n, const void *alpha, void *x, const int *p_incx);
int small_cscale(int n, const void *alpha, void *x, const int *p_incx)
{
	typedef int real_fn(int, const void *, void *, const int *);
	const void *caller = __builtin_return_address(0);
	real_fn *real = (real_fn *)ekka_real(EKKA_FN_small_cscale, caller);
	struct ekka_call call;
	int ret;

	if (!ekka_call_enter(&call, EKKA_FN_small_cscale, caller)) {
		return real(n, alpha, x, p_incx);
	}
	if (call.describe)
		describe_small_scale_c64_int(&call, n, alpha, x, p_incx, &ret);
	ekka_call_begin(&call);
	ret = real(n, alpha, x, p_incx);
	ekka_call_end(&call, &(struct ekka_value){ .kind = EKKA_V_INT, .i = ret });
	return ret;
}

END
cat >"$dir/want.map" <<'END'
/* Generated from spec/ by gen-map.awk. */
{
	global:
		small_cscale;
		small_cscale_64;
		small_hand;
		small_hand_64;
		small_sscale;
		small_sscale_64;
		small_version;
	local: *;
};
END

small() {
	gen wrappers -v LIBRARY=small ops.spec small.spec >out.c 2>err || fail "wrappers: $(cat err)"
	head -n "$(wc -l <want.c)" out.c | diff want.c - || fail "wrappers differ"
	[ "$(grep -c '^EKKA_PUBLIC' out.c)" = 4 ] || fail "not one wrapper for each spelling of the two calls"
	grep -q '^EKKA_PUBLIC int small_sscale_64(int64_t n, float alpha, float \*x, const int64_t \*p_incx);$' out.c || fail "types of a spelling"
	gen map -v LIBRARIES=small ops.spec small.spec | diff want.map - || fail "map differs"
	gen ids -v LIBRARIES=small ops.spec small.spec | grep -q 'EKKA_FN_small_sscale_64 = 5,' || fail "ids differ"
	gen fns -v LIBRARIES=small ops.spec small.spec >out.c
	grep -q '{ "small_cscale", "small", "scale", args_small_scale_c64_int, 4 },' out.c || fail "functions differ"
	grep -q '{ "incx", "const int \*" },' out.c || fail "parameter table"
	grep -q 'sonames_small\[\] = { "libsmall.so.1", "libsmall.so", NULL };' out.c || fail "sonames differ"
	gen tables ops.spec small.spec >out.c
	grep -q '{ "small_norm", "small", EKKA_SPEC_LATER,' out.c || fail "tables lack small_norm"
	grep -q '{ "x", "inout", "c64", "n, 1", "incx, 1" },' out.c || fail "tables lack x"
	grep -q '{ "small_t", 1, "SMALL_B" },' out.c || fail "tables lack SMALL_B"
	# shellcheck disable=SC2016
	gen doc ops.spec small.spec | grep -q '^| `small_cscale` | scale | n, alpha, x, incx | x (inout) \[n, 1\] |$' || fail "page lacks small_cscale"
	{ cat small.spec; echo 'library small'; echo '  missing SMALL_B'; } >missing.spec
	gen wrappers -v LIBRARY=small ops.spec missing.spec >out.c
	[ "$(grep -c '^		return SMALL_B;' out.c)" = 4 ] || fail "not every wrapper knows what to return without a function"
	gen fns -v LIBRARIES=small ops.spec missing.spec | grep -q 'sonames_small, true }' || fail "libraries differ"
	gen ids -v LIBRARIES=other ops.spec small.spec >out 2>err && fail "unknown library is taken"
	grep -q "no library 'other'" err || fail "unknown library: $(cat err)"
}

# mistake LINE MESSAGE: reads a spec on stdin.
mistake() {
	{ echo "library bad"; echo "  ctype f32 elem float"; echo "signature s(T)"; echo "  param n int"; echo "  param x T *"; cat; } >bad.spec
	if gen wrappers -v LIBRARY=bad bad.spec >out 2>err; then
		fail "no error for: $2"
	elif [ "$(cat err)" != "bad.spec:$1: $2" ]; then
		fail "wanted 'bad.spec:$1: $2', got '$(cat err)'"
	fi
}

mistakes() {
	mistake 7 'expected missing VALUE' <<<$'library bad\n  missing two words'
	mistake 6 'unknown keyword tensr' <<<'  tensr x in T'
	mistake 6 'dims outside a tensor' <<<'  dims n'
	mistake 6 'expected tensor NAME in|out|inout DTYPE' <<<'  tensor x inn T'
	mistake 6 'expected let NAME = EXPRESSION' <<<'  let 4 = n'
	mistake 6 'expected valid "REASON" CONDITION' <<<'  valid n > 0'
	mistake 6 'expected attr NAME int|real|str EXPRESSION' <<<'  attr uplo string "x"'
	mistake 6 'expected flag NAME CONDITION' <<<'  flag lonely'
	mistake 6 'expected scalar_at NAME DTYPE ADDRESS' <<<'  scalar_at alpha T'
	mistake 6 'expected scalar NAME DTYPE : TYPE' <<<'  scalar alpha T T.arg'
	mistake 6 'expected param NAME TYPE' <<<'  param y'
	mistake 6 'parameter n declared twice' <<<'  param n int'
	mistake 6 'unknown block nowhere' <<<'  use nowhere'
	mistake 6 'signature s defined twice' <<<'signature s(T)'
	mistake 6 'expected NAME(...): s' <<<'signature s'
	mistake 6 'unknown signature t' <<<'call f t(f32)'
	mistake 6 'signature s takes 1 types, not 2' <<<'call f s(f32, int)'
	mistake 6 'library bad has no ctype for f64' <<<'call f s(f64)'
	mistake 6 'not a symbol: f-g' <<<'call f-g s(f32)'
	mistake 6 'expected an op name: two words' <<<'call f s(f32) two words'
	mistake 7 'f already has a row at bad.spec:6' <<<$'call f s(f32)\nlater f'
	mistake 7 'signature s belongs to library bad' <<<$'library worse\ncall f s(f32)'
	mistake 6 'expected enum TYPE VALUE NAME' <<<'enum t one ONE'
	mistake 7 'expected spell NAME-WITH-% INT-TYPE' <<<$'library bad\n  spell x int'
	mistake 7 'ctype f64 has no elem' <<<$'library bad\n  ctype f64 value double'
	mistake 6 'tensor x needs dims and strides' <<<$'  tensor x in T\n    dims n\ncall f s(f32)'
	mistake 6 'a tensor with 2 dims has 1 strides' <<<$'  tensor x in T\n    dims n, max(n, 1)\n    strides 1\ncall f s(f32)'
	mistake 6 'more than 6 dims' <<<$'  tensor x in T\n    dims n,n,n,n,n,n,n\n    strides 1,1,1,1,1,1,1\ncall f s(f32)'
}

# The worked examples of README.md generate, and compile.
readme() {
	{ echo 'library cblas'; sed -n 's/^    \(ctype f16 .*\)/\1/p; s/^    \(call cblas_shgemm .*\)/\1/p' "$spec/README.md"; } >rows.spec
	sed -n '/^    signature cblas_rank1/,/^    call cblas_srank1/p' "$spec/README.md" >>rows.spec
	[ "$(grep -c '^ *call' rows.spec)" = 2 ] || fail "README's examples are not where they were"
	mkdir -p gen/spec/gen
	gen wrappers -v LIBRARY=cblas "$spec/ops.spec" "$spec/cblas.spec" rows.spec >gen/wrap.c 2>err || fail "README's examples: $(cat err)"
	gen ids -v LIBRARIES=cblas "$spec/ops.spec" "$spec/cblas.spec" rows.spec >gen/spec/gen/ids.h
	for symbol in scipy_cblas_shgemm64_ cblas_srank1; do
		grep -q "EKKA_FN_$symbol = " gen/spec/gen/ids.h || fail "README's example has no $symbol"
	done
	${CC:-cc} -std=gnu17 -Wall -Wextra -Werror -I"$top_srcdir" -Igen -fsyntax-only gen/wrap.c >compiled 2>&1 ||
		fail "README's examples do not compile: $(head -5 compiled)"
}

awks=
for awk in ${AWK:-awk} mawk gawk 'busybox awk' original-awk; do
	$awk 'BEGIN { exit 0 }' >/dev/null 2>&1 || continue
	awks="$awks${awks:+, }$awk"
	cd "$dir" || exit 99
	small
	mistakes
	readme
	cd - >/dev/null || exit 99
	for g in ids fns map tables doc 'wrappers -v LIBRARY=cblas' 'wrappers -v LIBRARY=blas' 'wrappers -v LIBRARY=cublas'; do
		# shellcheck disable=SC2086
		gen $g -v LIBRARIES="cblas blas cublas" "$spec"/{ops,cblas,blas,cublas,cublas-others,enums,shim}.spec || fail "real specs, $g"
	done >"$dir/all" 2>"$dir/err"
	[ -s "$dir/err" ] && fail "real specs: $(head -3 "$dir/err")"
	sum=$(cksum <"$dir/all")
	[ "${first_sum:=$sum}" = "$sum" ] || fail "generates other files than the first awk"
done
echo "tried: $awks"
exit $failed
