/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Python frames of the calling thread, private to preload/stack.c. Zone: inside the host process.
 *
 * NumPy and PyTorch release the GIL around their BLAS calls, so "the thread holds the GIL" is false where it matters. Hence two ways:
 *
 * - preload/pystack_raw.c reads the interpreter's own structures, with or without the GIL, for the CPython versions whose layouts
 *   are known. It creates no object and changes no reference count. First choice.
 * - preload/pystack_api.c asks the stable C API; only with the GIL, for every other version. It creates frame objects, which
 *   can start a garbage collection in CPython up to 3.11; that is why it is the second choice.
 */
#ifndef EKKA_PRELOAD_PYSTACK_H
#define EKKA_PRELOAD_PYSTACK_H

#include "preload/stack.h"

#include <stdbool.h>
#include <sys/types.h>

/* How a version numbers the instruction that a frame is at. */
enum ekka_pyinstr {
	EKKA_PYINSTR_BYTES,		/* int: offset in bytes (3.8, 3.9) */
	EKKA_PYINSTR_UNITS,		/* int: offset in 2-byte units (3.10) */
	EKKA_PYINSTR_POINTER,		/* address within the code object (3.11 on) */
};

/* Encodings of the line table of a code object. */
enum ekka_pylines {
	EKKA_PYLINES_LNOTAB,		/* 3.8, 3.9: address and line steps */
	EKKA_PYLINES_RANGES,		/* 3.10: ranges with line steps, PEP 626 */
	EKKA_PYLINES_LOCATIONS,		/* 3.11 on: locations with columns, PEP 657 */
};

enum { EKKA_PYLAYOUT_NONE = 0xffff };

/* Offsets in bytes within CPython's structures on 64-bit Linux. */
struct ekka_pylayout {
	uint16_t ts_thread_id, ts_frame;	/* PyThreadState */
	uint16_t cframe_current;		/* ts_frame points to a _PyCFrame with the frame here; NONE: to the frame itself */
	uint16_t frame_code, frame_back, frame_instr;
	uint16_t frame_owner;			/* byte; NONE: the frame is an object and its type is checked instead */
	uint16_t frame_bytes;			/* to read of it */
	uint16_t code_filename, code_name, code_firstline, code_lines;
	uint16_t code_start;			/* first instruction; unused unless `instr` is POINTER */
	uint16_t str_ascii_bytes;		/* header of an ASCII string */
	uint16_t str_compact_bytes;		/* header of any other compact string */
	uint16_t str_kind_shift;		/* of the 3-bit kind in the string's state, followed by `compact` and `ascii` */
	enum ekka_pyinstr instr;
	enum ekka_pylines lines;
};

/*
 * Finds the layout for what Py_GetVersion() said ("3.12.3 (main, ..."); `runtime` is the address of _PyRuntime or NULL.
 * False for versions, builds (free-threaded) and offsets that are not known to be right.
 */
bool ekka_pylayout_find(const char *version, const void *runtime, struct ekka_pylayout *ret_layout);

/* What is needed of a loaded interpreter. */
struct ekka_python {
	void *(*this_thread_state)(void);	/* PyGILState_GetThisThreadState: needs no GIL */
	void *(*current_thread_state)(void);	/* the state that holds the GIL; NULL when that cannot be asked */
	bool raw;				/* `layout` and the types are valid */
	struct ekka_pylayout layout;
	const void *frame_type, *code_type, *str_type, *bytes_type;
	bool api;				/* the functions below are valid */
	void *(*frame_of)(void *tstate);
	void *(*frame_back)(void *frame);
	void *(*frame_code)(void *frame);
	int (*frame_line)(void *frame);
	void *(*get_attr)(void *object, const char *name);
	const char *(*as_utf8)(void *str, ssize_t *ret_len);
	void (*dec_ref)(void *object);
	void (*err_fetch)(void **type, void **value, void **traceback);
	void (*err_restore)(void *type, void *value, void *traceback);
};

/* Adds at most `depth` Python frames to *st; none when no interpreter is loaded or they cannot be read safely. Any thread. */
void ekka_pystack_capture(struct ekka_stack *st, unsigned depth);

/* Says that objects were loaded since: an interpreter may be among them. Any thread. */
void ekka_pystack_objects_changed(void);

/*
 * Mixes into *h what tells the thread's `depth` innermost Python frames from others; true when there are none, too. False: there is no telling but by
 * ekka_pystack_capture. Any thread.
 */
bool ekka_pystack_key(unsigned depth, uint64_t *h);

/* Borrowed: the interpreter of this process, or NULL while none was found. Any thread. */
const struct ekka_python *ekka_pystack_python(void);

/* The two ways. `tstate` is the calling thread's state. False, with *st->n_py 0, when the frames could not be read. */
bool ekka_pystack_raw(const struct ekka_python *, void *tstate, struct ekka_stack *st, unsigned depth);
bool ekka_pystack_api(const struct ekka_python *, void *tstate, struct ekka_stack *st, unsigned depth);

/* Has the layout been proven right, so that reads are direct: then the first way's frames have a key, unless something is not as it should be. */
bool ekka_pystack_raw_trusted(void);
bool ekka_pystack_raw_key(const struct ekka_python *, void *tstate, unsigned depth, uint64_t *h);

/*
 * Reading within this process: a source is the `bytes` bytes at `addr`. `trusted` reads them where they are; otherwise they
 * are copied in small pieces, and a bad address ends the read.
 */
struct ekka_pysource {
	uint64_t addr, bytes;		/* not yet in the window */
	bool trusted, failed;
	const uint8_t *next, *end;	/* the window */
	uint8_t buf[128];
};
bool ekka_py_peek(void *to, uint64_t from, size_t bytes, bool trusted);

/*
 * Source line of the instruction `offset` bytes into the code, from the line table that `table` reads. 0 when the table has no
 * line for it; false when the table is damaged.
 */
bool ekka_pylines_find(enum ekka_pylines, struct ekka_pysource *table, int firstline, int64_t offset, int32_t *ret_line);

/* Copies `bytes` bytes and a NUL into st->text and returns them, or NULL when they do not fit. */
char *ekka_stack_text(struct ekka_stack *st, const char *bytes, size_t n);

#endif
