/* SPDX-License-Identifier: Apache-2.0 */
/* The encoder's bytes: framing, checks, what happens when the buffer ends. */
#include "trace/encode.h"
#include "trace/hash.h"

#include <criterion/criterion.h>
#include <msgpack.h>
#include <string.h>

static uint8_t bytes[1 << 16];

static struct ekka_buf buf_of(size_t cap)
{
	return (struct ekka_buf){ .data = bytes, .cap = cap };
}

static size_t encode_sample_call(struct ekka_buf *b)
{
	static const struct ekka_value args[] = {
		{ .kind = EKKA_V_INT, .i = INT64_MIN },
		{ .kind = EKKA_V_PTR, .u = UINT64_MAX },
		{ .kind = EKKA_V_COMPLEX, .r = { 1, -0.0 } },
	};
	static const struct ekka_attr attrs[] = { { "alpha", { .kind = EKKA_V_REAL, .r = { 0.5 } } } };
	static const struct ekka_tensor tensors[] = {
		{ .name = "A", .dir = EKKA_IN, .dtype = EKKA_BF16, .n_dims = 2, .dim = { 3, 4 }, .stride = { -4, 1 }, .alias_of = -1 },
		{ .name = "C", .dir = EKKA_OUT, .dtype = EKKA_F32, .n_dims = 2, .dim = { 3, 4 }, .stride = { 4, 1 }, .alias_of = 0 },
	};
	struct ekka_rec_call r = { .event = 1, .fn = 2, .tid = 3, .device = -1, .args = args, .n_args = 3,
				   .attrs = attrs, .n_attrs = 1, .tensors = tensors, .n_tensors = 2, .bad_args = "lda < m" };

	return ekka_encode_call(b, &r);
}

Test(encode, frame_is_three_plain_msgpack_objects_and_its_check_covers_the_rest)
{
	struct ekka_buf b = buf_of(sizeof bytes);
	size_t n = encode_sample_call(&b);
	msgpack_unpacked u;
	msgpack_object *it;

	cr_assert(n > 0 && n == b.len);
	msgpack_unpacked_init(&u);
	cr_assert_eq(msgpack_unpack_next(&u, (const char *)bytes, n, NULL), MSGPACK_UNPACK_SUCCESS);
	cr_assert_eq(u.data.type, MSGPACK_OBJECT_ARRAY);
	cr_assert_eq(u.data.via.array.size, 3);
	it = u.data.via.array.ptr;
	cr_assert_eq(memcmp(it[0].via.str.ptr, "call", 4), 0);
	cr_assert_eq(it[1].type, MSGPACK_OBJECT_BIN);
	cr_assert_eq(it[2].via.u64, ekka_check64(bytes, n - 9));
	msgpack_unpacked_destroy(&u);
}

Test(encode, record_that_does_not_fit_leaves_the_buffer_as_it_was_at_every_size)
{
	struct ekka_buf b = buf_of(sizeof bytes);
	size_t whole = encode_sample_call(&b);

	for (size_t cap = 0; cap < whole; cap++) {
		b = buf_of(cap);
		memset(bytes + cap, 0xa5, 8);
		cr_assert_eq(encode_sample_call(&b), 0, "cap %zu", cap);
		cr_assert_eq(b.len, 0);
		cr_assert(b.overflow);
		for (unsigned i = 0; i < 8; i++)
			cr_assert_eq(bytes[cap + i], 0xa5, "wrote behind the buffer, cap %zu", cap);
	}
	b = buf_of(whole);
	cr_assert_eq(encode_sample_call(&b), whole);
	cr_assert_not(b.overflow);
}

Test(encode, a_body_beyond_the_limit_is_refused)
{
	static uint8_t big[3 << 20];
	static uint64_t pcs[200000];
	struct ekka_buf b = { .data = big, .cap = sizeof big };
	struct ekka_rec_stack r = { .id = 1, .pc = pcs, .n_pc = 200000 };

	for (unsigned i = 0; i < r.n_pc; i++)
		pcs[i] = UINT64_MAX;
	cr_assert_eq(ekka_encode_stack(&b, &r), 0);
	cr_assert_eq(b.len, 0);
	r.n_pc = 100000;
	cr_assert_gt(ekka_encode_stack(&b, &r), 0);
}

Test(encode, chunk_head_is_followed_by_exactly_data_bytes)
{
	struct ekka_rec_chunk r = { .size = UINT64_MAX, .offset = UINT64_MAX, .raw_bytes = UINT32_MAX,
				    .codec = EKKA_CODEC_ZSTD, .data_bytes = 7, .data_check = UINT64_MAX };
	struct ekka_buf b = buf_of(sizeof bytes);
	size_t n = ekka_encode_chunk_head(&b, &r);
	msgpack_unpacked u;

	cr_assert(n > 0 && n <= EKKA_CHUNK_HEAD_BYTES);
	memcpy(bytes + n, "1234567", 7);
	msgpack_unpacked_init(&u);
	cr_assert_eq(msgpack_unpack_next(&u, (const char *)bytes, n + 7, NULL), MSGPACK_UNPACK_SUCCESS);
	cr_assert_eq(u.data.via.array.size, 4);
	cr_assert_eq(u.data.via.array.ptr[3].via.bin.size, 7);
	cr_assert_eq(memcmp(u.data.via.array.ptr[3].via.bin.ptr, "1234567", 7), 0);
	msgpack_unpacked_destroy(&u);
}
