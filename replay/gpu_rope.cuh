/* SPDX-License-Identifier: Apache-2.0 */
/* Rotary position embedding: a thread takes an element. */
#include "replay/gpu_device.cuh"
#include "replay/rows_job.h"

/* Of a token's pair with element c. False: the position lies outside the tables. */
static __device__ bool rope_angle(const struct ekka_rope_job *j, i64 token, i64 c, struct ekka_rope_angle *ret)
{
	i64 at = j->positions.bytes ? array_int(&j->positions, token) : token, pair = ekka_rope_pair(c, j->rot, j->interleaved), column;

	at += j->offsets.bytes ? array_int(&j->offsets, token) : 0;
	if (!j->cos.bytes) {
		*ret = ekka_rope_computed(at, pair, j->rot, j->theta, j->scaling);
		return true;
	}
	if (at < 0 || at >= j->positions_known)
		return false;
	column = at * j->columns + (j->by_pair ? pair : c);
	ret->cos = array_value(&j->cos, column);
	ret->sin = array_value(&j->sin, column + j->sines);
	ret->error = 0;
	return true;
}

static __device__ void note_turned(const struct ekka_rope_job *j, const struct ekka_rope_tensor *x, i64 e, struct ekka_gpu_part *found)
{
	i64 row = e / x->d, c = e - row * x->d, other = ekka_rope_other(c, j->rot, j->interleaved);
	double own = array_value(&x->x, e), got = array_value(&x->y.array, e);
	struct ekka_near near = ekka_near_of(own, 0);
	struct ekka_rope_angle t;

	if (c < j->rot) {
		if (!rope_angle(j, row / x->heads, c, &t)) {
			found->n_bad++;		/* for the CPU to say */
			return;
		}
		near = ekka_rope_turned(own, array_value(&x->x, row * x->d + other), other > c, &t, j->u, j->roundings);
	}
	note_element(found, &x->y.format, e, got, near.value, near.error, false);
}

EKKA_KERNEL ekka_gpu_rope(const struct ekka_rope_job *j)
{
	for (int i = 0; i < 2; i++) {
		const struct ekka_rope_tensor *x = &j->tensor[i];
		struct ekka_gpu_part found = nothing_found();

		FOR_EACH(e, x->y.parts ? x->y.array.n : 0)
			note_turned(j, x, e, &found);
		if (x->y.parts)
			tell((struct ekka_gpu_part *)(size_t)x->y.parts, found);
	}
}
