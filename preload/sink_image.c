/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/sink_image.h"

#include "preload/blobset.h"
#include "trace/hash.h"

enum { PIECE_BYTES = 1 << 20, MOST_BYTES = 64 << 20 };

static uint8_t piece[PIECE_BYTES];

static size_t piece_at(const struct ekka_image *m, uint64_t at)
{
	return m->kept - at < PIECE_BYTES ? (size_t)(m->kept - at) : PIECE_BYTES;
}

/* Hash first: most likely it is there, and its bytes may only be named once all of them are known. */
static bool identify(const struct ekka_image *m, struct ekka_blob_id *ret)
{
	struct ekka_blob_hash h;

	ekka_blob_hash_init(&h);
	for (uint64_t at = 0; at < m->kept; at += PIECE_BYTES) {
		if (!ekka_image_read(m, at, piece, piece_at(m, at)))
			return false;
		ekka_blob_hash_update(&h, piece, piece_at(m, at));
	}
	*ret = ekka_blob_hash_final(&h);
	return true;
}

void ekka_sink_image(const struct ekka_image *m,
		     void (*store)(const struct ekka_blob_bytes *), struct ekka_rec_module *ret)
{
	bool full;

	*ret = (struct ekka_rec_module){ .kind = m->kind, .bytes = m->kept, .of_bytes = m->bytes };
	if (m->kept > MOST_BYTES)
		ret->missing = "too large";
	else if (m->kept == 0 || !identify(m, &ret->blob))
		ret->missing = "gone";
	if (ret->missing || (!ekka_blobset_add(&ret->blob, &full) && !full))
		return;
	for (uint64_t at = 0; at < m->kept && !ret->missing; at += PIECE_BYTES) {
		const struct ekka_blob_bytes b = { .id = &ret->blob, .size = m->kept, .offset = at, .p = piece, .bytes = piece_at(m, at) };

		if (ekka_image_read(m, at, piece, b.bytes))
			store(&b);
		else
			ret->missing = "gone";
	}
	if (ret->missing)
		ekka_blobset_lose(&ret->blob, ret->missing);
}
