# SPDX-License-Identifier: Apache-2.0
# C types of an instance of a signature, for the gen-*.awk that need them: i is an index of fn[], s a signature.

# Fills map: formal types as C types (T, T.value, T.arg, I) for function i.
function type_map(i, map,  s, f, j, a, k, w)
{
	for (w in map) delete map[w]
	s = fn_sig[i]
	for (j = 1; j <= n_formal[s]; j++) {
		f = formal[s, j]; a = actual[i, j]
		if (a ~ /^(int|[0-9])/) { map[f] = a; continue }
		map[f] = ctype[fn_lib[i], a, "elem"]
		map[f ".value"] = ctype[fn_lib[i], a, "value"]
		map[f ".arg"] = ctype[fn_lib[i], a, "arg"]
	}
}

# Fills map: formal types as enum ekka_dtype names, for expressions.
function dtype_map(i, map,  s, j, w)
{
	for (w in map) delete map[w]
	s = fn_sig[i]
	for (j = 1; j <= n_formal[s]; j++)
		map[formal[s, j]] = actual[i, j] ~ /^(int|[0-9])/ ? actual[i, j] : "EKKA_" toupper(actual[i, j])
}

function par_ctype(i, j,  s, t)
{
	s = fn_sig[i]
	t = substitute(par_type[s, j], types)
	return par_kind[s, j] == "ref" ? "const " t " *" : t
}

function decl(type, name) { return type (type ~ /\*$/ ? "" : " ") name }

# Sets by_name[1..n] to the indexes of the functions of the libraries listed in LIBRARIES, in strcmp order (under LC_ALL=C).
function sort_fns(  i, j, n, names, libs, wanted)
{
	n = split(LIBRARIES, names, " ")
	for (i = 1; i <= n; i++) {
		if (!(names[i] in lib_at)) {
			printf "no library '%s'\n", names[i] > "/dev/stderr"
			exit 1
		}
		wanted[names[i]] = 1
	}
	n = 0
	for (i = 1; i <= n_fn; i++) {
		if (!(fn_lib[i] in wanted))
			continue
		for (j = n++; j > 0 && fn[by_name[j]] > fn[i]; j--)
			by_name[j + 1] = by_name[j]
		by_name[j + 1] = i
	}
	return n
}
