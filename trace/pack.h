/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the encoder's files share: a frame under construction, and msgpack-c's packer with our conventions. Private to trace/.
 *
 * Inline, and msgpack-c's template is instantiated with an inline append: one call record is some 300 appends of a
 * few bytes, and a call through the packer's write callback for each took longer than everything else in a recorded call.
 */
#ifndef EKKA_TRACE_PACK_H
#define EKKA_TRACE_PACK_H

#include "trace/encode.h"

#include <limits.h>
#include <string.h>

#define EKKA_PACK_INLINE static inline __attribute__((always_inline))

struct pack_frame {
	struct ekka_buf *buf;
	uint8_t *at, *end;	/* where the next byte goes; behind the last one that there is room for */
	uint8_t *body;		/* first byte of the body */
	bool full;		/* something did not fit */
};

static inline int ekka_pack_append(struct pack_frame *f, const void *p, size_t n)
{
	if (n > (size_t)(f->end - f->at)) {
		f->full = true;
		f->end = f->at;		/* nor does anything shorter that follows */
		return -1;
	}
	memcpy(f->at, p, n);
	f->at += n;
	return 0;
}

#include <msgpack/sysdep.h>
#include <msgpack/timestamp.h>
#define msgpack_pack_user struct pack_frame *
#define msgpack_pack_inline_func(name) static inline int ekka_mp ## name
#define msgpack_pack_inline_func_cint(name) static inline int ekka_mp ## name
#define msgpack_pack_inline_func_fixint(name) static inline int ekka_mp_fix ## name
#define msgpack_pack_append_buffer(user, bytes, n) return ekka_pack_append(user, bytes, n)
#include <msgpack/pack_template.h>

/* Starts a frame of n_items with `kind` and a body map of n_keys. */
void ekka_pack_begin(struct pack_frame *, struct ekka_buf *, unsigned n_items, const char *kind, uint32_t n_keys);

/* Closes the body and appends the check of all that the frame holds so far. */
void ekka_pack_body_end(struct pack_frame *);

/* Bytes of the frame, which `buf` holds from now on, or 0 when it did not fit. */
size_t ekka_pack_end(struct pack_frame *);

/* A bin 32 header for n bytes that follow. */
void ekka_pack_bin32_head(struct pack_frame *, uint32_t n);

void ekka_pack_value(struct pack_frame *, const struct ekka_value *v);

/* NULL: nil; cut after EKKA_MAX_STR. */
static inline void ekka_pack_str(struct pack_frame *f, const char *s)
{
	size_t n;

	if (!s) {
		(void)ekka_mp_nil(f);
		return;
	}
	n = strnlen(s, EKKA_MAX_STR);
	(void)ekka_mp_str(f, n);
	(void)ekka_mp_str_body(f, s, n);
}

/* p NULL: nil. */
static inline void ekka_pack_bin(struct pack_frame *f, const void *p, size_t n)
{
	if (!p) {
		(void)ekka_mp_nil(f);
		return;
	}
	(void)ekka_mp_bin(f, n);
	(void)ekka_mp_bin_body(f, p, n);
}

/*
 * A key of fewer than 32 characters, as a fixstr. Inlined by force, as are those below: its length is then known when this is
 * compiled, and what is left of it is a comparison and a few stores.
 */
EKKA_PACK_INLINE void ekka_pack_key(struct pack_frame *f, const char *key)
{
	size_t n = strlen(key);

	if (n + 1 > (size_t)(f->end - f->at)) {
		(void)ekka_pack_append(f, key, n + 1);		/* which says that it does not fit */
		return;
	}
	f->at[0] = (uint8_t)(0xa0 | n);
	memcpy(f->at + 1, key, n);
	f->at += n + 1;
}

EKKA_PACK_INLINE void ekka_pack_key_str(struct pack_frame *f, const char *key, const char *s)
{
	ekka_pack_key(f, key);
	ekka_pack_str(f, s);
}

EKKA_PACK_INLINE void ekka_pack_key_int(struct pack_frame *f, const char *key, int64_t v)
{
	ekka_pack_key(f, key);
	(void)ekka_mp_int64(f, v);
}

EKKA_PACK_INLINE void ekka_pack_key_uint(struct pack_frame *f, const char *key, uint64_t v)
{
	ekka_pack_key(f, key);
	(void)ekka_mp_uint64(f, v);
}

EKKA_PACK_INLINE void ekka_pack_key_array(struct pack_frame *f, const char *key, size_t n)
{
	ekka_pack_key(f, key);
	(void)ekka_mp_array(f, n);
}

#endif
