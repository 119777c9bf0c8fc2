/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/cudnn_json.h"

#include <string.h>

enum { DEPTH_MAX = 32 };

static const char *blanks(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

/* Behind the string that begins at p; NULL when it does not end. */
static const char *string_end(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++) {
		if ((unsigned char)*p < 0x20)
			return NULL;
		if (*p == '\\' && ++p == end)
			return NULL;
	}
	return p < end ? p + 1 : NULL;
}

static const char *digits(const char *p, const char *end)
{
	const char *from = p;

	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p > from ? p : NULL;
}

static const char *number_end(const char *p, const char *end)
{
	if (p < end && *p == '-')
		p++;
	p = digits(p, end);
	if (p != NULL && p < end && *p == '.')
		p = digits(p + 1, end);
	if (p != NULL && p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		p = digits(p, end);
	}
	return p;
}

static const char *word_end(const char *p, const char *end)
{
	static const char *const words[] = { "true", "false", "null" };

	for (unsigned i = 0; i < 3; i++) {
		size_t n = strlen(words[i]);
		if ((size_t)(end - p) >= n && memcmp(p, words[i], n) == 0)
			return p + n;
	}
	return NULL;
}

static const char *scalar_end(const char *p, const char *end)
{
	if (p == end)
		return NULL;
	if (*p == '"')
		return string_end(p, end);
	return *p == '-' || (*p >= '0' && *p <= '9') ? number_end(p, end) : word_end(p, end);
}

/* p is at a key of an object: behind its colon. */
static const char *key_end(const char *p, const char *end)
{
	p = p < end && *p == '"' ? string_end(p, end) : NULL;
	p = p != NULL ? blanks(p, end) : NULL;
	return p != NULL && p < end && *p == ':' ? blanks(p + 1, end) : NULL;
}

/* Behind the value that begins at p; NULL when it is none. */
static const char *value_end(const char *p, const char *end)
{
	char open[DEPTH_MAX];
	unsigned depth = 0;

	for (;;) {
		if (p < end && (*p == '{' || *p == '[')) {
			char close = *p == '{' ? '}' : ']';

			if (depth == DEPTH_MAX)
				return NULL;
			open[depth++] = close;
			p = blanks(p + 1, end);
			if (p < end && *p == close) {
				p++;
				depth--;
			} else {
				p = close == '}' ? key_end(p, end) : p;
				if (p == NULL)
					return NULL;
				continue;
			}
		} else {
			p = scalar_end(p, end);
		}
		/* Behind a value: what it closes, or the next one. */
		for (;;) {
			if (p == NULL || depth == 0)
				return p;
			p = blanks(p, end);
			if (p == end || (*p != ',' && *p != open[depth - 1]))
				return NULL;
			if (*p == ',')
				break;
			p++;
			depth--;
		}
		p = blanks(p + 1, end);
		p = open[depth - 1] == '}' ? key_end(p, end) : p;
		if (p == NULL)
			return NULL;
	}
}

bool ekka_json_parse(const char *text, size_t n, struct ekka_json *ret)
{
	const char *end = text + n, *p = blanks(text, end), *behind = value_end(p, end);

	*ret = (struct ekka_json){ p, behind };
	return behind != NULL && blanks(behind, end) == end;
}

bool ekka_json_next(struct ekka_json c, size_t *pos, struct ekka_json *ret_key, struct ekka_json *ret_value)
{
	const char *p = c.p + (*pos > 0 ? *pos : 1), *end;

	*ret_key = (struct ekka_json){ p, p };
	if (c.p >= c.end || (*c.p != '{' && *c.p != '['))
		return false;
	p = blanks(p, c.end);
	if (p < c.end && *p == ',' && *pos > 0)
		p = blanks(p + 1, c.end);
	if (p >= c.end - 1)	/* the closing bracket */
		return false;
	if (*c.p == '{') {
		end = string_end(p, c.end);
		if (end == NULL)
			return false;
		*ret_key = (struct ekka_json){ p + 1, end - 1 };
		p = key_end(p, c.end);
		if (p == NULL)
			return false;
	}
	end = value_end(p, c.end);
	if (end == NULL)
		return false;
	*ret_value = (struct ekka_json){ p, end };
	*pos = (size_t)(end - c.p);
	return true;
}

bool ekka_json_key_is(struct ekka_json key, const char *text)
{
	size_t n = (size_t)(key.end - key.p);

	return n == strlen(text) && memcmp(key.p, text, n) == 0;
}

bool ekka_json_is_string(struct ekka_json v)
{
	return v.p < v.end && *v.p == '"';
}

bool ekka_json_is(struct ekka_json v, const char *text)
{
	return ekka_json_is_string(v) && ekka_json_key_is((struct ekka_json){ v.p + 1, v.end - 1 }, text);
}

bool ekka_json_true(struct ekka_json v)
{
	return v.p < v.end && *v.p == 't';
}

bool ekka_json_member(struct ekka_json object, const char *name, struct ekka_json *ret)
{
	struct ekka_json key, value;

	if (object.p >= object.end || *object.p != '{')
		return false;
	for (size_t pos = 0; ekka_json_next(object, &pos, &key, &value);) {
		if (ekka_json_key_is(key, name)) {
			*ret = value;
			return true;
		}
	}
	return false;
}

bool ekka_json_int(struct ekka_json v, int64_t *ret)
{
	const char *p = v.p, *end = v.end;
	bool negative;

	if (ekka_json_is_string(v)) {
		p++;
		end--;
	}
	negative = p < end && *p == '-';
	p += negative;
	*ret = 0;
	if (p >= end)
		return false;
	for (; p < end; p++)
		if (*p < '0' || *p > '9' || __builtin_mul_overflow(*ret, 10, ret) || __builtin_add_overflow(*ret, *p - '0', ret))
			return false;
	if (negative)
		*ret = -*ret;
	return true;
}

/* Not strtod: its decimal point is the locale's, and the engine may have set one. */
bool ekka_json_real(struct ekka_json v, double *ret)
{
	const char *p = v.p;
	bool negative = p < v.end && *p == '-', behind = false, small = false;
	uint64_t digits_read = 0;
	double power = 1, base = 10, x;
	int scale = 0, exponent = 0;

	p += negative;
	if (p >= v.end || *p < '0' || *p > '9')
		return false;
	for (; p < v.end && *p != 'e' && *p != 'E'; p++) {
		if (*p == '.')
			behind = true;
		else if (digits_read < UINT64_MAX / 10 - 1) {
			digits_read = digits_read * 10 + (uint64_t)(*p - '0');
			scale -= behind;
		} else
			scale += !behind;
	}
	if (p < v.end) {
		p++;
		small = *p == '-';
		p += *p == '-' || *p == '+';
		for (; p < v.end && exponent < 10000; p++)
			exponent = exponent * 10 + (*p - '0');
	}
	scale += small ? -exponent : exponent;
	for (int n = scale < 0 ? -scale : scale; n > 0; n /= 2, base *= base)
		if (n & 1)
			power *= base;
	x = digits_read == 0 ? 0 : scale < 0 ? (double)digits_read / power : (double)digits_read * power;
	*ret = negative ? -x : x;
	return true;
}

int ekka_json_ints(struct ekka_json array, int64_t *ret, unsigned max)
{
	struct ekka_json key, value;
	unsigned n = 0;

	if (array.p >= array.end || *array.p != '[')
		return -1;
	for (size_t pos = 0; ekka_json_next(array, &pos, &key, &value); n++)
		if (n == max || !ekka_json_int(value, &ret[n]))
			return -1;
	return (int)n;
}
