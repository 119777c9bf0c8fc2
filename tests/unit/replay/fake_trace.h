/* SPDX-License-Identifier: Apache-2.0 */
/* A trace in memory that answers the reader's interface, so that replay can be tested without files. */
#ifndef EKKA_TESTS_FAKE_TRACE_H
#define EKKA_TESTS_FAKE_TRACE_H

#include "tests/unit/replay/problem.h"
#include "trace/reader.h"

enum { FAKE_EVENTS = 64 };

struct ekka_trace {
	struct ekka_segment segment;
	struct ekka_rec_device device;
	struct ekka_event event[FAKE_EVENTS + 1];	/* by number, from 1 */
	struct ekka_rec_fn fn[FAKE_EVENTS + 1];
	struct ekka_tensor tensor[FAKE_EVENTS + 1][3];
	struct ekka_attr attr[FAKE_EVENTS + 1][4];
	const unsigned char *blob[4 * FAKE_EVENTS];	/* blob ids are indices */
	uint64_t blob_bytes[4 * FAKE_EVENTS];
	unsigned n_blobs;
	uint64_t n;
	uint64_t largest_read;		/* bytes of one blob read */
	unsigned n_reads, slow_us;	/* how often, and how long it takes */
	bool damaged, no_memory;	/* blob reads fail */
};

void fake_trace_init(struct ekka_trace *t);

/* Records a product that was computed; the problem's memory is borrowed. Returns the event. */
struct ekka_event *fake_trace_add(struct ekka_trace *t, const struct problem *p);

#endif
