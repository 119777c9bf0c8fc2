/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One event as a trace of its own, as a safetensors file, and as a C program that reissues it: tools/export_trace.c, tools/export_tensors.c and
 * tools/export_program.c, put together by tools/cmd_export.c.
 */
#ifndef EKKA_TOOLS_EXPORT_H
#define EKKA_TOOLS_EXPORT_H

#include <stdio.h>

#include "trace/reader.h"

/* Where the span of a tensor at a phase lies in the file, counted from behind its header; bytes 0: not there. */
struct ekka_export_piece { uint64_t at, bytes; };

struct ekka_export {
	struct ekka_trace *trace;
	const struct ekka_event *event;
	const char *file;			/* name of the safetensors file */
	struct ekka_export_piece pieces[EKKA_MAX_TENSORS][2];
};

/*
 * Writes the safetensors file: every recorded tensor and phase as NAME.pre and NAME.post, dense and typed, and as its raw bytes
 * in NAME.pre.span and so on where gaps or another order make these differ. Fills x->pieces. Negative with err on failure.
 */
int ekka_export_tensors(struct ekka_export *x, FILE *out, struct ekka_error *err);

/*
 * Writes the program. EKKA_ERR_UNSUPPORTED with the reason in err when this event cannot be reissued from what was recorded;
 * `out` is then unusable.
 */
int ekka_export_program(const struct ekka_export *x, FILE *out, struct ekka_error *err);

/*
 * Writes the trace directory `dir`: the event, as number 1 and outermost, with its function, device, stack, the mappings that the stack lies in, and its
 * blobs. Of the process only path, id and machine; no arguments. `replace`: over files that are there. Negative with err.
 */
int ekka_export_trace(const struct ekka_export *x, const char *dir, bool replace, struct ekka_error *err);

/* The libraries that the program must be linked with: "-lopenblas". */
const char *ekka_export_link_flags(const struct ekka_event *);

#endif
