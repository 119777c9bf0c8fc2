/* SPDX-License-Identifier: Apache-2.0 */
/* What device snapshots need of the rest of the shim, for tests that link them alone. */
#include "preload/capture.h"
#include "preload/conf.h"
#include "preload/say.h"
#include "preload/snapshot.h"

struct ekka_conf ekka_conf;
const struct ekka_library ekka_libraries[] = { { .name = "cublas" } };
const unsigned ekka_n_libraries = 0;

uint64_t ekka_stub_drops;

void ekka_count_drop(const char *static_name, uint64_t n)
{
	(void)static_name;
	ekka_stub_drops += n;
}

void *ekka_real(unsigned fn_id, const void *caller)
{
	(void)fn_id, (void)caller;
	return NULL;
}

void ekka_attr_int(struct ekka_call *call, const char *name, int64_t v)
{
	(void)call, (void)name, (void)v;
}

void ekka_say(const char *fmt, ...)
{
	(void)fmt;
}
