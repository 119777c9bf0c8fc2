# SPDX-License-Identifier: Apache-2.0
# From descriptions (*.kd) to a table of their texts in C: awk -f gen-kernels.awk FILE...
function name(path) { sub(/.*\//, "", path); return path }
BEGIN {
	print "/* Generated from spec/kernels. */"
	print "#include \"spec/kernels_builtin.h\"\n"
	print "const struct ekka_builtin_kernels ekka_builtin_kernels[] = {"
}
FNR == 1 {
	if (NR > 1)
		print "\t},"
	printf "\t{ \"%s\",\n", name(FILENAME)
}
{
	gsub(/\\/, "\\\\")
	gsub(/"/, "\\\"")
	gsub(/\?/, "\\?")
	print "\t\t\"" $0 "\\n\""
}
END {
	if (NR)
		print "\t},"
	print "\t{ NULL, NULL }\n};"
}
