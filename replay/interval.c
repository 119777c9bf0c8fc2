/* SPDX-License-Identifier: Apache-2.0 */
/* Treap with split and merge (Seidel and Aragon, Randomized search trees, 1996). */
#include "replay/interval.h"

#include <stdlib.h>

typedef struct ekka_interval_node {
	struct ekka_interval at;
	uint64_t priority;
	struct ekka_interval_node *left, *right;
} node;

static uint64_t next_random(struct ekka_interval_map *map)
{
	/* xorshift64 (Marsaglia 2003) */
	uint64_t x = map->random ? map->random : 0x9e3779b97f4a7c15u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return map->random = x;
}

/* Nodes that start before `key` go to *left, the others to *right. */
static void split(node *t, uint64_t key, node **left, node **right)
{
	while (t) {
		if (t->at.start < key) {
			*left = t;
			left = &t->right;
			t = t->right;
		} else {
			*right = t;
			right = &t->left;
			t = t->left;
		}
	}
	*left = *right = NULL;
}

static node *merge(node *a, node *b)
{
	node *root = NULL, **hole = &root;

	while (a && b) {
		if (a->priority > b->priority) {
			*hole = a;
			hole = &a->right;
			a = a->right;
		} else {
			*hole = b;
			hole = &b->left;
			b = b->left;
		}
	}
	*hole = a ? a : b;
	return root;
}

static void release(node *t)
{
	while (t) {	/* the left spine is turned over to the right, so that no stack is needed */
		if (t->left) {
			node *l = t->left;

			t->left = l->right;
			l->right = t;
			t = l;
		} else {
			node *r = t->right;

			free(t);
			t = r;
		}
	}
}

static node *last_of(node *t)
{
	while (t && t->right)
		t = t->right;
	return t;
}

static node *make(struct ekka_interval_map *map, uint64_t start, uint64_t end, uint64_t value)
{
	node *n = malloc(sizeof(*n));

	if (n)
		*n = (node){ .at = { start, end, value }, .priority = next_random(map) };
	return n;
}

int ekka_interval_set(struct ekka_interval_map *map, uint64_t start, uint64_t end, uint64_t value)
{
	node *before, *covered, *after, *rest = NULL, *mine, *straddler;

	if (start >= end)
		return 0;
	mine = make(map, start, end, value);
	rest = make(map, end, end, 0);	/* what may stick out on the right; made first, so that nothing fails halfway */
	if (!mine || !rest) {
		free(mine);
		free(rest);
		return -1;
	}
	split(map->root, start, &before, &covered);
	split(covered, end, &covered, &after);
	straddler = last_of(covered);
	if (!straddler || straddler->at.end <= end)
		straddler = last_of(before);
	if (straddler && straddler->at.end > end)
		rest->at = (struct ekka_interval){ end, straddler->at.end, straddler->at.value };
	straddler = last_of(before);
	if (straddler && straddler->at.end > start)
		straddler->at.end = start;
	release(covered);
	if (rest->at.start < rest->at.end)
		after = merge(rest, after);
	else
		free(rest);
	map->root = merge(merge(before, mine), after);
	return 0;
}

int ekka_interval_each(const struct ekka_interval_map *map, uint64_t start, uint64_t end,
		       int (*fn)(void *arg, const struct ekka_interval *), void *arg)
{
	uint64_t at = start;

	while (at < end) {
		const node *t = map->root, *found = NULL;
		struct ekka_interval piece;
		int r;

		while (t) {	/* the first piece that ends behind `at` */
			if (t->at.end > at) {
				found = t;
				t = t->left;
			} else {
				t = t->right;
			}
		}
		if (!found || found->at.start >= end)
			return 0;
		piece = found->at;
		piece.start = piece.start < at ? at : piece.start;
		piece.end = piece.end > end ? end : piece.end;
		r = fn(arg, &piece);
		if (r)
			return r;
		at = piece.end;
	}
	return 0;
}

void ekka_interval_release(struct ekka_interval_map *map)
{
	release(map->root);
	*map = (struct ekka_interval_map){ 0 };
}
