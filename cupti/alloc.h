/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses are live allocations. Zone: inside the host process; any thread; no malloc, no lock to look something up that is known, no
 * lock across a call of the driver.
 *
 * Fed by the driver's entry points (memory_alloc.c). What was allocated before us, by the driver itself or by ways that we do not see is
 * asked for with cuPointerGetAttribute when somebody looks it up, and kept until anything happens that may have ended it. A freed range is gone
 * before the driver gets to free it: an answer may be missing, it is never that of an allocation which was given back before the question.
 */
#ifndef EKKA_CUPTI_ALLOC_H
#define EKKA_CUPTI_ALLOC_H

#include <stdbool.h>
#include <stdint.h>

enum ekka_alloc_kind {
	EKKA_ALLOC_NONE = 0,
	EKKA_ALLOC_DEVICE = 1,		/* also managed memory */
	EKKA_ALLOC_HOST = 2,		/* pinned: allocated or registered */
	EKKA_ALLOC_MAPPED = 3,		/* device memory mapped into a reserved range; neighbours in one reservation count as one */
};

/*
 * The live device allocation that holds addr: its lowest address and its size in bytes. False: none, or pinned host memory; the results are
 * untouched then.
 */
bool ekka_alloc_range(uint64_t addr, uint64_t *ret_start, uint64_t *ret_bytes);

/* The same for pinned host memory too, with what it is. */
enum ekka_alloc_kind ekka_alloc_find(uint64_t addr, uint64_t *ret_start, uint64_t *ret_bytes);

/* As ekka_alloc_range, from what is known alone: the driver is not asked. */
bool ekka_alloc_known(uint64_t addr, uint64_t *ret_start, uint64_t *ret_bytes);

/* A number that is another one after any change of what is allocated. */
uint64_t ekka_alloc_epoch(void);

/* ---- what memory_alloc.c sees ----------------------------------------- */

/* The driver gave [start, start + bytes) out. Nothing for a null address or no bytes. */
void ekka_alloc_add(uint64_t start, uint64_t bytes, enum ekka_alloc_kind kind);

/* Before the driver is asked to free what starts at `start`, and after it answered, whatever it said. */
void ekka_alloc_free_begin(uint64_t start);
void ekka_alloc_free_end(void);

/* Reserved address ranges, and what of them is mapped and may be read. An unmapping is bracketed as a free is. */
void ekka_alloc_reserve(uint64_t start, uint64_t bytes);
void ekka_alloc_unreserve(uint64_t start);
void ekka_alloc_map(uint64_t start, uint64_t bytes);
void ekka_alloc_unmap_begin(uint64_t start, uint64_t bytes);

/* Something may have freed memory that we were only told of (a module unloaded, an IPC handle closed, a graph's own memory). */
void ekka_alloc_forget_learned(void);

/* A context is gone, or this is a forked child. */
void ekka_alloc_forget(void);
void ekka_alloc_fork_child(void);

#endif
