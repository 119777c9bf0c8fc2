# files of preload/
EXTRA_DIST += preload/capture.h preload/stack.h
