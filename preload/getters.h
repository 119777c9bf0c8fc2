/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions of the very library that a call goes to: handles and descriptors mean nothing to another copy of it, so its getters must be its own.
 * Zone: inside the host process.
 */
#ifndef EKKA_PRELOAD_GETTERS_H
#define EKKA_PRELOAD_GETTERS_H

enum { EKKA_GETTERS = 16 };		/* at most, of one set */

/*
 * A set is a list F(member, function), which makes both the structure of its functions and their names:
 *
 *	#define THE_GETTERS(F) F(stream, cublasGetStream_v2) F(math, cublasGetMathMode)
 *	struct the_getters { THE_GETTERS(EKKA_GETTER_MEMBER) } EKKA_GETTER_STRUCT;
 *	EKKA_GETTER_SET(the_set, "cublas", THE_GETTERS);
 */
#define EKKA_GETTER_MEMBER(member, function) __typeof__(function) *member;
#define EKKA_GETTER_NAME(member, function) #function,
#define EKKA_GETTER_STRUCT __attribute__((may_alias))
#define EKKA_GETTER_SET(set, library, list)                                             \
	static const struct ekka_getter_set set = { library, { list(EKKA_GETTER_NAME) } }

struct ekka_getter_set { const char *library; const char *names[EKKA_GETTERS]; };

/*
 * The set's functions for calls that go to `real`: of the object that holds it, or, as a layer may wrap only part of a library, of a loaded
 * one that the spec calls by the set's name for it. To be cast to the set's structure; a function that neither has is NULL. NULL when there is no
 * more room. Only the first question for a `real` takes the loader's lock. Thread-safe.
 */
const void *ekka_getters(const void *real, const struct ekka_getter_set *);

#endif
