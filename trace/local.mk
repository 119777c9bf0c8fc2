# libtrace: encoder and reader, linked into the shim (encoder only) and into ekka.
noinst_LTLIBRARIES += libtrace.la
libtrace_la_SOURCES = trace/model.h trace/error.h trace/encode.h trace/reader.h \
	trace/error.c trace/dtype.c
EXTRA_DIST += trace/FORMAT.md
