/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/audit_bytes.h"

#include "compare/audit.h"
#include "replay/blobs.h"
#include "replay/convert.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLE = 16 << 10, LEAST = 128 /* elements that a type is judged by */, LEAST_DIFFERENT = 64, SCALES = 2048 };

/* What there is of 16-bit words: which, how many different ones, and how many of those are ordinary numbers as bfloat16. */
struct words {
	uint64_t seen[1024];
	unsigned n, ordinary;
};

static void see(struct words *w, uint16_t word)
{
	unsigned exponent = word >> 7 & 0xff;

	if (w->seen[word / 64] >> word % 64 & 1)
		return;
	w->seen[word / 64] |= (uint64_t)1 << word % 64;
	if (!(word & 0x7fff))
		return;		/* zero is anything */
	w->n++;
	w->ordinary += exponent >= 127 - 63 && exponent <= 127 + 23;
}

static bool are_numbers(const struct words *w)
{
	return w->ordinary >= 0.95 * w->n;
}

/* ---- element types ---------------------------------------------------- */

struct sample { const unsigned char *p; size_t n; /* bytes */ };

static uint16_t word_at(const struct sample *s, size_t i)
{
	uint16_t w;

	memcpy(&w, s->p + 2 * i, 2);
	return w;
}

static uint32_t word32_at(const struct sample *s, size_t i)
{
	uint32_t w;

	memcpy(&w, s->p + 4 * i, 4);
	return w;
}

/* Words at even and at odd places: of a float its lower and its upper half. */
static void split(const struct sample *s, struct words ret[2])
{
	memset(ret, 0, 2 * sizeof(*ret));
	for (size_t i = 0; i < s->n / 2; i++)
		see(&ret[i % 2], word_at(s, i));
}

static bool halves_hold_f32(const struct words half[2])
{
	return half[0].n >= LEAST_DIFFERENT && half[1].n > 0 && are_numbers(&half[1]) && half[0].ordinary <= 0.5 * half[0].n;
}

static bool f32_holds_halves(const struct words half[2])
{
	return half[0].n >= LEAST_DIFFERENT && half[1].n >= LEAST_DIFFERENT && are_numbers(&half[0]) && are_numbers(&half[1]);
}

/* In f16's place the exponent of a bf16 number changes by one for every factor of 256. */
static bool f16_holds_bf16(const struct sample *s, const struct words half[2])
{
	size_t n = s->n / 2, inside = 0, negative = 0, other = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned w = word_at(s, i), exponent = w >> 10 & 31;

		if (!(w & 0x7fff))
			continue;
		other++;
		inside += exponent >= 15 - 3 && exponent < 15 + 3;
		negative += w >> 15;
	}
	return other >= 2 * LEAST && inside == other && 5 * negative >= other && 5 * negative <= 4 * other &&
	       half[0].n >= LEAST_DIFFERENT && half[1].n >= LEAST_DIFFERENT;
}

/* `bytes`: of an element, 4 or 8. */
static bool holds_integers(const struct sample *s, size_t bytes)
{
	uint64_t first = 0, other = 0, different = 0;

	for (size_t i = 0; i + bytes <= s->n; i += bytes) {
		uint64_t v = 0;

		memcpy(&v, s->p + i, bytes);
		if (v >= 1u << 20)
			return false;
		first = first ? first : v;
		other += v != 0;
		different += v && v != first;
	}
	return other >= 32 && different > 0;
}

static bool i64_holds_i32(const struct sample *s)
{
	size_t n = s->n / 8, upper = 0, lower = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t low = word32_at(s, 2 * i), high = word32_at(s, 2 * i + 1);

		if (low >= 1u << 24 || high >= 1u << 24)
			return false;
		upper += high != 0;
		lower += low != 0;
	}
	return n >= 16 && 2 * upper >= n && 2 * lower >= n;
}

/* What a tensor of this type seems to hold; NULL: what it should, or who knows. */
static const char *holds(enum ekka_dtype type, const struct sample *s)
{
	struct words half[2];

	if (s->n / ekka_dtype_bytes(type) < LEAST)
		return type == EKKA_I64 && i64_holds_i32(s) ? "32-bit integers" : NULL;
	switch (type) {
	case EKKA_F16:
	case EKKA_BF16:
		split(s, half);
		if (halves_hold_f32(half))
			return "f32 numbers";
		return type == EKKA_F16 && f16_holds_bf16(s, half) ? "bf16 numbers" : NULL;
	case EKKA_F32:
		split(s, half);
		return f32_holds_halves(half) ? "16-bit floating-point numbers" : holds_integers(s, 4) ? "integers" : NULL;
	case EKKA_F64:
		return holds_integers(s, 8) ? "integers" : NULL;
	case EKKA_I64:
		return i64_holds_i32(s) ? "32-bit integers" : NULL;
	default:
		return NULL;
	}
}

static bool is_dense(const struct ekka_tensor *t)
{
	uint64_t n = ekka_dtype_bytes(t->dtype);

	for (unsigned d = 0; d < t->n_dims; d++)
		if (__builtin_mul_overflow(n, (uint64_t)t->dim[d], &n))
			return false;
	return n == t->span_bytes && !t->n_ptrs;
}

/* ---- scales ----------------------------------------------------------- */

bool ekka_is_scale(const struct ekka_tensor *t)
{
	double roundoff = ekka_dtype_unit_roundoff(t->dtype);

	return (t->dir & EKKA_IN) && roundoff > 0 && !ekka_dtype_is_complex(t->dtype) && t->name && strstr(t->name, "scale") != NULL;
}

static void audit_scale(const struct ekka_tensor *t, const struct sample *s, struct ekka_verdict *v)
{
	size_t n = s->n / ekka_dtype_bytes(t->dtype), zeros = 0;
	double value[SCALES];
	const char *what = NULL;
	char text[128];

	n = n < SCALES ? n : SCALES;
	ekka_convert(t->dtype, s->p, 1, n, value, NULL);
	for (size_t i = 0; i < n && !what; i++) {
		what = isnan(value[i]) ? "holds NaN" : isinf(value[i]) ? "is infinite" : value[i] < 0 ? "is negative" : NULL;
		zeros += value[i] == 0;
	}
	if (!what && n && zeros == n && s->n == t->span_bytes)
		what = "is zero";
	if (!what)
		return;
	(void)snprintf(text, sizeof(text), "the scale %.32s %s", t->name, what);
	ekka_audit_append(v, text);
}

/* ---- the event -------------------------------------------------------- */

/* Where a tensor's bytes are: its own, or a part of the raw buffer that it views. False when they are not there. */
static bool find_bytes(struct ekka_trace *trace, const struct ekka_event *e, unsigned i, const struct ekka_rec_data **ret, uint64_t *ret_at)
{
	const struct ekka_tensor *t = &e->call.tensors[i], *base = t;
	const struct ekka_event_data *pre = &e->data[i][EKKA_PRE];

	if (t->alias_of >= 0) {
		base = &e->call.tensors[t->alias_of];
		pre = &e->data[t->alias_of][EKKA_PRE];
		if (base->dtype != EKKA_U8)	/* another view of a tensor that is looked at itself */
			return false;
	}
	if (!pre->present || pre->rec.missing || t->addr < base->addr || !ekka_trace_blob_present(trace, &pre->rec.id, NULL))
		return false;
	*ret = &pre->rec;
	*ret_at = t->addr - base->addr;
	return *ret_at <= pre->rec.bytes && t->span_bytes <= pre->rec.bytes - *ret_at;
}

static void audit_tensor(struct ekka_blobs *blobs, struct ekka_trace *trace, const struct ekka_event *e, unsigned i, unsigned char *buf, struct ekka_verdict *v)
{
	const struct ekka_tensor *t = &e->call.tensors[i];
	struct sample s = { buf, t->span_bytes < SAMPLE ? t->span_bytes : SAMPLE };
	const struct ekka_rec_data *data;
	struct ekka_error ignored = { 0 };
	const char *what;
	char text[160];
	uint64_t at;

	if (!find_bytes(trace, e, i, &data, &at) || ekka_blobs_read(blobs, trace, &data->id, at, buf, s.n, &ignored) != 0)
		return;
	if (ekka_is_scale(t))
		audit_scale(t, &s, v);
	what = holds(t->dtype, &s);
	if (!what)
		return;
	(void)snprintf(text, sizeof(text), "%.32s, taken for %s, looks like %s", t->name, ekka_dtype_name(t->dtype), what);
	ekka_audit_append(v, text);
}

void ekka_audit_bytes(struct ekka_blobs *blobs, struct ekka_trace *trace, const struct ekka_event *e, struct ekka_verdict *v)
{
	unsigned char *buf = malloc(SAMPLE);

	for (unsigned i = 0; buf && i < e->call.n_tensors; i++)
		if ((e->call.tensors[i].dir & EKKA_IN) && is_dense(&e->call.tensors[i]))
			audit_tensor(blobs, trace, e, i, buf, v);
	free(buf);
}
