/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An event whose meaning is an expression: its tensors and attributes as the expression's names, and its elements block by block. What ops
 * elementwise and scatter share. One struct is one event judged by one thread.
 *
 * Functions that return int return 1 when all is well, 0 when the verdict is settled, negative with err filled when memory ran out
 * or a blob is damaged.
 */
#ifndef EKKA_REPLAY_EXPR_EVENT_H
#define EKKA_REPLAY_EXPR_EVENT_H

#include "compare/elements.h"
#include "replay/expr.h"

/* Values of a name that is no tensor's: those of elements first..first+n-1 (n <= EKKA_EXPR_BLOCK), integers or doubles with their errors. */
struct ekka_expr_source {
	const char *name;
	bool integers;
	void (*fill)(void *arg, int64_t first, size_t n, double *re, double *error, int64_t *ints);
	void *arg;
};

struct ekka_expr_event {
	const struct ekka_op_context *ctx;
	const struct ekka_event *event;
	struct ekka_verdict *verdict;
	const struct ekka_expr_source *source;	/* NULL: none */
	enum ekka_dtype compute;
	unsigned n_dims;			/* of the elements that the kernel goes through */
	int64_t dim[EKKA_MAX_DIMS], n;
	struct ekka_array whole[EKKA_MAX_TENSORS];	/* as described, for indexing; n == 0: not loaded */
	struct ekka_array input[EKKA_MAX_TENSORS];	/* broadcast to the elements; shares the bytes of `whole`; n == 0: does not fit */
	struct ekka_expr_symbol symbol[EKKA_MAX_TENSORS + EKKA_MAX_ATTRS + 1];
	unsigned n_symbols;
	bool outside;				/* a table was read out of its range, and the value was used */
	struct ekka_expr_block *block;		/* owned */
};

/* Loads what is read by the expressions among attributes `texts` (NULL-terminated names), and names everything. The dims are set by the caller. */
int ekka_expr_event_init(struct ekka_expr_event *, const char *const *texts, struct ekka_error *err);
void ekka_expr_event_release(struct ekka_expr_event *);	/* zeroed or initialised */

/* What another thread needs to load and evaluate elements of x: shares all but the block. Without a source. False: no memory. */
bool ekka_expr_event_copy(const struct ekka_expr_event *x, struct ekka_expr_event *copy);
void ekka_expr_event_copy_release(struct ekka_expr_event *);	/* zeroed or copied */

/* Parses attribute `name`; it must be there. Settles the verdict (UNSUPPORTED) with what is wrong. */
int ekka_expr_event_parse(struct ekka_expr_event *, const char *name, struct ekka_expr **ret, struct ekka_error *err);

/* Loads the inputs and indices of elements first..first+n-1 (n <= EKKA_EXPR_BLOCK) that x uses; evaluations of other expressions over the same block may follow. */
void ekka_expr_event_load(struct ekka_expr_event *, int64_t first, size_t n);
void ekka_expr_event_eval(struct ekka_expr_event *, const struct ekka_expr *, struct ekka_expr_state *, size_t n, struct ekka_expr_result *);

/* A text attribute, or NULL. */
const char *ekka_expr_event_text(const struct ekka_event *, const char *name);

/* Dims of an event's tensor as the elements' dims. False when they are too many. */
bool ekka_expr_event_dims(struct ekka_expr_event *, const struct ekka_tensor *);

void ekka_expr_event_settle(struct ekka_expr_event *, enum ekka_status, const char *fmt, const char *arg);

#endif
