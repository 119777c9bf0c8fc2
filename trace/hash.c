/* SPDX-License-Identifier: Apache-2.0 */
/* xxHash is inlined here, so that neither the shim nor ekka exports or imports its symbols. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "trace/hash.h"

#include "trace/hash_wide.h"

#include <string.h>

/* Below so many bytes vectors are not used, or not worth asking the processor for. */
enum { WIDE_BYTES = 512 };

_Static_assert(sizeof(XXH3_state_t) <= sizeof(struct ekka_blob_hash), "room for xxHash's state");
_Static_assert(_Alignof(XXH3_state_t) <= _Alignof(struct ekka_blob_hash), "alignment of xxHash's state");

uint64_t ekka_check64(const void *p, size_t n)
{
	return n >= WIDE_BYTES && ekka_hash_wide() ? ekka_hash_wide64(p, n) : XXH3_64bits(p, n);
}

static struct ekka_blob_id canonical(XXH128_hash_t h)
{
	XXH128_canonical_t c;
	struct ekka_blob_id id;

	XXH128_canonicalFromHash(&c, h);
	memcpy(id.b, c.digest, sizeof id.b);
	return id;
}

struct ekka_blob_id ekka_blob_id_of(const void *p, size_t n)
{
	if (n >= WIDE_BYTES && ekka_hash_wide()) {
		struct ekka_hash128 h = ekka_hash_wide128(p, n);
		return canonical((XXH128_hash_t){ h.low, h.high });
	}
	return canonical(XXH3_128bits(p, n));
}

void ekka_blob_hash_init(struct ekka_blob_hash *h)
{
	XXH3_state_t *s = (XXH3_state_t *)h->state;

	XXH3_INITSTATE(s);
	(void)XXH3_128bits_reset(s);
}

void ekka_blob_hash_update(struct ekka_blob_hash *h, const void *p, size_t n)
{
	if (ekka_hash_wide())
		ekka_hash_wide_update(h->state, p, n);
	else
		(void)XXH3_128bits_update((XXH3_state_t *)h->state, p, n);
}

struct ekka_blob_id ekka_blob_hash_final(const struct ekka_blob_hash *h)
{
	return canonical(XXH3_128bits_digest((const XXH3_state_t *)h->state));
}
