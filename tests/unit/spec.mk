# tests/unit/spec.mk
if HAVE_CRITERION
spec_tests = tests/unit/spec/test_aten tests/unit/spec/test_describe tests/unit/spec/test_describe_expr tests/unit/spec/test_describe_syntax \
	tests/unit/spec/test_describe_match tests/unit/spec/test_describe_tensor tests/unit/spec/test_describe_functor \
	tests/unit/spec/test_forward tests/unit/spec/test_meaning tests/unit/spec/test_details tests/unit/spec/test_spec
check_PROGRAMS += $(spec_tests)
TESTS += $(spec_tests)

spec_test_harness = tests/unit/spec/harness.c tests/unit/spec/harness.h
spec_test_problem = tests/unit/spec/problem.c tests/unit/spec/problem.h $(spec_test_harness)
spec_test_libs = libekkawrap.la libspec.la libtrace.la $(CRITERION_LIBS) -ldl -lm
# Wrappers are looked up by name in the program itself; -u pulls one object of each library out of the archive.
spec_test_ldflags = $(AM_LDFLAGS) -export-dynamic -Wl,-u,cblas_sgemm,-u,sgemm_
spec_test_cflags = $(AM_CFLAGS) $(CRITERION_CFLAGS)
if HAVE_CUDA
spec_test_ldflags += -Wl,-u,cublasSgemm_v2,-u,cublasLtMatmul,-u,cublasLtMatrixTransform,-u,cublasSetWorkspace_v2
endif
if HAVE_CUDNN
spec_test_ldflags += -Wl,-u,cudnnBackendExecute,-u,cudnnBackendSetAttribute
endif
tests_unit_spec_test_forward_SOURCES = tests/unit/spec/test_forward.c $(spec_test_harness)
tests_unit_spec_test_forward_CFLAGS = $(spec_test_cflags)
tests_unit_spec_test_forward_LDFLAGS = $(spec_test_ldflags)
tests_unit_spec_test_forward_LDADD = $(spec_test_libs)
tests_unit_spec_test_meaning_SOURCES = tests/unit/spec/test_meaning.c $(spec_test_problem)
tests_unit_spec_test_meaning_CFLAGS = $(spec_test_cflags)
tests_unit_spec_test_meaning_LDFLAGS = $(spec_test_ldflags)
tests_unit_spec_test_meaning_LDADD = $(spec_test_libs)
tests_unit_spec_test_details_SOURCES = tests/unit/spec/test_details.c $(spec_test_problem)
tests_unit_spec_test_details_CFLAGS = $(spec_test_cflags)
tests_unit_spec_test_details_LDFLAGS = $(spec_test_ldflags)
tests_unit_spec_test_details_LDADD = $(spec_test_libs)
describe_test_case = tests/unit/spec/describe_case.h tests/unit/spec/describe_case.c preload/lock.c
describe_test_libs = libdescribe.la libtrace_encode.la $(CRITERION_LIBS) -liberty
tests_unit_spec_test_aten_SOURCES = tests/unit/spec/test_aten.c tests/unit/spec/launch_table.h tests/unit/spec/launch_table.c preload/lock.c
tests_unit_spec_test_aten_CPPFLAGS = $(AM_CPPFLAGS) -DLAUNCHES='"$(abs_srcdir)/tests/unit/spec/aten.launches"'
tests_unit_spec_test_aten_CFLAGS = $(spec_test_cflags)
tests_unit_spec_test_aten_LDADD = $(describe_test_libs)
EXTRA_DIST += tests/unit/spec/aten.launches
tests_unit_spec_test_describe_SOURCES = tests/unit/spec/test_describe.c $(describe_test_case)
tests_unit_spec_test_describe_CFLAGS = $(spec_test_cflags)
tests_unit_spec_test_describe_LDADD = $(describe_test_libs)
tests_unit_spec_test_describe_expr_SOURCES = tests/unit/spec/test_describe_expr.c $(describe_test_case)
tests_unit_spec_test_describe_expr_CFLAGS = $(spec_test_cflags)
tests_unit_spec_test_describe_expr_LDADD = $(describe_test_libs) -lm
tests_unit_spec_test_describe_syntax_SOURCES = tests/unit/spec/test_describe_syntax.c $(describe_test_case)
tests_unit_spec_test_describe_syntax_CFLAGS = $(spec_test_cflags)
tests_unit_spec_test_describe_syntax_LDADD = $(describe_test_libs) -lm
tests_unit_spec_test_describe_match_SOURCES = tests/unit/spec/test_describe_match.c $(describe_test_case)
tests_unit_spec_test_describe_match_CFLAGS = $(spec_test_cflags)
tests_unit_spec_test_describe_match_LDADD = $(describe_test_libs) -lm
tests_unit_spec_test_describe_tensor_SOURCES = tests/unit/spec/test_describe_tensor.c $(describe_test_case)
tests_unit_spec_test_describe_tensor_CFLAGS = $(spec_test_cflags)
tests_unit_spec_test_describe_tensor_LDADD = $(describe_test_libs) -lm
tests_unit_spec_test_describe_functor_SOURCES = tests/unit/spec/test_describe_functor.c $(describe_test_case)
tests_unit_spec_test_describe_functor_CFLAGS = $(spec_test_cflags)
tests_unit_spec_test_describe_functor_LDADD = $(describe_test_libs) -lm
tests_unit_spec_test_spec_SOURCES = tests/unit/spec/test_spec.c
tests_unit_spec_test_spec_CFLAGS = $(spec_test_cflags)
tests_unit_spec_test_spec_LDADD = libspec.la $(CRITERION_LIBS)
endif
spec_scripts = tests/unit/spec/test_generator.sh tests/unit/spec/test_coverage.sh
dist_check_SCRIPTS += $(spec_scripts)
TESTS += $(spec_scripts)
