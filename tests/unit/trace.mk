include tests/fuzz/local.mk
include tests/golden/local.mk
EXTRA_DIST += tests/unit/trace/trace_builder.h
if HAVE_CRITERION
trace_tests = tests/unit/trace/test_encode tests/unit/trace/test_chunk tests/unit/trace/test_reader \
	tests/unit/trace/test_damage tests/unit/trace/test_hostile tests/unit/trace/test_blobs \
	tests/unit/trace/test_links tests/unit/trace/test_fsck tests/unit/trace/test_error
check_PROGRAMS += $(trace_tests)
TESTS += $(trace_tests)
trace_test_libs = libtrace.la $(CRITERION_LIBS)
trace_test_cflags = $(AM_CFLAGS) $(CRITERION_CFLAGS)
trace_builder = tests/unit/trace/trace_builder.c tests/unit/trace/trace_sample.c
tests_unit_trace_test_encode_SOURCES = tests/unit/trace/test_encode.c
tests_unit_trace_test_encode_CFLAGS = $(trace_test_cflags)
tests_unit_trace_test_encode_LDADD = $(trace_test_libs)
tests_unit_trace_test_chunk_SOURCES = tests/unit/trace/test_chunk.c
tests_unit_trace_test_chunk_CFLAGS = $(trace_test_cflags)
tests_unit_trace_test_chunk_LDADD = $(trace_test_libs)
tests_unit_trace_test_reader_SOURCES = tests/unit/trace/test_reader.c $(trace_builder)
tests_unit_trace_test_reader_CFLAGS = $(trace_test_cflags)
tests_unit_trace_test_reader_LDADD = $(trace_test_libs)
tests_unit_trace_test_damage_SOURCES = tests/unit/trace/test_damage.c $(trace_builder)
tests_unit_trace_test_damage_CFLAGS = $(trace_test_cflags)
tests_unit_trace_test_damage_LDADD = $(trace_test_libs)
tests_unit_trace_test_hostile_SOURCES = tests/unit/trace/test_hostile.c $(trace_builder)
tests_unit_trace_test_hostile_CFLAGS = $(trace_test_cflags)
tests_unit_trace_test_hostile_LDADD = $(trace_test_libs)
tests_unit_trace_test_blobs_SOURCES = tests/unit/trace/test_blobs.c $(trace_builder)
tests_unit_trace_test_blobs_CFLAGS = $(trace_test_cflags)
tests_unit_trace_test_blobs_LDADD = $(trace_test_libs)
tests_unit_trace_test_links_SOURCES = tests/unit/trace/test_links.c $(trace_builder)
tests_unit_trace_test_links_CFLAGS = $(trace_test_cflags)
tests_unit_trace_test_links_LDADD = $(trace_test_libs)
tests_unit_trace_test_fsck_SOURCES = tests/unit/trace/test_fsck.c $(trace_builder)
tests_unit_trace_test_fsck_CFLAGS = $(trace_test_cflags)
tests_unit_trace_test_fsck_LDADD = $(trace_test_libs)
tests_unit_trace_test_error_SOURCES = tests/unit/trace/test_error.c
tests_unit_trace_test_error_CFLAGS = $(trace_test_cflags)
tests_unit_trace_test_error_LDADD = $(trace_test_libs)
endif
