/* SPDX-License-Identifier: Apache-2.0 */
/* The sample trace. Changing what it writes changes what the golden trace is compared with: add to a new one instead. */
#include "tests/unit/trace/trace_builder.h"

#include <math.h>
#include <string.h>

static const uint8_t build_id[] = { 0xde, 0xad, 0xbe, 0xef };

void trace_builder_sample_bytes(uint8_t *p)
{
	uint32_t x = 1;

	for (size_t i = 0; i < SAMPLE_BLOB_BYTES; i++) {
		x = x * 1664525u + 1013904223u;
		p[i] = i < SAMPLE_BLOB_BYTES / 2 ? (uint8_t)(i / 100) : (uint8_t)(x >> 24);
	}
}

static void put_preamble(struct trace_builder *b)
{
	static const struct ekka_arg_info args[] = { { "order", "int" }, { "alpha", "float" }, { "A", "const float *" },
						     { "z", "const void *" }, { "text", "const char *" }, { "u", "uint64_t" },
						     { "nothing", "void *" }, { "raw", "bytes" }, { "empty", "bytes" } };
	static const struct ekka_map maps[] = {
		{ .start = 0x1000, .end = UINT64_MAX, .file_offset = 0, .path = "/usr/lib/libblas.so.3", .build_id = build_id, .build_id_len = 4 },
		{ .start = 0x7f0000000000, .end = 0x7f0000001000, .file_offset = 0x2000, .path = "[vdso]" },
	};
	static const struct ekka_pyframe py[] = { { "/home/u/model.py", "forward", 42 }, { "/home/u/\xff\xfe.py", "<module>", -1 } };
	static const uint64_t pcs[] = { UINT64_MAX, 0x401000, 0 };

	ekka_encode_fn(&b->buf, &(struct ekka_rec_fn){ .id = 7, .name = "cblas_sgemm", .library = "cblas", .op = "gemm", .object = "/usr/lib/libblas.so.3",
						       .build_id = build_id, .build_id_len = 4, .args = args, .n_args = 9 });
	trace_builder_put(b);
	ekka_encode_fn(&b->buf, &(struct ekka_rec_fn){ .id = 0, .name = "cblas_xerbla", .library = "cblas", .op = "", .module = 2 });
	trace_builder_put(b);
	ekka_encode_module(&b->buf, &(struct ekka_rec_module){ .id = 1, .kind = "fatbin", .bytes = 5, .of_bytes = 9, .blob = trace_builder_blob(b, "cubin", 5) });
	trace_builder_put(b);
	ekka_encode_module(&b->buf, &(struct ekka_rec_module){ .id = 2, .kind = "ptx", .bytes = 7, .of_bytes = 7, .missing = "gone" });
	trace_builder_put(b);
	ekka_encode_device(&b->buf, &(struct ekka_rec_device){ .ordinal = 0, .name = "NVIDIA H200", .cc_major = 9, .cc_minor = 0, .driver = 13000,
							       .runtime = 12090 });
	trace_builder_put(b);
	ekka_encode_maps(&b->buf, &(struct ekka_rec_maps){ maps, 2 });
	trace_builder_put(b);
	ekka_encode_stack(&b->buf, &(struct ekka_rec_stack){ .id = 1, .pc = pcs, .n_pc = 3, .py = py, .n_py = 2 });
	trace_builder_put(b);
	ekka_encode_stack(&b->buf, &(struct ekka_rec_stack){ .id = UINT64_MAX });
	trace_builder_put(b);
}

static void put_data(struct trace_builder *b, uint64_t event, uint32_t tensor, enum ekka_phase phase, const void *p, uint64_t n)
{
	struct ekka_rec_data r = { .event = event, .tensor = tensor, .phase = phase, .bytes = n };

	if (p)
		r.id = trace_builder_blob(b, p, n);
	else
		r.missing = "budget";
	ekka_encode_data(&b->buf, &r);
	trace_builder_put(b);
}

/* Every kind of value, a padded and transposed input, an output that is also read, a reversed vector, a view, a pointer array. */
static void put_gemm(struct trace_builder *b, const uint8_t *bytes)
{
	static const uint8_t raw[] = { 0x00, 0xff, 0x7f };
	static const struct ekka_value args[] = {
		{ .kind = EKKA_V_INT, .i = INT64_MIN }, { .kind = EKKA_V_REAL, .r = { -0.0 } }, { .kind = EKKA_V_PTR, .u = UINT64_MAX },
		{ .kind = EKKA_V_COMPLEX, .r = { 1.5, -INFINITY } }, { .kind = EKKA_V_STR, .s = "N" },
		{ .kind = EKKA_V_UINT, .u = UINT64_MAX }, { .kind = EKKA_V_NIL }, { .kind = EKKA_V_BIN, .bin = { raw, sizeof raw } },
		{ .kind = EKKA_V_BIN, .bin = { raw, 0 } },
	};
	static const struct ekka_attr attrs[] = { { "alpha", { .kind = EKKA_V_REAL, .r = { 5e-324 } } }, { "conja", { .kind = EKKA_V_INT, .i = 0 } } };
	static const struct ekka_tensor tensors[] = {
		{ .name = "A", .dir = EKKA_IN, .dtype = EKKA_F32, .place = EKKA_HOST, .n_dims = 2, .dim = { 50, 40 }, .stride = { 1, 50 },
		  .addr = 0x7ffff000, .span_bytes = 8000, .alias_of = -1, .pre = true },
		{ .name = "B", .dir = EKKA_IN, .dtype = EKKA_BF16, .place = EKKA_DEVICE, .n_dims = 3, .dim = { 2, 40, 3 }, .stride = { 0, 3, 1 },
		  .addr = UINT64_MAX, .n_ptrs = 2, .span_bytes = 240, .alias_of = -1, .pre = true },
		{ .name = "C", .dir = EKKA_INOUT, .dtype = EKKA_C128, .place = EKKA_HOST, .n_dims = 2, .dim = { 25, 25 }, .stride = { 25, 1 },
		  .addr = 0x1000, .span_bytes = 10000, .alias_of = -1, .pre = true, .post = true },
		{ .name = "x", .dir = EKKA_IN, .dtype = EKKA_CI8, .place = EKKA_HOST, .n_dims = 1, .dim = { 10 }, .stride = { -2 }, .offset = 18,
		  .addr = 0x1000, .span_bytes = 38, .alias_of = 2 },
	};

	ekka_encode_call(&b->buf, &(struct ekka_rec_call){ .event = 2, .parent = 1, .fn = 7, .depth = 1, .group = 3, .tid = 1234, .device = 0,
							   .stream = UINT64_MAX, .t_ns = 1000000000, .stack = 1, .args = args, .n_args = 9,
							   .attrs = attrs, .n_attrs = 2, .tensors = tensors, .n_tensors = 4 });
	trace_builder_put(b);
	put_data(b, 2, 0, EKKA_PRE, bytes, 8000);
	put_data(b, 2, 1, EKKA_PRE, NULL, 480);
	put_data(b, 2, 2, EKKA_PRE, "", 0);
	ekka_encode_ret(&b->buf, &(struct ekka_rec_ret){ .event = 2, .t_ns = 1000000100, .value = { .kind = EKKA_V_INT, .i = -7 } });
	trace_builder_put(b);
	put_data(b, 2, 2, EKKA_POST, bytes, SAMPLE_BLOB_BYTES);
	ekka_encode_end(&b->buf, &(struct ekka_rec_end){ .event = 2, .t_ns = 1000000200 });
	trace_builder_put(b);
	ekka_encode_time(&b->buf, &(struct ekka_rec_time){ .event = 2, .gpu_ns = 5000000000 });
	trace_builder_put(b);
}

/* Event 1 is written after event 2, as another thread's may be, and reads a tensor that grew; 3 begins and never returns. */
static void put_others(struct trace_builder *b, const uint8_t *bytes)
{
	static const struct ekka_tensor tensors[] = {
		{ .name = "K", .dir = EKKA_IN, .dtype = EKKA_U8, .n_dims = 1, .dim = { 9000 }, .stride = { 1 }, .span_bytes = 9000, .alias_of = -1, .pre = true },
		{ .name = "V", .dir = EKKA_IN, .dtype = EKKA_U8, .n_dims = 1, .dim = { 9500 }, .stride = { 1 }, .span_bytes = 9500, .alias_of = -1, .pre = true },
	};
	struct ekka_rec_data grown = { .event = 1, .tensor = 1, .phase = EKKA_PRE, .bytes = 9500 };
	size_t chunk_bytes = b->chunk_bytes;
	uint64_t at = (uint64_t)ftell(b->blobs);

	ekka_encode_call(&b->buf, &(struct ekka_rec_call){ .event = 1, .fn = 0, .tid = 1, .device = -1, .t_ns = 999999999, .bad_args = "lda < m",
							   .tensors = tensors, .n_tensors = 2 });
	trace_builder_put(b);
	b->chunk_bytes = 0;
	put_data(b, 1, 0, EKKA_PRE, bytes, 9000);
	b->chunk_bytes = chunk_bytes;
	grown.id = trace_builder_linked(b, bytes, 9500, at, 4500, 2);
	ekka_encode_data(&b->buf, &grown);
	trace_builder_put(b);
	ekka_encode_ret(&b->buf, &(struct ekka_rec_ret){ .event = 1, .t_ns = 1000000300 });
	trace_builder_put(b);
	ekka_encode_end(&b->buf, &(struct ekka_rec_end){ .event = 1, .t_ns = 1000000300 });
	trace_builder_put(b);
	ekka_encode_call(&b->buf, &(struct ekka_rec_call){ .event = 3, .fn = 99, .device = -1, .stack = UINT64_MAX });
	trace_builder_put(b);
}

void trace_builder_sample(const char *dir)
{
	static const char *const argv[] = { "./engine", "--prompt", "h\xc3\xa9llo" };
	static const struct ekka_count drops[] = { { "budget", 1 }, { "capture", UINT64_MAX } };
	struct ekka_rec_open parent = { .version = EKKA_FORMAT_VERSION, .pid = 100, .ppid = 1, .unix_ns = 1790000000000000000, .mono_ns = 5, .exe = "/usr/bin/engine",
					.argv = argv, .n_argv = 3, .level = "full", .tool = "ekkatrace 0.1.0", .arch = "x86_64", .cpu = "a processor" };
	struct ekka_rec_open child = parent;
	uint8_t bytes[SAMPLE_BLOB_BYTES];
	struct trace_builder b;

	child.pid = 101;
	child.ppid = 100;
	child.unix_ns++;
	trace_builder_sample_bytes(bytes);
	trace_builder_begin(&b, dir, &parent, 0);
	b.chunk_bytes = 3000;
	put_preamble(&b);
	put_gemm(&b, bytes);
	put_others(&b, bytes);
	ekka_encode_close(&b.buf, &(struct ekka_rec_close){ .t_ns = 2000000000, .events = 3, .seen_bytes = 18000, .stored_bytes = 4000, .known_bytes = 900, .left_out = 5, .dropped = drops,
							    .n_dropped = 2, .why = "exit" });
	trace_builder_put(&b);
	trace_builder_finish(&b, dir, &parent, 0, true);

	/* The child was killed: no trailer, no index; its data is stored by its parent. */
	trace_builder_begin(&b, dir, &child, 0);
	ekka_encode_fn(&b.buf, &(struct ekka_rec_fn){ .id = 0, .name = "sgemm_", .library = "blas", .op = "gemm" });
	trace_builder_put(&b);
	ekka_encode_call(&b.buf, &(struct ekka_rec_call){ .event = 1, .device = -1,
							  .tensors = &(struct ekka_tensor){ .name = "A", .dir = EKKA_IN, .dtype = EKKA_U8, .n_dims = 1, .dim = { 8000 },
											    .stride = { 1 }, .span_bytes = 8000, .alias_of = -1, .pre = true },
							  .n_tensors = 1 });
	trace_builder_put(&b);
	{
		/* Only its name, as whoever stored it before us did. */
		FILE *blobs = b.blobs, *index = b.index, *sink = tmpfile();

		b.blobs = b.index = sink;
		put_data(&b, 1, 0, EKKA_PRE, bytes, 8000);
		b.blobs = blobs;
		b.index = index;
		(void)fclose(sink);
	}
	trace_builder_finish(&b, dir, &child, 0, false);
}
