/* SPDX-License-Identifier: Apache-2.0 */
/* Events as a replay means them: as they were recorded, or with the meaning that `--kernels` gives launches afterwards. */
#ifndef EKKA_REPLAY_READ_H
#define EKKA_REPLAY_READ_H

#include "replay/replay.h"

/*
 * What events of one reader, one at a time, may point to; NULL where none is needed, because the options describe nothing. 0, or negative without
 * memory. To be freed with free().
 */
int ekka_replay_memory_new(const struct ekka_replay_options *, struct ekka_redescription **ret, struct ekka_error *err);

/* Reads an event; it points into `memory` until the next one. 0, or negative with err filled. Any thread. */
int ekka_replay_event_read(struct ekka_trace *, const struct ekka_replay_options *, uint64_t number, struct ekka_event *,
			   struct ekka_redescription *memory, struct ekka_error *err);

#endif
