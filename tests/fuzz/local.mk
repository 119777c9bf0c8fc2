# The reader's sources once more, with checks and hashes taken for right.
fuzz_sources = tests/fuzz/fuzz_reader.c $(libtrace_la_SOURCES) $(libtrace_encode_la_SOURCES)
fuzz_cppflags = $(AM_CPPFLAGS) -DEKKA_FUZZING
check_PROGRAMS += tests/fuzz/run_corpus
tests_fuzz_run_corpus_SOURCES = tests/fuzz/run_corpus.c $(fuzz_sources)
tests_fuzz_run_corpus_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_run_corpus_LDADD = -lmsgpackc -lzstd
TESTS += tests/fuzz/corpus.sh
EXTRA_DIST += tests/fuzz/corpus.sh tests/fuzz/make_seeds.py tests/fuzz/corpus
# Kernel descriptions likewise.
fuzz_describe_sources = tests/fuzz/fuzz_describe.c $(libdescribe_la_SOURCES) preload/lock.c trace/error.c trace/dtype.c
check_PROGRAMS += tests/fuzz/run_corpus_describe
tests_fuzz_run_corpus_describe_SOURCES = tests/fuzz/run_corpus.c $(fuzz_describe_sources)
nodist_tests_fuzz_run_corpus_describe_SOURCES = spec/gen/kernels.c
tests_fuzz_run_corpus_describe_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_run_corpus_describe_LDADD = -liberty
EXTRA_DIST += tests/fuzz/make_describe_seeds.py tests/fuzz/corpus_describe
if ENABLE_FUZZER
noinst_PROGRAMS += tests/fuzz/fuzz_describe
tests_fuzz_fuzz_describe_SOURCES = $(fuzz_describe_sources)
nodist_tests_fuzz_fuzz_describe_SOURCES = spec/gen/kernels.c
tests_fuzz_fuzz_describe_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_describe_CFLAGS = $(AM_CFLAGS) -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined
tests_fuzz_fuzz_describe_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer,address,undefined
tests_fuzz_fuzz_describe_LDADD = -liberty
noinst_PROGRAMS += tests/fuzz/fuzz_reader
tests_fuzz_fuzz_reader_SOURCES = $(fuzz_sources)
tests_fuzz_fuzz_reader_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_reader_CFLAGS = $(AM_CFLAGS) -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined
tests_fuzz_fuzz_reader_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer,address,undefined
tests_fuzz_fuzz_reader_LDADD = -lmsgpackc -lzstd
endif
