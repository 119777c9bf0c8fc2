#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes a relocatable tarball of the installed tree, with every shared library that `ekka` needs beyond
# glibc, for machines where nothing can be installed. Called by `make bundle`.
#
#   bundle.sh STAGED-INSTALL-DIR NAME
#
# STAGED-INSTALL-DIR holds bin/, lib/ and share/; the result is NAME.tar.xz in the current directory.
set -euo pipefail
stage=$1
name=$2

command -v patchelf >/dev/null || { echo "bundle: patchelf is not installed (./quickstart deps)" >&2; exit 1; }

rm -rf "$name"
mkdir -p "$name/bin" "$name/lib"
cp "$stage/bin/ekka" "$name/bin/"
cp "$stage/lib/libekkatrace.so" "$name/lib/"
[ -d "$stage/share" ] && cp -r "$stage/share" "$name/"

# The licence of the package that a file comes from; whoever passes the tarball on passes it on, too.
copy_licence() {
	local file package
	file=$(readlink -f "$1")
	# With /lib a link to /usr/lib either name may be the registered one.
	package=$({ dpkg -S "$file" || dpkg -S "${file#/usr}"; } 2>/dev/null | sed 's/:.*//; q' || true)
	if [ -n "$package" ] && [ -e "/usr/share/doc/$package/copyright" ]; then
		mkdir -p "$name/share/licenses"
		cp -L "/usr/share/doc/$package/copyright" "$name/share/licenses/$package"
	else
		echo "bundle: no licence found for $1: add it to $name/share/licenses by hand" >&2
	fi
}
cp "$(dirname "$0")/../LICENSE" "$name/"
# Linked into the shim.
for header in msgpack.h zstd.h xxhash.h; do
	copy_licence "$(echo "#include <$header>" | "${CC:-cc}" -E -xc - | sed -n "s|^# [0-9]* \"\(.*/$header\)\".*|\1|p" | sed q)"
done

# glibc is the one thing the target machine must bring itself.
is_glibc() {
	case $1 in
	linux-vdso.so* | ld-linux*.so* | libc.so* | libm.so* | libdl.so* | libpthread.so* | librt.so*) return 0 ;;
	esac
	return 1
}

copy_needed() {
	local soname path
	ldd "$1" | awk '$2 == "=>" && $3 ~ /^\// { print $1, $3 }' | while read -r soname path; do
		is_glibc "$soname" || [ -e "$name/lib/$soname" ] || { cp -L "$path" "$name/lib/$soname"; copy_licence "$path"; }
	done
}
copy_needed "$name/bin/ekka"

# The shim looks for libunwind next to itself; nothing names it as needed. It and its liblzma get names of their own: the
# loader gives a program that asks for liblzma.so.5 whichever one is in the process already, and the engine must get its own.
copy_unwind() {
	local unwind lzma
	unwind=$(ldconfig -p | awk '$1 == "libunwind.so.8" && !n++ { print $NF }')
	[ -n "$unwind" ] || { echo "bundle: libunwind.so.8 is not installed, there will be no native stacks" >&2; return; }
	cp -L "$unwind" "$name/lib/libekka-unwind.so.8"
	copy_licence "$unwind"
	lzma=$(ldd "$unwind" | awk '$1 == "liblzma.so.5" { print $3 }')
	[ -z "$lzma" ] || cp -L "$lzma" "$name/lib/libekka-lzma.so.5"
}

rename_unwind() {
	[ -e "$name/lib/libekka-unwind.so.8" ] || return 0
	patchelf --set-soname libekka-unwind.so.8 "$name/lib/libekka-unwind.so.8"
	[ -e "$name/lib/libekka-lzma.so.5" ] || return 0
	patchelf --set-soname libekka-lzma.so.5 "$name/lib/libekka-lzma.so.5"
	patchelf --replace-needed liblzma.so.5 libekka-lzma.so.5 "$name/lib/libekka-unwind.so.8"
}
copy_unwind

chmod u+w "$name"/lib/* "$name"/bin/*
# Before patchelf: strip leaves what patchelf has moved unaligned, and the loader refuses it.
strip --strip-debug "$name"/lib/*.so* "$name/bin/ekka"
rename_unwind
patchelf --set-rpath '$ORIGIN/../lib' "$name/bin/ekka"
for lib in "$name"/lib/*.so*; do
	[ "$lib" = "$name/lib/libekkatrace.so" ] || patchelf --set-rpath '$ORIGIN' "$lib"
done

# Proof that it is whole: with an empty environment every library comes from the bundle or is glibc.
env -i ldd "$name/bin/ekka" | while read -r soname _ path _; do
	case $path in "$PWD/$name/"* | /*/"$name"/*) continue ;; esac
	is_glibc "$(basename "$soname")" || { echo "bundle: $soname resolves outside the bundle: $path" >&2; exit 1; }
done

tar -C . --sort=name --owner=0 --group=0 --numeric-owner -cJf "$name.tar.xz" "$name"
ls -l "$name.tar.xz"
