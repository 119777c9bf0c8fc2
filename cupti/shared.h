/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device memory that can be written unseen: at another address (one allocation mapped twice), by another process, by the host. Of such ranges nothing
 * is ever known (preload/versions.h); all others are as before. Zone: inside the host process. Any thread.
 *
 * Mappings are remembered by handle. A handle's value may come to mean another allocation once it was released: cuMemCreate says when. Where the table is
 * full, or a range is not known, nothing is known of any memory from then on.
 */
#ifndef EKKA_CUPTI_SHARED_H
#define EKKA_CUPTI_SHARED_H

#include <stdint.h>

/* The driver gave out a new allocation by this handle; or one that belongs to somebody else too (imported, or exported). */
void ekka_shared_created(uint64_t handle);
void ekka_shared_foreign(uint64_t handle);

/* [addr, addr + bytes) is the allocation's memory from `offset` on, beside where it is already; and no longer. */
void ekka_shared_map(uint64_t handle, uint64_t offset, uint64_t addr, uint64_t bytes);
void ekka_shared_unmap(uint64_t addr, uint64_t bytes);

/* The allocation that is mapped at addr goes by this handle too. */
void ekka_shared_retained(uint64_t handle, uint64_t addr);

/* What holds addr is somebody else's, too. */
void ekka_shared_allocation(uint64_t addr);

/* In a forked child. */
void ekka_shared_fork_child(void);

#endif
