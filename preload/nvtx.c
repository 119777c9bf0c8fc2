/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Types, numbers and the order of the functions: nvToolsExt.h and nvtxDetail/nvtxTypes.h of NVTX 3 (CUDA 13.0), an ABI that has been the same since
 * its first version. Declared here, as the shim can be built without CUDA's headers.
 */
#include "config.h"

#include "preload/nvtx.h"

#include "preload/capture.h"
#include "preload/conf.h"
#include "preload/count.h"
#include "preload/init.h"
#include "preload/window.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

typedef void (*any_fn)(void);
struct callbacks { size_t bytes; int (*table)(int module, any_fn ***ret_slots, unsigned *ret_n); };	/* NvtxExportTableCallbacks */
typedef const void *export_fn(uint32_t id);
typedef int initialize_fn(export_fn *);

enum { ETID_CALLBACKS = 1, MODULE_CORE = 1, MODULE_CORE2 = 5 };
enum { TEXT_ASCII = 1, TEXT_UNICODE = 2, TEXT_REGISTERED = 3 };
enum { NO_PUSH_POP_TRACKING = -2 };	/* what push and pop answer without a tool */

/* nvtxEventAttributes_t, version 2. */
struct attributes {
	uint16_t version, bytes;
	uint32_t category;
	int32_t color_type;
	uint32_t color;
	int32_t payload_type, reserved;
	uint64_t payload;
	int32_t text_type;
	const void *text;
};
_Static_assert(sizeof(struct attributes) == 48 && offsetof(struct attributes, text) == 40, "nvtxEventAttributes_t has 48 bytes");

/* Function, module, number in the module's table. */
#define FUNCTIONS(F)                                                                                                               \
	F(start_ex, CORE, 4) F(start_a, CORE, 5) F(start_w, CORE, 6) F(end, CORE, 7) F(push_ex, CORE, 8) F(push_a, CORE, 9)         \
	F(push_w, CORE, 10) F(pop, CORE, 11) F(domain_start_ex, CORE2, 2) F(domain_end, CORE2, 3) F(domain_push_ex, CORE2, 4)       \
	F(domain_pop, CORE2, 5) F(register_a, CORE2, 10) F(register_w, CORE2, 11) F(create_a, CORE2, 12) F(create_w, CORE2, 13)
#define NUMBER(name, module, number) FN_##name,
enum { FUNCTIONS(NUMBER) FN_COUNT };

static _Atomic(any_fn) next[FN_COUNT];	/* the tool's */
static _Atomic(initialize_fn *) tool;

/* ---- names ------------------------------------------------------------ */

enum { NAME_BYTES = 256, STRINGS = 256, OPEN = 256 };

static _Atomic(const void *) strings[STRINGS];	/* registered ones that match */

/* Libraries look things up, and may name ranges, before our constructor has run: there are no settings then. */
static bool has_window(void)
{
	return ekka_conf.window && ekka_conf.window[0];
}

static bool matches_a(const char *name)
{
	return name && ekka_globs_match(ekka_conf.window, name);
}

/* What is not ASCII in it matches '?'s and '*'s alone. */
static bool matches_w(const wchar_t *name)
{
	char text[NAME_BYTES];
	size_t n = 0;

	for (; name && name[n] && n + 1 < sizeof(text); n++)
		text[n] = name[n] > 0 && name[n] < 128 ? (char)name[n] : '\x7f';
	text[n] = 0;
	return name && matches_a(text);
}

static bool is_registered(const void *handle)
{
	for (unsigned i = 0; handle && i < STRINGS; i++) {
		const void *known = atomic_load_explicit(&strings[i], memory_order_relaxed);
		if (!known || known == handle)
			return known == handle;
	}
	return false;
}

/* The handle of a string that matches: the tool's, or one of our own. */
static const void *keep(const void *handle)
{
	for (unsigned i = 0; i < STRINGS; i++) {
		const void *known = NULL, *mine = handle ? handle : &strings[i];
		if (atomic_compare_exchange_strong(&strings[i], &known, mine) || known == mine)
			return mine;
	}
	ekka_count_drop("NVTX: too many strings", 1);
	return handle;
}

static bool matches(const struct attributes *a)
{
	int saved = errno;
	bool ok = false;

	if (!a || a->bytes < sizeof(*a))
		return false;
	if (a->text_type == TEXT_ASCII)
		ok = matches_a(a->text);
	else if (a->text_type == TEXT_UNICODE)
		ok = matches_w(a->text);
	else if (a->text_type == TEXT_REGISTERED)
		ok = is_registered(a->text);
	errno = saved;
	return ok;
}

/* ---- ranges of a thread ----------------------------------------------- */

enum { DOMAINS = 8, DEPTH = 64 };

/* Ranges pushed in one domain: how many, and which of the first DEPTH match. A thread that ends keeps its ranges open. */
static _Thread_local struct pushed { const void *domain; uint64_t match; unsigned depth; } pushed[DOMAINS];

/* An empty place may be taken by another domain; domain NULL is the default one. */
static struct pushed *pushed_in(const void *domain, bool make)
{
	for (unsigned i = 0; i < DOMAINS; i++)
		if (pushed[i].depth > 0 && pushed[i].domain == domain)
			return &pushed[i];
	for (unsigned i = 0; make && i < DOMAINS; i++)
		if (pushed[i].depth == 0) {
			pushed[i] = (struct pushed){ .domain = domain };
			return &pushed[i];
		}
	return NULL;
}

static void pushes(const void *domain, bool match)
{
	struct pushed *p = pushed_in(domain, true);

	if (!p || (match && p->depth >= DEPTH))
		ekka_count_drop("NVTX: too many ranges", 1);
	if (!p)
		return;
	if (p->depth < DEPTH && match) {
		p->match |= (uint64_t)1 << p->depth;
		ekka_window_enter();
	}
	p->depth++;
}

static void pops(const void *domain)
{
	struct pushed *p = pushed_in(domain, false);

	if (!p || --p->depth >= DEPTH || !(p->match >> p->depth & 1))
		return;
	p->match &= ~((uint64_t)1 << p->depth);
	ekka_window_leave();
}

/* ---- ranges of the process -------------------------------------------- */

static _Atomic uint64_t open_ranges[OPEN], last_id;

/* A tool may count each domain's ranges by themselves. */
static uint64_t key_of(const void *domain, uint64_t id)
{
	return (id ^ (uintptr_t)domain * 0x9e3779b97f4a7c15u) | (uint64_t)1 << 63;
}

static uint64_t starts(const void *domain, bool match, uint64_t id)
{
	if (match && id == 0)
		id = atomic_fetch_add(&last_id, 1) + 1;
	for (unsigned i = 0; match && i < OPEN; i++) {
		uint64_t none = 0;
		if (atomic_compare_exchange_strong(&open_ranges[i], &none, key_of(domain, id))) {
			ekka_window_enter();
			return id;
		}
	}
	if (match)
		ekka_count_drop("NVTX: too many ranges", 1);
	return id;
}

static void ends(const void *domain, uint64_t id)
{
	for (unsigned i = 0; id != 0 && i < OPEN; i++) {
		uint64_t key = key_of(domain, id);
		if (atomic_compare_exchange_strong(&open_ranges[i], &key, 0)) {
			ekka_window_leave();
			return;
		}
	}
}

/* ---- what NVTX calls -------------------------------------------------- */

#define NEXT(name) ((__typeof__(&our_##name))atomic_load_explicit(&next[FN_##name], memory_order_relaxed))
/* The tool first when a range begins, as it may be slow; last when it ends. */
#define PUSH(name, call_type, domain, match, ...)                                             \
	static int our_##name call_type                                                       \
	{                                                                                     \
		int res = NEXT(name) ? NEXT(name)(__VA_ARGS__) : NO_PUSH_POP_TRACKING;        \
		pushes(domain, match);                                                        \
		return res;                                                                   \
	}
PUSH(push_ex, (const struct attributes *a), NULL, matches(a), a)
PUSH(push_a, (const char *text), NULL, matches_a(text), text)
PUSH(push_w, (const wchar_t *text), NULL, matches_w(text), text)
PUSH(domain_push_ex, (const void *domain, const struct attributes *a), domain, matches(a), domain, a)

static int our_pop(void)
{
	pops(NULL);
	return NEXT(pop) ? NEXT(pop)() : NO_PUSH_POP_TRACKING;
}

static int our_domain_pop(const void *domain)
{
	pops(domain);
	return NEXT(domain_pop) ? NEXT(domain_pop)(domain) : NO_PUSH_POP_TRACKING;
}

#define START(name, call_type, domain, match, ...)                                            \
	static uint64_t our_##name call_type                                                  \
	{                                                                                     \
		return starts(domain, match, NEXT(name) ? NEXT(name)(__VA_ARGS__) : 0);       \
	}
START(start_ex, (const struct attributes *a), NULL, matches(a), a)
START(start_a, (const char *text), NULL, matches_a(text), text)
START(start_w, (const wchar_t *text), NULL, matches_w(text), text)
START(domain_start_ex, (const void *domain, const struct attributes *a), domain, matches(a), domain, a)

static void our_end(uint64_t id)
{
	ends(NULL, id);
	if (NEXT(end))
		NEXT(end)(id);
}

static void our_domain_end(const void *domain, uint64_t id)
{
	ends(domain, id);
	if (NEXT(domain_end))
		NEXT(domain_end)(domain, id);
}

static const void *our_register_a(const void *domain, const char *text)
{
	const void *handle = NEXT(register_a) ? NEXT(register_a)(domain, text) : NULL;

	return matches_a(text) ? keep(handle) : handle;
}

static const void *our_register_w(const void *domain, const wchar_t *text)
{
	const void *handle = NEXT(register_w) ? NEXT(register_w)(domain, text) : NULL;

	return matches_w(text) ? keep(handle) : handle;
}

/* Without a tool every domain would be the default one, and ranges that are open in several could not be told apart. */
static const void *domain_of_ours(void)
{
	static char handles[STRINGS];
	static atomic_uint n;
	unsigned i = atomic_fetch_add(&n, 1);

	return i < STRINGS ? &handles[i] : NULL;
}

static const void *our_create_a(const char *name)
{
	return NEXT(create_a) ? NEXT(create_a)(name) : domain_of_ours();
}

static const void *our_create_w(const wchar_t *name)
{
	return NEXT(create_w) ? NEXT(create_w)(name) : domain_of_ours();
}

/* ---- taking the places ------------------------------------------------ */

static const struct { int module; unsigned number; any_fn ours; } functions[FN_COUNT] = {
#define ENTRY(name, module, number) [FN_##name] = { MODULE_##module, number, (any_fn)our_##name },
	FUNCTIONS(ENTRY)
};

static any_fn *slot_of(const struct callbacks *c, unsigned i)
{
	any_fn **slots = NULL;
	unsigned n = 0;

	if (!c->table(functions[i].module, &slots, &n) || !slots || functions[i].number >= n)
		return NULL;
	return slots[functions[i].number];
}

/*
 * Puts ours into one copy of NVTX. was: what it had before the tool came. Another tool for another copy than the one we know keeps that copy for
 * itself.
 */
static void take_places(const struct callbacks *c, const any_fn was[FN_COUNT])
{
	for (unsigned i = 0; i < FN_COUNT; i++) {
		any_fn *slot = slot_of(c, i), known = NULL;

		if (!slot || *slot == functions[i].ours)
			continue;
		if (*slot == was[i] || atomic_compare_exchange_strong(&next[i], &known, *slot) || known == *slot)
			*slot = functions[i].ours;
		else
			ekka_count_drop("NVTX: several tools", 1);
	}
}

EKKA_PUBLIC int InitializeInjectionNvtx2(export_fn *get);
int InitializeInjectionNvtx2(export_fn *get)
{
	initialize_fn *theirs = atomic_load(&tool);
	const struct callbacks *c = get ? get(ETID_CALLBACKS) : NULL;
	any_fn was[FN_COUNT] = { 0 };

	ekka_init();
	if (!c || c->bytes < sizeof(*c) || !c->table || !has_window() || atomic_load(&ekka_state) != EKKA_STATE_ON)
		return theirs ? theirs(get) : 0;
	for (unsigned i = 0; i < FN_COUNT; i++) {
		any_fn *slot = slot_of(c, i);
		was[i] = slot ? *slot : NULL;
	}
	if (theirs)
		(void)theirs(get);	/* a tool that does not come up: we are there */
	take_places(c, was);
	return 1;
}

bool ekka_nvtx_concern(const char *name)
{
	return has_window() && strcmp(name, "InitializeInjectionNvtx2") == 0;
}

void *ekka_nvtx_answer(const char *name, void *found)
{
	if (!found || !ekka_nvtx_concern(name))
		return NULL;
	if (!ekka_is_ours(found))
		atomic_store(&tool, (initialize_fn *)(uintptr_t)found);
	return (void *)(uintptr_t)InitializeInjectionNvtx2;
}
