/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "matmul.h"

enum { MAX_LAYERS = 32 };

struct layer { float *norm1, *qkv, *out, *norm2, *up, *down; };

struct model {
	struct model_shape s;
	int seen;			/* tokens so far */
	/* All of these lie in the memory of matmul_open, weights first. */
	float *embed, *norm;
	struct layer layer[MAX_LAYERS];
	float *keys, *values;		/* [layers, context, dim] */
	float *x, *normed, *qkv, *mixed, *hidden, *scores, *logits;
};

static float from_half(uint16_t h)
{
	int exponent = h >> 10 & 31, fraction = h & 1023;
	float f = exponent == 0 ? ldexpf(fraction, -24) : exponent == 31 ? (fraction ? NAN : INFINITY) :
		  ldexpf(1024 + fraction, exponent - 25);

	return h & 0x8000 ? -f : f;
}

/*
 * Lays the model's arrays out from `base`, or only counts when it is NULL. Returns the floats needed; *weights: those
 * of the file.
 */
static size_t lay_out(struct model *m, float *base, size_t *weights)
{
	const struct model_shape *s = &m->s;
	size_t d = s->dim, t = s->context, at = 0;
#define TAKE(field, count) (m->field = base ? base + at : NULL, at += (count))
	TAKE(embed, s->vocab * d);
	for (int i = 0; i < s->layers; i++) {
		TAKE(layer[i].norm1, d);
		TAKE(layer[i].qkv, d * 3 * d);
		TAKE(layer[i].out, d * d);
		TAKE(layer[i].norm2, d);
		TAKE(layer[i].up, d * s->mlp);
		TAKE(layer[i].down, s->mlp * d);
	}
	TAKE(norm, d);
	*weights = at;
	TAKE(keys, s->layers * t * d);
	TAKE(values, s->layers * t * d);
	TAKE(x, t * d);
	TAKE(normed, t * d);
	TAKE(qkv, t * 3 * d);
	TAKE(mixed, t * d);
	TAKE(hidden, t * s->mlp);
	TAKE(scores, s->heads * t * t);
	TAKE(logits, s->vocab);
#undef TAKE
	return at;
}

static int bad_file(const char *path, const char *why)
{
	fprintf(stderr, "tinylm: cannot use weights '%s': %s\n", path, why);
	return -1;
}

static int read_weights(struct model *m, FILE *f, const char *path)
{
	struct model_shape *s = &m->s;
	char line[128];
	size_t weights;

	if (!fgets(line, sizeof line, f) || sscanf(line, "tinylm 1 %d %d %d %d %d %d", &s->vocab, &s->dim, &s->heads,
						   &s->layers, &s->mlp, &s->context) != 6)
		return bad_file(path, "not a tinylm file");
	if (s->vocab != 256 || s->dim < 2 || s->dim > 4096 || s->heads < 1 || s->dim % (2 * s->heads) || s->layers < 1 ||
	    s->layers > MAX_LAYERS || s->mlp < 1 || s->mlp > 16384 || s->context < 1 || s->context > 8192)
		return bad_file(path, "impossible dimensions");
	float *memory = matmul_open(lay_out(m, NULL, &weights));
	if (!memory)
		return -1;
	lay_out(m, memory, &weights);
	for (size_t i = 0; i < weights; i++) {
		unsigned char b[2];
		if (fread(b, 1, 2, f) != 2)
			return bad_file(path, "too short");
		memory[i] = from_half(b[0] | b[1] << 8);
	}
	return matmul_freeze(weights);
}

int model_open(const char *path, struct model **ret)
{
	FILE *f = fopen(path, "rb");
	struct model *m = calloc(1, sizeof *m);

	if (!f || !m) {
		perror(path);
	} else if (read_weights(m, f, path) == 0) {
		fclose(f);
		*ret = m;
		return 0;
	}
	if (f)
		fclose(f);
	model_close(m);
	return -1;
}

void model_close(struct model *m)
{
	if (m && m->s.vocab)
		matmul_close();
	free(m);
}

const struct model_shape *model_shape(const struct model *m)
{
	return &m->s;
}

/* out[i] = in[i] / rms(in) * gain[i], for `count` rows of `dim`. */
static void rmsnorm(float *out, const float *in, const float *gain, int count, int dim)
{
	for (int t = 0; t < count; t++, in += dim, out += dim) {
		float sum = 0;
		for (int i = 0; i < dim; i++)
			sum += in[i] * in[i];
		float scale = 1 / sqrtf(sum / dim + 1e-5f);
		for (int i = 0; i < dim; i++)
			out[i] = in[i] * scale * gain[i];
	}
}

/* Rotary position: turns the pairs (i, i + half) of every head by the position times a frequency that falls with i. */
static void rotate(float *row, int heads, int head, int position)
{
	int half = head / 2;

	for (int i = 0; i < half; i++) {
		float angle = position * powf(10000, -(float)i / half), c = cosf(angle), s = sinf(angle);
		for (int h = 0; h < heads; h++) {
			float *p = row + h * head + i, a = p[0], b = p[half];
			p[0] = a * c - b * s;
			p[half] = b * c + a * s;
		}
	}
}

/* Softmax of the first `count` scores; those after it, up to `all`, are keys that lie in the future: 0. */
static void softmax(float *score, int count, int all)
{
	float max = -INFINITY, sum = 0;

	for (int i = 0; i < count; i++)
		max = fmaxf(max, score[i]);
	for (int i = 0; i < count; i++)
		sum += score[i] = expf(score[i] - max);
	for (int i = 0; i < count; i++)
		score[i] /= sum;
	for (int i = count; i < all; i++)
		score[i] = 0;
}

/* rows x weights: out (+)= in * w, w being inputs x outputs. */
static int project(float *out, const float *in, const float *w, int rows, int inputs, int outputs, float beta)
{
	return matmul(&(struct matmul){ .m = rows, .n = outputs, .k = inputs, .batch = 1, .alpha = 1, .beta = beta,
		.a = in, .lda = inputs, .b = w, .ldb = outputs, .c = out, .ldc = outputs });
}

/* Attention of `count` new tokens over all seen; m->qkv in, m->mixed out. */
static int attention(struct model *m, int l, int count)
{
	const struct model_shape *s = &m->s;
	int d = s->dim, head = d / s->heads, all = m->seen + count;
	float *keys = m->keys + (size_t)l * s->context * d, *values = m->values + (size_t)l * s->context * d;

	for (int t = 0; t < count; t++) {
		float *q = m->qkv + (size_t)t * 3 * d;
		rotate(q, s->heads, head, m->seen + t);
		rotate(q + d, s->heads, head, m->seen + t);
		memcpy(keys + (size_t)(m->seen + t) * d, q + d, d * sizeof *q);
		memcpy(values + (size_t)(m->seen + t) * d, q + 2 * d, d * sizeof *q);
	}
	if (matmul(&(struct matmul){ .m = count, .n = all, .k = head, .batch = s->heads, .trans_b = true, .alpha = 1 / sqrtf(head),
		.a = m->qkv, .lda = 3 * d, .stride_a = head, .b = keys, .ldb = d, .stride_b = head,
		.c = m->scores, .ldc = all, .stride_c = (long)count * all }) < 0)
		return -1;
	for (int h = 0; h < s->heads; h++)
		for (int t = 0; t < count; t++)
			softmax(m->scores + ((size_t)h * count + t) * all, m->seen + t + 1, all);
	return matmul(&(struct matmul){ .m = count, .n = head, .k = all, .batch = s->heads, .alpha = 1,
		.a = m->scores, .lda = all, .stride_a = (long)count * all, .b = values, .ldb = d, .stride_b = head,
		.c = m->mixed, .ldc = d, .stride_c = head });
}

static int block(struct model *m, int l, int count)
{
	const struct layer *w = &m->layer[l];
	int d = m->s.dim, mlp = m->s.mlp;

	rmsnorm(m->normed, m->x, w->norm1, count, d);
	if (project(m->qkv, m->normed, w->qkv, count, d, 3 * d, 0) < 0 || attention(m, l, count) < 0 ||
	    project(m->x, m->mixed, w->out, count, d, d, 1) < 0)
		return -1;
	rmsnorm(m->normed, m->x, w->norm2, count, d);
	if (project(m->hidden, m->normed, w->up, count, d, mlp, 0) < 0)
		return -1;
	for (size_t i = 0; i < (size_t)count * mlp; i++) {
		float z = m->hidden[i];
		m->hidden[i] = 0.5f * z * (1 + tanhf(0.7978845608f * (z + 0.044715f * z * z * z)));
	}
	return project(m->x, m->hidden, w->down, count, mlp, d, 1);
}

int model_feed(struct model *m, const unsigned char *tokens, int count, const float **logits)
{
	int d = m->s.dim;

	if (count < 1 || count > m->s.context - m->seen) {
		fprintf(stderr, "tinylm: the model sees %d bytes at most\n", m->s.context);
		return -1;
	}
	for (int t = 0; t < count; t++)
		for (int i = 0; i < d; i++)
			m->x[(size_t)t * d + i] = m->embed[(size_t)tokens[t] * d + i] * sqrtf(d);
	for (int l = 0; l < m->s.layers; l++)
		if (block(m, l, count) < 0)
			return -1;
	m->seen += count;
	rmsnorm(m->normed, m->x + (size_t)(count - 1) * d, m->norm, 1, d);
	*logits = m->logits;
	return matmul(&(struct matmul){ .m = 1, .n = m->s.vocab, .k = d, .batch = 1, .trans_b = true, .alpha = 1,
		.a = m->normed, .lda = d, .b = m->embed, .ldb = d, .c = m->logits, .ldc = m->s.vocab });
}
