/* SPDX-License-Identifier: Apache-2.0 */
/* What the reader's files share. Private to trace/. */
#ifndef EKKA_TRACE_READER_INTERNAL_H
#define EKKA_TRACE_READER_INTERNAL_H

#include "trace/blob_table.h"
#include "trace/file.h"
#include "trace/reader.h"

#include <msgpack/zone.h>
#include <pthread.h>

/* One call, 40 bytes. */
struct event_entry {
	uint64_t event;		/* number within the segment */
	uint64_t at;		/* of the call record in the events file */
	uint32_t first, last;	/* its other records, index + 1 into parts */
	uint16_t data_seen;	/* a bit per tensor and phase */
	uint8_t state;		/* enum ekka_event_state */
	bool timed;
	uint64_t gpu_ns;	/* when timed */
};

/* A data or ret record, in the order of the file. */
struct event_part {
	uint64_t at;
	uint32_t next;		/* index + 1, 0 at the end */
	bool is_ret;
};

struct stack_entry {
	uint64_t id, at;
};

struct segment {
	struct ekka_segment pub;
	struct ekka_file file;
	msgpack_zone zone;		/* of everything that pub and fns point to */
	struct event_entry *events;	/* by number once scanned */
	size_t n_events, cap_events;
	struct event_part *parts;
	size_t n_parts, cap_parts;
	struct stack_entry *stacks;	/* by id once scanned */
	size_t n_stacks, cap_stacks;
	struct ekka_rec_fn *fns;	/* by id once scanned */
	size_t n_fns, cap_fns;
	struct ekka_rec_module *modules;
	size_t cap_modules;
	struct ekka_rec_device *devices;
	size_t cap_devices;
	struct ekka_map *maps;
	size_t cap_maps;
};

struct held_chunk {
	const struct blob_chunk *chunk;	/* or NULL */
	uint8_t *raw;			/* EKKA_CHUNK_BYTES; its bytes */
};

enum { SCRATCH_HELD = 2 };

/* What decompressing takes; one per thread that reads at the moment. */
struct scratch {
	struct scratch *next;
	void *dctx;			/* ZSTD_DCtx */
	uint8_t *frame;			/* a chunk's frame */
	size_t frame_cap;
	struct held_chunk held[SCRATCH_HELD];	/* the last one used first */
};

struct ekka_trace {
	int dir_fd;
	struct segment *segments;
	size_t n_segments, cap_segments;
	struct ekka_file *blob_files;
	size_t n_blob_files, cap_blob_files;
	struct blob_table blobs;	/* by indexes where they fit, else by scanning */
	bool indexed;			/* an index was believed */
	struct blob_table scanned;	/* by scanning alone; valid when has_scanned */
	bool has_scanned;		/* set with release, after `scanned` is complete */
	pthread_mutex_t lock;		/* guards the making of `scanned`, and the list of scratches; leaf */
	struct scratch *scratches;
	char **problems;
	size_t n_problems, cap_problems;
	uint64_t n_unlisted;		/* problems beyond the list's limit */
	uint64_t n_events;
};

/* Adds a line to the trace's problems; out of memory drops it. Only while opening. */
void ekka_trace_add_problem(struct ekka_trace *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Makes room for one more item of *p: 0 or EKKA_ERR_NOMEM. */
int ekka_grow(void **p, size_t n, size_t *cap, size_t item_bytes);

/* Scans an events file that was opened into seg->file. Negative when it is no segment at all; later damage becomes a problem. */
int ekka_segment_scan(struct ekka_trace *, struct segment *seg, struct ekka_error *err);
void ekka_segment_release(struct segment *);

/* Look-ups after the scan; NULL when there is none. */
const struct event_entry *ekka_segment_event(const struct segment *, uint64_t event);
const struct ekka_rec_fn *ekka_segment_fn(const struct segment *, uint32_t id);
const struct stack_entry *ekka_segment_stack(const struct segment *, uint64_t id);

/* Fills a table from all blob files. With use_index, files whose index fits are not read. Problems are added unless quiet. */
int ekka_blobs_scan(struct ekka_trace *, struct blob_table *, bool use_index, bool quiet, bool *ret_indexed, struct ekka_error *err);

/* The table that comes from the blob files themselves, made on first use. Thread-safe. */
const struct blob_table *ekka_blobs_scanned(struct ekka_trace *, struct ekka_error *err);

void ekka_scratch_free_all(struct ekka_trace *);

#endif
