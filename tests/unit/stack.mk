# Call stacks (preload/stack*.c, preload/pystack*.c) and their symbols (tools/symbolize.c).
if HAVE_CRITERION
check_PROGRAMS += tests/unit/preload/test_stack
TESTS += tests/unit/preload/test_stack
tests_unit_preload_test_stack_SOURCES = tests/unit/preload/test_stack.c
tests_unit_preload_test_stack_CFLAGS = $(AM_CFLAGS) -O1 -g -fno-optimize-sibling-calls $(CRITERION_CFLAGS)
tests_unit_preload_test_stack_LDADD = libstack.la libsymbolize.la $(CRITERION_LIBS)
endif
