/* SPDX-License-Identifier: Apache-2.0 */
/* One event with tensors of any rank in a trace in memory, for tests of ops that go element by element. */
#ifndef EKKA_TESTS_FAKE_EVENT_H
#define EKKA_TESTS_FAKE_EVENT_H

#include "replay/op.h"
#include "tests/unit/replay/fake_trace.h"

struct fake_event {
	struct ekka_trace trace;
	struct ekka_event event;
	struct ekka_rec_fn fn;
	struct ekka_tensor tensor[EKKA_MAX_TENSORS];
	struct ekka_attr attr[EKKA_MAX_ATTRS];
	struct ekka_team *team;		/* threads that help, or NULL */
};

void fake_event_init(struct fake_event *, const char *op);

/*
 * Adds a tensor. dims: "4x3x5", "" for a scalar; strides in elements the same way, NULL: contiguous. pre and post: its bytes before and after, from the
 * lowest address, borrowed; NULL: not recorded. Returns its index.
 */
int fake_event_tensor(struct fake_event *, const char *name, enum ekka_dir dir, enum ekka_dtype dtype, const char *dims,
		      const char *strides, const void *pre, const void *post);

void fake_event_text(struct fake_event *, const char *attr, const char *value);
void fake_event_real(struct fake_event *, const char *attr, double value);
void fake_event_int(struct fake_event *, const char *attr, int64_t value);

/* Judges it with the op's reference, on a backend (NULL: the CPU); asserts that nothing went wrong. */
struct ekka_verdict fake_event_judge(struct fake_event *);
struct ekka_verdict fake_event_judge_on(struct fake_event *, struct ekka_backend *);

#endif
