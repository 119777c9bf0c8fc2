/* SPDX-License-Identifier: Apache-2.0 */
/* What the encoder's files share: a frame under construction, and msgpack-c's packer with our conventions. Private to trace/. */
#ifndef EKKA_TRACE_PACK_H
#define EKKA_TRACE_PACK_H

#include "trace/encode.h"

#include <msgpack/pack.h>

struct pack_frame {
	struct ekka_buf *buf;
	size_t start;		/* of the frame in buf */
	size_t body;		/* of the body's first byte in buf */
	bool full;		/* something did not fit */
	msgpack_packer pk;
};

/* Starts a frame of n_items with `kind` and a body map of n_keys. */
void ekka_pack_begin(struct pack_frame *, struct ekka_buf *, unsigned n_items, const char *kind, uint32_t n_keys);

/* Closes the body and appends the check of all that the frame holds so far. */
void ekka_pack_body_end(struct pack_frame *);

/* Bytes of the frame, or 0 after taking everything back when it did not fit. */
size_t ekka_pack_end(struct pack_frame *);

void ekka_pack_str(struct pack_frame *, const char *s);			/* NULL: nil; cut after EKKA_MAX_STR */
void ekka_pack_bin(struct pack_frame *, const void *p, size_t n);	/* p NULL: nil */
void ekka_pack_key(struct pack_frame *, const char *key);
void ekka_pack_key_str(struct pack_frame *, const char *key, const char *s);
void ekka_pack_key_int(struct pack_frame *, const char *key, int64_t v);
void ekka_pack_key_uint(struct pack_frame *, const char *key, uint64_t v);
void ekka_pack_key_array(struct pack_frame *, const char *key, size_t n);
void ekka_pack_value(struct pack_frame *, const struct ekka_value *);

/* A bin 32 header for n bytes that follow. */
void ekka_pack_bin32_head(struct pack_frame *, uint32_t n);

#endif
