/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "spec/arena.h"

#include <string.h>
#include <sys/mman.h>

enum { RUN_BYTES = 64 << 10, ALIGN = 16 };

void *ekka_arena_take(struct ekka_arena *a, size_t bytes)
{
	void *p;

	if (bytes > EKKA_ARENA_BYTES_MAX)
		return NULL;
	bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
	if (bytes > a->left) {
		size_t run = bytes > RUN_BYTES ? bytes : RUN_BYTES;

		if (run > EKKA_ARENA_BYTES_MAX - a->total)
			return NULL;
		p = mmap(NULL, run, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			return NULL;
		a->at = p;
		a->left = run;
		a->total += run;
	}
	p = a->at;
	a->at += bytes;
	a->left -= bytes;
	return p;
}

char *ekka_arena_text(struct ekka_arena *a, const char *text, size_t n)
{
	char *copy = n < EKKA_ARENA_BYTES_MAX ? ekka_arena_take(a, n + 1) : NULL;

	if (copy && n)
		memcpy(copy, text, n);
	return copy;
}
