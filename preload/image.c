/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/image.h"

#include "preload/probe.h"

#include <elf.h>
#include <string.h>
#include <sys/mman.h>

enum {
	FATBIN_MAGIC = (int)0xba55ed50, FATBIN_WRAPPER_MAGIC = 0x466243b1 /* fatbinary_section.h */, PAGE = 4096, SECTIONS_AT_ONCE = 64,
	ENTRY_PTX = 1, ENTRY_ELF = 2, ENTRIES_MAX = 256,
};
static const uint64_t most_bytes = 1ull << 32;	/* of an image: more is none */

struct fatbin_header { uint32_t magic; uint16_t version, header_bytes; uint64_t bytes; };
_Static_assert(sizeof(struct fatbin_header) == EKKA_FATBIN_HEADER, "as it lies in memory");
struct fatbin_wrapper { uint32_t magic, version; uint64_t data, other; };
struct fatbin_entry { uint16_t kind, version; uint32_t header_bytes; uint64_t bytes; uint32_t unused[3], arch; };

/* ---- how large it is -------------------------------------------------- */

static uint64_t later(uint64_t end, uint64_t offset, uint64_t bytes)
{
	uint64_t to;

	if (__builtin_add_overflow(offset, bytes, &to))
		return most_bytes;
	return to > end ? to : end;
}

/* 0: none. */
static uint64_t elf_bytes(uint64_t at)
{
	Elf64_Shdr sections[SECTIONS_AT_ONCE];
	Elf64_Ehdr e;
	uint64_t end = sizeof(e), n;

	if (!ekka_probe_copy(&e, at, sizeof(e)) || e.e_ident[EI_CLASS] != ELFCLASS64 || e.e_machine != EM_CUDA || e.e_shentsize != sizeof(sections[0]))
		return 0;
	n = e.e_shnum;
	if (n == 0 && e.e_shoff != 0) {	/* too many for its field: the first section tells */
		if (!ekka_probe_copy(sections, at + e.e_shoff, sizeof(sections[0])))
			return 0;
		n = sections[0].sh_size;
	}
	if (e.e_shoff > most_bytes || n > most_bytes / sizeof(sections[0]))
		return 0;
	end = later(end, e.e_shoff, n * sizeof(sections[0]));
	end = later(end, e.e_phoff, (uint64_t)e.e_phnum * e.e_phentsize);
	for (uint64_t i = 0; i < n; i += SECTIONS_AT_ONCE) {
		uint64_t some = n - i < SECTIONS_AT_ONCE ? n - i : SECTIONS_AT_ONCE;

		if (!ekka_probe_copy(sections, at + e.e_shoff + i * sizeof(sections[0]), some * sizeof(sections[0])))
			return 0;
		for (uint64_t k = 0; k < some; k++)
			if (sections[k].sh_type != SHT_NOBITS)
				end = later(end, sections[k].sh_offset, sections[k].sh_size);
	}
	return end < most_bytes ? end : 0;
}

static uint64_t fatbin_bytes(uint64_t at)
{
	struct fatbin_header h;

	if (!ekka_probe_copy(&h, at, sizeof(h)) || h.bytes >= most_bytes)
		return 0;
	return h.header_bytes + h.bytes;
}

/* PTX is text that ends with a NUL, which is kept. */
static uint64_t text_bytes(uint64_t at)
{
	char page[PAGE];
	const char *end;

	for (uint64_t n = 0; n < most_bytes;) {
		size_t some = PAGE - (at + n) % PAGE;

		if (!ekka_probe_copy(page, at + n, some))
			return 0;
		end = memchr(page, '\0', some);
		if (end)
			return n + (uint64_t)(end - page) + 1;
		n += some;
	}
	return 0;
}

/* PTX begins with a comment or a directive, after blanks. */
static bool is_text(uint64_t at)
{
	char c = ' ';

	for (unsigned i = 0; i < PAGE && (c == ' ' || c == '\n' || c == '\r' || c == '\t'); i++)
		if (!ekka_probe_copy(&c, at + i, 1))
			return false;
	return c == '/' || c == '.';
}

void ekka_image_measure(struct ekka_image *ret, uint64_t at)
{
	struct fatbin_wrapper w;
	uint32_t magic = 0;

	*ret = (struct ekka_image){ 0 };
	if (ekka_probe_copy(&w, at, sizeof(w)) && w.magic == FATBIN_WRAPPER_MAGIC)
		at = w.data;
	if (!ekka_probe_copy(&magic, at, sizeof(magic)))
		return;
	ret->at = at;
	if (memcmp(&magic, ELFMAG, SELFMAG) == 0) {
		ret->kind = "cubin";
		ret->bytes = elf_bytes(at);
	} else if (magic == (uint32_t)FATBIN_MAGIC) {
		ret->kind = "fatbin";
		ret->bytes = fatbin_bytes(at);
	} else if (is_text(at)) {
		ret->kind = "ptx";
		ret->bytes = text_bytes(at);
	}
	if (ret->bytes == 0)
		ret->kind = NULL;
}

/* ---- what of it is kept ----------------------------------------------- */

/* Calls `visit` for each entry of a fatbin; false when its entries do not fill it to the byte. */
static bool walk(const struct ekka_image *m, void (*visit)(struct ekka_image *, const struct fatbin_entry *, uint64_t at, void *), void *arg)
{
	struct fatbin_header h;
	struct fatbin_entry e;
	uint64_t at, end = m->at + m->bytes, bytes;
	unsigned n = 0;

	if (!ekka_probe_copy(&h, m->at, sizeof(h)) || h.version != 1 || h.header_bytes != sizeof(h))
		return false;
	for (at = m->at + h.header_bytes; at < end && n < ENTRIES_MAX; at += bytes, n++) {
		if (!ekka_probe_copy(&e, at, sizeof(e)) || e.header_bytes < sizeof(e) || __builtin_add_overflow(e.bytes, e.header_bytes, &bytes) || bytes > end - at)
			return false;
		visit((struct ekka_image *)m, &e, at, arg);
	}
	return at == end;
}

/* Machine code runs on later minor versions of its major one; PTX on everything later. */
static bool runs(const struct fatbin_entry *e, unsigned kind, unsigned cc)
{
	return e->kind == kind && e->arch <= cc && (kind == ENTRY_PTX || e->arch / 10 == cc / 10);
}

struct choice { unsigned cc, kind, arch; bool too_many; };

static void find_best(struct ekka_image *m, const struct fatbin_entry *e, uint64_t at, void *arg)
{
	struct choice *c = arg;

	(void)m, (void)at;
	if (runs(e, c->kind, c->cc) && e->arch > c->arch)
		c->arch = e->arch;
}

static void keep(struct ekka_image *m, const struct fatbin_entry *e, uint64_t at, void *arg)
{
	struct choice *c = arg;

	if (e->kind != c->kind || e->arch != c->arch)
		return;
	if (m->n_parts == EKKA_IMAGE_PARTS) {
		c->too_many = true;
		return;
	}
	m->part[m->n_parts].at = at;
	m->part[m->n_parts++].bytes = e->header_bytes + e->bytes;
}

static bool choose_entries(struct ekka_image *m, unsigned cc)
{
	struct choice c = { .cc = cc, .kind = ENTRY_ELF };
	struct fatbin_header h = { .magic = (uint32_t)FATBIN_MAGIC, .version = 1, .header_bytes = sizeof(h) };

	if (!walk(m, find_best, &c))
		return false;
	if (c.arch == 0) {
		c.kind = ENTRY_PTX;
		(void)walk(m, find_best, &c);
	}
	if (c.arch == 0 || !walk(m, keep, &c) || c.too_many)
		return false;
	for (unsigned i = 0; i < m->n_parts; i++)
		h.bytes += m->part[i].bytes;
	memcpy(m->header, &h, sizeof(h));
	m->kept = sizeof(h) + h.bytes;
	m->cut = true;
	return true;
}

bool ekka_image_choose(struct ekka_image *m, unsigned cc)
{
	struct ekka_image now;

	if (m->chosen)
		return m->kept != 0;
	m->chosen = true;
	ekka_image_measure(&now, m->at);
	if (!now.kind || now.kind != m->kind || now.bytes != m->bytes)
		return false;
	if (cc != 0 && strcmp(m->kind, "fatbin") == 0 && choose_entries(m, cc))
		return true;
	m->part[0].at = m->at;
	m->part[0].bytes = m->kept = m->bytes;
	m->n_parts = 1;
	return true;
}

/* ---- reading ---------------------------------------------------------- */

/* The part of [offset, offset + *n) that begins a piece of `bytes` bytes at `from`, which is *at bytes into the whole; moves on behind it. */
static bool read_piece(uint64_t from, uint64_t bytes, uint64_t *at, uint64_t *offset, uint8_t **dst, size_t *n)
{
	uint64_t in = *offset - *at;
	size_t some;

	if (*offset >= *at && in < bytes && *n > 0) {
		some = bytes - in < *n ? (size_t)(bytes - in) : *n;
		if (!ekka_probe_copy(*dst, from + in, some))
			return false;
		*offset += some;
		*dst += some;
		*n -= some;
	}
	*at += bytes;
	return true;
}

bool ekka_image_read(const struct ekka_image *m, uint64_t offset, void *dst, size_t n)
{
	uint64_t at = 0;
	uint8_t *to = dst;
	bool ok = !m->cut || read_piece((uintptr_t)m->header, sizeof(m->header), &at, &offset, &to, &n);

	for (unsigned i = 0; ok && i < m->n_parts; i++)
		ok = read_piece(m->part[i].at, m->part[i].bytes, &at, &offset, &to, &n);
	return ok && n == 0;
}

void ekka_image_drop(struct ekka_image *m)
{
	if (atomic_fetch_sub(&m->users, 1) == 1 && m->owned) {
		(void)munmap(m->owned, m->bytes);
		m->owned = NULL;
	}
}
