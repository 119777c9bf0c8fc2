/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verifies a trace: everything the reader passes over while it opens and everything that only shows on
 * reading. What keeps something from being used is DAMAGE; what is merely incomplete (a process that was killed,
 * data that the budget refused) is a NOTE.
 */
#ifndef EKKA_TRACE_FSCK_H
#define EKKA_TRACE_FSCK_H

#include "trace/reader.h"

enum ekka_fsck_severity { EKKA_FSCK_NOTE, EKKA_FSCK_DAMAGE };

struct ekka_fsck_options {
	/* One line of text per finding, borrowed; from the calling thread. NULL: only count. */
	void (*finding)(void *arg, enum ekka_fsck_severity, const char *text);
	/* NULL: none. Units are events, then blob bytes; total covers both. */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

struct ekka_fsck_result {
	uint64_t events, complete_events;
	uint64_t blobs, blob_bytes, stored_bytes;	/* blob_bytes: uncompressed */
	uint64_t unused_blobs;				/* stored, but named by no data record */
	uint64_t damage, notes;				/* findings */
};

/*
 * Checks an open trace: the reader's own problems, every event's records and references, every blob's bytes against its name,
 * trailers against what was found. Reads everything; needs 2 MiB and a bit per blob. 0 whatever it finds; negative when it could not run.
 */
int ekka_fsck_run(struct ekka_trace *, const struct ekka_fsck_options *, struct ekka_fsck_result *ret, struct ekka_error *err);

#endif
