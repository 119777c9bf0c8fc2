/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/frame.h"

#include "trace/encode.h"
#include "trace/hash.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ARRAY3 = 0x93, ARRAY4 = 0x94, FIXSTR = 0xa0, BIN32 = 0xc6, UINT64 = 0xcf };
enum { BIN_HEAD = 5, CHECK_BYTES = 9 };

static uint64_t be(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

bool ekka_frame_is(const struct ekka_frame *f, const char *kind)
{
	return f->kind_bytes == strlen(kind) && memcmp(f->kind, kind, f->kind_bytes) == 0;
}

bool ekka_frame_check(const struct ekka_frame *f)
{
#ifdef EKKA_FUZZING	/* a fuzzer does not find XXH3 preimages; what lies behind the check is what it is to try */
	(void)f;
	return true;
#else
	return ekka_check64(f->start, (size_t)(f->body - f->start) + f->body_bytes) == f->check;
#endif
}

static int too_few(size_t need, size_t *ret_need)
{
	*ret_need = need;
	return 0;
}

static int no_frame(const char *why, const char **ret_why)
{
	*ret_why = why;
	return EKKA_ERR_FORMAT;
}

int ekka_frame_parse(const uint8_t *p, size_t n, struct ekka_frame *ret, size_t *ret_need, const char **ret_why)
{
	struct ekka_frame f = { .start = p };
	size_t at;

	if (n < 2)
		return too_few(2, ret_need);
	if ((p[0] != ARRAY3 && p[0] != ARRAY4) || (p[1] & 0xe0) != FIXSTR)
		return no_frame("no record starts here", ret_why);
	f.has_data = p[0] == ARRAY4;
	f.kind = p + 2;
	f.kind_bytes = p[1] & 0x1f;
	at = 2 + f.kind_bytes;
	if (n < at + BIN_HEAD)
		return too_few(at + BIN_HEAD, ret_need);
	if (p[at] != BIN32)
		return no_frame("a record without a body", ret_why);
	f.body_bytes = be(p + at + 1, 4);
	if (f.body_bytes > EKKA_MAX_BODY_BYTES)
		return no_frame("a record with a body of more than 1 MiB", ret_why);
	at += BIN_HEAD;
	f.body = p + at;
	at += f.body_bytes;
	f.head_bytes = at + CHECK_BYTES + (f.has_data ? BIN_HEAD : 0);
	if (n < f.head_bytes)
		return too_few(f.head_bytes, ret_need);
	if (p[at] != UINT64)
		return no_frame("a record without a check", ret_why);
	f.check = be(p + at + 1, 8);
	at += CHECK_BYTES;
	if (f.has_data) {
		if (p[at] != BIN32)
			return no_frame("a chunk without data", ret_why);
		f.data_bytes = (uint32_t)be(p + at + 1, 4);
	}
	*ret = f;
	return 1;
}

int ekka_scan_init(struct ekka_scan *s, struct ekka_file *file, size_t step, struct ekka_error *err)
{
	*s = (struct ekka_scan){ .file = file, .step = step, .fd = ekka_file_borrow(file, err) };
	return s->fd < 0 ? s->fd : 0;
}

void ekka_scan_release(struct ekka_scan *s)
{
	free(s->buf);
	s->buf = NULL;
	ekka_file_return(s->file, s->fd);
}

/* Makes `need` bytes available from s->pos on, or as many as the file has. */
static int fill(struct ekka_scan *s, size_t need, struct ekka_error *err)
{
	uint64_t at = s->base + s->pos;
	uint64_t left = s->file->size - at;
	size_t want = need > s->step ? need : s->step;
	int rc;

	if (want > left)
		want = (size_t)left;
	if (want > s->cap) {
		uint8_t *grown = realloc(s->buf, want);

		if (!grown)
			return ekka_error_set(err, EKKA_ERR_NOMEM, "%s: out of memory", s->file->name);
		s->buf = grown;
		s->cap = want;
	}
	/* Bytes of a record that was cut by the end of the buffer are kept and completed. */
	s->len = s->pos < s->len ? s->len - s->pos : 0;
	if (s->len > 0)
		memmove(s->buf, s->buf + s->pos, s->len);
	s->base = at;
	s->pos = 0;
	rc = ekka_file_read(s->file, s->fd, at + s->len, s->buf + s->len, want - s->len, err);
	if (rc < 0)
		return rc;
	s->len = want;
	return 0;
}

static int damage(const struct ekka_scan *s, uint64_t at, const char *what, struct ekka_error *err)
{
	return ekka_error_set(err, EKKA_ERR_FORMAT, "%s: offset %" PRIu64 ": %s", s->file->name, at, what);
}

int ekka_scan_next(struct ekka_scan *s, struct ekka_frame *ret, uint64_t *ret_at, struct ekka_error *err)
{
	uint64_t at = s->base + s->pos;
	uint64_t left = s->file->size - at;
	const char *why = NULL;
	size_t need = 0;
	int rc;

	*ret_at = at;
	if (left == 0)
		return 0;
	for (;;) {
		rc = s->pos < s->len ? ekka_frame_parse(s->buf + s->pos, s->len - s->pos, ret, &need, &why)
				     : too_few(2, &need);
		if (rc != 0)
			break;
		if (need > left)
			return damage(s, at, "the file ends inside a record (killed while writing, or still being written)", err);
		rc = fill(s, need, err);
		if (rc < 0)
			return rc;
	}
	if (rc < 0)
		return damage(s, at, why, err);
	if (ret->data_bytes > left - ret->head_bytes)
		return damage(s, at, "the file ends inside a chunk (killed while writing, or still being written)", err);
	if (!ekka_frame_check(ret))
		return damage(s, at, "check mismatch: the record's bytes are not those that were written", err);
	s->pos += ret->head_bytes + ret->data_bytes;
	return 1;
}
