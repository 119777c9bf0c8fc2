/* SPDX-License-Identifier: Apache-2.0 */
/* Native stacks, the list of mappings, and their symbols: this program is its own subject. */
#include "preload/stack.h"
#include "tools/symbolize.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))

static struct ekka_stack stack;
static unsigned depth = 16;

/* Stands for a wrapper and what it calls: none of these may show up. */
static NOINLINE void shim_inner(const void *caller)
{
	ekka_stack_native(&stack, caller, NULL, depth);
	ekka_stack_python(&stack, depth);
}

static NOINLINE void wrapper(void)
{
	shim_inner(__builtin_return_address(0));
}

enum { leaf_line = __LINE__ + 4 };

static NOINLINE void engine_leaf(void)
{
	wrapper();
}

static inline __attribute__((always_inline)) void engine_inlined(void)
{
	wrapper();
	__asm__ volatile("");
}

static NOINLINE void engine_with_inlined(void)
{
	engine_inlined();
	__asm__ volatile("");
}

static NOINLINE void engine_middle(int n)
{
	if (n > 0)
		engine_middle(n - 1);
	else
		engine_leaf();
	__asm__ volatile("");
}

/* ---- the maps of this process, gathered as a trace would hold them ---- */

static struct ekka_map *maps;
static size_t n_maps;
static unsigned n_batches;

static void gather(const struct ekka_rec_maps *rec, void *arg)
{
	(void)arg;
	n_batches++;
	maps = realloc(maps, (n_maps + rec->n_maps) * sizeof(*maps));
	for (unsigned i = 0; i < rec->n_maps; i++) {
		struct ekka_map *m = &maps[n_maps++];
		uint8_t *id = malloc(rec->maps[i].build_id_len + 1);

		*m = rec->maps[i];
		m->path = strdup(m->path);
		m->build_id = memcpy(id, rec->maps[i].build_id ? rec->maps[i].build_id : id, m->build_id_len);
	}
}

static const struct ekka_map *find_map(const char *part)
{
	for (size_t i = 0; i < n_maps; i++)
		if (strstr(maps[i].path, part))
			return &maps[i];
	return NULL;
}

static void setup(void)
{
	const char *why = ekka_stack_init();

	cr_assert_null(why, "%s", why);
	ekka_maps_update(gather, NULL);
}

TestSuite(stack, .init = setup, .timeout = 20);

static void lookup(uint64_t pc, struct ekka_frame_info *info)
{
	static struct ekka_segment segment;
	static struct ekka_symbolizer *s;

	segment.maps = maps;
	segment.n_maps = n_maps;
	if (!s)
		s = ekka_symbolizer_new(&segment);
	ekka_symbolizer_lookup(s, pc, info);
}

static void expect_function(unsigned frame, const char *name)
{
	struct ekka_frame_info info;

	cr_assert_lt(frame, stack.n_pc);
	lookup(stack.pc[frame], &info);
	cr_assert_not_null(info.function, "frame %u: %s", frame, info.problem ? info.problem : "?");
	cr_assert_str_eq(info.function, name);
}

Test(stack, starts_at_the_engine_and_leaves_the_shim_out)
{
	engine_middle(2);
	cr_assert_geq(stack.n_pc, 5);
	expect_function(0, "engine_leaf");
	for (unsigned i = 1; i <= 3; i++)
		expect_function(i, "engine_middle");
}

Test(stack, never_exceeds_the_depth_asked_for)
{
	depth = 3;
	engine_middle(10);
	cr_assert_eq(stack.n_pc, 3);
	expect_function(2, "engine_middle");
	depth = 1000;
	engine_middle(100);
	cr_assert_eq(stack.n_pc, EKKA_STACK_MAX_PC);
	depth = 0;
	engine_middle(10);
	cr_assert_eq(stack.n_pc, 0);
}

Test(stack, keeps_errno)
{
	errno = 1234;
	engine_leaf();
	cr_assert_eq(errno, 1234);
}

Test(stack, hash_tells_paths_apart)
{
	uint64_t hash[2], again;

	for (volatile int i = 0; i < 2; i++) {	/* volatile: one call site, or the paths would differ */
		engine_middle(1);
		hash[i] = ekka_stack_hash(&stack);
	}
	cr_assert_eq(hash[0], hash[1]);
	engine_middle(2);
	cr_assert_neq(hash[0], ekka_stack_hash(&stack));
	again = ekka_stack_hash(&stack);
	stack.py[0] = (struct ekka_pyframe){ .file = stack.text, .func = stack.text, .line = 7 };
	stack.n_py = 1;
	cr_assert_neq(again, ekka_stack_hash(&stack));
}

static void *thread_main(void *arg)
{
	struct ekka_stack *st = arg;

	ekka_stack_native(st, __builtin_return_address(0), NULL, 8);
	return NULL;
}

Test(stack, works_in_a_new_thread)
{
	pthread_t t;

	cr_assert_eq(pthread_create(&t, NULL, thread_main, &stack), 0);
	pthread_join(t, NULL);
	cr_assert_geq(stack.n_pc, 2);
	cr_assert_leq(stack.n_pc, 8);
}

/* A frame without unwind information whose frame pointer is rubbish, as generated code can have. */
static NOINLINE void call_without_cfi(void (*fn)(void), uint64_t rbp)
{
	static const uint8_t code[] = {
		0x55,				/* push %rbp */
		0x48, 0x89, 0xf5,		/* mov %rsi,%rbp */
		0xff, 0xd7,			/* call *%rdi */
		0x5d,				/* pop %rbp */
		0xc3,				/* ret */
	};
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(p, MAP_FAILED);
	memcpy(p, code, sizeof(code));
	((void (*)(void (*)(void), uint64_t))p)(fn, rbp);
	munmap(p, 4096);
}

Test(stack, survives_frames_that_cannot_be_unwound)
{
	static const uint64_t rubbish[] = { 0, 8, 0x4141414141414141, 0x7fffffffffff, UINT64_MAX };

	for (size_t i = 0; i < sizeof(rubbish) / sizeof(rubbish[0]); i++) {
		call_without_cfi(wrapper, rubbish[i]);
		cr_assert_geq(stack.n_pc, 1);
		call_without_cfi(engine_leaf, rubbish[i]);
		expect_function(0, "engine_leaf");
	}
}

/* ---- mappings ---- */

Test(maps, list_this_program_with_its_build_id, .init = setup)
{
	char exe[4096] = "";
	const struct ekka_map *m;

	cr_assert_gt(readlink("/proc/self/exe", exe, sizeof(exe) - 1), 0);
	m = find_map(exe);
	cr_assert_not_null(m);
	cr_assert_geq((uintptr_t)engine_leaf, m->start);
	cr_assert_lt((uintptr_t)engine_leaf, m->end);
	cr_assert_eq(m->build_id_len, 20);
}

static unsigned count_maps(const char *part)
{
	unsigned n = 0;

	for (size_t i = 0; i < n_maps; i++)
		n += strstr(maps[i].path, part) != NULL;
	return n;
}

Test(maps, list_each_mapping_once_and_new_ones_when_they_come, .init = setup)
{
	size_t before = n_maps;
	void *lib;

	cr_assert_gt(before, 2);
	ekka_maps_update(gather, NULL);
	cr_assert_eq(n_maps, before);
	lib = dlopen("libutil.so.1", RTLD_NOW);
	cr_assert_not_null(lib);
	ekka_maps_update(gather, NULL);
	cr_assert_eq(n_maps, before + 1);
	cr_assert_eq(count_maps("libutil.so.1"), 1);
	cr_assert_eq(maps[before].path[0], '/');
	ekka_maps_reset();
	ekka_maps_update(gather, NULL);
	cr_assert_eq(n_maps, 2 * before + 2);
}

/* ---- symbols ---- */

Test(symbolize, names_function_file_and_line, .init = setup)
{
	struct ekka_frame_info info;
	char text[256];

	engine_leaf();
	lookup(stack.pc[0], &info);
	cr_assert_str_eq(info.function, "engine_leaf");
	cr_assert_null(info.problem);
	cr_assert_not_null(info.file);
	cr_assert_not_null(strstr(info.file, "test_stack.c"));
	cr_assert_eq(info.line, leaf_line);
	cr_assert_gt(ekka_frame_info_format(&info, text, sizeof(text)), 0);
	cr_assert_not_null(strstr(text, "engine_leaf ("));
}

Test(symbolize, names_the_inlined_function_too, .init = setup)
{
	struct ekka_frame_info info;

	engine_with_inlined();
	lookup(stack.pc[0], &info);
	cr_assert_str_eq(info.function, "engine_with_inlined");
	cr_assert_not_null(info.inlined);
	cr_assert_str_eq(info.inlined, "engine_inlined");
	lookup(stack.pc[1], &info);
	cr_assert_null(info.inlined);
}

Test(symbolize, falls_back_to_module_and_offset, .init = setup)
{
	struct ekka_frame_info info;

	lookup(1, &info);
	cr_assert_null(info.module);
	lookup((uintptr_t)gnu_get_libc_version + 2, &info);	/* stripped, but it has dynamic symbols */
	cr_assert_not_null(info.function);
	cr_assert_not_null(strstr(info.module, "libc"));
}

Test(symbolize, refuses_a_module_that_has_changed, .init = setup)
{
	const struct ekka_map *map;
	struct ekka_frame_info info;
	char text[4200];

	engine_leaf();
	map = find_map("test_stack");
	cr_assert_not_null(map);
	((uint8_t *)map->build_id)[3] ^= 1;
	lookup(stack.pc[0], &info);
	cr_assert_null(info.function);
	cr_assert_str_eq(info.problem, "changed since it was recorded");
	ekka_frame_info_format(&info, text, sizeof(text));
	cr_assert_not_null(strstr(text, "+0x"));
}
