/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptions of kernels (spec/kernels/README.md): from a launch's parameters to the op, attributes and tensors of its event.
 *
 * Used inside the host process (cupti/) and offline (replay/, tools/). Loading and binding take memory from an arena of whole pages and
 * never from malloc; describing allocates nothing. Nothing here prints.
 */
#ifndef EKKA_SPEC_DESCRIBE_H
#define EKKA_SPEC_DESCRIBE_H

#include "trace/error.h"
#include "trace/model.h"

/* What is known of one launch. Borrowed. */
struct ekka_launch_facts {
	unsigned grid[3], block[3];
	unsigned shared;			/* dynamic shared memory, bytes */
	unsigned n_params;
	const void *const *param;		/* the bytes of every parameter, of any alignment */
	const uint32_t *param_bytes;
	/* The live allocation that holds `addr`; false when there is none, NULL when allocations are not known. */
	bool (*range)(void *arg, uint64_t addr, uint64_t *ret_start, uint64_t *ret_bytes);
	void *arg;
	/* Without allocations: bytes that are known from `addr` on, 0 when none are; NULL when there is no telling. */
	uint64_t (*known)(const void *arg, uint64_t addr);
};

enum { EKKA_DESCRIPTION_TEXT = 2048 };

/*
 * The meaning of one launch: what goes into its call record. Names and texts lie in the description or in `text`; valid as long as
 * both are.
 */
struct ekka_meaning {
	const char *op;				/* "elementwise"; NULL: refused, or `nothing` */
	const char *description;		/* "aten-elementwise.kd:42" */
	bool nothing;				/* computes nothing worth judging */
	struct ekka_attr attrs[EKKA_MAX_ATTRS];
	unsigned n_attrs;
	struct ekka_tensor tensors[EKKA_MAX_TENSORS];	/* pre is set for what is read, and for outputs with gaps; post for outputs */
	unsigned n_tensors;
	char refused[512];		/* why not, one line; empty when op or nothing is set */
	char text[EKKA_DESCRIPTION_TEXT];
	size_t text_len;
};

struct ekka_descriptions;

/*
 * Reads descriptions: `paths` is a colon-separated list of files and folders (their *.kd in strcmp order), or NULL; then those that are
 * built in. A file with an error is left away whole, others are used: the error (file:line: what) goes to `problem` once for each (may be
 * NULL). Returns 0 and a set that is never freed, or negative when there is no memory. Thread-safe; the set is immutable.
 */
int ekka_descriptions_load(const char *paths, struct ekka_descriptions **ret, void (*problem)(void *arg, const char *text), void *arg,
			   struct ekka_error *err);

/* What the set has for one kernel: candidates with their captured texts. Never freed. */
struct ekka_binding;

/*
 * Binds a kernel by its name as the driver gives it (mangled or plain). NULL when no description matches. To be done once per kernel:
 * takes some tens of microseconds and a page or so of the set's arena. Thread-safe.
 */
const struct ekka_binding *ekka_descriptions_bind(struct ekka_descriptions *, const char *name);

/* Describes one launch. Pure, thread-safe, allocates nothing; a few microseconds. */
void ekka_describe(const struct ekka_binding *, const struct ekka_launch_facts *, struct ekka_meaning *ret);

/*
 * Bytes of the return type that a demangled name begins with: templates have one. Others than void are conditions that hold,
 * std::enable_if<((8)>(0))&&..., void>::type. 0 when there is none.
 */
size_t ekka_return_type_length(const char *demangled);

/* Demangles without malloc; `name` itself when it is no mangled name. Writes at most cap bytes with the NUL; false when cut. */
bool ekka_demangle(const char *name, char *ret, size_t cap);

#endif
