# libtrace_encode: what the shim links (it brings its own static msgpack-c and zstd); libtrace: all of it, linked into ekka.
noinst_LTLIBRARIES += libtrace_encode.la libtrace.la
libtrace_encode_la_SOURCES = trace/model.h trace/error.h trace/encode.h trace/chunk.h trace/hash.h trace/hash_wide.h trace/pack.h \
	trace/error.c trace/dtype.c trace/hash.c trace/hash_wide.c trace/pack.c trace/encode.c trace/encode_blob.c trace/chunk.c
libtrace_la_SOURCES = trace/reader.h trace/fsck.h trace/reader_internal.h trace/mp.h trace/frame.h trace/file.h trace/decode.h trace/unpack.h \
	trace/tensor.h trace/blob_table.h trace/event_map.h \
	trace/mp.c trace/frame.c trace/file.c trace/decode.c trace/decode_call.c trace/unpack.c trace/tensor.c \
	trace/blob_table.c trace/event_map.c trace/segment.c trace/blobs_scan.c \
	trace/reader.c trace/event_op.c trace/reader_event.c trace/reader_blob.c trace/fsck.c
libtrace_la_LIBADD = libtrace_encode.la -lmsgpackc -lzstd
EXTRA_DIST += trace/FORMAT.md
