/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a small trace of kernel launches, without a GPU: make_launches DIR [full]. Four of scale(float *y, const float *x, float a, int n), the
 * last of which covers half of its elements only; one of it inside a library call; and one of a kernel with a parameter of 21 bytes.
 * full: with raw buffers, as launches without a description have them, that go on behind the tensors.
 */
#include "tests/unit/trace/trace_builder.h"

#include <string.h>

static struct trace_builder b;
static uint64_t n_events;

enum { FN_SCALE = 1, FN_ODD, FN_CALL };

enum { N = 256, BUFFER_BYTES = N * 4 + 64 };

static bool full;

static void put_data(uint32_t tensor, enum ekka_phase phase, const float *p)
{
	ekka_encode_data(&b.buf, &(struct ekka_rec_data){ .event = n_events, .tensor = tensor, .phase = phase, .bytes = BUFFER_BYTES,
							  .id = trace_builder_blob(&b, p, BUFFER_BYTES) });
	trace_builder_put(&b);
}

/* y = 2.5 x in as many blocks as there are, before or after. */
static void put_buffers(enum ekka_phase phase, int64_t grid)
{
	float x[BUFFER_BYTES / 4], y[BUFFER_BYTES / 4];

	for (int i = 0; i < BUFFER_BYTES / 4; i++) {
		x[i] = 0.5f * (float)i - 3;	/* the tensor begins four elements further */
		y[i] = phase == EKKA_POST && i < N && i < 64 * grid ? 2.5f * (0.5f * (float)(i + 4) - 3) : 7;
	}
	put_data(0, phase, y);
	put_data(1, phase, x);
}

static void put_call(unsigned fn, uint64_t parent, const struct ekka_value *args, unsigned n_args, int64_t grid)
{
	const struct ekka_attr attrs[] = {
		{ "grid_x", { .kind = EKKA_V_INT, .i = grid } }, { "grid_y", { .kind = EKKA_V_INT, .i = 1 } }, { "grid_z", { .kind = EKKA_V_INT, .i = 1 } },
		{ "block_x", { .kind = EKKA_V_INT, .i = 64 } }, { "block_y", { .kind = EKKA_V_INT, .i = 1 } }, { "block_z", { .kind = EKKA_V_INT, .i = 1 } },
		{ "shared", { .kind = EKKA_V_INT, .i = 0 } },
	};

	const struct ekka_tensor buffers[] = {
		{ .name = "p0", .dir = EKKA_INOUT, .dtype = EKKA_U8, .place = EKKA_DEVICE, .n_dims = 1, .dim = { BUFFER_BYTES }, .stride = { 1 },
		  .addr = 0x7f0000100000, .span_bytes = BUFFER_BYTES, .alias_of = -1, .pre = true, .post = true },
		{ .name = "p1", .dir = EKKA_INOUT, .dtype = EKKA_U8, .place = EKKA_DEVICE, .n_dims = 1, .dim = { BUFFER_BYTES }, .stride = { 1 },
		  .addr = 0x7f0000200000 - 16, .span_bytes = BUFFER_BYTES, .alias_of = -1, .pre = true, .post = true },
	};
	bool bytes = full && fn == FN_SCALE && !parent;

	n_events++;
	ekka_encode_call(&b.buf, &(struct ekka_rec_call){ .event = n_events, .parent = parent, .depth = parent != 0, .fn = fn, .tid = 1234, .device = 0,
		.t_ns = 1000000000 + n_events * 1000, .args = args, .n_args = n_args, .attrs = attrs, .n_attrs = fn == FN_CALL ? 0 : 7,
		.tensors = buffers, .n_tensors = bytes ? 2 : 0 });
	trace_builder_put(&b);
	if (bytes)
		put_buffers(EKKA_PRE, grid);
	ekka_encode_ret(&b.buf, &(struct ekka_rec_ret){ .event = n_events, .t_ns = 1000000100 + n_events * 1000 });
	trace_builder_put(&b);
	if (bytes)
		put_buffers(EKKA_POST, grid);
	ekka_encode_end(&b.buf, &(struct ekka_rec_end){ .event = n_events, .t_ns = 1000000200 + n_events * 1000 });
	trace_builder_put(&b);
}

static void put_scale(uint64_t parent, int64_t grid)
{
	const struct ekka_value args[] = {
		{ .kind = EKKA_V_PTR, .u = 0x7f0000100000 }, { .kind = EKKA_V_PTR, .u = 0x7f0000200000 }, { .kind = EKKA_V_INT, .i = 0x40200000 /* 2.5f */ },
		{ .kind = EKKA_V_INT, .i = 256 },
	};

	put_call(FN_SCALE, parent, args, 4, grid);
}

static void put_odd(void)
{
	uint8_t bytes[21] = { 0 };
	const struct ekka_value args[] = { { .kind = EKKA_V_BIN, .bin = { bytes, sizeof(bytes) } }, { .kind = EKKA_V_NIL } };
	const uint64_t address = 0x7f0000300010;
	const int32_t four = 4;

	memcpy(bytes, &address, 8);
	memcpy(bytes + 16, &four, 4);
	bytes[20] = 7;
	put_call(FN_ODD, 0, args, 2, 1);
}

int main(int argc, char **argv)
{
	static const struct ekka_arg_info scale_args[] = { { "p0", "8 bytes at 0" }, { "p1", "8 bytes at 8" }, { "p2", "4 bytes at 16" }, { "p3", "4 bytes at 20" } };
	static const struct ekka_arg_info odd_args[] = { { "p0", "21 bytes at 0" }, { "p1", "4 bytes at 24" } };
	struct ekka_rec_open open = { .version = 1, .pid = 1234, .ppid = 1, .unix_ns = 1700000000000000000, .mono_ns = 1000000000,
					    .exe = "/usr/bin/engine", .level = "calls", .tool = "ekkatrace", .arch = "x86_64", .cpu = "a processor" };

	if (argc < 2 || argc > 3)
		return 2;
	full = argc == 3;
	open.level = full ? "full" : "calls";
	trace_builder_begin(&b, argv[1], &open, 0);
	ekka_encode_fn(&b.buf, &(struct ekka_rec_fn){ .id = FN_SCALE, .name = "_ZN3own5scaleILi4EEEvPfPKffi", .library = "kernel", .args = scale_args, .n_args = 4 });
	trace_builder_put(&b);
	ekka_encode_fn(&b.buf, &(struct ekka_rec_fn){ .id = FN_ODD, .name = "odd$1", .library = "kernel", .args = odd_args, .n_args = 2 });
	trace_builder_put(&b);
	ekka_encode_fn(&b.buf, &(struct ekka_rec_fn){ .id = FN_CALL, .name = "cublasSscal_v2", .library = "cublas" });
	trace_builder_put(&b);
	for (int i = 0; i < 3; i++)
		put_scale(0, 4);
	put_scale(0, 2);
	put_call(FN_CALL, 0, NULL, 0, 0);
	put_scale(n_events, 4);
	put_odd();
	ekka_encode_close(&b.buf, &(struct ekka_rec_close){ .t_ns = 2000000000, .events = n_events, .why = "exit" });
	trace_builder_put(&b);
	trace_builder_finish(&b, argv[1], &open, 0, true);
	return 0;
}
