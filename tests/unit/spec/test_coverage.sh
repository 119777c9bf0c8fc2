#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every function that the installed cuBLAS and cuDNN export or declare, and every GEMM-like function of the installed BLAS, is in a row of
# spec/; the rows' parameter types and enumeration values are the header's.
set -u
: "${top_builddir:?}"
tables=$top_builddir/spec/gen/tables.c
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
export LC_ALL=C
failed=0
checked=

sed -n 's/^\t{ "\([A-Za-z0-9_]*\)", "[a-z_]*", EKKA_SPEC_.*/\1/p' "$tables" | sort -u >"$dir/rows"
[ -s "$dir/rows" ] || { echo "no rows in $tables"; exit 99; }

# covered WHAT: every name in $dir/found is a row.
covered() {
	sort -u "$dir/found" >"$dir/names"
	[ -s "$dir/names" ] || { echo "FAIL: no names found in $1"; failed=1; return; }
	if comm -23 "$dir/names" "$dir/rows" | grep . >"$dir/missing"; then
		echo "FAIL: in $1 but in no row of spec/:" && cat "$dir/missing"
		failed=1
	fi
	checked="$checked $1 ($(wc -l <"$dir/names"));"
}

cuda=
for d in "${CUDA_HOME:-}" /usr/local/cuda; do
	[ -n "$d" ] && [ -r "$d/include/cublas_api.h" ] && { cuda=$d; break; }
done
if [ -n "$cuda" ]; then
	# A declaration may break the line between the macro and the name. Static inline helpers have no macro.
	for h in cublas_api.h cublas.h cublasLt.h; do
		tr '\n' ' ' <"$cuda/include/$h" | grep -oE 'CUBLASWINAPI +cublas[A-Za-z0-9_]+ *\(' | grep -oE 'cublas[A-Za-z0-9_]+' >"$dir/found"
		covered $h
	done
	for lib in "$cuda"/lib64/libcublas.so "$cuda"/lib/libcublas.so; do
		[ -r "$lib" ] || continue
		nm -D --defined-only "$lib" | awk '{ sub(/@.*/, "", $3); print $3 }' | grep '^cublas' | grep -v '^cublasLt' >"$dir/found"
		covered libcublas.so
		break
	done
	sed -n 's/^\t{ "cu[A-Za-z_]*", \(-\{0,1\}[0-9]*\), "\([A-Z0-9_a-z]*\)" },$/\2 \1/p' "$tables" | sort -u |
		while read -r name value; do
			grep -qw "$name" "$cuda"/include/cublas_api.h "$cuda"/include/library_types.h && echo "_Static_assert($name == $value, \"$name\");"
		done >"$dir/enums"
	[ -s "$dir/enums" ] || { echo "FAIL: no enumeration values of cuBLAS"; failed=1; }
	{ echo '#include <cublas_api.h>'; cat "$dir/enums"; } >"$dir/enums.c"
	${CC:-cc} -isystem "$cuda/include" -fsyntax-only "$dir/enums.c" || { echo "FAIL: enumeration values are not the header's"; failed=1; }
	# The header declares the functions of half types for C++ only, so that the wrappers' own compilation does not compare those.
	if command -v "${CXX:-g++}" >/dev/null && [ -r "$top_builddir/spec/gen/wrap-cublas.c" ]; then
		{
			echo '#include <cublas_api.h>'
			echo 'extern "C" {'
			sed -n 's/^EKKA_PUBLIC //p' "$top_builddir/spec/gen/wrap-cublas.c"
			echo '}'
		} >"$dir/prototypes.cc"
		grep -q __half "$dir/prototypes.cc" || { echo "FAIL: no prototype with __half"; failed=1; }
		${CXX:-g++} -isystem "$cuda/include" -fsyntax-only "$dir/prototypes.cc" || { echo "FAIL: prototypes are not the header's"; failed=1; }
		checked="$checked prototypes in C++;"
	fi
	# The dispatcher's own symbol of its version is no function.
	for h in cudnn_graph.h cudnn_ops.h cudnn_cnn.h cudnn_adv.h; do
		[ -r "$cuda/include/$h" ] || continue
		tr '\n' ' ' <"$cuda/include/$h" | grep -oE 'CUDNNWINAPI +cudnn[A-Za-z0-9_]+ *\(' | grep -oE 'cudnn[A-Za-z0-9_]+' >"$dir/found"
		covered $h
	done
	for lib in "$cuda"/lib64/libcudnn.so.9 "$cuda"/lib/libcudnn.so.9; do
		[ -r "$lib" ] || continue
		nm -D --defined-only "$lib" | awk '{ sub(/@.*/, "", $3); print $3 }' | grep '^cudnn' >"$dir/found"
		covered libcudnn.so
		break
	done
else
	echo "no cublas_api.h (\$CUDA_HOME, /usr/local/cuda): cuBLAS is not checked"
fi

kind='(s|d|c|z|sb|ds|sds)(gemm|gemv|dot|syrk|herk)'
header=$(echo '#include <cblas.h>' | ${CC:-cc} -E - 2>/dev/null)
if [ -n "$header" ]; then
	# The preprocessor has dropped what this BLAS was built without.
	echo "$header" | grep -oE "\<cblas_${kind}[a-z0-9_]* *\(" | grep -oE 'cblas_[a-z0-9_]+' >"$dir/found"
	covered cblas.h
fi
lib=$(ldconfig -p 2>/dev/null | sed -n 's/.*libopenblas\.so\.0 .*=> //p' | head -1)
if [ -n "$lib" ]; then
	nm -D --defined-only "$lib" | awk '{ print $3 }' | grep -E "^${kind}[a-z0-9]*_$" >"$dir/found"
	covered libopenblas.so.0
fi

[ -n "$checked" ] || { echo "neither cuBLAS nor a CBLAS is installed"; exit 77; }
echo "checked:$checked"
exit $failed
