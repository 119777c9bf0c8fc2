/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/expr_edit.h"

#include <ctype.h>
#include <string.h>

enum { ARGUMENTS = 4 };

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

bool ekka_expr_replaced(const char *expr, const char *word, const char *by, char ret[EKKA_EXPR_LONGEST])
{
	size_t n = strlen(word), m = strlen(by), at = 0;
	bool found = false, begins = true;

	while (*expr && at + m + 1 < EKKA_EXPR_LONGEST) {
		bool here = n > 0 && begins && strncmp(expr, word, n) == 0 && !is_word(expr[n]);

		if (here && expr[n + strspn(expr + n, " ")] == '=' && expr[n + strspn(expr + n, " ") + 1] != '=')
			here = false;
		found |= here;
		if (here) {
			memcpy(ret + at, by, m);
			at += m;
			expr += n;
			begins = false;
			continue;
		}
		begins = !is_word(*expr);
		ret[at++] = *expr++;
	}
	ret[at] = '\0';
	return found && !*expr;
}

struct part { const char *begin, *end; };

/* The arguments between the parenthesis at p and its end; NULL when they have none, else what stands behind it. */
static const char *arguments(const char *p, struct part part[ARGUMENTS], unsigned *ret_n)
{
	int depth = 0;

	*ret_n = 0;
	for (part[0].begin = p + 1; *p; p++) {
		depth += *p == '(' || *p == '[' ? 1 : *p == ')' || *p == ']' ? -1 : 0;
		if (depth != 0 && !(depth == 1 && *p == ','))
			continue;
		part[*ret_n].end = p;
		if (depth == 0 || ++*ret_n == ARGUMENTS)
			break;
		part[*ret_n].begin = p + 1;
	}
	++*ret_n;
	return *p && depth == 0 ? p + 1 : NULL;
}

static bool append(char ret[EKKA_EXPR_LONGEST], size_t *at, const char *text, size_t n)
{
	if (*at + n >= EKKA_EXPR_LONGEST)
		return false;
	memcpy(ret + *at, text, n);
	*at += n;
	ret[*at] = '\0';
	return true;
}

/* The begin of that call's name; NULL when there is none. */
static const char *find_call(const char *expr, const char *function, unsigned number)
{
	size_t n = strlen(function);

	for (const char *p = strstr(expr, function); p; p = strstr(p + 1, function))
		if ((p == expr || !is_word(p[-1])) && p[n] == '(' && number-- == 0)
			return p;
	return NULL;
}

bool ekka_expr_recalled(const char *expr, const char *function, unsigned number, const char *form, char ret[EKKA_EXPR_LONGEST])
{
	const char *call = find_call(expr, function, number), *behind;
	struct part part[ARGUMENTS];
	unsigned n;
	size_t at = 0;

	behind = call ? arguments(call + strlen(function), part, &n) : NULL;
	if (!behind || !append(ret, &at, expr, (size_t)(call - expr)))
		return false;
	for (; *form; form++) {
		unsigned which = (unsigned)(form[1] - '0');
		bool fits;

		if (*form == '$' && which >= n)
			return false;
		fits = *form != '$' ? append(ret, &at, form, 1) : append(ret, &at, part[which].begin, (size_t)(part[which].end - part[which].begin));
		form += *form == '$';
		if (!fits)
			return false;
	}
	return append(ret, &at, behind, strlen(behind));
}
