/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trace that was cut or changed anywhere: it opens or says why not, and whatever it still gives is what was written. Two
 * rounds over every byte of every file of the sample.
 */
#include "trace/fsck.h"
#include "trace/hash.h"
#include "trace/reader.h"

#include "tests/unit/trace/trace_builder.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/ekka-damage-XXXXXX";
static uint8_t want_bytes[SAMPLE_BLOB_BYTES];

static void make_sample(void)
{
	cr_assert_not_null(mkdtemp(dir));
	trace_builder_sample(dir);
	trace_builder_sample_bytes(want_bytes);
}

static void remove_sample(void)
{
	char cmd[64];

	(void)snprintf(cmd, sizeof cmd, "rm -r %s", dir);
	cr_assert_eq(system(cmd), 0);
}

TestSuite(damage, .init = make_sample, .fini = remove_sample, .timeout = 120);

/* What identifies the sample's events, whatever number they have now. */
static bool is_known_event(const struct ekka_event *ev)
{
	const struct ekka_rec_call *c = &ev->call;

	switch (c->t_ns) {
	case 1000000000:
		return c->fn == 7 && c->n_args == 9 && c->n_tensors == 4 && c->tensors[0].dim[1] == 40 && c->tensors[3].stride[0] == -2;
	case 999999999:
		return c->fn == 0 && strcmp(c->bad_args, "lda < m") == 0 && c->n_tensors == 2 && c->tensors[1].dim[0] == 9500;
	case 0:
		return (c->fn == 99 && c->n_tensors == 0) || (c->fn == 0 && c->n_tensors == 1 && c->tensors[0].dim[0] == 8000);
	default:
		return false;
	}
}

static void check_blob(struct ekka_trace *t, const struct ekka_rec_data *d, const char *what)
{
	static uint8_t got[SAMPLE_BLOB_BYTES];
	struct ekka_error err = { 0 };

	if (d->missing)
		return;
	cr_assert_leq(d->bytes, SAMPLE_BLOB_BYTES, "%s", what);
	if (ekka_trace_blob_read(t, &d->id, 0, got, d->bytes, &err) == 0)
		cr_assert_eq(memcmp(got, want_bytes, d->bytes), 0, "%s: other bytes than were written", what);
	else
		cr_assert_neq(err.message[0], '\0');
}

/* Opens the trace, uses all of it, returns its number of events (0 when it does not open). */
static uint64_t use(const char *what)
{
	struct ekka_fsck_options opt = { 0 };
	struct ekka_fsck_result result;
	struct ekka_event ev = { 0 };
	struct ekka_error err = { 0 };
	struct ekka_trace *t;
	uint64_t n;

	if (ekka_trace_open(dir, &t, &err) < 0) {
		cr_assert_neq(err.message[0], '\0', "%s", what);
		return 0;
	}
	n = ekka_trace_n_events(t);
	for (uint64_t i = 1; i <= n; i++) {
		cr_assert_eq(ekka_trace_event_read(t, i, &ev, &err), 0, "%s: %s", what, err.message);
		cr_assert(is_known_event(&ev), "%s: event %lu is not what was written", what, (unsigned long)i);
		for (unsigned k = 0; k < ev.call.n_tensors; k++) {
			for (int ph = 0; ph < 2; ph++) {
				if (ev.data[k][ph].present)
					check_blob(t, &ev.data[k][ph].rec, what);
			}
		}
	}
	ekka_event_release(&ev);
	cr_assert_eq(ekka_fsck_run(t, &opt, &result, &err), 0, "%s", what);
	cr_assert_eq(result.events, n);
	ekka_trace_close(t);
	return n;
}

struct file {
	int fd;
	uint8_t *bytes;
	size_t n;
};

static struct file load(const char *name)
{
	char path[4096];
	struct file f;
	struct stat st;

	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	f.fd = open(path, O_RDWR);
	cr_assert(f.fd >= 0 && fstat(f.fd, &st) == 0);
	f.n = (size_t)st.st_size;
	f.bytes = malloc(f.n);
	cr_assert_eq(pread(f.fd, f.bytes, f.n, 0), (ssize_t)f.n);
	return f;
}

static void put_back(const struct file *f)
{
	cr_assert_eq(pwrite(f->fd, f->bytes, f->n, 0), (ssize_t)f->n);
}

static const char *const files[] = { "events-100-0.ekka", "blobs-100-0.ekka", "index-100-0.ekka", "events-101-0.ekka", "blobs-101-0.ekka" };

/* Every byte of what has structure; data of chunks, which one check covers, in steps. */
static size_t step_at(const char *name, size_t at, size_t n)
{
	return name[0] == 'b' && at > 700 && at + 300 < n ? 7 : 1;
}

Test(damage, cut_anywhere_gives_all_events_before_the_cut)
{
	for (size_t k = 0; k < sizeof files / sizeof *files; k++) {
		struct file f = load(files[k]);
		bool is_events = files[k][0] == 'e';
		uint64_t last = UINT64_MAX;
		char what[64];

		for (size_t at = f.n + 1; at-- > 0;) {
			uint64_t n;

			(void)snprintf(what, sizeof what, "%s cut at %zu", files[k], at);
			cr_assert_eq(ftruncate(f.fd, (off_t)at), 0);
			n = use(what);
			cr_assert(n <= last, "%s: %lu events, %lu with more bytes", what, (unsigned long)n, (unsigned long)last);
			cr_assert(is_events || n == 4, "%s: %lu events", what, (unsigned long)n);
			last = n;
			if (at > 0)
				at -= step_at(files[k], at, f.n) - 1;
		}
		cr_assert_eq(last, files[k][7] == '1' && is_events ? (k == 0 ? 1 : 3) : 4, "%s", files[k]);
		put_back(&f);
		cr_assert_eq(use("restored"), 4);
		free(f.bytes);
		(void)close(f.fd);
	}
}

Test(damage, a_changed_bit_anywhere_never_gives_anything_that_was_not_written)
{
	for (size_t k = 0; k < sizeof files / sizeof *files; k++) {
		struct file f = load(files[k]);
		char what[64];

		for (size_t at = 0; at < f.n; at += step_at(files[k], at, f.n)) {
			uint8_t flipped = f.bytes[at] ^ (uint8_t)(1u << (at % 8));

			(void)snprintf(what, sizeof what, "%s changed at %zu", files[k], at);
			cr_assert_eq(pwrite(f.fd, &flipped, 1, (off_t)at), 1);
			(void)use(what);
			cr_assert_eq(pwrite(f.fd, &f.bytes[at], 1, (off_t)at), 1);
		}
		cr_assert_eq(use("restored"), 4);
		free(f.bytes);
		(void)close(f.fd);
	}
}

static bool has_problem(struct ekka_trace *t, const char *text)
{
	for (size_t i = 0; i < ekka_trace_n_problems(t); i++) {
		if (strstr(ekka_trace_problem(t, i), text))
			return true;
	}
	return false;
}

Test(damage, a_problem_names_file_offset_and_cause)
{
	struct file f = load("events-100-0.ekka");
	struct ekka_error err = { 0 };
	struct ekka_trace *t;

	cr_assert_eq(ftruncate(f.fd, (off_t)f.n - 1), 0);
	cr_assert_eq(ekka_trace_open(dir, &t, &err), 0);
	cr_assert(has_problem(t, "events-100-0.ekka: offset "));
	cr_assert(has_problem(t, ": the file ends inside a record"));
	cr_assert_not(ekka_trace_segment(t, 0)->closed);
	ekka_trace_close(t);
	put_back(&f);
	f.bytes[f.n - 20] ^= 4;
	put_back(&f);
	cr_assert_eq(ekka_trace_open(dir, &t, &err), 0);
	cr_assert(has_problem(t, ": check mismatch"), "%s", ekka_trace_problem(t, 0));
	ekka_trace_close(t);
}

Test(damage, links_fifos_and_directories_are_refused_and_the_rest_is_used)
{
	char name[4096], target[4096];
	struct ekka_error err = { 0 };
	struct ekka_trace *t;

	(void)snprintf(name, sizeof name, "%s/events-9-0.ekka", dir);
	(void)snprintf(target, sizeof target, "%s/events-101-0.ekka", dir);
	cr_assert_eq(symlink(target, name), 0);
	(void)snprintf(name, sizeof name, "%s/events-8-0.ekka", dir);
	cr_assert_eq(mkfifo(name, 0600), 0);
	(void)snprintf(name, sizeof name, "%s/blobs-8-0.ekka", dir);
	cr_assert_eq(mkdir(name, 0700), 0);
	cr_assert_eq(ekka_trace_open(dir, &t, &err), 0);
	cr_assert_eq(ekka_trace_n_segments(t), 2);
	cr_assert_eq(ekka_trace_n_problems(t), 3);
	cr_assert(has_problem(t, "events-9-0.ekka: a symbolic link"));
	cr_assert(has_problem(t, "events-8-0.ekka: not a regular file"));
	cr_assert(has_problem(t, "blobs-8-0.ekka: not a regular file"));
	ekka_trace_close(t);
}

Test(damage, what_is_no_trace_is_refused_with_its_name)
{
	struct ekka_error err = { 0 };
	struct ekka_trace *t = NULL;
	char empty[] = "/tmp/ekka-empty-XXXXXX";

	cr_assert_eq(ekka_trace_open("/nonexistent/x.ekka", &t, &err), EKKA_ERR_IO);
	cr_assert(strstr(err.message, "/nonexistent/x.ekka"));
	cr_assert_not_null(mkdtemp(empty));
	cr_assert_eq(ekka_trace_open(empty, &t, &err), EKKA_ERR_FORMAT);
	cr_assert(strstr(err.message, empty));
	cr_assert_eq(rmdir(empty), 0);
	cr_assert_null(t);
}
