# cuBLAS subjects: run on the fake machine by `make check`, on a real GPU by `make check-gpu`.
EXTRA_DIST += tests/gpu/faulty_launch.map tests/gpu/README.md tests/gpu/cases.h tests/gpu/half.h tests/gpu/number.h tests/gpu/build.sh tests/gpu/run.sh tests/gpu/suite.py tests/gpu/llama.py tests/gpu/lt.py tests/gpu/cudnn_torch.py tests/gpu/cudnn_steps.py tests/gpu/hard.py tests/gpu/aten.py tests/gpu/other_engines.py tests/gpu/profiled.py
EXTRA_DIST += tests/fake/test-suite.sh tests/fake/test-hard.sh
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

check_PROGRAMS += tests/gpu/lt-cases
tests_gpu_lt_cases_SOURCES = tests/gpu/lt_buffers.h tests/gpu/lt_problem.h tests/gpu/lt_cases.c tests/gpu/lt_check.c tests/gpu/lt_transform.c
tests_gpu_lt_cases_CPPFLAGS = $(fake_cppflags)
tests_gpu_lt_cases_LDADD = tests/fake/libcublasLt.la tests/fake/libcudart.la -lm

# A cuBLAS that is wrong once, preloaded behind the shim.
check_LTLIBRARIES += tests/gpu/libfaulty-cublas.la
tests_gpu_libfaulty_cublas_la_SOURCES = tests/gpu/faulty_cublas.c tests/gpu/faulty_cublaslt.c
tests_gpu_libfaulty_cublas_la_CPPFLAGS = $(fake_cppflags)
tests_gpu_libfaulty_cublas_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -rpath $(abs_builddir)/tests/gpu
tests_gpu_libfaulty_cublas_la_LIBADD = -ldl -lpthread

# A driver that is wrong once.
check_LTLIBRARIES += tests/gpu/libfaulty-launch.la
tests_gpu_libfaulty_launch_la_SOURCES = tests/gpu/faulty_launch.c
tests_gpu_libfaulty_launch_la_CPPFLAGS = $(fake_cppflags)
tests_gpu_libfaulty_launch_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -rpath $(abs_builddir)/tests/gpu \
	-Wl,--version-script=$(srcdir)/tests/gpu/faulty_launch.map
tests_gpu_libfaulty_launch_la_LIBADD = -ldl

check_PROGRAMS += tests/gpu/hard
tests_gpu_hard_SOURCES = tests/gpu/cases.h tests/gpu/product.c tests/gpu/hard.c
tests_gpu_hard_CPPFLAGS = $(fake_cppflags)
tests_gpu_hard_LDADD = tests/fake/libcublas.la tests/fake/libcudart.la -lm -lpthread
check_PROGRAMS += tests/gpu/hard-dlsym
tests_gpu_hard_dlsym_SOURCES = tests/gpu/cases.h tests/gpu/product.c tests/gpu/hard.c
tests_gpu_hard_dlsym_CPPFLAGS = $(fake_cppflags) -DVIA_DLSYM
tests_gpu_hard_dlsym_LDADD = tests/fake/libcudart.la -lm -ldl -lpthread

TESTS += tests/fake/test-suite.sh tests/fake/test-hard.sh

endif
endif

# The same on the GPU of this machine, and PyTorch where it is installed. Traces and logs go to gpu-out/.
check-gpu: all
	PYTHON3='$(PYTHON3)' CUDA_HOME='$(CUDA_HOME_DIR)' CC='$(CC)' $(srcdir)/tests/gpu/run.sh $(abs_builddir) gpu-out $(GPU_SUITE_FLAGS)
# What a machine with a GPU and nothing else needs besides the bundle.
gpu-suite: all
	$(srcdir)/tests/gpu/build.sh gpu-suite $(CUDA_HOME_DIR)
.PHONY: check-gpu gpu-suite
clean-local: clean-gpu
clean-gpu:
	rm -rf gpu-suite gpu-out
.PHONY: clean-gpu
