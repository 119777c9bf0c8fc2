/* SPDX-License-Identifier: Apache-2.0 */
/* The launch subject's kernels, as functions on the host under the names a compiler would give them. */
#include "config.h"

#include "tests/fake/fake.h"
#include "tests/fake/launches.h"

#include <string.h>

/* scale(float *x, float f, int n) */
static void scale(const void *block, uint64_t threads)
{
	struct { uint64_t x; float f; int n; } p;

	memcpy(&p, block, sizeof(p));
	float *x = fake_bytes(p.x);
	for (uint64_t i = 0; i < threads && i < (uint64_t)p.n; i++)
		x[i] *= p.f;
}

/* axpb(float *y, const float *x, float a, float b, int n): y = a * x + b */
static void axpb(const void *block, uint64_t threads)
{
	struct { uint64_t y, x; float a, b; int n; } p;

	memcpy(&p, block, sizeof(p));
	float *y = fake_bytes(p.y);
	const float *x = fake_bytes(p.x);
	for (uint64_t i = 0; i < threads && i < (uint64_t)p.n; i++)
		y[i] = p.a * x[i] + p.b;
}

/* paint(char *p, char *unused, box b, void *host, void *managed): ones there, twos where the box points to */
static void paint(const void *block, uint64_t threads)
{
	struct { uint64_t p, unused; struct box b; uint64_t host, managed; } p;

	memcpy(&p, block, sizeof(p));
	memset(fake_bytes(p.p), 1, threads);
	memset(fake_bytes(p.b.p), 2, threads);
}

/* through(float **items, int n): the first of each is set to its number */
static void through(const void *block, uint64_t threads)
{
	struct { uint64_t items; int n; } p;

	(void)threads;
	memcpy(&p, block, sizeof(p));
	const uint64_t *items = fake_bytes(p.items);
	for (int i = 0; i < p.n; i++)
		*(float *)fake_bytes(items[i]) = (float)i;
}

static void nothing(const void *block, uint64_t threads)
{
	(void)block, (void)threads;
}

#define P(i) { 4 * (i), 4 }
#define TEN(i) P(i), P(i + 1), P(i + 2), P(i + 3), P(i + 4), P(i + 5), P(i + 6), P(i + 7), P(i + 8), P(i + 9)
static const struct fake_kernel kernels[] = {
	{ "_Z5scalePffi", scale, 3, { { 0, 8 }, { 8, 4 }, { 12, 4 } } },
	{ "_Z3odd3oddlh", nothing, 3, { { 0, 12 }, { 16, 8 }, { 24, 1 } } },
	{ "_Z3big3big", nothing, 1, { { 0, sizeof(struct big) } } },
	{ "_Z4axpbPfPKfffi", axpb, 5, { { 0, 8 }, { 8, 8 }, { 16, 4 }, { 20, 4 }, { 24, 4 } } },
	{ "_Z5paintPcS_3boxPvS1_", paint, 5, { { 0, 8 }, { 8, 8 }, { 16, sizeof(struct box) }, { 40, 8 }, { 48, 8 } } },
	{ "_Z4many4many", nothing, 1, { { 0, sizeof(struct many) } } },
	{ "_Z7throughPPfi", through, 2, { { 0, 8 }, { 8, 4 } } },
	{ "_Z6refusePf", nothing, 1, { { 0, 8 } } },
	{ "_Z5fiftyi", nothing, 50, { TEN(0), TEN(10), TEN(20), TEN(30), TEN(40) } },
};
static const struct fake_kernel others[] = {
	{ "_Z5otherPf", nothing, 1, { { 0, 8 } } },
	{ "_Z5scalePffi", nothing, 3, { { 0, 8 }, { 8, 4 }, { 12, 4 } } },	/* of that name and those parameters, and other code */
};
static const struct fake_image image = { FAKE_MAGIC, kernels, sizeof(kernels) / sizeof(kernels[0]) };
static const struct fake_image other_image = { FAKE_MAGIC, others, sizeof(others) / sizeof(others[0]) };
static const struct fake_fatbin fatbin = FAKE_FATBIN(&image), other_fatbin = FAKE_FATBIN(&other_image);
static const struct fake_fatbin_wrapper wrapper = { FAKE_FATBIN_WRAPPER_MAGIC, 1, &fatbin, NULL };
const void *const launches_image = &wrapper, *const launches_other_image = &other_fatbin;
const size_t launches_other_bytes = sizeof(other_fatbin);
