# SPDX-License-Identifier: Apache-2.0
# awk -f parse.awk -f ctypes.awk -f gen-wrappers.awk -v LIBRARY=cblas *.spec: the C file with that library's wrappers.
# A wrapper has the shape that preload/capture.h shows; spellings of one signature share a describe function.

# C name of parameter j: references are p_NAME, so that NAME can be the value.
function par_cname(s, j) { return (par_kind[s, j] == "ref" ? "p_" : "") par_name[s, j] }

# Comma-separated parameters of function i; what: decl, type or name.
function par_list(i, what,  s, j, out, t, n)
{
	s = fn_sig[i]
	for (j = 1; j <= n_par[s] + sig_hidden[s]; j++) {
		t = j <= n_par[s] ? par_ctype(i, j) : "size_t"
		n = j <= n_par[s] ? par_cname(s, j) : "hidden_" (j - n_par[s])
		out = out (j > 1 ? ", " : "") (what == "decl" ? decl(t, n) : what == "type" ? t : n)
	}
	return out
}

# Parameters without the hidden lengths, which describe has no use for.
function describe_list(i, what,  s, save, out)
{
	s = fn_sig[i]; save = sig_hidden[s]; sig_hidden[s] = 0
	out = par_list(i, what)
	sig_hidden[s] = save
	return out
}

function is_pointer(lib, t) { return t ~ /\*/ || ((lib, t) in pointer_type) }

function emit_arg(i, j,  s, t, n)
{
	s = fn_sig[i]; n = par_name[s, j]
	t = substitute(par_type[s, j], types)
	if (is_pointer(fn_lib[i], t))
		printf "\tekka_arg_ptr(call, %s);\n", n
	else
		printf "\tekka_arg_%s(call, %s);\n", t ~ /^(float|double)$/ ? "real" : "int", n
}

# A scalar read through pointer p: attribute NAME, and NAME_is_zero for later expressions.
function emit_scalar(name, dtype, p)
{
	printf "\tekka_attr_scalar(call, \"%s\", %s, %s);\n", name, dtype, p
	printf "\tconst bool %s_is_zero = ekka_scalar_is_zero(call, %s, %s);\n", name, dtype, p
	printf "\t(void)%s_is_zero;\n", name
}

function emit_scalars(i,  s, j, n, p)
{
	s = fn_sig[i]
	for (j = 1; j <= n_par[s]; j++) {
		if (par_kind[s, j] != "scalar")
			continue
		n = par_name[s, j]
		p = (is_pointer(fn_lib[i], par_ctype(i, j)) ? "" : "&") n
		emit_scalar(n, substitute(par_dtype[s, n], dtypes), p)
	}
}

function emit_dims(what, text, at,  n, j)
{
	n = items(substitute(text, dtypes))
	if (n > 6)
		die_at(at, "more than 6 " what)
	if (what == "dims")
		printf "\t\t.n_dims = %d,\n", n
	else if (n != tensor_dims)
		die_at(at, "a tensor with " tensor_dims " dims has " n " strides")
	tensor_dims = n
	printf "\t\t.%s = { ", what == "dims" ? "dim" : "stride"
	for (j = 1; j <= n; j++)
		printf "%s%s", (j > 1 ? ", " : ""), item[j]
	print " },"
}

# Emits the tensor statement k of function i and its property lines; returns the last statement used.
function emit_tensor(i, k,  s, name, dir, dtype, p, key, v, cond, at, last)
{
	s = fn_sig[i]; at = stm_at[s, k]
	word(stm[s, k]); name = word(rest); dir = word(rest); dtype = substitute(rest, dtypes)
	for (p in prop) delete prop[p]
	for (last = k; last < n_stm[s] && stm[s, last + 1] ~ /^(dims|strides|if|pre|read|ptrs|alias|addr|place) /; last++) {
		key = word(stm[s, last + 1])
		prop[key] = substitute(rest, dtypes)
	}
	if (!("dims" in prop) || !("strides" in prop))
		die_at(at, "tensor " name " needs dims and strides")
	cond = ("if" in prop) ? prop["if"] : "true"
	printf "\tconst int t_%s = !(%s) ? -1 : ekka_tensor(call, &(struct ekka_tensor){\n", name, cond
	printf "\t\t.name = \"%s\", .dtype = %s,\n", name, dtype
	printf "\t\t.dir = %s,\n", ("read" in prop) ? "(" prop["read"] ") ? EKKA_INOUT : EKKA_OUT" : "EKKA_" toupper(dir)
	printf "\t\t.place = %s,\n", ("place" in prop) ? prop["place"] : lib_place[fn_lib[i]] == "device" ? "EKKA_DEVICE" : "EKKA_HOST"
	tensor_dims = 0
	emit_dims("dims", prop["dims"], at)
	emit_dims("strides", prop["strides"], at)
	printf "\t\t.addr = (uintptr_t)(%s),\n", ("addr" in prop) ? prop["addr"] : name
	if ("ptrs" in prop)
		printf "\t\t.n_ptrs = (uint64_t)(%s),\n", prop["ptrs"]
	printf "\t\t.alias_of = %s,\n", ("alias" in prop) ? "t_" prop["alias"] : "-1"
	if ("alias" in prop)
		p = "false"
	else
		p = ("pre" in prop) ? prop["pre"] : dir == "out" ? "false" : "true"
	printf "\t\t.pre = %s,\n\t\t.post = %s,\n\t});\n\t(void)t_%s;\n", p, dir == "in" ? "false" : "true", name
	return last
}

# Where a row or statement stands, without folders: the compiler's complaints are about the line below it.
function place_of(at) { sub(/.*\//, "", at); return at }

function emit_statement(i, k,  s, key, t, at, name)
{
	s = fn_sig[i]; at = stm_at[s, k]
	printf "\t/* %s */\n", place_of(at)
	key = word(stm[s, k]); t = rest
	if (key == "tensor")
		return emit_tensor(i, k)
	if (key == "scalars")
		emit_scalars(i)
	else if (key == "let") {
		name = word(t); word(rest)
		printf "\tconst int64_t %s = %s;\n\t(void)%s;\n", name, substitute(rest, dtypes), name
	} else if (key == "valid") {
		t = substr(t, 2)
		printf "\tif (!(%s)) {\n\t\tekka_call_bad_args(call, \"%s\");\n\t\treturn;\n\t}\n", \
			substitute(trim(substr(t, index(t, "\"") + 1)), dtypes), substr(t, 1, index(t, "\"") - 1)
	} else if (key == "attr") {
		name = word(t); t = word(rest)
		printf "\tekka_attr_%s(call, \"%s\", %s);\n", t, name, substitute(rest, dtypes)
	} else if (key == "flag") {
		name = word(t)
		printf "\tif (%s)\n\t\tekka_attr_int(call, \"%s\", 1);\n", substitute(rest, dtypes), name
	} else if (key == "do")
		printf "\t%s\n", substitute(t, dtypes)
	else if (key == "scalar_at") {
		name = word(t); t = substitute(word(rest), dtypes)
		emit_scalar(name, t, substitute(rest, dtypes))
	} else
		die_at(at, key " without a tensor before it")
	return k
}

# The function that tells arguments, attributes and tensors of one instance of a signature.
function emit_describe(i,  s, j, k, extra)
{
	s = fn_sig[i]
	extra = (sig_returns[s] != "void" ? ", void *ret" : "") (sig_group[s] != "" ? ", int64_t g, int64_t first" : "")
	printf "/* %s */\nstatic __attribute__((noinline)) void %s(struct ekka_call *call, %s%s)\n{\n", place_of(fn_at[i]), describe_name(i), describe_list(i, "decl"), extra
	if (sig_returns[s] != "void")
		print "\t(void)ret;"
	if (sig_group[s] != "")
		print "\t(void)first;"
	for (j = 1; j <= n_par[s]; j++) {
		if (par_kind[s, j] == "ref")
			printf "\tconst %s = *p_%s;\n", decl(substitute(par_type[s, j], types), par_name[s, j]), par_name[s, j]
		emit_arg(i, j)
	}
	if (lib_context[fn_lib[i]] != "")
		printf "\t%s\n", lib_context[fn_lib[i]]
	for (k = 1; k <= n_stm[s]; k++)
		k = emit_statement(i, k)
	print "}\n"
}

function describe_name(i) { return "describe_" fn_sig[i] fn_actuals[i] }

# Statement that stores the returned value; "" for void.
function ret_value(t, name)
{
	if (t ~ /_Complex/)
		return "{ .kind = EKKA_V_COMPLEX, .r = { __real__ " name ", __imag__ " name " } }"
	if (t ~ /^(float|double)$/)
		return "{ .kind = EKKA_V_REAL, .r = { " name " } }"
	return "{ .kind = EKKA_V_INT, .i = " name " }"
}

function emit_head(i, ret,  s)
{
	s = fn_sig[i]
	printf "EKKA_PUBLIC %s;\n", decl(ret, fn[i] "(" par_list(i, "decl") ")")
	printf "%s\n{\n", decl(ret, fn[i] "(" par_list(i, "decl") ")")
	printf "\ttypedef %s;\n", decl(ret, "real_fn(" par_list(i, "type") ")")
	print "\tconst void *caller = __builtin_return_address(0);"
	printf "\treal_fn *real = (real_fn *)ekka_real(EKKA_FN_%s, caller);\n", fn[i]
	if (fn_lib[i] in lib_missing)
		printf "\n\tif (!real)\n\t\treturn %s;\n", lib_missing[fn_lib[i]]
}

function emit_end(call, ret, indent)
{
	if (ret == "void")
		printf "%sekka_call_end(%s, NULL);\n", indent, call
	else
		printf "%sekka_call_end(%s, &(struct ekka_value)%s);\n", indent, call, ret_value(ret, "ret")
}

function emit_real(i, ret) { printf "\t%sreal(%s);\n", ret == "void" ? "" : "ret = ", par_list(i, "name") }

function emit_wrapper(i,  s, ret)
{
	s = fn_sig[i]
	ret = substitute(sig_returns[s], types)
	emit_head(i, ret)
	print "\tstruct ekka_call call;"
	if (ret != "void")
		printf "\t%s;\n", decl(ret, "ret")
	printf "\n\tif (!ekka_call_enter(&call, EKKA_FN_%s, caller)) {\n", fn[i]
	if (ret == "void")
		printf "\t\treal(%s);\n\t\treturn;\n\t}\n", par_list(i, "name")
	else
		printf "\t\treturn real(%s);\n\t}\n", par_list(i, "name")
	printf "\tif (call.describe)\n\t\t%s(&call, %s%s);\n", describe_name(i), describe_list(i, "name"), ret == "void" ? "" : ", &ret"
	print "\tekka_call_begin(&call);"
	emit_real(i, ret)
	emit_end("&call", ret, "\t")
	if (ret != "void")
		print "\treturn ret;"
	print "}\n"
}

# A call recorded as several events: `group COUNT SIZES` in the signature, COUNT an expression over the parameters
# and SIZES[g] the items of group g. Every part begins before the real call and ends after it.
function emit_grouped(i,  s, ret, count, sizes)
{
	s = fn_sig[i]
	ret = substitute(sig_returns[s], types)
	count = word(sig_group[s]); sizes = rest
	emit_head(i, ret)
	if (ret != "void")
		printf "\t%s;\n", decl(ret, "ret")
	printf "\tconst int64_t n_parts = ekka_part_count(%s);\n", count
	print "\tstruct ekka_call *calls = __builtin_alloca((size_t)n_parts * sizeof(*calls));	/* 1 to EKKA_MAX_PARTS */"
	printf "\n\tif (!ekka_call_enter(&calls[0], EKKA_FN_%s, caller)) {\n", fn[i]
	if (ret == "void")
		printf "\t\treal(%s);\n\t\treturn;\n\t}\n", par_list(i, "name")
	else
		printf "\t\treturn real(%s);\n\t}\n", par_list(i, "name")
	print "\tint64_t first = 0;"
	print "\tfor (int64_t g = 0; g < n_parts; g++) {"
	print "\t\tif (g > 0)\n\t\t\tekka_call_enter_part(&calls[g], &calls[0], (unsigned)g);"
	printf "\t\tif (calls[g].describe)\n\t\t\t%s(&calls[g], %s%s, g, first);\n", describe_name(i), describe_list(i, "name"), ret == "void" ? "" : ", &ret"
	printf "\t\tif (g < %s)\n\t\t\t(void)__builtin_add_overflow(first, %s[g], &first);\n", count, sizes
	print "\t\tekka_call_begin(&calls[g]);\n\t}"
	printf "\tif (%s > n_parts)\n\t\tekka_call_drop_parts(&calls[0], (uint64_t)(%s - n_parts));\n", count, count
	emit_real(i, ret)
	print "\tfor (int64_t g = n_parts - 1; g >= 0; g--)"
	emit_end("&calls[g]", ret, "\t\t")
	if (ret != "void")
		print "\treturn ret;"
	print "}\n"
}

function emit(  i, n, h, j)
{
	if (!(LIBRARY in lib_at)) {
		printf "gen-wrappers.awk: no library '%s'\n", LIBRARY > "/dev/stderr"
		exit 1
	}
	print "/* Generated from spec/ by gen-wrappers.awk. */"
	n = split(lib_header[LIBRARY], h, " ")
	for (j = 1; j <= n; j++)
		printf "#include <%s>\n", h[j]
	print "#include \"spec/wrap.h\"\n#include \"spec/gen/ids.h\"\n"
	for (j = 1; j <= n_typedef[LIBRARY]; j++)
		printf "typedef %s %s;\n", typedef_type[LIBRARY, j], typedef_name[LIBRARY, j]
	for (i = 1; i <= n_fn; i++) {
		if (fn_lib[i] != LIBRARY || fn_class[i] != "call")
			continue
		type_map(i, types)
		dtype_map(i, dtypes)
		if (!(describe_name(i) in described)) {
			described[describe_name(i)] = 1
			emit_describe(i)
		}
		if (sig_group[fn_sig[i]] != "") emit_grouped(i)
		else emit_wrapper(i)
	}
}
