# libtrace_encode: what the shim links (it brings its own static msgpack-c and zstd); libtrace: all of it, linked into ekka.
noinst_LTLIBRARIES += libtrace_encode.la libtrace.la
libtrace_encode_la_SOURCES = trace/model.h trace/error.h trace/encode.h trace/chunk.h trace/hash.h trace/pack.h \
	trace/error.c trace/dtype.c trace/hash.c trace/pack.c trace/encode.c trace/encode_blob.c trace/chunk.c
libtrace_la_SOURCES = trace/reader.h
libtrace_la_LIBADD = libtrace_encode.la -lmsgpackc -lzstd
EXTRA_DIST += trace/FORMAT.md
