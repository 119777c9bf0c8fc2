/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of a trace, and what there is to know of their launches. One thread. Ends the command when there is no memory. */
#ifndef EKKA_TOOLS_KERNELS_COLLECT_H
#define EKKA_TOOLS_KERNELS_COLLECT_H

#include "replay/redescribe.h"
#include "tools/kernels_time.h"
#include "trace/reader.h"

struct ekka_kernel_parent { const char *name; uint64_t launches; };		/* name "": the program itself */

struct ekka_kernel_uses {
	const char *name;		/* mangled; the trace's */
	char *text;			/* demangled */
	uint64_t launches, outside;	/* outside: of library calls, which are judged themselves */
	uint64_t first;			/* event */
	uint64_t gpu_ns, timed;		/* of launches whose time is known, and how many those are */
	uint64_t *shapes;		/* hashes of distinct grids and blocks */
	size_t n_shapes;
	struct ekka_kernel_parent *parents;
	size_t n_parents;
	const struct ekka_binding *binding;	/* NULL: no description has its name */
	uint64_t described, nothing, refused;	/* launches: with an op, with nothing to judge, refused */
	uint64_t covered;			/* outside, with an op or nothing to judge */
	char op[32];				/* of the first that has one */
	char *reason;				/* of the first that was refused */
};

struct ekka_kernels {
	struct ekka_kernel_uses *k;	/* owned, with what they point to, but for names */
	size_t n;
	uint64_t launches;
	struct ekka_kernels_time time;
	struct ekka_descriptions *descriptions;	/* borrowed; set before collecting */
};

/* Goes through all events; names are the trace's. An exit status: events that cannot be read are said and passed over. */
int ekka_kernels_collect(struct ekka_kernels *, struct ekka_trace *);
void ekka_kernels_release(struct ekka_kernels *);

#endif
