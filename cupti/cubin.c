/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cupti/cubin.h"

#include <elf.h>
#include <string.h>

enum {
	FORMAT_SIZED = 4 /* a value of so many bytes follows */, ATTRIBUTE_PARAM = 0x17, SIZE_SHIFT = 18, INFO_BYTES = 16 << 10, NAME_BYTES = 4096 + 16,
	ENTRY_BYTES = 16 /* of a fatbin's entry, as far as it matters here */,
};
struct param { uint32_t index; uint16_t ordinal, offset; uint32_t flags; };

/* The machine code: `base` bytes into what is kept of the image. */
struct elf { const struct ekka_image *image; uint64_t base; Elf64_Ehdr head; };

static bool read_at(const struct elf *f, uint64_t offset, void *dst, size_t n)
{
	return offset <= f->image->kept && ekka_image_read(f->image, f->base + offset, dst, n);
}

static bool is_elf(struct elf *f)
{
	return read_at(f, 0, &f->head, sizeof(f->head)) && memcmp(f->head.e_ident, ELFMAG, SELFMAG) == 0 && f->head.e_machine == EM_CUDA &&
	       f->head.e_shentsize == sizeof(Elf64_Shdr);
}

/* In a fatbin the first entry that is machine code as it is. */
static bool find_elf(struct elf *f)
{
	uint32_t entry[ENTRY_BYTES / sizeof(uint32_t)];	/* kind and version, bytes of the header, of the payload (2 words) */

	if (strcmp(f->image->kind, "cubin") == 0)
		return is_elf(f);
	if (strcmp(f->image->kind, "fatbin") != 0)
		return false;
	for (uint64_t at = EKKA_FATBIN_HEADER; ekka_image_read(f->image, at, entry, sizeof(entry));) {
		uint64_t bytes = entry[1] + (entry[2] | (uint64_t)entry[3] << 32);

		f->base = at + entry[1];
		if (is_elf(f))
			return true;
		if (bytes < ENTRY_BYTES || bytes > f->image->kept)
			return false;
		at += bytes;
	}
	return false;
}

static bool has_name(const struct elf *f, const Elf64_Shdr *names, const Elf64_Shdr *s, const char *want, size_t n)
{
	char name[NAME_BYTES];

	return s->sh_name < names->sh_size && read_at(f, names->sh_offset + s->sh_name, name, n) && memcmp(name, want, n) == 0;
}

/* The section .nv.info.KERNEL. */
static bool find_info(const struct elf *f, const char *kernel, Elf64_Shdr *ret)
{
	static const char prefix[] = ".nv.info.";
	size_t n = strlen(kernel) + sizeof(prefix);	/* with the NUL */
	Elf64_Shdr names;
	char want[NAME_BYTES];

	if (n > sizeof(want) || !read_at(f, f->head.e_shoff + (uint64_t)f->head.e_shstrndx * sizeof(names), &names, sizeof(names)))
		return false;
	memcpy(want, prefix, sizeof(prefix) - 1);
	memcpy(want + sizeof(prefix) - 1, kernel, n - sizeof(prefix) + 1);
	for (unsigned i = 1; i < f->head.e_shnum; i++)
		if (read_at(f, f->head.e_shoff + i * sizeof(*ret), ret, sizeof(*ret)) && ret->sh_type == SHT_LOPROC && has_name(f, &names, ret, want, n))
			return true;
	return false;
}

static void add(struct ekka_cubin_layout *ret, const uint8_t *value, unsigned *n_seen)
{
	struct param p;
	uint32_t bytes;

	memcpy(&p, value, sizeof(p));
	bytes = p.flags >> SIZE_SHIFT;
	++*n_seen;
	if (p.ordinal >= ret->n_params)
		ret->n_params = p.ordinal + 1u;
	if (p.offset + bytes > ret->block_bytes)
		ret->block_bytes = p.offset + bytes;
	if (p.ordinal < EKKA_MAX_ARGS) {
		ret->offset[p.ordinal] = p.offset;
		ret->bytes[p.ordinal] = bytes;
	}
}

bool ekka_cubin_layout(const struct ekka_image *image, const char *kernel, struct ekka_cubin_layout *ret)
{
	struct elf f = { .image = image };
	uint8_t info[INFO_BYTES];
	unsigned n_seen = 0;
	Elf64_Shdr s;

	*ret = (struct ekka_cubin_layout){ 0 };
	if (!find_elf(&f) || !find_info(&f, kernel, &s) || s.sh_size > sizeof(info) || !read_at(&f, s.sh_offset, info, s.sh_size))
		return false;
	for (size_t at = 0; at + 4 <= s.sh_size;) {
		const uint8_t *item = info + at;
		size_t bytes = item[0] == FORMAT_SIZED ? item[2] | (size_t)item[3] << 8 : 0;

		at += 4 + bytes;
		if (item[0] == FORMAT_SIZED && item[1] == ATTRIBUTE_PARAM && bytes >= sizeof(struct param) && at <= s.sh_size)
			add(ret, item + 4, &n_seen);
	}
	return n_seen == ret->n_params;	/* each is there, once */
}
