/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Staged bytes on their way to the host, over their context's side stream. Zone: inside the host process; sink thread only.
 *
 * A copy over the bus takes as long as some hundred kilobytes do, most copies are small, and they lie in the slab in the order in which the sink
 * wants them: those that lie behind the first one and are complete come along in the same transfer. They wait in a buffer of their own, which is not
 * filled again before the last of them has left.
 */
#ifndef EKKA_PRELOAD_CUDA_FETCH_H
#define EKKA_PRELOAD_CUDA_FETCH_H

#include "preload/cuda_copy.h"

/*
 * Brings a copy's bytes from its slab to copy->host, and gives its place in the slab back: its mark has passed, its context is current. NULL, or why they
 * are not there (static text). Waits, bounded, for room only when patient.
 */
const char *ekka_cuda_fetch(const struct ekka_cuda_driver *, struct ekka_cuda_copy *copy, bool patient);

/* Divides the pinned memory of the sink, `bytes` at `slab`, into buffers for transfers of several and of single copies. With ekka_cuda_lock held. */
void ekka_cuda_fetch_set_up(char *slab, uint64_t bytes);

/* Gives back what the fetch took of pinned memory. With ekka_cuda_lock held. */
void ekka_cuda_fetch_release(struct ekka_cuda_copy *copy);

#endif
