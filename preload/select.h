/* SPDX-License-Identifier: Apache-2.0 */
/* Which calls the settings want: include, exclude, skip, count, every and the window. Any thread. Zone: inside the host process. */
#ifndef EKKA_PRELOAD_SELECT_H
#define EKKA_PRELOAD_SELECT_H

#include "preload/launch.h"

/* By include and exclude; `kernel` is not NULL for a launch. */
bool ekka_select_wants(unsigned fn_id, const struct ekka_kernel *kernel);

/* An outermost call, by what does not depend on the function; what is not chosen is counted as left out. */
bool ekka_select_chooses(const struct ekka_kernel *kernel);

/* Whether skip, count and every choose this call; counts it in any case. */
bool ekka_select_counts(void);

/* Counts a call that is not wanted. */
void ekka_select_leave_out(void);

#endif
