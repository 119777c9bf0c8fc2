# Call stacks (preload/stack*.c, preload/pystack*.c) and their symbols (tools/symbolize.c).
if HAVE_CRITERION
check_PROGRAMS += tests/unit/preload/test_stack tests/unit/preload/test_pystack
TESTS += tests/unit/preload/test_stack tests/unit/preload/test_pystack
tests_unit_preload_test_stack_SOURCES = tests/unit/preload/test_stack.c
tests_unit_preload_test_stack_CFLAGS = $(AM_CFLAGS) -O1 -g -fno-optimize-sibling-calls $(CRITERION_CFLAGS)
tests_unit_preload_test_stack_LDADD = libstack.la libsymbolize.la $(CRITERION_LIBS)
tests_unit_preload_test_pystack_SOURCES = tests/unit/preload/test_pystack.c
tests_unit_preload_test_pystack_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_preload_test_pystack_LDADD = libstack.la $(CRITERION_LIBS)
endif

# Python frames: a library that an unmodified interpreter loads with ctypes.
if BUILD_SHIM
check_LTLIBRARIES += libstackprobe.la
libstackprobe_la_SOURCES = tests/unit/preload/stackprobe.c
libstackprobe_la_LIBADD = libstack.la
libstackprobe_la_LDFLAGS = -module -avoid-version -rpath /nowhere
TESTS += tests/unit/preload/test_pyframes.py
endif
EXTRA_DIST += tests/unit/preload/test_pyframes.py
