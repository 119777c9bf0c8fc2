# Programs that are not ours: tinylm, the distribution's NumPy, NumPy's wheel; and the faulty BLAS they are tried with.
real_tests = tests/real/t0100-faulty-blas.py tests/real/t0200-tinylm.py tests/real/t0300-numpy.py \
	tests/real/t0400-numpy-wheel.py tests/real/t0500-demo.sh
if BUILD_SHIM
TESTS += $(real_tests)
if HAVE_CUDA
# tinylm over cuBLAS, on the stand-ins for CUDA (tests/fake).
check_PROGRAMS += tests/real/tinylm_fake
TESTS += tests/real/t0110-tinylm-cublas.py
tests_real_tinylm_fake_SOURCES = $(tinylm_sources) examples/tinylm/matmul_cublas.c
tests_real_tinylm_fake_CPPFLAGS = $(tinylm_cppflags) $(CUDA_CPPFLAGS)
tests_real_tinylm_fake_LDADD = tests/fake/libcublas.la tests/fake/libcudart.la tests/fake/libcuda.la -lm
endif
endif
EXTRA_DIST += tests/real/lib.py tests/real/faulty_subject.py tests/real/np_linalg.py tests/real/np_transformer.py
EXTRA_DIST += $(real_tests) tests/real/t0110-tinylm-cublas.py
