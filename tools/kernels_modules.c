/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/kernels_modules.h"

#include "tools/command.h"
#include "tools/json.h"
#include "tools/message.h"
#include "tools/term.h"
#include "tools/text.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PIECE_BYTES = 1 << 20 };

/* One content; processes of one trace may each have a record of it. */
struct module {
	const struct ekka_rec_module *rec;	/* the trace's */
	const char **kernels;			/* names, the trace's */
	size_t n_kernels;
	uint64_t launches;
};
static struct { struct module *m; size_t n; uint64_t unknown; /* launches of kernels whose module is not known */ } all;

const char *ekka_blob_name(const struct ekka_blob_id *id, char buf[EKKA_BLOB_NAME])
{
	for (size_t i = 0; i < sizeof(id->b); i++)
		(void)snprintf(buf + 2 * i, 3, "%02x", id->b[i]);
	return buf;
}

static void *one_more(void *array, size_t n, size_t item_bytes)
{
	if (n & (n - 1))	/* grows in powers of two */
		return array;
	array = reallocarray(array, n ? 2 * n : 1, item_bytes);
	if (!array)
		exit(ekka_fatal("out of memory"));
	return array;
}

static bool same(const struct ekka_rec_module *a, const struct ekka_rec_module *b)
{
	return a == b || (!a->missing && !b->missing && memcmp(&a->blob, &b->blob, sizeof(a->blob)) == 0);
}

static struct module *module_of(const struct ekka_rec_module *rec)
{
	for (size_t i = 0; i < all.n; i++)
		if (same(all.m[i].rec, rec))
			return &all.m[i];
	all.m = one_more(all.m, all.n, sizeof(*all.m));
	all.m[all.n] = (struct module){ .rec = rec };
	return &all.m[all.n++];
}

static void add_kernel(struct module *m, const char *name)
{
	for (size_t i = 0; i < m->n_kernels; i++)
		if (strcmp(m->kernels[i], name) == 0)
			return;
	m->kernels = one_more(m->kernels, m->n_kernels, sizeof(*m->kernels));
	m->kernels[m->n_kernels++] = name;
}

int ekka_kernels_modules_collect(struct ekka_trace *trace, bool (*wanted)(const char *name))
{
	int status = EKKA_EXIT_CLEAN;
	struct ekka_error err = { 0 };
	struct ekka_event e = { 0 };
	struct module *m;

	for (uint64_t i = 1; i <= ekka_trace_n_events(trace); i++) {
		if (ekka_trace_event_read(trace, i, &e, &err) < 0) {
			ekka_message("event %" PRIu64 ": %s", i, err.message);
			status = EKKA_EXIT_FATAL;
		} else if (strcmp(e.fn->library, "kernel") != 0 || !wanted(e.fn->name)) {
			continue;
		} else if (!ekka_event_module(&e)) {
			all.unknown++;
		} else {
			m = module_of(ekka_event_module(&e));
			m->launches++;
			add_kernel(m, e.fn->name);
		}
	}
	ekka_event_release(&e);
	return status;
}

static void print_json(const struct module *m)
{
	struct json_object *o = ekka_json_object(), *kernels = ekka_json_array();
	char name[EKKA_BLOB_NAME];

	ekka_json_add_text(o, "blob", m->rec->missing ? NULL : ekka_blob_name(&m->rec->blob, name));
	ekka_json_add_text(o, "missing", m->rec->missing);
	ekka_json_add_text(o, "kind", m->rec->kind);
	ekka_json_add_uint(o, "bytes", m->rec->bytes);
	ekka_json_add_uint(o, "of_bytes", m->rec->of_bytes);
	ekka_json_add_uint(o, "launches", m->launches);
	for (size_t i = 0; i < m->n_kernels; i++)
		ekka_json_append(kernels, ekka_json_text(m->kernels[i]));
	ekka_json_add(o, "kernels", kernels);
	ekka_json_print(o, false);
}

static void print_row(const struct module *m)
{
	char name[EKKA_BLOB_NAME], bytes[32], text[256];

	printf("%9" PRIu64 "  %7zu  %9s  %-6s  ", m->launches, m->n_kernels, ekka_text_bytes(m->rec->bytes, bytes, sizeof(bytes)),
	       ekka_text_fit(m->rec->kind, 6, text, sizeof(text)));
	if (m->rec->missing)
		printf("missing: %s\n", ekka_text_fit(m->rec->missing, 0, text, sizeof(text)));
	else
		printf("%s\n", ekka_blob_name(&m->rec->blob, name));
}

void ekka_kernels_modules_print(bool json)
{
	if (!json)
		printf("%s%9s  %7s  %9s  %-6s  %s%s\n", ekka_colour(EKKA_BOLD), "LAUNCHES", "KERNELS", "SIZE", "KIND", "CONTENT", ekka_colour(EKKA_PLAIN));
	for (size_t i = 0; i < all.n; i++) {
		if (json)
			print_json(&all.m[i]);
		else
			print_row(&all.m[i]);
	}
	if (!json && all.unknown > 0)
		printf("%9" PRIu64 "  launches of kernels whose module is not known\n", all.unknown);
}

/* What a file of that kind is called; the kind comes from the trace. */
static const char *suffix(const char *kind)
{
	return strcmp(kind, "cubin") == 0 ? "cubin" : strcmp(kind, "ptx") == 0 ? "ptx" : "fatbin";
}

/* The bytes as they are; of PTX without the NUL, which is no text. */
static int write_blob(struct ekka_trace *trace, const struct ekka_rec_module *rec, FILE *f, struct ekka_error *err)
{
	uint64_t bytes = strcmp(rec->kind, "ptx") == 0 && rec->bytes ? rec->bytes - 1 : rec->bytes;
	unsigned char *piece = malloc(PIECE_BYTES);
	int r = piece ? 0 : ekka_error_set(err, EKKA_ERR_NOMEM, "out of memory");

	for (uint64_t at = 0; at < bytes && !r; at += PIECE_BYTES) {
		size_t n = bytes - at < PIECE_BYTES ? (size_t)(bytes - at) : PIECE_BYTES;

		r = ekka_trace_blob_read(trace, &rec->blob, at, piece, n, err);
		if (!r && fwrite(piece, 1, n, f) != n)
			r = ekka_error_set(err, EKKA_ERR_IO, "cannot write: %s", strerror(errno));
	}
	free(piece);
	return r;
}

static int extract_one(struct ekka_trace *trace, const struct ekka_rec_module *rec, const char *dir)
{
	char name[EKKA_BLOB_NAME], path[PATH_MAX];
	struct ekka_error err = { 0 };
	FILE *f;
	int r;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s.%s", dir, ekka_blob_name(&rec->blob, name), suffix(rec->kind)) >= sizeof(path))
		return ekka_fatal("the path of the folder is too long");
	f = fopen(path, "we");
	if (!f)
		return ekka_fatal("cannot create '%s': %s", path, strerror(errno));
	r = write_blob(trace, rec, f, &err);
	if (fclose(f) != 0 && !r)
		r = ekka_error_set(&err, EKKA_ERR_IO, "cannot write: %s", strerror(errno));
	if (r)
		return ekka_fatal("'%s': %s", path, err.message);
	puts(path);
	return EKKA_EXIT_CLEAN;
}

int ekka_kernels_modules_extract(struct ekka_trace *trace, const char *dir)
{
	int status = EKKA_EXIT_CLEAN;

	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return ekka_fatal("cannot create '%s': %s", dir, strerror(errno));
	for (size_t i = 0; i < all.n && !status; i++)
		if (!all.m[i].rec->missing)
			status = extract_one(trace, all.m[i].rec, dir);
	return status;
}

void ekka_kernels_modules_release(void)
{
	for (size_t i = 0; i < all.n; i++)
		free(all.m[i].kernels);
	free(all.m);
}
