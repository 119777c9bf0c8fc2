/* SPDX-License-Identifier: Apache-2.0 */
/* Products of panels in all storage orders, and the precision of the twofold one. */
#include <criterion/criterion.h>
#include <math.h>

#include "replay/panel.h"

enum { M = 5, N = 4, K = 7 };

static double a(int i, int k) { return i * 3 - k * k + 0.5; }
static double b(int k, int j) { return k + 2 * j - 4; }

static void fill(struct ekka_panel *p, double (*f)(int, int), int rows, int cols, bool by_row, double *re, double *im)
{
	*p = (struct ekka_panel){ re, im, rows, cols, by_row ? cols : 1, by_row ? 1 : rows };
	for (int r = 0; r < rows; r++)
		for (int c = 0; c < cols; c++) {
			re[r * p->rs + c * p->cs] = f(r, c);
			if (im)
				im[r * p->rs + c * p->cs] = f(c, r) / 2;
		}
}

Test(panel, complex_products_in_every_order_with_conjugation)
{
	double ar[M * K], ai[M * K], br[K * N], bi[K * N];
	struct ekka_panel pa, pb;

	for (int mode = 0; mode < 16; mode++) {
		double re[M * N] = { 0 }, im[M * N] = { 0 };
		bool ca = mode & 4, cb = mode & 8;

		fill(&pa, a, M, K, mode & 1, ar, ai);
		fill(&pb, b, K, N, mode & 2, br, bi);
		ekka_panel_multiply(&pa, ca, &pb, cb, re, im);
		for (int i = 0; i < M; i++)
			for (int j = 0; j < N; j++) {
				double wr = 0, wi = 0;

				for (int k = 0; k < K; k++) {
					double xi = a(k, i) / 2 * (ca ? -1 : 1), yi = b(j, k) / 2 * (cb ? -1 : 1);

					wr += a(i, k) * b(k, j) - xi * yi;
					wi += a(i, k) * yi + xi * b(k, j);
				}
				cr_expect(re[i * N + j] == wr && im[i * N + j] == wi, "mode %d (%d, %d)", mode, i, j);
			}
	}
}

Test(panel, the_twofold_product_keeps_what_double_loses)
{
	double av[] = { 1e16, 1, -1e16, 0x1p-40 }, bv[] = { 1, 1, 1, 0x1p-40 }, hi = 0, lo = 0;
	struct ekka_panel pa = { .re = av, .rows = 1, .cols = 4, .rs = 4, .cs = 1 }, pb = { .re = bv, .rows = 4, .cols = 1, .rs = 1, .cs = 1 };
	struct ekka_twofold acc = { .re = &hi, .re_lo = &lo };

	ekka_panel_multiply_twofold(&pa, false, &pb, false, &acc);
	cr_expect_eq(hi + lo, 1);
	av[0] = 1 + 0x1p-52;
	av[1] = av[2] = av[3] = 0;
	bv[0] = 1 - 0x1p-53;
	hi = lo = 0;
	ekka_panel_multiply_twofold(&pa, false, &pb, false, &acc);
	cr_expect_eq((long double)hi - 1 + (long double)lo, 0x1p-53L - 0x1p-105L, "the product's own rounding error");
}
