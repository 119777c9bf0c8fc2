/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/conf.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

struct ekka_conf ekka_conf;

/* Texts outlive the environment they came from: programs overwrite it (setproctitle). */
static char text_store[8192];
static size_t text_used;

static const char *find(char *const env[], const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; env && env[i]; i++)
		if (strncmp(env[i], name, len) == 0 && env[i][len] == '=')
			return env[i] + len + 1;
	return NULL;
}

static bool keep_text(const char *s, const char **ret)
{
	size_t len = strlen(s) + 1;

	if (len > sizeof(text_store) - text_used)
		return false;
	*ret = memcpy(text_store + text_used, s, len);
	text_used += len;
	return true;
}

static bool parse_count(const char *s, uint64_t *ret)
{
	uint64_t v = 0;

	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9' || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return false;
	}
	*ret = v;
	return true;
}

static bool parse_bytes(const char *s, uint64_t *ret)
{
	static const char units[] = "KMGT";
	char digits[24];
	size_t len = strlen(s);
	unsigned shift = 0;

	if (len == 0 || len >= sizeof(digits))
		return false;
	memcpy(digits, s, len + 1);
	const char *unit = strchr(units, digits[len - 1] & ~0x20);
	if (unit && *unit && digits[len - 1] > '9') {
		shift = 10 * (unsigned)(unit - units + 1);
		digits[len - 1] = 0;
	}
	return parse_count(digits, ret) && !__builtin_mul_overflow(*ret, (uint64_t)1 << shift, ret);
}

/* Index of s among "a|b|c", or -1. */
static int parse_enum(const char *s, const char *values)
{
	size_t len = strlen(s);

	for (int i = 0; len > 0; i++) {
		const char *end = strchrnul(values, '|');
		if ((size_t)(end - values) == len && memcmp(values, s, len) == 0)
			return i;
		if (!*end)
			break;
		values = end + 1;
	}
	return -1;
}

/* One per type: false, with what would be right in err. */
static bool set_STRING(const char *s, const char *extra, const char **ret, const char **why)
{
	(void)extra;
	*why = "shorter";
	return keep_text(s, ret);
}

static bool set_GLOBS(const char *s, const char *extra, const char **ret, const char **why)
{
	return set_STRING(s, extra, ret, why);
}

static bool set_COUNT(const char *s, const char *extra, uint64_t *ret, const char **why)
{
	(void)extra;
	*why = "a whole number";
	return parse_count(s, ret);
}

static bool set_BYTES(const char *s, const char *extra, uint64_t *ret, const char **why)
{
	(void)extra;
	*why = "a whole number above 0 with an optional K, M, G or T";
	return !*s || (parse_bytes(s, ret) && *ret > 0);
}

static bool set_FLAG(const char *s, const char *extra, uint64_t *ret, const char **why)
{
	int i = parse_enum(s, "0|1");

	(void)extra;
	*why = "0 or 1";
	*ret = i > 0;
	return i >= 0;
}

static bool set_enum(const char *s, const char *values, unsigned *ret, const char **why)
{
	int i = parse_enum(s, values);

	*why = values;
	*ret = i < 0 ? 0 : (unsigned)i;
	return i >= 0;
}

/* Limits that a type alone does not give. */
static const char *check_limits(const struct ekka_conf *c)
{
	if (c->every == 0)
		return "EKKA_EVERY must be at least 1";
	if (c->memory < 1 << 20)
		return "EKKA_MEMORY must be at least 1M";
	if (c->compress > 19)
		return "EKKA_COMPRESS must be 0 to 19";
	if (c->stack > 64)
		return "EKKA_STACK must be 0 to 64";
	return NULL;
}

static const char *const names[] = {
#define CONF(name, env_name, type, def, help) env_name,
#include "preload/conf.def"
};
enum { N_NAMES = sizeof(names) / sizeof(names[0]), NAME_BYTES = 64 };

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	return a < b ? (a < c ? a : c) : b < c ? b : c;
}

/* How many characters to put in, take out or replace to make b of the first `len` < NAME_BYTES characters of a. */
static unsigned distance(const char *a, size_t len, const char *b)
{
	unsigned row[NAME_BYTES];

	for (unsigned i = 0; i <= len; i++)
		row[i] = i;
	for (; *b; b++) {
		unsigned corner = row[0]++;
		for (unsigned i = 1; i <= len; i++) {
			unsigned above = row[i];
			row[i] = least(corner + (a[i - 1] != *b), above + 1, row[i - 1] + 1);
			corner = above;
		}
	}
	return row[len];
}

/* The setting whose name is like the first `len` characters of `name`. */
static const char *nearest(const char *name, size_t len)
{
	unsigned best = ~0u, which = 0;

	for (unsigned i = 0; i < N_NAMES; i++) {
		unsigned d = distance(name, len, names[i]);
		if (d < best) {
			best = d;
			which = i;
		}
	}
	return names[which];
}

static bool is_setting(const char *name, size_t len)
{
	for (unsigned i = 0; i < N_NAMES; i++)
		if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
			return true;
	return false;
}

/* The first variable that looks like a setting and is none: most likely one that somebody believes is in force. */
static void find_unknown(struct ekka_conf *conf, char *const env[])
{
	for (size_t i = 0; env && env[i]; i++) {
		size_t len = strcspn(env[i], "=");
		if (strncmp(env[i], "EKKA_", 5) != 0 || strncmp(env[i], "EKKA_TEST_", 10) == 0 || is_setting(env[i], len))
			continue;
		if (len >= NAME_BYTES)
			len = NAME_BYTES - 1;
		snprintf(conf->unknown, sizeof(conf->unknown), "%.*s is not a setting and is passed over; did you mean %s?",
			 (int)len, env[i], nearest(env[i], len));
		return;
	}
}

bool ekka_conf_parse(struct ekka_conf *conf, char *const env[], char *err, size_t err_size)
{
	const char *var = NULL, *value = NULL, *why = NULL;

	memset(conf, 0, sizeof(*conf));
	text_used = 0;
	find_unknown(conf, env);
#define TAKE(env_name, def, setter)								\
	do {											\
		var = env_name;									\
		value = find(env, env_name);							\
		if (!value)									\
			value = def;								\
		if (!(setter))									\
			goto wrong;								\
	} while (0);
#define CONF(name, env_name, type, def, help) TAKE(env_name, def, set_##type(value, NULL, &conf->name, &why))
#define CONF_ENUM(name, env_name, values, def, help)						\
	TAKE(env_name, def, set_enum(value, values, (unsigned *)&conf->name, &why))
#include "preload/conf.def"
#undef TAKE
	why = check_limits(conf);
	if (!why)
		return true;
	snprintf(err, err_size, "%s", why);
	goto off;
wrong:
	snprintf(err, err_size, "%s: '%.60s' must be %s", var, value, why);
off:
	conf->level = EKKA_LEVEL_OFF;
	return false;
}

bool ekka_globs_match(const char *globs, const char *name)
{
	char pattern[128];

	while (*globs) {
		const char *end = strchrnul(globs, ',');
		size_t len = (size_t)(end - globs);
		if (len > 0 && len < sizeof(pattern)) {
			memcpy(pattern, globs, len);
			pattern[len] = 0;
			if (fnmatch(pattern, name, 0) == 0)
				return true;
		}
		globs = *end ? end + 1 : end;
	}
	return false;
}

bool ekka_conf_wants(const struct ekka_conf *conf, const char *name)
{
	if (conf->include[0] && !ekka_globs_match(conf->include, name))
		return false;
	return !ekka_globs_match(conf->exclude, name);
}
