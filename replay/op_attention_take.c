/* SPDX-License-Identifier: Apache-2.0 */
/* What an attention event's tensors and attributes say, checked: nothing in the trace is trusted to fit. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay/op_attention.h"

static void unsupported(struct ekka_attention_task *t, const char *reason)
{
	if (!t->rows.settled)
		ekka_rows_settle(&t->rows, EKKA_UNSUPPORTED, reason);
}

static void misfit(struct ekka_attention_task *t, const char *reason)
{
	if (!t->rows.settled)
		ekka_rows_settle(&t->rows, EKKA_INCOMPLETE, reason);
}

/* An input of at least n elements as integers, through ret; `ret` untouched when the event has none. */
static int take_integers(struct ekka_attention_task *t, const char *name, int64_t n, int64_t *ret, bool *ret_has, struct ekka_error *err)
{
	struct ekka_array *a;
	int r = ekka_rows_take(&t->rows, name, EKKA_PRE, false, &a, err);

	*ret_has = r == 0 && a;
	if (!*ret_has)
		return r;
	if (a->n < n || !ekka_dtype_is_integer(a->dtype)) {
		misfit(t, "a list of lengths is shorter than the batch, or not of integers");
		return 0;
	}
	ekka_array_get_int(a, 0, (size_t)n, ret);
	return 0;
}

/* A factor that is an attribute or a tensor of one element. */
static int take_factor(struct ekka_attention_task *t, const char *name, double fallback, double *ret, struct ekka_error *err)
{
	struct ekka_array *a;
	int r = ekka_rows_take(&t->rows, name, EKKA_PRE, false, &a, err);

	*ret = ekka_rows_number(&t->rows, name, fallback);
	if (r == 0 && a)
		ekka_array_get(a, 0, 1, ret);
	return r;
}

/* cu_seqlens that are elements, not rows, are so many times larger; and they must be those of the other operand of their side, too. */
static int take_units(struct ekka_attention_task *t, const char *unit_name, const char *other_name, const char *other_unit_name, int64_t n, int64_t *cu,
		      struct ekka_error *err)
{
	int64_t unit = (int64_t)ekka_rows_number(&t->rows, unit_name, 1), other_unit = (int64_t)ekka_rows_number(&t->rows, other_unit_name, 1);
	int64_t *other = calloc((size_t)n, sizeof *other);
	bool has = false;
	int r = other ? take_integers(t, other_name, n, other, &has, err) : ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for %lld lengths", (long long)n);

	for (int64_t b = 0; r == 0 && !t->rows.settled && b < n; b++) {
		if (unit < 1 || other_unit < 1 || cu[b] % unit != 0)
			misfit(t, "cu_seqlens does not lead to rows");
		else if (has && other[b] != cu[b] / unit * other_unit)
			unsupported(t, "no reference for packed sequences that lie in different places for keys and values, or queries and results");
		cu[b] /= unit < 1 ? 1 : unit;
	}
	free(other);
	return r;
}

/*
 * Starts and lengths of one side, from cu_seqlens and seqlens. `most`: rows in all, or (paged, where starts mean nothing) of
 * a batch item.
 */
static int take_lengths(struct ekka_attention_task *t, const char *cu_name, const char *len_name, int64_t most, bool paged, int64_t *start,
			int64_t *len, bool *ret_packed, struct ekka_error *err)
{
	int64_t batch = t->x.batch, *cu = calloc((size_t)batch + 1, sizeof *cu);
	bool has = false;
	int r;

	if (!cu)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for %lld lengths", (long long)batch);
	r = take_integers(t, cu_name, batch + 1, cu, ret_packed, err);
	if (r == 0 && *ret_packed && !t->rows.settled)
		r = cu_name[11] == 'q' ? take_units(t, "cu_unit_q", "cu_seqlens_out", "cu_unit_out", batch + 1, cu, err) :
					 take_units(t, "cu_unit_k", "cu_seqlens_v", "cu_unit_v", batch + 1, cu, err);
	for (int64_t b = 0; r == 0 && b < batch; b++) {
		start[b] = *ret_packed && !paged ? cu[b] : 0;
		len[b] = *ret_packed ? cu[b + 1] - cu[b] : most;
		if (start[b] < 0 || len[b] < 0 || len[b] > most || start[b] > most - len[b])
			misfit(t, "cu_seqlens leads outside the tensors");
	}
	if (r == 0 && !t->rows.settled)
		r = take_integers(t, len_name, batch, cu, &has, err);
	for (int64_t b = 0; has && r == 0 && b < batch; b++) {
		if (cu[b] < 0 || cu[b] > most || (*ret_packed && cu[b] > len[b]))
			misfit(t, "a batch item's length exceeds the tensors");
		len[b] = cu[b];
	}
	free(cu);
	return r;
}

/* The pages of K and V, and how many keys there may be. */
static int take_pages(struct ekka_attention_task *t, bool *ret_has, struct ekka_error *err)
{
	struct ekka_attention *x = &t->x;
	struct ekka_array *a;
	int64_t *pages;
	int r = ekka_rows_take(&t->rows, "block_table", EKKA_PRE, false, &a, err);

	*ret_has = r == 0 && a;
	if (!*ret_has)
		return r;
	x->batch = a->dim[0];
	x->n_pages = a->n / a->dim[0];
	x->page = x->k->dim[x->k->n_dims == 5 ? 3 : 2];
	x->n = x->n_pages * x->page;
	pages = malloc((size_t)a->n * sizeof *pages);
	if (!pages)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for a table of %lld blocks", (long long)a->n);
	x->pages = pages;
	ekka_array_get_int(a, 0, (size_t)a->n, pages);
	return 0;
}

/* Every page that a batch item uses must exist. */
static void check_pages(struct ekka_attention_task *t)
{
	const struct ekka_attention *x = &t->x;
	int64_t most = x->k->dim[0] < x->v->dim[0] ? x->k->dim[0] : x->v->dim[0];

	for (int64_t b = 0; x->pages && b < x->batch; b++)
		for (int64_t j = 0; j < x->k_len[b]; j += x->page) {
			int64_t page = x->pages[b * x->n_pages + j / x->page];

			if (page < 0 || page >= most) {
				misfit(t, "block_table leads outside the cache");
				return;
			}
		}
}

static int64_t largest(const int64_t *x, int64_t n)
{
	int64_t most = 0;

	for (int64_t i = 0; i < n; i++)
		most = x[i] > most ? x[i] : most;
	return most;
}

static int take_geometry(struct ekka_attention_task *t, struct ekka_error *err)
{
	struct ekka_attention *x = &t->x;
	int64_t rows_q = x->q->dim[2], rows_k = x->k->dim[2], n;
	struct ekka_array *cu;
	bool paged;
	int r;

	x->batch = x->q->dim[0];
	r = ekka_rows_take(&t->rows, "cu_seqlens_q", EKKA_PRE, false, &cu, err);
	if (r == 0 && cu)
		x->batch = cu->n - 1;
	if (r == 0 && !t->rows.settled)
		r = take_pages(t, &paged, err);
	if (r < 0 || t->rows.settled)
		return r;
	if (paged)
		rows_k = x->n;
	n = x->batch;
	t->numbers = n > 0 && n < INT32_MAX ? calloc((size_t)n * 4, sizeof *t->numbers) : NULL;
	if (!t->numbers)
		return n > 0 && n < INT32_MAX ? ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for %lld lengths", (long long)n) :
						(misfit(t, "the batch is empty"), 0);
	r = take_lengths(t, "cu_seqlens_q", "seqlens_q", rows_q, false, t->numbers, t->numbers + n, &x->packed_q, err);
	if (r == 0 && !t->rows.settled)
		r = take_lengths(t, "cu_seqlens_k", "seqlens_k", rows_k, paged, t->numbers + 2 * n, t->numbers + 3 * n, &x->packed_k, err);
	x->q_start = t->numbers;
	x->q_len = t->numbers + n;
	x->k_start = t->numbers + 2 * n;
	x->k_len = t->numbers + 3 * n;
	x->m = largest(x->q_len, n) * x->parts;
	x->n = largest(x->k_len, n);
	if (r == 0 && !t->rows.settled)
		check_pages(t);
	return r;
}

/* Do the tensors fit each other. */
static bool shapes_fit(const struct ekka_attention *x)
{
	const struct ekka_array *q = x->q, *k = x->k, *v = x->v, *out = x->out;
	int64_t d = k->n_dims == 5 ? k->dim[2] * k->dim[4] : k->dim[3];

	return x->heads % x->heads_k == 0 && v->dim[1] == x->heads_k && d == x->d && out->dim[1] == x->heads && out->dim[0] == q->dim[0] &&
	       out->n == q->dim[0] * q->dim[1] * q->dim[2] * x->parts * x->dv && x->d < INT32_MAX && x->dv < INT32_MAX;
}

/* After the batch is known: do the batch items exist in every tensor. */
static bool batch_fits(const struct ekka_attention *x)
{
	bool q = x->packed_q ? x->q->dim[0] == 1 : x->q->dim[0] == x->batch;
	bool kv = x->pages || (x->packed_k ? x->k->dim[0] == 1 && x->v->dim[0] == 1 : x->k->dim[0] == x->batch && x->v->dim[0] == x->batch);

	return q && kv && (x->pages ? x->v->dim[2] == x->page : x->v->dim[2] == x->k->dim[2]);
}

static int take_operands(struct ekka_attention_task *t, struct ekka_error *err)
{
	struct ekka_attention *x = &t->x;
	struct ekka_array *q, *k = NULL, *v = NULL;
	int r = ekka_rows_take(&t->rows, "q", EKKA_PRE, true, &q, err);

	if (r == 0 && !t->rows.settled)
		r = ekka_rows_take(&t->rows, "k", EKKA_PRE, true, &k, err);
	if (r == 0 && !t->rows.settled)
		r = ekka_rows_take(&t->rows, "v", EKKA_PRE, true, &v, err);
	if (r == 0 && !t->rows.settled)
		r = ekka_rows_take(&t->rows, "out", EKKA_POST, true, &t->out, err);
	if (r < 0 || t->rows.settled)
		return r;
	x->q = q;
	x->k = k;
	x->v = v;
	x->out = t->out;
	x->partition = (int64_t)ekka_rows_number(&t->rows, "partition", 0);
	if (q->n_dims != 4 || (k->n_dims != 4 && k->n_dims != 5) || v->n_dims != 4 || t->out->n_dims != (x->partition ? 5 : 4)) {
		misfit(t, "q, k, v or out has more or fewer dimensions than it should");
		return 0;
	}
	x->heads = q->dim[1];
	x->heads_k = k->dim[1];
	x->d = q->dim[3];
	x->dv = t->out->dim[t->out->n_dims - 1];
	x->parts = x->partition ? t->out->dim[3] : 1;
	if (x->partition < 0 || v->dim[3] != x->dv || !shapes_fit(x))
		misfit(t, "the recorded dimensions do not fit together");
	return 0;
}

/* An optional operand that is broadcast to [B, H, M, N]. */
static int take_view(struct ekka_attention_task *t, const char *name, struct ekka_attention_view *ret, struct ekka_error *err)
{
	const struct ekka_attention *x = &t->x;
	int64_t want[4] = { x->batch, x->heads, x->m / x->parts, x->n };
	struct ekka_array *a;
	int r = ekka_rows_take(&t->rows, name, EKKA_PRE, false, &a, err);

	if (r < 0 || !a)
		return r;
	if (a->n_dims > 4) {
		misfit(t, "a bias or mask has more than four dimensions");
		return 0;
	}
	ret->array = a;
	for (unsigned d = 0; d < a->n_dims; d++) {
		unsigned to = 4 - a->n_dims + d;

		ret->stride[to] = a->dim[d] == 1 ? 0 : a->stride[d];
		if (a->dim[d] != 1 && a->dim[d] < want[to])
			misfit(t, "the bias or mask is smaller than the logits");
	}
	return 0;
}

static int take_alibi(struct ekka_attention_task *t, struct ekka_error *err)
{
	struct ekka_array *a;
	double *slopes;
	int r = ekka_rows_take(&t->rows, "alibi", EKKA_PRE, false, &a, err);

	if (r < 0 || !a)
		return r;
	if (a->n < t->x.heads) {
		misfit(t, "there are fewer ALiBi slopes than heads");
		return 0;
	}
	slopes = ekka_rows_buffer(&t->rows, a->n, err);
	if (!slopes)
		return EKKA_ERR_NOMEM;
	ekka_array_get(a, 0, (size_t)a->n, slopes);
	t->x.alibi = slopes;
	return 0;
}

/* Attributes. */
static void take_rules(struct ekka_attention_task *t)
{
	struct ekka_attention *x = &t->x;
	const char *causal = ekka_rows_text(&t->rows, "causal", "");

	x->softcap = ekka_rows_number(&t->rows, "softcap", 0);
	x->left = (int64_t)ekka_rows_number(&t->rows, "window_left", -1);
	x->right = (int64_t)ekka_rows_number(&t->rows, "window_right", -1);
	x->top_left = !strcmp(causal, "top-left");
	if (causal[0] && (x->right < 0 || x->right > 0))
		x->right = 0;
	if (causal[0] && !x->top_left && strcmp(causal, "bottom-right") != 0)
		unsupported(t, "the causal mask's alignment is not known");
	x->lse_unit = ekka_rows_number(&t->rows, "lse_base", 0) == 2 ? 0x1.71547652b82fep0 : 1;
	if (ekka_rows_number(&t->rows, "dropout", 0) > 0)
		unsupported(t, "no reference for attention with dropout");
}

static int take_error(struct ekka_attention_task *t)
{
	struct ekka_attention *x = &t->x;
	const struct ekka_event *e = t->rows.event;
	enum ekka_dtype p = ekka_rows_dtype(&t->rows, "p_dtype", x->q->dtype);
	struct ekka_attention_facts facts = { .p = p, .on_device = e->call.device >= 0,
					      .tf32 = !strcmp(ekka_rows_text(&t->rows, "compute", ""), "tf32"),
					      .roundings = (int64_t)ekka_rows_number(&t->rows, "p_roundings", 1) };

	for (size_t i = 0; e->segment && i < e->segment->n_devices; i++)
		if (e->segment->devices[i].ordinal == e->call.device) {
			facts.cc_major = e->segment->devices[i].cc_major;
			facts.cc_minor = e->segment->devices[i].cc_minor;
		}
	if (ekka_attention_error_init(x, &facts) < 0)
		unsupported(t, x->error.text);
	return 0;
}

/* An output with one number a row of out: the same dims but the last; a last dim of 1 may follow. */
static int take_per_row(struct ekka_attention_task *t, const char *name, struct ekka_array **ret, struct ekka_error *err)
{
	const struct ekka_array *out = t->out;
	int r = ekka_rows_output(&t->rows, name, ret, err);

	if (r == 0 && *ret && ((*ret)->n != out->n / t->x.dv || (*ret)->n_dims < out->n_dims - 1 ||
			       memcmp((*ret)->dim, out->dim, (out->n_dims - 1) * sizeof out->dim[0]) != 0))
		misfit(t, "an output of one number a row does not fit out");
	return r;
}

int ekka_attention_take(struct ekka_attention_task *t, struct ekka_error *err)
{
	int r = take_operands(t, err);

	if (r == 0 && !t->rows.settled)
		r = take_geometry(t, err);
	if (r == 0 && !t->rows.settled && !batch_fits(&t->x))
		misfit(t, "the recorded dimensions do not fit together");
	if (r == 0 && !t->rows.settled)
		r = take_view(t, "bias", &t->x.bias, err);
	if (r == 0 && !t->rows.settled)
		r = take_view(t, "mask", &t->x.mask, err);
	if (r == 0 && !t->rows.settled)
		r = take_alibi(t, err);
	if (r == 0 && !t->rows.settled)
		r = take_factor(t, "scale", 1 / sqrt((double)t->x.d), &t->x.scale, err);
	if (r == 0 && !t->rows.settled)
		r = take_factor(t, "k_scale", 1, &t->x.k_scale, err);
	if (r == 0 && !t->rows.settled)
		r = take_factor(t, "v_scale", 1, &t->x.v_scale, err);
	if (r == 0 && !t->rows.settled)
		r = take_per_row(t, "lse", &t->lse, err);
	if (r == 0 && !t->rows.settled)
		r = take_per_row(t, "max", &t->max, err);
	if (r == 0 && !t->rows.settled)
		r = take_per_row(t, "sum", &t->sum, err);
	if (r < 0 || t->rows.settled)
		return r;
	take_rules(t);
	if (!t->rows.settled)
		r = take_error(t);
	t->line = ekka_rows_buffer(&t->rows, 3 * t->x.dv, err);
	return t->line ? r : EKKA_ERR_NOMEM;
}
