# A CUDA machine on the host, for capture tests without a GPU (fake.h), and the tests that need nothing but it.
EXTRA_DIST += tests/fake/fake.h tests/fake/fake_cublas.h tests/fake/launches.h tests/fake/test-launches.sh tests/fake/check_launches.py tests/fake/launches.kd
if HAVE_CUDA
if BUILD_SHIM
fake_ldflags = $(AM_LDFLAGS) -shared -rpath $(abs_builddir)/tests/fake
fake_cppflags = $(AM_CPPFLAGS) $(CUDA_CPPFLAGS)
check_LTLIBRARIES += tests/fake/libcuda.la tests/fake/libcudart.la tests/fake/libcublas.la \
	tests/fake/libcublasLt.la
tests_fake_libcuda_la_SOURCES = tests/fake/fake_driver.c tests/fake/fake_copy.c tests/fake/fake_graph.c tests/fake/fake_idle.c tests/fake/fake_launch.c tests/fake/fake_memory.c tests/fake/fake_stream.c
tests_fake_libcuda_la_CPPFLAGS = $(fake_cppflags)
tests_fake_libcuda_la_LDFLAGS = $(fake_ldflags) -version-info 1:0:0
tests_fake_libcudart_la_SOURCES = tests/fake/fake_cudart.c tests/fake/fake_cudart_asked.def
tests_fake_libcudart_la_CPPFLAGS = $(fake_cppflags)
tests_fake_libcudart_la_LDFLAGS = $(fake_ldflags) -version-info 13:0:0
tests_fake_libcudart_la_LIBADD = tests/fake/libcuda.la
tests_fake_libcublas_la_SOURCES = tests/fake/fake_cublas.c tests/fake/fake_gemm.c
tests_fake_libcublas_la_CPPFLAGS = $(fake_cppflags)
tests_fake_libcublas_la_LDFLAGS = $(fake_ldflags) -version-info 13:0:0
tests_fake_libcublas_la_LIBADD = tests/fake/libcuda.la -lm
tests_fake_libcublasLt_la_SOURCES = tests/fake/fake_cublaslt.c
tests_fake_libcublasLt_la_CPPFLAGS = $(fake_cppflags)
tests_fake_libcublasLt_la_LDFLAGS = $(fake_ldflags) -version-info 13:0:0
tests_fake_libcublasLt_la_LIBADD = tests/fake/libcuda.la -lm

# Kernel launches: CUPTI, and a program that launches.
check_LTLIBRARIES += tests/fake/libcupti.la tests/fake/libcblas-launches.la
tests_fake_libcupti_la_SOURCES = tests/fake/fake_cupti.c
tests_fake_libcupti_la_CPPFLAGS = $(fake_cppflags)
tests_fake_libcupti_la_LDFLAGS = $(fake_ldflags) -version-info 13:0:0
tests_fake_libcupti_la_LIBADD = tests/fake/libcuda.la
tests_fake_libcblas_launches_la_SOURCES = tests/fake/launches_blas.c
tests_fake_libcblas_launches_la_LDFLAGS = $(fake_ldflags) -module -avoid-version
check_PROGRAMS += tests/fake/launches tests/fake/launches-linked
launches_sources = tests/fake/launches.c tests/fake/launches_bytes.c tests/fake/launches_random.c tests/fake/launches_image.c
tests_fake_launches_SOURCES = $(launches_sources)
tests_fake_launches_CPPFLAGS = $(fake_cppflags)
tests_fake_launches_LDADD = tests/fake/libcuda.la -ldl -lpthread
tests_fake_launches_linked_SOURCES = $(launches_sources)
tests_fake_launches_linked_CPPFLAGS = $(fake_cppflags) -DLINKED
tests_fake_launches_linked_LDADD = tests/fake/libcuda.la -ldl -lpthread
TESTS += tests/fake/test-launches.sh

# vLLM's kernels, as C++ for the host. -rdynamic: kernels go by their own symbols, which no two may share.
EXTRA_DIST += tests/fake/test-vllm.sh tests/fake/check_vllm.py tests/gpu/vllm_cases.cu tests/gpu/vllm_kernels.cu tests/gpu/vllm_kernels_cache.cu \
	tests/gpu/vllm_kernels_quantize.cu tests/gpu/vllm_kernels_moe.cu tests/gpu/vllm_kernels_old.cu tests/gpu/vllm_types.h tests/gpu/vllm_launch.h tests/gpu/vllm_defects.def
if HAVE_CXX17
check_PROGRAMS += tests/fake/vllm
tests_fake_vllm_SOURCES = tests/fake/vllm.cc
tests_fake_vllm_CPPFLAGS = $(fake_cppflags)
tests_fake_vllm_CXXFLAGS = -std=c++17 -O1 -Wall -Wextra -fno-ipa-icf $(AM_CXXFLAGS)
tests_fake_vllm_LDFLAGS = $(AM_LDFLAGS) -rdynamic
tests_fake_vllm_LDADD = tests/fake/libcudart.la tests/fake/libcuda.la -ldl -lpthread
TESTS += tests/fake/test-vllm.sh
endif

# Kernels of PyTorch and CUB by their recorded names.
EXTRA_DIST += tests/fake/test-aten.sh
check_PROGRAMS += tests/fake/aten
tests_fake_aten_SOURCES = tests/fake/aten.c tests/fake/aten_kernels.h tests/fake/aten_kernels.c tests/fake/aten_kernels.def
tests_fake_aten_CPPFLAGS = $(fake_cppflags)
tests_fake_aten_LDADD = tests/fake/libcuda.la -ldl -lpthread -lm
TESTS += tests/fake/test-aten.sh

# Memory operations.
EXTRA_DIST += tests/fake/test-memory.sh tests/fake/check_memory.py
check_PROGRAMS += tests/fake/memory tests/fake/memory-linked
tests_fake_memory_SOURCES = tests/fake/memory.c
tests_fake_memory_CPPFLAGS = $(fake_cppflags)
tests_fake_memory_LDADD = tests/fake/libcuda.la -ldl -lpthread
tests_fake_memory_linked_SOURCES = tests/fake/memory.c
tests_fake_memory_linked_CPPFLAGS = $(fake_cppflags) -DLINKED
tests_fake_memory_linked_LDADD = tests/fake/libcuda.la -ldl -lpthread
TESTS += tests/fake/test-memory.sh

# Graphs.
EXTRA_DIST += tests/fake/test-graphs.sh tests/fake/check_graphs.py
check_PROGRAMS += tests/fake/graphs tests/fake/graphs-linked
tests_fake_graphs_SOURCES = tests/fake/graphs.c tests/fake/launches_image.c
tests_fake_graphs_CPPFLAGS = $(fake_cppflags)
tests_fake_graphs_LDADD = tests/fake/libcuda.la -ldl
tests_fake_graphs_linked_SOURCES = tests/fake/graphs.c tests/fake/launches_image.c
tests_fake_graphs_linked_CPPFLAGS = $(fake_cppflags) -DLINKED
tests_fake_graphs_linked_LDADD = tests/fake/libcuda.la -ldl
TESTS += tests/fake/test-graphs.sh

# Windows.
EXTRA_DIST += tests/fake/test-window.sh
check_PROGRAMS += tests/fake/window
check_LTLIBRARIES += tests/fake/libnvtx-tool.la
tests_fake_window_SOURCES = tests/fake/window.c tests/fake/launches_image.c
tests_fake_window_CPPFLAGS = $(fake_cppflags)
tests_fake_window_LDADD = tests/fake/libcuda.la -ldl -lpthread
tests_fake_libnvtx_tool_la_SOURCES = tests/fake/nvtx_tool.c
tests_fake_libnvtx_tool_la_CPPFLAGS = $(fake_cppflags)
tests_fake_libnvtx_tool_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -rpath $(abs_builddir)/tests/fake
TESTS += tests/fake/test-window.sh

if HAVE_CRITERION
cuda_tests = tests/unit/preload/test_cuda_ring tests/unit/preload/test_cuda_snapshot tests/unit/preload/test_cuda_timing tests/unit/preload/test_timing tests/unit/cupti/test_cubin tests/unit/cupti/test_params \
	tests/unit/cupti/test_alloc tests/unit/cupti/test_shared tests/unit/cupti/test_meaning_cache tests/unit/preload/test_ahead tests/unit/cupti/test_slot
check_PROGRAMS += $(cuda_tests)
TESTS += $(cuda_tests)
tests_unit_cupti_test_params_SOURCES = tests/unit/cupti/test_params.c cupti/params.c
tests_unit_cupti_test_params_CPPFLAGS = $(fake_cppflags)
tests_unit_cupti_test_params_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_cupti_test_params_LDADD = $(CRITERION_LIBS)
tests_unit_cupti_test_slot_SOURCES = tests/unit/cupti/test_slot.c cupti/slot.c
tests_unit_cupti_test_slot_CPPFLAGS = $(fake_cppflags)
tests_unit_cupti_test_slot_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_cupti_test_slot_LDADD = $(CRITERION_LIBS) -lpthread
tests_unit_preload_test_ahead_SOURCES = tests/unit/preload/test_ahead.c preload/ahead.c preload/queue.c preload/pool.c preload/lock.c
tests_unit_preload_test_ahead_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_preload_test_ahead_LDADD = libtrace_encode.la $(CRITERION_LIBS) -lpthread
tests_unit_cupti_test_meaning_cache_SOURCES = tests/unit/cupti/test_meaning_cache.c cupti/meaning_cache.c
tests_unit_cupti_test_meaning_cache_CPPFLAGS = $(fake_cppflags)
tests_unit_cupti_test_meaning_cache_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_cupti_test_meaning_cache_LDADD = libtrace_encode.la $(CRITERION_LIBS)
tests_unit_cupti_test_shared_SOURCES = tests/unit/cupti/test_shared.c cupti/shared.c preload/versions.c preload/lock.c
tests_unit_cupti_test_shared_CPPFLAGS = $(fake_cppflags)
tests_unit_cupti_test_shared_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_cupti_test_shared_LDADD = $(CRITERION_LIBS)
tests_unit_cupti_test_alloc_SOURCES = tests/unit/cupti/test_alloc.c cupti/alloc.c cupti/ranges.c preload/lock.c
tests_unit_cupti_test_alloc_CPPFLAGS = $(fake_cppflags)
tests_unit_cupti_test_alloc_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_cupti_test_alloc_LDADD = $(CRITERION_LIBS)
tests_unit_cupti_test_cubin_SOURCES = tests/unit/cupti/test_cubin.c cupti/cubin.c preload/image.c preload/probe.c
tests_unit_cupti_test_cubin_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_cupti_test_cubin_LDADD = $(CRITERION_LIBS)
tests_unit_preload_test_cuda_ring_SOURCES = tests/unit/preload/test_cuda_ring.c
tests_unit_preload_test_cuda_ring_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_preload_test_cuda_ring_LDADD = libcudacapture.la $(CRITERION_LIBS)
tests_unit_preload_test_cuda_snapshot_SOURCES = tests/unit/preload/test_cuda_snapshot.c tests/unit/preload/cuda_stubs.c \
	preload/versions.c preload/lock.c
tests_unit_preload_test_cuda_snapshot_CPPFLAGS = $(fake_cppflags)
tests_unit_preload_test_cuda_snapshot_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_preload_test_cuda_snapshot_LDADD = libcudacapture.la tests/fake/libcudart.la tests/fake/libcuda.la $(CRITERION_LIBS)
tests_unit_preload_test_cuda_timing_SOURCES = tests/unit/preload/test_cuda_timing.c tests/unit/preload/device_work.h tests/unit/preload/cuda_stubs.c \
	preload/versions.c preload/lock.c
tests_unit_preload_test_cuda_timing_CPPFLAGS = $(fake_cppflags)
tests_unit_preload_test_cuda_timing_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_preload_test_cuda_timing_LDADD = libcudacapture.la tests/fake/libcudart.la tests/fake/libcuda.la $(CRITERION_LIBS)
tests_unit_preload_test_timing_SOURCES = tests/unit/preload/test_timing.c tests/unit/preload/device_work.h tests/unit/preload/cuda_stubs.c preload/timing.c \
	preload/versions.c preload/lock.c
tests_unit_preload_test_timing_CPPFLAGS = $(fake_cppflags)
tests_unit_preload_test_timing_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_preload_test_timing_LDADD = libcudacapture.la tests/fake/libcudart.la tests/fake/libcuda.la $(CRITERION_LIBS)
endif
endif
endif
