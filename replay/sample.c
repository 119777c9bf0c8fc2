/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/sample.h"

bool ekka_sample_takes(uint64_t seed, uint64_t number, double fraction)
{
	uint64_t z = seed * 0xd1342543de82ef95u + number * 0x9e3779b97f4a7c15u;	/* splitmix64's finalizer on a Weyl sequence of its own */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return (double)(z >> 11) * 0x1p-53 < fraction;
}

double ekka_sample_miss(uint64_t total, uint64_t judged, uint64_t bad)
{
	double p = 1;

	if (judged > total || bad > total - judged)
		return 0;
	for (uint64_t i = 0; i < bad && p > 0; i++)
		p *= (double)(total - judged - i) / (double)(total - i);
	return p;
}

uint64_t ekka_sample_bad(uint64_t total, uint64_t n)
{
	uint64_t bad = n ? total / n + (total % n != 0) : 1;

	return bad ? bad : 1;
}
