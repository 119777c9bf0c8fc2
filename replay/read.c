/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/read.h"

#include <stdlib.h>

#include "replay/redescribe.h"

int ekka_replay_memory_new(const struct ekka_replay_options *o, struct ekka_redescription **ret, struct ekka_error *err)
{
	*ret = o->redescribe ? calloc(1, sizeof(**ret)) : NULL;
	return o->redescribe && !*ret ? ekka_error_set(err, EKKA_ERR_NOMEM, "no memory to describe an event") : 0;
}

int ekka_replay_event_read(struct ekka_trace *trace, const struct ekka_replay_options *o, uint64_t number, struct ekka_event *e,
			   struct ekka_redescription *memory, struct ekka_error *err)
{
	int r = ekka_trace_event_read(trace, number, e, err);

	if (r == 0 && memory)
		o->redescribe(o->kernels, e, memory);
	return r;
}
