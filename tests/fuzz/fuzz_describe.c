/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target of kernel descriptions: a description file and a launch's parameters, neither of which is to be trusted.
 *
 * Input: length of the description (2 bytes, little-endian), the description, a kernel's name up to a byte of zero, grid_x (1 byte), then parameters:
 * a length (1 byte) and as many bytes, until the input ends. Allocations are 1 MiB at every multiple of 2 MiB.
 */
#include "config.h"

#include "spec/kd.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool range(void *arg, uint64_t addr, uint64_t *ret_start, uint64_t *ret_bytes)
{
	(void)arg;
	*ret_start = addr >> 21 << 21;
	*ret_bytes = 1 << 20;
	return addr - *ret_start < *ret_bytes;
}

/* What a meaning promises to those who write it down. */
static void check(const struct ekka_meaning *m)
{
	if ((m->op != NULL) + m->nothing + (m->refused[0] != '\0') != 1 || m->n_tensors > EKKA_MAX_TENSORS || m->n_attrs > EKKA_MAX_ATTRS)
		abort();
	for (unsigned i = 0; i < m->n_tensors; i++) {
		const struct ekka_tensor *t = &m->tensors[i];
		uint64_t low = (uint64_t)t->offset, high = low;

		for (unsigned d = 0; d < t->n_dims; d++) {
			if (t->dim[d] <= 0)
				abort();
			if (t->stride[d] < 0)
				low -= (uint64_t)(t->dim[d] - 1) * (uint64_t)-t->stride[d];
			else
				high += (uint64_t)(t->dim[d] - 1) * (uint64_t)t->stride[d];
		}
		if (low != 0 || (high + 1) * ekka_dtype_bytes(t->dtype) != t->span_bytes || t->span_bytes > 1 << 20 || strlen(t->name) > 2048)
			abort();
	}
	for (unsigned i = 0; i < m->n_attrs; i++)
		if (strlen(m->attrs[i].name) > 2048 || (m->attrs[i].value.kind == EKKA_V_STR && strlen(m->attrs[i].value.s) > 8192))
			abort();
}

/* A set as ekka_descriptions_load makes it, in memory that can be given back. */
static struct ekka_descriptions *new_set(struct ekka_descriptions *set, struct ekka_meaning *scratch, char *name)
{
	memset(set, 0, sizeof(*set));
	set->kernels_end = &set->kernels;
	set->functors_end = &set->functors;
	set->scratch_meaning = scratch;
	set->scratch = name;
	return set;
}

static void describe(struct ekka_descriptions *set, const char *name, const uint8_t *p, size_t n)
{
	static struct ekka_meaning m;
	const struct ekka_binding *binding = ekka_descriptions_bind(set, name);
	struct ekka_launch_facts facts = { .block = { 64, 1, 1 }, .grid = { n ? p[0] : 1, 1, 1 }, .range = range };
	void *params[EKKA_MAX_ARGS];
	uint32_t bytes[EKKA_MAX_ARGS];

	for (size_t at = 1; at < n && facts.n_params < EKKA_MAX_ARGS; at += bytes[facts.n_params - 1] + 1) {
		size_t left = n - at - 1;

		bytes[facts.n_params] = p[at] < left ? p[at] : (uint32_t)left;
		params[facts.n_params] = malloc(bytes[facts.n_params] + !bytes[facts.n_params]);	/* its end is watched */
		if (!params[facts.n_params])
			abort();
		memcpy(params[facts.n_params], p + at + 1, bytes[facts.n_params]);
		facts.n_params++;
	}
	facts.param = (const void *const *)params;
	facts.param_bytes = bytes;
	if (binding) {
		memset(&m, 0x5a, sizeof(m));
		ekka_describe(binding, &facts, &m);
		check(&m);
	}
	while (facts.n_params)
		free(params[--facts.n_params]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char scratch_name[KD_NAME_BYTES];
	static struct ekka_meaning scratch;
	static struct ekka_descriptions set;
	struct ekka_error err = { 0 };
	size_t text_bytes, name_bytes;
	char *text, *name;

	if (size < 3)
		return 0;
	text_bytes = (size_t)data[0] | (size_t)data[1] << 8;
	data += 2;
	size -= 2;
	text_bytes = text_bytes < size ? text_bytes : size;
	text = strndup((const char *)data, text_bytes);
	data += text_bytes;
	size -= text_bytes;
	name_bytes = strnlen((const char *)data, size);
	name = strndup((const char *)data, name_bytes);
	if (!text || !name)
		abort();
	data += name_bytes + (name_bytes < size);
	size -= name_bytes + (name_bytes < size);
	if (kd_parse(new_set(&set, &scratch, scratch_name), "fuzz.kd", text, &err) == 0)
		describe(&set, name, data, size);
	else if (err.code != EKKA_ERR_INVALID || !err.message[0])
		abort();
	ekka_arena_release(&set.arena);
	free(name);
	free(text);
	return 0;
}
