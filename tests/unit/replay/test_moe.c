/* SPDX-License-Identifier: Apache-2.0 */
/* Ops topk_softmax and moe_align: kernels in f32 pass whatever their order of ties and slots; wrong choices, weights and places do not. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/replay/fake_event.h"
#include "tests/unit/replay/samples.h"

enum { TOKENS = 40, EXPERTS = 24, K = 4, BLOCK = 16, PLACES = TOKENS * K + EXPERTS * (BLOCK - 1) };

static struct fake_event f;

struct routing {
	enum ekka_dtype type;
	bool renormalize, sigmoid, biased, ties_last, coarse;	/* coarse: logits with many ties */
	/* faults */
	bool second_best, twice, not_renormalised, no_max, last_expert_lost, wrong_rows;
	double off;
};

static float weights[TOKENS * K];
static int32_t indices[TOKENS * K], rows[TOKENS * K];
static float bias[EXPERTS];

static void route(const struct routing *k, const void *x)
{
	for (int t = 0; t < TOKENS; t++) {
		float p[EXPERTS], max = -INFINITY, sum = 0, chosen = 0;
		bool taken[EXPERTS] = { false };
		int n = EXPERTS - k->last_expert_lost;

		for (int e = 0; e < n; e++) {
			p[e] = (float)samples_get(k->type, x, t * EXPERTS + e);
			max = fmaxf(max, p[e]);
		}
		for (int e = n; e-- > 0;) {
			p[e] = k->sigmoid ? 1 / (1 + expf(-p[e])) : exp2f((p[e] - max) * 1.44269504f);
			sum += p[e];
		}
		for (int e = 0; e < n && !k->sigmoid; e++)
			p[e] /= sum;
		for (int j = 0; j < K; j++) {
			int best = -1;

			for (int e = 0; e < n; e++) {
				float a = p[e] + (k->biased ? bias[e] : 0), b = best < 0 ? -1 : p[best] + (k->biased ? bias[best] : 0);

				if (!taken[e] && (best < 0 || a > b || (k->ties_last && a == b)))
					best = e;
			}
			if (k->second_best && t == 7 && j == 1)
				best = (best + 1) % EXPERTS;
			if (k->twice && t == 7 && j == 3)
				best = indices[t * K];
			taken[best] = true;
			indices[t * K + j] = best;
			weights[t * K + j] = p[best];
			rows[t * K + j] = k->wrong_rows ? t * K + j : j * TOKENS + t;
			chosen += p[best];
		}
		for (int j = 0; j < K; j++) {
			if (k->renormalize && !k->not_renormalised)
				weights[t * K + j] /= chosen;
			if (k->off != 0 && t == 3 && j == 2)
				weights[t * K + j] *= (float)k->off;
		}
	}
}

static struct ekka_verdict judge_routing(struct routing k)
{
	void *x = samples_new(k.type, TOKENS * EXPERTS);
	struct ekka_verdict v;

	samples_fill(k.type, x, TOKENS * EXPERTS, GAUSS, 3, 31);
	for (int i = 0; i < TOKENS * EXPERTS && k.coarse; i++)
		samples_put(k.type, x, i, rint(samples_get(k.type, x, i)));
	for (int e = 0; e < EXPERTS; e++)
		bias[e] = (float)((e * 7) % 5) * 0.1f;
	route(&k, x);
	fake_event_init(&f, "topk_softmax");
	(void)fake_event_tensor(&f, "x", EKKA_IN, k.type, "40x24", NULL, x, NULL);
	(void)fake_event_tensor(&f, "weights", EKKA_OUT, EKKA_F32, "40x4", NULL, NULL, weights);
	(void)fake_event_tensor(&f, "indices", EKKA_OUT, EKKA_I32, "40x4", NULL, NULL, indices);
	(void)fake_event_tensor(&f, "source_rows", EKKA_OUT, EKKA_I32, "40x4", NULL, NULL, rows);
	if (k.biased)
		(void)fake_event_tensor(&f, "bias", EKKA_IN, EKKA_F32, "24", NULL, bias, NULL);
	if (k.renormalize)
		fake_event_int(&f, "renormalize", 1);
	if (k.sigmoid)
		fake_event_text(&f, "scoring", "sigmoid");
	v = fake_event_judge(&f);
	free(x);
	return v;
}

Test(topk_softmax, honest_kernels_pass)
{
	for (int i = 0; i < 64; i++) {
		struct routing k = { .type = i & 1 ? EKKA_BF16 : EKKA_F32, .renormalize = i & 2, .sigmoid = i & 4, .biased = i & 8, .ties_last = i & 16,
				     .coarse = i & 32 };
		struct ekka_verdict v = judge_routing(k);

		cr_expect_eq(v.status, EKKA_PASS, "%d: %s, margin %g, %s %s: %g for %g", i, ekka_status_name(v.status), v.margin, v.output, v.where,
			     v.worst_out[0], v.worst_ref[0]);
		cr_expect(v.margin > 0.02 && v.margin < 0.9, "%d: margin %g", i, v.margin);
	}
}

static void routing_fails(const char *what, struct routing k, const char *output, const char *looks_like)
{
	struct ekka_verdict v = judge_routing(k);

	cr_expect_eq(v.status, EKKA_FAIL, "%s: %s, margin %g", what, ekka_status_name(v.status), v.margin);
	cr_expect_str_eq(v.output, output, "%s: %s", what, v.output);
	cr_expect(strstr(v.looks_like, looks_like), "%s: '%s'", what, v.looks_like);
}

#define F32 .type = EKKA_F32

Test(topk_softmax, faults_fail)
{
	routing_fails("second best", (struct routing){ F32, .second_best = true }, "indices", "");
	routing_fails("twice", (struct routing){ F32, .twice = true }, "indices", "");
	routing_fails("renormalised", (struct routing){ F32, .renormalize = true, .not_renormalised = true }, "weights", "not renormalised");
	routing_fails("last expert", (struct routing){ F32, .last_expert_lost = true }, "indices", "");
	routing_fails("rows", (struct routing){ F32, .wrong_rows = true }, "source_rows", "");
	routing_fails("weight", (struct routing){ F32, .off = 1.00001 }, "weights", "");
}

struct align {
	bool backward, scattered, mapped;
	bool wrong_expert, lost, doubled, foreign, short_total;
	int padding;			/* behind what is used */
};

static void align(const struct align *k, const int32_t *ids, int32_t *sorted, int32_t *experts, int32_t *total)
{
	int at = 0;

	for (int i = 0; i < PLACES; i++)
		sorted[i] = k->padding;
	for (int e = 0; e < EXPERTS; e++) {
		int begin = at, n;

		for (int i = 0; i < TOKENS * K; i++) {
			int s = k->backward ? TOKENS * K - 1 - i : i;

			if (ids[s] == e)
				sorted[at++] = s;
		}
		n = at;
		for (at = begin + (n - begin + BLOCK - 1) / BLOCK * BLOCK; n < at; n++)
			sorted[n] = TOKENS * K;
		if (k->scattered && at > begin) {	/* padding in front */
			int32_t t = sorted[begin];

			sorted[begin] = sorted[at - 1];
			sorted[at - 1] = t;
		}
		for (int b = begin / BLOCK; b < at / BLOCK; b++)
			experts[b] = k->mapped ? EXPERTS - e : e;
	}
	*total = at - (k->short_total ? BLOCK : 0);
	if (k->wrong_expert)
		experts[3]++;
	if (k->lost)
		sorted[0] = TOKENS * K;
	if (k->doubled)
		sorted[1] = sorted[0];
	if (k->foreign) {
		int32_t t = sorted[0];

		sorted[0] = sorted[at - BLOCK];
		sorted[at - BLOCK] = t;
	}
}

static struct ekka_verdict judge_align(struct align k)
{
	static int32_t ids[TOKENS * K], sorted[PLACES], experts[PLACES / BLOCK], total, map[EXPERTS];
	char dims[32];

	for (int i = 0; i < TOKENS * K; i++)
		ids[i] = (i * 13 + i / 7) % (EXPERTS - 2);	/* two experts have nothing */
	for (int e = 0; e < EXPERTS; e++)
		map[e] = EXPERTS - e;
	align(&k, ids, sorted, experts, &total);
	fake_event_init(&f, "moe_align");
	(void)fake_event_tensor(&f, "ids", EKKA_IN, EKKA_I32, "40x4", NULL, ids, NULL);
	(void)snprintf(dims, sizeof dims, "%d", PLACES);
	(void)fake_event_tensor(&f, "sorted", EKKA_OUT, EKKA_I32, dims, NULL, NULL, sorted);
	(void)snprintf(dims, sizeof dims, "%d", PLACES / BLOCK);
	(void)fake_event_tensor(&f, "expert_ids", EKKA_OUT, EKKA_I32, dims, NULL, NULL, experts);
	(void)fake_event_tensor(&f, "total", EKKA_OUT, EKKA_I32, "1", NULL, NULL, &total);
	if (k.mapped)
		(void)fake_event_tensor(&f, "map", EKKA_IN, EKKA_I32, "24", NULL, map, NULL);
	fake_event_int(&f, "experts", EXPERTS);
	fake_event_int(&f, "block", BLOCK);
	return fake_event_judge(&f);
}

Test(moe_align, any_order_within_an_expert_passes)
{
	for (int i = 0; i < 8; i++) {
		struct ekka_verdict v = judge_align((struct align){ .backward = i & 1, .scattered = i & 2, .mapped = i & 4, .padding = i * 1000 });

		cr_expect_eq(v.status, EKKA_PASS, "%d: %s %s", i, v.output, v.where);
	}
}

Test(moe_align, faults_fail)
{
	static const struct { struct align k; const char *output; uint64_t n_bad; } cases[] = {
		{ { .wrong_expert = true }, "expert_ids", 1 }, { { .lost = true }, "sorted", 1 }, { { .doubled = true }, "sorted", 1 },
		{ { .foreign = true }, "sorted", 2 },	       { { .short_total = true }, "total", 1 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct ekka_verdict v = judge_align(cases[i].k);

		cr_expect_eq(v.status, EKKA_FAIL, "%zu", i);
		cr_expect_str_eq(v.output, cases[i].output, "%zu: %s", i, v.output);
		cr_expect_eq(v.n_bad, cases[i].n_bad, "%zu: %llu", i, (unsigned long long)v.n_bad);
	}
}
