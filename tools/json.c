/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/json.h"

#include "tools/command.h"
#include "tools/message.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct json_object *need(struct json_object *o)
{
	if (!o)
		exit(ekka_fatal("out of memory"));
	return o;
}

struct json_object *ekka_json_object(void)
{
	return need(json_object_new_object());
}

struct json_object *ekka_json_array(void)
{
	return need(json_object_new_array());
}

void ekka_json_add(struct json_object *o, const char *key, struct json_object *value)
{
	if (json_object_object_add_ex(o, key, value, JSON_C_OBJECT_KEY_IS_CONSTANT) != 0)
		exit(ekka_fatal("out of memory"));
}

void ekka_json_append(struct json_object *array, struct json_object *value)
{
	if (json_object_array_add(array, value) != 0)
		exit(ekka_fatal("out of memory"));
}

/* Bytes of the well-formed UTF-8 character at s (Unicode table 3-7), or 0. */
static size_t utf8(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

struct json_object *ekka_json_text(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	struct json_object *ret;
	char *copy, *at;

	if (!text)
		return NULL;
	at = copy = malloc(3 * strlen(text) + 1);
	if (!copy)
		exit(ekka_fatal("out of memory"));
	while (*s) {
		size_t n = utf8(s);

		if (n)
			memcpy(at, s, n);
		else
			memcpy(at, "\xef\xbf\xbd", 3);
		at += n ? n : 3;
		s += n ? n : 1;
	}
	ret = json_object_new_string_len(copy, (int)(at - copy));
	free(copy);
	return need(ret);
}

struct json_object *ekka_json_real(double v)
{
	char text[40];

	if (isnan(v))
		return ekka_json_text("nan");
	if (isinf(v))
		return ekka_json_text(v > 0 ? "inf" : "-inf");
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	return need(json_object_new_double_s(v, text));
}

struct json_object *ekka_json_hex(uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, v);
	return ekka_json_text(text);
}

struct json_object *ekka_json_bytes(const uint8_t *p, uint64_t n)
{
	struct json_object *o;
	char *text = malloc(2 * n + 1);

	if (!text)
		exit(ekka_fatal("out of memory"));
	for (uint64_t i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", p[i]);
	text[2 * n] = '\0';
	o = ekka_json_text(text);
	free(text);
	return o;
}

void ekka_json_add_text(struct json_object *o, const char *key, const char *text)
{
	ekka_json_add(o, key, ekka_json_text(text));
}

void ekka_json_add_int(struct json_object *o, const char *key, int64_t v)
{
	ekka_json_add(o, key, need(json_object_new_int64(v)));
}

void ekka_json_add_uint(struct json_object *o, const char *key, uint64_t v)
{
	ekka_json_add(o, key, need(json_object_new_uint64(v)));
}

void ekka_json_add_real(struct json_object *o, const char *key, double v)
{
	ekka_json_add(o, key, ekka_json_real(v));
}

void ekka_json_add_bool(struct json_object *o, const char *key, bool v)
{
	ekka_json_add(o, key, need(json_object_new_boolean(v)));
}

void ekka_json_print(struct json_object *o, bool indented)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE | (indented ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : 0);
	const char *text = json_object_to_json_string_ext(o, flags);

	if (!text)
		exit(ekka_fatal("out of memory"));
	puts(text);
	json_object_put(o);
}
