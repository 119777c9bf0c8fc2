/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op elementwise on the device. Each output has a launch, whose program has only the nodes that its result needs. Left to the CPU are small events; those whose tensors
 * are much larger than what is read of them; functions and pow in f64, whose bounds are too narrow for another library's values; complex tensors; programs that
 * need more registers, steps or tensors than there are; and all that is wrong.
 */
#include "replay/gpu.h"

#include <string.h>

#include "replay/expr_internal.h"
#include "replay/expr_work.h"
#include "replay/gpu_expr.h"

/* Bytes below which the CPU is done before the device has begun; and bytes of tensors for each element above which copying them there takes longer than judging it here. */
enum { SMALL = 1 << 16, MOST_PER_ELEMENT = 64 };

enum { NODES = EKKA_EXPR_NODES + EKKA_EXPR_RESULTS };

/* A program in the making. */
struct program {
	const struct ekka_expr *x;
	const struct ekka_expr_event *event;
	struct ekka_gpu_expr_job job;
	const struct ekka_array *array[EKKA_GPU_EXPR_INPUTS];	/* an input or a table, each once */
	unsigned n_arrays, n_functions, n_formats, n_regs, n_free;
	const struct ekka_expr_function *function[EKKA_GPU_EXPR_FUNCTIONS];
	uint8_t reg[NODES], free_reg[NODES];
	unsigned last[NODES];		/* the node that uses it last; 0: not needed */
};

static uint64_t bytes_of(const struct ekka_expr_work *w)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < EKKA_MAX_TENSORS; i++)
		n += w->x->whole[i].n ? w->x->whole[i].n_bytes : 0;
	for (unsigned k = 0; k < ekka_expr_n_results(w->expr); k++)
		n += w->out[k] ? w->out[k]->n_bytes : 0;
	return n;
}

bool ekka_gpu_elementwise_pays(const struct ekka_expr_work *w)
{
	uint64_t bytes = bytes_of(w);

	return bytes >= SMALL && bytes / MOST_PER_ELEMENT <= (uint64_t)w->x->n;
}

/* ---- programs ---------------------------------------------------------- */

/* What result k needs, and until when. */
static void find_uses(struct program *p, unsigned k)
{
	unsigned result = p->x->result[k].node;

	p->last[result] = NODES;
	for (unsigned i = result + 1; i-- > 0;)
		for (unsigned a = 0; p->last[i] && a < p->x->node[i].n_args; a++)
			if (p->last[p->x->node[i].arg[a]] < i)
				p->last[p->x->node[i].arg[a]] = i;
}

/* The place of an array among the job's; false: there is none left, or it does not go to the device. */
static bool place_array(struct program *p, const struct ekka_array *a, uint8_t *ret)
{
	unsigned i = 0;

	while (i < p->n_arrays && p->array[i] != a)
		i++;
	if (i == EKKA_GPU_EXPR_INPUTS || ekka_dtype_is_complex(a->dtype))
		return false;
	if (i == p->n_arrays)
		p->array[p->n_arrays++] = a;
	*ret = (uint8_t)i;
	return true;
}

static bool place_function(struct program *p, const struct ekka_expr_function *f, uint8_t *ret)
{
	bool exact = f->f.kind == EKKA_F_EXACT || f->f.kind == EKKA_F_ROUND || f->f.kind == EKKA_F_SQRT;
	unsigned i = 0;

	while (i < p->n_functions && p->function[i] != f)
		i++;
	if (i == EKKA_GPU_EXPR_FUNCTIONS || (p->job.ieee && !exact))
		return false;
	if (i == p->n_functions)
		p->n_functions++;
	p->function[i] = f;
	p->job.function[i] = f->f;
	*ret = (uint8_t)i;
	return true;
}

static bool place_format(struct program *p, enum ekka_dtype t, struct ekka_gpu_step *s)
{
	struct ekka_format f = ekka_format_of(t);
	unsigned i = 0;

	while (i < p->n_formats && (p->job.format[i].unit != f.unit || p->job.format[i].largest != f.largest))
		i++;
	if (i == EKKA_GPU_EXPR_FORMATS)
		return false;
	p->job.format[i] = f;
	p->n_formats += i == p->n_formats;
	s->which = (uint8_t)i;
	s->flags |= t == EKKA_E4M3 || t == EKKA_E5M2 ? EKKA_GPU_SATURATES : 0;
	return true;
}

static void take_type(struct ekka_gpu_step *s, enum ekka_dtype t)
{
	struct ekka_whole_type type = ekka_expr_whole_type(t);

	s->which = (uint8_t)type.bits;
	s->flags |= type.is_signed ? EKKA_GPU_SIGNED : 0;
	s->number = type.lo;
	s->more = type.hi;
}

/* All of a step but its registers. */
static bool translate(struct program *p, const struct ekka_expr_node *node, struct ekka_gpu_step *s)
{
	struct ekka_expr_rounding rounding = ekka_expr_rounding_of(p->x, node);

	s->op = (uint8_t)node->op;
	s->n_args = (uint8_t)node->n_args;
	s->flags = (node->is_int ? EKKA_GPU_INT : 0) | (node->is_unsigned ? EKKA_GPU_UNSIGNED : 0) | (rounding.contracts ? EKKA_GPU_CONTRACTS : 0) |
		   (rounding.single ? EKKA_GPU_SINGLE : 0) | (node->n_args && p->x->node[node->arg[0]].is_int ? EKKA_GPU_OF_INTS : 0);
	s->number = rounding.unit;
	switch (node->op) {
	case EKKA_X_NUMBER:
		s->number = node->number;
		s->more = ekka_expr_number_error(p->x, node);
		return true;
	case EKKA_X_INTEGER: s->integer = node->integer; return true;
	case EKKA_X_INPUT: return place_array(p, &p->event->input[node->input], &s->which);
	case EKKA_X_TABLE: return place_array(p, node->table, &s->which);
	case EKKA_X_INDEX: s->which = (uint8_t)node->input; return true;
	case EKKA_X_TO_REAL: s->more = node->last ? INFINITY : 1 / p->x->format.unit; return true;
	case EKKA_X_TO_INT:
	case EKKA_X_WRAP: take_type(s, node->dtype); return true;
	case EKKA_X_ROUND_TO: return place_format(p, node->dtype, s);
	case EKKA_X_POW: return !p->job.ieee;
	case EKKA_X_FUNCTION: return place_function(p, node->function, &s->which);
	default: return true;
	}
}

/* Operands' registers, those free again that nothing needs any more, and one for the value. */
static bool take_registers(struct program *p, unsigned i, struct ekka_gpu_step *s)
{
	const struct ekka_expr_node *node = &p->x->node[i];

	for (unsigned a = 0; a < node->n_args; a++)
		s->arg[a] = p->reg[node->arg[a]];
	for (unsigned k = 0; k < i; k++)
		if (p->last[k] == i)
			p->free_reg[p->n_free++] = p->reg[k];
	p->reg[i] = p->n_free ? p->free_reg[--p->n_free] : (uint8_t)p->n_regs++;
	s->to = p->reg[i];
	return p->n_regs <= EKKA_GPU_REGISTERS;
}

/* The program of result k, without arrays. False: it does not fit. */
static bool build(struct program *p, unsigned k)
{
	const struct ekka_expr *x = p->x;
	struct ekka_gpu_expr_job *job = &p->job;
	int64_t behind = 1;

	job->ieee = x->compute == EKKA_F64;
	job->unit = x->format.unit;
	job->normal = x->format.normal;
	job->overflow = job->ieee ? INFINITY : x->format.overflow;
	find_uses(p, k);
	for (unsigned i = 0; i < x->n_nodes; i++) {
		struct ekka_gpu_step *s = &job->step[job->n_steps];

		if (!p->last[i])
			continue;
		if (job->n_steps == EKKA_GPU_STEPS || !translate(p, &x->node[i], s) || !take_registers(p, i, s))
			return false;
		job->n_steps++;
	}
	job->result = p->reg[x->result[k].node];
	job->result_is_int = x->node[x->result[k].node].is_int;
	for (unsigned d = p->event->n_dims; d-- > 0; behind *= job->dim[d]) {
		job->dim[d] = p->event->dim[d];
		job->behind[d] = behind;
	}
	return true;
}

/* ---- events ------------------------------------------------------------ */

/* An array with its dims as they are indexed. */
static struct ekka_array indexed(const struct ekka_array *table)
{
	struct ekka_array a = *table;

	a.n_walk = a.n_dims;
	memcpy(a.walk_dim, a.dim, sizeof a.walk_dim);
	memcpy(a.walk_stride, a.stride, sizeof a.walk_stride);
	return a;
}

static bool send(struct ekka_gpu *gpu, struct ekka_gpu_lane *l, struct program *p, const struct ekka_array *out)
{
	bool good = ekka_gpu_array(gpu, l, out, &p->job.out);

	for (unsigned i = 0; good && i < p->n_arrays; i++) {
		bool is_table = p->array[i] >= p->event->whole && p->array[i] < p->event->whole + EKKA_MAX_TENSORS;
		struct ekka_array a = is_table ? indexed(p->array[i]) : *p->array[i];

		good = ekka_gpu_array(gpu, l, &a, &p->job.input[i]);
	}
	p->job.stored = ekka_format_of(out->dtype);
	return good;
}

/* Compares the output that result k is stored to. */
static bool compare(struct ekka_gpu *gpu, struct ekka_gpu_lane *l, const struct ekka_expr_work *w, unsigned k, struct ekka_elements_part *ret)
{
	struct program p = { .x = w->expr, .event = w->x };
	const struct ekka_array *out = w->out[k];
	size_t used = l->used;
	int64_t n = out->n;
	CUdeviceptr job, parts;
	void *params[] = { &job, &n, &parts };
	bool good;

	if (ekka_dtype_is_complex(out->dtype) || !build(&p, k) || !send(gpu, l, &p, out))
		return false;
	job = ekka_gpu_put(gpu, l, &p.job, sizeof p.job);
	parts = job ? ekka_gpu_parts(gpu, l, n) : 0;
	good = parts && ekka_gpu_look(gpu, l, EKKA_GPU_expr, n, params) && ekka_gpu_found(gpu, l, parts, n, ret) &&
	       !ret->n_bad && ret->n == (uint64_t)n;
	l->used = used;		/* all is done: the next output may have the room */
	return good;
}

bool ekka_gpu_elementwise(struct ekka_backend *base, const struct ekka_expr_work *w, struct ekka_elements *e)
{
	struct ekka_gpu *gpu = (struct ekka_gpu *)base;
	struct ekka_elements_part part[EKKA_EXPR_RESULTS];
	unsigned n = ekka_expr_n_results(w->expr);
	struct ekka_gpu_lane *l = (gpu->flags & EKKA_GPU_ALWAYS) || ekka_gpu_elementwise_pays(w) ? ekka_gpu_take(gpu, 0) : NULL;
	bool good = l;

	for (unsigned k = 0; good && k < n; k++)
		good = !w->out[k] || compare(gpu, l, w, k, &part[k]);
	if (l && !good)
		(void)ekka_gpu_finish(gpu, l);		/* what is under way reads tensors that are about to be let go */
	if (l)
		ekka_gpu_give(gpu, l);
	for (unsigned k = 0; good && k < n; k++)
		if (w->out[k])
			(void)ekka_elements_take(e, w->out[k]->tensor, &part[k]);	/* none of them is bad */
	return good;
}
