/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cupti/meaning.h"

#include "cupti/alloc.h"
#include "cupti/buffers.h"
#include "cupti/meaning_cache.h"
#include "cupti/params.h"

#include "preload/conf.h"
#include "preload/say.h"

#include <stdio.h>
#include <string.h>

static void problem(void *arg, const char *text)
{
	(void)arg;
	ekka_say("%s", text);
}

const struct ekka_binding *ekka_meaning_bind(const char *name)
{
	static struct ekka_descriptions *set;
	static bool tried;
	struct ekka_error err = { 0 };

	if (!tried && ekka_descriptions_load(ekka_conf.kernels[0] ? ekka_conf.kernels : NULL, &set, problem, NULL, &err) < 0)
		ekka_say("no descriptions of kernels: %s", err.message);
	tried = true;
	return set ? ekka_descriptions_bind(set, name) : NULL;
}

static bool range(void *arg, uint64_t addr, uint64_t *ret_start, uint64_t *ret_bytes)
{
	(void)arg;
	return ekka_alloc_find(addr, ret_start, ret_bytes) != EKKA_ALLOC_NONE;
}

/* True when the call's tensors and attributes are the description's now. */
static bool take(struct ekka_call *call, struct ekka_meaning *m)
{
	enum { OUR_ATTRS = 2 };

	if (m->op && call->rec.n_attrs + OUR_ATTRS + m->n_attrs > EKKA_MAX_ATTRS) {
		(void)snprintf(m->refused, sizeof(m->refused), "%u attributes are too many", m->n_attrs);
		m->op = NULL;
	}
	if (m->description)
		ekka_attr_str(call, "description", m->description);
	if (!m->op && !m->nothing) {
		ekka_attr_str(call, "refused", m->refused);
		return false;
	}
	if (m->nothing) {
		ekka_attr_int(call, "nothing", 1);
		return true;
	}
	ekka_attr_str(call, "op", m->op);
	memcpy(&call->attrs[call->rec.n_attrs], m->attrs, m->n_attrs * sizeof(m->attrs[0]));
	call->rec.n_attrs += m->n_attrs;
	memcpy(call->tensors, m->tensors, m->n_tensors * sizeof(m->tensors[0]));
	call->rec.n_tensors = m->n_tensors;
	return true;
}

void ekka_meaning_tell(struct ekka_slot_memory *slot, const struct ekka_launch *launch, const struct ekka_kernel_facts *kernel,
		       const struct ekka_cuda_driver *drv)
{
	const struct ekka_launch_facts facts = {
		.grid = { launch->grid[0], launch->grid[1], launch->grid[2] }, .block = { launch->block[0], launch->block[1], launch->block[2] },
		.shared = launch->shared_bytes, .n_params = kernel->kernel.n_args, .param = slot->param, .param_bytes = kernel->bytes,
		.range = range,
	};

	if (ekka_params_locate(kernel, launch->params, launch->extra, slot->param) && kernel->binding) {
		if (take(&slot->call, ekka_meaning_of(slot, kernel->binding, &facts)))
			return;
	}
	ekka_buffers_tell(slot, kernel, drv);
}
