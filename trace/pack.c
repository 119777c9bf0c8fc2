/* SPDX-License-Identifier: Apache-2.0 */
/* Frames and values. Zone: also used inside the host process; see encode.h for the rules. */
#include "trace/pack.h"

#include "trace/hash.h"

#include <string.h>

enum { BIN32 = 0xc6, BIN32_HEAD_BYTES = 5 };

static int append(void *data, const char *p, size_t n)
{
	struct pack_frame *f = data;
	struct ekka_buf *b = f->buf;

	if (f->full || n > b->cap - b->len) {
		f->full = true;
		return -1;
	}
	memcpy(b->data + b->len, p, n);
	b->len += n;
	return 0;
}

static void put_be32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

void ekka_pack_bin32_head(struct pack_frame *f, uint32_t n)
{
	uint8_t head[BIN32_HEAD_BYTES] = { BIN32 };

	put_be32(head + 1, n);
	(void)append(f, (const char *)head, sizeof head);
}

void ekka_pack_begin(struct pack_frame *f, struct ekka_buf *buf, unsigned n_items, const char *kind, uint32_t n_keys)
{
	f->buf = buf;
	f->start = buf->len;
	f->full = false;
	msgpack_packer_init(&f->pk, f, append);
	(void)msgpack_pack_array(&f->pk, n_items);
	ekka_pack_key(f, kind);
	ekka_pack_bin32_head(f, 0);	/* ekka_pack_body_end fills in the length */
	f->body = buf->len;
	(void)msgpack_pack_map(&f->pk, n_keys);
}

void ekka_pack_body_end(struct pack_frame *f)
{
	size_t n;

	if (f->full)
		return;
	n = f->buf->len - f->body;
	if (n > EKKA_MAX_BODY_BYTES) {
		f->full = true;
		return;
	}
	put_be32(f->buf->data + f->body - sizeof(uint32_t), (uint32_t)n);
	(void)msgpack_pack_fix_uint64(&f->pk, ekka_check64(f->buf->data + f->start, f->buf->len - f->start));
}

size_t ekka_pack_end(struct pack_frame *f)
{
	if (f->full) {
		f->buf->len = f->start;
		f->buf->overflow = true;
		return 0;
	}
	return f->buf->len - f->start;
}

void ekka_pack_str(struct pack_frame *f, const char *s)
{
	if (s)
		(void)msgpack_pack_str_with_body(&f->pk, s, strnlen(s, EKKA_MAX_STR));
	else
		(void)msgpack_pack_nil(&f->pk);
}

void ekka_pack_bin(struct pack_frame *f, const void *p, size_t n)
{
	if (p)
		(void)msgpack_pack_bin_with_body(&f->pk, p, n);
	else
		(void)msgpack_pack_nil(&f->pk);
}

void ekka_pack_key(struct pack_frame *f, const char *key)
{
	(void)msgpack_pack_str_with_body(&f->pk, key, strlen(key));
}

void ekka_pack_key_str(struct pack_frame *f, const char *key, const char *s)
{
	ekka_pack_key(f, key);
	ekka_pack_str(f, s);
}

void ekka_pack_key_int(struct pack_frame *f, const char *key, int64_t v)
{
	ekka_pack_key(f, key);
	(void)msgpack_pack_int64(&f->pk, v);
}

void ekka_pack_key_uint(struct pack_frame *f, const char *key, uint64_t v)
{
	ekka_pack_key(f, key);
	(void)msgpack_pack_uint64(&f->pk, v);
}

void ekka_pack_key_array(struct pack_frame *f, const char *key, size_t n)
{
	ekka_pack_key(f, key);
	(void)msgpack_pack_array(&f->pk, n);
}

void ekka_pack_value(struct pack_frame *f, const struct ekka_value *v)
{
	switch (v->kind) {
	case EKKA_V_INT:
		(void)msgpack_pack_int64(&f->pk, v->i);
		return;
	case EKKA_V_UINT:
		(void)msgpack_pack_uint64(&f->pk, v->u);
		return;
	case EKKA_V_REAL:
		(void)msgpack_pack_double(&f->pk, v->r[0]);
		return;
	case EKKA_V_COMPLEX:
		(void)msgpack_pack_array(&f->pk, 2);
		(void)msgpack_pack_double(&f->pk, v->r[0]);
		(void)msgpack_pack_double(&f->pk, v->r[1]);
		return;
	case EKKA_V_PTR:
		(void)msgpack_pack_array(&f->pk, 1);
		(void)msgpack_pack_uint64(&f->pk, v->u);
		return;
	case EKKA_V_STR:
		ekka_pack_str(f, v->s);
		return;
	case EKKA_V_NIL:
		break;
	}
	(void)msgpack_pack_nil(&f->pk);
}
