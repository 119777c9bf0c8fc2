/* SPDX-License-Identifier: Apache-2.0 */
/* Typed access to msgpack-c objects, with an error that sticks: check `bad` once at the end. Private to trace/. */
#ifndef EKKA_TRACE_UNPACK_H
#define EKKA_TRACE_UNPACK_H

#include "trace/decode.h"

#include <msgpack.h>

struct unpack {
	const struct ekka_decode_zones *zones;
	const char *bad;	/* first thing that was wrong (static text), or NULL */
};

/* The map in the body; an empty one after an error. */
msgpack_object ekka_unpack_body(struct unpack *, const uint8_t *body, size_t n);

/* The value of a key, NULL when it is absent or nil or m is no map. The first one counts if it is there twice. */
const msgpack_object *ekka_unpack_find(const msgpack_object *m, const char *key);

/* Conversions of one object; NULL gives zero, "" or no bytes, and so does nil for text and bytes. */
uint64_t ekka_unpack_u64(struct unpack *, const msgpack_object *);
int64_t ekka_unpack_i64(struct unpack *, const msgpack_object *);
uint32_t ekka_unpack_u32(struct unpack *, const msgpack_object *);
int32_t ekka_unpack_i32(struct unpack *, const msgpack_object *);
const char *ekka_unpack_str(struct unpack *, const msgpack_object *);		/* NUL-terminated copy, ends at the first NUL */
const char *ekka_unpack_str_or_null(struct unpack *, const msgpack_object *);
const uint8_t *ekka_unpack_bin(struct unpack *, const msgpack_object *, unsigned *ret_len);	/* copy, or NULL */
struct ekka_value ekka_unpack_value(struct unpack *, const msgpack_object *);

/* Items of an array, at most `max`; nothing when it is NULL. */
const msgpack_object *ekka_unpack_array(struct unpack *, const msgpack_object *, uint32_t max, uint32_t *ret_n);

/* Zeroed memory for n items; NULL when n is 0 or after an error. */
void *ekka_unpack_alloc(struct unpack *, size_t n, size_t item_bytes);

#endif
