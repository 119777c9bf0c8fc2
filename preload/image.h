/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images of GPU code in memory: cubin, fatbin, PTX. Zone: inside the host process; no allocation, nothing is read without asking whether it can be.
 *
 * A fatbin holds the same code for many architectures. Of one that is well formed only the machine code that the device runs is kept, or else the PTX that it is made from: what is
 * left is a fatbin again. Its header (magic, version, bytes of header, bytes of all entries) and its entries' (kind, bytes of header, of payload, architecture) are
 * as nvcc 13.0 writes them; anything else is kept whole.
 */
#ifndef EKKA_PRELOAD_IMAGE_H
#define EKKA_PRELOAD_IMAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EKKA_IMAGE_PARTS = 8, EKKA_FATBIN_HEADER = 16 };

struct ekka_image {
	const char *kind;		/* "cubin", "fatbin", "ptx"; NULL: none that we know */
	uint64_t at, bytes;		/* where it lies and how large it is, as it was loaded */
	/* What is kept of it, one behind another: after the header below in the case of a fatbin that is kept in part. */
	struct { uint64_t at, bytes; } part[EKKA_IMAGE_PARTS];
	unsigned n_parts;
	bool cut;			/* in part */
	uint8_t header[EKKA_FATBIN_HEADER];
	uint64_t kept;			/* bytes */
	bool chosen;
	/* Its record in a segment: under the lock of intern.c. */
	unsigned generation;
	uint32_t id;
	_Atomic unsigned users;		/* entries of the queue that name it, and its module while that is loaded; the last one frees */
	void *owned;			/* memory of ours that holds it, `bytes` long, or NULL */
};

/* What lies at `at`: fills kind, at and bytes; the kind is NULL when it is no image, or is not whole. All else is zero. */
void ekka_image_measure(struct ekka_image *ret, uint64_t at);

/* Decides what of it to keep for a device of compute capability `cc` (90 for 9.0; 0: not known), once. False: it cannot be read any more. */
bool ekka_image_choose(struct ekka_image *, unsigned cc);

/* Copies n bytes of what is kept, from offset; false when they cannot be read. */
bool ekka_image_read(const struct ekka_image *, uint64_t offset, void *dst, size_t n);

/* One user less: the last frees the memory that it owns. Any thread. */
void ekka_image_drop(struct ekka_image *);

#endif
