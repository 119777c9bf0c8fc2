/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What generated wrappers and the expressions in *.spec may use beside preload/capture.h.
 * Zone: inside the host process (preload/capture.h has its rules).
 */
#ifndef EKKA_SPEC_WRAP_H
#define EKKA_SPEC_WRAP_H

#include "preload/capture.h"

/* Events that one grouped call is split into at most; further groups are counted as dropped. */
enum { EKKA_MAX_PARTS = 32 };

/* Events for a grouped call of `count` groups: at least 1, so that a call with an invalid count is recorded too. */
static inline int64_t ekka_part_count(int64_t count)
{
	return count < 1 ? 1 : count > EKKA_MAX_PARTS ? EKKA_MAX_PARTS : count;
}

static inline int64_t max(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static inline bool is_complex(enum ekka_dtype t)
{
	return ekka_dtype_is_complex(t);
}

/* Name of the arithmetic of an API whose alpha and beta have type t and that says no more: attribute "compute". */
static inline const char *compute_of(enum ekka_dtype t)
{
	switch (t) {
	case EKKA_F64: case EKKA_C128: return "f64";
	case EKKA_F16: return "f16";
	case EKKA_I32: return "i32";
	default: return "f32";
	}
}

/* Fortran CHARACTER options are read without regard to case. */
static inline char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

#endif
