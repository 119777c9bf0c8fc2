/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes safetensors files: eight bytes of header length, a JSON header, then the tensors' bytes without gaps.
 * Entries are declared first, then their bytes are written in the same order.
 */
#ifndef EKKA_TOOLS_SAFETENSORS_H
#define EKKA_TOOLS_SAFETENSORS_H

#include <json-c/json.h>
#include <stdio.h>

#include "trace/model.h"

struct ekka_safetensors {
	struct json_object *header, *metadata;	/* owned */
	uint64_t n_bytes;			/* of all entries so far */
};

void ekka_safetensors_init(struct ekka_safetensors *);
void ekka_safetensors_release(struct ekka_safetensors *);

void ekka_safetensors_metadata(struct ekka_safetensors *, const char *key, const char *value);

/*
 * Declares an entry of n_bytes and returns where it begins, counted from behind the header. Complex types
 * become real ones with a last dimension of 2, as the format has none.
 */
uint64_t ekka_safetensors_typed(struct ekka_safetensors *, const char *name, const struct ekka_tensor *, uint64_t n_bytes);
uint64_t ekka_safetensors_raw(struct ekka_safetensors *, const char *name, uint64_t n_bytes);

/* Writes length and header, padded with blanks so that the data is aligned to 8 bytes. 0, or -1 with errno. */
int ekka_safetensors_write_header(struct ekka_safetensors *, FILE *out);

#endif
