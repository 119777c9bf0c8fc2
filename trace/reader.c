/* SPDX-License-Identifier: Apache-2.0 */
/* Opens a trace: finds its files, scans them, puts the segments in order. */
#include "trace/reader.h"

#include "trace/reader_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	MAX_PROBLEMS = 1000,
	MAX_FILES = 65536,	/* of one kind; a directory with more is not a trace that anybody recorded */
	MAX_KEPT_OPEN = 128,
};

int ekka_grow(void **p, size_t n, size_t *cap, size_t item_bytes)
{
	size_t want = *cap ? *cap * 2 : 32;
	void *grown;

	if (n < *cap)
		return 0;
	if (n >= UINT32_MAX - 1)	/* indices are kept in 32 bits */
		return EKKA_ERR_NOMEM;
	grown = realloc(*p, want * item_bytes);
	if (!grown)
		return EKKA_ERR_NOMEM;
	*p = grown;
	*cap = want;
	return 0;
}

static bool push_line(struct ekka_trace *t, const char *line)
{
	void *p = t->problems;
	char *copy = strdup(line);

	if (!copy || ekka_grow(&p, t->n_problems, &t->cap_problems, sizeof *t->problems) < 0) {
		free(copy);
		return false;
	}
	t->problems = p;
	t->problems[t->n_problems++] = copy;
	return true;
}

void ekka_trace_add_problem(struct ekka_trace *t, const char *fmt, ...)
{
	char line[sizeof((struct ekka_error *)0)->message];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	if (t->n_problems >= MAX_PROBLEMS || !push_line(t, line))
		t->n_unlisted++;
}

size_t ekka_trace_n_problems(const struct ekka_trace *t)
{
	return t->n_problems;
}

const char *ekka_trace_problem(const struct ekka_trace *t, size_t i)
{
	return i < t->n_problems ? t->problems[i] : "";
}

/* PREFIX, digits and dashes, ".ekka": nothing that could be a surprise when it is printed. */
static bool is_named(const char *name, const char *prefix)
{
	if (strncmp(name, prefix, strlen(prefix)) != 0)
		return false;
	name += strlen(prefix);
	return strcmp(name + strspn(name, "0123456789-"), ".ekka") == 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_names(char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

/* Names in the directory that start with prefix, sorted, so that a trace reads the same everywhere. */
static int list_files(struct ekka_trace *t, const char *prefix, char ***ret_names, size_t *ret_n, struct ekka_error *err)
{
	size_t n = 0, cap = 0;
	char **names = NULL;
	struct dirent *e;
	int fd = openat(t->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		int saved = errno;

		if (fd >= 0)
			(void)close(fd);
		return ekka_error_set(err, EKKA_ERR_IO, "cannot list the trace's directory: %s", strerror(saved));
	}
	while ((e = readdir(dir))) {
		void *p = names;

		if (!is_named(e->d_name, prefix))
			continue;
		if (n == MAX_FILES) {
			ekka_trace_add_problem(t, "more than %d files '%s*': the others are not read", MAX_FILES, prefix);
			break;
		}
		if (ekka_grow(&p, n, &cap, sizeof *names) == 0) {
			names = p;
			names[n] = strdup(e->d_name);
		}
		if (!p || !names[n]) {
			free_names(names, n);
			(void)closedir(dir);
			return ekka_error_set(err, EKKA_ERR_NOMEM, "out of memory");
		}
		n++;
	}
	(void)closedir(dir);
	if (n > 0)
		qsort(names, n, sizeof *names, by_name);
	*ret_names = names;
	*ret_n = n;
	return 0;
}

/* One events file. What keeps it from being a segment becomes a problem; negative only when out of memory. */
static int add_segment(struct ekka_trace *t, const char *name, struct ekka_error *why)
{
	void *p = t->segments;
	struct segment *g;
	int rc;

	if (ekka_grow(&p, t->n_segments, &t->cap_segments, sizeof *t->segments) < 0)
		return ekka_error_set(why, EKKA_ERR_NOMEM, "out of memory");
	t->segments = p;
	g = &t->segments[t->n_segments];
	*g = (struct segment){ .file.fd = -1 };
	if (!msgpack_zone_init(&g->zone, MSGPACK_ZONE_CHUNK_SIZE))
		return ekka_error_set(why, EKKA_ERR_NOMEM, "out of memory");
	rc = ekka_file_open(&g->file, t->dir_fd, name, t->n_segments < MAX_KEPT_OPEN, why);
	if (rc == 0)
		rc = ekka_segment_scan(t, g, why);
	if (rc == 0) {
		t->n_segments++;
		return 0;
	}
	ekka_segment_release(g);
	if (rc == EKKA_ERR_NOMEM)
		return rc;
	ekka_trace_add_problem(t, "%s", why->message);
	return 0;
}

static int by_start(const void *pa, const void *pb)
{
	const struct segment *a = pa, *b = pb;

	if (a->pub.open.unix_ns != b->pub.open.unix_ns)
		return a->pub.open.unix_ns < b->pub.open.unix_ns ? -1 : 1;
	return strcmp(a->file.name, b->file.name);
}

static int open_segments(struct ekka_trace *t, const char *path, struct ekka_error *err)
{
	struct ekka_error why = { 0 };
	char **names;
	size_t n;
	int rc = list_files(t, "events-", &names, &n, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add_segment(t, names[i], &why);
	free_names(names, n);
	if (rc < 0)
		return ekka_error_set(err, rc, "%s", why.message);
	if (t->n_segments == 0 && n == 0)
		return ekka_error_set(err, EKKA_ERR_FORMAT, "no trace: no file events-*.ekka in '%s'", path);
	if (t->n_segments == 0)
		return ekka_error_set(err, why.code, "%s", why.message);
	qsort(t->segments, t->n_segments, sizeof *t->segments, by_start);
	for (size_t i = 0; i < t->n_segments; i++) {
		t->segments[i].pub.first_event = t->n_events + 1;
		t->n_events += t->segments[i].n_events;
	}
	return 0;
}

static int open_blob_files(struct ekka_trace *t, struct ekka_error *err)
{
	struct ekka_error why = { 0 };
	char **names;
	size_t n;
	int rc = list_files(t, "blobs-", &names, &n, err);

	if (rc < 0)
		return rc;
	if (n > 0)
		t->blob_files = calloc(n, sizeof *t->blob_files);
	for (size_t i = 0; t->blob_files && i < n; i++) {
		if (ekka_file_open(&t->blob_files[t->n_blob_files], t->dir_fd, names[i], i < MAX_KEPT_OPEN, &why) == 0)
			t->n_blob_files++;
		else
			ekka_trace_add_problem(t, "%s", why.message);
	}
	free_names(names, n);
	if (n > 0 && !t->blob_files)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "out of memory");
	return 0;
}

int ekka_trace_open(const char *path, struct ekka_trace **ret_trace, struct ekka_error *err)
{
	struct ekka_trace *t = calloc(1, sizeof *t);
	int rc;

	if (!t)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "out of memory");
	(void)pthread_mutex_init(&t->lock, NULL);
	t->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->dir_fd < 0) {
		rc = ekka_error_set(err, EKKA_ERR_IO, "cannot open trace '%s': %s", path, strerror(errno));
		goto fail;
	}
	/* Events before blobs: in a trace that is still growing, what a data record names was stored before it. */
	rc = open_segments(t, path, err);
	if (rc == 0)
		rc = open_blob_files(t, err);
	if (rc == 0)
		rc = ekka_blobs_scan(t, &t->blobs, true, false, &t->indexed, err);
	if (rc < 0)
		goto fail;
	if (t->n_unlisted > 0) {
		char line[64];

		(void)snprintf(line, sizeof line, "and %" PRIu64 " further problems", t->n_unlisted);
		(void)push_line(t, line);
	}
	*ret_trace = t;
	return 0;
fail:
	ekka_trace_close(t);
	return rc;
}

void ekka_trace_close(struct ekka_trace *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n_segments; i++)
		ekka_segment_release(&t->segments[i]);
	free(t->segments);
	for (size_t i = 0; i < t->n_blob_files; i++)
		ekka_file_close(&t->blob_files[i]);
	free(t->blob_files);
	ekka_blob_table_release(&t->blobs);
	ekka_blob_table_release(&t->scanned);
	ekka_scratch_free_all(t);
	for (size_t i = 0; i < t->n_problems; i++)
		free(t->problems[i]);
	free(t->problems);
	if (t->dir_fd >= 0)
		(void)close(t->dir_fd);
	(void)pthread_mutex_destroy(&t->lock);
	free(t);
}

size_t ekka_trace_n_segments(const struct ekka_trace *t)
{
	return t->n_segments;
}

const struct ekka_segment *ekka_trace_segment(const struct ekka_trace *t, size_t i)
{
	return i < t->n_segments ? &t->segments[i].pub : NULL;
}

uint64_t ekka_trace_n_events(const struct ekka_trace *t)
{
	return t->n_events;
}
