/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "spec/kd_lex.h"

#include <stdio.h>
#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
}

void *kd_fail(struct kd_parser *p, const char *fmt, ...)
{
	char what[KD_ERROR_BYTES / 2];
	va_list ap;

	if (p->failed)
		return NULL;
	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	p->failed = true;
	(void)ekka_error_set(p->err, EKKA_ERR_INVALID, "%.200s:%u: %s", p->file, p->token.line, what);
	p->token.kind = KD_T_END;
	return NULL;
}

void *kd_take(struct kd_parser *p, size_t bytes)
{
	void *m = p->failed ? NULL : ekka_arena_take(&p->set->arena, bytes);

	return m ? m : kd_fail(p, "out of memory");
}

/* Blanks, continued lines and comments. */
static void skip(struct kd_parser *p)
{
	for (;;) {
		const char *end;

		while (*p->at == ' ' || *p->at == '\t' || *p->at == '\r')
			p->at++;
		if (*p->at == '#')
			p->at += strcspn(p->at, "\n");
		if (*p->at != '\\')
			return;
		end = p->at + 1 + strspn(p->at + 1, " \t\r");
		if (*end != '\n')
			return;
		p->at = end + 1;
		p->line++;
	}
}

static void lex_text(struct kd_parser *p)
{
	const char *from = p->at + 1, *to = from;
	char *text;
	size_t n = 0;

	while (*to && *to != '\n' && *to != '"')
		to += to[0] == '\\' && (to[1] == '"' || to[1] == '\\') ? 2 : 1;
	if (*to != '"') {
		kd_fail(p, "a text without its closing quote");
		return;
	}
	text = kd_take(p, (size_t)(to - from) + 1);
	if (!text)
		return;
	for (; from < to; from++) {
		if (from[0] == '\\' && (from[1] == '"' || from[1] == '\\'))
			from++;
		text[n++] = *from;
	}
	p->at = to + 1;
	p->token.kind = KD_T_TEXT;
	p->token.s = text;
}

/* Powers of ten that a double holds exactly do for constants such as 1e-5 and 0.044715: one rounding. */
static double scale10(double v, int exponent)
{
	static const double exact[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
		1e18, 1e19, 1e20, 1e21, 1e22 };
	const int last = sizeof(exact) / sizeof(*exact) - 1;

	for (; exponent > last; exponent -= last)
		v *= exact[last];
	for (; exponent < -last; exponent += last)
		v /= exact[last];
	return exponent >= 0 ? v * exact[exponent] : v / exact[-exponent];
}

static void lex_real(struct kd_parser *p)
{
	uint64_t digits = 0;
	int exponent = 0, written = 0;
	bool negative, point = false;

	for (; is_digit(*p->at) || (*p->at == '.' && !point); p->at++) {
		if (*p->at == '.') {
			point = true;
			continue;
		}
		if (digits < UINT64_MAX / 10 - 1)
			digits = digits * 10 + (uint64_t)(*p->at - '0'), exponent -= point;
		else
			exponent += !point;
	}
	if ((*p->at == 'e' || *p->at == 'E') && (is_digit(p->at[1]) || ((p->at[1] == '-' || p->at[1] == '+') && is_digit(p->at[2])))) {
		negative = *++p->at == '-';
		p->at += *p->at == '-' || *p->at == '+';
		for (; is_digit(*p->at); p->at++)
			written = written < 1000 ? written * 10 + (*p->at - '0') : written;
		exponent += negative ? -written : written;
	}
	p->token.kind = KD_T_REAL;
	p->token.r = scale10((double)digits, exponent);
}

static void lex_int(struct kd_parser *p)
{
	bool hex = p->at[0] == '0' && (p->at[1] == 'x' || p->at[1] == 'X');
	uint64_t v = 0;

	for (p->at += hex ? 2 : 0; is_word(*p->at); p->at++) {
		char c = *p->at;
		int digit = is_digit(c) ? c - '0' : hex && c >= 'a' && c <= 'f' ? c - 'a' + 10 : hex && c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;

		if (digit < 0 || v > (UINT64_MAX - 15) / (hex ? 16 : 10)) {
			if (digit < 0)
				kd_fail(p, "a number with '%c' in it", c);
			else
				kd_fail(p, "a number that does not fit 64 bits");
			return;
		}
		v = v * (hex ? 16 : 10) + (uint64_t)digit;
	}
	p->token.kind = KD_T_INT;
	p->token.i = (int64_t)v;
}

static void lex_number(struct kd_parser *p)
{
	const char *end = p->at;

	while (is_digit(*end))
		end++;
	if (*end == '.' || ((*end == 'e' || *end == 'E') && end > p->at && p->at[1] != 'x'))
		lex_real(p);
	else
		lex_int(p);
}

static void lex_word(struct kd_parser *p)
{
	bool capture = *p->at == '$';
	const char *from;

	if (capture)
		p->at++;
	from = p->at;
	while (is_word(*p->at))
		p->at++;
	p->token.kind = capture ? KD_T_CAPTURE : KD_T_NAME;
	p->token.span = (struct kd_span){ from, (size_t)(p->at - from) };
	if (p->at == from)
		kd_fail(p, "a '$' without a name");
}

static void lex_op(struct kd_parser *p)
{
	static const struct { char text[3]; int op; } two[] = {
		{ "==", KD_OP_EQ }, { "!=", KD_OP_NE }, { "<=", KD_OP_LE }, { ">=", KD_OP_GE },
		{ "&&", KD_OP_AND }, { "||", KD_OP_OR }, { "<<", KD_OP_SHL }, { ">>", KD_OP_SHR },
	};

	p->token.kind = KD_T_OP;
	for (size_t i = 0; i < sizeof(two) / sizeof(*two); i++) {
		if (strncmp(p->at, two[i].text, 2) == 0) {
			p->token.op = two[i].op;
			p->at += 2;
			return;
		}
	}
	if (!strchr("+-*/%<>=!~&|^?:(),{}", *p->at)) {
		kd_fail(p, "a character that means nothing here (byte %u)", (unsigned)(unsigned char)*p->at);
		return;
	}
	p->token.op = *p->at++;
}

void kd_next(struct kd_parser *p)
{
	if (p->failed)
		return;
	skip(p);
	p->token.line = p->line;
	if (!*p->at) {
		p->token.kind = KD_T_END;
	} else if (*p->at == '\n') {
		p->token.kind = KD_T_EOL;
		p->line++;
		p->at++;
	} else if (*p->at == '"') {
		lex_text(p);
	} else if (is_digit(*p->at) || (*p->at == '.' && is_digit(p->at[1]))) {
		lex_number(p);
	} else if (is_word(*p->at) || *p->at == '$') {
		lex_word(p);
	} else {
		lex_op(p);
	}
}

const char *kd_take_name(struct kd_parser *p, const char *what)
{
	const char *from, *name;

	if (p->token.kind != KD_T_NAME)
		return kd_fail(p, "%s is missing", what);
	from = p->token.span.p;
	while (is_word(*p->at) || *p->at == '{' || *p->at == '}')
		p->at++;
	name = ekka_arena_text(&p->set->arena, from, (size_t)(p->at - from));
	if (!name)
		return kd_fail(p, "out of memory");
	kd_next(p);
	return name;
}

bool kd_is_name(const struct kd_parser *p, const char *word)
{
	return p->token.kind == KD_T_NAME && strlen(word) == p->token.span.n && memcmp(word, p->token.span.p, p->token.span.n) == 0;
}

bool kd_is_op(const struct kd_parser *p, int op)
{
	return p->token.kind == KD_T_OP && p->token.op == op;
}

bool kd_accept_name(struct kd_parser *p, const char *word)
{
	bool is = kd_is_name(p, word);

	if (is)
		kd_next(p);
	return is;
}

bool kd_accept_op(struct kd_parser *p, int op)
{
	bool is = kd_is_op(p, op);

	if (is)
		kd_next(p);
	return is;
}

bool kd_expect_op(struct kd_parser *p, int op, const char *what)
{
	if (kd_accept_op(p, op))
		return true;
	kd_fail(p, "%s is missing", what);
	return false;
}

const char *kd_take_text(struct kd_parser *p, const char *what)
{
	const char *s = p->token.s;

	if (p->token.kind != KD_T_TEXT)
		return kd_fail(p, "%s is missing: a text in quotes", what);
	kd_next(p);
	return s;
}
