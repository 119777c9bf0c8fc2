/* SPDX-License-Identifier: Apache-2.0 */
/* Python frames of the calling thread, private to preload/stack.c. Zone: inside the host process. */
#ifndef EKKA_PRELOAD_PYSTACK_H
#define EKKA_PRELOAD_PYSTACK_H

#include "preload/stack.h"

/* Adds at most `depth` Python frames to *st; none when no interpreter is loaded or they cannot be read safely. Any thread. */
void ekka_pystack_capture(struct ekka_stack *st, unsigned depth);

#endif
