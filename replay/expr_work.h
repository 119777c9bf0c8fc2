/* SPDX-License-Identifier: Apache-2.0 */
/* An event of op elementwise as a backend gets it: all outputs are to be compared with what the expression gives. */
#ifndef EKKA_REPLAY_EXPR_WORK_H
#define EKKA_REPLAY_EXPR_WORK_H

#include "replay/expr_event.h"

struct ekka_expr_work {
	const struct ekka_expr_event *x;	/* without a source */
	const struct ekka_expr *expr;
	const struct ekka_array *const *out;	/* by result; NULL: no output. Of x's elements, or of a single one, which has the first element's result */
};

#endif
