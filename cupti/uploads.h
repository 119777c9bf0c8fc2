/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses that the host has sent to the device lately: what a kernel's parameter points to may be an array of pointers, which nobody can read in time but where it
 * came from. Zone: inside the host process. Any thread; no allocation; memory is bounded, the oldest are forgotten.
 *
 * It is what recorded copies tell. A kernel may have written others there since, so an answer is a place to look at, not a fact: the array's own bytes are the fact.
 */
#ifndef EKKA_CUPTI_UPLOADS_H
#define EKKA_CUPTI_UPLOADS_H

#include <stdint.h>

enum { EKKA_UPLOADS = 1024 /* words kept */, EKKA_UPLOAD_BYTES = 4096 /* of a copy that are looked at */ };

/* A copy, a fill or anything else writes [addr, addr + bytes) of device memory: what was known there is not known any more. */
void ekka_uploads_wrote(uint64_t addr, uint64_t bytes);

/* Such a copy comes from host memory at src: its words that lie in live device memory are kept. After ekka_uploads_wrote of it. */
void ekka_uploads_note(uint64_t dst, uint64_t src, uint64_t bytes);

/* Calls `found` for each word kept of [addr, addr + bytes), lowest first: it lies `at` bytes behind addr. */
void ekka_uploads_find(uint64_t addr, uint64_t bytes, void (*found)(void *arg, uint64_t at, uint64_t word), void *arg);

void ekka_uploads_fork_child(void);

#endif
