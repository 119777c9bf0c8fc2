/* SPDX-License-Identifier: Apache-2.0 */
/* fsck finds what is wrong, and nothing in what is right. */
#include "trace/fsck.h"

#include "tests/unit/trace/trace_builder.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static char dir[] = "/tmp/ekka-fsck-XXXXXX";
static const struct ekka_rec_open open_rec = { .version = EKKA_FORMAT_VERSION, .pid = 1, .level = "full" };
static struct ekka_fsck_result result;
static char findings[16][1024];
static unsigned n_findings;
static uint64_t last_done, last_total;

static void make_dir(void)
{
	cr_assert_not_null(mkdtemp(dir));
}

static void remove_all(void)
{
	char cmd[64];

	(void)snprintf(cmd, sizeof cmd, "rm -r %s", dir);
	cr_assert_eq(system(cmd), 0);
}

TestSuite(fsck, .init = make_dir, .fini = remove_all, .timeout = 60);

static void on_finding(void *arg, enum ekka_fsck_severity severity, const char *text)
{
	(void)arg;
	(void)severity;
	if (n_findings < 16)
		(void)snprintf(findings[n_findings++], sizeof findings[0], "%s", text);
}

static void on_progress(void *arg, uint64_t done, uint64_t total)
{
	(void)arg;
	cr_assert(done > last_done && done <= total);
	last_done = done;
	last_total = total;
}

static void run(void)
{
	const struct ekka_fsck_options opt = { .finding = on_finding, .progress = on_progress };
	struct ekka_error err = { 0 };
	struct ekka_trace *t;

	n_findings = 0;
	last_done = 0;
	cr_assert_eq(ekka_trace_open(dir, &t, &err), 0, "%s", err.message);
	cr_assert_eq(ekka_fsck_run(t, &opt, &result, &err), 0, "%s", err.message);
	cr_assert_eq(n_findings, result.damage + result.notes);
	ekka_trace_close(t);
}

static bool found(const char *text)
{
	for (unsigned i = 0; i < n_findings; i++) {
		if (strstr(findings[i], text))
			return true;
	}
	return false;
}

static const struct ekka_tensor tensor = { .name = "A\x1b[2J", .dir = EKKA_IN, .dtype = EKKA_U8, .n_dims = 1, .dim = { 100 }, .stride = { 1 },
					   .span_bytes = 100, .alias_of = -1, .pre = true };

/* A complete call with one tensor; data as given, or none. */
static void put_event(struct trace_builder *b, uint64_t event, const struct ekka_rec_data *data)
{
	ekka_encode_call(&b->buf, &(struct ekka_rec_call){ .event = event, .tensors = &tensor, .n_tensors = 1 });
	if (data)
		ekka_encode_data(&b->buf, data);
	ekka_encode_ret(&b->buf, &(struct ekka_rec_ret){ .event = event });
	ekka_encode_end(&b->buf, &(struct ekka_rec_end){ .event = event });
	trace_builder_put(b);
}

static void put_close(struct trace_builder *b, uint64_t events)
{
	ekka_encode_close(&b->buf, &(struct ekka_rec_close){ .events = events, .why = "exit" });
	trace_builder_put(b);
}

static void begin(struct trace_builder *b)
{
	trace_builder_begin(b, dir, &open_rec, 0);
	ekka_encode_fn(&b->buf, &(struct ekka_rec_fn){ .id = 0, .name = "f" });
	trace_builder_put(b);
}

Test(fsck, a_sound_trace_has_no_findings)
{
	struct ekka_rec_data d = { .event = 1, .bytes = 100 };
	uint8_t bytes[100] = { 1 };
	struct trace_builder b;

	begin(&b);
	d.id = trace_builder_blob(&b, bytes, sizeof bytes);
	put_event(&b, 1, &d);
	put_close(&b, 1);
	trace_builder_finish(&b, dir, &open_rec, 0, true);
	run();
	cr_assert_eq(n_findings, 0, "%s", findings[0]);
	cr_assert_eq(result.events, 1);
	cr_assert_eq(result.complete_events, 1);
	cr_assert_eq(result.blobs, 1);
	cr_assert_eq(result.blob_bytes, 100);
	cr_assert_gt(result.stored_bytes, 0);
	cr_assert_eq(result.unused_blobs, 0);
	cr_assert_eq(last_done, last_total);
}

Test(fsck, references_that_lead_nowhere_are_damage)
{
	struct ekka_rec_data d = { .event = 1, .bytes = 100, .id = { { 1 } } };
	uint8_t bytes[99] = { 1 };
	struct trace_builder b;

	begin(&b);
	put_event(&b, 1, &d);		/* a blob that is not there */
	d.id = trace_builder_blob(&b, bytes, sizeof bytes);
	d.event = 2;
	put_event(&b, 2, &d);		/* of another size than the data record says */
	d.event = 3;
	d.bytes = 99;
	put_event(&b, 3, &d);		/* which is not the tensor's */
	put_event(&b, 4, NULL);		/* nothing about the tensor */
	ekka_encode_call(&b.buf, &(struct ekka_rec_call){ .event = 5, .fn = 8, .stack = 9 });
	trace_builder_put(&b);		/* no such function, no such stack; never returned */
	put_close(&b, 17);
	trace_builder_finish(&b, dir, &open_rec, 0, true);
	run();
	cr_assert_eq(result.damage, 7);
	cr_assert_eq(result.notes, 1);
	cr_assert(found("event 1: the bytes of 'A?[2J' are not in the trace"));
	cr_assert(found("event 2: data of 'A?[2J' has 100 bytes, the blob it names 99"));
	cr_assert(found("event 3: 'A?[2J' spans 100 bytes, its data record says 99"));
	cr_assert(found("event 4: no data record says what became of the bytes of 'A?[2J' before the call"));
	cr_assert(found("event 5: its function 8 is not in the trace"));
	cr_assert(found("event 5: its stack 9 is not in the trace"));
	cr_assert(found("event 5: '?' never returned"));
	cr_assert(found("events-1-0.ekka: the trailer counts 17 events, the file has 5"));
}

Test(fsck, bytes_that_found_no_room_are_noted)
{
	struct ekka_rec_data d = { .event = 1, .bytes = 100, .missing = "disk" };
	struct ekka_count drop = { "disk", 1 };
	struct trace_builder b;

	begin(&b);
	put_event(&b, 1, &d);
	ekka_encode_close(&b.buf, &(struct ekka_rec_close){ .events = 1, .dropped = &drop, .n_dropped = 1, .why = "exit" });
	trace_builder_put(&b);
	trace_builder_finish(&b, dir, &open_rec, 0, true);
	run();
	cr_assert_eq(result.damage, 0);
	cr_assert_eq(result.notes, 2);
	cr_assert(found("event 1: bytes of 'A?[2J' before the call were not recorded: disk"));
	cr_assert(found("1 dropped: disk"));
}

Test(fsck, a_full_disk_excuses_no_record_that_names_lost_bytes)
{
	struct ekka_rec_data d = { .event = 1, .bytes = 100, .id = { { 1 } } };
	struct ekka_count drop = { "disk", 1 };
	struct trace_builder b;

	begin(&b);
	put_event(&b, 1, &d);
	ekka_encode_close(&b.buf, &(struct ekka_rec_close){ .events = 1, .dropped = &drop, .n_dropped = 1, .why = "exit" });
	trace_builder_put(&b);
	trace_builder_finish(&b, dir, &open_rec, 0, true);
	run();
	cr_assert_eq(result.damage, 1);
	cr_assert(found("event 1: the bytes of 'A?[2J' are not in the trace"));
}

Test(fsck, bytes_that_do_not_have_their_name_are_damage)
{
	struct ekka_rec_chunk c = { .id = { { 7 } }, .size = 3, .raw_bytes = 3, .codec = EKKA_CODEC_RAW, .data_bytes = 3 };
	struct trace_builder b;

	begin(&b);
	c.data_check = 0x9a7a6c31e2c1c5d6;	/* not theirs */
	cr_assert_gt(ekka_encode_chunk_head(&b.buf, &c), 0);
	cr_assert_eq(fwrite(b.buf.data, b.buf.len, 1, b.blobs), 1);
	b.buf.len = 0;
	cr_assert_eq(fwrite("abc", 3, 1, b.blobs), 1);
	put_close(&b, 0);
	trace_builder_finish(&b, dir, &open_rec, 0, true);
	run();
	cr_assert_eq(result.damage, 1);
	cr_assert(found("check mismatch in a chunk's data"));
	cr_assert_eq(result.unused_blobs, 1);
}

Test(fsck, what_a_killed_process_leaves_is_noted)
{
	struct ekka_rec_data d = { .event = 1, .missing = "budget" };
	struct trace_builder b;

	begin(&b);
	put_event(&b, 1, &d);
	trace_builder_finish(&b, dir, &open_rec, 0, false);
	run();
	cr_assert_eq(result.damage, 0);
	cr_assert_eq(result.notes, 2);
	cr_assert(found("bytes of 'A?[2J' before the call were not recorded: budget"));
	cr_assert(found("no trailer"));
}

Test(fsck, the_reader_s_problems_are_damage)
{
	struct trace_builder b;

	begin(&b);
	ekka_encode_ret(&b.buf, &(struct ekka_rec_ret){ .event = 3 });
	trace_builder_put(&b);
	put_close(&b, 0);
	trace_builder_finish(&b, dir, &open_rec, 0, true);
	run();
	cr_assert_eq(result.damage, 1);
	cr_assert(found("'ret' record: belongs to no call before it"));
}
