# libcupti_load: finds CUPTI at run time. Kernel launches, in the shim, where CUDA's headers are installed.
noinst_LTLIBRARIES += libcupti_load.la
libcupti_load_la_SOURCES = cupti/load.h cupti/load.c
EXTRA_DIST += cupti/hooks.def
if HAVE_CUDA
noinst_LTLIBRARIES += liblaunches.la
CUDA_CAPTURE_LIBS += liblaunches.la
liblaunches_la_SOURCES = cupti/kernel.h cupti/kernel.c cupti/params.h cupti/params.c cupti/launch.h cupti/launch.c \
	cupti/slot.h cupti/slot.c cupti/meaning.h cupti/meaning.c cupti/meaning_cache.h cupti/meaning_cache.c cupti/buffers.h cupti/buffers.c \
	cupti/cubin.h cupti/cubin.c cupti/uploads.h cupti/uploads.c cupti/module.h cupti/module.c cupti/module_hooks.c cupti/subscribe.c cupti/hooks.h cupti/hooks.c cupti/ranges.h cupti/ranges.c cupti/alloc.h cupti/alloc.c cupti/shared.h cupti/shared.c \
	cupti/pairs.h cupti/memory.h cupti/memory.c cupti/memory_alloc.c cupti/memory_copy.c cupti/memory_batch.c cupti/memory_order.c \
	cupti/graph.h cupti/graph.c cupti/graph_launch.c
liblaunches_la_CPPFLAGS = $(AM_CPPFLAGS) $(CUDA_CPPFLAGS)
liblaunches_la_CFLAGS = $(AM_CFLAGS) -ftls-model=initial-exec
liblaunches_la_LIBADD = libcupti_load.la
endif
