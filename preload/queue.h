/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one FIFO between the engine's threads and the sink thread: a ring of entries in one mapping of EKKA_MEMORY
 * bytes. Zone: inside the host process.
 *
 * Any thread reserves an entry, fills it and commits it; the sink thread takes them in the order of reservation, which thereby is the
 * order of records in the file. No allocation after ekka_queue_open.
 */
#ifndef EKKA_PRELOAD_QUEUE_H
#define EKKA_PRELOAD_QUEUE_H

#include "preload/lock.h"
#include "trace/model.h"

struct ekka_cuda_copy;
struct ekka_cuda_timing;
struct ekka_image;

enum ekka_entry_kind {
	EKKA_ENTRY_VOID,	/* nothing: padding, or given up */
	EKKA_ENTRY_FRAME,	/* payload: encoded frames of the events file */
	EKKA_ENTRY_BLOB,	/* payload: all bytes of a blob */
	EKKA_ENTRY_PIECE,	/* payload: bytes of a blob from `offset`; a blob that is too large for one entry */
	EKKA_ENTRY_KNOWN,	/* a blob that went before */
	EKKA_ENTRY_ABORT,	/* a blob in pieces whose bytes changed while they were read */
	EKKA_ENTRY_COPY,	/* bytes on their way from a device */
	EKKA_ENTRY_SAME,	/* the bytes of an earlier copy */
	EKKA_ENTRY_IMAGE,	/* of GPU code, in memory */
	EKKA_ENTRY_TIME,	/* an event's GPU time, not known yet */
};

struct ekka_entry {
	uint64_t bytes;			/* of the whole entry in the ring */
	uint64_t used;			/* of the payload */
	_Atomic uint32_t ready;
	uint32_t kind;
	unsigned generation;		/* segment */
	struct {			/* the `data` or `time` record that the sink makes of it */
		uint64_t event;
		uint32_t tensor;
		enum ekka_phase phase;
		uint64_t size;		/* of the blob */
		uint64_t offset;	/* PIECE */
		uint64_t place;		/* address in the program that the blob's bytes have one behind another; 0: they have not */
		struct ekka_blob_id id;
		bool hashed;		/* COPY: id is set */
		struct ekka_cuda_copy *copy;
		struct ekka_cuda_timing *timing;	/* TIME */
		struct ekka_image *image;	/* IMAGE */
		uint64_t serial;	/* COPY, SAME: of the snapshot, preload/versions.h; IMAGE: number of its record */
	} data;
	_Alignas(64) uint8_t payload[];
};

/* Maps the ring. False when there is no memory. Again after ekka_queue_forget: keeps the mapping. */
bool ekka_queue_open(uint64_t bytes);

/* In a forked child: empties the ring, whatever state the parent's threads had left it in. */
void ekka_queue_forget(void);

/* For tests: another time than EKKA_PATIENCE_MS. */
void ekka_queue_set_patience(unsigned ms);

/* Largest payload that one entry takes. */
uint64_t ekka_queue_max_payload(void);

/*
 * Room for `payload` bytes. When the ring is full: NULL at once, or (`wait`) as soon as there is room, or NULL when
 * the sink has made no progress for EKKA_PATIENCE_MS; after that at once, until it makes some. The entry must be committed.
 */
struct ekka_entry *ekka_queue_reserve(uint64_t payload, bool wait);

/* Hands the entry over; kind, used and data are set. The sink is told by ekka_queue_kick only. */
void ekka_queue_commit(struct ekka_entry *);
void ekka_queue_kick(void);

/* Sink: the next entry, or NULL when there is none within `ms`. pop frees its memory for producers. */
struct ekka_entry *ekka_queue_peek(unsigned ms);
void ekka_queue_pop(struct ekka_entry *);

/* Sink: the entry behind the one at *position, which becomes its position; NULL when it is not there yet. The first is at ekka_queue_taken. */
struct ekka_entry *ekka_queue_ahead(uint64_t *position);

/* Position behind the newest entry; and the sink's report that all before `position` is in the files. */
uint64_t ekka_queue_position(void);
uint64_t ekka_queue_taken(void);	/* position up to which the sink has popped */
void ekka_queue_written(uint64_t position);

/* Waits until all before `position` is in the files; false when the sink makes no progress for EKKA_PATIENCE_MS. */
bool ekka_queue_wait_written(uint64_t position);

#endif
