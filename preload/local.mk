# files of preload/
EXTRA_DIST += preload/capture.h preload/snapshot.h preload/conf.h preload/conf.def preload/conf.c
EXTRA_DIST += preload/cuda.h
include preload/cuda.mk

# Call stacks, a library of its own so that its tests link it alone; goes into the shim.
noinst_LTLIBRARIES += libstack.la
libstack_la_SOURCES = preload/stack.h preload/stack.c preload/stack_maps.c preload/pystack.h preload/pystack.c \
	preload/pystack_layout.c preload/pystack_lines.c preload/pystack_raw.c preload/pystack_api.c
