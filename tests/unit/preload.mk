# tests/unit/preload.mk

# Parts of the shim, linked one by one: libcapture.la as a whole would interpose dlsym and _exit in the test program.
if HAVE_CRITERION
shim_tests = tests/unit/preload/test_conf tests/unit/preload/test_queue tests/unit/preload/test_blobset \
	tests/unit/preload/test_describe tests/unit/preload/test_image tests/unit/preload/test_probe tests/unit/preload/test_versions \
	tests/unit/preload/test_starts tests/unit/preload/test_blob_store
check_PROGRAMS += $(shim_tests)
TESTS += $(shim_tests)
shim_test_cflags = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_preload_test_conf_SOURCES = tests/unit/preload/test_conf.c preload/conf.c
tests_unit_preload_test_conf_CFLAGS = $(shim_test_cflags)
tests_unit_preload_test_conf_LDADD = $(CRITERION_LIBS)
tests_unit_preload_test_queue_SOURCES = tests/unit/preload/test_queue.c preload/queue.c preload/lock.c
tests_unit_preload_test_queue_CFLAGS = $(shim_test_cflags)
tests_unit_preload_test_queue_LDADD = $(CRITERION_LIBS)
tests_unit_preload_test_blobset_SOURCES = tests/unit/preload/test_blobset.c preload/blobset.c preload/lock.c
tests_unit_preload_test_blobset_CFLAGS = $(shim_test_cflags)
tests_unit_preload_test_blobset_LDADD = $(CRITERION_LIBS)
tests_unit_preload_test_blob_store_SOURCES = tests/unit/preload/test_blob_store.c preload/blob_store.c preload/places.c preload/pool.c preload/lock.c
tests_unit_preload_test_blob_store_CFLAGS = $(shim_test_cflags)
tests_unit_preload_test_blob_store_LDADD = libtrace_encode.la -lzstd $(CRITERION_LIBS)
tests_unit_preload_test_describe_SOURCES = tests/unit/preload/test_describe.c preload/describe.c preload/probe.c preload/count.c
tests_unit_preload_test_describe_CFLAGS = $(shim_test_cflags)
tests_unit_preload_test_describe_LDADD = libtrace.la $(CRITERION_LIBS) -lm
tests_unit_preload_test_versions_SOURCES = tests/unit/preload/test_versions.c preload/versions.c preload/lock.c
tests_unit_preload_test_versions_CFLAGS = $(shim_test_cflags)
tests_unit_preload_test_versions_LDADD = $(CRITERION_LIBS)
tests_unit_preload_test_starts_SOURCES = tests/unit/preload/test_starts.c preload/starts.c preload/lock.c
tests_unit_preload_test_starts_CFLAGS = $(shim_test_cflags)
tests_unit_preload_test_starts_LDADD = $(CRITERION_LIBS)
tests_unit_preload_test_image_SOURCES = tests/unit/preload/test_image.c preload/image.c preload/probe.c
tests_unit_preload_test_image_CFLAGS = $(shim_test_cflags)
tests_unit_preload_test_image_LDADD = $(CRITERION_LIBS)
tests_unit_preload_test_probe_SOURCES = tests/unit/preload/test_probe.c preload/probe.c
tests_unit_preload_test_probe_CFLAGS = $(shim_test_cflags)
tests_unit_preload_test_probe_LDADD = $(CRITERION_LIBS)
endif
