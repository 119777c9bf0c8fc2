if HAVE_CRITERION
trace_tests = tests/unit/trace/test_encode tests/unit/trace/test_chunk
check_PROGRAMS += $(trace_tests)
TESTS += $(trace_tests)
trace_test_libs = libtrace.la $(CRITERION_LIBS)
tests_unit_trace_test_encode_SOURCES = tests/unit/trace/test_encode.c
tests_unit_trace_test_encode_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_trace_test_encode_LDADD = $(trace_test_libs)
tests_unit_trace_test_chunk_SOURCES = tests/unit/trace/test_chunk.c
tests_unit_trace_test_chunk_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_trace_test_chunk_LDADD = $(trace_test_libs)
endif
