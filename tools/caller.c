/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/caller.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 512 };

struct line {
	const struct ekka_segment *segment;	/* NULL: free */
	uint64_t stack;
	char *text;
};

struct ekka_callers {
	struct {
		const struct ekka_segment *segment;
		struct ekka_symbolizer *symbolizer;
	} *segments;
	size_t n_segments;
	struct line *lines;	/* open addressing; size is a power of two */
	size_t n_lines, size;
};

struct ekka_callers *ekka_callers_new(void)
{
	return calloc(1, sizeof(struct ekka_callers));
}

void ekka_callers_free(struct ekka_callers *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n_segments; i++)
		ekka_symbolizer_free(c->segments[i].symbolizer);
	for (size_t i = 0; i < c->size; i++)
		free(c->lines[i].text);
	free(c->segments);
	free(c->lines);
	free(c);
}

struct ekka_symbolizer *ekka_callers_symbolizer(struct ekka_callers *c, const struct ekka_segment *segment)
{
	void *grown;

	for (size_t i = 0; i < c->n_segments; i++)
		if (c->segments[i].segment == segment)
			return c->segments[i].symbolizer;
	grown = reallocarray(c->segments, c->n_segments + 1, sizeof(*c->segments));
	if (!grown)
		return NULL;
	c->segments = grown;
	c->segments[c->n_segments].segment = segment;
	c->segments[c->n_segments].symbolizer = ekka_symbolizer_new(segment);
	return c->segments[c->n_segments++].symbolizer;
}

static void native_line(struct ekka_callers *c, const struct ekka_event *e, char *buf, size_t len)
{
	struct ekka_symbolizer *s;
	struct ekka_frame_info info;

	buf[0] = '\0';
	if (e->stack->n_pc == 0 || !(s = ekka_callers_symbolizer(c, e->segment)))
		return;
	ekka_symbolizer_lookup(s, e->stack->pc[0], &info);
	ekka_frame_info_format(&info, buf, len);
}

/* Array libraries written in Python: their frames say how, not who. */
static bool is_plumbing(const char *file)
{
	static const char *const libraries[] = { "numpy", "scipy", "torch", "jax", "jaxlib", "cupy" };
	const char *at = strstr(file, "-packages/");

	if (file[0] == '<')
		return true;
	if (!at)
		return false;
	at = strchr(at, '/') + 1;
	for (size_t i = 0; i < sizeof(libraries) / sizeof(*libraries); i++)
		if (strncmp(at, libraries[i], strlen(libraries[i])) == 0 && at[strlen(libraries[i])] == '/')
			return true;
	return false;
}

/* The innermost Python frame that is the program's own, or the innermost of all. There is one. */
static const struct ekka_pyframe *best_frame(const struct ekka_rec_stack *stack)
{
	for (unsigned i = 0; i < stack->n_py; i++)
		if (!is_plumbing(stack->py[i].file))
			return &stack->py[i];
	return &stack->py[0];
}

static struct line *find(struct line *lines, size_t size, const struct ekka_segment *segment, uint64_t stack)
{
	size_t i = (size_t)((stack ^ (uintptr_t)segment) * 0x9e3779b97f4a7c15u >> 32);

	for (;; i++) {
		struct line *l = &lines[i & (size - 1)];

		if (!l->segment || (l->segment == segment && l->stack == stack))
			return l;
	}
}

static int grow(struct ekka_callers *c)
{
	size_t size = c->size ? 2 * c->size : 256;
	struct line *lines = calloc(size, sizeof(*lines));

	if (!lines)
		return -1;
	for (size_t i = 0; i < c->size; i++)
		if (c->lines[i].segment)
			*find(lines, size, c->lines[i].segment, c->lines[i].stack) = c->lines[i];
	free(c->lines);
	c->lines = lines;
	c->size = size;
	return 0;
}

const char *ekka_callers_line(struct ekka_callers *c, const struct ekka_event *e)
{
	char text[LINE_BYTES];
	struct line *l;

	if (!e->stack || (2 * (c->n_lines + 1) > c->size && grow(c) != 0))
		return "";
	l = find(c->lines, c->size, e->segment, e->stack->id);
	if (l->segment)
		return l->text;
	if (e->stack->n_py) {
		const struct ekka_pyframe *f = best_frame(e->stack);

		snprintf(text, sizeof(text), "%s:%d %s", f->file, f->line, f->func);
	} else {
		native_line(c, e, text, sizeof(text));
	}
	l->text = strdup(text);
	if (!l->text)
		return "";
	l->segment = e->segment;
	l->stack = e->stack->id;
	c->n_lines++;
	return l->text;
}
