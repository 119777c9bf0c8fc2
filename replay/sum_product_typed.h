/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No header but a template, for sum_product.c alone: elements of type STORED, products in FLOAT. CONVERT(to, from) makes a vector `to` of LANES FLOATs of the
 * vector `from` of as many STOREDs; NAME(x) names the functions. Vectors are spelt out as in gemm_thin.c.
 */

enum { NAME(LANES) = 64 / sizeof(FLOAT), NAME(DEPTH) = EKKA_SUM_DEPTH * sizeof(float) / sizeof(FLOAT) };
typedef FLOAT NAME(wide) __attribute__((vector_size(64)));
typedef STORED NAME(some) __attribute__((vector_size(64 / sizeof(FLOAT) * sizeof(STORED))));

/* One step of ROWS rows: LANES elements each times EKKA_SUM_VECTORS vectors. */
static inline __attribute__((always_inline)) void NAME(step)(const STORED *const row[ROWS], int64_t k, const FLOAT *vector, int64_t ld,
							     NAME(wide) s[ROWS][EKKA_SUM_VECTORS])
{
	NAME(wide) x[ROWS];

#pragma GCC unroll 8
	for (int r = 0; r < ROWS; r++) {
		NAME(some) v;

		memcpy(&v, row[r] + k, sizeof v);
		CONVERT(x[r], v);
	}
#pragma GCC unroll 8
	for (int j = 0; j < EKKA_SUM_VECTORS; j++) {
		NAME(wide) y;

		memcpy(&y, vector + j * ld + k, sizeof y);
#pragma GCC unroll 8
		for (int r = 0; r < ROWS; r++)
			s[r][j] += x[r] * y;
	}
}

/* ROWS rows of n elements. */
EKKA_CLONES static void NAME(rows)(const STORED *const row[ROWS], int64_t n, const FLOAT *vector, int64_t ld, int64_t ahead,
				   double ret[ROWS][EKKA_SUM_VECTORS])
{
	NAME(wide) s[ROWS][EKKA_SUM_VECTORS] = { 0 };
	STORED tail[ROWS][NAME(LANES)] = { 0 };
	const STORED *const last[ROWS] = { tail[0], tail[1], tail[2] };
	int64_t k = 0;

	for (; k + NAME(LANES) <= n; k += NAME(LANES)) {
		for (int r = 0; r < ROWS; r++)
			__builtin_prefetch(row[r] + k + ahead, 0, 2);
		NAME(step)(row, k, vector, ld, s);
	}
	if (k < n) {
		for (int r = 0; r < ROWS; r++)
			memcpy(tail[r], row[r] + k, (size_t)(n - k) * sizeof tail[r][0]);
		NAME(step)(last, 0, vector + k, ld, s);
	}
	for (int h = NAME(LANES) / 2; h > 0; h /= 2)
		for (int r = 0; r < ROWS; r++)
			for (int j = 0; j < EKKA_SUM_VECTORS; j++)
				for (int l = 0; l < h; l++)
					s[r][j][l] += s[r][j][l + h];
	for (int r = 0; r < ROWS; r++)
		for (int j = 0; j < EKKA_SUM_VECTORS; j++)
			ret[r][j] += (double)s[r][j][0];
}

/* nr rows, `ld` apart, of nk elements that lie one behind another, times v's elements from k on, added to out. */
static void NAME(tile)(const STORED *from, int64_t ld, int64_t nr, int64_t nk, const struct ekka_sum_vectors *v, int64_t k, double *out, int64_t stride)
{
	for (int64_t j = 0; j < v->n; j += EKKA_SUM_VECTORS) {
		const FLOAT *vector = (const FLOAT *)VECTORS(v) + j * v->ld + k;
		int64_t nj = v->n - j < EKKA_SUM_VECTORS ? v->n - j : EKKA_SUM_VECTORS;

		for (int64_t i = 0; i < nr; i += ROWS) {
			double sum[ROWS][EKKA_SUM_VECTORS] = { 0 };
			const STORED *row[ROWS];
			int64_t ni = nr - i < ROWS ? nr - i : ROWS;

			for (int64_t r = 0; r < ROWS; r++)
				row[r] = from + (i + (r < ni ? r : ni - 1)) * ld;
			NAME(rows)(row, nk, vector, v->ld, ROWS * ld, sum);
			for (int64_t r = 0; r < ni; r++)
				for (int64_t c = 0; c < nj; c++)
					out[(i + r) * stride + j + c] += sum[r][c];
		}
	}
}

/* The same where the elements of a row lie `cs` apart: turned round in small squares first, so that each is read once. */
static void NAME(turned)(const STORED *from, int64_t rs, int64_t cs, int64_t nr, int64_t nk, STORED *to)
{
	for (int64_t k0 = 0; k0 < nk; k0 += SQUARE)
		for (int64_t r0 = 0; r0 < nr; r0 += SQUARE)
			for (int64_t r = r0; r < nr && r < r0 + SQUARE; r++)
				for (int64_t k = k0; k < nk && k < k0 + SQUARE; k++)
					to[r * (NAME(DEPTH) + EKKA_SUM_ALIGN) + k] = from[r * rs + k * cs];
}

static void NAME(product)(const void *bytes, const struct ekka_matrix *m, int64_t nr, const struct ekka_sum_vectors *v, void *scratch, double *out, int64_t stride)
{
	const STORED *from = bytes;

	for (int64_t k = 0; k < m->cols; k += NAME(DEPTH)) {
		int64_t nk = m->cols - k < NAME(DEPTH) ? m->cols - k : NAME(DEPTH);

		if (m->cs == 1) {
			NAME(tile)(from + k, m->rs, nr, nk, v, k, out, stride);
			continue;
		}
		NAME(turned)(from + k * m->cs, m->rs, m->cs, nr, nk, scratch);
		NAME(tile)(scratch, NAME(DEPTH) + EKKA_SUM_ALIGN, nr, nk, v, k, out, stride);
	}
}

#undef NAME
#undef STORED
#undef FLOAT
#undef CONVERT
#undef VECTORS
