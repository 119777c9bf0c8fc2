/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was put into variant packs: a finalized one does not give it back. Zone: inside the host process.
 *
 * Seen by the wrappers of cudnnBackendSetAttribute and cudnnBackendDestroyDescriptor. Packs live for one call as a rule; of more
 * than a few hundred at a time the oldest are forgotten, and their calls are recorded without tensors. Thread-safe.
 */
#ifndef EKKA_PRELOAD_CUDNN_PACK_H
#define EKKA_PRELOAD_CUDNN_PACK_H

#include <stdbool.h>
#include <stdint.h>

#include <cudnn.h>

enum { EKKA_CUDNN_PACK_TENSORS = 64 };

struct ekka_cudnn_pack {
	int64_t uid[EKKA_CUDNN_PACK_TENSORS];
	const void *pointer[EKKA_CUDNN_PACK_TENSORS];
	unsigned n_uids, n_pointers;
	const void *workspace;
	bool too_many;			/* more tensors than fit */
	bool overridden;		/* shapes other than the plan's */
};

/* An attribute was set, with success. Only those of variant packs are kept. */
void ekka_cudnn_pack_set(const void *descriptor, int name, int64_t count, const void *elements);

/* The descriptor begins a new life. */
void ekka_cudnn_pack_forget(const void *descriptor);

/* False when nothing is known of it. */
bool ekka_cudnn_pack_get(const void *descriptor, struct ekka_cudnn_pack *ret);

/* Pointer of a tensor; false when the pack has none of that id. */
bool ekka_cudnn_pack_pointer(const struct ekka_cudnn_pack *, int64_t uid, const void **ret);

#endif
