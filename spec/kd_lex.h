/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of description files, and the state of a parse. Internal to spec/kd_*.c. */
#ifndef EKKA_SPEC_KD_LEX_H
#define EKKA_SPEC_KD_LEX_H

#include "spec/kd.h"

enum kd_token_kind { KD_T_END, KD_T_EOL, KD_T_NAME, KD_T_CAPTURE, KD_T_INT, KD_T_REAL, KD_T_TEXT, KD_T_OP };

struct kd_token {
	enum kd_token_kind kind;
	unsigned line;
	struct kd_span span;		/* NAME, CAPTURE (without $) */
	int64_t i;
	double r;
	const char *s;			/* TEXT */
	int op;				/* OP: a character or KD_OP_* */
};

struct kd_parser {
	struct ekka_descriptions *set;
	const char *file;
	const char *at;
	unsigned line;
	struct kd_token token;		/* the current one */
	struct kd_desc *desc;		/* being read, or NULL */
	const char *slots[KD_SLOTS_MAX];	/* names in scope; NULL: out of scope */
	unsigned depth;
	bool failed;
	struct ekka_error *err;
};

/* Goes to the next token. After a failure there is only KD_T_END. */
void kd_next(struct kd_parser *);

/* The current token and what follows it as a name that may contain {I}; goes on. NULL: failed. */
const char *kd_take_name(struct kd_parser *, const char *what);

/* Notes the first error; returns NULL. */
void *kd_fail(struct kd_parser *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

bool kd_is_name(const struct kd_parser *, const char *word);	/* the current token is this name */
bool kd_is_op(const struct kd_parser *, int op);
bool kd_accept_name(struct kd_parser *, const char *word);	/* goes on if it is */
bool kd_accept_op(struct kd_parser *, int op);
bool kd_expect_op(struct kd_parser *, int op, const char *what);	/* fails if not */
const char *kd_take_text(struct kd_parser *, const char *what);	/* a literal text, or NULL: failed */
void *kd_take(struct kd_parser *, size_t bytes);		/* memory, or NULL: failed */

/* A slot for a new name, or -1: failed. kd_forget ends a loop variable's scope. */
int kd_declare(struct kd_parser *, struct kd_span name);
void kd_forget(struct kd_parser *, int slot);

/* An expression or a list of them; NULL: failed. */
const struct kd_node *kd_parse_expr(struct kd_parser *);
struct kd_item *kd_parse_list(struct kd_parser *);
/* A name that may contain {I}, as an expression. */
const struct kd_node *kd_parse_name(struct kd_parser *, const char *what);
/* A text that says only itself. */
const struct kd_node *kd_constant_text(struct kd_parser *, const char *text);
/* `I < N`, then ':' : the slot and the count. */
bool kd_parse_range(struct kd_parser *, int *ret_slot, const struct kd_node **ret_count);

#endif
