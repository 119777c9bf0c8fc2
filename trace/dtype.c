/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups in spec/dtypes.def. No state, no allocation: also used inside the host process. */
#include "trace/model.h"

#include <string.h>

static const struct {
	const char *name;
	size_t bytes;
	bool is_complex;
	double unit_roundoff;
} dtypes[EKKA_DTYPE_COUNT] = {
#define DTYPE(id, name, bytes, is_complex, u) [EKKA_##id] = { name, bytes, is_complex, u },
#include "spec/dtypes.def"
#undef DTYPE
};

static bool in_range(enum ekka_dtype t)
{
	return (unsigned)t < EKKA_DTYPE_COUNT;
}

const char *ekka_dtype_name(enum ekka_dtype t)
{
	return in_range(t) ? dtypes[t].name : "?";
}

size_t ekka_dtype_bytes(enum ekka_dtype t)
{
	return in_range(t) ? dtypes[t].bytes : 0;
}

bool ekka_dtype_is_complex(enum ekka_dtype t)
{
	return in_range(t) && dtypes[t].is_complex;
}

double ekka_dtype_unit_roundoff(enum ekka_dtype t)
{
	return in_range(t) ? dtypes[t].unit_roundoff : 0;
}

int ekka_dtype_from_name(const char *name, enum ekka_dtype *ret_t)
{
	for (unsigned i = 0; i < EKKA_DTYPE_COUNT; i++) {
		if (strcmp(dtypes[i].name, name) == 0) {
			*ret_t = (enum ekka_dtype)i;
			return 0;
		}
	}
	return -1;
}
