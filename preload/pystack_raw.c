/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the calling thread's Python frames out of the interpreter's own structures. Zone: inside the host process.
 *
 * Why this is safe without the GIL: the thread is inside a library call that it made itself, so its chain of frames stands still
 * until it returns; nobody else pushes or pops frames of this thread. Every running frame holds a reference to its code
 * object, which holds its name, file name and line table, and these are immutable: no other thread can free or change what is
 * read here, whoever holds the GIL. Only reads are done; no reference count is touched. (Free-threaded builds are refused by
 * the layout: there code objects have per-thread copies of their instructions.)
 *
 * Why a wrong layout cannot crash: until PROOF_WALKS walks have gone through to the outermost frame with every type and size
 * as it must be, all reads go through the kernel, which answers EFAULT. A layout that passes that is right, and reads are direct
 * from then on, still with all the checks. Any inconsistency before or after gives no Python stack.
 */
#include "config.h"

#include "preload/pystack.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum {
	PROOF_WALKS = 8,
	MAX_WALK = 100000,		/* frames; CPython's recursion limit is 1000 unless raised */
	MAX_NAME_CHARS = 1024,		/* longer names are cut */
	MAX_LINES_BYTES = 1 << 24,
	HEADER_BYTES = 144,		/* covers every offset used of a code object, and a frame */
	PYOBJECT_TYPE = 8, PYVAR_SIZE = 16, PYBYTES_DATA = 32, PYSTR_LENGTH = 16, PYSTR_STATE = 32, PYSTR_HEADER = 36,
	OWNED_BY_C = 3,			/* this owner and above: entries into the interpreter, no Python code */
};

static _Atomic unsigned proven;

struct walk {
	const struct ekka_python *py;
	const struct ekka_pylayout *l;
	struct ekka_stack *st;
	bool trusted;
	uint64_t last_file;		/* string object; frames in a row often share it */
	const char *last_file_text;
};

static uint64_t word(const uint8_t *bytes, size_t at)
{
	uint64_t v;

	memcpy(&v, bytes + at, sizeof(v));
	return v;
}

static int32_t word32(const uint8_t *bytes, size_t at)
{
	int32_t v;

	memcpy(&v, bytes + at, sizeof(v));
	return v;
}

/* Copies the head of the object at `addr`, which must be of exactly `type`. */
static bool read_object(const struct walk *w, uint64_t addr, const void *type, uint8_t *to, size_t bytes)
{
	return addr && addr % 8 == 0 && ekka_py_peek(to, addr, bytes, w->trusted) &&
	       word(to, PYOBJECT_TYPE) == (uintptr_t)type;
}

static size_t put_utf8(char *to, uint32_t c)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		c = 0xfffd;		/* undecodable bytes of a file name are lone surrogates */
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* Appends `chars` characters of `kind` bytes each at `addr` to the text as UTF-8. NULL: unreadable, or no room. */
static const char *copy_chars(const struct walk *w, uint64_t addr, uint64_t chars, unsigned kind)
{
	struct ekka_stack *st = w->st;
	char *start = st->text + st->text_len, *to = start;
	const char *end = st->text + sizeof(st->text);
	uint8_t piece[64];

	while (chars) {
		size_t n = chars < sizeof(piece) / kind ? chars : sizeof(piece) / kind;

		if (!ekka_py_peek(piece, addr, n * kind, w->trusted))
			return NULL;
		for (size_t i = 0; i < n; i++) {
			uint32_t c = 0;

			if (end - to < 5)	/* a character and the NUL */
				return NULL;
			memcpy(&c, piece + i * kind, kind);
			to += put_utf8(to, c);
		}
		addr += n * kind;
		chars -= n;
	}
	if (end - to < 1)
		return NULL;
	*to++ = '\0';
	st->text_len += (size_t)(to - start);
	return start;
}

/* The same for ASCII, which nearly every name is: no conversion. */
static const char *copy_ascii(const struct walk *w, uint64_t addr, uint64_t chars)
{
	struct ekka_stack *st = w->st;
	char *to = st->text + st->text_len;

	if (chars >= sizeof(st->text) - st->text_len || !ekka_py_peek(to, addr, chars, w->trusted))
		return NULL;
	to[chars] = '\0';
	st->text_len += chars + 1;
	return to;
}

/* Text of a string object. */
static const char *copy_str(const struct walk *w, uint64_t addr)
{
	uint8_t head[PYSTR_HEADER];
	uint64_t chars;
	unsigned state, kind;

	if (!read_object(w, addr, w->py->str_type, head, sizeof(head)))
		return NULL;
	chars = word(head, PYSTR_LENGTH);
	state = (unsigned)word32(head, PYSTR_STATE) >> w->l->str_kind_shift;
	kind = state & 7;
	if (!(state & 8) || (kind != 1 && kind != 2 && kind != 4) || chars > INT32_MAX)
		return NULL;
	if (chars > MAX_NAME_CHARS)
		chars = MAX_NAME_CHARS;
	if (state & 16)
		return copy_ascii(w, addr + w->l->str_ascii_bytes, chars);
	return copy_chars(w, addr + w->l->str_compact_bytes, chars, kind);
}

static bool find_line(const struct walk *w, const uint8_t *frame, uint64_t code_addr, const uint8_t *code, int32_t *ret_line)
{
	struct ekka_pysource table;
	uint64_t lines_addr = word(code, w->l->code_lines);
	uint8_t head[PYBYTES_DATA];
	int64_t offset;

	if (!read_object(w, lines_addr, w->py->bytes_type, head, sizeof(head)))
		return false;
	/* Field by field: its buffer need not be cleared for every frame. */
	table.addr = lines_addr + PYBYTES_DATA;
	table.bytes = word(head, PYVAR_SIZE);
	table.trusted = w->trusted;
	table.failed = false;
	table.next = table.end = NULL;
	if (table.bytes > MAX_LINES_BYTES)
		return false;
	if (w->l->instr == EKKA_PYINSTR_POINTER)
		offset = (int64_t)(word(frame, w->l->frame_instr) - (code_addr + w->l->code_start));
	else
		offset = word32(frame, w->l->frame_instr) * (w->l->instr == EKKA_PYINSTR_UNITS ? 2 : 1);
	if (offset > INT32_MAX)
		return false;
	return ekka_pylines_find(w->l->lines, &table, word32(code, w->l->code_firstline), offset, ret_line);
}

enum step { STEP_OK, STEP_FULL, STEP_BAD };

/* Adds one frame to the stack. */
static enum step add_frame(struct walk *w, const uint8_t *frame)
{
	struct ekka_stack *st = w->st;
	uint64_t code_addr = word(frame, w->l->frame_code) & ~(uint64_t)7;	/* the low bits are a tag from 3.14 on */
	struct ekka_pyframe *to = &st->py[st->n_py];
	size_t text_before = st->text_len;
	uint8_t code[HEADER_BYTES];
	uint64_t file_addr;

	if (!read_object(w, code_addr, w->py->code_type, code, sizeof(code)) ||
	    !find_line(w, frame, code_addr, code, &to->line))
		return STEP_BAD;
	file_addr = word(code, w->l->code_filename);
	to->file = file_addr == w->last_file ? w->last_file_text : copy_str(w, file_addr);
	to->func = to->file ? copy_str(w, word(code, w->l->code_name)) : NULL;
	if (!to->func) {
		bool full = sizeof(st->text) - text_before < 4 * MAX_NAME_CHARS;

		st->text_len = text_before;
		return full ? STEP_FULL : STEP_BAD;
	}
	w->last_file = file_addr;
	w->last_file_text = to->file;
	st->n_py++;
	return STEP_OK;
}

static bool read_frame(const struct walk *w, uint64_t addr, uint8_t *frame)
{
	if (addr % 8 != 0 || !ekka_py_peek(frame, addr, w->l->frame_bytes, w->trusted))
		return false;
	return w->l->frame_owner != EKKA_PYLAYOUT_NONE || word(frame, PYOBJECT_TYPE) == (uintptr_t)w->py->frame_type;
}

/* Follows the chain from `addr`; sets *ret_whole when it was followed to its end. */
static bool walk_frames(struct walk *w, uint64_t addr, unsigned depth, bool *ret_whole)
{
	uint8_t frame[HEADER_BYTES];

	*ret_whole = false;
	for (unsigned i = 0; addr; i++) {
		enum step step;

		if (w->st->n_py == depth && w->trusted)
			return true;
		if (i == MAX_WALK || !read_frame(w, addr, frame))
			return false;
		addr = word(frame, w->l->frame_back);
		if (w->l->frame_owner != EKKA_PYLAYOUT_NONE && frame[w->l->frame_owner] >= OWNED_BY_C)
			continue;
		if (w->st->n_py == depth)	/* not trusted: only the chain is checked from here on */
			continue;
		step = add_frame(w, frame);
		if (step == STEP_FULL)
			return true;
		if (step == STEP_BAD)
			return false;
	}
	*ret_whole = true;
	return true;
}

bool ekka_pystack_raw_trusted(void)
{
	return atomic_load_explicit(&proven, memory_order_relaxed) >= PROOF_WALKS;
}

bool ekka_pystack_raw(const struct ekka_python *py, void *tstate, struct ekka_stack *st, unsigned depth)
{
	struct walk w = { .py = py, .l = &py->layout, .st = st };
	uint64_t ts = (uintptr_t)tstate, addr, thread;
	bool whole;

	w.trusted = ekka_pystack_raw_trusted();
	if (!ekka_py_peek(&thread, ts + w.l->ts_thread_id, sizeof(thread), w.trusted) || thread != (uint64_t)pthread_self() ||
	    !ekka_py_peek(&addr, ts + w.l->ts_frame, sizeof(addr), w.trusted))
		return false;
	if (w.l->cframe_current != EKKA_PYLAYOUT_NONE && addr &&
	    !ekka_py_peek(&addr, addr + w.l->cframe_current, sizeof(addr), w.trusted))
		return false;
	if (!walk_frames(&w, addr, depth, &whole)) {
		st->n_py = 0;
		return false;
	}
	if (!w.trusted && whole && st->n_py)
		atomic_fetch_add_explicit(&proven, 1, memory_order_relaxed);
	return true;
}
