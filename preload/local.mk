# files of preload/
EXTRA_DIST += preload/cuda.h preload/capture.h preload/stack.h
