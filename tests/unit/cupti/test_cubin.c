/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters out of machine code: a cubin and fatbins made here, and what nvcc made of our own kernel. */
#include "config.h"

#include "cupti/cubin.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STRINGS = 64, INFO = 128 };

/* Sections: none, names, another kernel's list, this one's. */
static struct { Elf64_Ehdr e; char names[STRINGS]; uint8_t other[INFO], info[INFO]; Elf64_Shdr s[4]; } cubin;
static size_t info_bytes;

static void put(uint8_t format, uint8_t attribute, uint16_t value)
{
	memcpy(cubin.info + info_bytes, (const uint8_t[]){ format, attribute, (uint8_t)value, (uint8_t)(value >> 8) }, 4);
	info_bytes += 4;
}

static void put_param(uint16_t ordinal, uint16_t offset, uint32_t bytes)
{
	const struct { uint32_t index; uint16_t ordinal, offset; uint32_t flags; } p = { 0, ordinal, offset, bytes << 18 | 0x1f000 };

	put(4, 0x17, sizeof(p));
	memcpy(cubin.info + info_bytes, &p, sizeof(p));
	info_bytes += sizeof(p);
	cubin.s[3].sh_size = info_bytes;
}

#define AT(member) (size_t)((char *)&cubin.member - (char *)&cubin)

static void begin(void)
{
	static const char names[] = "\0.nv.info.k2\0.nv.info.k";

	memset(&cubin, 0, sizeof(cubin));
	info_bytes = 0;
	memcpy(cubin.e.e_ident, ELFMAG, SELFMAG);
	cubin.e.e_ident[EI_CLASS] = ELFCLASS64;
	cubin.e.e_machine = EM_CUDA;
	cubin.e.e_shoff = AT(s);
	cubin.e.e_shnum = 4;
	cubin.e.e_shentsize = sizeof(Elf64_Shdr);
	cubin.e.e_shstrndx = 1;
	memcpy(cubin.names, names, sizeof(names));
	cubin.s[1] = (Elf64_Shdr){ .sh_type = SHT_STRTAB, .sh_offset = AT(names), .sh_size = STRINGS };
	cubin.s[2] = (Elf64_Shdr){ .sh_name = 1, .sh_type = SHT_LOPROC, .sh_offset = AT(other), .sh_size = INFO };
	cubin.s[3] = (Elf64_Shdr){ .sh_name = 13, .sh_type = SHT_LOPROC, .sh_offset = AT(info) };
}

static bool layout_of(const void *p, const char *kernel, struct ekka_cubin_layout *ret)
{
	struct ekka_image m;

	ekka_image_measure(&m, (uintptr_t)p);
	cr_assert(m.kind && ekka_image_choose(&m, 90));
	return ekka_cubin_layout(&m, kernel, ret);
}

/* As ptxas writes them: other attributes between, the last parameter first. */
static void usual(void)
{
	begin();
	put(3, 0x50, 0);
	put(4, 0x37, 4), put(0, 0, 0);
	put_param(2, 48, 1);
	put_param(1, 8, 40);
	put(3, 0x1b, 255);
	put_param(0, 0, 8);
	put(1, 0x17, 0);
	cubin.s[3].sh_size = info_bytes;
}

static void check_usual(const struct ekka_cubin_layout *l)
{
	cr_assert_eq(l->n_params, 3);
	cr_assert(l->offset[0] == 0 && l->bytes[0] == 8 && l->offset[1] == 8 && l->bytes[1] == 40 && l->offset[2] == 48 && l->bytes[2] == 1);
	cr_assert_eq(l->block_bytes, 49);
}

Test(cubin, tells_every_parameter)
{
	struct ekka_cubin_layout l;

	usual();
	cr_assert(layout_of(&cubin, "k", &l));
	check_usual(&l);
	cr_assert(layout_of(&cubin, "k2", &l) && l.n_params == 0, "zeros tell nothing");
	cr_assert(!layout_of(&cubin, "k3", &l));
	cr_assert(!layout_of(&cubin, "nv.info.k", &l));
}

Test(cubin, is_found_in_a_fatbin)
{
	static struct { uint32_t magic; uint16_t version, header; uint64_t bytes; struct { uint16_t kind, version; uint32_t header; uint64_t bytes; uint32_t more[3], arch; char text[32]; } ptx;
			struct { uint16_t kind, version; uint32_t header; uint64_t bytes; uint32_t more[3], arch; uint64_t rest[4]; char elf[sizeof(cubin)]; } code; } fatbin;
	struct ekka_cubin_layout l;

	usual();
	fatbin.magic = 0xba55ed50;
	fatbin.version = 1;
	fatbin.header = 16;
	fatbin.bytes = sizeof(fatbin) - 16;
	fatbin.ptx.kind = 1;
	fatbin.ptx.header = 32;
	fatbin.ptx.bytes = 32;
	fatbin.code.kind = 2;
	fatbin.code.header = 64;
	fatbin.code.bytes = sizeof(cubin);
	fatbin.code.arch = 90;
	memcpy(fatbin.code.elf, &cubin, sizeof(cubin));
	cr_assert(layout_of(&fatbin, "k", &l));
	check_usual(&l);
	fatbin.code.arch = 100;		/* kept whole then, with the PTX before it */
	cr_assert(layout_of(&fatbin, "k", &l));
	check_usual(&l);
	memset(fatbin.code.elf, 0x28, SELFMAG);		/* compressed */
	cr_assert(!layout_of(&fatbin, "k", &l));
}

Test(cubin, that_is_not_whole_tells_nothing)
{
	struct ekka_cubin_layout l;

	usual();
	put_param(5, 64, 8);		/* 3 and 4 are not there */
	cr_assert(!layout_of(&cubin, "k", &l));
	usual();
	put(4, 0x17, 200);		/* reaches behind the end */
	cubin.s[3].sh_size = info_bytes;
	cr_assert(layout_of(&cubin, "k", &l));
	check_usual(&l);
	usual();
	cubin.s[3].sh_name = 1 << 20;
	cr_assert(!layout_of(&cubin, "k", &l));
	usual();
	cubin.e.e_shstrndx = 1000;
	cr_assert(!layout_of(&cubin, "k", &l));
}

Test(cubin, of_a_real_compiler_is_understood)
{
	static const uint32_t offset[] = { 0, 8, 16, 24 };
	const char *top = getenv("top_builddir");
	struct ekka_cubin_layout l;
	static uint8_t bytes[1 << 20];
	char path[4096];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/preload/gather.fatbin", top ? top : ".");
	f = fopen(path, "r");
	if (!f)
		cr_skip_test("no nvcc made one");
	cr_assert(fread(bytes, 1, sizeof(bytes), f) > 0);
	(void)fclose(f);
	cr_assert(layout_of(bytes, "ekka_gather", &l));
	cr_assert(l.n_params == 4 && l.block_bytes == 32 && memcmp(l.offset, offset, sizeof(offset)) == 0);
	for (unsigned i = 0; i < 4; i++)
		cr_assert_eq(l.bytes[i], 8);
}
