/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who called: native return addresses and Python frames of the calling thread.
 * Zone: inside the host process. Raw facts only; symbols and source lines are looked up offline.
 */
#ifndef EKKA_PRELOAD_STACK_H
#define EKKA_PRELOAD_STACK_H

#include "trace/model.h"

#include <stdbool.h>

enum { EKKA_STACK_MAX_PC = 64, EKKA_STACK_MAX_PY = 32, EKKA_STACK_TEXT_BYTES = 8192 };

struct ekka_stack {
	uint64_t pc[EKKA_STACK_MAX_PC];
	unsigned n_pc;
	struct ekka_pyframe py[EKKA_STACK_MAX_PY];	/* strings point into text */
	unsigned n_py;
	char text[EKKA_STACK_TEXT_BYTES];
	size_t text_len;
};

/*
 * Called once from the constructor, single-threaded: dlopens libunwind RTLD_LOCAL. Returns NULL, or why there will be
 * no native stacks (static text; the run goes on without them).
 */
const char *ekka_stack_init(void);

/*
 * Begins a stack: fills *st with at most `depth` native frames and no Python frames. From the caller of the wrapper (return address `caller` is
 * pc[0]); where the caller is not known (NULL, in a callback) from the innermost frame that `above` is false for, none when that one is not
 * reached. Never blocks, never allocates, never raises. Any thread.
 */
void ekka_stack_native(struct ekka_stack *st, const void *caller, bool (*above)(const void *pc), unsigned depth);

/*
 * A number by which the whole stack is known, before its Python frames are added: 0 when there is none but ekka_stack_hash of the whole. Costs a small
 * part of what those frames do. Of one depth.
 */
uint64_t ekka_stack_key(const struct ekka_stack *st, unsigned depth);

/*
 * Adds the Python frames, if an interpreter is loaded and they can be read safely. Never blocks, never allocates, never raises; keeps a pending Python
 * exception. Any thread.
 */
void ekka_stack_python(struct ekka_stack *st, unsigned depth);

/* 64-bit hash of pcs and Python frames, for interning. */
uint64_t ekka_stack_hash(const struct ekka_stack *st);

/*
 * Lists executable mappings with build-ids (from the ELF notes in memory) that were not listed before; calls `emit`
 * with batches. Cheap when nothing was loaded since (dl_iterate_phdr's counters). One caller at a time.
 */
void ekka_maps_update(void (*emit)(const struct ekka_rec_maps *, void *arg), void *arg);
void ekka_maps_reset(void);	/* forget what was listed: after fork */

#endif
