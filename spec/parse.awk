# SPDX-License-Identifier: Apache-2.0
# Reads *.spec (grammar: README.md) into the arrays below. Shared by every gen-*.awk, which define emit().
# Runs under mawk and gawk: POSIX awk only.
#
#	lib[i]                      libraries in order; lib_soname, lib_header, lib_context, lib_place, lib_missing [name]
#	ctype[lib, dtype, kind]     C type of kind elem, value or arg
#	typedef_name, typedef_type[lib, i], n_typedef[lib]
#	pointer_type[lib, type]     C types that are handles
#	sig_lib, sig_returns, sig_hidden, sig_group [sig]; formal[sig, i], n_formal[sig]
#	par_name, par_type, par_kind [sig, i], n_par[sig]; kinds: plain, ref, scalar; par_dtype of scalars
#	stm[sig, i], n_stm[sig]     body statements, blocks expanded: "keyword rest"; stm_at: "file:line"
#	fn[i], n_fn                 rows call and irregular; fn_row (before spelling), fn_lib, fn_sig, fn_op, fn_class,
#	                            fn_at, fn_actuals [i], actual[i, formal]
#	symbols[i], n_symbols, class_lib[symbol]
#	class_of[symbol]            call, irregular, nothing, later, export
#	enum_type[i], enum_value[i], enum_name[i], n_enum

function die(text) { die_at(FILENAME ":" FNR, text) }

function die_at(at, text)
{
	printf "%s: %s\n", at, text > "/dev/stderr"
	failed = 1
	exit 1
}

function trim(s) { gsub(/^[ \t]+|[ \t]+$/, "", s); return s }

# First word of s; the global `rest` is what follows it.
function word(s,  i)
{
	s = trim(s)
	i = match(s, /[ \t]/)
	rest = i ? trim(substr(s, i)) : ""
	return i ? substr(s, 1, i - 1) : s
}

function is_name(s) { return s ~ /^[A-Za-z_][A-Za-z0-9_]*$/ }

# "name(a, b) tail" -> global base, arg[1..return value], rest.
function args(s,  i, j, n, parts)
{
	i = index(s, "("); j = index(s, ")")
	if (!i || j < i)
		die("expected NAME(...): " s)
	base = trim(substr(s, 1, i - 1))
	rest = trim(substr(s, j + 1))
	s = trim(substr(s, i + 1, j - i - 1))
	n = s == "" ? 0 : split(s, parts, ",")
	for (i = 1; i <= n; i++)
		arg[i] = trim(parts[i])
	return n
}

# Splits s at commas outside parentheses into item[]; returns their number.
function items(s,  i, c, depth, n)
{
	n = 1; item[1] = ""
	for (i = 1; i <= length(s); i++) {
		c = substr(s, i, 1)
		if (c == "(") depth++
		if (c == ")") depth--
		if (c == "," && !depth) { item[++n] = ""; continue }
		item[n] = item[n] c
	}
	for (i = 1; i <= n; i++)
		item[i] = trim(item[i])
	return n
}

# Replaces every whole word of s found in map[], outside quotes; `T.arg` counts as one word.
function substitute(s, map,  out, w)
{
	out = ""
	while (match(s, /'[^']*'|"[^"]*"|[A-Za-z_][A-Za-z0-9_]*(\.[a-z]+)?/)) {
		w = substr(s, RSTART, RLENGTH)
		out = out substr(s, 1, RSTART - 1) ((w in map) ? map[w] : w)
		s = substr(s, RSTART + RLENGTH)
	}
	return out s
}

function declare(symbol, class)
{
	if (!is_name(symbol))
		die("not a symbol: " symbol)
	if (symbol in class_of)
		die(symbol " already has a row at " row_at[symbol])
	class_of[symbol] = class
	class_lib[symbol] = cur_lib
	row_at[symbol] = FILENAME ":" FNR
	symbols[++n_symbols] = symbol
}

function add_par(kind, name, type,  n)
{
	if (!is_name(name) || type == "")
		die("expected " (kind == "plain" ? "param" : kind) " NAME TYPE")
	if ((cur_sig, name) in par_index)
		die("parameter " name " declared twice")
	n = ++n_par[cur_sig]
	par_index[cur_sig, name] = n
	par_kind[cur_sig, n] = kind
	par_name[cur_sig, n] = name
	par_type[cur_sig, n] = type
}

function add_stm(sig, text, at,  n)
{
	n = ++n_stm[sig]
	stm[sig, n] = text
	stm_at[sig, n] = at
}

# A line of a block or a signature that says what a call means.
function statement(key, line,  k, i)
{
	if (key == "use") {
		if (!(rest in n_block))
			die("unknown block " rest)
		for (i = 1; i <= n_block[rest]; i++)
			if (cur_sig != "")
				add_stm(cur_sig, block[rest, i], block_at[rest, i])
			else
				add_block(block[rest, i], block_at[rest, i])
		return
	}
	if (key == "valid" && line !~ /^valid "[^"]+" ./)
		die("expected valid \"REASON\" CONDITION")
	if (key == "let" && line !~ /^let [A-Za-z_][A-Za-z0-9_]* = ./)
		die("expected let NAME = EXPRESSION")
	if (key == "attr" && line !~ /^attr [A-Za-z_0-9]+ (int|real|str) ./)
		die("expected attr NAME int|real|str EXPRESSION")
	if (key == "do" && line !~ /^do .*;$/)
		die("expected do STATEMENT;")
	if (key == "flag" && line !~ /^flag [A-Za-z_0-9]+ ./)
		die("expected flag NAME CONDITION")
	if (key == "scalar_at" && line !~ /^scalar_at [A-Za-z_][A-Za-z0-9_]* [A-Za-z_0-9]+ ./)
		die("expected scalar_at NAME DTYPE ADDRESS")
	if (key == "tensor") {
		if (line !~ /^tensor [A-Za-z_0-9]+ (in|out|inout) ./)
			die("expected tensor NAME in|out|inout DTYPE")
		in_tensor = 1
	} else if (key ~ /^(dims|strides|if|pre|read|ptrs|alias|addr|place)$/) {
		if (!in_tensor)
			die(key " outside a tensor")
		if (rest == "")
			die(key " needs an expression")
	} else
		in_tensor = 0
	if (cur_sig != "")
		add_stm(cur_sig, line, FILENAME ":" FNR)
	else
		add_block(line, FILENAME ":" FNR)
}

function add_block(text, at,  n)
{
	n = ++n_block[cur_block]
	block[cur_block, n] = text
	block_at[cur_block, n] = at
}

# One symbol of a call or irregular row; int_type replaces INT among the actual types.
function add_fn(class, symbol, sig, n, op, int_type, row_name,  i)
{
	declare(symbol, class)
	++n_fn
	fn[n_fn] = symbol
	fn_row[n_fn] = row_name
	fn_class[n_fn] = class
	fn_lib[n_fn] = cur_lib
	fn_sig[n_fn] = sig
	fn_op[n_fn] = op
	fn_at[n_fn] = FILENAME ":" FNR
	fn_actuals[n_fn] = ""
	for (i = 1; i <= n; i++) {
		actual[n_fn, i] = arg[i] == "INT" ? int_type : arg[i]
		fn_actuals[n_fn] = fn_actuals[n_fn] "_" actual[n_fn, i]
		if (actual[n_fn, i] !~ /^(int|int64_t|[0-9]+)$/ && !((cur_lib, actual[n_fn, i], "elem") in ctype))
			die("library " cur_lib " has no ctype for " actual[n_fn, i])
	}
}

# call|irregular SYMBOL SIGNATURE(TYPES) [OP]: one row, every spelling of the library.
function row(class, s,  symbol, n, sig, i, name)
{
	symbol = word(s)
	n = args(rest)
	sig = base
	if (!(sig in sig_lib))
		die("unknown signature " sig)
	if (sig_lib[sig] != cur_lib)
		die("signature " sig " belongs to library " sig_lib[sig])
	if (n != n_formal[sig])
		die("signature " sig " takes " n_formal[sig] " types, not " n)
	if (rest != "" && !is_name(rest))
		die("expected an op name: " rest)
	op = rest
	if (!n_spell[cur_lib])
		add_fn(class, symbol, sig, n, op, "int", symbol)
	for (i = 1; i <= n_spell[cur_lib]; i++) {
		name = spell[cur_lib, i]
		sub(/%/, symbol, name)
		add_fn(class, name, sig, n, op, spell_int[cur_lib, i], symbol)
	}
}

# nothing|later SYMBOL...: in every spelling of the library.
function unrecorded(class, s,  symbol, i, name)
{
	while (s != "") {
		symbol = word(s)
		s = rest
		if (!n_spell[cur_lib])
			declare(symbol, class)
		for (i = 1; i <= n_spell[cur_lib]; i++) {
			name = spell[cur_lib, i]
			sub(/%/, symbol, name)
			declare(name, class)
		}
	}
}

# ctype DTYPE elem TYPE [value TYPE] [arg TYPE]
function add_ctype(s,  dtype, n, i, parts, kind)
{
	dtype = word(s)
	n = split(rest, parts, /[ \t]+/)
	for (i = 1; i <= n; i++) {
		if (parts[i] ~ /^(elem|value|arg)$/)
			kind = parts[i]
		else if (kind == "")
			die("expected ctype DTYPE elem TYPE [value TYPE] [arg TYPE]")
		else
			ctype[cur_lib, dtype, kind] = trim(ctype[cur_lib, dtype, kind] " " parts[i])
	}
	if (!((cur_lib, dtype, "elem") in ctype))
		die("ctype " dtype " has no elem")
	if (!((cur_lib, dtype, "value") in ctype))
		ctype[cur_lib, dtype, "value"] = ctype[cur_lib, dtype, "elem"]
	if (!((cur_lib, dtype, "arg") in ctype))
		ctype[cur_lib, dtype, "arg"] = ctype[cur_lib, dtype, "value"]
}

function open_library(name)
{
	if (!is_name(name))
		die("expected library NAME")
	if (!(name in lib_at))
		lib[++n_lib] = name
	lib_at[name] = FILENAME ":" FNR
	cur_lib = name; cur_sig = ""; cur_block = ""; in_tensor = 0
}

function open_signature(s,  n, i)
{
	n = args(s)
	if (cur_lib == "")
		die("signature before any library")
	if (!is_name(base) || rest != "")
		die("expected signature NAME(FORMALS)")
	if (base in sig_lib)
		die("signature " base " defined twice")
	cur_sig = base; cur_block = ""; in_tensor = 0
	sig_lib[cur_sig] = cur_lib
	sig_returns[cur_sig] = "void"
	n_formal[cur_sig] = n
	n_par[cur_sig] = 0; n_stm[cur_sig] = 0
	for (i = 1; i <= n; i++)
		formal[cur_sig, i] = arg[i]
}

function top_level(key)
{
	if (key == "library") { open_library(rest); return 1 }
	if (key == "signature") { open_signature(rest); return 1 }
	if (key == "block") {
		if (!is_name(rest) || (rest in n_block))
			die("block " rest " defined twice or without a name")
		cur_block = rest; cur_sig = ""; n_block[rest] = 0; in_tensor = 0
		return 1
	}
	if (key ~ /^(call|irregular|nothing|later|export|enum)$/) {
		cur_sig = ""; cur_block = ""
		if (key == "export") declare(rest, "export")
		else if (key == "enum") add_enum(rest)
		else if (cur_lib == "") die(key " before any library")
		else if (key == "call" || key == "irregular") row(key, rest)
		else unrecorded(key, rest)
		return 1
	}
	return 0
}

# enum TYPE VALUE NAME [VALUE NAME]...
function add_enum(s,  type, value)
{
	type = word(s)
	if (rest == "")
		die("expected enum TYPE VALUE NAME")
	while (rest != "") {
		value = word(rest)
		s = word(rest)
		if (value !~ /^-?[0-9]+$/ || s == "")
			die("expected enum TYPE VALUE NAME")
		++n_enum
		enum_type[n_enum] = type; enum_value[n_enum] = value; enum_name[n_enum] = s
	}
}

function in_library(key)
{
	if (key == "soname") lib_soname[cur_lib] = trim(lib_soname[cur_lib] " " rest)
	else if (key == "header") lib_header[cur_lib] = trim(lib_header[cur_lib] " " rest)
	else if (key == "context") lib_context[cur_lib] = rest
	else if (key == "place") lib_place[cur_lib] = rest
	else if (key == "missing") {
		if (rest !~ /^[A-Za-z_0-9]+$/) die("expected missing VALUE")
		lib_missing[cur_lib] = rest
	}
	else if (key == "pointer") pointer_type[cur_lib, rest] = 1
	else if (key == "ctype") add_ctype(rest)
	else if (key == "typedef") {
		typedef_name[cur_lib, ++n_typedef[cur_lib]] = word(rest)
		typedef_type[cur_lib, n_typedef[cur_lib]] = rest
	}
	else if (key == "spell") {
		if (rest !~ /%/) die("expected spell NAME-WITH-% INT-TYPE")
		spell[cur_lib, ++n_spell[cur_lib]] = word(rest)
		spell_int[cur_lib, n_spell[cur_lib]] = rest
	} else
		die("unknown keyword " key)
}

function in_signature(key, line,  name)
{
	if (key == "returns") sig_returns[cur_sig] = rest
	else if (key == "hidden") sig_hidden[cur_sig] = rest + 0
	else if (key == "group") sig_group[cur_sig] = rest
	else if (key == "param" || key == "ref") { name = word(rest); add_par(key == "ref" ? "ref" : "plain", name, rest) }
	else if (key == "scalar") {
		# scalar NAME DTYPE : TYPE
		if (line !~ /^scalar [A-Za-z_0-9]+ .+ : ./) die("expected scalar NAME DTYPE : TYPE")
		name = word(rest)
		add_par("scalar", name, trim(substr(rest, index(rest, " : ") + 3)))
		par_dtype[cur_sig, name] = trim(substr(rest, 1, index(rest, " : ")))
	} else
		return 0
	return 1
}

{
	sub(/(^|[ \t])#.*/, "")
	line = trim($0)
	if (line == "")
		next
	key = word(line)
	if (top_level(key))
		next
	if (key ~ /^(let|valid|attr|flag|do|scalars|scalar_at|tensor|use|dims|strides|if|pre|read|ptrs|alias|addr|place)$/ && (cur_sig != "" || cur_block != ""))
		statement(key, line)
	else if (cur_sig != "" && in_signature(key, line))
		next
	else if (cur_lib != "" && cur_sig == "" && cur_block == "")
		in_library(key)
	else
		die("unknown keyword " key)
}

END {
	if (failed)
		exit 1
	emit()
}
