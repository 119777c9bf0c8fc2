/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/safetensors.h"

#include "tools/json.h"

#include <string.h>

/* The format's names; complex types by their parts. */
static const char *const names[EKKA_DTYPE_COUNT] = {
	[EKKA_F64] = "F64", [EKKA_F32] = "F32",	    [EKKA_F16] = "F16",	    [EKKA_BF16] = "BF16", [EKKA_E4M3] = "F8_E4M3",
	[EKKA_E5M2] = "F8_E5M2", [EKKA_C64] = "F32", [EKKA_C128] = "F64", [EKKA_I8] = "I8",	  [EKKA_U8] = "U8",
	[EKKA_I16] = "I16", [EKKA_U16] = "U16",
	[EKKA_I32] = "I32", [EKKA_U32] = "U32",	    [EKKA_I64] = "I64",	    [EKKA_U64] = "U64",	  [EKKA_CI8] = "I8",
};

void ekka_safetensors_init(struct ekka_safetensors *s)
{
	s->header = ekka_json_object();
	s->metadata = ekka_json_object();
	s->n_bytes = 0;
	ekka_json_add(s->header, "__metadata__", s->metadata);
}

void ekka_safetensors_release(struct ekka_safetensors *s)
{
	json_object_put(s->header);
	s->header = NULL;
}

void ekka_safetensors_metadata(struct ekka_safetensors *s, const char *key, const char *value)
{
	json_object_object_add(s->metadata, key, ekka_json_text(value));
}

static uint64_t declare(struct ekka_safetensors *s, const char *name, const char *dtype, struct json_object *shape,
			uint64_t n_bytes)
{
	struct json_object *entry = ekka_json_object(), *offsets = ekka_json_array();
	uint64_t at = s->n_bytes;

	ekka_json_add_text(entry, "dtype", dtype);
	ekka_json_add(entry, "shape", shape);
	ekka_json_append(offsets, json_object_new_uint64(at));
	ekka_json_append(offsets, json_object_new_uint64(at + n_bytes));
	ekka_json_add(entry, "data_offsets", offsets);
	json_object_object_add(s->header, name, entry);
	s->n_bytes += n_bytes;
	return at;
}

uint64_t ekka_safetensors_typed(struct ekka_safetensors *s, const char *name, const struct ekka_tensor *t, uint64_t n_bytes)
{
	struct json_object *shape = ekka_json_array();

	for (unsigned d = 0; d < t->n_dims; d++)
		ekka_json_append(shape, json_object_new_int64(t->dim[d]));
	if (ekka_dtype_is_complex(t->dtype))
		ekka_json_append(shape, json_object_new_int64(2));
	return declare(s, name, names[t->dtype], shape, n_bytes);
}

uint64_t ekka_safetensors_raw(struct ekka_safetensors *s, const char *name, uint64_t n_bytes)
{
	struct json_object *shape = ekka_json_array();

	ekka_json_append(shape, json_object_new_uint64(n_bytes));
	return declare(s, name, "U8", shape, n_bytes);
}

int ekka_safetensors_write_header(struct ekka_safetensors *s, FILE *out)
{
	const char *text = json_object_to_json_string_ext(s->header, JSON_C_TO_STRING_NOSLASHESCAPE);
	size_t len, padded;
	unsigned char head[8];

	if (!text)
		return -1;
	len = strlen(text);
	padded = (len + 7) / 8 * 8;
	for (unsigned i = 0; i < 8; i++)
		head[i] = (unsigned char)((uint64_t)padded >> 8 * i);
	if (fwrite(head, 1, sizeof(head), out) != sizeof(head) || fwrite(text, 1, len, out) != len)
		return -1;
	return padded == len || fprintf(out, "%*s", (int)(padded - len), "") > 0 ? 0 : -1;
}
