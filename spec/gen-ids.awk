# SPDX-License-Identifier: Apache-2.0
# awk -f parse.awk -f ctypes.awk -f gen-ids.awk -v LIBRARIES="cblas blas" *.spec: enum of the intercepted functions.

function emit(  n, k)
{
	n = sort_fns()
	print "/* Generated from spec/ by gen-ids.awk: indexes of ekka_fns[]. */"
	print "#ifndef EKKA_SPEC_GEN_IDS_H\n#define EKKA_SPEC_GEN_IDS_H\n\nenum {"
	for (k = 1; k <= n; k++)
		printf "\tEKKA_FN_%s = %d,\n", fn[by_name[k]], k - 1
	printf "\tEKKA_FN_COUNT = %d\n};\n\n#endif\n", n
}
