# Small traces of every format version, never deleted; what reads them; and the comparison of two independent readers.
# v1, v2: one record of every kind, written by dump_trace --make; v1-numpy: what the shim wrote of a few NumPy lines; v1-launch: of
# kernel launches on the fake machine.
golden_files = tests/golden/v1.ekka/events-100-0.ekka tests/golden/v1.ekka/blobs-100-0.ekka tests/golden/v1.ekka/index-100-0.ekka \
	tests/golden/v1.ekka/events-101-0.ekka tests/golden/v1.ekka/blobs-101-0.ekka tests/golden/v1.jsonl \
	tests/golden/v1-numpy.ekka/events-27172-0.ekka tests/golden/v1-numpy.ekka/blobs-27172-0.ekka \
	tests/golden/v1-numpy.ekka/index-27172-0.ekka tests/golden/v1-numpy.jsonl \
	tests/golden/v1-launch.ekka/blobs-22808-0.ekka tests/golden/v1-launch.ekka/events-22808-0.ekka tests/golden/v1-launch.ekka/index-22808-0.ekka \
	tests/golden/v1-launch.jsonl \
	tests/golden/v2.ekka/events-100-0.ekka tests/golden/v2.ekka/blobs-100-0.ekka tests/golden/v2.ekka/index-100-0.ekka \
	tests/golden/v2.ekka/events-101-0.ekka tests/golden/v2.ekka/blobs-101-0.ekka tests/golden/v2.jsonl
EXTRA_DIST += $(golden_files) tests/read_trace.py
check_PROGRAMS += tests/golden/dump_trace
tests_golden_dump_trace_SOURCES = tests/golden/dump_trace.c tests/unit/trace/trace_builder.c tests/unit/trace/trace_sample.c
tests_golden_dump_trace_LDADD = libtrace.la
TESTS += tests/golden/compare.py
EXTRA_DIST += tests/golden/compare.py
