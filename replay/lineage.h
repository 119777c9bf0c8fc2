/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who wrote the bytes that an event read: data flow between the outermost events of a trace, in the order in which the program issued them.
 *
 * That order is the order of execution for all work that the program has ordered itself, on one stream or by events between several: a wait
 * must be issued after the record that it waits for. Work that races has no right order; it shows as bytes that change between
 * the writer and the reader (`changed`).
 *
 * An event writes its output tensors, element by element: gaps of a strided tensor keep their writer. Raw buffers of a launch without
 * description are written only if their bytes changed; a library's workspace counts as written. Device and host memory are told apart,
 * processes too.
 */
#ifndef EKKA_REPLAY_LINEAGE_H
#define EKKA_REPLAY_LINEAGE_H

#include "replay/replay.h"

struct ekka_lineage;

/*
 * Reads every event once, with the meaning that the options give it (replay/read.h). `status`: enum ekka_status by event number; of those that are
 * EKKA_FAIL it is kept what they were to overwrite. NULL: of none. 0, or negative with err filled. Events that cannot be read are passed over.
 */
int ekka_lineage_build(struct ekka_trace *, const struct ekka_replay_options *, const uint8_t *status, struct ekka_lineage **ret,
		       struct ekka_error *err);
void ekka_lineage_free(struct ekka_lineage *);

/* Tensor `reader_tensor` of an event holds `bytes` bytes that `writer`'s tensor `writer_tensor` left there. */
struct ekka_edge {
	uint64_t writer;		/* event; 0: nobody in this trace */
	uint16_t writer_tensor, reader_tensor;
	/* Findings, only where the writes of every event between are known and capture dropped nothing: */
	bool allocation;		/* the writer only allocated them: they were never written, and the reader needs every one */
	bool changed;			/* they are not what the writer left */
	bool beyond;			/* no data flow: a library's tensor reaches so many bytes behind the end of what `writer` allocated */
	uint64_t bytes;
};

/* The edges into event `number`, by tensor and address; at most EKKA_EDGES_MAX. *ret_n 0 when there are none. Any thread, after build. */
enum { EKKA_EDGES_MAX = 64 };
const struct ekka_edge *ekka_lineage_edges(const struct ekka_lineage *, uint64_t number, size_t *ret_n);

/* Device bytes [start, end) within the span of output `tensor` of a failed event: `writer`'s tensor `writer_tensor` had left them there. */
struct ekka_remnant { uint64_t event, writer, start, end; uint16_t writer_tensor, tensor; };

/* What event `number` was to overwrite, by tensor and address. *ret_n 0 when nothing is known. Any thread, after build. */
const struct ekka_remnant *ekka_lineage_remnants(const struct ekka_lineage *, uint64_t number, size_t *ret_n);

#endif
