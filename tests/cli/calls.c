/* SPDX-License-Identifier: Apache-2.0 */
/* Makes one call of each kind that `ekka export` must be able to make again. Recorded by t0500-export.sh. */
#include <cblas.h>
#include <stdlib.h>

void dgemm_(const char *, const char *, const int *, const int *, const int *, const double *, const double *, const int *,
	    const double *, const int *, const double *, double *, const int *, size_t, size_t);
double ddot_(const int *, const double *, const int *, const double *, const int *);
void sgemv_(const char *, const int *, const int *, const float *, const float *, const int *, const float *, const int *,
	    const float *, float *, const int *, size_t);

enum { N = 12, LD = 16 };
static double a[LD * LD * 2], b[LD * LD * 2], c[LD * LD * 2];
static float fa[LD * LD * 2], fb[LD * LD * 2], fc[LD * LD * 2];

int main(void)
{
	const double one = 1, half = 0.5, z1[2] = { 0.5, -0.25 }, z2[2] = { 1, 1 };
	const float f1 = 1.5f, f2 = 0.25f;
	const int n = N, ld = LD, k = 7, back = -2, two = 2, unit = 1;

	for (int i = 0; i < LD * LD * 2; i++) {
		a[i] = fa[i] = (float)(rand() / (RAND_MAX + 1.0) - 0.5);
		b[i] = fb[i] = (float)(rand() / (RAND_MAX + 1.0) - 0.5);
		c[i] = fc[i] = (float)(rand() / (RAND_MAX + 1.0) - 0.5);
	}
	cblas_sgemm(CblasColMajor, CblasTrans, CblasNoTrans, N, 9, 11, 1.0f, fa, LD, fb, LD, 0.5f, fc, LD);
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, N, N, 11, 1.0f, fa, LD, fb, LD, 0.0f, fc, N);
	dgemm_("N", "T", &n, &n, &k, &one, a, &ld, b, &ld, &half, c, &ld, 1, 1);
	cblas_zgemm(CblasRowMajor, CblasConjTrans, CblasNoTrans, 5, 6, 7, z1, a, LD, b, LD, z2, c, LD);
	cblas_ssyrk(CblasRowMajor, CblasLower, CblasNoTrans, N, 7, 1.0f, fa, LD, 0.5f, fc, LD);
	cblas_zherk(CblasColMajor, CblasUpper, CblasNoTrans, 6, 7, 0.5, a, LD, 1.0, c, LD);
	sgemv_("T", &n, &k, &f1, fa, &ld, fb, &back, &f2, fc, &two, 1);
	c[0] = ddot_(&n, a, &unit, b, &back);
	fc[0] = cblas_sdot(N, fa, 1, fb, 3);
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, 4, 4, 4, 0.0f, fa, LD, fb, LD, 2.0f, fc, LD);
	return 0;
}
