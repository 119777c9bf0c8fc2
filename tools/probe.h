/* SPDX-License-Identifier: Apache-2.0 */
/* What a machine has of what recording needs: one line per thing, for `ekka doctor`. */
#ifndef EKKA_TOOLS_PROBE_H
#define EKKA_TOOLS_PROBE_H

#include <stddef.h>

enum { EKKA_MAX_PROBES = 24 };

enum ekka_probe_state {
	EKKA_PROBE_OK,
	EKKA_PROBE_WARN,	/* recording works, with less in it */
	EKKA_PROBE_NO,		/* this kind of call cannot be recorded here */
};

struct ekka_probe {
	const char *name;
	enum ekka_probe_state state;
	char detail[512];
};

/* Fills probes (EKKA_MAX_PROBES of them) and returns how many. Loads libraries to see whether they load. */
size_t ekka_probe_all(struct ekka_probe *probes);

#endif
