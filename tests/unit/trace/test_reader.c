/* SPDX-License-Identifier: Apache-2.0 */
/* What goes in through the encoder comes out of the reader. */
#include "trace/reader.h"

#include "tests/unit/trace/trace_builder.h"
#include "trace/hash.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/ekka-reader-XXXXXX";
static struct ekka_trace *trace;
static struct ekka_error err;

static void open_sample(void)
{
	cr_assert_not_null(mkdtemp(dir));
	trace_builder_sample(dir);
	cr_assert_eq(ekka_trace_open(dir, &trace, &err), 0, "%s", err.message);
}

static void close_sample(void)
{
	char cmd[64];

	ekka_trace_close(trace);
	(void)snprintf(cmd, sizeof cmd, "rm -r %s", dir);
	cr_assert_eq(system(cmd), 0);
}

TestSuite(reader, .init = open_sample, .fini = close_sample);

Test(reader, segments_are_in_order_of_start_with_all_their_facts)
{
	const struct ekka_segment *s = ekka_trace_segment(trace, 0);

	cr_assert_eq(ekka_trace_n_segments(trace), 2);
	cr_assert_eq(ekka_trace_n_problems(trace), 0, "%s", ekka_trace_problem(trace, 0));
	cr_assert_eq(s->open.pid, 100);
	cr_assert_eq(s->open.unix_ns, 1790000000000000000);
	cr_assert_eq(s->open.n_argv, 3);
	cr_assert_str_eq(s->open.argv[2], "h\xc3\xa9llo");
	cr_assert_str_eq(s->open.cpu, "a processor");
	cr_assert_str_eq(s->file, "events-100-0.ekka");
	cr_assert(s->closed);
	cr_assert_eq(s->close.left_out, 5);
	cr_assert_eq(s->close.known_bytes, 900);
	cr_assert_eq(s->close.n_dropped, 2);
	cr_assert_str_eq(s->close.dropped[1].name, "capture");
	cr_assert_eq(s->close.dropped[1].n, UINT64_MAX);
	cr_assert_str_eq(s->close.why, "exit");
	cr_assert_eq(s->n_devices, 1);
	cr_assert_eq(s->devices[0].runtime, 12090);
	cr_assert_eq(s->devices[0].cc_major, 9);
	cr_assert_eq(s->n_maps, 2);
	cr_assert_eq(s->maps[0].end, UINT64_MAX);
	cr_assert_eq(s->maps[0].build_id_len, 4);
	cr_assert_eq(s->maps[0].build_id[3], 0xef);
	cr_assert_str_eq(s->maps[1].path, "[vdso]");
	cr_assert_null(s->maps[1].build_id);
	s = ekka_trace_segment(trace, 1);
	cr_assert_not(s->closed);
	cr_assert_eq(s->first_event, 4);
	cr_assert_eq(s->n_events, 1);
	cr_assert_null(ekka_trace_segment(trace, 2));
}

Test(reader, every_kind_of_value_and_tensor_comes_back)
{
	struct ekka_event ev = { 0 };
	const struct ekka_tensor *t;

	cr_assert_eq(ekka_trace_n_events(trace), 4);
	cr_assert_eq(ekka_trace_event_read(trace, 2, &ev, &err), 0, "%s", err.message);
	cr_assert_eq(ev.number, 2);
	cr_assert_eq(ev.call.parent, 1);
	cr_assert_str_eq(ev.fn->name, "cblas_sgemm");
	cr_assert_eq(ev.fn->build_id_len, 4);
	cr_assert_eq(ev.state, EKKA_EVENT_COMPLETE);
	cr_assert_eq(ev.call.group, 3);
	cr_assert_eq(ev.call.stream, UINT64_MAX);
	cr_assert_eq(ev.call.args[0].kind, EKKA_V_INT);
	cr_assert_eq(ev.call.args[0].i, INT64_MIN);
	cr_assert(ev.call.args[1].r[0] == 0 && signbit(ev.call.args[1].r[0]));
	cr_assert_eq(ev.call.args[2].kind, EKKA_V_PTR);
	cr_assert_eq(ev.call.args[2].u, UINT64_MAX);
	cr_assert_eq(ev.call.args[3].kind, EKKA_V_COMPLEX);
	cr_assert(ev.call.args[3].r[0] == 1.5 && ev.call.args[3].r[1] == -INFINITY);
	cr_assert_str_eq(ev.call.args[4].s, "N");
	cr_assert_eq(ev.call.args[5].kind, EKKA_V_UINT);
	cr_assert_eq(ev.call.args[5].u, UINT64_MAX);
	cr_assert_eq(ev.call.args[6].kind, EKKA_V_NIL);
	cr_assert_eq(ev.call.args[7].kind, EKKA_V_BIN);
	cr_assert_eq(ev.call.args[7].bin.n, 3);
	cr_assert_eq(memcmp(ev.call.args[7].bin.p, "\x00\xff\x7f", 3), 0);
	cr_assert_eq(ev.call.args[8].kind, EKKA_V_BIN);
	cr_assert_eq(ev.call.args[8].bin.n, 0);
	cr_assert(ekka_event_attr(&ev, "alpha")->r[0] == 5e-324);
	cr_assert_null(ekka_event_attr(&ev, "beta"));
	cr_assert_eq(ekka_event_arg(&ev, "text")->kind, EKKA_V_STR);
	cr_assert_eq(ekka_event_arg_index(&ev, "none"), -1);
	cr_assert_eq(ev.ret.i, -7);
	cr_assert_eq(ev.ret_ns, 1000000100);
	cr_assert_eq(ev.call.n_tensors, 4);
	t = &ev.call.tensors[ekka_event_tensor_index(&ev, "B")];
	cr_assert_eq(t->dtype, EKKA_BF16);
	cr_assert_eq(t->place, EKKA_DEVICE);
	cr_assert_eq(t->n_ptrs, 2);
	cr_assert_eq(t->dim[2], 3);
	cr_assert_eq(t->stride[1], 3);
	cr_assert(t->pre && !t->post);
	t = &ev.call.tensors[3];
	cr_assert_eq(t->alias_of, 2);
	cr_assert_eq(t->stride[0], -2);
	cr_assert_eq(t->offset, 18);
	ekka_event_release(&ev);
}

Test(reader, stacks_and_data_belong_to_their_event)
{
	struct ekka_event ev = { 0 };

	cr_assert_eq(ekka_trace_event_read(trace, 2, &ev, &err), 0);
	cr_assert_eq(ev.stack->n_pc, 3);
	cr_assert_eq(ev.stack->pc[0], UINT64_MAX);
	cr_assert_eq(ev.stack->n_py, 2);
	cr_assert_eq(ev.stack->py[0].line, 42);
	cr_assert_str_eq(ev.stack->py[0].func, "forward");
	cr_assert_str_eq(ev.stack->py[1].file, "/home/u/\xff\xfe.py");
	cr_assert(ev.data[0][EKKA_PRE].present && !ev.data[0][EKKA_POST].present);
	cr_assert_str_eq(ev.data[1][EKKA_PRE].rec.missing, "budget");
	cr_assert_eq(ev.data[2][EKKA_PRE].rec.bytes, 0);
	cr_assert_eq(ev.data[2][EKKA_POST].rec.bytes, SAMPLE_BLOB_BYTES);
	/* The same structure again, for events that have less. */
	cr_assert_eq(ekka_trace_event_read(trace, 1, &ev, &err), 0);
	cr_assert_str_eq(ev.call.bad_args, "lda < m");
	cr_assert_null(ev.stack);
	cr_assert(ev.data[1][EKKA_PRE].present && !ev.data[1][EKKA_PRE].rec.missing && !ev.data[2][EKKA_POST].present);
	cr_assert_eq(ekka_trace_event_read(trace, 3, &ev, &err), 0);
	cr_assert_eq(ev.state, EKKA_EVENT_BEGUN);
	cr_assert_str_eq(ev.fn->name, "?");
	cr_assert_eq(ev.stack->n_pc, 0);
	cr_assert_eq(ekka_trace_event_read(trace, 4, &ev, &err), 0);
	cr_assert_str_eq(ev.fn->name, "sgemm_");
	cr_assert_eq(ev.segment, ekka_trace_segment(trace, 1));
	cr_assert(ekka_trace_blob_present(trace, &ev.data[0][EKKA_PRE].rec.id, NULL));
	cr_assert_eq(ekka_trace_event_read(trace, 5, &ev, &err), EKKA_ERR_INVALID);
	cr_assert_eq(ekka_trace_event_read(trace, 0, &ev, &err), EKKA_ERR_INVALID);
	ekka_event_release(&ev);
}

Test(reader, parents_are_numbered_over_the_whole_trace)
{
	/* A third process image, later than the sample's; its events have gaps, as when some are not recorded. */
	const struct ekka_rec_open open = { .version = EKKA_FORMAT_VERSION, .pid = 102, .unix_ns = UINT64_MAX };
	static const uint64_t records[][2] = { { 10, 0 }, { 30, 10 }, { 20, 10 }, { 40, 11 } };
	static const uint64_t parents[] = { 0, 5, 5, 0 };
	struct ekka_event ev = { 0 };
	struct trace_builder b;

	ekka_trace_close(trace);
	trace_builder_begin(&b, dir, &open, 0);
	for (int i = 0; i < 4; i++) {
		ekka_encode_call(&b.buf, &(struct ekka_rec_call){ .event = records[i][0], .parent = records[i][1], .t_ns = records[i][0] });
		trace_builder_put(&b);
	}
	trace_builder_finish(&b, dir, &open, 0, true);
	cr_assert_eq(ekka_trace_open(dir, &trace, &err), 0, "%s", err.message);
	cr_assert_eq(ekka_trace_n_events(trace), 8);
	for (uint64_t i = 0; i < 4; i++) {
		cr_assert_eq(ekka_trace_event_read(trace, 5 + i, &ev, &err), 0, "%s", err.message);
		cr_assert_eq(ev.call.t_ns, 10 * (i + 1));
		cr_assert_eq(ev.call.parent, parents[i], "event %lu", (unsigned long)(5 + i));
	}
	ekka_event_release(&ev);
}

Test(reader, any_range_of_a_blob_can_be_read)
{
	static const size_t ranges[][2] = { { 0, 10000 }, { 0, 1 }, { 9999, 1 }, { 2999, 2 }, { 3000, 3000 }, { 1, 9999 }, { 10000, 0 }, { 5, 0 } };
	uint8_t want[SAMPLE_BLOB_BYTES], got[SAMPLE_BLOB_BYTES];
	struct ekka_blob_id id, empty = ekka_blob_id_of("", 0);
	uint64_t size;

	trace_builder_sample_bytes(want);
	id = ekka_blob_id_of(want, sizeof want);
	cr_assert(ekka_trace_blob_present(trace, &id, &size));
	cr_assert_eq(size, sizeof want);
	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
		memset(got, 0, sizeof got);
		cr_assert_eq(ekka_trace_blob_read(trace, &id, ranges[i][0], got, ranges[i][1], &err), 0, "%s", err.message);
		cr_assert_eq(memcmp(got, want + ranges[i][0], ranges[i][1]), 0);
	}
	cr_assert_eq(ekka_trace_blob_read(trace, &id, 1, got, 10000, &err), EKKA_ERR_INVALID);
	cr_assert_eq(ekka_trace_blob_read(trace, &id, UINT64_MAX, got, 2, &err), EKKA_ERR_INVALID);
	cr_assert_eq(ekka_trace_blob_verify(trace, &id, &err), 0, "%s", err.message);
	cr_assert(ekka_trace_blob_present(trace, &empty, &size));
	cr_assert_eq(size, 0);
	cr_assert_eq(ekka_trace_blob_verify(trace, &empty, &err), 0);
	id.b[0] ^= 1;
	cr_assert_not(ekka_trace_blob_present(trace, &id, NULL));
	cr_assert_eq(ekka_trace_blob_read(trace, &id, 0, got, 1, &err), EKKA_ERR_MISSING);
}
