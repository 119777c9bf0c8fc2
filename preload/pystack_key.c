/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tells one Python stack from another, without its texts and lines. Zone: inside the host process.
 *
 * Only once reading is trusted (pystack_raw.c): everything is read where it lies, with the same checks of types. A frame is known by its code
 * object, its place in it, and what these refer to. Addresses alone would not do, as what is freed may come back as something else: the sizes
 * and both ends of the line table, of the function's name and of the file's name count too. Code that replaced other code at the same
 * addresses and differs from it in the middle of its line table only would be taken for it: its lines, not its function, would be wrong.
 */
#include "config.h"

#include "preload/pystack.h"

#include <pthread.h>
#include <string.h>

enum {
	MAX_WALK = 100000,
	PYOBJECT_TYPE = 8, PYVAR_SIZE = 16, PYBYTES_DATA = 32, PYSTR_LENGTH = 16, PYSTR_STATE = 32,
	OWNED_BY_C = 3,			/* as in pystack_raw.c */
	END_BYTES = 16,
};

static uint64_t word(uint64_t addr)
{
	uint64_t v;

	memcpy(&v, (const void *)(uintptr_t)addr, sizeof(v));
	return v;
}

static uint32_t word32(uint64_t addr)
{
	uint32_t v;

	memcpy(&v, (const void *)(uintptr_t)addr, sizeof(v));
	return v;
}

/* The two halves of a product: every bit of a and b moves about half of the result's. Constants as in XXH3's secret, any odd ones do. */
static uint64_t mix(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 p = (unsigned __int128)(a ^ 0x9e3779b185ebca87u) * (b ^ 0xc2b2ae3d27d4eb4fu);

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

/* Length and both ends of what lies at `addr`. */
static uint64_t mix_ends(uint64_t h, uint64_t addr, uint64_t bytes)
{
	uint64_t w[2] = { 0 };

	h = mix(h ^ addr, bytes);
	if (bytes < END_BYTES) {
		memcpy(w, (const void *)(uintptr_t)addr, bytes);
		return mix(h ^ w[0], w[1]);
	}
	h = mix(h ^ word(addr), word(addr + 8));
	return mix(h ^ word(addr + bytes - 16), word(addr + bytes - 8));
}

static bool is_a(uint64_t addr, const void *type)
{
	return addr && addr % 8 == 0 && word(addr + PYOBJECT_TYPE) == (uintptr_t)type;
}

static bool mix_str(const struct ekka_python *py, uint64_t addr, uint64_t *h)
{
	unsigned state, kind;

	if (!is_a(addr, py->str_type))
		return false;
	state = word32(addr + PYSTR_STATE) >> py->layout.str_kind_shift;
	kind = state & 7;
	if (!(state & 8) || (kind != 1 && kind != 2 && kind != 4))
		return false;
	*h = mix_ends(*h, addr + (state & 16 ? py->layout.str_ascii_bytes : py->layout.str_compact_bytes), word(addr + PYSTR_LENGTH) * kind);
	return true;
}

static bool mix_frame(const struct ekka_python *py, uint64_t frame, uint64_t *h)
{
	const struct ekka_pylayout *l = &py->layout;
	uint64_t code = word(frame + l->frame_code) & ~(uint64_t)7, lines;
	uint64_t instr = l->instr == EKKA_PYINSTR_POINTER ? word(frame + l->frame_instr) : word32(frame + l->frame_instr);

	if (!is_a(code, py->code_type))
		return false;
	lines = word(code + l->code_lines);
	if (!is_a(lines, py->bytes_type))
		return false;
	*h = mix(*h ^ code, instr);
	*h = mix(*h, word32(code + l->code_firstline));
	*h = mix_ends(*h, lines + PYBYTES_DATA, word(lines + PYVAR_SIZE));
	return mix_str(py, word(code + l->code_filename), h) && mix_str(py, word(code + l->code_name), h);
}

bool ekka_pystack_raw_key(const struct ekka_python *py, void *tstate, unsigned depth, uint64_t *h)
{
	const struct ekka_pylayout *l = &py->layout;
	uint64_t ts = (uintptr_t)tstate, frame;
	bool objects = l->frame_owner == EKKA_PYLAYOUT_NONE;

	if (!ekka_pystack_raw_trusted() || word(ts + l->ts_thread_id) != (uint64_t)pthread_self())
		return false;
	frame = word(ts + l->ts_frame);
	if (l->cframe_current != EKKA_PYLAYOUT_NONE && frame)
		frame = word(frame + l->cframe_current);
	for (unsigned n = 0, i = 0; frame && n < depth; i++, frame = word(frame + l->frame_back)) {
		if (i == MAX_WALK || frame % 8 != 0 || (objects && !is_a(frame, py->frame_type)))
			return false;
		if (!objects && *(const uint8_t *)(uintptr_t)(frame + l->frame_owner) >= OWNED_BY_C)
			continue;
		if (!mix_frame(py, frame, h))
			return false;
		n++;
	}
	return true;
}
