/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a trace directory of any supported version; trusts nothing it reads.
 *
 * Opening scans every events file once (checksums, grammar, references) and keeps
 * a few dozen bytes per event; an event is decoded when asked for, its tensor bytes
 * when asked for. Damage ends that file at the last whole record and is reported through
 * ekka_trace_problem; everything before it is used.
 *
 * A trace is read-only after opening. ekka_trace_event_read, ekka_trace_blob_read and the
 * accessors may be called from several threads at once on one trace.
 */
#ifndef EKKA_TRACE_READER_H
#define EKKA_TRACE_READER_H

#include "trace/error.h"
#include "trace/model.h"

struct ekka_trace;

/*
 * Opens the trace directory `path`. Fails only when nothing is readable at all
 * (no such directory, no segment with a valid `open` record). Release with ekka_trace_close.
 */
int ekka_trace_open(const char *path, struct ekka_trace **ret_trace, struct ekka_error *err);
void ekka_trace_close(struct ekka_trace *);	/* NULL is fine */

/* Damage and shortcomings found so far, one line each ("events-12.ekka: offset 4711: checksum mismatch in 'call' record"). */
size_t ekka_trace_n_problems(const struct ekka_trace *);
const char *ekka_trace_problem(const struct ekka_trace *, size_t i);

/* One process image that was recorded: a fork or an exec starts another. Ordered by start time. */
struct ekka_segment {
	const char *file;			/* name of its events file */
	struct ekka_rec_open open;
	bool closed;				/* it has a trailer, `close` is valid */
	struct ekka_rec_close close;
	uint64_t first_event, n_events;		/* range of global event numbers */
	const struct ekka_rec_device *devices;
	size_t n_devices;
	const struct ekka_rec_module *modules;	/* GPU code */
	size_t n_modules;
	const struct ekka_map *maps;		/* every executable mapping ever seen */
	size_t n_maps;
};
size_t ekka_trace_n_segments(const struct ekka_trace *);
const struct ekka_segment *ekka_trace_segment(const struct ekka_trace *, size_t i);

/*
 * Events are numbered 1..n over all segments, segment after segment in order of
 * entry: this is the number that users see.
 */
uint64_t ekka_trace_n_events(const struct ekka_trace *);

enum ekka_event_state { EKKA_EVENT_BEGUN, EKKA_EVENT_RETURNED, EKKA_EVENT_COMPLETE };

/* One event, assembled from its records. Owns its memory; reusable for the next read. */
struct ekka_event {
	uint64_t number;			/* global, see above */
	const struct ekka_segment *segment;
	const struct ekka_rec_fn *fn;		/* never NULL; its name is "?" when the trace lacks the record */
	enum ekka_event_state state;
	struct ekka_rec_call call;		/* call.event and call.parent are global numbers here */
	struct ekka_value ret;			/* valid from RETURNED on */
	uint64_t ret_ns;
	bool timed;				/* gpu_ns is known */
	uint64_t gpu_ns;			/* how long the device was at work for it; of what is inside too */
	const struct ekka_rec_stack *stack;	/* NULL when none */
	/* Per tensor and phase: absent means the capture never intended it or died before. */
	struct ekka_event_data {
		bool present;
		struct ekka_rec_data rec;
	} data[EKKA_MAX_TENSORS][2];
	void *arena;				/* private */
};

/*
 * Reads event `number` into *event (zeroed by the caller before first use, or filled by an earlier read). Tensors are
 * as promised: dims are positive, every element lies within span_bytes, dtype, dir and place are known, aliases end at
 * a tensor. After an error *event may only be read into again or released.
 */
int ekka_trace_event_read(struct ekka_trace *, uint64_t number, struct ekka_event *event, struct ekka_error *err);
void ekka_event_release(struct ekka_event *);

/* Look-ups by name: 0 and *ret set, or -1. */
int ekka_event_arg_index(const struct ekka_event *, const char *name);			/* -1 when there is none */
const struct ekka_value *ekka_event_arg(const struct ekka_event *, const char *name);	/* NULL when there is none */
const struct ekka_value *ekka_event_attr(const struct ekka_event *, const char *name);	/* NULL when there is none */
int ekka_event_tensor_index(const struct ekka_event *, const char *name);		/* -1 when there is none */

/* The module that the event's kernel comes from; NULL when the trace does not tell. */
const struct ekka_rec_module *ekka_event_module(const struct ekka_event *);

/* A kernel launch: the function's library is "kernel". */
bool ekka_event_is_launch(const struct ekka_event *);

/* The op whose reference judges the event: a launch carries it in attribute "op", other calls in their function. "" when there is none. */
const char *ekka_event_op(const struct ekka_event *);

/*
 * Is this one of the events that coverage is of: an outermost one that has an op, or a launch of which nothing is known. Memory operations
 * (library "driver"; the launch of a graph is none), launches that went into a graph or are described as computing nothing, and what a library call does inside itself are not.
 */
bool ekka_event_computes(const struct ekka_event *);

/* Is the blob whole in this trace, as far as heads of chunks tell; its size in bytes through ret_bytes (may be NULL). */
bool ekka_trace_blob_present(const struct ekka_trace *, const struct ekka_blob_id *, uint64_t *ret_bytes);

/*
 * Reads `len` bytes of a blob from `offset` into buf; only the chunks needed are decompressed, each once when
 * one thread goes through the blob in order.
 * Stored-chunk checksums are verified on every read.
 */
int ekka_trace_blob_read(struct ekka_trace *, const struct ekka_blob_id *, uint64_t offset, void *buf, size_t len,
			 struct ekka_error *err);

/* Every blob, for fsck and statistics; the callback returns non-zero to stop. */
struct ekka_blob_info { struct ekka_blob_id id; uint64_t size, stored_bytes; bool whole; const char *file; };
int ekka_trace_blobs_foreach(struct ekka_trace *, int (*fn)(const struct ekka_blob_info *, void *arg), void *arg);

/* Decompresses the whole blob and compares its XXH3-128 with its id. 0, or negative with file and offset in err. */
int ekka_trace_blob_verify(struct ekka_trace *, const struct ekka_blob_id *, struct ekka_error *err);

#endif
