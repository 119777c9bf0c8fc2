/* SPDX-License-Identifier: Apache-2.0 */
/* What the descriptions of cuDNN's legacy calls share: descriptors as tensors. Zone: inside the host process. Belongs to one call. */
#ifndef EKKA_PRELOAD_CUDNN_LEGACY_H
#define EKKA_PRELOAD_CUDNN_LEGACY_H

#include <cudnn.h>

#include "preload/cudnn_getters.h"

/* A tensor descriptor's content; dtype -1: it could not be read, or cannot be described. */
struct ekka_cudnn_view { int dtype; unsigned n; int64_t dim[EKKA_MAX_DIMS], stride[EKKA_MAX_DIMS]; };

void ekka_cudnn_view_read(struct ekka_call *, cudnnTensorDescriptor_t, struct ekka_cudnn_view *ret);
void ekka_cudnn_view_filter(struct ekka_call *, cudnnFilterDescriptor_t, struct ekka_cudnn_view *ret);	/* [K, C/g, ...] */

/* Gives `v` the dims of `to`, stride 0 where it has 1. False when they do not fit. */
bool ekka_cudnn_view_broadcast(struct ekka_cudnn_view *v, const struct ekka_cudnn_view *to);

/* Describes it; an INOUT and an IN are wanted before the call, an OUT and an INOUT behind it. False when it cannot be described. */
bool ekka_cudnn_view_add(struct ekka_call *, const char *name, enum ekka_dir, const struct ekka_cudnn_view *, const void *p);

/* alpha or beta: f64 for f64 tensors, f32 otherwise, on the host. False when it cannot be read. */
bool ekka_cudnn_factor(int dtype, const void *p, double *ret);

/* Says which op it is, or why none. */
void ekka_cudnn_op(struct ekka_call *, const char *op, const char *why);

#endif
