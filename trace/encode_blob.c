/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of blob files and of their index. Zone: see encode.h. */
#include "trace/encode.h"

#include "trace/pack.h"

static void pack_place(struct pack_frame *f, const struct ekka_blob_id *id, uint64_t size, uint64_t offset, uint32_t raw_bytes)
{
	ekka_pack_key(f, "id");
	ekka_pack_bin(f, id->b, sizeof id->b);
	ekka_pack_key_uint(f, "size", size);
	ekka_pack_key_uint(f, "off", offset);
	ekka_pack_key_uint(f, "raw", raw_bytes);
}

size_t ekka_encode_chunk_head(struct ekka_buf *buf, const struct ekka_rec_chunk *r)
{
	struct pack_frame f;

	ekka_pack_begin(&f, buf, 4, "chunk", 7);
	pack_place(&f, &r->id, r->size, r->offset, r->raw_bytes);
	ekka_pack_key_uint(&f, "c", r->codec);
	ekka_pack_key_uint(&f, "n", r->data_bytes);
	ekka_pack_key_uint(&f, "sum", r->data_check);
	ekka_pack_body_end(&f);
	ekka_pack_bin32_head(&f, r->data_bytes);
	return ekka_pack_end(&f);
}

size_t ekka_encode_links(struct ekka_buf *buf, const struct ekka_rec_links *r)
{
	struct pack_frame f;

	ekka_pack_begin(&f, buf, 3, "links", 3);
	ekka_pack_key(&f, "id");
	ekka_pack_bin(&f, r->id.b, sizeof r->id.b);
	ekka_pack_key_uint(&f, "size", r->size);
	ekka_pack_key_array(&f, "l", r->n_links);
	for (uint32_t i = 0; i < r->n_links; i++) {
		(void)ekka_mp_array(&f, 4);
		(void)ekka_mp_uint64(&f, r->links[i].offset);
		(void)ekka_mp_uint64(&f, r->links[i].raw_bytes);
		(void)ekka_mp_uint64(&f, r->links[i].at);
		(void)ekka_mp_uint64(&f, r->links[i].from);
	}
	ekka_pack_body_end(&f);
	return ekka_pack_end(&f);
}

size_t ekka_encode_ix_links(struct ekka_buf *buf, const struct ekka_rec_ix_links *r)
{
	struct pack_frame f;

	ekka_pack_begin(&f, buf, 3, "ix-links", 2);
	ekka_pack_key_uint(&f, "at", r->at);
	ekka_pack_key_uint(&f, "len", r->frame_bytes);
	ekka_pack_body_end(&f);
	return ekka_pack_end(&f);
}

size_t ekka_encode_ix_chunk(struct ekka_buf *buf, const struct ekka_rec_ix_chunk *r)
{
	struct pack_frame f;

	ekka_pack_begin(&f, buf, 3, "ix-chunk", 6);
	pack_place(&f, &r->id, r->size, r->offset, r->raw_bytes);
	ekka_pack_key_uint(&f, "at", r->at);
	ekka_pack_key_uint(&f, "len", r->frame_bytes);
	ekka_pack_body_end(&f);
	return ekka_pack_end(&f);
}

size_t ekka_encode_ix_end(struct ekka_buf *buf, const struct ekka_rec_ix_end *r)
{
	struct pack_frame f;

	ekka_pack_begin(&f, buf, 3, "ix-end", 2);
	ekka_pack_key_uint(&f, "blobs", r->blobs_bytes);
	ekka_pack_key_uint(&f, "chunks", r->n_chunks);
	ekka_pack_body_end(&f);
	return ekka_pack_end(&f);
}
