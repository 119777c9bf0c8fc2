/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the rows of spec/cudnn.spec call. Zone: inside the host process (preload/capture.h has its rules). Any thread; a call belongs
 * to its own.
 */
#ifndef EKKA_PRELOAD_CUDNN_H
#define EKKA_PRELOAD_CUDNN_H

#include <cudnn.h>

#include "preload/capture.h"

/* Stream and device, from the handle's getter in the library that the call goes to. */
void ekka_cudnn_context(struct ekka_call *, cudnnHandle_t);

/*
 * cudnnBackendExecute: what the plan computes, on the pointers of the variant pack. Attribute "op" names the reference and "engine"
 * cuDNN's engine; where there is no reference "refused" says why, every tensor is described under the name of its edge, and "graph" is
 * the operation graph as JSON.
 */
void ekka_cudnn_execute(struct ekka_call *, cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t pack);

#endif
