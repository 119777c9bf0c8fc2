# SPDX-License-Identifier: Apache-2.0
# awk -f parse.awk -f ctypes.awk -f gen-map.awk -v LIBRARIES="cblas blas" *.spec: the linker's version script.
# The node is anonymous: with a named one, references to a versioned symbol of the real library would not bind to ours.

function emit(  n, k)
{
	n = sort_fns()
	print "/* Generated from spec/ by gen-map.awk. */\n{\n\tglobal:"
	for (k = 1; k <= n; k++)
		printf "\t\t%s;\n", fn[by_name[k]]
	for (k = 1; k <= n_symbols; k++)
		if (class_of[symbols[k]] == "export")
			printf "\t\t%s;\n", symbols[k]
	print "\tlocal: *;\n};"
}
