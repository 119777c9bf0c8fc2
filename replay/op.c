/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/op.h"

#include <stddef.h>
#include <string.h>

#define OP(name) extern const struct ekka_op ekka_op_##name;
#include "spec/ops.def"
#undef OP

static const struct ekka_op *const ops[] = {
#define OP(name) &ekka_op_##name,
#include "spec/ops.def"
#undef OP
};

const struct ekka_op *ekka_op_find(const char *name)
{
	for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
		if (!strcmp(ops[i]->name, name))
			return ops[i];
	return NULL;
}
