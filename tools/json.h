/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What json-c does not do by itself: valid JSON whatever the values are. Real numbers are
 * written with the fewest digits that read back the same; NaN and infinities, which JSON
 * lacks, as the strings "nan", "inf" and "-inf"; text that is not UTF-8 with U+FFFD in place of what is not.
 * Out of memory ends the command with EKKA_EXIT_FATAL: half an object is worse than none.
 */
#ifndef EKKA_TOOLS_JSON_H
#define EKKA_TOOLS_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

struct json_object *ekka_json_object(void);
struct json_object *ekka_json_array(void);

/* Each adds a member; the object takes ownership. Keys must be static. text NULL: null. */
void ekka_json_add(struct json_object *, const char *key, struct json_object *value);
void ekka_json_add_text(struct json_object *, const char *key, const char *text);
void ekka_json_add_int(struct json_object *, const char *key, int64_t v);
void ekka_json_add_uint(struct json_object *, const char *key, uint64_t v);
void ekka_json_add_real(struct json_object *, const char *key, double v);
void ekka_json_add_bool(struct json_object *, const char *key, bool v);

void ekka_json_append(struct json_object *array, struct json_object *value);
struct json_object *ekka_json_text(const char *text);
struct json_object *ekka_json_real(double v);
struct json_object *ekka_json_hex(uint64_t v);		/* "0x7f..." : addresses do not fit a double */
struct json_object *ekka_json_bytes(const uint8_t *p, uint64_t n);	/* "0a1b..." */

/* Prints on one line (or indented) with a line end, and releases it. */
void ekka_json_print(struct json_object *, bool indented);

#endif
