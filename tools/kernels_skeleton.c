/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/kernels_skeleton.h"

#include "replay/redescribe.h"
#include "tools/kernel_name.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The demangled name as a pattern: without return type and parameter list, quotes and wildcards' characters kept out. */
static void print_pattern(const char *demangled)
{
	size_t n = ekka_kernel_name_length(demangled);
	const char *from = demangled + ekka_return_type_length(demangled);

	printf("kernel \"");
	for (; from < demangled + n; from++)
		printf("%s%c", *from == '"' || *from == '\\' ? "\\" : "", *from == '$' ? '*' : *from);
	printf("\"\n");
}

/* In a process's address space, and not likely to be two small integers. */
static bool looks_like_address(uint64_t v)
{
	return v >> 32 != 0 && v >> 47 == 0 && (v & UINT32_MAX) >> 20 != 0;
}

static void print_place(unsigned param, uint32_t offset)
{
	if (offset)
		printf("p%u + %u", param, offset);
	else
		printf("p%u", param);
}

static void print_small(unsigned param, uint32_t offset, const uint8_t *p, uint32_t bytes)
{
	int32_t i;
	float f;

	printf("  # ");
	print_place(param, offset);
	if (bytes == 4) {
		memcpy(&i, p, 4);
		memcpy(&f, p, 4);
		printf(": i32 %" PRId32 ", f32 %g\n", i, (double)f);
		return;
	}
	printf(": bytes");
	for (uint32_t b = 0; b < bytes; b++)
		printf(" %u", p[b]);
	printf("\n");
}

/* Eight bytes: a tensor when they can be an address, and what else they may mean. */
static void print_word(unsigned param, uint32_t offset, const uint8_t *p)
{
	int32_t i[2];
	uint64_t v;
	double d;

	memcpy(&v, p, 8);
	memcpy(i, p, 8);
	memcpy(&d, p, 8);
	if (looks_like_address(v)) {
		printf("  # in x%u_%u : f32 at ptr(", param, offset);
		print_place(param, offset);
		printf(") dims 1\t# 0x%" PRIx64 "\n", v);
		return;
	}
	printf("  # ");
	print_place(param, offset);
	printf(": i64 %" PRId64 ", i32 %" PRId32 " and %" PRId32 ", f64 %g\n", (int64_t)v, i[0], i[1], d);
}

static uint32_t zero_bytes(const uint8_t *p, uint32_t n)
{
	uint32_t i = 0;

	while (i < n && p[i] == 0)
		i++;
	return i;
}

static void print_param(const struct ekka_event *e, const struct ekka_relaunch *l, unsigned i)
{
	const uint8_t *p = l->param[i];
	uint32_t at = 0, offset = 0, bytes = ekka_relaunch_arg_bytes(e, i, &offset);

	printf("  # p%u: %" PRIu32 " bytes at %" PRIu32 " of the parameter block%s\n", i, bytes, offset, p ? "" : ", not recorded");
	if (!p)
		return;
	for (; at + 8 <= l->bytes[i]; at += 8) {
		uint32_t zeros = zero_bytes(p + at, l->bytes[i] - at) / 8 * 8;

		if (zeros > 8) {
			printf("  # ");
			print_place(i, at);
			printf(": %" PRIu32 " bytes of zero\n", zeros);
			at += zeros - 8;
		} else {
			print_word(i, at, p + at);
		}
	}
	if (at + 4 <= l->bytes[i]) {
		print_small(i, at, p + at, 4);
		at += 4;
	}
	if (at < l->bytes[i])
		print_small(i, at, p + at, l->bytes[i] - at);
}

void ekka_kernels_skeleton(const struct ekka_event *e, const char *demangled)
{
	struct ekka_relaunch l;
	char shape[128];

	print_pattern(demangled);
	printf("  from \"VERSION, FILE\"\n");
	printf("  # Event %" PRIu64 " of the trace, %s: what its parameters held. See ekka-kernels(5).\n", e->number,
	       ekka_launch_shape(e, shape, sizeof(shape)));
	if (!ekka_relaunch_init(&l, e)) {
		printf("  # Its parameters were not recorded.\n  nothing\n");
		return;
	}
	printf("  facts params == %u", l.facts.n_params);
	for (unsigned i = 0; i < l.facts.n_params; i++)
		if (l.bytes[i])
			printf(" && bytes(p%u) == %" PRIu32, i, l.bytes[i]);
	printf("\n");
	for (unsigned i = 0; i < l.facts.n_params; i++)
		print_param(e, &l, i);
	printf("  op elementwise\n  expr \"in0\"\n");
}
