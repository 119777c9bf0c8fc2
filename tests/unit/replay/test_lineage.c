/* SPDX-License-Identifier: Apache-2.0 */
/* Lineage and blame over events made by hand: who wrote what, what changed, who is infected. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "replay/blame.h"

enum { EVENTS = 16, TENSORS = 3 };

/* Answers the reader's interface. */
struct ekka_trace {
	struct ekka_segment segment;
	struct ekka_rec_fn fn[EVENTS + 1];
	struct ekka_tensor tensor[EVENTS + 1][TENSORS];
	struct ekka_attr attr[EVENTS + 1];
	struct ekka_event event[EVENTS + 1];
	uint64_t n;
};

uint64_t ekka_trace_n_events(const struct ekka_trace *t)
{
	return t->n;
}

int ekka_trace_event_read(struct ekka_trace *t, uint64_t number, struct ekka_event *e, struct ekka_error *err)
{
	if (number == 0 || number > t->n)
		return ekka_error_set(err, EKKA_ERR_INVALID, "no event");
	*e = t->event[number];
	return 0;
}

void ekka_event_release(struct ekka_event *e)
{
	(void)e;
}

const struct ekka_value *ekka_event_attr(const struct ekka_event *e, const char *name)
{
	for (unsigned i = 0; i < e->call.n_attrs; i++)
		if (strcmp(e->call.attrs[i].name, name) == 0)
			return &e->call.attrs[i].value;
	return NULL;
}

static void init(struct ekka_trace *t)
{
	memset(t, 0, sizeof(*t));
	t->segment.closed = true;
}

/* Adds an event of `library`; a kernel with an op when op is set. */
static struct ekka_event *add(struct ekka_trace *t, const char *library, const char *name, const char *op)
{
	uint64_t n = ++t->n;

	t->fn[n] = (struct ekka_rec_fn){ .name = name, .library = library, .op = "" };
	t->attr[n] = (struct ekka_attr){ "op", { .kind = EKKA_V_STR, .s = op } };
	t->event[n] = (struct ekka_event){ .number = n, .segment = &t->segment, .fn = &t->fn[n], .state = EKKA_EVENT_COMPLETE };
	t->event[n].call = (struct ekka_rec_call){ .event = n, .tensors = t->tensor[n], .attrs = &t->attr[n], .n_attrs = op ? 1 : 0 };
	return &t->event[n];
}

static void touch(struct ekka_trace *t, enum ekka_dir dir, uint64_t addr, int64_t rows, int64_t cols, int64_t ld, uint8_t pre, uint8_t post)
{
	struct ekka_event *e = &t->event[t->n];
	unsigned i = e->call.n_tensors++;

	t->tensor[t->n][i] = (struct ekka_tensor){
		.name = i == 0 ? "in0" : i == 1 ? "in1" : "in2", .dir = dir, .dtype = EKKA_F32, .place = EKKA_DEVICE, .n_dims = 2, .dim = { rows, cols },
		.stride = { ld, 1 }, .addr = addr, .span_bytes = (uint64_t)((rows - 1) * ld + cols) * 4, .alias_of = -1 };
	if (pre)
		e->data[i][EKKA_PRE] = (struct ekka_event_data){ .present = true, .rec.id.b = { pre } };
	if (post)
		e->data[i][EKKA_POST] = (struct ekka_event_data){ .present = true, .rec.id.b = { post } };
}

static struct ekka_lineage *build(struct ekka_trace *t)
{
	struct ekka_lineage *l = NULL;
	struct ekka_error err = { 0 };

	cr_assert_eq(ekka_lineage_build(t, &l, &err), 0, "%s", err.message);
	return l;
}

static void expect(const struct ekka_lineage *l, uint64_t event, size_t n, const struct ekka_edge *edge)
{
	size_t got;
	const struct ekka_edge *e = ekka_lineage_edges(l, event, &got);

	cr_assert_eq(got, n, "event %d has %zu edges", (int)event, got);
	for (size_t i = 0; i < n; i++) {
		cr_expect_eq(e[i].writer, edge[i].writer);
		cr_expect_eq(e[i].bytes, edge[i].bytes);
		cr_expect_eq(e[i].changed, edge[i].changed);
		cr_expect_eq(e[i].allocation, edge[i].allocation);
	}
}

Test(lineage, last_writer_of_every_byte)
{
	struct ekka_trace *t = malloc(sizeof(*t));

	init(t);
	add(t, "driver", "cuMemcpyHtoD_v2", NULL), touch(t, EKKA_OUT, 0x1000, 1, 16, 16, 0, 0);
	add(t, "kernel", "right_half", "elementwise"), touch(t, EKKA_OUT, 0x1020, 1, 8, 8, 0, 5);
	add(t, "kernel", "reader", "elementwise"), touch(t, EKKA_IN, 0x1000, 1, 16, 16, 1, 0);
	struct ekka_lineage *l = build(t);
	expect(l, 3, 2, (struct ekka_edge[]){ { .writer = 1, .bytes = 32 }, { .writer = 2, .bytes = 32 } });
	expect(l, 2, 0, NULL);
	ekka_lineage_free(l);
	free(t);
}

Test(lineage, what_was_captured_or_refused_wrote_nothing)
{
	struct ekka_trace *t = malloc(sizeof(*t));

	init(t);
	add(t, "driver", "cuMemcpyHtoD_v2", NULL), touch(t, EKKA_OUT, 0x1000, 1, 16, 16, 0, 0);
	add(t, "kernel", "captured", "elementwise"), touch(t, EKKA_OUT, 0x1000, 1, 16, 16, 0, 5);
	t->attr[2].name = "captured";
	add(t, "driver", "cuMemsetD8Async", NULL)->ret = (struct ekka_value){ .kind = EKKA_V_INT, .i = 1 };
	touch(t, EKKA_OUT, 0x1000, 1, 16, 16, 0, 0);
	add(t, "kernel", "reader", "elementwise"), touch(t, EKKA_IN, 0x1000, 1, 16, 16, 1, 0);
	struct ekka_lineage *l = build(t);
	expect(l, 4, 1, (struct ekka_edge[]){ { .writer = 1, .bytes = 64 } });
	ekka_lineage_free(l);
	free(t);
}

Test(lineage, a_graph_writes_what_changed_and_perhaps_more)
{
	struct ekka_trace *t = malloc(sizeof(*t));

	init(t);
	add(t, "kernel", "writer", "elementwise"), touch(t, EKKA_OUT, 0x1000, 1, 8, 8, 0, 1), touch(t, EKKA_OUT, 0x2000, 1, 8, 8, 0, 2);
	add(t, "driver", "cuGraphLaunch", NULL), touch(t, EKKA_INOUT, 0x1000, 1, 8, 8, 1, 1), touch(t, EKKA_INOUT, 0x2000, 1, 8, 8, 2, 3);
	add(t, "kernel", "reader", "elementwise"), touch(t, EKKA_IN, 0x1000, 1, 8, 8, 9, 0), touch(t, EKKA_IN, 0x2000, 1, 8, 8, 3, 0);
	struct ekka_lineage *l = build(t);
	/* The first buffer is not what its writer left, and that proves nothing. */
	expect(l, 3, 2, (struct ekka_edge[]){ { .writer = 1, .bytes = 32 }, { .writer = 2, .bytes = 32 } });
	ekka_lineage_free(l);
	free(t);
}

Test(lineage, gaps_of_a_strided_output_keep_their_writer)
{
	struct ekka_trace *t = malloc(sizeof(*t));

	init(t);
	add(t, "cublas", "first", NULL), touch(t, EKKA_OUT, 0x1000, 1, 40, 40, 0, 0);
	add(t, "cublas", "columns", NULL), touch(t, EKKA_OUT, 0x1000, 4, 2, 10, 0, 0);
	add(t, "cublas", "reader", NULL), touch(t, EKKA_IN, 0x1000, 4, 10, 10, 1, 0);
	struct ekka_lineage *l = build(t);
	expect(l, 3, 2, (struct ekka_edge[]){ { .writer = 2, .bytes = 4 * 2 * 4 }, { .writer = 1, .bytes = 4 * 8 * 4 } });
	ekka_lineage_free(l);
	free(t);
}

Test(lineage, bytes_that_changed_behind_the_recording)
{
	struct ekka_trace *t = malloc(sizeof(*t));

	init(t);
	add(t, "driver", "cuMemAlloc_v2", NULL), touch(t, EKKA_OUT, 0x1000, 1, 64, 64, 0, 0);
	add(t, "kernel", "writer", "elementwise"), touch(t, EKKA_OUT, 0x1000, 1, 8, 8, 0, 5);
	add(t, "kernel", "good", "elementwise"), touch(t, EKKA_IN, 0x1000, 1, 8, 8, 5, 0);
	add(t, "kernel", "bad", "elementwise"), touch(t, EKKA_IN, 0x1000, 1, 8, 8, 6, 0);
	add(t, "kernel", "never", "elementwise"), touch(t, EKKA_IN, 0x1040, 1, 8, 8, 7, 0);
	add(t, "kernel", "raw", NULL), touch(t, EKKA_INOUT, 0x1040, 1, 8, 8, 7, 7), touch(t, EKKA_INOUT, 0x1000, 1, 8, 8, 99, 99);
	add(t, "kernel", "after an unknown kernel", "elementwise"), touch(t, EKKA_IN, 0x1000, 1, 8, 8, 9, 0);
	struct ekka_lineage *l = build(t);
	expect(l, 3, 1, (struct ekka_edge[]){ { .writer = 2, .bytes = 32 } });
	expect(l, 4, 1, (struct ekka_edge[]){ { .writer = 2, .bytes = 32, .changed = true } });
	expect(l, 5, 1, (struct ekka_edge[]){ { .writer = 1, .bytes = 32, .allocation = true } });
	expect(l, 6, 2, (struct ekka_edge[]){ { .writer = 1, .bytes = 32 }, { .writer = 2, .bytes = 32 } });
	expect(l, 7, 1, (struct ekka_edge[]){ { .writer = 2, .bytes = 32 } });
	ekka_lineage_free(l);

	t->segment.close.n_dropped = 1;
	l = build(t);
	expect(l, 4, 1, (struct ekka_edge[]){ { .writer = 2, .bytes = 32 } });
	ekka_lineage_free(l);
	free(t);
}

/* Caches come from torch.empty: what is scattered into, or read by index and length, need not be written. */
Test(lineage, unwritten_memory_that_nobody_needs_is_no_finding)
{
	static const struct { const char *op, *name; enum ekka_dir dir; bool found; } rows[] = {
		{ "elementwise", "in0", EKKA_IN, true }, { "elementwise", "table", EKKA_IN, false }, { "scatter", "out0", EKKA_INOUT, false },
		{ "attention", "k", EKKA_IN, false }, { "norm", "x", EKKA_IN, true }, { "norm", "x", EKKA_INOUT, false },
		{ "rope", "cache", EKKA_IN, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ekka_trace *t = malloc(sizeof(*t));
		struct ekka_lineage *l;

		init(t);
		add(t, "driver", "cuMemAlloc_v2", NULL), touch(t, EKKA_OUT, 0x1000, 1, 64, 64, 0, 0);
		add(t, "kernel", "reader", rows[i].op), touch(t, rows[i].dir, 0x1000, 1, 8, 8, 7, 0);
		t->tensor[2][0].name = rows[i].name;
		l = build(t);
		expect(l, 2, 1, (struct ekka_edge[]){ { .writer = 1, .bytes = 32, .allocation = rows[i].found } });
		ekka_lineage_free(l);
		free(t);
	}
}

/* An engine takes it from where its tensors come from: garbage in a new tensor is no fault. */
Test(lineage, a_workspace_is_written)
{
	static const struct ekka_arg_info args[] = { { "workSpace", "void *" }, { "workSpaceSizeInBytes", "size_t" } };

	for (unsigned known = 0; known < 2; known++) {
		struct ekka_value values[] = { { .kind = EKKA_V_PTR, .u = 0x1000 }, { .kind = EKKA_V_INT, .i = 64 } };
		struct ekka_trace *t = malloc(sizeof(*t));
		struct ekka_lineage *l;

		init(t);
		add(t, "driver", "cuMemcpyHtoD_v2", NULL), touch(t, EKKA_OUT, 0x1000, 1, 8, 8, 0, 1);
		add(t, "cudnn", "cudnnConvolutionForward", NULL), touch(t, EKKA_OUT, 0x9000, 1, 8, 8, 0, 2);
		t->fn[2].args = args;
		t->fn[2].n_args = 2;
		t->event[2].call.args = values;
		t->event[2].call.n_args = 1 + known;
		add(t, "kernel", "reader", "elementwise"), touch(t, EKKA_IN, 0x1000, 1, 8, 8, 3, 0);
		l = build(t);
		expect(l, 3, 1, (struct ekka_edge[]){ { .writer = known ? 2 : 1, .bytes = 32 } });
		ekka_lineage_free(l);
		free(t);
	}
}

/* A stride of a dimension with one element says nothing; it may be anything that a trace holds. */
Test(lineage, strides_that_count_for_nothing)
{
	struct ekka_trace *t = malloc(sizeof(*t));
	struct ekka_lineage *l;

	init(t);
	add(t, "driver", "cuMemcpyHtoD_v2", NULL), touch(t, EKKA_OUT, 0x1000, 1, 8, 8, 0, 1);
	add(t, "kernel", "reader", "elementwise"), touch(t, EKKA_IN, 0x1000, 1, 8, 8, 1, 0);
	t->tensor[2][0].stride[0] = INT64_MIN;
	l = build(t);
	expect(l, 2, 1, (struct ekka_edge[]){ { .writer = 1, .bytes = 32 } });
	ekka_lineage_free(l);
	free(t);
}

Test(lineage, raw_buffers_are_written_when_they_changed)
{
	struct ekka_trace *t = malloc(sizeof(*t));

	init(t);
	add(t, "driver", "cuMemcpyHtoD_v2", NULL), touch(t, EKKA_OUT, 0x1000, 1, 8, 8, 0, 0);
	add(t, "kernel", "raw", NULL), touch(t, EKKA_INOUT, 0x1000, 1, 8, 8, 1, 1), touch(t, EKKA_INOUT, 0x2000, 1, 8, 8, 2, 3);
	add(t, "kernel", "reader", "elementwise"), touch(t, EKKA_IN, 0x1000, 1, 8, 8, 1, 0), touch(t, EKKA_IN, 0x2000, 1, 8, 8, 3, 0);
	struct ekka_lineage *l = build(t);
	expect(l, 3, 2, (struct ekka_edge[]){ { .writer = 1, .bytes = 32 }, { .writer = 2, .bytes = 32 } });
	ekka_lineage_free(l);
	free(t);
}

Test(blame, guilt_infection_and_findings)
{
	struct ekka_trace *t = malloc(sizeof(*t));
	struct ekka_report r = { 0 };
	struct ekka_error err = { 0 };
	uint8_t status[] = { EKKA_STATUS_COUNT, EKKA_STATUS_COUNT, EKKA_FAIL, EKKA_PASS, EKKA_PASS, EKKA_PASS };

	init(t);
	add(t, "driver", "cuMemcpyHtoD_v2", NULL), touch(t, EKKA_OUT, 0x1000, 1, 8, 8, 0, 0);
	add(t, "kernel", "guilty", "elementwise"), touch(t, EKKA_IN, 0x1000, 1, 8, 8, 1, 0), touch(t, EKKA_OUT, 0x2000, 1, 8, 8, 0, 2);
	add(t, "kernel", "infected", "elementwise"), touch(t, EKKA_IN, 0x2000, 1, 8, 8, 2, 0), touch(t, EKKA_OUT, 0x3000, 1, 8, 8, 0, 3);
	add(t, "kernel", "infected too", "elementwise"), touch(t, EKKA_IN, 0x3000, 1, 8, 8, 99, 0), touch(t, EKKA_OUT, 0x4000, 1, 8, 8, 0, 4);
	add(t, "kernel", "healthy", "elementwise"), touch(t, EKKA_IN, 0x1000, 1, 8, 8, 1, 0), touch(t, EKKA_OUT, 0x5000, 1, 8, 8, 0, 5);
	struct ekka_lineage *l = build(t);
	r.suspects = calloc(1, sizeof(*r.suspects));
	r.n_suspects = 1;
	r.suspects[0].verdict = (struct ekka_verdict){ .event = 2, .status = EKKA_FAIL };
	r.count[EKKA_FAIL] = 1;
	cr_assert_eq(ekka_blame_report(t, l, &(struct ekka_blame){ status, 5 }, &r, &err), 0);
	cr_expect_eq(r.infected, 2);
	cr_expect_eq(r.suspects[0].infected, 2);
	cr_expect_eq(r.suspects[0].n_sources, 1);
	cr_expect_eq(r.suspects[0].source[0].writer, 1);
	cr_expect_eq(r.suspects[0].source[0].status, EKKA_STATUS_COUNT);
	cr_expect_eq(r.suspects[0].source[0].tensor, 0);
	cr_assert_eq(r.n_suspects, 2, "what changed on its way is a finding");
	cr_expect_eq(r.suspects[1].verdict.event, 4);
	cr_expect_eq(r.suspects[1].rank, 2);
	cr_expect(strstr(r.suspects[1].verdict.audit, "not what event 3 left there"));
	ekka_lineage_free(l);
	free(r.suspects);
	free(t);
}

/* A matrix of 8 by 8 that was written with gaps or without, and is read by rows of `ld`. */
static size_t notes_of_stride(int64_t rows, int64_t ld, int64_t other, bool gaps)
{
	struct ekka_trace *t = malloc(sizeof(*t));
	struct ekka_report r = { 0 };
	struct ekka_error err = { 0 };
	uint8_t status[EVENTS + 1];
	struct ekka_blame b = { status, 2 };

	init(t);
	memset(status, EKKA_PASS, sizeof(status));
	add(t, "kernel", "writer", "elementwise"), touch(t, EKKA_OUT, 0x1000, 8, 8, gaps ? 12 : 8, 0, 5);
	add(t, "kernel", "reader", "elementwise"), touch(t, EKKA_IN, 0x1000, rows, 8, ld, 6, 0);
	t->tensor[2][0].stride[1] = other;
	struct ekka_lineage *l = build(t);
	cr_assert_eq(ekka_blame_report(t, l, &b, &r, &err), 0);
	if (r.n_notes && !gaps)
		cr_expect(r.notes[0].event == 2 && strcmp(r.notes[0].text, "in0 is read with a stride of 12 elements, event 1 wrote it there with 8") == 0,
			  "%s", r.notes[0].text);
	cr_expect_eq(r.n_suspects, 0);
	free(r.notes);
	ekka_lineage_free(l);
	free(t);
	return r.n_notes;
}

Test(blame, a_stride_other_than_the_writers)
{
	cr_expect_eq(notes_of_stride(8, 12, 1, false), 1);
	cr_expect_eq(notes_of_stride(8, 8, 1, true), 1);
	cr_expect_eq(notes_of_stride(8, 8, 1, false), 0);
	cr_expect_eq(notes_of_stride(8, 12, 1, true), 0);
	cr_expect_eq(notes_of_stride(4, 12, 1, false), 0, "another matrix");
	cr_expect_eq(notes_of_stride(8, 1, 8, false), 0, "transposed");
	cr_expect_eq(notes_of_stride(8, 0, 1, false), 0, "one row again and again");
}

Test(blame, a_matrix_that_begins_elsewhere_is_another)
{
	struct ekka_trace *t = malloc(sizeof(*t));
	struct ekka_report r = { 0 };
	struct ekka_error err = { 0 };
	uint8_t status[EVENTS + 1];
	struct ekka_blame b = { status, 2 };

	init(t);
	memset(status, EKKA_PASS, sizeof(status));
	add(t, "kernel", "writer", "elementwise"), touch(t, EKKA_OUT, 0x1000, 8, 8, 8, 0, 5);
	add(t, "kernel", "reader", "elementwise"), touch(t, EKKA_IN, 0x1020, 8, 8, 12, 6, 0);
	struct ekka_lineage *l = build(t);
	cr_assert_eq(ekka_blame_report(t, l, &b, &r, &err), 0);
	cr_expect_eq(r.n_notes, 0);
	free(r.notes);
	ekka_lineage_free(l);
	free(t);
}
