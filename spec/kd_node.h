/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes of expressions while they are parsed. Functions that return a pointer return NULL when the parse has failed. */
#ifndef EKKA_SPEC_KD_NODE_H
#define EKKA_SPEC_KD_NODE_H

#include "spec/kd_lex.h"

/* A node without operands. */
struct kd_node *kd_node(struct kd_parser *p, enum kd_node_kind kind, int op);
struct kd_node *kd_constant(struct kd_parser *p, struct kd_value v);
struct kd_node *kd_capture(struct kd_parser *p, struct kd_span name);

/* Counts a node's depth once its operands are known: the evaluator goes as deep. Hands the node on. */
struct kd_node *kd_finish(struct kd_parser *p, struct kd_node *n);

/* A literal text. */
struct kd_node *kd_parse_text(struct kd_parser *p, const char *s);

/* The slot of a name in scope, or -1. */
int kd_find_slot(const struct kd_parser *p, struct kd_span name);

/* Does the language itself use the word. */
bool kd_reserved(struct kd_span s);

bool kd_span_is(struct kd_span s, const char *word);

#endif
