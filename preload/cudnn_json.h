/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads JSON (RFC 8259) where it lies, without allocating: what cuDNN writes down of a plan. Zone: inside the host process.
 *
 * A value is a piece of the text. Pure functions, thread-safe; a text that is no JSON answers false everywhere. Strings with
 * escapes are passed over, but never equal anything.
 */
#ifndef EKKA_PRELOAD_CUDNN_JSON_H
#define EKKA_PRELOAD_CUDNN_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ekka_json { const char *p, *end; };	/* one value without blanks around it; borrowed from the text */

/* The value that the whole text is. False when it is none; nesting deeper than 32 is refused. */
bool ekka_json_parse(const char *text, size_t n, struct ekka_json *ret);

/*
 * Goes through an object or an array: *pos is 0 at first. False at the end. key is set for objects (the string without its
 * quotes), else empty.
 */
bool ekka_json_next(struct ekka_json container, size_t *pos, struct ekka_json *ret_key, struct ekka_json *ret_value);

/* An object's member of that name; false when there is none. */
bool ekka_json_member(struct ekka_json object, const char *name, struct ekka_json *ret);

bool ekka_json_is(struct ekka_json string, const char *text);	/* a string value with this content */
bool ekka_json_key_is(struct ekka_json key, const char *text);
bool ekka_json_is_string(struct ekka_json);
bool ekka_json_true(struct ekka_json);
bool ekka_json_int(struct ekka_json, int64_t *ret);		/* a whole number that fits; also one in a string */
bool ekka_json_real(struct ekka_json, double *ret);		/* any number, to a few units in the last place */

/* A whole array of at most `max` integers; their number, or -1. */
int ekka_json_ints(struct ekka_json array, int64_t *ret, unsigned max);

#endif
