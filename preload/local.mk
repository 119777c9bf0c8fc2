# files of preload/
EXTRA_DIST += preload/capture.h
