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
		if (allocs[i].kind != FAKE_DEVICE || at + bytes <= allocs[i].start || at >= allocs[i].start + allocs[i].bytes)
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
		if (kind == FAKE_DEVICE) {
			at = bytes <= arena_bytes ? find_gap(bytes) : 0;
			arena_used += at != 0 ? bytes : 0;
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
		if (allocs[i].kind == FAKE_NONE || allocs[i].start != address)
			continue;
		if (allocs[i].kind == FAKE_DEVICE)
			arena_used -= allocs[i].bytes;
		else
			munmap((void *)allocs[i].start, allocs[i].bytes);
		allocs[i].kind = FAKE_NONE;
		found = true;
	}
	pthread_mutex_unlock(&lock);
	return found;
}

void fake_free_device_memory(void)
{
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < ALLOCS_MAX; i++)
		if (allocs[i].kind == FAKE_DEVICE)
			allocs[i].kind = FAKE_NONE;
	arena_used = 0;
	pthread_mutex_unlock(&lock);
}

enum fake_kind fake_kind_of(uint64_t address, size_t bytes)
{
	enum fake_kind kind = FAKE_NONE;

	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < ALLOCS_MAX && kind == FAKE_NONE; i++)
		if (allocs[i].kind != FAKE_NONE && address >= allocs[i].start &&
		    address + bytes <= allocs[i].start + allocs[i].bytes)
			kind = allocs[i].kind;
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
