/* SPDX-License-Identifier: Apache-2.0 */
/* Names of kernels and patterns for them. */
#include "config.h"

#include "spec/kd.h"

#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
}

static int nesting(char c)
{
	return c == '<' || c == '(' || c == '[' || c == '{' ? 1 : c == '>' || c == ')' || c == ']' || c == '}' ? -1 : 0;
}

/* ---- normal form -------------------------------------------------------------- */

/*
 * Where the parameter list begins: the last pair of parentheses outside of everything else, when nothing but qualifiers follows it.
 * The end of the name when there is none.
 */
static char *parameter_list(char *name)
{
	char *open = NULL, *p;
	int depth = 0;

	for (p = name; *p; p++) {
		if (depth == 0 && *p == '(')
			open = p;
		depth += p > name && p[-1] == '-' && *p == '>' ? 0 : nesting(*p);
		if (depth == 0 && open && *p == ')' && (p[1] == '\0' || strncmp(p + 1, " [", 2) == 0 || strncmp(p + 1, " const", 6) == 0) &&
		    !strstr(p + 1, "::"))
			return open;
	}
	return p;
}

/* A '>' in parentheses is an operator. */
size_t ekka_return_type_length(const char *name)
{
	static const char condition[] = "std::enable_if<", end[] = "::type ";
	char open[64];
	unsigned depth = 0;

	if (strncmp(name, "void ", 5) == 0)
		return 5;
	if (strncmp(name, condition, sizeof(condition) - 1) != 0)
		return 0;
	for (const char *p = name + sizeof(condition) - 2; *p && depth < sizeof(open); p++) {
		if (*p == '<' || *p == '(')
			open[depth++] = *p;
		while (*p == ')' && depth > 0 && open[depth - 1] == '<')	/* that was an operator, too */
			depth--;
		if (depth > 0 && ((*p == ')' && open[depth - 1] == '(') || (*p == '>' && open[depth - 1] == '<')))
			depth--;
		if (depth == 0)
			return strncmp(p + 1, end, sizeof(end) - 1) == 0 ? (size_t)(p - name) + sizeof(end) : 0;
	}
	return 0;
}

static size_t suffix(const char *p)
{
	return strspn(p, "ulUL");
}

void kd_normalise(char *name, bool kernel)
{
	char *to = name, *from = name, last = '\0';

	if (kernel) {
		from = name + ekka_return_type_length(name);
		*parameter_list(from) = '\0';
	}
	while (*from) {
		bool number = is_digit(*from) && !is_word(last) && last != '$';

		if (*from == ' ' || *from == '\t') {
			last = *from++;
			continue;
		}
		last = *to++ = *from++;
		if (!number)
			continue;
		while (is_digit(*from))
			last = *to++ = *from++;
		if (!is_word(from[suffix(from)]))
			from += suffix(from);
	}
	*to = '\0';
}

/* ---- compiling ------------------------------------------------------------------ */

/* A piece for the wildcard at *s, which goes on behind it. */
static const char *wildcard(struct ekka_arena *arena, const char **s, struct kd_pattern *ret, struct kd_piece *piece)
{
	char c = **s;
	size_t n = 0;
	unsigned i;

	*piece = (struct kd_piece){ .capture = -1, .commas = (*s)[1] == c };
	*s += piece->commas ? 2 : 1;
	if (c == '*')
		return NULL;
	while (is_word((*s)[n]))
		n++;
	if (n == 0)
		return "has a '$' without a name";
	for (i = 0; i < ret->n_captures; i++)
		if (strlen(ret->captures[i]) == n && memcmp(ret->captures[i], *s, n) == 0)
			break;
	if (i == KD_CAPTURES_MAX)
		return "captures too many texts";
	if (i == ret->n_captures) {
		ret->captures[i] = ekka_arena_text(arena, *s, n);
		if (!ret->captures[i])
			return "does not fit into memory";
		ret->n_captures++;
	}
	piece->capture = (int)i;
	*s += n;
	return NULL;
}

const char *kd_pattern_compile(struct ekka_arena *arena, const char *text, struct kd_pattern *ret)
{
	struct kd_piece pieces[KD_PIECES_MAX];
	const char *wrong = NULL;

	*ret = (struct kd_pattern){ 0 };
	if (!*text)
		return "is empty";
	while (*text && !wrong) {
		struct kd_piece *piece = &pieces[ret->n_pieces];
		size_t n = strcspn(text, "*$");

		if (ret->n_pieces == KD_PIECES_MAX)
			return "has too many wildcards";
		ret->n_pieces++;
		if (n) {
			*piece = (struct kd_piece){ .literal = text, .n = n, .capture = -1 };
			text += n;
		} else {
			wrong = wildcard(arena, &text, ret, piece);
		}
	}
	if (wrong)
		return wrong;
	ret->pieces = ekka_arena_take(arena, ret->n_pieces * sizeof(*pieces));
	if (!ret->pieces)
		return "does not fit into memory";
	memcpy(ret->pieces, pieces, ret->n_pieces * sizeof(*pieces));
	return NULL;
}

/* ---- comparing ------------------------------------------------------------------- */

struct match {
	const struct kd_pattern *pattern;
	struct kd_span *captures;	/* p NULL: not yet */
	unsigned steps;
};

static bool match_from(struct match *m, unsigned piece, const char *s);

/* A wildcard at s: every balanced end, the shortest first. */
static bool match_wildcard(struct match *m, unsigned piece, const char *s)
{
	const struct kd_piece *w = &m->pattern->pieces[piece];
	const struct kd_piece *next = piece + 1 < m->pattern->n_pieces ? w + 1 : NULL;
	struct kd_span *kept = w->capture >= 0 ? &m->captures[w->capture] : NULL, before = kept ? *kept : (struct kd_span){ NULL, 0 };
	int depth = 0;

	for (const char *e = s;; e++) {
		if (++m->steps > KD_MATCH_STEPS_MAX)
			return false;
		if (depth == 0 && (!next || !next->literal || next->literal[0] == *e) && (next || !*e) &&
		    (!before.p || (before.n == (size_t)(e - s) && memcmp(before.p, s, before.n) == 0))) {
			if (kept)
				*kept = (struct kd_span){ s, (size_t)(e - s) };
			if (match_from(m, piece + 1, e))
				return true;
			if (kept)
				*kept = before;
		}
		if (!*e || (depth == 0 && *e == ',' && !w->commas))
			return false;
		depth += e > s && e[-1] == '-' && *e == '>' ? 0 : nesting(*e);
		if (depth < 0)
			return false;
	}
}

static bool match_from(struct match *m, unsigned piece, const char *s)
{
	const struct kd_piece *p = &m->pattern->pieces[piece];

	if (piece == m->pattern->n_pieces)
		return !*s;
	if (!p->literal)
		return match_wildcard(m, piece, s);
	m->steps++;
	return strncmp(s, p->literal, p->n) == 0 && match_from(m, piece + 1, s + p->n);
}

bool kd_pattern_match(const struct kd_pattern *pattern, const char *name, struct kd_span *ret_captures)
{
	struct match m = { .pattern = pattern, .captures = ret_captures };

	for (unsigned i = 0; i < pattern->n_captures; i++)
		ret_captures[i] = (struct kd_span){ NULL, 0 };
	return match_from(&m, 0, name);
}
