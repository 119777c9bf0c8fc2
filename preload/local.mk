# files of preload/
EXTRA_DIST += preload/capture.h preload/snapshot.h
EXTRA_DIST += preload/cuda.h
EXTRA_DIST += preload/stack.h
