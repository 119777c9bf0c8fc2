# cuBLAS subjects: run on the fake machine by `make check`, on a real GPU by `make check-gpu`.
EXTRA_DIST += tests/gpu/cases.h
if HAVE_CUDA
if BUILD_SHIM
gpu_cases = tests/gpu/cases.h tests/gpu/cases.c tests/gpu/product.c tests/gpu/cases_main.c
check_PROGRAMS += tests/gpu/cases-linked tests/gpu/cases-dlsym tests/gpu/cases-local
check_LTLIBRARIES += tests/gpu/cases-plugin.la
tests_gpu_cases_linked_SOURCES = $(gpu_cases)
tests_gpu_cases_linked_CPPFLAGS = $(fake_cppflags)
tests_gpu_cases_linked_LDADD = tests/fake/libcublas.la tests/fake/libcudart.la -lm
tests_gpu_cases_dlsym_SOURCES = $(gpu_cases)
tests_gpu_cases_dlsym_CPPFLAGS = $(fake_cppflags) -DVIA_DLSYM
tests_gpu_cases_dlsym_LDADD = tests/fake/libcudart.la -lm
tests_gpu_cases_plugin_la_SOURCES = $(gpu_cases)
tests_gpu_cases_plugin_la_CPPFLAGS = $(fake_cppflags) -DAS_PLUGIN
tests_gpu_cases_plugin_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -rpath $(abs_builddir)/tests/gpu
tests_gpu_cases_plugin_la_LIBADD = tests/fake/libcublas.la tests/fake/libcudart.la -lm
tests_gpu_cases_local_SOURCES = tests/gpu/cases_local.c
tests_gpu_cases_local_LDADD = -ldl
endif
endif
