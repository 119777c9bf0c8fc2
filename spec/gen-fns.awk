# SPDX-License-Identifier: Apache-2.0
# awk -f parse.awk -f ctypes.awk -f gen-fns.awk -v LIBRARIES="cblas blas" *.spec: ekka_fns[] and ekka_libraries[].

# Instances of a signature share one table of parameters.
function table_name(i) { return "args_" fn_sig[i] fn_actuals[i] }

function emit_args(i,  s, j)
{
	s = fn_sig[i]
	type_map(i, types)
	printf "static const struct ekka_arg_info %s[] = {\n", table_name(i)
	for (j = 1; j <= n_par[s]; j++)
		printf "\t{ \"%s\", \"%s\" },\n", par_name[s, j], par_ctype(i, j)
	print "};"
}

function emit_libraries(  k, j, n, names, sonames, m)
{
	n = split(LIBRARIES, names, " ")
	for (k = 1; k <= n; k++) {
		printf "static const char *const sonames_%s[] = { ", names[k]
		m = split(lib_soname[names[k]], sonames, " ")
		for (j = 1; j <= m; j++)
			printf "\"%s\", ", sonames[j]
		print "NULL };"
	}
	print "\nconst struct ekka_library ekka_libraries[] = {"
	for (k = 1; k <= n; k++)
		printf "\t{ \"%s\", sonames_%s, %s },\n", names[k], names[k], (names[k] in lib_missing) ? "true" : "false"
	printf "};\nconst unsigned ekka_n_libraries = %d;\n", n
}

function emit(  n, k, i)
{
	n = sort_fns()
	print "/* Generated from spec/ by gen-fns.awk. */"
	print "#include \"preload/capture.h\"\n#include \"spec/gen/ids.h\"\n"
	for (k = 1; k <= n; k++) {
		i = by_name[k]
		if (!(table_name(i) in done))
			emit_args(i)
		done[table_name(i)] = 1
	}
	print "\n/* In strcmp order of the names. */\nconst struct ekka_fn ekka_fns[] = {"
	for (k = 1; k <= n; k++) {
		i = by_name[k]
		printf "\t{ \"%s\", \"%s\", \"%s\", %s, %d },\n", fn[i], fn_lib[i], fn_op[i], table_name(i), n_par[fn_sig[i]]
	}
	print "};\nconst unsigned ekka_n_fns = EKKA_FN_COUNT;\n"
	emit_libraries()
}
