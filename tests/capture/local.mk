# Capture: subject programs under the shim, their traces decoded and checked.
if BUILD_SHIM
subject_libs = tests/subjects/libtoy1.la tests/subjects/libtoy2.la tests/subjects/libplugin1.la tests/subjects/libplugin2.la \
	tests/subjects/libdispatch.la tests/subjects/libnext.la tests/subjects/libfinder.la
check_LTLIBRARIES += $(subject_libs)
subject_ldflags = -module -avoid-version -shared -rpath $(abs_builddir)/tests/subjects
tests_subjects_libtoy1_la_SOURCES = tests/subjects/toyblas.h tests/subjects/toyblas.c
tests_subjects_libtoy1_la_CPPFLAGS = $(AM_CPPFLAGS) -DTOY_MARK=0
tests_subjects_libtoy1_la_LDFLAGS = $(subject_ldflags)
tests_subjects_libtoy2_la_SOURCES = tests/subjects/toyblas.h tests/subjects/toyblas.c
tests_subjects_libtoy2_la_CPPFLAGS = $(AM_CPPFLAGS) -DTOY_MARK=1000
tests_subjects_libtoy2_la_LDFLAGS = $(subject_ldflags)
# By file name, not by libtool's knowledge: plugins bring their BLAS in as DT_NEEDED with a run path.
tests_subjects_libplugin1_la_SOURCES = tests/subjects/plugin.c
tests_subjects_libplugin1_la_LDFLAGS = $(subject_ldflags) -Wl,-rpath,$(abs_builddir)/tests/subjects/.libs
tests_subjects_libplugin1_la_LIBADD = tests/subjects/libtoy1.la
tests_subjects_libplugin2_la_SOURCES = tests/subjects/plugin.c
tests_subjects_libplugin2_la_LDFLAGS = $(subject_ldflags) -Wl,-rpath,$(abs_builddir)/tests/subjects/.libs
tests_subjects_libplugin2_la_LIBADD = tests/subjects/libtoy2.la
tests_subjects_libdispatch_la_SOURCES = tests/subjects/dispatch.c
tests_subjects_libdispatch_la_LDFLAGS = $(subject_ldflags)
tests_subjects_libfinder_la_SOURCES = tests/subjects/finder.c
tests_subjects_libfinder_la_LDFLAGS = $(subject_ldflags)
tests_subjects_libnext_la_SOURCES = tests/subjects/next.c
tests_subjects_libnext_la_LDFLAGS = $(subject_ldflags)

check_PROGRAMS += tests/subjects/subject tests/subjects/subject-linked tests/capture/dump
subject_sources = tests/subjects/subject.h tests/subjects/main.c tests/subjects/s-basic.c tests/subjects/s-process.c \
	tests/subjects/s-hostile.c tests/subjects/s-lookup.c
tests_subjects_subject_SOURCES = $(subject_sources)
tests_subjects_subject_LDADD = -lm
tests_subjects_subject_linked_SOURCES = $(subject_sources)
tests_subjects_subject_linked_CPPFLAGS = $(AM_CPPFLAGS) -DLINKED
tests_subjects_subject_linked_LDFLAGS = $(AM_LDFLAGS) -no-install -Wl,-rpath,$(abs_builddir)/tests/subjects/.libs
tests_subjects_subject_linked_LDADD = -Ltests/subjects/.libs -ltoy1 -lm
tests_subjects_subject_linked_DEPENDENCIES = tests/subjects/libtoy1.la
tests_capture_dump_SOURCES = tests/capture/dump.c
tests_capture_dump_LDADD = libtrace.la

capture_tests = tests/capture/t0100-calls.sh tests/capture/t0200-process.sh tests/capture/t0300-lookup.sh \
	tests/capture/t0400-hostile.sh tests/capture/t0500-settings.sh tests/capture/t0600-cache.sh
dist_check_SCRIPTS += $(capture_tests)
EXTRA_DIST += tests/capture/lib.sh
TESTS += $(capture_tests)
endif
