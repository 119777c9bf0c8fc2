/* SPDX-License-Identifier: Apache-2.0 */
/* What commands say about one event. Thread-safe; nothing is kept. */
#ifndef EKKA_TOOLS_EVENT_H
#define EKKA_TOOLS_EVENT_H

#include <json-c/json.h>

#include "trace/reader.h"

/* "complete", "returned" or "begun". */
const char *ekka_event_state_name(enum ekka_event_state);

/*
 * "64x32 * 32x16": dims of the tensors that are read only, or of all when there are none; of an event that is no product of two but has an op "8x4096", or
 * "8x4096 > 8" where its first input and output differ; of a launch without an op "<<<64, 32x4>>>". Returns buf.
 */
const char *ekka_event_shapes(const struct ekka_event *, char *buf, size_t len);

/*
 * What it does, in a few words: "softmax", "reduce mean", "elementwise in0 * in1" of an event that carries its op; else the function's name,
 * a kernel's shortened. Into buf or elsewhere; returns it.
 */
const char *ekka_event_title(const struct ekka_event *, char *buf, size_t len);

/* Does the event carry its op itself, not its function: a described launch, a plan of cuDNN. */
bool ekka_event_has_meaning(const struct ekka_event *);

/* "f32", or "bf16>f32" when inputs and outputs differ. Returns buf. */
const char *ekka_event_dtypes(const struct ekka_event *, char *buf, size_t len);

/* Dims as "64x32" into buf. */
const char *ekka_dims_text(const int64_t *dims, unsigned n, const char *between, char *buf, size_t len);

/* Bytes that should be there and are not. */
struct ekka_missing {
	unsigned tensor;
	enum ekka_phase phase;
	const char *why;	/* "budget", "not recorded", ... */
};
enum { EKKA_MAX_MISSING = 2 * EKKA_MAX_TENSORS };

/* How many; they are filled into `ret`. None on a trace of level "calls" and in nested calls, of which no bytes are wanted. */
unsigned ekka_event_missing(const struct ekka_event *, struct ekka_missing ret[EKKA_MAX_MISSING]);

/* The bytes of tensor i at `phase` (of the tensor that it views, where it is a view): NULL when they are not there. */
const struct ekka_rec_data *ekka_event_bytes(const struct ekka_event *, unsigned i, enum ekka_phase phase);

/* "before" or "after". */
const char *ekka_phase_name(enum ekka_phase);

/* A value as text into buf, with its enumerator when `type` is a known enumeration. Returns buf. */
const char *ekka_value_text(const struct ekka_value *, const char *type, char *buf, size_t len);

/* An attribute's value, an address as one. Returns buf. */
const char *ekka_attr_text(const struct ekka_attr *, char *buf, size_t len);
struct json_object *ekka_value_json(const struct ekka_value *);

/*
 * Event number from text: 0, or -1. Event numbers and traces are told apart by this, so that EVENT and TRACE may come in either order.
 */
int ekka_event_number(const char *text, uint64_t *ret_number);

#endif
