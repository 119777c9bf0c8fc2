/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that evaluate expressions share. Functions that return bool refuse the launch when they return false. */
#ifndef EKKA_SPEC_KD_VALUE_H
#define EKKA_SPEC_KD_VALUE_H

#include "spec/kd.h"

static inline bool kd_set_int(struct kd_value *v, int64_t i)
{
	*v = (struct kd_value){ .kind = KD_INT, .i = i };
	return true;
}

static inline bool kd_set_real(struct kd_value *v, double d)
{
	*v = (struct kd_value){ .kind = KD_REAL, .r = d };
	return true;
}

static inline bool kd_set_dtype(struct kd_value *v, enum ekka_dtype t)
{
	*v = (struct kd_value){ .kind = KD_DTYPE, .t = t };
	return true;
}

static inline bool kd_set_place(struct kd_value *v, int64_t param, int64_t offset)
{
	*v = (struct kd_value){ .kind = KD_PLACE, .place = { param, offset } };
	return true;
}

static inline bool kd_is_number(const struct kd_value *v)
{
	return v->kind == KD_INT || v->kind == KD_REAL;
}

static inline double kd_real_of(const struct kd_value *v)
{
	return v->kind == KD_INT ? (double)v->i : v->r;
}

/* "a whole number", for refusals. */
const char *kd_kind_name(enum kd_kind kind);

/* Refuses because a number does not fit 64 bits. */
bool kd_overflow(struct kd_run *r, const struct kd_node *n);

/* Two texts as one. */
bool kd_join(struct kd_run *r, const struct kd_node *n, const char *a, const char *b, struct kd_value *ret);

/* What a reader such as i32 makes of the bytes at a place; an element of a type there. */
bool kd_read_place(struct kd_run *r, const struct kd_node *n, enum kd_fn fn, const struct kd_value *at, struct kd_value *ret);
bool kd_read_value(struct kd_run *r, const struct kd_node *n, const struct kd_value *type, const struct kd_value *at, struct kd_value *ret);

/* Nodes of their kinds. */
bool kd_unary(struct kd_run *r, const struct kd_node *n, struct kd_value *ret);
bool kd_binary(struct kd_run *r, const struct kd_node *n, struct kd_value *ret);
bool kd_call(struct kd_run *r, const struct kd_node *n, struct kd_value *ret);

#endif
