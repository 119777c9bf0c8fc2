/* SPDX-License-Identifier: Apache-2.0 */
/* Statements of descriptions, for one launch. */
#include "config.h"

#include "spec/kd.h"

#include <string.h>

static enum kd_outcome run_list(struct kd_run *r, const struct kd_stmt *first);

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= '0' && c <= '9');
}

/* ---- attributes ------------------------------------------------------------------- */

/* A later value takes the place of an earlier one. */
static bool set_attr(struct kd_run *r, const char *name, const struct kd_value *v)
{
	struct ekka_meaning *m = r->meaning;
	struct ekka_attr *a = m->attrs, *end = m->attrs + m->n_attrs;

	while (a < end && strcmp(a->name, name) != 0)
		a++;
	if (a == m->attrs + EKKA_MAX_ATTRS)
		return kd_refuse(r, r->line, "more than %d attributes", EKKA_MAX_ATTRS);
	m->n_attrs += a == end;
	a->name = name;
	switch (v->kind) {
	case KD_INT: a->value = (struct ekka_value){ .kind = EKKA_V_INT, .i = v->i }; return true;
	case KD_REAL: a->value = (struct ekka_value){ .kind = EKKA_V_REAL, .r = { v->r } }; return true;
	case KD_TEXT: a->value = (struct ekka_value){ .kind = EKKA_V_STR, .s = v->s }; return true;
	case KD_DTYPE: a->value = (struct ekka_value){ .kind = EKKA_V_STR, .s = ekka_dtype_name(v->t) }; return true;
	default: return kd_refuse(r, r->line, "attribute %s is a place: read it with i32(...) and the like", name);
	}
}

static bool run_attr(struct kd_run *r, const struct kd_stmt *s)
{
	const char *name;
	struct kd_value v;

	if (!kd_eval_text(r, s->name, &name) || !kd_eval(r, s->e, &v))
		return false;
	if (strcmp(name, "expr") == 0 && v.kind != KD_TEXT)
		return kd_refuse(r, s->line, "expr is no text");
	return set_attr(r, name, &v);
}

/* ---- functors ------------------------------------------------------------------------ */

static bool take_arg(struct kd_run *r, const struct kd_value *v, void *arg)
{
	struct kd_shared *shared = arg;

	if (v->kind != KD_DTYPE)
		return kd_refuse(r, r->line, "args are element types");
	if (shared->arity == KD_ARITY_MAX)
		return kd_refuse(r, r->line, "more than %d arguments", KD_ARITY_MAX);
	shared->arg[shared->arity++] = v->t;
	return true;
}

static bool run_ret(struct kd_run *r, const struct kd_stmt *s)
{
	struct kd_value v;

	if (!kd_eval(r, s->e, &v))
		return false;
	if (v.kind != KD_DTYPE)
		return kd_refuse(r, s->line, "ret is an element type");
	r->shared->ret = v.t;
	r->shared->has_ret = true;
	return true;
}

/* A text that grows. */
struct building { char text[KD_TEXT_BYTES]; size_t n; bool full; };

static void add(struct building *b, const char *text, size_t n)
{
	if (n > sizeof(b->text) - b->n) {
		b->full = true;
		return;
	}
	memcpy(b->text + b->n, text, n);
	b->n += n;
}

/* One word of an expression, replaced when a `with` names it; in parentheses unless it is a word itself. */
static void add_word(struct building *b, const char *word, size_t n, const struct kd_with *with, const char *const *texts)
{
	for (; with; with = with->next, texts++) {
		size_t len = strlen(*texts), words = 0;

		if (strlen(with->name) != n || memcmp(with->name, word, n) != 0)
			continue;
		while (is_word((*texts)[words]))
			words++;
		if (words < len)
			add(b, "(", 1);
		add(b, *texts, len);
		if (words < len)
			add(b, ")", 1);
		return;
	}
	add(b, word, n);
}

static bool replace_words(struct kd_run *r, const struct kd_stmt *s, const char *const *texts)
{
	struct building b = { .n = 0 };
	struct kd_value v = { .kind = KD_TEXT };
	const char *p = NULL;

	for (unsigned i = 0; i < r->meaning->n_attrs; i++)
		if (strcmp(r->meaning->attrs[i].name, "expr") == 0)
			p = r->meaning->attrs[i].value.s;
	if (!p)
		return kd_refuse(r, s->line, "'with' for a functor without expr");
	while (*p) {
		size_t n = 1;

		if (is_word(*p)) {
			while (is_word(p[n]))
				n++;
			add_word(&b, p, n, s->with, texts);
		} else {
			add(&b, p, 1);
		}
		p += n;
	}
	if (b.full)
		return kd_refuse(r, s->line, "an expr of more than %d bytes", KD_TEXT_BYTES);
	v.s = kd_keep(r, b.text, b.n);
	return v.s && set_attr(r, "expr", &v);
}

enum { WITH_MAX = 16 };

static bool with_texts(struct kd_run *r, const struct kd_stmt *s, const char **ret)
{
	unsigned n = 0;

	for (const struct kd_with *w = s->with; w; w = w->next) {
		if (n == WITH_MAX)
			return kd_refuse(r, s->line, "more than %d words replaced", WITH_MAX);
		if (!kd_eval_text(r, w->text, &ret[n++]))
			return false;
	}
	return true;
}

static bool run_use(struct kd_run *r, const struct kd_stmt *s)
{
	const struct kd_use *use = &r->bound->uses[s->slot];
	const char *texts[WITH_MAX];
	struct kd_value place;

	if (!use->text)
		return kd_refuse(r, s->line, "the functor's name is not known before the launch");
	if (!use->bound)
		return kd_refuse(r, s->line, "no functor describes '%.250s'", use->text);
	if (!kd_eval(r, s->at, &place))
		return false;
	if (place.kind != KD_PLACE)
		return kd_refuse(r, s->line, "a functor lies at a place in a parameter");
	for (const struct kd_bound *b = use->bound; b; b = b->next) {
		struct kd_run inner = { .launch = r->launch, .meaning = r->meaning, .bound = b, .self = place, .shared = r->shared };
		enum kd_outcome outcome = kd_run(&inner);

		if (outcome == KD_DONE)
			return !s->with || (with_texts(r, s, texts) && replace_words(r, s, texts));	/* what the functor said is known to the texts */
		if (outcome == KD_REFUSED)
			return false;
	}
	return kd_refuse(r, s->line, "the facts of no functor for '%.200s' hold", use->text);
}

/* ---- statements ------------------------------------------------------------------------ */

static bool run_check(struct kd_run *r, const struct kd_stmt *s)
{
	bool holds;

	return kd_eval_true(r, s->e, &holds) && (holds || kd_refuse(r, s->line, "%s", s->text));
}

/* A functor's names are known to whoever uses it. */
static bool run_let(struct kd_run *r, const struct kd_stmt *s)
{
	struct kd_shared *shared = r->shared;

	if (!kd_eval(r, s->e, &r->slots[s->slot]))
		return false;
	if (!r->bound->desc->functor)
		return true;
	if (shared->n_exports == KD_EXPORTS_MAX)
		return kd_refuse(r, s->line, "functors with more than %d names", KD_EXPORTS_MAX);
	shared->exports[shared->n_exports].name = s->text;
	shared->exports[shared->n_exports++].value = r->slots[s->slot];
	return true;
}

static enum kd_outcome run_facts(struct kd_run *r, const struct kd_stmt *s)
{
	bool holds;

	if (kd_eval_true(r, s->e, &holds) && holds)
		return KD_DONE;
	if (r->shared->steps > KD_STEPS_MAX)
		return KD_REFUSED;
	r->shared->refused[0] = '\0';	/* a parameter that is not there is a fact too */
	return KD_MISFIT;
}

static bool run_each(struct kd_run *r, const struct kd_stmt *s)
{
	int64_t count;

	if (!kd_eval_int(r, s->e, &count))
		return false;
	if (count > KD_LOOP_MAX)
		return kd_refuse(r, s->line, "a loop of more than %d turns", KD_LOOP_MAX);
	for (int64_t i = 0; i < count; i++) {
		r->slots[s->slot] = (struct kd_value){ .kind = KD_INT, .i = i };
		if (run_list(r, s->body) != KD_DONE)
			return false;
	}
	return true;
}

static bool run_one(struct kd_run *r, const struct kd_stmt *s)
{
	switch (s->kind) {
	case KD_S_CHECK: return run_check(r, s);
	case KD_S_LET: return run_let(r, s);
	case KD_S_TENSOR: return kd_run_tensor(r, s);
	case KD_S_OP: return kd_eval_text(r, s->name, &r->meaning->op);
	case KD_S_ATTR: return run_attr(r, s);
	case KD_S_EACH: return run_each(r, s);
	case KD_S_USE: return run_use(r, s);
	case KD_S_ARGS: r->shared->arity = 0; return kd_each_item(r, s->dims, take_arg, r->shared);
	case KD_S_RET: return run_ret(r, s);
	case KD_S_NOTHING: r->meaning->nothing = true; return true;
	default: return false;
	}
}

static enum kd_outcome run_list(struct kd_run *r, const struct kd_stmt *first)
{
	for (const struct kd_stmt *s = first; s; s = s->next) {
		bool wanted = true;

		r->line = s->line;
		if (s->kind == KD_S_FACTS) {
			enum kd_outcome outcome = run_facts(r, s);

			if (outcome != KD_DONE)
				return outcome;
			continue;
		}
		if (s->kind != KD_S_TENSOR && s->cond && !kd_eval_true(r, s->cond, &wanted))
			return KD_REFUSED;
		if (wanted && !run_one(r, s))
			return KD_REFUSED;
	}
	return KD_DONE;
}

enum kd_outcome kd_run(struct kd_run *r)
{
	return run_list(r, r->bound->desc->stmts);
}
