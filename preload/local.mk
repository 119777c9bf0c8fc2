# files of preload/
EXTRA_DIST += preload/capture.h preload/snapshot.h preload/conf.h preload/conf.def preload/conf.c
EXTRA_DIST += preload/cuda.h
EXTRA_DIST += preload/stack.h
