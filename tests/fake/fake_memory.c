/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device memory is one shared memory object mapped twice: at the addresses handed out, without access rights, and
 * elsewhere for the stand-ins.
 */
#include "config.h"

#include "tests/fake/fake.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ALLOCS_MAX = 4096, ALIGN = 512 };

static struct { uint64_t start, bytes; enum fake_kind kind; } allocs[ALLOCS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *device_view, *our_view;
static size_t arena_bytes, arena_used;

static void set_up(void)
{
	const char *env = getenv("EKKA_TEST_FAKE_MEMORY");
	int fd;

	if (device_view != NULL)
		return;
	arena_bytes = env != NULL ? strtoull(env, NULL, 10) : (size_t)1 << 30;
	fd = memfd_create("fake-device-memory", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)arena_bytes) != 0)
		abort();
	device_view = mmap(NULL, arena_bytes, PROT_NONE, MAP_SHARED, fd, 0);
	our_view = mmap(NULL, arena_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (device_view == MAP_FAILED || our_view == MAP_FAILED)
		abort();
	close(fd);
}

/* First gap of the arena that is large enough; allocs are few, so a quadratic search does. */
static uint64_t find_gap(size_t bytes)
{
	uint64_t at = (uint64_t)device_view;

	for (unsigned i = 0; i < ALLOCS_MAX; i++) {
		if ((allocs[i].kind != FAKE_DEVICE && allocs[i].kind != FAKE_RESERVED) || at + bytes <= allocs[i].start || at >= allocs[i].start + allocs[i].bytes)
			continue;
		at = (allocs[i].start + allocs[i].bytes + ALIGN - 1) / ALIGN * ALIGN;
		i = (unsigned)-1; /* look at all again */
	}
	return at + bytes <= (uint64_t)device_view + arena_bytes ? at : 0;
}

uint64_t fake_alloc(enum fake_kind kind, size_t bytes)
{
	uint64_t at = 0;

	pthread_mutex_lock(&lock);
	set_up();
	for (unsigned i = 0; i < ALLOCS_MAX; i++) {
		if (allocs[i].kind != FAKE_NONE)
			continue;
		if (kind == FAKE_DEVICE || kind == FAKE_RESERVED) {
			at = bytes <= arena_bytes ? find_gap(bytes) : 0;
			arena_used += at != 0 && kind == FAKE_DEVICE ? bytes : 0;
		} else {
			void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			at = p == MAP_FAILED ? 0 : (uint64_t)p;
		}
		if (at != 0) {
			allocs[i].start = at;
			allocs[i].bytes = bytes;
			allocs[i].kind = kind;
		}
		break;
	}
	pthread_mutex_unlock(&lock);
	return at;
}

bool fake_free(uint64_t address)
{
	bool found = false;

	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < ALLOCS_MAX && !found; i++) {
		if (allocs[i].kind == FAKE_NONE || allocs[i].kind == FAKE_MAPPED || allocs[i].kind == FAKE_FORBIDDEN || allocs[i].start != address)
			continue;
		if (allocs[i].kind == FAKE_DEVICE)
			arena_used -= allocs[i].bytes;
		else if (allocs[i].kind != FAKE_RESERVED)
			munmap((void *)allocs[i].start, allocs[i].bytes);
		allocs[i].kind = FAKE_NONE;
		found = true;
	}
	pthread_mutex_unlock(&lock);
	return found;
}

bool fake_has_room(size_t bytes)
{
	bool ok;

	pthread_mutex_lock(&lock);
	set_up();
	ok = bytes <= arena_bytes - arena_used;
	pthread_mutex_unlock(&lock);
	return ok;
}

void fake_free_device_memory(void)
{
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < ALLOCS_MAX; i++)
		if (allocs[i].kind == FAKE_DEVICE) {
			allocs[i].kind = FAKE_NONE;
			arena_used -= allocs[i].bytes;
		} else if (allocs[i].kind == FAKE_PINNED) {	/* it belongs to the context, too */
			allocs[i].kind = FAKE_NONE;
			munmap((void *)allocs[i].start, allocs[i].bytes);
		}
	pthread_mutex_unlock(&lock);
}

/* With the lock held: the allocation that holds the byte and may be touched. */
static unsigned find(uint64_t address)
{
	for (unsigned i = 0; i < ALLOCS_MAX; i++)
		if (allocs[i].kind != FAKE_NONE && allocs[i].kind < FAKE_RESERVED && address - allocs[i].start < allocs[i].bytes)
			return i;
	return ALLOCS_MAX;
}

enum fake_kind fake_kind_of(uint64_t address, size_t bytes)
{
	enum fake_kind kind = FAKE_NONE;
	uint64_t end = address + bytes;
	unsigned i;

	pthread_mutex_lock(&lock);
	/* What is mapped goes on in the mapping behind it. */
	while ((i = find(address)) < ALLOCS_MAX) {
		kind = allocs[i].kind;
		address = allocs[i].start + allocs[i].bytes;
		if (address >= end || kind != FAKE_MAPPED)
			break;
	}
	if (i == ALLOCS_MAX || address < end)
		kind = FAKE_NONE;
	pthread_mutex_unlock(&lock);
	return kind;
}

/* ---- mappings: entries beside that of the reservation ----------------- */

static bool is_reserved(uint64_t p, size_t bytes)
{
	for (unsigned i = 0; i < ALLOCS_MAX; i++)
		if (allocs[i].kind == FAKE_RESERVED && p >= allocs[i].start && p + bytes <= allocs[i].start + allocs[i].bytes)
			return true;
	return false;
}

bool fake_map(uint64_t p, size_t bytes)
{
	bool ok = false;

	pthread_mutex_lock(&lock);
	for (unsigned i = 0; is_reserved(p, bytes) && i < ALLOCS_MAX && !ok; i++)
		if (allocs[i].kind == FAKE_NONE) {
			allocs[i].start = p;
			allocs[i].bytes = bytes;
			allocs[i].kind = FAKE_FORBIDDEN;
			arena_used += bytes;
			ok = true;
		}
	pthread_mutex_unlock(&lock);
	return ok;
}

/* Every mapping inside the range becomes `to`. */
static bool change(uint64_t p, size_t bytes, enum fake_kind to)
{
	bool any = false;

	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < ALLOCS_MAX; i++)
		if ((allocs[i].kind == FAKE_MAPPED || allocs[i].kind == FAKE_FORBIDDEN) && allocs[i].start >= p &&
		    allocs[i].start + allocs[i].bytes <= p + bytes) {
			allocs[i].kind = to;
			arena_used -= to == FAKE_NONE ? allocs[i].bytes : 0;
			any = true;
		}
	pthread_mutex_unlock(&lock);
	return any;
}

bool fake_access(uint64_t p, size_t bytes, bool allowed)
{
	return change(p, bytes, allowed ? FAKE_MAPPED : FAKE_FORBIDDEN);
}

bool fake_unmap(uint64_t p, size_t bytes)
{
	return change(p, bytes, FAKE_NONE);
}

enum fake_kind fake_range_of(uint64_t address, uint64_t *ret_start, uint64_t *ret_bytes)
{
	enum fake_kind kind = FAKE_NONE;
	unsigned i;

	pthread_mutex_lock(&lock);
	i = find(address);
	if (i < ALLOCS_MAX) {
		kind = allocs[i].kind;
		*ret_start = allocs[i].start;
		*ret_bytes = allocs[i].bytes;
	}
	pthread_mutex_unlock(&lock);
	return kind;
}

void *fake_bytes(uint64_t address)
{
	if (device_view != NULL && address >= (uint64_t)device_view && address < (uint64_t)device_view + arena_bytes)
		return our_view + (address - (uint64_t)device_view);
	return (void *)address;
}

void fake_memory_info(size_t *ret_free, size_t *ret_total)
{
	pthread_mutex_lock(&lock);
	set_up();
	*ret_total = arena_bytes;
	*ret_free = arena_bytes - arena_used;
	pthread_mutex_unlock(&lock);
}
