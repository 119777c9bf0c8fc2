# One small trace per format version, never deleted; what reads them; and the comparison of two independent readers.
golden_files = tests/golden/v1.ekka/events-100-0.ekka tests/golden/v1.ekka/blobs-100-0.ekka tests/golden/v1.ekka/index-100-0.ekka \
	tests/golden/v1.ekka/events-101-0.ekka tests/golden/v1.ekka/blobs-101-0.ekka tests/golden/v1.jsonl
EXTRA_DIST += $(golden_files) tests/read_trace.py
check_PROGRAMS += tests/golden/dump_trace
tests_golden_dump_trace_SOURCES = tests/golden/dump_trace.c tests/unit/trace/trace_builder.c tests/unit/trace/trace_sample.c
tests_golden_dump_trace_LDADD = libtrace.la
TESTS += tests/golden/compare.py
EXTRA_DIST += tests/golden/compare.py
