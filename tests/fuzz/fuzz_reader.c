/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target of the reader: bytes become a trace, which is opened and used in every way there is. Built with
 * EKKA_FUZZING, under which checks and hashes count as right, so that the fuzzer gets to what lies behind them.
 *
 * Input: length of the events file (2 bytes, little-endian), length of the blobs file (2 bytes), then the events, blobs and
 * index files one after another; what is missing at the end is empty.
 */
#include "trace/fsck.h"
#include "trace/reader.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_READ = 4 << 20 };

static const char *trace_dir(void)
{
	static char dir[64];

	if (dir[0])
		return dir;
	/* Memory, if there is such a place: thousands of traces a second are written. */
	(void)snprintf(dir, sizeof dir, "%s/ekka-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(dir)) {
		perror("fuzz_reader: mkdtemp");
		exit(1);
	}
	return dir;
}

static void remove_file(const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof path, "%s/%s", trace_dir(), name);
	(void)unlink(path);
}

static void remove_trace(void)
{
	remove_file("events-1-0.ekka");
	remove_file("blobs-1-0.ekka");
	remove_file("index-1-0.ekka");
	(void)rmdir(trace_dir());
}

static void write_file(const char *name, const uint8_t *p, size_t n)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof path, "%s/%s", trace_dir(), name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, p, n) != (ssize_t)n) {
		perror(path);
		exit(1);
	}
	(void)close(fd);
}

static size_t take(const uint8_t **p, size_t *left, size_t want)
{
	size_t n = want < *left ? want : *left;

	*p += n;
	*left -= n;
	return n;
}

static void write_trace(const uint8_t *data, size_t size)
{
	size_t n_events = (size_t)data[0] | (size_t)data[1] << 8;
	size_t n_blobs = (size_t)data[2] | (size_t)data[3] << 8;
	const uint8_t *p = data + 4, *at = p;
	size_t left = size - 4;

	n_events = take(&p, &left, n_events);
	write_file("events-1-0.ekka", at, n_events);
	at = p;
	n_blobs = take(&p, &left, n_blobs);
	write_file("blobs-1-0.ekka", at, n_blobs);
	write_file("index-1-0.ekka", p, left);
}

/* Every byte of a string is looked at, so that one without an end is noticed. */
static size_t touch(const char *s)
{
	return s ? strlen(s) : 0;
}

static size_t use_segment(const struct ekka_segment *s)
{
	size_t n = touch(s->file) + touch(s->open.exe) + touch(s->open.level) + touch(s->open.cpu);

	for (unsigned i = 0; i < s->open.n_argv; i++)
		n += touch(s->open.argv[i]);
	for (unsigned i = 0; s->closed && i < s->close.n_dropped; i++)
		n += touch(s->close.dropped[i].name);
	for (size_t i = 0; i < s->n_devices; i++)
		n += touch(s->devices[i].name);
	for (size_t i = 0; i < s->n_maps; i++)
		n += touch(s->maps[i].path) + (s->maps[i].build_id_len ? s->maps[i].build_id[s->maps[i].build_id_len - 1] : 0);
	return n;
}

static size_t use_data(struct ekka_trace *t, const struct ekka_rec_data *d)
{
	struct ekka_error err = { 0 };
	uint64_t size = 0;
	uint8_t *buf;
	size_t n = touch(d->missing);

	if (d->missing || !ekka_trace_blob_present(t, &d->id, &size) || size > MAX_READ)
		return n;
	buf = malloc(size + 1);
	if (buf && ekka_trace_blob_read(t, &d->id, 0, buf, size, &err) == 0)
		n += size;
	if (buf && size > 2 && ekka_trace_blob_read(t, &d->id, 1, buf, size - 2, &err) == 0)
		n += size;
	free(buf);
	return n;
}

static size_t touch_value(const struct ekka_value *v)
{
	size_t n = 1;

	if (v->kind == EKKA_V_STR)
		return touch(v->s);
	for (uint64_t i = 0; v->kind == EKKA_V_BIN && i < v->bin.n; i++)
		n += v->bin.p[i];
	return n;
}

static size_t use_event(struct ekka_trace *t, const struct ekka_event *ev)
{
	size_t n = touch(ev->fn->name) + touch(ev->fn->op) + touch(ev->call.bad_args);

	for (unsigned i = 0; i < ev->fn->n_args; i++)
		n += touch(ev->fn->args[i].name) + touch(ev->fn->args[i].type);
	for (unsigned i = 0; i < ev->call.n_args; i++)
		n += touch_value(&ev->call.args[i]);
	for (unsigned i = 0; i < ev->call.n_attrs; i++)
		n += touch(ev->call.attrs[i].name) + touch_value(&ev->call.attrs[i].value);
	for (unsigned i = 0; ev->stack && i < ev->stack->n_pc; i++)
		n += ev->stack->pc[i] & 1;
	for (unsigned i = 0; ev->stack && i < ev->stack->n_py; i++)
		n += touch(ev->stack->py[i].file) + touch(ev->stack->py[i].func);
	for (unsigned i = 0; i < ev->call.n_tensors; i++) {
		n += touch(ev->call.tensors[i].name) + ekka_dtype_bytes(ev->call.tensors[i].dtype);
		for (int ph = EKKA_PRE; ph <= EKKA_POST; ph++) {
			if (ev->data[i][ph].present)
				n += use_data(t, &ev->data[i][ph].rec);
		}
	}
	return n;
}

static int use_blob(const struct ekka_blob_info *info, void *arg)
{
	struct ekka_error err = { 0 };

	if (info->whole && info->size <= MAX_READ)
		(void)ekka_trace_blob_verify(arg, &info->id, &err);
	return 0;
}

/* So that no compiler finds out that nobody wants to know. */
static volatile size_t sum;

static void use_trace(struct ekka_trace *t)
{
	const struct ekka_fsck_options opt = { 0 };
	struct ekka_fsck_result result;
	struct ekka_event ev = { 0 };
	struct ekka_error err = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < ekka_trace_n_problems(t); i++)
		n += touch(ekka_trace_problem(t, i));
	for (size_t i = 0; i < ekka_trace_n_segments(t); i++)
		n += use_segment(ekka_trace_segment(t, i));
	for (uint64_t i = 1; i <= ekka_trace_n_events(t); i++) {
		if (ekka_trace_event_read(t, i, &ev, &err) == 0)
			n += use_event(t, &ev);
	}
	ekka_event_release(&ev);
	(void)ekka_trace_blobs_foreach(t, use_blob, t);
	(void)ekka_fsck_run(t, &opt, &result, &err);
	sum = n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int registered;
	struct ekka_error err = { 0 };
	struct ekka_trace *t;

	if (size < 4)
		return 0;
	if (!registered)
		registered = atexit(remove_trace) == 0;
	write_trace(data, size);
	if (ekka_trace_open(trace_dir(), &t, &err) == 0) {
		use_trace(t);
		ekka_trace_close(t);
	}
	return 0;
}
