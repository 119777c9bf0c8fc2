/* SPDX-License-Identifier: Apache-2.0 */
/* How ops that go row by row ask the backend to compare an event's outputs. One struct ekka_rows_work belongs to one thread. */
#ifndef EKKA_REPLAY_ROWS_DEVICE_H
#define EKKA_REPLAY_ROWS_DEVICE_H

#include "replay/rows.h"
#include "replay/rows_job.h"

/* The kernels read this array, or compare this output; NULL: the event has none. `to` is part of the job. */
void ekka_rows_work_in(struct ekka_rows_work *, const struct ekka_array *, struct ekka_gpu_array *to);
void ekka_rows_work_out(struct ekka_rows_work *, const struct ekka_array *, struct ekka_rows_output *to);

/* Teams for n elements that a thread each looks at. */
int64_t ekka_rows_teams(int64_t n);

/* True: all outputs were compared, and no element is bad. False: nothing was added to the comparison; the CPU has to do it. */
bool ekka_rows_on_device(struct ekka_rows *, struct ekka_rows_work *);

#endif
