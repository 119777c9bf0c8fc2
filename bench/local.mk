# Figures, as ratios against a baseline in the same run. Nothing here is a test: no figure is checked.
bench_programs = bench/bench-call bench/bench-gemm bench/bench-capture bench/bench-reader bench/bench-copy \
	bench/bench-screen bench/bench-backend bench/bench-layer bench/bench-cache
EXTRA_PROGRAMS += $(bench_programs)
EXTRA_LTLIBRARIES = libnullblas.la

libnullblas_la_SOURCES = bench/null-blas.c
libnullblas_la_CFLAGS = $(AM_CFLAGS) $(OPENBLAS_CFLAGS)
# -rpath makes libtool build a shared object of a library that is not installed.
libnullblas_la_LDFLAGS = -avoid-version -shared -rpath $(abs_builddir)/bench

bench_bench_call_SOURCES = bench/bench-call.c bench/bench.h
bench_bench_call_CFLAGS = $(AM_CFLAGS) $(OPENBLAS_CFLAGS)
bench_bench_call_LDADD = libnullblas.la
# Programs themselves, not libtool's scripts around them: the shim is preloaded into them.
bench_bench_call_LDFLAGS = -no-install

bench_bench_gemm_SOURCES = bench/bench-gemm.c bench/bench.h
bench_bench_gemm_CFLAGS = $(AM_CFLAGS) $(OPENBLAS_CFLAGS)
bench_bench_gemm_LDADD = $(OPENBLAS_LIBS)

bench_bench_capture_SOURCES = bench/bench-capture.c bench/bench.h
bench_bench_capture_CFLAGS = $(AM_CFLAGS) $(OPENBLAS_CFLAGS)
bench_bench_capture_LDADD = libnullblas.la
bench_bench_capture_LDFLAGS = -no-install

bench_bench_cache_SOURCES = bench/bench-cache.c bench/cache.h bench/bench.h
bench_bench_cache_CFLAGS = $(AM_CFLAGS) $(OPENBLAS_CFLAGS)
bench_bench_cache_LDADD = $(OPENBLAS_LIBS)

bench_bench_reader_SOURCES = bench/bench-reader.c bench/bench.h
bench_bench_reader_LDADD = libtrace.la

bench_bench_copy_SOURCES = bench/bench-copy.c bench/bench.h
bench_bench_copy_LDADD = -lpthread

bench_bench_screen_SOURCES = bench/bench-screen.c bench/bench.h
bench_bench_screen_CFLAGS = $(AM_CFLAGS) $(OPENBLAS_CFLAGS)
bench_bench_screen_LDADD = libreplay.la libcompare.la libtrace.la $(OPENBLAS_LIBS) -lpthread -lm

bench_bench_backend_SOURCES = bench/bench-backend.c bench/bench.h
bench_bench_backend_CFLAGS = $(AM_CFLAGS) $(OPENBLAS_CFLAGS)
bench_bench_backend_LDADD = libreplay.la libcompare.la libtrace.la $(OPENBLAS_LIBS) -lpthread -lm

bench_bench_layer_SOURCES = bench/bench-layer.c bench/bench.h tests/unit/trace/trace_builder.h tests/unit/trace/trace_builder.c
bench_bench_layer_CFLAGS = $(AM_CFLAGS) $(OPENBLAS_CFLAGS)
bench_bench_layer_LDADD = libtrace.la $(OPENBLAS_LIBS) -lm

# Launches need the fake machine; its libraries are those of the tests.
EXTRA_DIST += bench/launches.h bench/launch.py
if HAVE_CUDA
if BUILD_SHIM
EXTRA_PROGRAMS += bench/bench-launch bench/bench-cache-device
EXTRA_LTLIBRARIES += libbenchlaunches.la
bench_launch = bench/bench-launch bench/bench-cache-device tests/fake/libcuda.la tests/fake/libcupti.la
libbenchlaunches_la_SOURCES = bench/launches.c bench/launches.h bench/bench.h
libbenchlaunches_la_CPPFLAGS = $(AM_CPPFLAGS) $(CUDA_CPPFLAGS)
libbenchlaunches_la_LDFLAGS = -avoid-version -shared -rpath $(abs_builddir)/bench
libbenchlaunches_la_LIBADD = -ldl
bench_bench_launch_SOURCES = bench/bench-launch.c bench/launches.h
bench_bench_launch_LDADD = libbenchlaunches.la
bench_bench_launch_LDFLAGS = -no-install
bench_bench_cache_device_SOURCES = bench/bench-cache-device.c bench/cache.h bench/bench.h
bench_bench_cache_device_CPPFLAGS = $(AM_CPPFLAGS) $(CUDA_CPPFLAGS)
bench_bench_cache_device_LDADD = tests/fake/libcublas.la tests/fake/libcudart.la tests/fake/libcuda.la -lm
bench_bench_cache_device_LDFLAGS = -no-install
CLEANFILES += bench/bench-launch bench/bench-cache-device
endif
endif

bench: all $(bench_programs) $(bench_launch)
	top_builddir='$(abs_top_builddir)' PYTHON3='$(PYTHON3)' $(SHELL) $(top_srcdir)/bench/run.sh
.PHONY: bench
EXTRA_DIST += bench/run.sh
CLEANFILES += $(bench_programs)
