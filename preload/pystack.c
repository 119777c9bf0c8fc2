/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/pystack.h"

void ekka_pystack_capture(struct ekka_stack *st, unsigned depth)
{
	(void)st;
	(void)depth;
}
