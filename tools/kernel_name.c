/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/kernel_name.h"

#include "spec/describe.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 64 << 10 };		/* more than a compiler's own names have: ekka_demangle cuts what is longer */

char *ekka_kernel_demangle(const char *mangled)
{
	char *text = malloc(NAME_BYTES), *fitted;

	if (!text)
		return NULL;
	(void)ekka_demangle(mangled, text, NAME_BYTES);
	fitted = realloc(text, strlen(text) + 1);
	return fitted ? fitted : text;
}

/* Brackets of any kind around the character; those of operator< and the like are not met in a kernel's name. */
static int nesting(char c)
{
	return strchr("<({[", c) && c ? 1 : strchr(">)}]", c) && c ? -1 : 0;
}

/* Where the name of the function itself begins, and where its template arguments or parameters do. */
static void find_base(const char *text, const char **ret_from, const char **ret_to)
{
	const char *from = text + ekka_return_type_length(text), *p = from;
	int depth = 0;

	for (; *p; p++) {
		bool anonymous = depth == 0 && strncmp(p, "(anonymous namespace)", strlen("(anonymous namespace)")) == 0;

		if (anonymous)
			p += strlen("(anonymous namespace)") - 1;
		else if (depth == 0 && *p == '(')
			break;
		else
			depth += nesting(*p);
		if (depth == 0 && (*p == ' ' || *p == ':'))
			from = p + 1;
	}
	*ret_from = from;
	*ret_to = from + strcspn(from, "<(");
}

size_t ekka_kernel_name_length(const char *demangled)
{
	const char *open = NULL, *p;
	int depth = 0;

	for (p = demangled + ekka_return_type_length(demangled); *p; p++) {
		if (depth == 0 && *p == '(')
			open = p;
		depth += p > demangled && p[-1] == '-' && *p == '>' ? 0 : nesting(*p);
		if (depth == 0 && open && *p == ')' && !strstr(p, "::"))
			return (size_t)(open - demangled);
	}
	return (size_t)(p - demangled);
}

const char *ekka_kernel_short(const char *mangled, char *buf, size_t len)
{
	char *text = ekka_kernel_demangle(mangled);
	const char *from, *to;

	buf[0] = '\0';
	if (!text)
		return buf;
	find_base(text, &from, &to);
	if (to == from)
		from = text, to = text + strlen(text);
	snprintf(buf, len, "%.*s", (int)(to - from), from);
	free(text);
	return buf;
}

const char *ekka_event_name(const struct ekka_event *e, char *buf, size_t len)
{
	return ekka_event_is_launch(e) ? ekka_kernel_short(e->fn->name, buf, len) : e->fn->name;
}

static int64_t attr(const struct ekka_event *e, const char *name)
{
	const struct ekka_value *v = ekka_event_attr(e, name);

	return v && v->kind == EKKA_V_INT ? v->i : 1;
}

/* Dimensions of 1 at the end say nothing. */
static void print_dims(char *buf, size_t len, int64_t x, int64_t y, int64_t z)
{
	if (z != 1)
		snprintf(buf, len, "%" PRId64 "x%" PRId64 "x%" PRId64, x, y, z);
	else if (y != 1)
		snprintf(buf, len, "%" PRId64 "x%" PRId64, x, y);
	else
		snprintf(buf, len, "%" PRId64, x);
}

const char *ekka_launch_shape(const struct ekka_event *e, char *buf, size_t len)
{
	char grid[64], block[64];

	print_dims(grid, sizeof(grid), attr(e, "grid_x"), attr(e, "grid_y"), attr(e, "grid_z"));
	print_dims(block, sizeof(block), attr(e, "block_x"), attr(e, "block_y"), attr(e, "block_z"));
	snprintf(buf, len, "<<<%s, %s>>>", grid, block);
	return buf;
}

bool ekka_is_launch_attr(const char *name)
{
	static const char *const names[] = { "grid_x", "grid_y", "grid_z", "block_x", "block_y", "block_z", "cluster_x", "cluster_y", "cluster_z",
					     "shared", "cooperative", "cut", "params", "captured" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}
