/* SPDX-License-Identifier: Apache-2.0 */
/* What op "elementwise" shares with op "random". */
#ifndef EKKA_REPLAY_OP_ELEMENTWISE_H
#define EKKA_REPLAY_OP_ELEMENTWISE_H

#include "replay/expr_event.h"

/* The whole judge function; source: one more name in the expression, whose values come from no tensor. NULL: none. */
int ekka_elementwise_judge(const struct ekka_op_context *, const struct ekka_event *, const struct ekka_expr_source *source, struct ekka_verdict *,
			   struct ekka_error *err);

#endif
