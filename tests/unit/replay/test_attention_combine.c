/* SPDX-License-Identifier: Apache-2.0 */
/* Op attention_combine: parts put together in f32 pass, wrong weights do not. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/replay/fake_event.h"
#include "tests/unit/replay/samples.h"

enum { BATCH = 3, HEADS = 4, PARTS = 5, DV = 16, ROWS = BATCH * HEADS, KEYS = 32 };

struct combine {
	enum ekka_dtype type;
	bool by_sums, base2, limited;
	/* faults */
	bool equal, first_only, last_lost, wrong_lse, natural;
};

static struct fake_event f;

static struct ekka_verdict judge(struct combine k)
{
	static float lse[ROWS * PARTS], max[ROWS * PARTS], sum[ROWS * PARTS], out_lse[ROWS];
	static int32_t lengths[BATCH] = { 5 * KEYS, 2 * KEYS + 1, KEYS };
	void *parts = samples_new(k.type, ROWS * PARTS * DV), *out = samples_new(k.type, ROWS * DV);
	struct ekka_verdict v;

	samples_fill(k.type, parts, ROWS * PARTS * DV, GAUSS, 1, 3);
	samples_fill(EKKA_F32, max, ROWS * PARTS, GAUSS, 3, 4);
	samples_fill(EKKA_F32, sum, ROWS * PARTS, ABOVE_ZERO, 9, 5);
	max[PARTS + 2] = -INFINITY;	/* a part that saw nothing */
	for (int r = 0; r < ROWS; r++) {
		int n = k.limited ? (lengths[r / HEADS] + KEYS - 1) / KEYS : PARTS;
		float top = -INFINITY, total = 0, w[PARTS], ln = k.base2 ? 1.44269504f : 1;

		for (int p = 0; p < PARTS; p++)
			lse[r * PARTS + p] = (max[r * PARTS + p] + logf(sum[r * PARTS + p])) * ln;
		for (int p = 0; p < n; p++)
			top = fmaxf(top, k.by_sums ? max[r * PARTS + p] : lse[r * PARTS + p]);
		for (int p = 0; p < n; p++) {
			w[p] = k.by_sums ? sum[r * PARTS + p] * expf(max[r * PARTS + p] - top) :
			       k.base2 && !k.natural ? exp2f(lse[r * PARTS + p] - top) : expf(lse[r * PARTS + p] - top);
			w[p] = k.equal ? 1 : k.first_only ? p == 0 : k.last_lost && p == n - 1 ? 0 : w[p];
			total += w[p];
		}
		for (int d = 0; d < DV; d++) {
			float acc = 0;

			for (int p = 0; p < n; p++)
				acc += w[p] / total * (float)samples_get(k.type, parts, (r * PARTS + p) * DV + d);
			samples_put(k.type, out, r * DV + d, acc);
		}
		out_lse[r] = k.wrong_lse ? top : top + (k.base2 ? log2f(total) : logf(total));
	}
	fake_event_init(&f, "attention_combine");
	(void)fake_event_tensor(&f, "parts", EKKA_IN, k.type, "3x4x5x16", NULL, parts, NULL);
	if (k.by_sums) {
		(void)fake_event_tensor(&f, "max", EKKA_IN, EKKA_F32, "3x4x5", NULL, max, NULL);
		(void)fake_event_tensor(&f, "sum", EKKA_IN, EKKA_F32, "3x4x5", NULL, sum, NULL);
	} else {
		(void)fake_event_tensor(&f, "lse", EKKA_IN, EKKA_F32, "3x4x5", NULL, lse, NULL);
		(void)fake_event_tensor(&f, "out_lse", EKKA_OUT, EKKA_F32, "3x4", NULL, NULL, out_lse);
	}
	(void)fake_event_tensor(&f, "out", EKKA_OUT, k.type, "3x4x16", NULL, NULL, out);
	if (k.limited) {
		(void)fake_event_tensor(&f, "seqlens_k", EKKA_IN, EKKA_I32, "3", NULL, lengths, NULL);
		fake_event_int(&f, "partition", KEYS);
	}
	if (k.base2)
		fake_event_int(&f, "lse_base", 2);
	v = fake_event_judge(&f);
	free(parts);
	free(out);
	return v;
}

Test(attention_combine, honest_kernels_pass)
{
	for (int i = 0; i < 16; i++) {
		struct combine k = { .type = i & 1 ? EKKA_F32 : EKKA_BF16, .by_sums = i & 2, .limited = i & 4, .base2 = (i & 8) && !(i & 2) };
		struct ekka_verdict v = judge(k);

		cr_expect_eq(v.status, EKKA_PASS, "%d: %s, margin %g %s %s", i, ekka_status_name(v.status), v.margin, v.output, v.where);
		cr_expect(v.margin > 0.02 && v.margin <= 1, "%d: margin %g", i, v.margin);
		cr_expect_eq(v.n_elements, (uint64_t)(ROWS * DV + (k.by_sums ? 0 : ROWS)));
	}
}

static void fails(const char *what, struct combine k, const char *output, const char *looks_like)
{
	struct ekka_verdict v = judge(k);

	cr_expect_eq(v.status, EKKA_FAIL, "%s: %s, margin %g", what, ekka_status_name(v.status), v.margin);
	cr_expect_str_eq(v.output, output, "%s: %s", what, v.output);
	cr_expect(strstr(v.looks_like, looks_like), "%s: '%s'", what, v.looks_like);
}

Test(attention_combine, faults_fail)
{
	for (int limited = 0; limited <= 1; limited++) {
		struct combine k = { .type = EKKA_BF16, .by_sums = true, .limited = limited, .last_lost = !limited };

		if (!limited)
			fails("last part", k, "out", "");
		k.last_lost = false;
		k.equal = true;
		fails("equal weights", k, "out", "weighed the same");
		k.equal = false;
		k.first_only = true;
		fails("first part", k, "out", "only the first part");
	}
	fails("lse", (struct combine){ .type = EKKA_F32, .wrong_lse = true }, "out_lse", "");
	fails("base", (struct combine){ .type = EKKA_F32, .base2 = true, .natural = true }, "out", "");
}
