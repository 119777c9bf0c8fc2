/* SPDX-License-Identifier: Apache-2.0 */
/* Tensor statements: a tensor is believed when its bytes can be where it says. */
#include "config.h"

#include "spec/kd.h"

#include <string.h>

/* Of dims and strides as they come. */
struct numbers { int64_t v[EKKA_MAX_DIMS]; unsigned n; const char *what; unsigned line; };

static bool take_number(struct kd_run *r, const struct kd_value *v, void *arg)
{
	struct numbers *list = arg;

	if (v->kind != KD_INT)
		return kd_refuse(r, list->line, "%s are whole numbers", list->what);
	if (list->n == EKKA_MAX_DIMS)
		return kd_refuse(r, list->line, "more than %d %s", EKKA_MAX_DIMS, list->what);
	list->v[list->n++] = v->i;
	return true;
}

static bool take_list(struct kd_run *r, const struct kd_stmt *s, const struct kd_item *items, const char *what, int64_t *ret, unsigned *ret_n)
{
	struct numbers list = { .what = what, .line = s->line };

	if (!kd_each_item(r, items, take_number, &list))
		return false;
	memcpy(ret, list.v, sizeof(list.v));
	*ret_n = list.n;
	return true;
}

static bool contiguous(struct kd_run *r, const struct kd_stmt *s, struct ekka_tensor *t)
{
	int64_t stride = 1;

	for (unsigned d = t->n_dims; d-- > 0;) {
		t->stride[d] = stride;
		if (__builtin_mul_overflow(stride, t->dim[d], &stride))
			return kd_refuse(r, s->line, "tensor %s has more elements than 64 bits count", t->name);
	}
	return true;
}

static bool take_layout(struct kd_run *r, const struct kd_stmt *s, struct ekka_tensor *t, bool *ret_empty)
{
	unsigned n_strides = 0;

	*ret_empty = false;
	if (!take_list(r, s, s->dims, "dimensions", t->dim, &t->n_dims))
		return false;
	for (unsigned d = 0; d < t->n_dims; d++) {
		if (t->dim[d] < 0)
			return kd_refuse(r, s->line, "dimension %u of tensor %s is %lld", d, t->name, (long long)t->dim[d]);
		*ret_empty |= t->dim[d] == 0;
	}
	if (*ret_empty)
		return true;
	if (!s->has_strides)
		return contiguous(r, s, t);
	if (!take_list(r, s, s->strides, "strides", t->stride, &n_strides))
		return false;
	return n_strides == t->n_dims || kd_refuse(r, s->line, "tensor %s has %u dimensions and %u strides", t->name, t->n_dims, n_strides);
}

/* Lowest and highest element relative to the address, then what follows from them; ret_dense: every byte between belongs to an element. */
static bool extent(struct kd_run *r, const struct kd_stmt *s, struct ekka_tensor *t, bool *ret_dense)
{
	int64_t low = 0, high = 0, count = 1, reach, span, bytes = (int64_t)ekka_dtype_bytes(t->dtype), below;
	bool wide = false;

	for (unsigned d = 0; d < t->n_dims; d++) {
		wide |= __builtin_mul_overflow(t->dim[d] - 1, t->stride[d], &reach);
		wide |= reach < 0 ? __builtin_add_overflow(low, reach, &low) : __builtin_add_overflow(high, reach, &high);
		wide |= __builtin_mul_overflow(count, t->dim[d], &count);
	}
	wide |= __builtin_sub_overflow(high, low, &span) || __builtin_add_overflow(span, 1, &span);
	*ret_dense = !wide && count == span;
	wide |= __builtin_mul_overflow(span, bytes, &span) || __builtin_mul_overflow(low, bytes, &below);
	if (wide || (uint64_t)-below > t->addr || __builtin_add_overflow(t->addr, (uint64_t)below, &t->addr) != (below < 0) ||
	    t->addr > UINT64_MAX - (uint64_t)span)
		return kd_refuse(r, s->line, "tensor %s does not fit the address space", t->name);
	t->offset = -low;
	t->span_bytes = (uint64_t)span;
	return true;
}

static bool in_memory(struct kd_run *r, const struct kd_stmt *s, const struct ekka_tensor *t)
{
	const struct ekka_launch_facts *l = r->launch;
	uint64_t start, bytes;

	if (t->addr % (ekka_dtype_is_complex(t->dtype) ? ekka_dtype_bytes(t->dtype) / 2 : ekka_dtype_bytes(t->dtype)))
		return kd_refuse(r, s->line, "tensor %s at 0x%llx is not aligned to its elements", t->name, (unsigned long long)t->addr);
	if (!l->range)
		return true;
	if (!l->range(l->arg, t->addr, &start, &bytes))
		return kd_refuse(r, s->line, "tensor %s at 0x%llx lies in no live allocation", t->name, (unsigned long long)t->addr);
	if (t->addr < start || t->addr - start > bytes || t->span_bytes > bytes - (t->addr - start))
		return kd_refuse(r, s->line, "tensor %s (%llu bytes at 0x%llx) goes over the end of its allocation (%llu bytes at 0x%llx)", t->name,
				 (unsigned long long)t->span_bytes, (unsigned long long)t->addr, (unsigned long long)bytes, (unsigned long long)start);
	return true;
}

static bool take_dtype(struct kd_run *r, const struct kd_stmt *s, enum ekka_dtype *ret)
{
	struct kd_value v;

	if (!kd_eval(r, s->e, &v))
		return false;
	if (v.kind != KD_DTYPE)
		return kd_refuse(r, s->line, "the type of a tensor is no element type");
	*ret = v.t;
	return true;
}

bool kd_run_tensor(struct kd_run *r, const struct kd_stmt *s)
{
	struct ekka_meaning *m = r->meaning;
	struct ekka_tensor t = { .dir = s->dir, .place = EKKA_DEVICE, .alias_of = -1 };
	bool present = true, empty, dense;
	int64_t addr;

	if (s->cond && !kd_eval_true(r, s->cond, &present))
		return false;
	if (!present)
		return true;
	if (!kd_eval_text(r, s->name, &t.name) || !take_dtype(r, s, &t.dtype) || !take_layout(r, s, &t, &empty))
		return false;
	if (empty) {
		r->shared->emptied_outs += (s->dir & EKKA_OUT) != 0;
		return true;
	}
	if (!kd_eval_int(r, s->at, &addr))
		return false;
	if (addr == 0)
		return kd_refuse(r, s->line, "the address of tensor %s is null", t.name);
	t.addr = (uint64_t)addr;
	if (!extent(r, s, &t, &dense) || !in_memory(r, s, &t))
		return false;
	for (unsigned i = 0; i < m->n_tensors; i++)
		if (strcmp(m->tensors[i].name, t.name) == 0)
			return kd_refuse(r, s->line, "there are two tensors %s", t.name);
	if (m->n_tensors == EKKA_MAX_TENSORS)
		return kd_refuse(r, s->line, "more than %d tensors", EKKA_MAX_TENSORS);
	t.pre = (s->dir & EKKA_IN) || !dense;
	t.post = (s->dir & EKKA_OUT) != 0;
	m->tensors[m->n_tensors++] = t;
	return true;
}
