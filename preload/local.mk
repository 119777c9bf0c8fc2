# files of preload/: libekkatrace.so, and what it is made of as a library for the unit tests.
include preload/cuda.mk

EXTRA_DIST += preload/capture.h preload/conf.def
noinst_LTLIBRARIES += libcapture.la
libcapture_la_SOURCES = preload/capture.h preload/snapshot.h preload/cuda.h preload/conf.h preload/conf.c \
	preload/lock.h preload/lock.c preload/guard.h preload/say.h preload/say.c preload/count.h preload/count.c \
	preload/queue.h preload/queue.c preload/blobset.h preload/blobset.c preload/pool.h preload/pool.c \
	preload/fd.h preload/fd.c preload/segment.h preload/segment.c preload/batch.h preload/batch.c preload/frames.h preload/frames.c preload/writer.h preload/writer.c preload/blob_index.h preload/blob_index.c \
	preload/blob_store.h preload/blob_store.c preload/places.h preload/places.c \
	preload/entries.h preload/ahead.h preload/ahead.c preload/entries.c preload/sink.h preload/sink.c preload/probe.h preload/probe.c preload/describe.c preload/intern.h preload/intern.c \
	preload/snapshot_host.c preload/snapshot_device.c preload/versions.h preload/versions.c preload/select.h preload/select.c preload/event.c preload/launch.h preload/starts.h preload/starts.c preload/timing.h preload/timing.c preload/image.h preload/image.c preload/sink_image.h preload/sink_image.c \
	preload/window.h preload/window.c preload/nvtx.h preload/nvtx.c \
	preload/resolve.h preload/resolve.c \
	preload/init.h preload/init.c preload/process.h preload/process.c preload/dlsym.c preload/thunk.S
libcapture_la_CFLAGS = $(AM_CFLAGS) -ftls-model=initial-exec

if BUILD_SHIM
lib_LTLIBRARIES += libekkatrace.la
# nodelete: engines may dlclose us, but our thunks and threads stay. No DT_NEEDED but the C library.
libekkatrace_la_SOURCES =
libekkatrace_la_LIBADD = libcapture.la libstack.la libekkawrap.la $(CUDA_CAPTURE_LIBS) libdescribe.la libtrace_encode.la $(SHIM_LIBS)
libekkatrace_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -Wl,--version-script=$(EKKA_SPEC_MAP) \
	-Wl,-z,nodelete -Wl,--as-needed -Wl,-z,defs
libekkatrace_la_DEPENDENCIES = libcapture.la libstack.la libekkawrap.la $(CUDA_CAPTURE_LIBS) libdescribe.la libtrace_encode.la $(EKKA_SPEC_MAP)
endif

# Call stacks, a library of its own so that its tests link it alone; goes into the shim.
noinst_LTLIBRARIES += libstack.la
libstack_la_SOURCES = preload/stack.h preload/stack.c preload/stack_maps.c preload/pystack.h preload/pystack.c \
	preload/pystack_layout.c preload/pystack_lines.c preload/pystack_raw.c preload/pystack_key.c preload/pystack_api.c
