/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "spec/arena.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Under the fuzzer every piece is a run of its own, so that what reads behind one is seen. */
#ifdef EKKA_FUZZING
enum { RUN_BYTES = 0 };
#else
enum { RUN_BYTES = 64 << 10 };
#endif
enum { ALIGN = 16 };

struct run { struct run *before; size_t bytes; };
_Static_assert(sizeof(struct run) % ALIGN == 0, "what follows is aligned");

static struct run *new_run(size_t bytes)
{
#ifdef EKKA_FUZZING
	return calloc(1, bytes);
#else
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
#endif
}

void *ekka_arena_take(struct ekka_arena *a, size_t bytes)
{
	void *p;

	if (bytes > EKKA_ARENA_BYTES_MAX)
		return NULL;
	bytes = RUN_BYTES ? (bytes + ALIGN - 1) / ALIGN * ALIGN : bytes;
	if (bytes > a->left || !a->last) {
		size_t wanted = bytes + sizeof(struct run), run_bytes = wanted > RUN_BYTES ? wanted : RUN_BYTES;
		struct run *run = run_bytes <= EKKA_ARENA_BYTES_MAX - a->total ? new_run(run_bytes) : NULL;

		if (!run)
			return NULL;
		*run = (struct run){ a->last, run_bytes };
		a->last = run;
		a->at = (char *)(run + 1);
		a->left = run_bytes - sizeof(*run);
		a->total += run_bytes;
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

void ekka_arena_release(struct ekka_arena *a)
{
	for (struct run *run = a->last, *before; run; run = before) {
		before = run->before;
#ifdef EKKA_FUZZING
		free(run);
#else
		(void)munmap(run, run->bytes);
#endif
	}
	*a = (struct ekka_arena){ 0 };
}
