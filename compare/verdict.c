/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/verdict.h"

#include <string.h>

const char *ekka_status_name(enum ekka_status s)
{
	static const char *const names[EKKA_STATUS_COUNT] = { "PASS", "FAIL", "UNDECIDED", "UNSUPPORTED", "INCOMPLETE" };

	return (unsigned)s < EKKA_STATUS_COUNT ? names[s] : "?";
}

bool ekka_not_written(const struct ekka_verdict *v)
{
	return strncmp(v->looks_like, EKKA_NOT_WRITTEN, strlen(EKKA_NOT_WRITTEN)) == 0;
}
