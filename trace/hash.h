/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two hashes of the format, both from xxHash: XXH3-64 guards frames against damage,
 * XXH3-128 names blobs. Neither resists an adversary; the reader does not rely on that.
 * No allocation, no errno change; safe from any thread.
 */
#ifndef EKKA_TRACE_HASH_H
#define EKKA_TRACE_HASH_H

#include "trace/model.h"

/* XXH3-64 of n bytes. */
uint64_t ekka_check64(const void *p, size_t n);

/* The id of a blob of n bytes that lie in one piece. */
struct ekka_blob_id ekka_blob_id_of(const void *p, size_t n);

/* The id of a blob that arrives in pieces: init, update any number of times, final. Belongs to one thread. */
struct ekka_blob_hash {
	_Alignas(64) unsigned char state[576];
};
void ekka_blob_hash_init(struct ekka_blob_hash *);
void ekka_blob_hash_update(struct ekka_blob_hash *, const void *p, size_t n);
struct ekka_blob_id ekka_blob_hash_final(const struct ekka_blob_hash *);

#endif
