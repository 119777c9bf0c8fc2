/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where CPython keeps what, per version. Zone: inside the host process.
 *
 * Within a minor version these offsets are frozen by CPython's ABI promise. From 3.13 on the interpreter carries a table of
 * them for debuggers (_Py_DebugOffsets, the start of _PyRuntime), which is used instead of ours.
 */
#include "config.h"

#include "preload/pystack.h"

#include <string.h>

#define COMMON_OBJECT_FRAMES \
	.ts_thread_id = 176, .ts_frame = 24, .cframe_current = EKKA_PYLAYOUT_NONE, .frame_back = 24, .frame_code = 32, \
	.frame_owner = EKKA_PYLAYOUT_NONE, .code_filename = 104, .code_name = 112, .code_firstline = 40, .code_lines = 120, \
	.str_ascii_bytes = 48, .str_compact_bytes = 72, .str_kind_shift = 2

static const struct { int minor; struct ekka_pylayout layout; } known[] = {
	{ 8, { COMMON_OBJECT_FRAMES, .frame_instr = 104, .frame_bytes = 108,
	       .instr = EKKA_PYINSTR_BYTES, .lines = EKKA_PYLINES_LNOTAB } },
	{ 9, { COMMON_OBJECT_FRAMES, .frame_instr = 104, .frame_bytes = 108,
	       .instr = EKKA_PYINSTR_BYTES, .lines = EKKA_PYLINES_LNOTAB } },
	{ 10, { COMMON_OBJECT_FRAMES, .frame_instr = 96, .frame_bytes = 100,
		.instr = EKKA_PYINSTR_UNITS, .lines = EKKA_PYLINES_RANGES } },
	{ 11, { .ts_thread_id = 152, .ts_frame = 56, .cframe_current = 8,
		.frame_code = 32, .frame_back = 48, .frame_instr = 56, .frame_owner = 69, .frame_bytes = 72,
		.code_filename = 112, .code_name = 128, .code_firstline = 72, .code_lines = 136, .code_start = 184,
		.str_ascii_bytes = 48, .str_compact_bytes = 72, .str_kind_shift = 2,
		.instr = EKKA_PYINSTR_POINTER, .lines = EKKA_PYLINES_LOCATIONS } },
	{ 12, { .ts_thread_id = 136, .ts_frame = 56, .cframe_current = 0,
		.frame_code = 0, .frame_back = 8, .frame_instr = 56, .frame_owner = 70, .frame_bytes = 72,
		.code_filename = 112, .code_name = 128, .code_firstline = 68, .code_lines = 136, .code_start = 192,
		.str_ascii_bytes = 40, .str_compact_bytes = 56, .str_kind_shift = 2,
		.instr = EKKA_PYINSTR_POINTER, .lines = EKKA_PYLINES_LOCATIONS } },
};

/*
 * Positions in the debuggers' table, counted in 8-byte words: "xdebugpy", the version, free-threaded or not, then
 * groups of sizes and offsets. 3.14 put three words into the group before the thread state and one group more before strings.
 */
static const struct { int minor; uint16_t thread, string; uint16_t kind_shift; } tables[] = {
	{ 13, 19, 67, 2 },
	{ 14, 22, 77, 16 },
};

enum { TABLE_WORDS = 96, W_COOKIE = 0, W_VERSION = 1, W_FREE_THREADED = 2, MAX_FRAME_BYTES = 128 };

/* A word of the table as an offset within a structure of `size` bytes. */
static bool offset_in(const uint64_t *words, unsigned at, uint64_t size, uint16_t *ret)
{
	if (words[at] + 4 > size || size > 4096)
		return false;
	*ret = (uint16_t)words[at];
	return true;
}

static bool layout_from_table(int minor, const uint64_t *w, struct ekka_pylayout *l)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		/* Thread state, frame and code follow one another; each group begins with its structure's size. */
		unsigned ts = tables[i].thread, frame = ts + 9, code = frame + (minor >= 14 ? 8 : 6), str = tables[i].string;

		if (tables[i].minor != minor)
			continue;
		*l = (struct ekka_pylayout){ .cframe_current = EKKA_PYLAYOUT_NONE, .instr = EKKA_PYINSTR_POINTER,
					     .lines = EKKA_PYLINES_LOCATIONS, .str_kind_shift = tables[i].kind_shift };
		if (w[str + 1] != 32 || w[str + 2] != 16)	/* string state and length never moved */
			return false;
		l->str_ascii_bytes = (uint16_t)w[str + 3];
		l->str_compact_bytes = (uint16_t)(l->str_ascii_bytes + 16);
		l->frame_bytes = (uint16_t)w[frame + 4];	/* up to the locals */
		if (w[frame + 4] > MAX_FRAME_BYTES || w[frame + 3] + 8 > w[frame + 4] || w[frame + 5] >= w[frame + 4])
			return false;
		return offset_in(w, ts + 4, w[ts], &l->ts_frame) && offset_in(w, ts + 5, w[ts], &l->ts_thread_id) &&
		       offset_in(w, frame + 1, w[frame], &l->frame_back) && offset_in(w, frame + 2, w[frame], &l->frame_code) &&
		       offset_in(w, frame + 3, w[frame], &l->frame_instr) && offset_in(w, frame + 5, w[frame], &l->frame_owner) &&
		       offset_in(w, code + 1, w[code], &l->code_filename) && offset_in(w, code + 3, w[code], &l->code_name) &&
		       offset_in(w, code + 4, w[code], &l->code_lines) && offset_in(w, code + 5, w[code], &l->code_firstline) &&
		       offset_in(w, code + 9, w[code], &l->code_start) && l->str_ascii_bytes == 40;
	}
	return false;
}

/* The minor version in "3.N.x ..."; -1 for anything else. */
static int parse_minor(const char *version)
{
	int minor = 0;

	if (!version || strncmp(version, "3.", 2) != 0)
		return -1;
	for (version += 2; *version >= '0' && *version <= '9' && minor < 100; version++)
		minor = minor * 10 + *version - '0';
	return *version == '.' ? minor : -1;
}

bool ekka_pylayout_find(const char *version, const void *runtime, struct ekka_pylayout *ret_layout)
{
	uint64_t words[TABLE_WORDS];
	int minor = parse_minor(version);

	/*
	 * Without a GIL the argument that nobody changes our thread's structures does not hold as it stands, and
	 * the instructions can live outside the code object.
	 */
	if (minor < 0 || strstr(version, "free-threading"))
		return false;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].minor == minor) {
			*ret_layout = known[i].layout;
			return true;
		}
	if (!runtime || !ekka_py_peek(words, (uintptr_t)runtime, sizeof(words), false))
		return false;
	if (memcmp(&words[W_COOKIE], "xdebugpy", 8) != 0 || words[W_FREE_THREADED] ||
	    words[W_VERSION] >> 16 != (0x300u | (unsigned)minor))
		return false;
	return layout_from_table(minor, words, ret_layout);
}
