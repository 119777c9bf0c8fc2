/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a trace's blobs, whole in memory and shared. Most are read more than once: an engine's weights by every step, what one op wrote by the
 * next, all of them by the audit; reading is decompression, and costs more than what is then done with most of them. What nobody holds is kept until it was
 * used as often as was expected, or until there is no room: the least recently used goes first. New memory is dear, too: it comes zeroed from the kernel. All
 * functions but those that say otherwise may be called from several threads at once.
 */
#ifndef EKKA_REPLAY_BLOBS_H
#define EKKA_REPLAY_BLOBS_H

#include "trace/reader.h"

struct ekka_blobs;

/* room: bytes that are kept at most, those that are held among them; what is held may exceed it. NULL: no memory. */
struct ekka_blobs *ekka_blobs_new(uint64_t room);
void ekka_blobs_free(struct ekka_blobs *);	/* nobody holds any more; NULL is fine */

/*
 * One more event will use this blob: before anything else, from one thread. Of blobs that were never expected nothing is known, and too little memory to
 * keep count does no harm.
 */
void ekka_blobs_expect(struct ekka_blobs *, const struct ekka_blob_id *);
void ekka_blobs_used(struct ekka_blobs *, const struct ekka_blob_id *);	/* that event is done with it; blobs NULL is fine */

/*
 * All `bytes` bytes of a blob, not to be written, until they are let go; blobs NULL: read for this caller alone. 0, or negative with err filled when the
 * blob is damaged or there is no memory.
 */
int ekka_blobs_hold(struct ekka_blobs *, struct ekka_trace *, const struct ekka_blob_id *, uint64_t bytes, const unsigned char **ret,
		    struct ekka_error *err);
void ekka_blobs_let_go(const unsigned char *bytes);	/* NULL is fine */

/*
 * A second copy of held bytes, on a device, that lives as long as they are kept: made by the first who asks, for all. make: its address, 0 when it cannot be
 * had, which is asked again next time. drop: with it gone; must not call here. What asks must outlive the blobs.
 */
struct ekka_mirror {
	uint64_t (*make)(void *arg, const unsigned char *bytes, uint64_t n);
	void *arg;
	void (*drop)(void *owner, uint64_t copy, uint64_t n);
	void *owner;
};
uint64_t ekka_blobs_mirror(const unsigned char *held, const struct ekka_mirror *);

/* A part of a blob into buf: from memory if it happens to be there, and else as ekka_trace_blob_read has it. */
int ekka_blobs_read(struct ekka_blobs *, struct ekka_trace *, const struct ekka_blob_id *, uint64_t offset, void *buf, size_t len,
		    struct ekka_error *err);

#endif
