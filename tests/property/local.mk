# Property tests: what replay says of random events whose results NumPy and SciPy computed. Skipped without NumPy, SciPy or msgpack.
property_tests = tests/property/elementwise.py tests/property/rows.py tests/property/products.py \
	tests/property/attention.py tests/property/inference.py tests/property/looks.py tests/property/random_numbers.py tests/property/stages.py tests/property/windows.py
TESTS += $(property_tests)
EXTRA_DIST += $(property_tests) tests/property/cases.py tests/property/formats.py tests/property/need.py tests/property/write_trace.py
