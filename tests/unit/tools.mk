# tests/unit/tools.mk
if HAVE_CRITERION
tools_unit_tests = tests/unit/tools/test_text tests/unit/tools/test_options tests/unit/tools/test_slice tests/unit/tools/test_json \
	tests/unit/tools/test_margins
check_PROGRAMS += $(tools_unit_tests)
TESTS += $(tools_unit_tests)
tools_test_cppflags = $(AM_CPPFLAGS) -D_GNU_SOURCE $(JSON_CFLAGS)
tools_test_cflags = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_tools_test_text_SOURCES = tests/unit/tools/test_text.c tools/text.c
tests_unit_tools_test_text_CPPFLAGS = $(tools_test_cppflags)
tests_unit_tools_test_text_CFLAGS = $(tools_test_cflags)
tests_unit_tools_test_text_LDADD = $(CRITERION_LIBS)
tests_unit_tools_test_options_SOURCES = tests/unit/tools/test_options.c tools/options.c
tests_unit_tools_test_options_CPPFLAGS = $(tools_test_cppflags)
tests_unit_tools_test_options_CFLAGS = $(tools_test_cflags)
tests_unit_tools_test_options_LDADD = $(CRITERION_LIBS)
tests_unit_tools_test_slice_SOURCES = tests/unit/tools/test_slice.c tools/slice.c
tests_unit_tools_test_slice_CPPFLAGS = $(tools_test_cppflags)
tests_unit_tools_test_slice_CFLAGS = $(tools_test_cflags)
tests_unit_tools_test_slice_LDADD = $(CRITERION_LIBS)
tests_unit_tools_test_json_SOURCES = tests/unit/tools/test_json.c tools/json.c tools/message.c tools/term.c tools/text.c
tests_unit_tools_test_json_CPPFLAGS = $(tools_test_cppflags)
tests_unit_tools_test_json_CFLAGS = $(tools_test_cflags)
tests_unit_tools_test_json_LDADD = $(JSON_LIBS) $(CRITERION_LIBS) -lm
tests_unit_tools_test_margins_SOURCES = tests/unit/tools/test_margins.c
tests_unit_tools_test_margins_CPPFLAGS = $(tools_test_cppflags)
tests_unit_tools_test_margins_CFLAGS = $(tools_test_cflags)
tests_unit_tools_test_margins_LDADD = libtools.la libspec.la libdescribe.la libtrace.la $(CRITERION_LIBS) -liberty -lm
endif
