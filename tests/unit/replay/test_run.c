/* SPDX-License-Identifier: Apache-2.0 */
/* Whole replays over a trace in memory: order, coverage, blame, what cannot be judged, audits. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay/replay.h"
#include "tests/unit/replay/fake_trace.h"

struct seen {
	unsigned n;
	uint64_t event[FAKE_EVENTS];
	struct ekka_verdict verdict[FAKE_EVENTS];
	uint64_t done, total;
};

static void on_verdict(void *arg, const struct ekka_event *e, const struct ekka_verdict *v)
{
	struct seen *s = arg;

	cr_assert_eq(e->number, v->event);
	s->event[s->n] = v->event;
	s->verdict[s->n++] = *v;
}

static void on_progress(void *arg, uint64_t done, uint64_t total)
{
	struct seen *s = arg;

	cr_expect_eq(done, s->done + 1);
	s->done = done;
	s->total = total;
}

static struct ekka_report replay(struct ekka_trace *t, struct ekka_replay_options o, struct seen *seen)
{
	struct ekka_report r = { 0 };
	struct ekka_error err = { 0 };

	memset(seen, 0, sizeof *seen);
	o.verdict = on_verdict;
	o.progress = on_progress;
	o.arg = seen;
	cr_assert_eq(ekka_replay_run(t, &o, &r, &err), 0, "%s", err.message);
	return r;
}

static struct problem small(uint64_t seed)
{
	struct problem p;

	problem_init(&p, EKKA_F32, EKKA_F32, 8, 9, 20, 1, GAUSSIAN, seed);
	problem_compute(&p, FUSED);
	memcpy(p.c0, p.c, (size_t)(8 + p.pad) * (size_t)(9 + p.pad) * 4);	/* gaps as after the call */
	return p;
}

static void spoil(struct problem *p)
{
	problem_set(p, OPERAND_C, 0, 3, 4, 1e3, 0);
}

Test(run, events_come_in_order_and_are_counted)
{
	static struct ekka_trace t;
	struct problem p[40];
	struct seen seen;
	struct ekka_report r;

	fake_trace_init(&t);
	for (unsigned i = 0; i < 40; i++) {
		p[i] = small(i + 1);
		if (i == 11 || i == 30)
			spoil(&p[i]);
		fake_trace_add(&t, &p[i]);
	}
	for (unsigned threads = 1; threads <= 5; threads += 2) {
		r = replay(&t, (struct ekka_replay_options){ .threads = threads }, &seen);
		cr_assert_eq(seen.n, 40u);
		for (unsigned i = 0; i < 40; i++)
			cr_expect_eq(seen.event[i], i + 1);
		cr_expect(seen.done == 40 && seen.total == 40);
		cr_expect(r.ops == 40 && r.judged == 40 && r.count[EKKA_PASS] == 38 && r.count[EKKA_FAIL] == 2);
		cr_expect_eq(r.coverage, 1);
		cr_expect_eq(r.bytes_judged, 40u * 8 * 9 * 4);
		cr_assert_eq(r.n_suspects, 2u);
		cr_expect(r.suspects[0].verdict.event == 12 && r.suspects[1].verdict.event == 31 && r.suspects[1].rank == 2);
		cr_expect_str_eq(r.suspects[0].verdict.where, "one element: row 3, column 4");
		ekka_report_release(&r);
	}
	r = replay(&t, (struct ekka_replay_options){ .event = 31 }, &seen);
	cr_expect(seen.n == 1 && r.ops == 1 && r.count[EKKA_FAIL] == 1);
	ekka_report_release(&r);
	t.fn[31].name = "cblas_dgemm";
	r = replay(&t, (struct ekka_replay_options){ .only = "*dgemm" }, &seen);
	cr_expect(seen.n == 1 && seen.event[0] == 31);
	ekka_report_release(&r);
	for (unsigned i = 0; i < 40; i++)
		problem_release(&p[i]);
}

Test(run, a_slow_event_holds_the_later_ones_back)
{
	static struct ekka_trace t;
	struct problem slow, quick = small(1);
	struct ekka_report r;
	struct seen seen;

	problem_init(&slow, EKKA_F64, EKKA_F64, 200, 200, 200, 1, GAUSSIAN, 4);
	problem_compute(&slow, FUSED);
	memcpy(slow.c0, slow.c, 201 * 201 * 8);
	fake_trace_init(&t);
	for (unsigned i = 0; i < 30; i++)
		fake_trace_add(&t, i % 10 ? &quick : &slow);
	r = replay(&t, (struct ekka_replay_options){ .threads = 4, .exact = true }, &seen);
	cr_assert_eq(seen.n, 30u);
	for (unsigned i = 0; i < 30; i++)
		cr_expect(seen.event[i] == i + 1 && seen.verdict[i].status == EKKA_PASS && seen.verdict[i].n_elements > 0);
	ekka_report_release(&r);
	problem_release(&slow);
	problem_release(&quick);
}

Test(run, earlier_in_time_ranks_first_even_from_another_process)
{
	static struct ekka_trace t;
	struct problem p = small(1);
	struct seen seen;
	struct ekka_report r;

	spoil(&p);
	fake_trace_init(&t);
	fake_trace_add(&t, &p)->call.t_ns = 9000;
	fake_trace_add(&t, &p)->call.t_ns = 50;
	r = replay(&t, (struct ekka_replay_options){ 0 }, &seen);
	cr_assert_eq(r.n_suspects, 2u);
	cr_expect_eq(r.suspects[0].verdict.event, 2u);
	ekka_report_release(&r);
	problem_release(&p);
}

Test(run, a_garbage_input_exonerates)
{
	static struct ekka_trace t;
	struct problem guilty = small(1), infected = small(2);
	struct seen seen;
	struct ekka_report r;

	spoil(&guilty);
	for (int64_t k = 0; k < 20; k++)
		problem_set(&infected, OPERAND_A, 0, 3, k, 1e3, 0);
	problem_compute(&infected, FUSED);
	fake_trace_init(&t);
	fake_trace_add(&t, &guilty);
	fake_trace_add(&t, &infected);
	r = replay(&t, (struct ekka_replay_options){ 0 }, &seen);
	cr_expect_eq(seen.verdict[1].status, EKKA_PASS);
	cr_expect(r.n_suspects == 1 && r.suspects[0].verdict.event == 1);
	ekka_report_release(&r);
	problem_release(&guilty);
	problem_release(&infected);
}

Test(run, what_cannot_be_judged_says_why)
{
	static struct ekka_trace t;
	struct problem p = small(1);
	struct ekka_event *e;
	struct seen seen;
	struct ekka_report r;
	static const struct { enum ekka_status status; const char *reason; } want[] = {
		{ EKKA_INCOMPLETE, "the process ended inside the call" },
		{ EKKA_INCOMPLETE, "the process ended before the outputs were recorded" },
		{ EKKA_INCOMPLETE, "bytes of B before the call are missing: budget" },
		{ EKKA_INCOMPLETE, "bytes of C after the call are missing: not recorded" },
		{ EKKA_UNSUPPORTED, "invalid arguments (lda is too small): the library computes nothing" },
		{ EKKA_UNSUPPORTED, "the library returned status 7: nothing is promised" },
		{ EKKA_UNSUPPORTED, "no reference for op 'fft'" },
		{ EKKA_UNSUPPORTED, "no bound for f16 times f32 into f32" },
		{ EKKA_INCOMPLETE, "tensor A does not fit into its 640 recorded bytes" },
		{ EKKA_INCOMPLETE, "alpha is not a number (null pointer)" },
	};

	p.pad = 0;
	fake_trace_init(&t);
	fake_trace_add(&t, &p)->state = EKKA_EVENT_BEGUN;
	fake_trace_add(&t, &p)->state = EKKA_EVENT_RETURNED;
	fake_trace_add(&t, &p)->data[1][EKKA_PRE].rec.missing = "budget";
	fake_trace_add(&t, &p)->data[2][EKKA_POST].present = false;
	fake_trace_add(&t, &p)->call.bad_args = "lda is too small";
	e = fake_trace_add(&t, &p);
	t.fn[6].library = "cublas";
	e->ret = (struct ekka_value){ .kind = EKKA_V_INT, .i = 7 };
	fake_trace_add(&t, &p);
	t.fn[7].op = "fft";
	fake_trace_add(&t, &p);
	t.tensor[8][0].dtype = EKKA_F16;
	fake_trace_add(&t, &p);
	t.tensor[9][0].dim[0] = 9;
	t.tensor[9][0].dim[1] = 21;
	fake_trace_add(&t, &p);
	t.attr[10][0].value.kind = EKKA_V_NIL;
	fake_trace_add(&t, &p)->call.depth = 1;		/* not judged: part of another call */
	fake_trace_add(&t, &p);
	t.fn[12].op = "";				/* computes nothing known */
	r = replay(&t, (struct ekka_replay_options){ 0 }, &seen);
	cr_assert_eq(seen.n, sizeof want / sizeof want[0]);
	for (unsigned i = 0; i < seen.n; i++) {
		cr_expect_eq(seen.verdict[i].status, want[i].status, "event %u: %s", i + 1, ekka_status_name(seen.verdict[i].status));
		cr_expect_str_eq(seen.verdict[i].reason, want[i].reason);
	}
	cr_expect(r.ops == 10 && r.judged == 0 && r.coverage == 0 && r.bytes_judged == 0);
	cr_expect_eq(r.n_suspects, 2u, "two calls have forbidden arguments, %zu suspects", r.n_suspects);
	ekka_report_release(&r);
	problem_release(&p);
}

Test(run, damage_is_incomplete_and_levels_without_bytes_too)
{
	static struct ekka_trace t;
	struct problem p = small(1);
	struct seen seen;
	struct ekka_report r;

	fake_trace_init(&t);
	fake_trace_add(&t, &p);
	t.damaged = true;
	r = replay(&t, (struct ekka_replay_options){ 0 }, &seen);
	cr_expect_eq(seen.verdict[0].status, EKKA_INCOMPLETE);
	cr_expect_str_eq(seen.verdict[0].reason, "blobs-1.ekka: offset 77: checksum mismatch");
	ekka_report_release(&r);
	t.damaged = false;
	t.no_memory = true;	/* for this event: others may need less */
	r = replay(&t, (struct ekka_replay_options){ 0 }, &seen);
	cr_expect_eq(seen.verdict[0].status, EKKA_INCOMPLETE);
	cr_expect_str_eq(seen.verdict[0].reason, "no memory for all that");
	ekka_report_release(&r);
	t.no_memory = false;
	t.segment.open.level = "calls";
	t.segment.closed = false;
	r = replay(&t, (struct ekka_replay_options){ 0 }, &seen);
	cr_expect_str_eq(seen.verdict[0].reason, "recorded at level 'calls': no tensor bytes");
	cr_expect(r.unclosed);
	ekka_report_release(&r);
	problem_release(&p);
}

Test(run, operands_larger_than_the_memory_are_read_piece_by_piece)
{
	static struct ekka_trace t;
	struct problem p;
	struct seen seen;
	struct ekka_report r;

	problem_init(&p, EKKA_F32, EKKA_F32, 100, 90, 9000, 2, GAUSSIAN, 3);
	for (int64_t b = 0; b < 2; b++)
		for (int64_t i = 0; i < 100; i++)
			for (int64_t j = 0; j < 90; j++) {
				double sum = 0, x[2], y[2];

				for (int64_t k = b * 8000; k < b * 8000 + 1000; k++) {
					problem_get(&p, OPERAND_A, b, i, k, x);
					problem_get(&p, OPERAND_B, b, k, j, y);
					sum += x[0] * y[0];
				}
				problem_set(&p, OPERAND_C, b, i, j, sum, 0);
			}
	/* Only 1000 of the products count: the rest of A is zero. */
	for (int64_t b = 0; b < 2; b++)
		for (int64_t i = 0; i < 100; i++)
			for (int64_t k = 0; k < 9000; k++)
				if (k < b * 8000 || k >= b * 8000 + 1000)
					problem_set(&p, OPERAND_A, b, i, k, 0, 0);
	memcpy(p.c0, p.c, (size_t)(100 * 90 * 2) * 4);
	fake_trace_init(&t);
	fake_trace_add(&t, &p);
	for (int exact = 0; exact <= 1; exact++) {
		r = replay(&t, (struct ekka_replay_options){ .memory_bytes = 1 << 20, .exact = exact }, &seen);
		cr_expect_eq(seen.verdict[0].status, EKKA_PASS, "%s %s", seen.verdict[0].reason, seen.verdict[0].where);
		cr_expect_leq(t.largest_read, 5u << 20);
		ekka_report_release(&r);
	}
	problem_set(&p, OPERAND_C, 1, 99, 89, 1e4, 0);
	r = replay(&t, (struct ekka_replay_options){ .memory_bytes = 1 << 20 }, &seen);
	cr_expect_str_eq(seen.verdict[0].where, "one element: row 99, column 89, batch item 1");
	ekka_report_release(&r);
	problem_release(&p);
}

static struct ekka_verdict judge_one(struct ekka_trace *t)
{
	struct seen seen;
	struct ekka_report r = replay(t, (struct ekka_replay_options){ 0 }, &seen);

	ekka_report_release(&r);
	return seen.verdict[0];
}

Test(run, bytes_outside_the_output_that_change_raise_doubt)
{
	static struct ekka_trace t;
	struct problem p = small(2);	/* column-major C with 2 elements between columns */
	struct ekka_verdict v;

	cr_assert(p.pad == 2 && !p.row_c);
	fake_trace_init(&t);
	fake_trace_add(&t, &p);
	cr_expect_eq(judge_one(&t).status, EKKA_PASS);
	p.c[(3 * 10 + 8) * 4] ^= 1;
	v = judge_one(&t);
	cr_expect_eq(v.status, EKKA_UNDECIDED);
	cr_expect_str_eq(v.reason, "outside the output: 1 byte changed, the first behind column 3: by this call, or by another thread "
				   "meanwhile");
	problem_set(&p, OPERAND_C, 0, 1, 1, 1e4, 0);
	v = judge_one(&t);
	cr_expect_eq(v.status, EKKA_FAIL);
	cr_expect_str_eq(v.audit, "outside the output: 1 byte changed, the first behind column 3");
	problem_release(&p);
	p = small(2);
	fake_trace_init(&t);
	fake_trace_add(&t, &p);
	p.c[(3 * 10 + 8) * 4] ^= 1;
	fake_trace_add(&t, &p)->call.tid = 2;	/* somebody else may have written there */
	cr_expect_eq(judge_one(&t).status, EKKA_PASS);
	problem_release(&p);
}

Test(run, the_other_triangle_that_changes_raises_doubt)
{
	static struct ekka_trace t;
	struct problem p;
	double c[2];

	problem_init(&p, EKKA_F32, EKKA_F32, 8, 8, 5, 1, GAUSSIAN, 3);
	problem_compute(&p, FUSED);
	memcpy(p.c0, p.c, 8 * 8 * 4);
	for (int lower = 0; lower <= 1; lower++) {
		fake_trace_init(&t);
		fake_trace_add(&t, &p)->call.n_attrs = 3;
		t.attr[1][2] = (struct ekka_attr){ "uplo", { .kind = EKKA_V_STR, .s = lower ? "lower" : "upper" } };
		cr_expect_eq(judge_one(&t).status, EKKA_PASS);
		problem_get(&p, OPERAND_C, 0, lower ? 2 : 6, lower ? 6 : 2, c);
		problem_set(&p, OPERAND_C, 0, lower ? 2 : 6, lower ? 6 : 2, 77, 0);
		cr_expect_eq(judge_one(&t).status, EKKA_UNDECIDED);
		problem_set(&p, OPERAND_C, 0, lower ? 2 : 6, lower ? 6 : 2, c[0], 0);
	}
	problem_release(&p);
}

Test(run, overlap_is_audited_and_views_of_one_matrix_are_not)
{
	static struct ekka_trace t;
	struct problem p = small(3);
	struct ekka_tensor *x = t.tensor[1];
	uint64_t c;

	p.pad = 0;
	fake_trace_init(&t);
	fake_trace_add(&t, &p);
	c = x[2].addr;
	cr_expect_str_eq(judge_one(&t).audit, "");
	x[0].addr = c + 8;
	cr_expect_str_eq(judge_one(&t).audit, "the output C overlaps the input A");
	x[0].addr = c + x[2].span_bytes;
	cr_expect_str_eq(judge_one(&t).audit, "");
	/* Two halves of one matrix with lines of 100 elements. */
	for (int i = 0; i < 3; i += 2)
		for (int d = 0; d < 2; d++)
			x[i].stride[d] = x[i].stride[d] == 1 ? 1 : 100;
	x[0].span_bytes = (x[0].stride[0] == 1 ? 19 * 100 + 8 : 7 * 100 + 20) * 4;
	x[2].span_bytes = (x[2].stride[0] == 1 ? 8 * 100 + 8 : 7 * 100 + 9) * 4;
	x[0].addr = c + 50 * 4;
	cr_expect_str_eq(judge_one(&t).audit, "");
	x[0].addr = c + 90 * 4;		/* runs over into the next line */
	cr_expect_str_eq(judge_one(&t).audit, "the output C overlaps the input A");
	x[0].addr = c + 5 * 4;
	cr_expect_str_eq(judge_one(&t).audit, "the output C overlaps the input A");
	problem_release(&p);
}

Test(run, scalars_from_the_device_and_their_audit)
{
	static struct ekka_trace t;
	struct problem p = small(3);
	float alpha = 1;

	fake_trace_init(&t);
	p.alpha[0] = 5;
	fake_trace_add(&t, &p);
	cr_expect_eq(judge_one(&t).status, EKKA_FAIL);
	/* The attribute goes; a tensor of the same name takes its place as the second operand's neighbour. */
	t.attr[1][0].name = "other";
	static struct ekka_tensor four[4];
	memcpy(four, t.tensor[1], sizeof t.tensor[1]);
	four[3] = (struct ekka_tensor){ .name = "alpha", .dir = EKKA_IN, .dtype = EKKA_F32, .n_dims = 1, .dim = { 1 }, .stride = { 1 },
					.alias_of = -1, .addr = 4096, .span_bytes = 4 };
	t.event[1].call.tensors = four;
	t.event[1].call.n_tensors = 4;
	t.event[1].data[3][EKKA_PRE] = t.event[1].data[0][EKKA_PRE];
	t.blob[t.n_blobs] = (const unsigned char *)&alpha;
	t.blob_bytes[t.n_blobs] = 4;
	memcpy(t.event[1].data[3][EKKA_PRE].rec.id.b, &t.n_blobs, sizeof t.n_blobs);
	t.event[1].data[3][EKKA_PRE].rec.bytes = 4;
	t.n_blobs++;
	cr_expect_eq(judge_one(&t).status, EKKA_PASS);
	alpha = NAN;
	cr_expect_str_eq(judge_one(&t).audit, "alpha is NaN");
	problem_release(&p);
}

Test(run, a_precision_policy_is_a_note_and_no_suspect)
{
	static struct ekka_trace t;
	struct problem p = small(3);
	struct seen seen;
	struct ekka_report r;

	fake_trace_init(&t);
	t.device = (struct ekka_rec_device){ .name = "NVIDIA H200", .cc_major = 9 };
	t.segment.devices = &t.device;
	t.segment.n_devices = 1;
	fake_trace_add(&t, &p)->call.device = 0;
	t.event[1].call.n_attrs = 3;
	t.attr[1][2] = (struct ekka_attr){ "compute", { .kind = EKKA_V_STR, .s = "tf32" } };
	r = replay(&t, (struct ekka_replay_options){ 0 }, &seen);
	cr_expect_eq(seen.verdict[0].status, EKKA_PASS);
	cr_expect_eq(strncmp(seen.verdict[0].audit, "policy: ", 8), 0);
	cr_expect(strstr(seen.verdict[0].bound, "tf32 tensor core Hopper"));
	cr_expect_eq(r.n_suspects, 0u);
	ekka_report_release(&r);
	problem_release(&p);
}

/* An undescribed launch with two raw buffers, of which one changed; then one that is described, but by an op that does not exist. */
Test(run, a_launch_is_judged_by_the_op_it_carries)
{
	static struct ekka_trace t;
	static unsigned char changed[1024];
	uint64_t n;
	struct problem p = small(1);
	struct ekka_event *e[5];
	struct ekka_report r;
	struct seen seen;

	fake_trace_init(&t);
	for (unsigned i = 0; i < 5; i++) {
		e[i] = fake_trace_add(&t, &p);
		t.fn[i + 1].library = i == 4 ? "driver" : "kernel";
		t.fn[i + 1].name = "_Z4kernPf";
		t.fn[i + 1].op = "";
	}
	e[0]->call.tensors = t.tensor[1];
	t.tensor[1][0].dir = EKKA_INOUT;
	e[0]->data[0][EKKA_POST] = e[0]->data[0][EKKA_PRE];	/* the same bytes: not written */
	n = t.tensor[1][2].span_bytes;
	cr_assert_leq(n, sizeof changed);
	memcpy(changed, p.c, n);
	changed[40] ^= 1;	/* bytes 40 and 50 are in one sector, 130 in another */
	changed[50] ^= 1;
	changed[130] ^= 1;
	e[0]->data[2][EKKA_PRE].rec.id = e[0]->data[2][EKKA_POST].rec.id;
	e[0]->data[2][EKKA_POST].rec.id.b[0] = (uint8_t)t.n_blobs;
	t.blob[t.n_blobs] = changed;
	t.blob_bytes[t.n_blobs++] = n;
	t.attr[2][2] = (struct ekka_attr){ "op", { .kind = EKKA_V_STR, .s = "gemm" } };
	t.attr[3][2] = (struct ekka_attr){ "refused", { .kind = EKKA_V_STR, .s = "the grid is odd" } };
	t.attr[4][2] = (struct ekka_attr){ "description", { .kind = EKKA_V_STR, .s = "x.kd:4" } };
	e[1]->call.n_attrs = e[2]->call.n_attrs = e[3]->call.n_attrs = 3;
	r = replay(&t, (struct ekka_replay_options){ .threads = 1 }, &seen);
	cr_assert_eq(seen.n, 3u, "neither what computes nothing nor the driver's copies count");
	cr_expect_eq(r.ops, 3u);
	cr_expect_eq(seen.verdict[0].status, EKKA_UNSUPPORTED);
	cr_expect_str_eq(seen.verdict[0].reason, "no description of kernel kern(float*)");
	cr_expect_eq(seen.verdict[1].status, EKKA_PASS, "%s", seen.verdict[1].reason);
	cr_expect(strstr(seen.verdict[2].reason, "the grid is odd"));
	cr_expect_eq(r.bytes_total, 8u * 9 * 4 + 64, "two sectors of the first changed, nothing of the refused one");
	cr_expect_eq(r.bytes_judged, 8u * 9 * 4);
	ekka_report_release(&r);
	problem_release(&p);
}

Test(run, in_place_is_a_finding_for_products_only)
{
	static struct ekka_trace t;
	struct problem p = small(1);
	struct seen seen;
	struct ekka_report r;

	for (int k = 0; k < 3; k++) {
		struct ekka_tensor *x;

		fake_trace_init(&t);
		(void)fake_trace_add(&t, &p);
		x = t.tensor[1];
		x[1] = x[2];
		x[1].dir = EKKA_IN;
		x[1].addr += k == 2 ? x[1].stride[0] * 4 : 0;
		t.fn[1].op = k == 0 ? "gemm" : "elementwise";
		r = replay(&t, (struct ekka_replay_options){ 0 }, &seen);
		cr_expect_eq(strstr(seen.verdict[0].audit, "overlaps the input") != NULL, k != 1, "%d: %s", k, seen.verdict[0].audit);
		ekka_report_release(&r);
	}
	problem_release(&p);
}
