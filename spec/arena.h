/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that is handed out and comes back only as a whole, from pages of its own: for code that runs inside the host, where malloc is
 * out of bounds. All-zero is the initial state. Not thread-safe.
 */
#ifndef EKKA_SPEC_ARENA_H
#define EKKA_SPEC_ARENA_H

#include <stddef.h>

enum { EKKA_ARENA_BYTES_MAX = 64 << 20 };	/* of one arena: what hostile input can make it take */

struct ekka_arena { char *at; size_t left, total; void *last; };

/* Zeroed memory for anything of up to 16 bytes' alignment; NULL when there is none. */
void *ekka_arena_take(struct ekka_arena *, size_t bytes);

/* A NUL-terminated copy of n bytes, or NULL. */
char *ekka_arena_text(struct ekka_arena *, const char *text, size_t n);

/* Gives everything back; the arena is as at first. */
void ekka_arena_release(struct ekka_arena *);

#endif
