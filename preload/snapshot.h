/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of one tensor at one moment, on their way to the trace. Zone: inside the host process.
 *
 * Two implementations: snapshot_host.c copies in the calling thread; cuda*.c enqueues a
 * stream-ordered copy and hands over a *job* whose bytes become ready later. Everything goes
 * through one FIFO queue (preload/queue.h), so that an event's records keep their order in the
 * file whenever the bytes arrive; the sink thread alone waits for a job.
 *
 * event.c calls ekka_snapshot_host or ekka_snapshot_device, by ekka_tensor.place, between
 * ekka_call_enter and the real call (EKKA_PRE), and after the real call (EKKA_POST).
 */
#ifndef EKKA_PRELOAD_SNAPSHOT_H
#define EKKA_PRELOAD_SNAPSHOT_H

#include "preload/capture.h"

/*
 * Takes call->tensors[tensor] now. Each ends in exactly one `data` record, by one of the four
 * functions below; neither fails. Calling thread, never blocks on a device, no malloc.
 */
void ekka_snapshot_host(struct ekka_call *call, unsigned tensor, enum ekka_phase phase);
void ekka_snapshot_device(struct ekka_call *call, unsigned tensor, enum ekka_phase phase);

enum ekka_job_state {
	EKKA_JOB_READY,		/* data is valid until release */
	EKKA_JOB_PENDING,	/* not within the time given */
	EKKA_JOB_FAILED,	/* `missing` says why */
};

/*
 * Bytes that become ready later. The memory of the structure belongs to whoever implements it,
 * from ekka_snapshot_job on until `release` is called: exactly once, on the sink thread in
 * queue order, or in the calling thread when the queue is full and the job is dropped.
 */
struct ekka_snapshot_job {
	/*
	 * Sink thread. Waits at most `ms` milliseconds (0: only looks). The sink calls again while PENDING, and gives the job up
	 * (missing "timeout") after EKKA_JOB_TIMEOUT_MS. Must not take a lock that the engine may hold for long. The sink
	 * thread may have no CUDA context current: set it here if needed.
	 */
	enum ekka_job_state (*wait)(struct ekka_snapshot_job *, unsigned ms);
	void (*release)(struct ekka_snapshot_job *);	/* returns the staging buffer; any thread; must not block */
	const void *data;				/* `bytes` bytes on the host, set by wait before it returns READY */
	uint64_t bytes;					/* set before ekka_snapshot_job */
	const char *missing;				/* static text, set by wait before it returns FAILED */
};
enum { EKKA_JOB_TIMEOUT_MS = 60000 };

/* Queues a job. When it cannot be queued it is released here and a `data` record says why the bytes are missing. */
void ekka_snapshot_job(struct ekka_call *call, unsigned tensor, enum ekka_phase phase, struct ekka_snapshot_job *job);

/* Says that the bytes could not be taken: "capture", "fault", "memory", ... static text. Counted under that name. */
void ekka_snapshot_missing(struct ekka_call *call, unsigned tensor, enum ekka_phase phase, uint64_t bytes,
			   const char *why);

/* Refers to content that this segment holds already (device hashing, known lineage): no bytes move. */
void ekka_snapshot_known(struct ekka_call *call, unsigned tensor, enum ekka_phase phase, uint64_t bytes,
			 const struct ekka_blob_id *id);

/* Is the content stored or queued in this segment. */
bool ekka_blob_known(const struct ekka_blob_id *id);

/*
 * Counts the segments this process image has opened, from 1: changes after fork and after a failed exec.
 * What was written once per segment must be written again when it changes.
 */
unsigned ekka_segment_generation(void);

/* Writes a device record unless this segment has one of that ordinal. Call before ekka_call_begin's `call` record, e.g. in ekka_context_cublas. */
bool ekka_device_known(int32_t ordinal);
void ekka_device_describe(const struct ekka_rec_device *device);

/* Counts something dropped, by static name, into the trailer. Any thread. */
void ekka_count_drop(const char *static_name, uint64_t n);

/* Upper limit of staging memory as configured (EKKA_MEMORY), bytes; device snapshots keep their own pool within it. */
uint64_t ekka_conf_memory(void);

#endif
