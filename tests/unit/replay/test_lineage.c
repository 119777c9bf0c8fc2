/* SPDX-License-Identifier: Apache-2.0 */
/* Lineage and blame over events made by hand: who wrote what, what changed, who is infected. */
#include <criterion/criterion.h>
#include <stdio.h>
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
	uint8_t status[EVENTS + 1];
	unsigned char *blob[256];	/* by the first byte of an id; NULL: none; owned */
	uint64_t n;
};

static const struct ekka_replay_options options;

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

int ekka_trace_blob_read(struct ekka_trace *t, const struct ekka_blob_id *id, uint64_t offset, void *dst, size_t n, struct ekka_error *err)
{
	if (!t->blob[id->b[0]])
		return ekka_error_set(err, EKKA_ERR_INVALID, "no blob");
	memcpy(dst, t->blob[id->b[0]] + offset, n);
	return 0;
}

bool ekka_trace_blob_present(const struct ekka_trace *t, const struct ekka_blob_id *id, uint64_t *ret_bytes)
{
	(void)ret_bytes;
	return t->blob[id->b[0]] != NULL;
}

int ekka_event_tensor_index(const struct ekka_event *e, const char *name)
{
	for (unsigned i = 0; i < e->call.n_tensors; i++)
		if (strcmp(e->call.tensors[i].name, name) == 0)
			return (int)i;
	return -1;
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

	cr_assert_eq(ekka_lineage_build(t, &options, t->status, &l, &err), 0, "%s", err.message);
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
	cr_assert_eq(ekka_blame_report(&(struct ekka_blame){ status, 5, t, &options, l }, &r, &err), 0);
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
	struct ekka_blame b = { status, 2, t, &options, NULL };

	init(t);
	memset(status, EKKA_PASS, sizeof(status));
	add(t, "kernel", "writer", "elementwise"), touch(t, EKKA_OUT, 0x1000, 8, 8, gaps ? 12 : 8, 0, 5);
	add(t, "kernel", "reader", "elementwise"), touch(t, EKKA_IN, 0x1000, rows, 8, ld, 6, 0);
	t->tensor[2][0].stride[1] = other;
	struct ekka_lineage *l = build(t);
	b.lineage = l;
	cr_assert_eq(ekka_blame_report(&b, &r, &err), 0);
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
	struct ekka_blame b = { status, 2, t, &options, NULL };

	init(t);
	memset(status, EKKA_PASS, sizeof(status));
	add(t, "kernel", "writer", "elementwise"), touch(t, EKKA_OUT, 0x1000, 8, 8, 8, 0, 5);
	add(t, "kernel", "reader", "elementwise"), touch(t, EKKA_IN, 0x1020, 8, 8, 12, 6, 0);
	struct ekka_lineage *l = build(t);
	b.lineage = l;
	cr_assert_eq(ekka_blame_report(&b, &r, &err), 0);
	cr_expect_eq(r.n_notes, 0);
	free(r.notes);
	ekka_lineage_free(l);
	free(t);
}

/* Judges 2 events, the second of which reads what the first wrote; returns the notes and leaves the first one's text. */
static size_t notes_of(struct ekka_trace *t, uint8_t status, char text[EKKA_NOTE], char finding[EKKA_TEXT])
{
	struct ekka_report r = { 0 };
	struct ekka_error err = { 0 };
	struct ekka_lineage *l;
	size_t n;

	memset(t->status, status, sizeof(t->status));
	l = build(t);
	cr_assert_eq(ekka_blame_report(&(struct ekka_blame){ t->status, t->n, t, &options, l }, &r, &err), 0);
	snprintf(text, EKKA_NOTE, "%s", r.n_notes ? r.notes[0].text : "");
	snprintf(finding, EKKA_TEXT, "%s", r.n_suspects ? r.suspects[0].verdict.audit : "");
	n = r.n_notes;
	free(r.notes);
	free(r.suspects);
	ekka_lineage_free(l);
	return n;
}

/* 64 elements in a row, read as a matrix with gaps: over what another event wrote behind them, or over nothing that is known. */
Test(flow, rows_that_reach_into_another_tensor)
{
	static const struct { int64_t rows, ld; bool neighbour; size_t notes; int64_t copied; enum ekka_dtype as; } cases[] = {
		{ 8, 12, true, 1, 0, 0 }, { 8, 12, false, 0, 0, 0 }, { 8, 8, true, 0, 0, 0 }, { 4, 12, true, 0, 0, 0 }, { 10, 12, true, 0, 0, 0 },
		{ 8, 12, true, 1, 256, EKKA_U8 }, { 8, 8, true, 0, 256, EKKA_U8 }, { 8, 12, true, 0, 260, EKKA_U8 }, { 8, 12, true, 0, 32, EKKA_F64 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ekka_trace *t = malloc(sizeof(*t));
		char text[EKKA_NOTE], finding[EKKA_TEXT];

		init(t);
		add(t, "kernel", "writer", "elementwise"), touch(t, EKKA_OUT, 0x1000, 1, 64, 64, 0, 5);
		if (cases[i].copied)
			t->tensor[1][0] = (struct ekka_tensor){ .name = "dst", .dir = EKKA_OUT, .dtype = cases[i].as, .place = EKKA_DEVICE, .n_dims = 1,
								.dim = { cases[i].copied }, .stride = { 1 }, .addr = 0x1000, .alias_of = -1,
								.span_bytes = (uint64_t)cases[i].copied * ekka_dtype_bytes(cases[i].as) };
		add(t, "kernel", "neighbour", "elementwise"), touch(t, EKKA_OUT, cases[i].neighbour ? 0x1100 : 0x9000, 1, 64, 64, 0, 5);
		add(t, "kernel", "reader", "elementwise"), touch(t, EKKA_IN, 0x1000, cases[i].rows, 8, cases[i].ld, 6, 0);
		cr_expect_eq(notes_of(t, EKKA_PASS, text, finding), cases[i].notes, "case %zu: %s", i, text);
		cr_expect(!cases[i].notes || !strcmp(text, cases[i].copied ?
			  "in0 reaches 112 bytes further than what event 1 wrote there, which has as many bytes, into what event 2 wrote" :
			  "in0 reaches 112 bytes further than what event 1 wrote there, which has as many elements, into what event 2 wrote"), "%s", text);
		free(t);
	}
}

Test(flow, numbers_of_another_format)
{
	static const struct { enum ekka_dtype written, read; const char *op; size_t notes; } cases[] = {
		{ EKKA_BF16, EKKA_F16, "norm", 1 }, { EKKA_BF16, EKKA_BF16, "norm", 0 }, { EKKA_BF16, EKKA_F16, "cat", 0 },
		{ EKKA_BF16, EKKA_I16, "norm", 0 }, { EKKA_F32, EKKA_F16, "norm", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ekka_trace *t = malloc(sizeof(*t));
		char text[EKKA_NOTE], finding[EKKA_TEXT];

		init(t);
		add(t, "kernel", "writer", "norm"), touch(t, EKKA_OUT, 0x1000, 8, 8, 8, 0, 5);
		add(t, "kernel", "reader", cases[i].op), touch(t, EKKA_IN, 0x1000, 8, 8, 8, 5, 0);
		t->tensor[1][0].dtype = cases[i].written;
		t->tensor[2][0].dtype = cases[i].read;
		for (unsigned e = 1; e <= 2; e++)
			t->tensor[e][0].span_bytes = 64 * ekka_dtype_bytes(t->tensor[e][0].dtype);
		cr_expect_eq(notes_of(t, EKKA_PASS, text, finding), cases[i].notes, "case %zu: %s", i, text);
		cr_expect(!cases[i].notes || !strcmp(text, "in0 is read as f16, event 1 wrote it as bf16"), "%s", text);
		free(t);
	}
}

/* A matrix behind whose last row the allocation ends, or that a stride carries further. */
Test(flow, a_matrix_behind_the_end_of_its_allocation)
{
	static const struct { const char *library; int64_t ld; bool freed, ended, found; } cases[] = {
		{ "cublas", 8, false, false, false }, { "cublas", 12, false, false, true }, { "kernel", 12, false, false, false },
		{ "cublas", 12, true, false, false }, { "cublas", 12, false, true, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ekka_value p = { .kind = EKKA_V_PTR, .u = 0x1000 };
		struct ekka_trace *t = malloc(sizeof(*t));
		char text[EKKA_NOTE], finding[EKKA_TEXT];

		init(t);
		add(t, "driver", "cuMemAlloc_v2", NULL), touch(t, EKKA_OUT, 0x1000, 1, 64, 64, 0, 0);
		add(t, "driver", "cuMemAlloc_v2", NULL), touch(t, EKKA_OUT, 0x1100, 1, 64, 64, 0, 0);
		add(t, "driver", cases[i].freed ? "cuMemFree_v2" : cases[i].ended ? "cuCtxDestroy_v2" : "cuMemcpyHtoD_v2", NULL);
		t->event[3].call.args = &p;
		t->event[3].call.n_args = 1;
		add(t, cases[i].library, "reader", NULL), touch(t, EKKA_INOUT, 0x1000, 8, 8, cases[i].ld, 6, 7);
		(void)notes_of(t, EKKA_PASS, text, finding);
		cr_expect_str_eq(finding, cases[i].found ? "in0 reaches 112 bytes behind the end of the memory that event 1 allocated" : "", "case %zu", i);
		free(t);
	}
}

/* A launch that was recorded raw, with a buffer larger than what is read of it, and described afterwards. */
static void describe_afterwards(struct ekka_redescriber *ignored, struct ekka_event *e, struct ekka_redescription *memory)
{
	static struct ekka_tensor tensors[2];
	static const struct ekka_attr op = { "op", { .kind = EKKA_V_STR, .s = "norm" } };

	(void)ignored;
	cr_assert(memory != NULL);
	if (strcmp(e->fn->name, "raw") != 0)
		return;
	tensors[1] = e->call.tensors[0];
	tensors[1].dir = EKKA_IN;
	tensors[0] = tensors[1];
	tensors[0].span_bytes = 32;
	tensors[0].dim[1] = 8;
	tensors[0].alias_of = 1;
	tensors[0].dir = e->number == 2 ? EKKA_OUT : EKKA_IN;
	e->call.tensors = tensors;
	e->call.n_tensors = 2;
	e->call.attrs = &op;
	e->call.n_attrs = 1;
	e->data[1][EKKA_PRE] = e->data[0][EKKA_PRE];
	e->data[1][EKKA_POST] = e->data[0][EKKA_POST];
	memset(e->data[0], 0, sizeof(e->data[0]));
}

Test(lineage, meanings_that_launches_have_since)
{
	const struct ekka_replay_options later = { .redescribe = describe_afterwards };
	struct ekka_trace *t = malloc(sizeof(*t));
	struct ekka_error err = { 0 };
	struct ekka_lineage *l;

	init(t);
	add(t, "driver", "cuMemcpyHtoD_v2", NULL), touch(t, EKKA_OUT, 0x1000, 1, 16, 16, 0, 0);
	add(t, "kernel", "raw", NULL), touch(t, EKKA_INOUT, 0x1000, 1, 16, 16, 1, 2);
	add(t, "kernel", "raw", NULL), touch(t, EKKA_INOUT, 0x1000, 1, 16, 16, 2, 2);
	l = build(t);
	expect(l, 3, 1, (struct ekka_edge[]){ { .writer = 2, .bytes = 64 } });
	ekka_lineage_free(l);
	cr_assert_eq(ekka_lineage_build(t, &later, NULL, &l, &err), 0, "%s", err.message);
	expect(l, 3, 1, (struct ekka_edge[]){ { .writer = 2, .bytes = 32 } });
	expect(l, 2, 0, NULL);
	ekka_lineage_free(l);
	free(t);
}

/* What an output of 64 floats looks like, of which the elements [first, end) are what an earlier event left there. */
static const char *looks_stale(int64_t first, int64_t end, uint64_t n_bad, float left, const char *before_that, char text[EKKA_TEXT])
{
	struct ekka_trace *t = malloc(sizeof(*t));
	float earlier[80], now[64];
	struct ekka_suspect suspect = { .verdict = { .event = 3, .status = EKKA_FAIL, .n_bad = n_bad, .output = "in0" } };
	struct ekka_report r = { .suspects = &suspect, .n_suspects = 1, .count[EKKA_FAIL] = 1 };
	struct ekka_error err = { 0 };
	struct ekka_lineage *l;

	init(t);
	for (int i = 0; i < 80; i++)
		earlier[i] = left ? left : (float)i;
	for (int i = 0; i < 64; i++)
		now[i] = i >= first && i < end ? earlier[i + 16] : -1 - (float)i;
	t->blob[7] = (unsigned char *)earlier;
	t->blob[8] = (unsigned char *)now;
	add(t, "kernel", "first", "elementwise"), touch(t, EKKA_OUT, 0xfc0, 1, 80, 80, 0, 7);
	t->event[1].data[0][EKKA_POST].rec.bytes = sizeof(earlier);
	add(t, "kernel", "elsewhere", "elementwise"), touch(t, EKKA_OUT, 0x5000, 1, 64, 64, 0, 7);
	add(t, "kernel", "bad", "elementwise"), touch(t, EKKA_OUT, 0x1000, 8, 8, 8, 0, 8);
	t->event[3].data[0][EKKA_POST].rec.bytes = sizeof(now);
	t->status[3] = EKKA_FAIL;
	t->status[1] = t->status[2] = EKKA_PASS;
	snprintf(suspect.verdict.looks_like, EKKA_TEXT, "%s", before_that);
	l = build(t);
	cr_assert_eq(ekka_blame_report(&(struct ekka_blame){ t->status, t->n, t, &options, l }, &r, &err), 0);
	snprintf(text, EKKA_TEXT, "%s", suspect.verdict.looks_like);
	ekka_lineage_free(l);
	free(t);
	return text;
}

Test(stale, what_was_not_written_is_what_was_there)
{
	char text[EKKA_TEXT];

	cr_expect_str_eq(looks_stale(0, 64, 60, 0, "a factor", text), "not written: still what event 1 left there");
	cr_expect_str_eq(looks_stale(48, 64, 16, 0, "", text), "the last 16 of 64 elements were not written: still what event 1 left there");
	cr_expect_str_eq(looks_stale(0, 20, 20, 0, "", text), "the first 20 of 64 elements were not written: still what event 1 left there");
	cr_expect_str_eq(looks_stale(20, 40, 20, 0, "", text), "20 of 64 elements were not written: still what event 1 left there");
	cr_expect_str_eq(looks_stale(20, 22, 20, 0, "a factor", text), "a factor", "a few that are the same by chance");
	cr_expect_str_eq(looks_stale(62, 64, 20, 0, "a factor", text), "a factor", "a tail that is the same by chance");
	cr_expect_str_eq(looks_stale(10, 50, 5, 0, "a factor", text), "a factor", "right ones are the same, too");
	cr_expect_str_eq(looks_stale(48, 64, 16, 1, "NaN", text), "NaN", "one value everywhere proves little");
	cr_expect_str_eq(looks_stale(0, 0, 20, 0, "", text), "");
}
