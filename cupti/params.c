/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cupti/params.h"

#include <string.h>

/* Below 4 GiB lies no device allocation and, in a 64-bit process, hardly anything else; user space ends at 57 bits at most. */
static bool looks_like_address(uint64_t v)
{
	return v >> 32 != 0 && v >> 57 == 0;
}

static void add(struct ekka_call *call, struct ekka_value v)
{
	call->args[call->rec.n_args++] = v;	/* no more than EKKA_MAX_ARGS by construction */
}

static struct ekka_value scalar(const uint8_t *p, uint32_t bytes)
{
	uint64_t v = 0;

	memcpy(&v, p, bytes);	/* little-endian, as every host of a GPU */
	if (bytes == 8 && looks_like_address(v))
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

void ekka_params_describe(struct ekka_call *call, const struct ekka_kernel_facts *kernel, void *const *params, void *const *extra)
{
	uint32_t room = EKKA_PARAMS_BYTES_MAX;
	uint64_t kept = 0, wanted = 0;
	size_t block_bytes;
	const uint8_t *block = packed(extra, &block_bytes);

	if (!kernel->layout_known) {
		if (block)
			kept = add_param(call, block, (uint32_t)block_bytes, &room);
		else
			ekka_attr_str(call, "params", "this driver does not tell their sizes");
		wanted = block ? block_bytes : 0;
	}
	for (unsigned i = 0; kernel->layout_known && i < kernel->kernel.n_args; i++) {
		const uint8_t *p = params ? params[i] : NULL;

		if (!params && block && kernel->offset[i] + (size_t)kernel->bytes[i] <= block_bytes)
			p = block + kernel->offset[i];
		kept += add_param(call, p, kernel->bytes[i], &room);
		wanted += kernel->bytes[i];
	}
	if (kernel->layout_known && kernel->n_params > EKKA_MAX_ARGS)
		wanted += kernel->block_bytes - (kernel->offset[EKKA_MAX_ARGS - 1] + kernel->bytes[EKKA_MAX_ARGS - 1]);
	if (kept < wanted)
		ekka_attr_int(call, "cut", (int64_t)(wanted - kept));
}
