/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/margins.h"

#include "tools/event.h"
#include "tools/json.h"
#include "tools/term.h"
#include "tools/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct group {
	char op[32], dtype[32];
	uint64_t events;
	double *margin;		/* owned */
	size_t n, cap;
};

struct ekka_margins { struct group *group; size_t n; };

struct ekka_margins *ekka_margins_new(void)
{
	return calloc(1, sizeof(struct ekka_margins));
}

void ekka_margins_free(struct ekka_margins *m)
{
	for (size_t i = 0; m && i < m->n; i++)
		free(m->group[i].margin);
	if (m)
		free(m->group);
	free(m);
}

/* The group of an event; there are a few dozen at most. NULL: out of memory. */
static struct group *find(struct ekka_margins *m, const struct ekka_event *e)
{
	struct group key = { .op = "" }, *grown;
	char text[64];

	snprintf(key.op, sizeof(key.op), "%s", ekka_event_op(e));
	snprintf(key.dtype, sizeof(key.dtype), "%.31s", ekka_event_dtypes(e, text, sizeof(text)));
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->group[i].op, key.op) == 0 && strcmp(m->group[i].dtype, key.dtype) == 0)
			return &m->group[i];
	grown = realloc(m->group, (m->n + 1) * sizeof(*grown));
	if (!grown)
		return NULL;
	m->group = grown;
	m->group[m->n] = key;
	return &m->group[m->n++];
}

int ekka_margins_add(struct ekka_margins *m, const struct ekka_event *e, const struct ekka_verdict *v)
{
	struct group *g = v->status == EKKA_PASS ? find(m, e) : NULL;

	if (v->status != EKKA_PASS)
		return 0;
	if (!g)
		return -1;
	g->events++;
	if (isnan(v->margin))
		return 0;
	if (g->n == g->cap) {
		size_t cap = g->cap ? 2 * g->cap : 64;
		double *grown = realloc(g->margin, cap * sizeof(*grown));

		if (!grown)
			return -1;
		g->margin = grown;
		g->cap = cap;
	}
	g->margin[g->n++] = v->margin;
	return 0;
}

static int by_size(const void *pa, const void *pb)
{
	double a = *(const double *)pa, b = *(const double *)pb;

	return a < b ? -1 : a > b;
}

static int by_name(const void *pa, const void *pb)
{
	const struct group *a = pa, *b = pb;
	int by_op = strcmp(a->op, b->op);

	return by_op ? by_op : strcmp(a->dtype, b->dtype);
}

/* Of a group that measured something and is sorted. */
static double median(const struct group *g)
{
	return (g->margin[(g->n - 1) / 2] + g->margin[g->n / 2]) / 2;
}

static double percentile99(const struct group *g)
{
	return g->margin[(g->n * 99 + 99) / 100 - 1];
}

static void sort(struct ekka_margins *m)
{
	if (m->n)
		qsort(m->group, m->n, sizeof(*m->group), by_name);
	for (size_t i = 0; i < m->n; i++)
		if (m->group[i].n)
			qsort(m->group[i].margin, m->group[i].n, sizeof(double), by_size);
}

void ekka_margins_print(struct ekka_margins *m)
{
	sort(m);
	printf("%s%-18s  %-12s  %8s  %8s  %9s  %9s  %9s%s\n", ekka_colour(EKKA_BOLD), "OP", "DTYPE", "EVENTS", "MEASURED", "MEDIAN", "99 %",
	       "LARGEST", ekka_colour(EKKA_PLAIN));
	for (size_t i = 0; i < m->n; i++) {
		const struct group *g = &m->group[i];
		char op[64];

		printf("%-18s  %-12s  %8" PRIu64 "  %8zu", ekka_text_fit(g->op, 0, op, sizeof(op)), g->dtype, g->events, g->n);
		if (g->n)
			printf("  %9.3g  %9.3g  %9.3g\n", median(g), percentile99(g), g->margin[g->n - 1]);
		else
			printf("  %9s  %9s  %9s\n", "-", "-", "-");
	}
	putchar('\n');
}

struct json_object *ekka_margins_json(struct ekka_margins *m)
{
	struct json_object *list = ekka_json_array();

	sort(m);
	for (size_t i = 0; i < m->n; i++) {
		const struct group *g = &m->group[i];
		struct json_object *o = ekka_json_object();

		ekka_json_add_text(o, "op", g->op);
		ekka_json_add_text(o, "dtype", g->dtype);
		ekka_json_add_uint(o, "events", g->events);
		ekka_json_add_uint(o, "measured", g->n);
		ekka_json_add(o, "median", g->n ? ekka_json_real(median(g)) : NULL);
		ekka_json_add(o, "p99", g->n ? ekka_json_real(percentile99(g)) : NULL);
		ekka_json_add(o, "max", g->n ? ekka_json_real(g->margin[g->n - 1]) : NULL);
		ekka_json_append(list, o);
	}
	return list;
}
