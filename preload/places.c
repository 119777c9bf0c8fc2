/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/places.h"

#include <string.h>
#include <sys/mman.h>

/* 32 MiB for 4 GiB of memory that the program uses; pages are taken when they are first noted in. */
enum { SLOTS = 1 << 20, REGIONS = 1 << 16, REGION_BYTES = 1 << 20, SELDOM = 32 };

static struct ekka_piece *places;
static bool refused;			/* there is no memory for it */
static uint8_t visits[REGIONS];		/* of a region, since something was last found there; two regions that share a count do no harm */

/* Neighbours do not meet; the upper bits keep large buffers at round addresses apart. */
static struct ekka_piece *slot(uint64_t addr)
{
	uint64_t page = addr / EKKA_PIECE_BYTES;

	return &places[(page ^ ((page / SLOTS) * 0x9e3779b97f4a7c15u >> 40)) % SLOTS];
}

const struct ekka_piece *ekka_places_find(uint64_t addr, uint32_t bytes, uint64_t hash)
{
	const struct ekka_piece *p;

	if (!places)
		return NULL;
	p = slot(addr);
	return p->addr == addr && p->bytes == bytes && p->hash == hash ? p : NULL;
}

static uint8_t *visits_of(uint64_t addr)
{
	return &visits[addr / REGION_BYTES * 0x9e3779b97f4a7c15u >> 48];
}

bool ekka_places_due(uint64_t addr)
{
	uint8_t *n = visits_of(addr), visit = (*n)++;

	if (visit == 2 * SELDOM)
		*n = SELDOM + 1;
	return visit > 0 && (visit & (visit - 1)) == 0;
}

void ekka_places_useful(uint64_t addr)
{
	*visits_of(addr) = 1;
}

void ekka_places_note(const struct ekka_piece *piece)
{
	if (refused)
		return;
	if (!places) {
		void *p = mmap(NULL, SLOTS * sizeof(*places), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		refused = p == MAP_FAILED;
		if (refused)
			return;
		places = p;
	}
	*slot(piece->addr) = *piece;
}

void ekka_places_clear(void)
{
	memset(visits, 0, sizeof(visits));
	refused = false;
	/* Pages of zeros; should that fail, another table is taken. */
	if (places && madvise(places, SLOTS * sizeof(*places), MADV_DONTNEED) != 0)
		places = NULL;
}
