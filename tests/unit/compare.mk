if HAVE_CRITERION
compare_tests = tests/unit/compare/test_bound tests/unit/compare/test_elements tests/unit/compare/test_where
check_PROGRAMS += $(compare_tests)
TESTS += $(compare_tests)
compare_test_libs = libcompare.la libtrace.la $(CRITERION_LIBS) -lm
tests_unit_compare_test_bound_SOURCES = tests/unit/compare/test_bound.c
tests_unit_compare_test_bound_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_compare_test_bound_LDADD = $(compare_test_libs)
tests_unit_compare_test_elements_SOURCES = tests/unit/compare/test_elements.c
tests_unit_compare_test_elements_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_compare_test_elements_LDADD = $(compare_test_libs)
tests_unit_compare_test_where_SOURCES = tests/unit/compare/test_where.c
tests_unit_compare_test_where_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_compare_test_where_LDADD = $(compare_test_libs)
endif
