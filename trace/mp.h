/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A walk over msgpack bytes that nobody vouches for. Two uses: pulling a few keys out of a body during a
 * scan without allocating, and checking a body before msgpack-c, which reserves memory by the counts
 * it reads, may decode it. No allocation; pure.
 */
#ifndef EKKA_TRACE_MP_H
#define EKKA_TRACE_MP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EKKA_MP_MAX_NESTING = 16 };

/* Is it exactly one msgpack object, nested at most EKKA_MP_MAX_NESTING deep, no count beyond the bytes there are? */
bool ekka_mp_valid(const uint8_t *p, size_t n);

/* A key to look for in a map. The first value of the wanted type is taken; `found` must start out false. */
struct ekka_mp_want {
	const char *key;
	bool is_bin;			/* bytes rather than an unsigned integer */
	bool is_array;			/* or an array */
	bool found;
	uint64_t u;			/* the integer, or the number of bytes or items */
	const uint8_t *p;		/* the bytes, or the first item, within the body */
};

/*
 * Looks for n_wants keys in the map that `p` starts with, and stops as soon as all are found: what lies behind is not looked at.
 * False when a wanted key is not there or what was passed on the way is no valid msgpack.
 */
bool ekka_mp_peek(const uint8_t *p, size_t n, struct ekka_mp_want *wants, unsigned n_wants);

/* Reads an array of exactly n unsigned integers at *p and moves *p behind it; false when there is something else. */
bool ekka_mp_take_uints(const uint8_t **p, const uint8_t *end, uint64_t *ret, unsigned n);

#endif
