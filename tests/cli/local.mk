# tests/cli/local.mk
cli_tests = tests/cli/t0100-usage.sh tests/cli/t0110-completion.sh tests/cli/t0200-record.sh tests/cli/t0300-doctor.sh \
	tests/cli/t0400-log.sh tests/cli/t0405-kernels.sh tests/cli/t0410-show.sh tests/cli/t0420-fsck.sh tests/cli/t0430-replay.sh tests/cli/t0500-export.sh
dist_check_SCRIPTS += $(cli_tests)
EXTRA_DIST += tests/cli/lib.sh tests/cli/calls.c tests/cli/faulty.c
TESTS += $(cli_tests)

check_PROGRAMS += tests/cli/make_trace
tests_cli_make_trace_SOURCES = tests/cli/make_trace.c tests/unit/trace/trace_builder.c tests/unit/trace/trace_sample.c
tests_cli_make_trace_CPPFLAGS = $(AM_CPPFLAGS) $(OPENBLAS_CFLAGS)
tests_cli_make_trace_LDADD = libtrace.la $(OPENBLAS_LIBS)
check_PROGRAMS += tests/cli/make_launches
tests_cli_make_launches_SOURCES = tests/cli/make_launches.c tests/unit/trace/trace_builder.c
tests_cli_make_launches_LDADD = libtrace.la
