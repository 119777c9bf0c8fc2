/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bad elements of one output: which they are, and what they look like. The second needs a sample of them, and for some hypotheses
 * the references of other elements, which are gathered when the elements go by once more.
 */
#ifndef EKKA_COMPARE_ELEMENTS_BAD_H
#define EKKA_COMPARE_ELEMENTS_BAD_H

#include "compare/verdict.h"
#include "trace/model.h"

enum { EKKA_BAD_SAMPLES = 256 };

struct ekka_bad {
	const struct ekka_tensor *tensor;	/* borrowed */
	double unit;				/* unit roundoff of its dtype */
	int64_t dim[EKKA_MAX_DIMS];
	unsigned n_dims;
	uint64_t n;				/* bad elements */
	int64_t all, first, last;		/* elements in all; row-major index of the first and last bad one */
	int64_t lo[EKKA_MAX_DIMS], hi[EKKA_MAX_DIMS];
	uint32_t *count[EKKA_MAX_DIMS];		/* bad elements by index, per dim; NULL: too many indices or no memory */
	struct ekka_bad_sample { int64_t index; double out, ref, bound; } sample[EKKA_BAD_SAMPLES];
	unsigned n_samples;
	uint64_t random;
	bool (*before)(void *arg, int64_t index, double *ret);	/* NULL: not known */
	void *before_arg;
	struct ekka_bad_wanted { int64_t index; double ref; bool known; } *wanted;	/* by index; owned */
	size_t n_wanted;
};

void ekka_bad_init(struct ekka_bad *, const struct ekka_tensor *);
void ekka_bad_release(struct ekka_bad *);
void ekka_bad_add(struct ekka_bad *, int64_t index, double out, double ref, double bound);

/* Lists the elements whose references the hypotheses need; false when none are. */
bool ekka_bad_prepare(struct ekka_bad *);
void ekka_bad_look(struct ekka_bad *, int64_t first, size_t n, const double *ref);
void ekka_bad_look_int(struct ekka_bad *, int64_t first, size_t n, const int64_t *ref);

/* Which elements they are: "rows 3-5, columns 0-63 (one 3x64 tile)". Both write texts of EKKA_TEXT bytes, empty when there is nothing to say. */
void ekka_bad_where(const struct ekka_bad *, char *text);

/*
 * What nearly all samples (9 of 10) have in common: zero, stale, negated, a factor, another element's result. The hypothesis that fits most of them. Where none
 * does, and the bad elements are the end of the output, or the last ones of a dim, and have nothing to do with what they should be: that they were not computed.
 */
void ekka_bad_looks_like(const struct ekka_bad *, char *text);

#endif
