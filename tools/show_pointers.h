/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the words of a launch's raw buffers lead to: those that lay in memory which was allocated when the event happened, by the events of the trace that
 * allocate and free. What the buffer held before the launch is a fact; that it is an array of pointers is a guess.
 */
#ifndef EKKA_TOOLS_SHOW_POINTERS_H
#define EKKA_TOOLS_SHOW_POINTERS_H

#include "trace/reader.h"

enum { EKKA_POINTERS_MAX = 64, EKKA_POINTERS_BYTES = 4096 /* of a buffer that are looked at */ };

struct ekka_pointer {
	unsigned word;			/* 8 bytes each, from the buffer's start */
	uint64_t addr;
	uint64_t owner, offset;		/* the event that allocated the memory, and bytes from its start */
};

/* Those of each tensor of an event: nothing where it is no raw buffer, or its bytes are not there. */
struct ekka_pointers {
	struct { struct ekka_pointer pointer[EKKA_POINTERS_MAX]; unsigned n, more; } tensor[EKKA_MAX_TENSORS];
};

/* Fills *ret. Goes through the events before this one only when there is a word that may be an address. 0, or negative with err filled. */
int ekka_pointers_find(struct ekka_trace *, const struct ekka_event *, struct ekka_pointers *ret, struct ekka_error *err);

#endif
