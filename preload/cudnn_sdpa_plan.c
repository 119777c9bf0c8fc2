/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/cudnn_sdpa.h"

#include <string.h>

static struct ekka_cudnn_operand *operand(struct ekka_cudnn_sdpa *s, const char *name, enum ekka_dir dir, int tensor)
{
	return ekka_cudnn_add_operand(s->plan, s->g, name, dir, tensor) ? &s->plan->operand[s->plan->n_operands - 1] : NULL;
}

/* Keeps the given dimensions only; the others must be 1. */
static bool keep_dims(struct ekka_cudnn_operand *o, unsigned n, const unsigned *which)
{
	int64_t all = 1, kept = 1;
	int64_t dim[EKKA_MAX_DIMS], stride[EKKA_MAX_DIMS];

	if (o == NULL)
		return false;
	for (unsigned i = 0; i < o->n_dims; i++)
		all *= o->dim[i];
	for (unsigned i = 0; i < n; i++) {
		if (which[i] >= o->n_dims)
			return false;
		dim[i] = o->dim[which[i]];
		stride[i] = o->stride[which[i]];
		kept *= dim[i];
	}
	memcpy(o->dim, dim, n * sizeof(dim[0]));
	memcpy(o->stride, stride, n * sizeof(stride[0]));
	o->n_dims = n;
	return all == kept;
}

static int offsets_of(const struct ekka_cudnn_sdpa *s, int tensor)
{
	return s->g->tensor[tensor].ragged;
}

/* As operand(), also of a ragged tensor: only pack() makes it one that can be described. */
static struct ekka_cudnn_operand *matrix(struct ekka_cudnn_sdpa *s, const char *name, enum ekka_dir dir, int tensor)
{
	int offsets = offsets_of(s, tensor);
	struct ekka_cudnn_operand *o;

	s->g->tensor[tensor].ragged = -1;
	o = operand(s, name, dir, tensor);
	s->g->tensor[tensor].ragged = offsets;
	return o;
}

/* [B, H, most, D] of sequences that begin at offsets: [1, H, all, D] and where each begins, in units of so many elements. */
static bool pack(struct ekka_cudnn_sdpa *s, struct ekka_cudnn_operand *o, int tensor, uint8_t side, const char *starts, const char *unit)
{
	static const unsigned batch[] = { 0 };
	int offsets = offsets_of(s, tensor);

	if (offsets < 0)
		return true;
	if (o->dim[0] < 1 || o->dim[2] < 1 || o->dim[0] > INT32_MAX || o->dim[2] > INT32_MAX || o->stride[2] < 1)
		return false;
	o->packed = side;
	o->dim[2] *= o->dim[0];
	o->dim[0] = 1;
	o->stride[0] = 0;
	return keep_dims(operand(s, starts, EKKA_IN, offsets), 1, batch) && ekka_cudnn_add_int(s->plan, unit, o->stride[2]);
}

/* Packed are queries and results, or keys and values, or all; what belongs to single queries is not known then. */
static bool pack_all(struct ekka_cudnn_sdpa *s, struct ekka_cudnn_operand *q, struct ekka_cudnn_operand *k, struct ekka_cudnn_operand *v,
		     struct ekka_cudnn_operand *out)
{
	bool queries = offsets_of(s, s->q) >= 0, keys = offsets_of(s, s->k) >= 0;

	if (!queries && !keys && offsets_of(s, s->v) < 0 && offsets_of(s, s->out) < 0)
		return true;
	if (queries != (offsets_of(s, s->out) >= 0) || keys != (offsets_of(s, s->v) >= 0) || (keys && s->table_k >= 0) ||
	    (queries != keys && s->table_k < 0) || s->lengths_q < 0 || s->lengths_k < 0 || s->lse >= 0 || s->bias >= 0)
		return ekka_cudnn_sdpa_refuse(s, "attention on sequences of which some are packed, or with statistics or a bias of packed ones");
	return pack(s, q, s->q, 1, "cu_seqlens_q", "cu_unit_q") && pack(s, out, s->out, 1, "cu_seqlens_out", "cu_unit_out") &&
	       pack(s, k, s->k, 2, "cu_seqlens_k", "cu_unit_k") && pack(s, v, s->v, 2, "cu_seqlens_v", "cu_unit_v");
}

static bool matrices(struct ekka_cudnn_sdpa *s)
{
	struct ekka_cudnn_operand *q = matrix(s, "q", EKKA_IN, s->q), *k = matrix(s, "k", EKKA_IN, s->k), *v = matrix(s, "v", EKKA_IN, s->v);
	struct ekka_cudnn_operand *out = matrix(s, "out", EKKA_OUT, s->out);
	int64_t swap;

	if (q == NULL || k == NULL || v == NULL || out == NULL || q->n_dims != 4 || k->n_dims != 4 || v->n_dims != 4 || out->n_dims != 4)
		return false;
	if (s->k_transposed && s->table_k < 0) {
		swap = k->dim[2], k->dim[2] = k->dim[3], k->dim[3] = swap;
		swap = k->stride[2], k->stride[2] = k->stride[3], k->stride[3] = swap;
	}
	s->plan->rows = q->dim[2];
	s->plan->keys = s->table_k < 0 ? k->dim[2] : 0;
	return k->dim[3] == q->dim[3] && out->dim[2] == q->dim[2] && out->dim[3] == v->dim[3] && pack_all(s, q, k, v, out);
}

static bool lengths_and_tables(struct ekka_cudnn_sdpa *s)
{
	static const unsigned batch[] = { 0 }, table[] = { 0, 2 };

	if (s->lengths_q >= 0 && !keep_dims(operand(s, "seqlens_q", EKKA_IN, s->lengths_q), 1, batch))
		return false;
	if (s->lengths_k >= 0 && !keep_dims(operand(s, "seqlens_k", EKKA_IN, s->lengths_k), 1, batch))
		return false;
	s->plan->padded = s->lengths_q >= 0 || s->lengths_k >= 0;
	if (s->table_k < 0 && s->table_v < 0)
		return true;
	if (s->table_k < 0 || s->table_v < 0)
		return ekka_cudnn_sdpa_refuse(s, "attention with pages for keys or values only");
	s->plan->same_table[0] = s->g->tensor[s->table_k].uid;
	s->plan->same_table[1] = s->g->tensor[s->table_v].uid;
	return keep_dims(operand(s, "block_table", EKKA_IN, s->table_k), 2, table);
}

static bool extras(struct ekka_cudnn_sdpa *s)
{
	static const unsigned heads[] = { 1 }, rows[] = { 0, 1, 2 };
	const struct ekka_cudnn_operand *q = &s->plan->operand[0];
	struct ekka_cudnn_operand *bias;
	int64_t logits[4] = { q->dim[0], q->dim[1], q->dim[2], s->plan->keys };

	if (s->lse >= 0 && !keep_dims(operand(s, "lse", EKKA_OUT, s->lse), 3, rows))
		return false;
	if (s->bias >= 0 && (s->table_k >= 0 || (bias = operand(s, "bias", EKKA_IN, s->bias)) == NULL || !ekka_cudnn_broadcast(bias, logits, 4)))
		return false;
	/* The op's slopes are for |row - col| from the last key: the same only for a square below its diagonal. */
	if (s->alibi >= 0 && (s->plan->rows != s->plan->keys || !keep_dims(operand(s, "alibi", EKKA_IN, s->alibi), 1, heads)))
		return ekka_cudnn_sdpa_refuse(s, "attention with ALiBi on a part of the square");
	if (s->scale < 0)
		return ekka_cudnn_add_real(s->plan, "scale", 1);
	if (s->g->tensor[s->scale].by_value)
		return ekka_cudnn_add_by_value(s->plan, s->g, "scale", s->scale);
	return operand(s, "scale", EKKA_IN, s->scale) != NULL;
}

/* Random numbers that are zeros: how many says op attention; what makes up for them must do just that. */
static bool dropout(struct ekka_cudnn_sdpa *s)
{
	if (s->seed < 0)
		return true;
	if (!s->g->tensor[s->keep_scale].by_value || s->g->tensor[s->keep_scale].dtype != EKKA_F32)
		return false;
	s->plan->keep_scale = s->g->tensor[s->keep_scale].uid;
	s->plan->keep = s->keep;
	return ekka_cudnn_add_real(s->plan, "dropout", 1 - s->keep) && operand(s, "seed", EKKA_IN, s->seed) != NULL &&
	       (s->offset < 0 || operand(s, "offset", EKKA_IN, s->offset) != NULL);
}

bool ekka_cudnn_sdpa_plan(struct ekka_cudnn_sdpa *s)
{
	return matrices(s) && lengths_and_tables(s) && extras(s) && dropout(s);
}
