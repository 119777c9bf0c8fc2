/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/unpack.h"

#include "trace/mp.h"

#include <string.h>

static void bad(struct unpack *u, const char *what)
{
	if (!u->bad)
		u->bad = what;
}

msgpack_object ekka_unpack_body(struct unpack *u, const uint8_t *body, size_t n)
{
	msgpack_object obj = { .type = MSGPACK_OBJECT_MAP };
	size_t at = 0;

	/* msgpack-c reserves memory by the counts it reads and recurses as deep as it is told: look first. */
	if (!ekka_mp_valid(body, n))
		bad(u, "the body is no valid msgpack object");
	else if (msgpack_unpack((const char *)body, n, &at, u->zones->temp, &obj) != MSGPACK_UNPACK_SUCCESS)
		bad(u, "msgpack-c cannot decode the body");
	else if (obj.type != MSGPACK_OBJECT_MAP)
		bad(u, "the body is no map");
	if (u->bad)
		obj = (msgpack_object){ .type = MSGPACK_OBJECT_MAP };
	return obj;
}

const msgpack_object *ekka_unpack_find(const msgpack_object *m, const char *key)
{
	size_t n = strlen(key);

	if (!m || m->type != MSGPACK_OBJECT_MAP)
		return NULL;
	for (uint32_t i = 0; i < m->via.map.size; i++) {
		const msgpack_object_kv *kv = &m->via.map.ptr[i];

		if (kv->key.type == MSGPACK_OBJECT_STR && kv->key.via.str.size == n && memcmp(kv->key.via.str.ptr, key, n) == 0)
			return kv->val.type == MSGPACK_OBJECT_NIL ? NULL : &kv->val;
	}
	return NULL;
}

uint64_t ekka_unpack_u64(struct unpack *u, const msgpack_object *o)
{
	if (!o)
		return 0;
	if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
		return o->via.u64;
	bad(u, "a value that should be an unsigned integer is not");
	return 0;
}

int64_t ekka_unpack_i64(struct unpack *u, const msgpack_object *o)
{
	if (!o)
		return 0;
	if (o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
		return o->via.i64;
	if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER && o->via.u64 <= INT64_MAX)
		return (int64_t)o->via.u64;
	bad(u, "a value that should be an integer is not, or is too large");
	return 0;
}

uint32_t ekka_unpack_u32(struct unpack *u, const msgpack_object *o)
{
	uint64_t v = ekka_unpack_u64(u, o);

	if (v > UINT32_MAX)
		bad(u, "an integer is out of range");
	return (uint32_t)v;
}

int32_t ekka_unpack_i32(struct unpack *u, const msgpack_object *o)
{
	int64_t v = ekka_unpack_i64(u, o);

	if (v < INT32_MIN || v > INT32_MAX)
		bad(u, "an integer is out of range");
	return (int32_t)v;
}

const char *ekka_unpack_str(struct unpack *u, const msgpack_object *o)
{
	char *s;

	if (!o || o->type == MSGPACK_OBJECT_NIL)
		return "";
	if (o->type != MSGPACK_OBJECT_STR) {
		bad(u, "a value that should be text is not");
		return "";
	}
	s = msgpack_zone_malloc_no_align(u->zones->keep, (size_t)o->via.str.size + 1);
	if (!s) {
		bad(u, "out of memory");
		return "";
	}
	memcpy(s, o->via.str.ptr, o->via.str.size);
	s[o->via.str.size] = '\0';
	return s;
}

const char *ekka_unpack_str_or_null(struct unpack *u, const msgpack_object *o)
{
	return o ? ekka_unpack_str(u, o) : NULL;
}

const uint8_t *ekka_unpack_bin(struct unpack *u, const msgpack_object *o, unsigned *ret_len)
{
	uint8_t *p;

	*ret_len = 0;
	if (!o || o->type == MSGPACK_OBJECT_NIL)
		return NULL;
	if (o->type != MSGPACK_OBJECT_BIN) {
		bad(u, "a value that should be bytes is not");
		return NULL;
	}
	p = ekka_unpack_alloc(u, o->via.bin.size, 1);
	if (p) {
		memcpy(p, o->via.bin.ptr, o->via.bin.size);
		*ret_len = o->via.bin.size;
	}
	return p;
}

static double real(struct unpack *u, const msgpack_object *o)
{
	if (o->type == MSGPACK_OBJECT_FLOAT32 || o->type == MSGPACK_OBJECT_FLOAT64)
		return o->via.f64;
	bad(u, "a value that should be a real is not");
	return 0;
}

/* A number in brackets is an address, two of them are a complex number. */
static struct ekka_value array_value(struct unpack *u, const msgpack_object *o)
{
	struct ekka_value v = { .kind = EKKA_V_NIL };

	if (o->via.array.size == 1) {
		v.kind = EKKA_V_PTR;
		v.u = ekka_unpack_u64(u, &o->via.array.ptr[0]);
	} else if (o->via.array.size == 2) {
		v.kind = EKKA_V_COMPLEX;
		v.r[0] = real(u, &o->via.array.ptr[0]);
		v.r[1] = real(u, &o->via.array.ptr[1]);
	} else {
		bad(u, "a value of a call is of no known kind");
	}
	return v;
}

struct ekka_value ekka_unpack_value(struct unpack *u, const msgpack_object *o)
{
	struct ekka_value v = { .kind = EKKA_V_NIL };
	unsigned n;

	if (!o)
		return v;
	switch (o->type) {
	case MSGPACK_OBJECT_NIL:
		break;
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		v.kind = o->via.u64 <= INT64_MAX ? EKKA_V_INT : EKKA_V_UINT;
		v.u = o->via.u64;
		break;
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		v.kind = EKKA_V_INT;
		v.i = o->via.i64;
		break;
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		v.kind = EKKA_V_REAL;
		v.r[0] = o->via.f64;
		break;
	case MSGPACK_OBJECT_STR:
		v.kind = EKKA_V_STR;
		v.s = ekka_unpack_str(u, o);
		break;
	case MSGPACK_OBJECT_BIN:
		v.kind = EKKA_V_BIN;
		v.bin.p = ekka_unpack_bin(u, o, &n);
		v.bin.n = n;
		break;
	case MSGPACK_OBJECT_ARRAY:
		v = array_value(u, o);
		break;
	default:
		bad(u, "a value of a call is of no known kind");
	}
	return v;
}

const msgpack_object *ekka_unpack_array(struct unpack *u, const msgpack_object *o, uint32_t max, uint32_t *ret_n)
{
	*ret_n = 0;
	if (!o)
		return NULL;
	if (o->type != MSGPACK_OBJECT_ARRAY) {
		bad(u, "a value that should be an array is not");
		return NULL;
	}
	if (o->via.array.size > max) {
		bad(u, "an array has too many items");
		return NULL;
	}
	*ret_n = o->via.array.size;
	return o->via.array.ptr;
}

void *ekka_unpack_alloc(struct unpack *u, size_t n, size_t item_bytes)
{
	void *p;

	if (n == 0 || u->bad)
		return NULL;
	p = msgpack_zone_malloc(u->zones->keep, n * item_bytes);	/* n is bounded by the bytes of a body */
	if (p)
		memset(p, 0, n * item_bytes);
	else
		bad(u, "out of memory");
	return p;
}
