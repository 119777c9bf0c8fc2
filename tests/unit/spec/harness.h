/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generated wrappers without the rest of the shim: the functions of preload/capture.h as stubs that remember what they
 * were told, and a way to call any function by its row in ekka_fns[]. Single-threaded.
 */
#ifndef EKKA_TESTS_SPEC_HARNESS_H
#define EKKA_TESTS_SPEC_HARNESS_H

#include "preload/capture.h"

/* What the stubs saw of one event, in the order of ekka_call_enter and _enter_part. */
struct seen_event {
	struct ekka_call *call;		/* dead once the wrapper returned */
	struct ekka_call copy;		/* as at ekka_call_begin */
	unsigned begun, ended;		/* position in the sequence of begin, real call, end; 0 never */
	struct ekka_value ret;
	bool has_ret;
};

extern struct seen {
	struct seen_event event[40];
	unsigned n_events;
	unsigned sequence;
	unsigned real_fn_id;		/* of the last ekka_real */
	unsigned n_real;		/* calls of ekka_real */
	unsigned real_called;		/* position in the sequence of the real call */
	const void *caller;
	void *handle;			/* given to ekka_context_cublas */
	uint64_t dropped_parts;
} seen;

/* How the stubs behave; reset by seen_reset. */
extern struct stub_setup {
	bool off;			/* ekka_call_enter is false */
	bool no_describe;
	bool device_pointer_mode;
	void *real;			/* what ekka_real returns */
	void (*on_begin)(struct seen_event *);
	void (*on_end)(struct seen_event *);
} setup;

void seen_reset(void);

/* Attribute by name, or NULL. */
const struct ekka_value *seen_attr(const struct ekka_call *, const char *name);
int64_t seen_attr_int(const struct ekka_call *, const char *name);	/* 0 when absent */
const struct ekka_tensor *seen_tensor(const struct ekka_call *, const char *name);	/* NULL when absent */

/* One machine argument: how it is passed, and its bits. */
struct raw_arg { enum { RAW_WORD, RAW_REAL } how; uint64_t bits; };

enum { RAW_MAX = 44, RAW_STACK_WORDS = 38 };

/* What the callee got, or what the caller got back: registers as they were, and the words above the return address. */
struct raw_frame {
	uint64_t word[6];
	uint64_t real[8];		/* low halves of xmm0 to xmm7 */
	uint64_t stack[RAW_STACK_WORDS];
	uint64_t ret, ret_real[3];	/* rax; xmm0 low, high; xmm1 low */
};

/* Calls fn as the System V ABI for x86-64 says; *ret_frame gets ret and ret_real only. */
void raw_call(void *fn, const struct raw_arg *args, unsigned n, struct raw_frame *ret_frame);

/* A function that takes anything: notes its frame in raw_seen and returns raw_seen.ret and .ret_real. */
void raw_stub(void);
extern struct raw_frame raw_seen;

/* The wrapper of a row, from this program's own dynamic symbols. */
void *wrapper_of(const struct ekka_fn *);

/* Size of a parameter of C type `type` passed by value; 0 for float and double. */
unsigned word_bytes(const char *type);

#endif
