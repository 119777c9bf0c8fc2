/* SPDX-License-Identifier: Apache-2.0 */
#include "preload/blobset.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static struct ekka_blob_id id_of(uint64_t n)
{
	struct ekka_blob_id id = { { 0 } };

	memcpy(id.b, &n, sizeof(n));
	n *= 0x9e3779b97f4a7c15u;
	memcpy(id.b + 8, &n, sizeof(n));
	return id;
}

Test(blobset, what_was_added_is_there_while_the_table_grows)
{
	bool full;

	for (uint64_t i = 0; i < 20000; i++) {
		struct ekka_blob_id id = id_of(i);
		cr_assert(not(ekka_blobset_has(&id, NULL)));
		cr_assert(ekka_blobset_add(&id, &full));
		cr_assert(not(ekka_blobset_add(&id, &full)), "added twice");
		cr_assert(not(full));
	}
	for (uint64_t i = 0; i < 20000; i++) {
		struct ekka_blob_id id = id_of(i);
		cr_assert(ekka_blobset_has(&id, NULL));
	}
}

Test(blobset, the_id_of_zeros_is_an_id)
{
	struct ekka_blob_id zero = { { 0 } };
	bool full;

	cr_expect(not(ekka_blobset_has(&zero, NULL)));
	cr_expect(ekka_blobset_add(&zero, &full));
	cr_expect(ekka_blobset_has(&zero, NULL));
}

Test(blobset, lost_contents_say_why)
{
	struct ekka_blob_id id = id_of(7);
	const char *lost;
	bool full;

	ekka_blobset_add(&id, &full);
	cr_expect(ekka_blobset_has(&id, &lost));
	cr_expect(lost == NULL);
	ekka_blobset_lose(&id, "budget");
	cr_expect(ekka_blobset_has(&id, &lost));
	cr_expect(strcmp(lost, "budget") == 0);
}

Test(blobset, a_new_segment_knows_nothing)
{
	struct ekka_blob_id id = id_of(7);
	bool full;

	ekka_blobset_add(&id, &full);
	ekka_blobset_clear();
	cr_expect(not(ekka_blobset_has(&id, NULL)));
	ekka_blobset_add(&id, &full);
	ekka_blobset_forget();
	cr_expect(not(ekka_blobset_has(&id, NULL)));
}
