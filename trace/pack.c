/* SPDX-License-Identifier: Apache-2.0 */
/* Frames and values. Zone: also used inside the host process; see encode.h for the rules. */
#include "trace/pack.h"

#include "trace/hash.h"

enum { BIN32 = 0xc6, BIN32_HEAD_BYTES = 5 };

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
	(void)ekka_pack_append(f, head, sizeof head);
}

void ekka_pack_begin(struct pack_frame *f, struct ekka_buf *buf, unsigned n_items, const char *kind, uint32_t n_keys)
{
	f->buf = buf;
	f->at = buf->data + buf->len;
	f->end = buf->data + buf->cap;
	f->full = false;
	(void)ekka_mp_array(f, n_items);
	ekka_pack_key(f, kind);
	ekka_pack_bin32_head(f, 0);	/* ekka_pack_body_end fills in the length */
	f->body = f->at;
	(void)ekka_mp_map(f, n_keys);
}

void ekka_pack_body_end(struct pack_frame *f)
{
	const uint8_t *start = f->buf->data + f->buf->len;
	size_t n;

	if (f->full)
		return;
	n = (size_t)(f->at - f->body);
	if (n > EKKA_MAX_BODY_BYTES) {
		f->full = true;
		return;
	}
	put_be32(f->body - sizeof(uint32_t), (uint32_t)n);
	(void)ekka_mp_fix_uint64(f, ekka_check64(start, (size_t)(f->at - start)));
}

size_t ekka_pack_end(struct pack_frame *f)
{
	size_t before = f->buf->len;

	if (f->full) {
		f->buf->overflow = true;
		return 0;
	}
	f->buf->len = (size_t)(f->at - f->buf->data);
	return f->buf->len - before;
}

void ekka_pack_value(struct pack_frame *f, const struct ekka_value *v)
{
	switch (v->kind) {
	case EKKA_V_INT:
		(void)ekka_mp_int64(f, v->i);
		return;
	case EKKA_V_UINT:
		(void)ekka_mp_uint64(f, v->u);
		return;
	case EKKA_V_REAL:
		(void)ekka_mp_double(f, v->r[0]);
		return;
	case EKKA_V_COMPLEX:
		(void)ekka_mp_array(f, 2);
		(void)ekka_mp_double(f, v->r[0]);
		(void)ekka_mp_double(f, v->r[1]);
		return;
	case EKKA_V_PTR:
		(void)ekka_mp_array(f, 1);
		(void)ekka_mp_uint64(f, v->u);
		return;
	case EKKA_V_STR:
		ekka_pack_str(f, v->s);
		return;
	case EKKA_V_BIN:
		ekka_pack_bin(f, v->bin.p, v->bin.n);
		return;
	case EKKA_V_NIL:
		break;
	}
	(void)ekka_mp_nil(f);
}
