/* SPDX-License-Identifier: Apache-2.0 */
/* From one array of options: parsing, synopsis, help. */
#include "tools/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum { LONG_BASE = 256, VAL_HELP = 255 };

const struct ekka_option ekka_option_help = {
	.kind = EKKA_OPT_FLAG, .letter = 'h', .name = "help", .help = "show this help and exit",
};

int ekka_parse_number(const char *s, uint64_t *ret_n)
{
	char *end;
	unsigned long long n;

	if (*s < '0' || *s > '9')
		return -1;
	errno = 0;
	n = strtoull(s, &end, 10);
	if (errno || *end)
		return -1;
	*ret_n = n;
	return 0;
}

int ekka_parse_bytes(const char *s, uint64_t *ret_bytes)
{
	static const char units[] = "KMGT";
	size_t len = strlen(s);
	const char *unit = len ? strchr(units, s[len - 1] & ~0x20) : NULL;
	unsigned shift = 0;
	char digits[24];
	uint64_t n;

	if (unit && *unit) {
		shift = 10 * (unsigned)(unit - units + 1);
		len--;
	}
	if (len >= sizeof(digits))
		return -1;
	memcpy(digits, s, len);
	digits[len] = '\0';
	if (ekka_parse_number(digits, &n) || n > (UINT64_MAX >> shift))
		return -1;
	*ret_bytes = n << shift;
	return 0;
}

const char *ekka_option_name(const struct ekka_option *o, char buf[EKKA_OPTION_NAME_BYTES])
{
	size_t i = 0;

	for (; o->name[i] && i + 1 < EKKA_OPTION_NAME_BYTES; i++)
		buf[i] = o->name[i] == '_' ? '-' : o->name[i];
	buf[i] = '\0';
	return buf;
}

static size_t count(const struct ekka_option *opts)
{
	size_t n = 0;

	while (opts[n].kind != EKKA_OPT_END)
		n++;
	return n < EKKA_MAX_OPTIONS ? n : EKKA_MAX_OPTIONS;
}

/* Stores one option's argument: 0, or -1 when it is not of its kind. */
static int store(const struct ekka_option *o, const char *arg)
{
	switch (o->kind) {
	case EKKA_OPT_FLAG:
		*(bool *)o->value = true;
		return 0;
	case EKKA_OPT_TEXT:
		*(const char **)o->value = arg;
		return 0;
	case EKKA_OPT_NUMBER:
		return ekka_parse_number(arg, o->value);
	case EKKA_OPT_BYTES:
		return ekka_parse_bytes(arg, o->value);
	case EKKA_OPT_END:
		break;
	}
	return -1;
}

/* getopt's view of an array. */
struct getopt_view {
	char shorts[2 * EKKA_MAX_OPTIONS + 5];
	char names[EKKA_MAX_OPTIONS][EKKA_OPTION_NAME_BYTES];
	struct option longs[EKKA_MAX_OPTIONS + 2];
};

static void fill_view(const struct ekka_option *opts, size_t n, bool stop_early, struct getopt_view *v)
{
	char *s = v->shorts;

	if (stop_early)
		*s++ = '+';
	*s++ = ':';
	*s++ = 'h';
	for (size_t i = 0; i < n; i++) {
		bool has_arg = opts[i].kind != EKKA_OPT_FLAG;

		if (opts[i].letter) {
			*s++ = opts[i].letter;
			if (has_arg)
				*s++ = ':';
		}
		v->longs[i] = (struct option){ ekka_option_name(&opts[i], v->names[i]),
					       has_arg ? required_argument : no_argument, NULL, LONG_BASE + (int)i };
	}
	*s = '\0';
	v->longs[n] = (struct option){ "help", no_argument, NULL, VAL_HELP };
	v->longs[n + 1] = (struct option){ 0 };
}

static const struct ekka_option *by_val(const struct ekka_option *opts, size_t n, int val)
{
	if (val >= LONG_BASE)
		return &opts[val - LONG_BASE];
	for (size_t i = 0; i < n; i++)
		if (opts[i].letter == val)
			return &opts[i];
	return NULL;
}

/* How the user wrote the option that getopt stopped at. */
static void spell(const struct ekka_option *opts, size_t n, char **argv, char *buf, size_t len)
{
	const struct ekka_option *o = optopt ? by_val(opts, n, optopt) : NULL;
	char name[EKKA_OPTION_NAME_BYTES];

	if (optopt >= LONG_BASE && o)
		snprintf(buf, len, "--%s", ekka_option_name(o, name));
	else if (optopt)
		snprintf(buf, len, "-%c", optopt);
	else
		snprintf(buf, len, "%.100s", argv[optind - 1]);
}

int ekka_options_parse(const struct ekka_option *opts, bool stop_early, int argc, char **argv, char *why, size_t why_len)
{
	size_t n = count(opts);
	struct getopt_view view;
	char spelt[128];
	int val;

	fill_view(opts, n, stop_early, &view);
	opterr = 0;
	optind = 0;	/* starts anew, and lets glibc reread `shorts` */
	while ((val = getopt_long(argc, argv, view.shorts, view.longs, NULL)) != -1) {
		const struct ekka_option *o;

		if (val == 'h' || val == VAL_HELP)
			return -2;
		if (val == '?' || val == ':') {
			spell(opts, n, argv, spelt, sizeof(spelt));
			if (val == ':')
				snprintf(why, why_len, "option '%s' needs a value", spelt);
			else if (optopt >= LONG_BASE)
				snprintf(why, why_len, "option '%s' takes no value", spelt);
			else
				snprintf(why, why_len, "unknown or ambiguous option '%s'", spelt);
			return -1;
		}
		o = by_val(opts, n, val);
		if (!o || store(o, optarg)) {
			snprintf(why, why_len, "bad value '%.80s' for --%s: expected %s", optarg ? optarg : "",
				 o ? ekka_option_name(o, spelt) : "?",
				 o && o->kind == EKKA_OPT_BYTES ? "bytes, such as 512M" : "a decimal number");
			return -1;
		}
	}
	return optind;
}

static void synopsis_one(const struct ekka_option *o, FILE *out)
{
	char name[EKKA_OPTION_NAME_BYTES];

	fputs(" [", out);
	if (o->letter)
		fprintf(out, "-%c", o->letter);
	else
		fprintf(out, "--%s", ekka_option_name(o, name));
	if (o->metavar)
		fprintf(out, " %s", o->metavar);
	fputc(']', out);
}

void ekka_options_synopsis(const struct ekka_option *opts, const char *name, const char *operands, FILE *out)
{
	fprintf(out, "ekka %s", name);
	synopsis_one(&ekka_option_help, out);
	for (; opts->kind != EKKA_OPT_END; opts++)
		synopsis_one(opts, out);
	if (*operands)
		fprintf(out, " %s", operands);
}

void ekka_option_label(const struct ekka_option *o, FILE *out)
{
	char name[EKKA_OPTION_NAME_BYTES];

	if (o->letter)
		fprintf(out, "-%c, ", o->letter);
	fprintf(out, "--%s", ekka_option_name(o, name));
	if (o->metavar)
		fprintf(out, " %s", o->metavar);
}

/* Length of the next unbreakable piece: a word, or everything up to a closing bracket. */
static size_t piece(const char *s)
{
	if (*s == '[') {
		const char *end = strchr(s, ']');

		if (end)
			return (size_t)(end - s) + 1 + strcspn(end + 1, " ");
	}
	return strcspn(s, " ");
}

void ekka_wrap(FILE *out, const char *text, size_t at, size_t indent, size_t width)
{
	bool first = true;

	while (*text) {
		size_t len = piece(text);

		if (!first && at + 1 + len > width) {
			fprintf(out, "\n%*s", (int)indent, "");
			at = indent;
		} else if (!first) {
			fputc(' ', out);
			at++;
		}
		fwrite(text, 1, len, out);
		at += len;
		text += len;
		text += strspn(text, " ");
		first = false;
	}
	fputc('\n', out);
}
