/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/spec.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int compare_name(const void *key, const void *row)
{
	return strcmp(key, ((const struct ekka_spec_fn *)row)->name);
}

const struct ekka_spec_fn *ekka_spec_find(const char *symbol)
{
	return bsearch(symbol, ekka_spec_fns, ekka_spec_n_fns, sizeof(*ekka_spec_fns), compare_name);
}

/* Is `type` the type `name`, const or a pointer to it? */
static bool is_type(const char *type, const char *name)
{
	size_t len = strlen(name);

	if (!strncmp(type, "const ", 6))
		type += 6;
	return !strncmp(type, name, len) && type[len + strspn(type + len, " *")] == '\0';
}

const char *ekka_enum_name(const char *type, int64_t value)
{
	for (unsigned i = 0; i < ekka_n_enum_rows; i++)
		if (ekka_enum_rows[i].value == value && is_type(type, ekka_enum_rows[i].type))
			return ekka_enum_rows[i].name;
	return NULL;
}
