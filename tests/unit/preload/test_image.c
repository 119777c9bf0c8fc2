/* SPDX-License-Identifier: Apache-2.0 */
/* Images of GPU code in memory, next to a page that cannot be read: made here, and, where nvcc made one, a real fatbin. */
#include "config.h"

#include "preload/image.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, ROOM = 64 * PAGE, HEADER = 16, ENTRY = 64 };

/* A copy of n bytes that ends where memory ends. */
static uint8_t *at_the_end(const void *p, size_t n)
{
	uint8_t *map = mmap(NULL, ROOM + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert(map != MAP_FAILED && n <= ROOM && mprotect(map + ROOM, PAGE, PROT_NONE) == 0);
	return memcpy(map + ROOM - n, p, n);
}

static struct ekka_image measure(const void *p)
{
	struct ekka_image m;

	ekka_image_measure(&m, (uintptr_t)p);
	return m;
}

/* ---- fatbins ---------------------------------------------------------- */

static uint8_t fatbin[ROOM];
static size_t fatbin_bytes;

static void begin_fatbin(void)
{
	const uint64_t none = 0;

	memcpy(fatbin, (const uint8_t[]){ 0x50, 0xed, 0x55, 0xba, 1, 0, HEADER, 0 }, 8);
	memcpy(fatbin + 8, &none, 8);
	fatbin_bytes = HEADER;
}

static void add_entry(uint16_t kind, uint32_t arch, uint64_t bytes, uint8_t fill)
{
	uint8_t *e = fatbin + fatbin_bytes;
	uint32_t header = ENTRY;
	uint64_t all;

	memset(e, 0, ENTRY);
	memcpy(e, &kind, 2);
	memcpy(e + 4, &header, 4);
	memcpy(e + 8, &bytes, 8);
	memcpy(e + 28, &arch, 4);
	memset(e + ENTRY, fill, bytes);
	fatbin_bytes += ENTRY + bytes;
	all = fatbin_bytes - HEADER;
	memcpy(fatbin + 8, &all, 8);
}

enum { PTX = 1, ELF = 2 };

static void usual_fatbin(void)
{
	begin_fatbin();
	add_entry(PTX, 80, 96, 1);
	add_entry(ELF, 80, 160, 2);
	add_entry(ELF, 86, 80, 3);
	add_entry(ELF, 90, 240, 4);
	add_entry(ELF, 90, 16, 5);	/* 9.0a goes by the same number */
	add_entry(PTX, 90, 400, 6);
}

/* What is kept for a device, as a fatbin of its own: each entry's filling. */
static const char *kept(unsigned cc)
{
	static char fills[64];
	static uint8_t bytes[ROOM];
	struct ekka_image m = measure(at_the_end(fatbin, fatbin_bytes)), again;
	size_t n = 0;

	cr_assert(m.kind && strcmp(m.kind, "fatbin") == 0 && m.bytes == fatbin_bytes);
	cr_assert(ekka_image_choose(&m, cc));
	cr_assert(!ekka_image_read(&m, 1, bytes, m.kept), "there is no more than that");
	cr_assert(ekka_image_read(&m, 0, bytes, m.kept));
	again = measure(at_the_end(bytes, m.kept));
	cr_assert(again.kind && again.bytes == m.kept, "sm_%u: what is kept is no fatbin: %llu, %llu", cc, (unsigned long long)again.bytes, (unsigned long long)m.kept);
	for (size_t at = HEADER; at < m.kept;) {
		uint64_t payload;

		memcpy(&payload, bytes + at + 8, 8);
		fills[n++] = (char)('0' + bytes[at + ENTRY]);
		at += ENTRY + payload;
	}
	fills[n] = '\0';
	/* By single bytes the same. */
	for (size_t i = 0; i < m.kept; i++) {
		uint8_t byte;

		cr_assert(ekka_image_read(&m, i, &byte, 1) && byte == bytes[i]);
	}
	return fills;
}

Test(image, of_a_fatbin_only_what_the_device_runs_is_kept)
{
	usual_fatbin();
	cr_expect_str_eq(kept(90), "45");
	cr_expect_str_eq(kept(80), "2");
	cr_expect_str_eq(kept(86), "3");
	cr_expect_str_eq(kept(87), "3", "machine code runs on later minor versions");
	cr_expect_str_eq(kept(100), "6", "and not on later major ones, where PTX does");
	cr_expect_str_eq(kept(75), "123456", "nothing fits: that is not what the driver thought");
	cr_expect_str_eq(kept(0), "123456");
}

Test(image, a_fatbin_that_is_not_understood_is_kept_whole)
{
	const uint64_t too_long = 1 << 20;
	struct ekka_image m;

	usual_fatbin();
	memcpy(fatbin + HEADER + 8, &too_long, 8);
	m = measure(at_the_end(fatbin, fatbin_bytes));
	cr_assert(ekka_image_choose(&m, 90) && !m.cut && m.kept == fatbin_bytes);
	begin_fatbin();
	for (unsigned i = 0; i < EKKA_IMAGE_PARTS + 1; i++)
		add_entry(ELF, 90, 32, (uint8_t)i);
	m = measure(at_the_end(fatbin, fatbin_bytes));
	cr_assert(ekka_image_choose(&m, 90) && !m.cut && m.kept == fatbin_bytes);
}

Test(image, what_a_program_registers_leads_to_its_fatbin)
{
	struct { uint32_t magic, version; const void *data; void *other; } wrapper = { 0x466243b1, 1, NULL, NULL };
	struct ekka_image m;

	usual_fatbin();
	wrapper.data = at_the_end(fatbin, fatbin_bytes);
	m = measure(&wrapper);
	cr_assert(m.kind && m.at == (uintptr_t)wrapper.data && m.bytes == fatbin_bytes);
}

/* ---- others ----------------------------------------------------------- */

Test(image, ptx_is_text_with_its_end)
{
	static const char *const texts[] = { "//\n.version 8.0\n", "  \n.version 7.0\n.target sm_80\n" };

	for (unsigned i = 0; i < 2; i++) {
		struct ekka_image m = measure(at_the_end(texts[i], strlen(texts[i]) + 1));

		cr_assert(m.kind && strcmp(m.kind, "ptx") == 0 && m.bytes == strlen(texts[i]) + 1);
	}
	cr_assert_null(measure(at_the_end(".version", 8)).kind, "it does not end");
}

static struct { Elf64_Ehdr e; char text[100]; Elf64_Shdr s[3]; } cubin;

static void usual_cubin(void)
{
	memset(&cubin, 0, sizeof(cubin));
	memcpy(cubin.e.e_ident, ELFMAG, SELFMAG);
	cubin.e.e_ident[EI_CLASS] = ELFCLASS64;
	cubin.e.e_machine = EM_CUDA;
	cubin.e.e_shoff = (size_t)((char *)cubin.s - (char *)&cubin);
	cubin.e.e_shnum = 2;
	cubin.e.e_shentsize = sizeof(Elf64_Shdr);
	cubin.s[1] = (Elf64_Shdr){ .sh_type = SHT_PROGBITS, .sh_offset = sizeof(cubin.e), .sh_size = 100 };
}

Test(image, a_cubin_is_as_long_as_its_sections_reach)
{
	size_t table = (size_t)((char *)&cubin.s[2] - (char *)&cubin);
	struct ekka_image m;

	usual_cubin();
	m = measure(at_the_end(&cubin, table));
	cr_assert(m.kind && strcmp(m.kind, "cubin") == 0 && m.bytes == table);
	cubin.s[1].sh_offset = sizeof(cubin) - 10;
	cubin.s[1].sh_size = 10;
	m = measure(at_the_end(&cubin, sizeof(cubin)));
	cr_assert(m.kind && m.bytes == sizeof(cubin));
	cubin.s[1].sh_type = SHT_NOBITS;
	cr_assert_eq(measure(at_the_end(&cubin, sizeof(cubin))).bytes, table);
	cubin.s[0].sh_size = 2;		/* too many sections for e_shnum */
	cubin.e.e_shnum = 0;
	cr_assert_eq(measure(at_the_end(&cubin, sizeof(cubin))).bytes, table);
}

Test(image, what_is_none_or_lies_where_nothing_can_be_read_has_no_kind)
{
	usual_cubin();
	cubin.e.e_machine = EM_X86_64;
	cr_assert_null(measure(&cubin).kind);
	cubin.e.e_machine = EM_CUDA;
	cubin.e.e_shoff = UINT64_MAX - 100;
	cr_assert_null(measure(&cubin).kind);
	cubin.e.e_shoff = 1 << 30;
	cr_assert_null(measure(at_the_end(&cubin, sizeof(cubin))).kind);
	cr_assert_null(measure("an image").kind);
	cr_assert_null(measure(NULL).kind);
	usual_cubin();
	cubin.s[1].sh_size = UINT64_MAX - 10;
	cr_assert_null(measure(&cubin).kind);
}

Test(image, that_is_gone_is_not_read)
{
	struct ekka_image m;
	uint8_t *p;

	usual_fatbin();
	p = at_the_end(fatbin, fatbin_bytes);
	m = measure(p);
	cr_assert(ekka_image_choose(&m, 90));
	cr_assert_eq(munmap((void *)((uintptr_t)p / PAGE * PAGE), PAGE), 0);
	cr_assert(!ekka_image_read(&m, HEADER, fatbin, 10));
	m = measure(at_the_end(fatbin, fatbin_bytes));
	m.bytes++;		/* another one lies there now */
	cr_assert(!ekka_image_choose(&m, 90));
	cr_assert(!ekka_image_choose(&m, 90));
}

/* Ours: machine code for five architectures, and PTX. */
Test(image, a_real_fatbin_is_understood)
{
	static const unsigned archs[] = { 75, 80, 90, 100, 120 };
	const char *top = getenv("top_builddir");
	uint8_t bytes[ROOM];
	char path[4096];
	size_t n;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/preload/gather.fatbin", top ? top : ".");
	f = fopen(path, "r");
	if (!f)
		cr_skip_test("no nvcc made one");
	n = fread(bytes, 1, sizeof(bytes), f);
	(void)fclose(f);
	for (unsigned i = 0; i < sizeof(archs) / sizeof(*archs); i++) {
		struct ekka_image m = measure(bytes), inner;

		cr_assert(m.kind && m.bytes == n);
		cr_assert(ekka_image_choose(&m, archs[i]) && m.cut && m.n_parts == 1 && m.kept < n / 2, "sm_%u", archs[i]);
		inner = measure((const uint8_t *)m.part[0].at + *(const uint32_t *)(m.part[0].at + 4));
		cr_assert(inner.kind && strcmp(inner.kind, "cubin") == 0 && inner.bytes <= m.part[0].bytes);
	}
}
