/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/mp.h"

#include <string.h>

enum mp_type { MP_UINT, MP_STR, MP_BIN, MP_ARRAY, MP_MAP, MP_OTHER };

struct mp {
	const uint8_t *p, *end;
};

struct mp_item {
	enum mp_type type;
	uint64_t u;		/* value, bytes or items */
	const uint8_t *p;	/* of a str or bin */
};

static uint64_t be(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

/* A big-endian number of n bytes at the cursor. */
static bool take_be(struct mp *m, unsigned n, uint64_t *ret)
{
	if ((size_t)(m->end - m->p) < n)
		return false;
	*ret = be(m->p, n);
	m->p += n;
	return true;
}

static bool take_bytes(struct mp *m, uint64_t n, struct mp_item *it)
{
	if ((uint64_t)(m->end - m->p) < n)
		return false;
	it->p = m->p;
	it->u = n;
	m->p += n;
	return true;
}

/* Bytes whose length is a number of len_bytes, plus `extra` (the type byte of an ext). */
static bool take_sized(struct mp *m, unsigned len_bytes, unsigned extra, struct mp_item *it)
{
	uint64_t n;

	return take_be(m, len_bytes, &n) && take_bytes(m, n + extra, it);
}

static bool next_long(struct mp *m, uint8_t b, struct mp_item *it)
{
	switch (b) {
	case 0xc0: case 0xc2: case 0xc3:			/* nil, false, true */
		return true;
	case 0xc4: case 0xc5: case 0xc6:			/* bin */
		it->type = MP_BIN;
		return take_sized(m, 1u << (b - 0xc4), 0, it);
	case 0xc7: case 0xc8: case 0xc9:			/* ext */
		return take_sized(m, 1u << (b - 0xc7), 1, it);
	case 0xca: case 0xcb:					/* float */
		return take_bytes(m, b == 0xca ? 4 : 8, it);
	case 0xcc: case 0xcd: case 0xce: case 0xcf:		/* uint */
		it->type = MP_UINT;
		return take_be(m, 1u << (b - 0xcc), &it->u);
	case 0xd0: case 0xd1: case 0xd2: case 0xd3:		/* int */
		return take_bytes(m, 1u << (b - 0xd0), it);
	case 0xd4: case 0xd5: case 0xd6: case 0xd7: case 0xd8:	/* fixext */
		return take_bytes(m, (1u << (b - 0xd4)) + 1, it);
	case 0xd9: case 0xda: case 0xdb:			/* str */
		it->type = MP_STR;
		return take_sized(m, 1u << (b - 0xd9), 0, it);
	case 0xdc: case 0xdd:					/* array */
		it->type = MP_ARRAY;
		return take_be(m, b == 0xdc ? 2 : 4, &it->u);
	case 0xde: case 0xdf:					/* map */
		it->type = MP_MAP;
		return take_be(m, b == 0xde ? 2 : 4, &it->u);
	default:						/* 0xc1 is not used by msgpack */
		return false;
	}
}

/* Reads one object; of a container only the head. */
static bool next(struct mp *m, struct mp_item *it)
{
	uint8_t b;

	if (m->p == m->end)
		return false;
	b = *m->p++;
	*it = (struct mp_item){ .type = MP_OTHER };
	if (b < 0x80) {
		it->type = MP_UINT;
		it->u = b;
		return true;
	}
	if (b < 0x90) {
		it->type = MP_MAP;
		it->u = b & 0x0f;
		return true;
	}
	if (b < 0xa0) {
		it->type = MP_ARRAY;
		it->u = b & 0x0f;
		return true;
	}
	if (b < 0xc0) {
		it->type = MP_STR;
		return take_bytes(m, b & 0x1f, it);
	}
	if (b >= 0xe0)
		return true;
	return next_long(m, b, it);
}

/* Objects inside a container, 0 for anything else; every object takes a byte at least, so more than what is left is a lie. */
static bool n_inside(const struct mp *m, const struct mp_item *it, uint64_t *ret)
{
	*ret = it->type == MP_ARRAY ? it->u : it->type == MP_MAP ? 2 * it->u : 0;
	return *ret <= (uint64_t)(m->end - m->p);
}

/* Passes over one object whose head was read into *it, with everything in it; it lies `depth` containers deep. */
static bool skip_rest(struct mp *m, struct mp_item *it, unsigned depth)
{
	uint64_t left[EKKA_MP_MAX_NESTING];
	unsigned top = 0;
	uint64_t n;

	for (;;) {
		if (!n_inside(m, it, &n))
			return false;
		if (n > 0) {
			if (depth + top >= EKKA_MP_MAX_NESTING)
				return false;
			left[top++] = n;
		}
		while (top > 0 && left[top - 1] == 0)
			top--;
		if (top == 0)
			return true;
		left[top - 1]--;
		if (!next(m, it))
			return false;
	}
}

bool ekka_mp_valid(const uint8_t *p, size_t n)
{
	struct mp m = { p, p + n };
	struct mp_item it;

	return next(&m, &it) && skip_rest(&m, &it, 0) && m.p == m.end;
}

static struct ekka_mp_want *find_want(struct ekka_mp_want *wants, unsigned n_wants, const struct mp_item *key)
{
	for (unsigned i = 0; i < n_wants; i++) {
		if (strlen(wants[i].key) == key->u && memcmp(wants[i].key, key->p, key->u) == 0)
			return &wants[i];
	}
	return NULL;
}

bool ekka_mp_peek(const uint8_t *p, size_t n, struct ekka_mp_want *wants, unsigned n_wants)
{
	struct mp m = { p, p + n };
	unsigned n_found = 0;
	struct mp_item it;
	uint64_t n_keys;

	if (!next(&m, &it) || it.type != MP_MAP || !n_inside(&m, &it, &n_keys))
		return false;
	for (n_keys = it.u; n_keys > 0 && n_found < n_wants; n_keys--) {
		struct ekka_mp_want *w;

		if (!next(&m, &it) || it.type != MP_STR)
			return false;
		w = find_want(wants, n_wants, &it);
		if (!next(&m, &it))
			return false;
		if (w && !w->found && it.type == (w->is_array ? MP_ARRAY : w->is_bin ? MP_BIN : MP_UINT)) {
			w->found = true;
			w->u = it.u;
			w->p = w->is_array ? m.p : it.p;
			n_found++;
		}
		if (!skip_rest(&m, &it, 1))
			return false;
	}
	return n_found == n_wants;
}

bool ekka_mp_take_uints(const uint8_t **p, const uint8_t *end, uint64_t *ret, unsigned n)
{
	struct mp m = { *p, end };
	struct mp_item it;

	if (!next(&m, &it) || it.type != MP_ARRAY || it.u != n)
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (!next(&m, &it) || it.type != MP_UINT)
			return false;
		ret[i] = it.u;
	}
	*p = m.p;
	return true;
}
