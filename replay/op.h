/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an op must provide to be judged. To add one: a row in spec/ops.def, a file
 * replay/op_NAME.c that defines `const struct ekka_op ekka_op_NAME`, its line in
 * replay/local.mk, and a test beside the others.
 */
#ifndef EKKA_REPLAY_OP_H
#define EKKA_REPLAY_OP_H

#include "compare/verdict.h"
#include "replay/replay.h"

struct ekka_backend;
struct ekka_blobs;
struct ekka_team;

struct ekka_op_context {
	struct ekka_trace *trace;
	const struct ekka_replay_options *options;
	struct ekka_blobs *blobs;	/* replay/blobs.h; NULL: nothing is shared */
	uint64_t memory_bytes;		/* this event's share */
	struct ekka_team *team;		/* threads that may help, replay/team.h; NULL: none */
	struct ekka_backend *backend;	/* replay/backend.h; NULL: the CPU */
};

struct ekka_op {
	const char *name;		/* as in `fn` records: "gemm" */
	/*
	 * Judges one complete event. Fills *ret; `event`, `reason` for bytes that capture could not take and audit
	 * findings about extents are already set by the caller. Negative only on out of memory or damaged blobs, with err filled: the event is
	 * INCOMPLETE then, and others go on.
	 * Called from several threads at once on different events.
	 */
	int (*judge)(const struct ekka_op_context *, const struct ekka_event *, struct ekka_verdict *ret, struct ekka_error *err);
};

const struct ekka_op *ekka_op_find(const char *name);	/* NULL: unsupported */

/*
 * False when another call ran at the same time: then that may have written into gaps of this one's output. Looks at the events begun shortly
 * before and after; an engine that computes with several threads or streams shows there. An event that was taken out of its trace says it by the attribute
 * "concurrent".
 */
bool ekka_event_runs_alone(const struct ekka_op_context *, const struct ekka_event *);

#endif
