# Programs that are not ours: tinylm, the distribution's NumPy, NumPy's wheel; and the faulty BLAS they are tried with.
if BUILD_SHIM
TESTS += tests/real/t0100-faulty-blas.py
endif
EXTRA_DIST += tests/real/lib.py tests/real/faulty_subject.py
EXTRA_DIST += tests/real/np_linalg.py tests/real/np_transformer.py
EXTRA_DIST += tests/real/t0100-faulty-blas.py
