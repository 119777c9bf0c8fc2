# SPDX-License-Identifier: Apache-2.0
# Each caller gets the function that it would get without us: the traps of interposition.
# shellcheck source=tests/capture/lib.sh
. "$top_srcdir/tests/capture/lib.sh"

for mode in linked local dlsym; do
	compare $mode two
	orderly
	count 8 '^event .* complete '
	[ $mode = linked ] || count 4 'object libtoy2.so'

	cp "$subjects/libfinder.so" libcudnn_graph.so.9
	cp "$subjects/libfinder.so" libcublas.so.12
	compare $mode finder "$work/libcudnn_graph.so.9" "$work/libcublas.so.12"
	count 0 '^event '
	compare $mode finder "$subjects/libfinder.so"
	orderly
	count 1 '^event 1 .* complete object libtoy1.so'

	# A dispatcher's own look-ups must not come back to it: for ever, or as another event.
	compare $mode dispatch
	orderly
	count 1 '^event '
	count 1 '^event 1 0 cblas_sgemm depth 0 parent 0 complete object libdispatch.so'

	compare $mode absent
	compare $mode dlclose
	orderly
	count 6 '^event .* complete '
	compare $mode reopen
	orderly
	count 4 '^event .* complete '
done

# A function that no library has: cuBLAS can say so, and the program goes on; without the shim a BLAS function would have ended it.
what=missing
rm -rf t.ekka
EKKA_OUTPUT=t.ekka LD_PRELOAD=$shim subject linked missing >out-traced 2>err || fail "exit status $?"
if grep -q cublasSgemm_v2 "$bin/spec/gen/exports.map"; then
	[ "$(grep -cx 'cublas: 1' out-traced)" = 2 ] || fail "not NOT_INITIALIZED: $(cat out-traced)"
	[ "$(grep -c 'cublasSgemm_v2 is in no loaded library' err)" = 1 ] || fail "not said once: $(cat err)"
fi
"$bin/tests/capture/dump" t.ekka >dump || fail "no trace"
count 1 '^event '
EKKA_OUTPUT=t2.ekka LD_PRELOAD=$shim subject linked missing end >out-traced 2>err
status=$?
[ $status = 127 ] || fail "exit status $status, not 127"
says 'cblas_ssyrk is in no loaded library'

# RTLD_NEXT of another shim, before and after ours.
for order in "$subjects/libnext.so:$shim" "$shim:$subjects/libnext.so"; do
	rm -rf t.ekka
	what="$order"
	LD_PRELOAD=$subjects/libnext.so subject linked plain 3 >out-plain
	EKKA_OUTPUT=t.ekka LD_PRELOAD=$order subject linked plain 3 >out-traced 2>err
	cmp -s out-plain out-traced || fail "output differs: $(cat out-traced)"
	"$bin/tests/capture/dump" t.ekka >dump || fail "no trace"
	count 3 '^event .* cblas_sgemm depth 0 parent 0 complete'
done

# The library leaves the program's name space as it is: only libc is needed, nothing else is exported.
what=readelf
needed=$(readelf -d "$shim" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | grep -vE '^lib(c|m|pthread|dl)\.so|^ld-linux')
[ -z "$needed" ] || fail "needs $needed"
readelf -d "$shim" | grep -q 'NODELETE' || fail "can be unloaded"
sed -n 's/^[[:space:]]*\([A-Za-z0-9_]*\);$/\1/p' "$bin/spec/gen/exports.map" | sort >allowed
nm -D --defined-only "$shim" | awk '{ print $3 }' | sed 's/@.*//' | sort >exported
extra=$(comm -13 allowed exported)
[ -z "$extra" ] || fail "exports $extra"
lost=$(comm -23 allowed exported)
[ -z "$lost" ] || fail "does not export $lost"
finish
