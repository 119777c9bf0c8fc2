/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which objects are mapped executable, with the build-ids that tie them to files. Zone: inside the host process.
 *
 * The loader's list is the source (not /proc/self/maps: parsing it costs milliseconds in a process with thousands of
 * mappings, and it has no build-ids). What is emitted is copied out first: the emit callback must not run under the
 * loader's lock. Serialised by the caller, so nothing here has a lock.
 */
#include "config.h"

#include "preload/pystack.h"
#include "preload/stack.h"

#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { BATCH_MAPS = 64, BATCH_TEXT_BYTES = 24576, PATH_BYTES = 4096, PAGE_BYTES = 4096, FIRST_SET_SLOTS = 1024 };

/* Fingerprints of the mappings already listed: open addressing, 0 is free, grown by mmap since malloc is not ours to call. */
static struct {
	uint64_t *slot;
	size_t n_slots, n_used;		/* n_slots is a power of two */
} listed;

/* The loader's counters after the last complete scan. */
static struct { unsigned long long adds, subs; bool valid; } counters;

static struct {
	struct ekka_map map[BATCH_MAPS];
	uint64_t key[BATCH_MAPS];
	unsigned n;
	char text[BATCH_TEXT_BYTES];	/* paths and build-ids */
	size_t text_len;
	char path[PATH_BYTES];		/* of the object being scanned; engine threads can have small stacks */
	bool full;
	unsigned long long adds, subs;
} batch;

static bool listed_has(uint64_t key)
{
	if (!listed.slot)
		return false;
	for (size_t i = key & (listed.n_slots - 1); listed.slot[i]; i = (i + 1) & (listed.n_slots - 1))
		if (listed.slot[i] == key)
			return true;
	return false;
}

static void listed_put(uint64_t key)
{
	size_t i = key & (listed.n_slots - 1);

	while (listed.slot[i])
		i = (i + 1) & (listed.n_slots - 1);
	listed.slot[i] = key;
	listed.n_used++;
}

/* Makes room for BATCH_MAPS more; without memory the same mappings are listed again, which readers allow. */
static bool listed_reserve(void)
{
	size_t old_slots = listed.n_slots, slots = old_slots ? old_slots : FIRST_SET_SLOTS;
	uint64_t *old = listed.slot;
	void *p;

	while ((listed.n_used + BATCH_MAPS) * 2 > slots)
		slots *= 2;
	if (slots == old_slots)
		return true;
	p = mmap(NULL, slots * sizeof(*old), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return false;
	listed.slot = p;
	listed.n_slots = slots;
	listed.n_used = 0;
	for (size_t i = 0; i < old_slots; i++)
		if (old[i])
			listed_put(old[i]);
	if (old)
		munmap(old, old_slots * sizeof(*old));
	return true;
}

static bool is_loaded(const struct dl_phdr_info *info, uint64_t addr, uint64_t bytes)
{
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		uint64_t start = info->dlpi_addr + ph->p_vaddr;

		if (ph->p_type == PT_LOAD && (ph->p_flags & PF_R) && addr >= start && bytes <= ph->p_memsz &&
		    addr - start <= ph->p_memsz - bytes)
			return true;
	}
	return false;
}

/* Finds the GNU build-id note within one PT_NOTE segment. */
static const uint8_t *note_build_id(const uint8_t *p, uint64_t bytes, uint64_t align, unsigned *ret_len)
{
	uint64_t at = 0;

	while (bytes - at >= sizeof(ElfW(Nhdr))) {
		ElfW(Nhdr) note;
		uint64_t name, desc, end;

		memcpy(&note, p + at, sizeof(note));
		name = at + sizeof(note);
		desc = (name + note.n_namesz + align - 1) & ~(align - 1);
		end = desc + note.n_descsz;
		if (end > bytes)
			return NULL;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(p + name, "GNU", 4) == 0) {
			*ret_len = note.n_descsz;
			return p + desc;
		}
		at = (end + align - 1) & ~(align - 1);
		if (at > bytes)
			return NULL;
	}
	return NULL;
}

static const uint8_t *find_build_id(const struct dl_phdr_info *info, unsigned *ret_len)
{
	*ret_len = 0;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		uint64_t addr = info->dlpi_addr + ph->p_vaddr;
		const uint8_t *id;

		if (ph->p_type != PT_NOTE || !is_loaded(info, addr, ph->p_memsz))
			continue;
		id = note_build_id((const uint8_t *)addr, ph->p_memsz, ph->p_align == 8 ? 8 : 4, ret_len);
		if (id)
			return id;
	}
	return NULL;
}

/* Writes the absolute path of an object into buf; the loader calls the executable "". Returns its length, 0 when it does not fit. */
static size_t object_path(const char *name, char *buf, size_t size)
{
	size_t len = strlen(name), dir_len = 0;

	if (!*name) {
		ssize_t n = readlink("/proc/self/exe", buf, size - 1);

		if (n <= 0)
			return 0;
		buf[n] = '\0';
		return (size_t)n;
	}
	if (name[0] != '/' && strchr(name, '/') && getcwd(buf, size)) {
		dir_len = strlen(buf);
		if (dir_len + 1 < size)
			buf[dir_len++] = '/';
	}
	if (dir_len + len + 1 > size)
		return 0;
	memcpy(buf + dir_len, name, len + 1);
	return dir_len + len;
}

/* Copies one mapping into the batch; false when it is full. */
static bool batch_add(const struct ekka_map *map, uint64_t key)
{
	size_t path_len = strlen(map->path) + 1;
	struct ekka_map *to = &batch.map[batch.n];

	if (batch.n == BATCH_MAPS || batch.text_len + path_len + map->build_id_len > sizeof(batch.text))
		return false;
	*to = *map;
	to->path = memcpy(batch.text + batch.text_len, map->path, path_len);
	batch.text_len += path_len;
	if (map->build_id_len) {
		to->build_id = memcpy(batch.text + batch.text_len, map->build_id, map->build_id_len);
		batch.text_len += map->build_id_len;
	}
	batch.key[batch.n++] = key;
	return true;
}

static uint64_t map_key(const struct ekka_map *map, const char *name)
{
	uint64_t h = XXH3_64bits(&map->start, sizeof(map->start));

	h = XXH3_64bits_withSeed(name, strlen(name), h);
	h = XXH3_64bits_withSeed(map->build_id, map->build_id_len, h);
	return h ? h : 1;
}

/* One object of the loader's list; non-zero ends the scan because the batch is full. */
static int scan_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct ekka_map map = { .path = "" };
	const char *name = info->dlpi_name ? info->dlpi_name : "";

	(void)size;
	(void)arg;
	batch.adds = info->dlpi_adds;
	batch.subs = info->dlpi_subs;
	batch.path[0] = '\0';
	map.build_id = find_build_id(info, &map.build_id_len);
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		uint64_t start = info->dlpi_addr + ph->p_vaddr;

		if (ph->p_type != PT_LOAD || !(ph->p_flags & PF_X))
			continue;
		map.start = start & ~(uint64_t)(PAGE_BYTES - 1);
		map.end = (start + ph->p_memsz + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
		map.file_offset = ph->p_offset & ~(uint64_t)(PAGE_BYTES - 1);
		if (listed_has(map_key(&map, name)))
			continue;
		if (!batch.path[0] && !object_path(name, batch.path, sizeof(batch.path)))
			return 0;
		map.path = batch.path;
		if (!batch_add(&map, map_key(&map, name))) {
			batch.full = true;
			return 1;
		}
	}
	return 0;
}

static int read_counters(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	batch.adds = info->dlpi_adds;
	batch.subs = info->dlpi_subs;
	return 1;
}

void ekka_maps_update(void (*emit)(const struct ekka_rec_maps *, void *arg), void *arg)
{
	int saved_errno = errno;
	bool reserved;

	dl_iterate_phdr(read_counters, NULL);
	if (counters.valid && counters.adds == batch.adds && counters.subs == batch.subs) {
		errno = saved_errno;
		return;
	}
	ekka_pystack_objects_changed();
	do {
		batch.n = 0;
		batch.text_len = 0;
		batch.full = false;
		reserved = listed_reserve();
		dl_iterate_phdr(scan_object, NULL);
		if (batch.n)
			emit(&(struct ekka_rec_maps){ .maps = batch.map, .n_maps = batch.n }, arg);
		for (unsigned i = 0; reserved && i < batch.n; i++)
			listed_put(batch.key[i]);
	} while (batch.full && reserved && batch.n);
	counters.adds = batch.adds;
	counters.subs = batch.subs;
	counters.valid = !batch.full;
	errno = saved_errno;
}

void ekka_maps_reset(void)
{
	if (listed.slot)
		munmap(listed.slot, listed.n_slots * sizeof(*listed.slot));
	memset(&listed, 0, sizeof(listed));
	counters.valid = false;
}
