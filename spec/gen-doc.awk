# SPDX-License-Identifier: Apache-2.0
# awk -f parse.awk -f gen-doc.awk *.spec: what is intercepted, as a page to read.

function tensors(s,  k, key, out, name)
{
	for (k = 1; k <= n_stm[s]; k++) {
		key = word(stm[s, k])
		if (key == "tensor") {
			name = word(rest)
			out = out (out == "" ? "" : "; ") name " (" word(rest) ")"
		} else if (key == "dims")
			out = out " [" rest "]"
	}
	return out
}

function parameters(s,  j, out)
{
	for (j = 1; j <= n_par[s]; j++)
		out = out (j > 1 ? ", " : "") par_name[s, j]
	return out
}

function list_class(class, title,  i, n, out)
{
	for (i = 1; i <= n_symbols; i++)
		if (class_of[symbols[i]] == class) {
			out = out (n++ ? ", " : "") "`" symbols[i] "`"
		}
	printf "\n## %s (%d)\n\n%s.\n", title, n, out
}

function emit(  l, i, k, spelled)
{
	print "# Functions that ekkatrace knows\n\nGenerated from spec/. Dims are mathematical: [rows, columns] after any transpose, batch first.\n"
	for (l = 1; l <= n_lib; l++) {
		spelled = ""
		for (k = 1; k <= n_spell[lib[l]]; k++)
			spelled = spelled (k > 1 ? ", " : "") "`" spell[lib[l], k] "` (" spell_int[lib[l], k] ")"
		k = 0
		for (i = 1; i <= n_fn; i++) {
			if (fn_lib[i] != lib[l] || fn_row[i] == last_row)
				continue
			last_row = fn_row[i]
			if (!k++) {
				printf "## %s\n\nOf %s.", lib[l], lib_soname[lib[l]]
				if (spelled != "") printf " Each in the spellings %s.", spelled
				print "\n\n| function | op | parameters | tensors |\n|---|---|---|---|"
			}
			printf "| `%s` | %s | %s | %s |\n", fn_row[i], fn_op[i], parameters(fn_sig[i]), tensors(fn_sig[i])
		}
		if (k) print ""
	}
	print "Not intercepted:"
	list_class("later", "They compute something and are not recorded yet")
	list_class("nothing", "They compute nothing")
}
