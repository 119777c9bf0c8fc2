/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cupti/params.h"

#include <string.h>

static void add(struct ekka_call *call, struct ekka_value v)
{
	call->args[call->rec.n_args++] = v;	/* no more than EKKA_MAX_ARGS by construction */
}

static struct ekka_value scalar(const uint8_t *p, uint32_t bytes)
{
	uint64_t v = 0;

	memcpy(&v, p, bytes);	/* little-endian, as every host of a GPU */
	if (bytes == 8 && ekka_looks_like_address(v))
		return (struct ekka_value){ .kind = EKKA_V_PTR, .u = v };
	return (struct ekka_value){ .kind = v > INT64_MAX ? EKKA_V_UINT : EKKA_V_INT, .u = v };
}

/* Parameter at `p` (NULL: the launch does not give it). Returns how many of its bytes are kept. */
static uint32_t add_param(struct ekka_call *call, const uint8_t *p, uint32_t bytes, uint32_t *room)
{
	uint32_t n = bytes < *room ? bytes : *room;

	if (!p) {
		add(call, (struct ekka_value){ .kind = EKKA_V_NIL });
		return 0;
	}
	if (bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8) {
		add(call, scalar(p, bytes));
		return bytes;
	}
	add(call, (struct ekka_value){ .kind = EKKA_V_BIN, .bin = { p, n } });
	*room -= n;
	return n;
}

/* The packed block and its size, if `extra` holds one. */
static const uint8_t *packed(void *const *extra, size_t *ret_bytes)
{
	const uint8_t *block = NULL;

	*ret_bytes = 0;
	for (unsigned i = 0; extra && extra[i] != CU_LAUNCH_PARAM_END && i < 8; i += 2) {
		if (extra[i] == CU_LAUNCH_PARAM_BUFFER_POINTER)
			block = extra[i + 1];
		else if (extra[i] == CU_LAUNCH_PARAM_BUFFER_SIZE && extra[i + 1])
			*ret_bytes = *(const size_t *)extra[i + 1];
	}
	return block;
}

bool ekka_params_locate(const struct ekka_kernel_facts *kernel, void *const *params, void *const *extra, const void *ret_at[EKKA_MAX_ARGS])
{
	bool all = kernel->layout_known && kernel->n_params <= EKKA_MAX_ARGS;
	size_t block_bytes;
	const uint8_t *block = packed(extra, &block_bytes);

	for (unsigned i = 0; kernel->layout_known && i < kernel->kernel.n_args; i++) {
		ret_at[i] = params ? params[i] : NULL;
		if (!params && block && kernel->offset[i] + (size_t)kernel->bytes[i] <= block_bytes)
			ret_at[i] = block + kernel->offset[i];
		all &= ret_at[i] != NULL;
	}
	return all;
}

/* The driver does not tell where the parameters are: the block as a whole, if there is one. */
static void describe_block(struct ekka_call *call, void *const *extra)
{
	uint32_t room = EKKA_PARAMS_BYTES_MAX, kept;
	size_t bytes;
	const uint8_t *block = packed(extra, &bytes);

	if (!block) {
		ekka_attr_str(call, "params", "this driver does not tell their sizes");
		return;
	}
	kept = add_param(call, block, (uint32_t)bytes, &room);
	if (kept < bytes)
		ekka_attr_int(call, "cut", (int64_t)(bytes - kept));
}

void ekka_params_describe(struct ekka_call *call, const struct ekka_kernel_facts *kernel, void *const *params, void *const *extra)
{
	const void *at[EKKA_MAX_ARGS];
	uint32_t room = EKKA_PARAMS_BYTES_MAX;
	uint64_t kept = 0, wanted = 0;

	if (!kernel->layout_known) {
		describe_block(call, extra);
		return;
	}
	(void)ekka_params_locate(kernel, params, extra, at);
	for (unsigned i = 0; i < kernel->kernel.n_args; i++) {
		kept += add_param(call, at[i], kernel->bytes[i], &room);
		wanted += kernel->bytes[i];
	}
	if (kernel->n_params > EKKA_MAX_ARGS)
		wanted += kernel->block_bytes - (kernel->offset[EKKA_MAX_ARGS - 1] + kernel->bytes[EKKA_MAX_ARGS - 1]);
	if (kept < wanted)
		ekka_attr_int(call, "cut", (int64_t)(wanted - kept));
}
