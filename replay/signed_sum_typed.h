/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No header but a template, for signed_sum.c alone: the sums over elements of type STORED, straight from memory, in FLOAT. VALUE(x) is
 * an element's value, POWER(x) the power of two at or below a FLOAT's magnitude, NAME(x) names the functions.
 */

enum { NAME(LANES) = 16 };	/* more would only cost more to add up at the end of a block of 64 */

/* One line along the columns of one block; lanes keep the loop free of dependences. */
EKKA_CLONES static void NAME(line)(int64_t n, const STORED *restrict v, const FLOAT *restrict sign, double *restrict ret)
{
	enum { L = NAME(LANES) };
	FLOAT s[L] = { 0 }, q[L] = { 0 }, p[L] = { 0 };
	int64_t j = 0;

	for (; j + L <= n; j += L) {
		for (size_t c = 0; c < L * sizeof *v; c += 64)
			__builtin_prefetch((const char *)(v + j) + AHEAD + c);
		for (int l = 0; l < L; l++) {
			FLOAT x = VALUE(v[j + l]), e = POWER(x);

			s[l] += sign[j + l] * x;
			q[l] += x * x;
			p[l] += e * e;
		}
	}
	for (int l = 0; j + l < n; l++) {
		FLOAT x = VALUE(v[j + l]), e = POWER(x);

		s[l] += sign[j + l] * x;
		q[l] += x * x;
		p[l] += e * e;
	}
	for (int h = L / 2; h > 0; h /= 2)
		for (int l = 0; l < h; l++) {
			s[l] += s[l + h];
			q[l] += q[l + h];
			p[l] += p[l + h];
		}
	ret[0] = (double)s[0];
	ret[1] = (double)q[0];
	ret[2] = (double)p[0];
}

/* The signed sum alone. */
EKKA_CLONES static double NAME(sum_line)(int64_t n, const STORED *restrict v, const FLOAT *restrict sign)
{
	enum { L = 2 * NAME(LANES) };
	FLOAT s[L] = { 0 };
	int64_t j = 0;

	for (; j + L <= n; j += L) {
		for (size_t c = 0; c < L * sizeof *v; c += 64)
			__builtin_prefetch((const char *)(v + j) + AHEAD + c);
		for (int l = 0; l < L; l++)
			s[l] += sign[j + l] * VALUE(v[j + l]);
	}
	for (int l = 0; j + l < n; l++)
		s[l] += sign[j + l] * VALUE(v[j + l]);
	for (int h = L / 2; h > 0; h /= 2)
		for (int l = 0; l < h; l++)
			s[l] += s[l + h];
	return (double)s[0];
}

/* Eight lines along the rows, added to contiguous signed sums of all rows. */
EKKA_CLONES static void NAME(sum_eight)(int64_t n, const STORED *restrict v, int64_t ld, const FLOAT *restrict sign, FLOAT *restrict sum)
{
	const STORED *restrict w = v + 4 * ld;
	FLOAT s0 = sign[0], s1 = sign[1], s2 = sign[2], s3 = sign[3], s4 = sign[4], s5 = sign[5], s6 = sign[6], s7 = sign[7];

	for (int64_t i = 0; i < n; i++)
		sum[i] += ((s0 * VALUE(v[i]) + s1 * VALUE(v[ld + i])) + (s2 * VALUE(v[2 * ld + i]) + s3 * VALUE(v[3 * ld + i]))) +
			  ((s4 * VALUE(w[i]) + s5 * VALUE(w[ld + i])) + (s6 * VALUE(w[2 * ld + i]) + s7 * VALUE(w[3 * ld + i])));
}

/* Four lines along the rows, added to contiguous sums of all rows. */
EKKA_CLONES static void NAME(four)(int64_t n, const STORED *restrict v, int64_t ld, const FLOAT *restrict sign, FLOAT *restrict sum,
				   FLOAT *restrict sq, FLOAT *restrict ulp2)
{
	const STORED *restrict v1 = v + ld, *restrict v2 = v + 2 * ld, *restrict v3 = v + 3 * ld;
	FLOAT s0 = sign[0], s1 = sign[1], s2 = sign[2], s3 = sign[3];

	for (int64_t i = 0; i < n; i++) {
		FLOAT x0 = VALUE(v[i]), x1 = VALUE(v1[i]), x2 = VALUE(v2[i]), x3 = VALUE(v3[i]);
		FLOAT e0 = POWER(x0), e1 = POWER(x1), e2 = POWER(x2), e3 = POWER(x3);

		sum[i] += (s0 * x0 + s1 * x1) + (s2 * x2 + s3 * x3);
		sq[i] += (x0 * x0 + x1 * x1) + (x2 * x2 + x3 * x3);
		ulp2[i] += (e0 * e0 + e1 * e1) + (e2 * e2 + e3 * e3);
	}
}

EKKA_CLONES static void NAME(one)(int64_t n, const STORED *restrict v, FLOAT sign, FLOAT *restrict sum, FLOAT *restrict sq,
				  FLOAT *restrict ulp2)
{
	for (int64_t i = 0; i < n; i++) {
		FLOAT x = VALUE(v[i]), e = POWER(x);

		sum[i] += sign * x;
		sq[i] += x * x;
		ulp2[i] += e * e;
	}
}

static void NAME(by_columns)(const STORED *v, int64_t ld, int64_t rows, const struct ekka_sum_blocks *b)
{
	FLOAT s[STRIP], q[STRIP], u[STRIP], sign[MOST_WIDE];

	for (int64_t j0 = 0, at = 0; j0 < b->cols; j0 += b->width, at++) {
		int64_t n = b->cols - j0 < b->width ? b->cols - j0 : b->width;

		for (int64_t j = 0; j < n; j++)
			sign[j] = (FLOAT)b->sign[j0 + j];
		for (int64_t i0 = 0; i0 < rows; i0 += STRIP) {
			int64_t ni = rows - i0 < STRIP ? rows - i0 : STRIP, j = 0;
			const STORED *from = v + i0 + j0 * ld;

			memset(s, 0, sizeof s);
			memset(q, 0, sizeof q);
			memset(u, 0, sizeof u);
			for (; !b->sq && !b->ulp2 && j + 8 <= n; j += 8)
				NAME(sum_eight)(ni, from + j * ld, ld, sign + j, s);
			for (; j + 4 <= n; j += 4)
				NAME(four)(ni, from + j * ld, ld, sign + j, s, q, u);
			for (; j < n; j++)
				NAME(one)(ni, from + j * ld, sign[j], s, q, u);
			for (int64_t i = 0; i < ni; i++)
				put(b, (i0 + i) * b->stride + at, (double)s[i], (double)q[i], (double)u[i]);
		}
	}
}

/* line[i] = the signed sum over n columns of row i. */
static void NAME(column_sums)(const STORED *v, int64_t ld, int64_t rows, int64_t n, const double *signs, FLOAT *line)
{
	FLOAT sign[MOST_WIDE], unused[2][STRIP];

	for (int64_t j = 0; j < n; j++)
		sign[j] = (FLOAT)signs[j];
	for (int64_t i = 0; i < rows; i += STRIP) {
		int64_t ni = rows - i < STRIP ? rows - i : STRIP, j = 0;

		memset(line + i, 0, (size_t)ni * sizeof *line);
		memset(unused, 0, sizeof unused);
		for (; j + 8 <= n; j += 8)
			NAME(sum_eight)(ni, v + i + j * ld, ld, sign + j, line + i);
		for (; j < n; j++)
			NAME(one)(ni, v + i + j * ld, sign[j], line + i, unused[0], unused[1]);
	}
}

static void NAME(by_rows)(const STORED *v, int64_t ld, int64_t rows, const struct ekka_sum_blocks *b)
{
	FLOAT sign[MOST_WIDE * 8];
	int64_t some = MOST_WIDE * 8 / b->width * b->width;

	for (int64_t j0 = 0; j0 < b->cols; j0 += some) {
		int64_t end = b->cols - j0 < some ? b->cols - j0 : some;

		for (int64_t j = 0; j < end; j++)
			sign[j] = (FLOAT)b->sign[j0 + j];
		for (int64_t i = 0; i < rows; i++)
			for (int64_t j = 0; j < end; j += b->width) {
				int64_t n = end - j < b->width ? end - j : b->width;
				double r[3] = { 0 };

				if (b->sq || b->ulp2)
					NAME(line)(n, v + i * ld + j0 + j, sign + j, r);
				else
					r[0] = NAME(sum_line)(n, v + i * ld + j0 + j, sign + j);
				put(b, i * b->stride + (j0 + j) / b->width, r[0], r[1], r[2]);
			}
	}
}

#undef NAME
#undef STORED
#undef FLOAT
#undef VALUE
#undef POWER
