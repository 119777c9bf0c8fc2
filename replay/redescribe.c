/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "replay/redescribe.h"

#include <stdio.h>

uint32_t ekka_relaunch_arg_bytes(const struct ekka_event *e, unsigned i, uint32_t *ret_offset)
{
	unsigned bytes = 0, offset = 0;

	if (i >= e->fn->n_args || !e->fn->args[i].type || sscanf(e->fn->args[i].type, "%5u bytes at %5u", &bytes, &offset) != 2)
		return 0;
	if (ret_offset)
		*ret_offset = offset;
	return bytes;
}

static unsigned whole(const struct ekka_event *e, const char *name)
{
	const struct ekka_value *v = ekka_event_attr(e, name);

	return v && v->kind == EKKA_V_INT && v->i >= 0 && v->i <= UINT32_MAX ? (unsigned)v->i : 0;
}

/* Scalars were kept as the parameter's bits, little-endian. */
static void take_param(struct ekka_relaunch *l, const struct ekka_event *e, unsigned i)
{
	const struct ekka_value *v = &e->call.args[i];
	uint32_t bytes = ekka_relaunch_arg_bytes(e, i, NULL);

	switch (v->kind) {
	case EKKA_V_INT:
	case EKKA_V_UINT:
	case EKKA_V_PTR:
		l->word[i] = v->u;
		l->param[i] = &l->word[i];
		l->bytes[i] = bytes <= sizeof(l->word[i]) ? bytes : 0;
		break;
	case EKKA_V_BIN:
		l->param[i] = v->bin.p;
		l->bytes[i] = v->bin.n <= UINT32_MAX ? (uint32_t)v->bin.n : 0;
		break;
	default:
		break;
	}
}

bool ekka_relaunch_init(struct ekka_relaunch *ret, const struct ekka_event *e)
{
	*ret = (struct ekka_relaunch){ 0 };
	if (!ekka_event_is_launch(e) || ekka_event_attr(e, "params"))
		return false;
	ret->facts = (struct ekka_launch_facts){
		.grid = { whole(e, "grid_x"), whole(e, "grid_y"), whole(e, "grid_z") },
		.block = { whole(e, "block_x"), whole(e, "block_y"), whole(e, "block_z") },
		.shared = whole(e, "shared"),
		.n_params = e->call.n_args < EKKA_MAX_ARGS ? e->call.n_args : EKKA_MAX_ARGS,
		.param = ret->param,
		.param_bytes = ret->bytes,
	};
	for (unsigned i = 0; i < ret->facts.n_params; i++)
		take_param(ret, e, i);
	return true;
}
