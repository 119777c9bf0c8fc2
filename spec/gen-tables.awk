# SPDX-License-Identifier: Apache-2.0
# awk -f parse.awk -f ctypes.awk -f gen-tables.awk *.spec: the tables of spec.h.

function quote(s) { gsub(/[\\"]/, "\\\\&", s); return "\"" s "\"" }

# Names of the formal types' dtypes, for what people read: "f32", not EKKA_F32.
function name_map(i, map,  s, j, w)
{
	for (w in map) delete map[w]
	s = fn_sig[i]
	for (j = 1; j <= n_formal[s]; j++)
		map[formal[s, j]] = actual[i, j]
	for (j = 1; j <= n_stm[s]; j++)
		if (stm[s, j] ~ /^let T[A-Z] = [A-Z]+$/ && substr(stm[s, j], 10) in map)
			map[substr(stm[s, j], 5, 2)] = map[substr(stm[s, j], 10)]
}

function tensor_table(i) { return "tensors_" fn_sig[i] fn_actuals[i] }

# Writes the tensors of an instance of a signature, once; returns their number.
function emit_tensors(i,  s, k, n, text, key, name, dir)
{
	if (tensor_table(i) in n_tensors)
		return
	s = fn_sig[i]; n = 0
	name_map(i, names)
	text = "static const struct ekka_spec_tensor " tensor_table(i) "[] = {\n"
	for (k = 1; k <= n_stm[s]; k++) {
		key = word(stm[s, k])
		if (key == "tensor") {
			name = word(rest); dir = word(rest)
			text = text (n ? " },\n" : "") "\t{ " quote(name) ", " quote(dir) ", " quote(substitute(rest, names))
			n++
		} else if (key == "dims" || key == "strides")
			text = text ", " quote(rest)
	}
	n_tensors[tensor_table(i)] = n
	if (n)
		print text " },\n};"
}

function emit_row(symbol,  i, class, s)
{
	class = class_of[symbol]
	if (!(symbol in fn_index)) {
		printf "\t{ \"%s\", \"%s\", EKKA_SPEC_%s, \"\", \"\", \"\", NULL, 0 },\n", symbol, class_lib[symbol], toupper(class)
		return
	}
	i = fn_index[symbol]; s = fn_sig[i]
	type_map(i, types)
	printf "\t{ \"%s\", \"%s\", EKKA_SPEC_%s, \"%s\", \"%s\", \"%s\", %s, %d },\n", symbol, fn_lib[i], toupper(class), fn_op[i], s,
		substitute(sig_returns[s], types), n_tensors[tensor_table(i)] ? tensor_table(i) : "NULL", n_tensors[tensor_table(i)]
}

function emit(  i, j, n, sorted)
{
	print "/* Generated from spec/ by gen-tables.awk. */\n#include \"spec/spec.h\"\n"
	for (i = 1; i <= n_fn; i++) {
		fn_index[fn[i]] = i
		emit_tensors(i)
	}
	n = 0
	for (i = 1; i <= n_symbols; i++) {
		if (class_of[symbols[i]] == "export")
			continue
		for (j = n++; j > 0 && sorted[j] > symbols[i]; j--)
			sorted[j + 1] = sorted[j]
		sorted[j + 1] = symbols[i]
	}
	print "\nconst struct ekka_spec_fn ekka_spec_fns[] = {"
	for (i = 1; i <= n; i++)
		emit_row(sorted[i])
	printf "};\nconst unsigned ekka_spec_n_fns = %d;\n", n
	print "\nconst struct ekka_enum_row ekka_enum_rows[] = {"
	for (i = 1; i <= n_enum; i++)
		printf "\t{ \"%s\", %s, \"%s\" },\n", enum_type[i], enum_value[i], enum_name[i]
	printf "};\nconst unsigned ekka_n_enum_rows = %d;\n", n_enum
}
