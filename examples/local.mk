# files of examples/

# tinylm: an engine that knows nothing of ekkatrace.
noinst_PROGRAMS += examples/tinylm/tinylm
tinylm_sources = examples/tinylm/main.c examples/tinylm/model.c examples/tinylm/model.h examples/tinylm/matmul.h
tinylm_cppflags = $(AM_CPPFLAGS) '-DTINYLM_WEIGHTS="$(abs_top_srcdir)/examples/tinylm/tinylm.bin"'
examples_tinylm_tinylm_SOURCES = $(tinylm_sources) examples/tinylm/matmul_cblas.c
examples_tinylm_tinylm_CPPFLAGS = $(tinylm_cppflags)
examples_tinylm_tinylm_CFLAGS = $(AM_CFLAGS) $(OPENBLAS_CFLAGS)
examples_tinylm_tinylm_LDADD = $(OPENBLAS_LIBS) -lm
EXTRA_DIST += examples/tinylm/README.md examples/tinylm/train.py examples/tinylm/tinylm.bin examples/tinylm/matmul_cublas.c

# The same over cuBLAS: `make examples/tinylm/tinylm-cublas`. Not part of `all`: a toolkit may come without its libraries.
if HAVE_CUDA
EXTRA_PROGRAMS += examples/tinylm/tinylm-cublas
examples_tinylm_tinylm_cublas_SOURCES = $(tinylm_sources) examples/tinylm/matmul_cublas.c
examples_tinylm_tinylm_cublas_CPPFLAGS = $(tinylm_cppflags) $(CUDA_CPPFLAGS)
examples_tinylm_tinylm_cublas_LDADD = -L$(CUDA_LIBDIR) -lcublas -lcudart -lm
endif

# faulty-blas: a BLAS that is wrong on purpose. Preloaded, so not in builds with sanitizers.
if BUILD_SHIM
noinst_LTLIBRARIES += examples/faulty-blas/libfaulty-blas.la
examples_faulty_blas_libfaulty_blas_la_SOURCES = \
	examples/faulty-blas/faulty.h examples/faulty-blas/fault.h examples/faulty-blas/element.h \
	examples/faulty-blas/wrap.c examples/faulty-blas/config.c examples/faulty-blas/real.c \
	examples/faulty-blas/fault.c examples/faulty-blas/fault_sum.c examples/faulty-blas/fault_output.c \
	examples/faulty-blas/fault_operand.c
# -rpath makes libtool build a shared object of a library that is not installed.
examples_faulty_blas_libfaulty_blas_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -rpath $(abs_builddir)/examples
examples_faulty_blas_libfaulty_blas_la_LIBADD = -lm
endif
EXTRA_DIST += examples/faulty-blas/README.md examples/demo.sh
