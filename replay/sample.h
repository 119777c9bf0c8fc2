/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A random part of the events, and what judging only that part may miss. Pure functions.
 *
 * Every event is taken with the same probability, by a hash of the seed and its number: the same seed takes the same events. Of those taken all elements are
 * judged. Given that m of N were judged, each choice of m is as likely as any other, so that a fault in b of the N events is in none of those judged
 * with probability
 *
 *	C(N - b, m) / C(N, m) = product over i < b of (N - m - i) / (N - i) <= (1 - m / N)^b
 *
 * A fault that spoils a fraction f of the elements, spread over events at random, is in at least f N of them: b = f N, at least 1. One bad event in
 * n is f = 1 / n.
 */
#ifndef EKKA_REPLAY_SAMPLE_H
#define EKKA_REPLAY_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

/* Is event `number` taken, with probability `fraction`. */
bool ekka_sample_takes(uint64_t seed, uint64_t number, double fraction);

/* The probability above; 0 where bad > total - judged. bad is at least 1. */
double ekka_sample_miss(uint64_t total, uint64_t judged, uint64_t bad);

/* b of one bad event in n. */
uint64_t ekka_sample_bad(uint64_t total, uint64_t n);

#endif
