/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns the raw return addresses of a segment into functions and source lines, offline, with elfutils.
 *
 * The modules are those that the segment's `maps` records name, opened from this machine's disk; one whose
 * build-id differs from the recorded one is refused, since its symbols would be wrong without looking wrong.
 * Debug information comes from the module itself or from elfutils' default search paths.
 * A symbolizer belongs to one thread at a time.
 */
#ifndef EKKA_TOOLS_SYMBOLIZE_H
#define EKKA_TOOLS_SYMBOLIZE_H

#include <stddef.h>
#include <stdint.h>

#include "trace/reader.h"

/* What is known of one address. Strings are borrowed and live until the next look-up or the symbolizer's end; NULL: unknown. */
struct ekka_frame_info {
	uint64_t pc;			/* as asked for */
	const char *module;		/* path of the object as recorded; NULL when no mapping holds the address */
	uint64_t module_offset;		/* of the return address in the module's file, bytes */
	const char *function;		/* demangled when libstdc++ is on this machine */
	uint64_t function_offset;	/* of the return address behind the function's start, bytes */
	const char *inlined;		/* innermost function inlined there, which `file` and `line` then belong to */
	const char *file;		/* source file as the compiler named it */
	int line;			/* 0 unknown */
	const char *problem;		/* why there are no symbols: "changed since it was recorded", "no such file" */
};

struct ekka_symbolizer;

/* Makes a symbolizer for one segment, whose maps must outlive it; opens nothing yet. NULL when out of memory. */
struct ekka_symbolizer *ekka_symbolizer_new(const struct ekka_segment *segment);
void ekka_symbolizer_free(struct ekka_symbolizer *);	/* NULL is fine */

/*
 * Looks up one return address, as in a stack record: the call is the instruction before it. Fills *ret always;
 * what could not be found out is NULL or 0. Opens the module on first use.
 */
void ekka_symbolizer_lookup(struct ekka_symbolizer *, uint64_t pc, struct ekka_frame_info *ret);

/*
 * Writes the usual one-line form, "function (file:line)", "function (module)" or "module+0xoffset (problem)", cut to
 * `size` bytes. Returns the length that was needed, as snprintf does.
 */
int ekka_frame_info_format(const struct ekka_frame_info *, char *buf, size_t size);

#endif
