/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scans whose every rounding is known: of the order in which an engine combines elements, and of types to which it rounds every result, follows each result to
 * the bit. For op "scan", where bounds over all orders tell little: a product of n numbers of 8 significant bits may be off by n / 256 of itself.
 *
 * Two orders, both of PyTorch (aten/src/ATen/native/cuda/ScanUtils.cuh):
 *
 *	sequence	y[i] = y[i - 1] op x[i]
 *	halves		pieces of 2 t elements; the first is combined with the piece before's last result, then, for s = 1, 2, 4... t, the second s of every 2 s
 *			elements with the last of the first s (Sklansky's prefix network)
 *
 * Each is followed from the engine's own results: y[i - 1], or the last of the piece before. A wrong one does not make all that follow wrong, too.
 *
 * Pure functions.
 */
#ifndef EKKA_REPLAY_SCAN_ORDER_H
#define EKKA_REPLAY_SCAN_ORDER_H

#include <stdbool.h>

#include "trace/model.h"

enum ekka_scan_order { EKKA_SCAN_ANY, EKKA_SCAN_SEQUENCE, EKKA_SCAN_HALVES };

/* By its name, "sequence" or "halves"; else EKKA_SCAN_ANY. */
enum ekka_scan_order ekka_scan_order_from_name(const char *name);

/*
 * What the engine must have at elements 0..n-1 of a row: of x, numbers of type t, and got, what it has there. `piece`: 2 t, a power of 2, at most n rounded up to
 * one; scratch: so many doubles. ret[0..n-1]; ret_rounded[i]: the last operation on element i was not exact.
 */
void ekka_scan_follow(enum ekka_scan_order, enum ekka_dtype t, bool product, int64_t n, int64_t piece, const double *x, const double *got, double *scratch,
		      double *ret, bool *ret_rounded);

#endif
