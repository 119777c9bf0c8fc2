/* SPDX-License-Identifier: Apache-2.0 */
/* Which snapshots are still right after which writes. */
#include "config.h"

#include <criterion/criterion.h>
#include <string.h>

#include "preload/guard.h"
#include "preload/launch.h"
#include "preload/versions.h"

enum { KIB = 1 << 10, MIB = 1 << 20 };
static const uint64_t base = 0x7f0000000000u;

static uint64_t snap(uint64_t addr, uint64_t bytes)
{
	uint32_t clock = ekka_versions_now();
	uint64_t serial = ekka_versions_serial();

	ekka_versions_publish(addr, bytes, clock, serial);
	return serial;
}

Test(versions, nothing_is_known_before_every_write_is_seen)
{
	(void)snap(base, KIB);
	cr_assert_eq(ekka_versions_find(base, KIB), 0);
	ekka_versions_enable();
	cr_assert_eq(ekka_versions_find(base, KIB), 0, "taken before");
}

Test(versions, a_write_anywhere_into_the_range_ends_it)
{
	static const struct { uint64_t addr, bytes, from, n; bool still; } rows[] = {
		{ 0, 8 * KIB, 8 * KIB, 4, true },	   /* just behind */
		{ 4 * KIB, 8 * KIB, 0, 4 * KIB, true },	   /* just before */
		{ 0, 8 * KIB, 8 * KIB - 1, 1, false },	   /* its last byte */
		{ 4 * KIB, 8 * KIB, 4 * KIB, 1, false },   /* its first */
		{ 0, 8 * MIB, 5 * MIB, 1, false },	   /* in the middle of a large one */
		{ 3 * MIB, KIB, 0, 8 * MIB, false },	   /* under a large write */
		{ MIB, 2 * MIB, 2 * MIB - 1, 2, false },   /* over the border of a region */
		{ 7 * MIB, KIB, MIB, 5 * MIB, true },
		{ 5 * MIB, KIB, MIB, 5 * MIB, false },
	};

	ekka_versions_enable();
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t at = base + i * (uint64_t)64 * MIB, serial = snap(at + rows[i].addr, rows[i].bytes);

		cr_assert_eq(ekka_versions_find(at + rows[i].addr, rows[i].bytes), serial);
		ekka_versions_wrote(at + rows[i].from, rows[i].n);
		cr_expect_eq(ekka_versions_find(at + rows[i].addr, rows[i].bytes), rows[i].still ? serial : 0, "row %u", i);
		serial = snap(at + rows[i].addr, rows[i].bytes);
		cr_expect_eq(ekka_versions_find(at + rows[i].addr, rows[i].bytes), serial, "row %u again", i);
	}
}

/* A write of ours ends nothing: the others may write again at once. */
Test(versions, of_shared_memory_nothing_is_known_until_it_is_ours_again)
{
	static const struct { uint64_t from, bytes; } rows[] = { { 0, 4 * KIB }, { 8 * KIB, KIB }, { MIB, 2 * MIB }, { 4 * MIB, 2 * MIB } };

	ekka_versions_share(base, rows[0].bytes);	/* before anything can be known */
	ekka_versions_enable();
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t at = base + rows[i].from, bytes = rows[i].bytes;

		if (i > 0) {
			(void)snap(at, bytes);
			ekka_versions_share(at, bytes);
			cr_expect_eq(ekka_versions_find(at, bytes), 0, "row %u", i);
		}
		ekka_versions_wrote(at, bytes);
		(void)snap(at, bytes);
		cr_expect_eq(ekka_versions_find(at, bytes), 0, "row %u, written", i);
		ekka_versions_wrote(base, 16 * MIB);
		(void)snap(at + bytes - 1, 1);
		cr_expect_eq(ekka_versions_find(at + bytes - 1, 1), 0, "row %u, its end", i);
		uint64_t behind = snap(at + bytes + 4 * KIB, KIB);
		cr_expect_eq(ekka_versions_find(at + bytes + 4 * KIB, KIB), behind, "row %u, behind it", i);
		(void)snap(at, bytes);
		ekka_versions_own(at, bytes);
		cr_expect_eq(ekka_versions_find(at, bytes), 0, "row %u, what it was", i);
		uint64_t serial = snap(at, bytes);
		cr_expect_eq(ekka_versions_find(at, bytes), serial, "row %u, ours", i);
	}
}

Test(versions, only_the_same_range_is_known)
{
	ekka_versions_enable();
	(void)snap(base, 2 * KIB);
	cr_expect_eq(ekka_versions_find(base, KIB), 0);
	cr_expect_eq(ekka_versions_find(base + KIB, KIB), 0);
}

Test(versions, what_writes_anywhere_ends_everything)
{
	ekka_versions_enable();
	uint64_t serial = snap(base, KIB);
	ekka_versions_wrote_anything();
	cr_expect_eq(ekka_versions_find(base, KIB), 0);
	cr_expect_neq(serial, 0);
}

static struct ekka_call *call_with(struct ekka_call *call, const struct ekka_fn *fn, enum ekka_dir dir, const char *attr)
{
	memset(call, 0, sizeof(*call));
	call->fn = fn;
	call->rec.n_tensors = 1;
	call->tensors[0] = (struct ekka_tensor){ .dir = dir, .place = EKKA_DEVICE, .addr = base, .span_bytes = KIB };
	call->attrs[0].name = attr ? attr : "";
	call->rec.n_attrs = attr != NULL;
	return call;
}

Test(versions, what_calls_write)
{
	static const struct ekka_fn gemm = { .library = "cublas" }, host = { .library = "cblas" };
	const uint64_t other = base + 100 * (uint64_t)MIB;
	static struct ekka_call call;
	static const struct { const struct ekka_fn *fn; enum ekka_dir dir; const char *attr; bool mine, others; } rows[] = {
		{ &gemm, EKKA_IN, NULL, true, true },	 { &gemm, EKKA_OUT, NULL, false, true },
		{ &host, EKKA_OUT, NULL, true, true },	 { NULL, EKKA_INOUT, "op", false, true },
		{ NULL, EKKA_IN, "op", true, true },	 { NULL, EKKA_INOUT, "shared", false, false },
	};

	ekka_versions_enable();
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t mine = snap(base, KIB), others = snap(other, KIB);

		ekka_versions_wrote_by(call_with(&call, rows[i].fn, rows[i].dir, rows[i].attr));
		cr_expect_eq(ekka_versions_find(base, KIB), rows[i].mine ? mine : 0, "row %u", i);
		cr_expect_eq(ekka_versions_find(other, KIB), rows[i].others ? others : 0, "row %u", i);
	}
	for (unsigned aside = 0; aside < 2; aside++) {
		const struct ekka_kernel driver = { .library = "driver", .aside = aside };
		uint64_t others = snap(other, KIB);

		ekka_private(call_with(&call, NULL, EKKA_OUT, NULL))->kernel = &driver;
		ekka_versions_wrote_by(&call);
		cr_expect_eq(ekka_versions_find(other, KIB), aside ? others : 0, "a copy's writes are known, a graph's are not");
	}
	(void)snap(base, KIB);
	call.fn = &gemm;
	call.rec.n_tensors = 0;
	ekka_versions_wrote_by(&call);
	cr_expect_eq(ekka_versions_find(base, KIB), 0, "a call of unknown meaning");
}

Test(versions, a_librarys_workspace_is_written_too)
{
	static const struct ekka_arg_info args[] = { { "workSpace", "void *" }, { "workSpaceSizeInBytes", "size_t" } };
	static const struct ekka_fn plain = { .library = "cublas" }, with_args = { .library = "cudnn", .args = args, .n_args = 2 };
	const uint64_t other = base + 100 * (uint64_t)MIB, far = base + 300 * (uint64_t)MIB;
	static struct ekka_call call;

	ekka_versions_enable();
	for (unsigned by_args = 0; by_args < 2; by_args++)
		for (unsigned known = 0; known < 2; known++) {
			uint64_t others = snap(far, KIB);

			(void)snap(other + MIB, KIB);
			(void)call_with(&call, by_args ? &with_args : &plain, EKKA_OUT, NULL);
			call.attrs[0] = (struct ekka_attr){ "workspace", { .kind = EKKA_V_INT, .i = (int64_t)other } };
			call.attrs[1] = (struct ekka_attr){ "workspace_bytes", { .kind = EKKA_V_INT, .i = 2 * MIB } };
			call.args[0] = (struct ekka_value){ .kind = EKKA_V_PTR, .u = other };
			call.args[1] = call.attrs[1].value;
			*(by_args ? &call.rec.n_args : &call.rec.n_attrs) = 1 + known;
			ekka_versions_wrote_by(&call);
			cr_expect_eq(ekka_versions_find(other + MIB, KIB), 0);
			cr_expect_eq(ekka_versions_find(far, KIB), known ? others : 0, "by_args %u known %u", by_args, known);
		}
}

Test(versions, memory_that_others_write_unseen)
{
	ekka_versions_disable();
	ekka_versions_enable();
	(void)snap(base, KIB);
	cr_expect_eq(ekka_versions_find(base, KIB), 0);
}

Test(versions, contents_by_serial)
{
	struct ekka_blob_id id = { { 1, 2, 3 } }, got;
	const char *why = "";

	cr_assert_not(ekka_versions_content(5, &got, &why));
	ekka_versions_settle(5, &id, NULL);
	cr_assert(ekka_versions_content(5, &got, &why));
	cr_expect_null(why);
	cr_expect_eq(memcmp(&got, &id, sizeof(id)), 0);
	ekka_versions_settle(6, NULL, "timeout");
	cr_assert(ekka_versions_content(6, &got, &why));
	cr_expect_str_eq(why, "timeout");
	ekka_versions_settle(5 + (1 << 16), &id, NULL);
	cr_expect_not(ekka_versions_content(5, &got, &why), "its place was taken");
}

Test(versions, snapshots_too_old_for_the_table_are_forgotten)
{
	ekka_versions_enable();
	uint64_t serial = snap(base, KIB);
	for (unsigned i = 0; i < 1 << 16; i++) {
		cr_assert(ekka_versions_find(base, KIB) == serial || i > (1 << 16) - 8192);
		(void)ekka_versions_serial();
	}
	cr_expect_eq(ekka_versions_find(base, KIB), 0);
}
