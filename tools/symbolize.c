/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each recorded mapping is one Dwfl of its own: a library can have been unloaded and another one loaded at the
 * same address during the run, which a common address space would not allow.
 */
#include "config.h"

#include "tools/symbolize.h"

#include <dlfcn.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct module {
	bool tried;
	Dwfl *dwfl;			/* NULL: not opened, or refused */
	Dwfl_Module *mod;
	const char *problem;
};

typedef char *demangle_fn(const char *mangled, char *buf, size_t *len, int *status);

struct ekka_symbolizer {
	const struct ekka_segment *segment;
	struct module *modules;		/* one per map */
	void *libstdcxx;
	demangle_fn *demangle;		/* NULL: names stay mangled */
	char *demangled[2];		/* of the last look-up: function, inlined */
};

static char *debuginfo_path;		/* NULL: elfutils' default ones */

static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
	.section_address = dwfl_offline_section_address,
	.debuginfo_path = &debuginfo_path,
};

/* In the tool only, never in the recorded program; a C tool need not depend on libstdc++ for pretty names. */
static void load_demangler(struct ekka_symbolizer *s)
{
	s->libstdcxx = dlopen("libstdc++.so.6", RTLD_NOW | RTLD_LOCAL);
	if (s->libstdcxx)
		s->demangle = (demangle_fn *)dlsym(s->libstdcxx, "__cxa_demangle");
}

struct ekka_symbolizer *ekka_symbolizer_new(const struct ekka_segment *segment)
{
	struct ekka_symbolizer *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->segment = segment;
	s->modules = calloc(segment->n_maps ? segment->n_maps : 1, sizeof(*s->modules));
	if (!s->modules) {
		free(s);
		return NULL;
	}
	load_demangler(s);
	return s;
}

void ekka_symbolizer_free(struct ekka_symbolizer *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->segment->n_maps; i++)
		if (s->modules[i].dwfl)
			dwfl_end(s->modules[i].dwfl);
	for (size_t i = 0; i < 2; i++)
		free(s->demangled[i]);
	if (s->libstdcxx)
		dlclose(s->libstdcxx);
	free(s->modules);
	free(s);
}

static bool build_id_matches(Elf *elf, const struct ekka_map *map)
{
	const void *id;
	ssize_t len = dwelf_elf_gnu_build_id(elf, &id);

	if (len <= 0)
		return map->build_id_len == 0;
	return (size_t)len == map->build_id_len && memcmp(id, map->build_id, map->build_id_len) == 0;
}

/* The load bias: run-time address minus the address in the file's program headers. */
static int load_bias(Elf *elf, const struct ekka_map *map, uint64_t *ret_bias)
{
	size_t n;

	if (elf_getphdrnum(elf, &n) != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr ph;

		if (!gelf_getphdr(elf, (int)i, &ph) || ph.p_type != PT_LOAD)
			continue;
		/* A mapping starts on a page, which can lie before the segment's first byte. */
		uint64_t first = ph.p_offset - ph.p_vaddr % 4096;

		if (ph.p_offset < ph.p_vaddr % 4096 || !(ph.p_flags & PF_X))
			continue;
		if (map->file_offset >= first && map->file_offset < ph.p_offset + ph.p_filesz) {
			*ret_bias = map->start - (map->file_offset - ph.p_offset + ph.p_vaddr);
			return 0;
		}
	}
	return -1;
}

/* Reports the file behind `map` to a new Dwfl; returns NULL, or why not. */
static const char *report(struct module *m, const struct ekka_map *map, int fd)
{
	const char *problem = NULL;
	uint64_t bias;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (!elf || elf_kind(elf) != ELF_K_ELF)
		problem = "not an ELF file";
	else if (!build_id_matches(elf, map))
		problem = "changed since it was recorded";
	else if (load_bias(elf, map, &bias) != 0)
		problem = "the file has no such segment";
	if (elf)
		elf_end(elf);
	if (problem)
		return problem;
	m->dwfl = dwfl_begin(&callbacks);
	if (!m->dwfl)
		return "libdwfl failed";
	dwfl_report_begin(m->dwfl);
	m->mod = dwfl_report_elf(m->dwfl, map->path, map->path, fd, bias, true);
	if (m->mod && dwfl_report_end(m->dwfl, NULL, NULL) == 0)
		return NULL;
	dwfl_end(m->dwfl);
	m->dwfl = NULL;
	m->mod = NULL;
	return "libdwfl cannot read the file";
}

static void open_module(struct module *m, const struct ekka_map *map)
{
	int fd;

	m->tried = true;
	if (!map->path || map->path[0] != '/') {
		m->problem = "not a file";
		return;
	}
	fd = open(map->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		m->problem = errno == ENOENT ? "no such file" : "cannot be opened";
		return;
	}
	m->problem = report(m, map, fd);
	if (m->problem)
		close(fd);	/* otherwise libdwfl has taken it over */
}

/* The mapping that held the address last: an earlier one was unloaded. */
static struct module *find_module(struct ekka_symbolizer *s, uint64_t pc, const struct ekka_map **ret_map)
{
	for (size_t i = s->segment->n_maps; i-- > 0;) {
		const struct ekka_map *map = &s->segment->maps[i];

		if (pc >= map->start && pc < map->end) {
			if (!s->modules[i].tried)
				open_module(&s->modules[i], map);
			*ret_map = map;
			return &s->modules[i];
		}
	}
	return NULL;
}

/* Slot 0 or 1 keeps the demangled text alive until the next look-up. */
static const char *demangle(struct ekka_symbolizer *s, int slot, const char *name)
{
	int status = 0;

	if (!name || !s->demangle || strncmp(name, "_Z", 2) != 0)
		return name;
	free(s->demangled[slot]);
	s->demangled[slot] = s->demangle(name, NULL, NULL, &status);
	return s->demangled[slot] ? s->demangled[slot] : name;
}

static const char *die_name(Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	const char *linkage = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_linkage_name, &attr));

	return linkage ? linkage : dwarf_diename(die);
}

/* Name of the innermost function inlined at the address, or NULL. */
static const char *inlined_name(Dwfl_Module *mod, Dwarf_Addr addr)
{
	Dwarf_Addr bias;
	Dwarf_Die *cu = dwfl_module_addrdie(mod, addr, &bias);
	Dwarf_Die *scopes = NULL;
	const char *name = NULL;
	int n = cu ? dwarf_getscopes(cu, addr - bias, &scopes) : 0;

	for (int i = 0; i < n; i++) {
		int tag = dwarf_tag(&scopes[i]);

		if (tag == DW_TAG_inlined_subroutine)
			name = die_name(&scopes[i]);
		if (tag == DW_TAG_inlined_subroutine || tag == DW_TAG_subprogram)
			break;
	}
	free(scopes);
	return name;
}

void ekka_symbolizer_lookup(struct ekka_symbolizer *s, uint64_t pc, struct ekka_frame_info *ret)
{
	/* A call can be the last instruction of its function, then the return address is in the next one. */
	uint64_t addr = pc - 1;
	const struct ekka_map *map = NULL;
	struct module *m = find_module(s, addr, &map);
	GElf_Off offset = 0;
	GElf_Sym sym;
	Dwfl_Line *line;

	*ret = (struct ekka_frame_info){ .pc = pc };
	if (!m)
		return;
	ret->module = map->path;
	ret->module_offset = pc - map->start + map->file_offset;
	ret->problem = m->problem;
	if (!m->mod)
		return;
	ret->function = demangle(s, 0, dwfl_module_addrinfo(m->mod, addr, &offset, &sym, NULL, NULL, NULL));
	if (ret->function)
		ret->function_offset = offset + 1;
	else
		ret->problem = "no symbols";
	ret->inlined = demangle(s, 1, inlined_name(m->mod, addr));
	/* A part of a function that the compiler split off is inlined into the rest. */
	if (ret->inlined && ret->function && strcmp(ret->inlined, ret->function) == 0)
		ret->inlined = NULL;
	line = dwfl_module_getsrc(m->mod, addr);
	if (line)
		ret->file = dwfl_lineinfo(line, NULL, &ret->line, NULL, NULL, NULL);
}

int ekka_frame_info_format(const struct ekka_frame_info *f, char *buf, size_t size)
{
	const char *via = f->inlined ? f->inlined : "";
	const char *in = f->inlined ? " in " : "";

	if (!f->module)
		return snprintf(buf, size, "0x%llx", (unsigned long long)f->pc);
	if (!f->function)
		return snprintf(buf, size, "%s+0x%llx (%s)", f->module, (unsigned long long)f->module_offset,
				f->problem ? f->problem : "no symbols");
	if (!f->file)
		return snprintf(buf, size, "%s%s%s (%s+0x%llx)", via, in, f->function, f->module,
				(unsigned long long)f->module_offset);
	return snprintf(buf, size, "%s%s%s (%s:%d)", via, in, f->function, f->file, f->line);
}
