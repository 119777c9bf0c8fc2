# SPDX-License-Identifier: Apache-2.0
# Calls are recorded whole, in order and with their bytes, however the program finds its library.
# shellcheck source=tests/capture/lib.sh
. "$top_srcdir/tests/capture/lib.sh"

for mode in linked local dlsym; do
	compare $mode plain 3
	orderly
	count 1 '^segment [0-9]+ [0-9]+ exit 3 full$'
	count 3 '^event [0-9]+ 0 cblas_sgemm depth 0 parent 0 complete object libtoy1.so args 14 bad -'
	count 3 '^data [0-9]+ A pre 1024 whole$'
	count 3 '^data [0-9]+ B pre 1024 whole$'
	count 3 '^data [0-9]+ C pre 1024 whole$'
	count 3 '^data [0-9]+ C post 1024 whole$'
	count 0 '^data [0-9]+ [AB] post'
	count 1 '^blobs 10 '	# 3 times A, B and C after, and one C before
	says '^ekkatrace: 3 calls, [0-9.]+ KiB in t.ekka$'
	tail -c 64 t.ekka/index-*.ekka | grep -q ix-end || fail "no index, or not to its end"

	compare $mode threads
	orderly
	count 400 '^event .* complete '

	compare $mode nested
	orderly
	count 1 '^event 1 0 cblas_dgemm depth 0 parent 0 complete'
	count 1 '^event 2 0 cblas_sgemm depth 1 parent 1 complete'
	count 0 '^data 2 '
	count 1 '^data 1 C post'

	compare $mode longjmp
	count 1 '^event 1 0 cblas_sgemm depth 0 parent 0 begun'
	count 1 '^event 2 0 cblas_sgemm depth 0 parent 0 complete'
	count 4 '^data 2 .* whole$'

	compare $mode handler
	count 1 '^event 1 0 cblas_sgemm depth 0 parent 0 complete'
	count 1 '^event 2 0 cblas_sgemm depth 1 parent 1 complete'

	compare $mode interrupts
	count 0 '^(problem|error) '

	compare $mode state
	orderly
done
finish
