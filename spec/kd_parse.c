/* SPDX-License-Identifier: Apache-2.0 */
/* Statements of descriptions. */
#include "config.h"

#include "spec/kd_lex.h"

#include <stdio.h>
#include <string.h>

enum { EACH_DEPTH_MAX = 4 };

static struct kd_stmt *statement(struct kd_parser *p, unsigned each_depth);

static struct kd_stmt *new_stmt(struct kd_parser *p, enum kd_stmt_kind kind)
{
	struct kd_stmt *s = kd_take(p, sizeof(*s));

	if (s) {
		s->kind = kind;
		s->line = p->token.line;
		s->slot = -1;
	}
	return s;
}

static void optional_if(struct kd_parser *p, struct kd_stmt *s)
{
	if (s && kd_accept_name(p, "if"))
		s->cond = kd_parse_expr(p);
}

static struct kd_stmt *tensor(struct kd_parser *p, enum ekka_dir dir)
{
	struct kd_stmt *s = new_stmt(p, KD_S_TENSOR);

	if (!s)
		return NULL;
	s->dir = dir;
	s->name = kd_parse_name(p, "the tensor's name");
	if (!kd_expect_op(p, ':', "':' and the tensor's type"))
		return NULL;
	s->e = kd_parse_expr(p);
	if (!kd_accept_name(p, "at"))
		return kd_fail(p, "'at' and the tensor's address are missing");
	s->at = kd_parse_expr(p);
	s->has_dims = kd_accept_name(p, "dims");
	if (s->has_dims)
		s->dims = kd_parse_list(p);
	s->has_strides = kd_accept_name(p, "strides");
	if (s->has_strides)
		s->strides = kd_parse_list(p);
	if (s->has_strides && !s->has_dims)
		return kd_fail(p, "strides without dims");
	optional_if(p, s);
	return s;
}

static struct kd_stmt *attr(struct kd_parser *p)
{
	struct kd_stmt *s = new_stmt(p, KD_S_ATTR);

	if (!s)
		return NULL;
	s->name = kd_parse_name(p, "the attribute's name");
	if (!kd_expect_op(p, '=', "'=' and the attribute's value"))
		return NULL;
	s->e = kd_parse_expr(p);
	optional_if(p, s);
	return s;
}

static struct kd_stmt *let(struct kd_parser *p)
{
	struct kd_stmt *s = new_stmt(p, KD_S_LET);
	struct kd_span name = p->token.span;

	if (!s || p->token.kind != KD_T_NAME)
		return kd_fail(p, "the name of the value is missing");
	kd_next(p);
	if (!kd_expect_op(p, '=', "'=' and the value"))
		return NULL;
	s->e = kd_parse_expr(p);
	s->slot = kd_declare(p, name);
	s->text = s->slot >= 0 ? p->slots[s->slot] : NULL;
	return s;
}

static struct kd_stmt *with_expr(struct kd_parser *p, enum kd_stmt_kind kind)
{
	struct kd_stmt *s = new_stmt(p, kind);

	if (s) {
		if (kind == KD_S_ATTR)
			s->name = kd_constant_text(p, "expr");
		s->e = kd_parse_expr(p);
		if (kind == KD_S_ATTR || kind == KD_S_RET)
			optional_if(p, s);
	}
	return s;
}

static struct kd_with *with(struct kd_parser *p)
{
	struct kd_with *first = NULL, **end = &first;

	do {
		struct kd_with *w = kd_take(p, sizeof(*w));

		if (!w)
			return NULL;
		w->name = kd_take_name(p, "the name that is replaced");
		if (!kd_expect_op(p, '=', "'=' and what replaces the name"))
			return NULL;
		w->text = kd_parse_expr(p);
		*end = w;
		end = &w->next;
	} while (kd_accept_op(p, ','));
	return first;
}

static struct kd_stmt *use(struct kd_parser *p)
{
	struct kd_stmt *s = new_stmt(p, KD_S_USE);

	if (!s)
		return NULL;
	if (!kd_accept_name(p, "functor"))
		return kd_fail(p, "'functor' is missing");
	s->slot = (int)p->desc->n_uses++;
	s->e = kd_parse_expr(p);
	if (!kd_accept_name(p, "at"))
		return kd_fail(p, "'at' and the functor's place are missing");
	s->at = kd_parse_expr(p);
	if (kd_accept_name(p, "with"))
		s->with = with(p);
	return s;
}

static struct kd_stmt *each(struct kd_parser *p, unsigned depth)
{
	struct kd_stmt *s = new_stmt(p, KD_S_EACH);

	if (!s || !kd_parse_range(p, &s->slot, &s->e) || !kd_expect_op(p, ':', "':' behind the range"))
		return NULL;
	if (depth == EACH_DEPTH_MAX)
		return kd_fail(p, "more than %d loops in each other", EACH_DEPTH_MAX);
	if (!kd_is_name(p, "in") && !kd_is_name(p, "out") && !kd_is_name(p, "inout") && !kd_is_name(p, "attr") && !kd_is_name(p, "check") &&
	    !kd_is_name(p, "each"))
		return kd_fail(p, "a loop takes in, out, inout, attr, check or each");
	s->body = statement(p, depth + 1);
	kd_forget(p, s->slot);
	return s;
}

static struct kd_stmt *op(struct kd_parser *p)
{
	struct kd_stmt *s = new_stmt(p, KD_S_OP);

	if (s) {
		s->name = kd_parse_name(p, "the op's name");
		optional_if(p, s);
		p->desc->has_meaning = true;
	}
	return s;
}

static struct kd_stmt *args(struct kd_parser *p)
{
	struct kd_stmt *s = new_stmt(p, KD_S_ARGS);

	if (s && p->token.kind != KD_T_EOL && p->token.kind != KD_T_END)
		s->dims = kd_parse_list(p);
	return s;
}

static struct kd_stmt *nothing(struct kd_parser *p)
{
	struct kd_stmt *s = new_stmt(p, KD_S_NOTHING);

	optional_if(p, s);
	p->desc->has_meaning = true;
	return s;
}

static struct kd_stmt *statement(struct kd_parser *p, unsigned each_depth)
{
	struct kd_span word = p->token.span;

	if (kd_accept_name(p, "facts"))
		return with_expr(p, KD_S_FACTS);
	if (kd_accept_name(p, "check")) {
		const char *reason = kd_take_text(p, "the reason");
		struct kd_stmt *s = with_expr(p, KD_S_CHECK);

		if (s)
			s->text = reason;
		return s;
	}
	if (kd_accept_name(p, "let"))
		return let(p);
	if (kd_accept_name(p, "inout"))
		return tensor(p, EKKA_INOUT);
	if (kd_accept_name(p, "in"))
		return tensor(p, EKKA_IN);
	if (kd_accept_name(p, "out"))
		return tensor(p, EKKA_OUT);
	if (kd_accept_name(p, "op"))
		return op(p);
	if (kd_accept_name(p, "attr"))
		return attr(p);
	if (kd_accept_name(p, "expr"))
		return with_expr(p, KD_S_ATTR);
	if (kd_accept_name(p, "each"))
		return each(p, each_depth);
	if (kd_accept_name(p, "use"))
		return use(p);
	if (kd_accept_name(p, "args"))
		return args(p);
	if (kd_accept_name(p, "ret"))
		return with_expr(p, KD_S_RET);
	if (kd_accept_name(p, "nothing"))
		return nothing(p);
	if (p->token.kind == KD_T_NAME)
		return kd_fail(p, "there is no statement '%.*s'", (int)word.n, word.p);
	return kd_fail(p, "a statement is missing");
}

static struct kd_desc *new_desc(struct kd_parser *p)
{
	struct kd_desc *d = kd_take(p, sizeof(*d));
	char place[KD_ERROR_BYTES / 2], *pattern;
	const char *text, *wrong;
	int n;

	if (!d)
		return NULL;
	n = snprintf(place, sizeof(place), "%.200s:%u", p->file, p->token.line);
	text = kd_take_text(p, "the pattern");
	if (!text)
		return NULL;
	text += strncmp(text, "void ", 5) == 0 ? 5 : 0;		/* pasted from a listing */
	d->file = p->file;
	d->place = ekka_arena_text(&p->set->arena, place, (size_t)n);
	pattern = ekka_arena_text(&p->set->arena, text, strlen(text));
	if (!d->place || !pattern)
		return kd_fail(p, "out of memory");
	kd_normalise(pattern, false);
	wrong = kd_pattern_compile(&p->set->arena, pattern, &d->pattern);
	return wrong ? kd_fail(p, "the pattern %s", wrong) : d;
}

/* A description has been read to its end. */
static bool complete(struct kd_parser *p, bool functor)
{
	const struct kd_desc *d = p->desc;

	if (!d || p->failed)
		return !p->failed;
	if (!d->has_from)
		kd_fail(p, "the description before has no 'from': version and file that it was read from");
	else if (!functor && !d->has_meaning && d->n_uses == 0)
		kd_fail(p, "the description before has neither 'op' nor 'nothing'");
	return !p->failed;
}

struct lists { struct kd_desc *kernels, **kernels_end, *functors, **functors_end; };

static bool begin(struct kd_parser *p, struct lists *l, bool functor, struct kd_stmt ***ret_end)
{
	struct kd_desc *d = new_desc(p);

	if (!d)
		return false;
	if (functor) {
		*l->functors_end = d;
		l->functors_end = &d->next;
	} else {
		*l->kernels_end = d;
		l->kernels_end = &d->next;
	}
	memset(p->slots, 0, sizeof(p->slots));
	d->functor = functor;
	p->desc = d;
	*ret_end = &d->stmts;
	return true;
}

/* Everything up to the end of the file. */
static void file(struct kd_parser *p, struct lists *l)
{
	struct kd_stmt **end = NULL;
	bool functor = false;

	while (p->token.kind != KD_T_END) {
		if (p->token.kind == KD_T_EOL) {
			kd_next(p);
			continue;
		}
		if (kd_is_name(p, "kernel") || kd_is_name(p, "functor")) {
			if (!complete(p, functor))
				return;
			functor = kd_is_name(p, "functor");
			kd_next(p);
			if (!begin(p, l, functor, &end))
				return;
		} else if (!p->desc) {
			kd_fail(p, "a file begins with 'kernel' or 'functor'");
		} else if (kd_accept_name(p, "from")) {
			p->desc->has_from = kd_take_text(p, "version and file") != NULL;
		} else if ((*end = statement(p, 0))) {
			end = &(*end)->next;
		}
		if (!p->failed && p->token.kind != KD_T_EOL && p->token.kind != KD_T_END)
			kd_fail(p, "the statement is complete, but the line goes on");
	}
	(void)complete(p, functor);
}

int kd_parse(struct ekka_descriptions *set, const char *name, const char *text, struct ekka_error *err)
{
	struct kd_parser p = { .set = set, .file = name, .at = text, .line = 1, .err = err };
	struct lists l = { 0 };

	l.kernels_end = &l.kernels;
	l.functors_end = &l.functors;
	kd_next(&p);
	file(&p, &l);
	if (p.failed)
		return EKKA_ERR_INVALID;
	if (l.kernels) {
		*set->kernels_end = l.kernels;
		set->kernels_end = l.kernels_end;
	}
	if (l.functors) {
		*set->functors_end = l.functors;
		set->functors_end = l.functors_end;
	}
	return 0;
}
