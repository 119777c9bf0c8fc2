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

enum { EKKA_CUDNN_SPATIAL = 3 };	/* dims of windows */

/* A list of numbers as an attribute's text, "1,2". `text`: which of three places it is kept in, until the call is written down. */
void ekka_cudnn_list(struct ekka_call *, const char *name, unsigned text, const int *item, int n);

extern const char ekka_cudnn_unreadable[];	/* why: a tensor's descriptor cannot be read */

/* Says which op it is, or why none. */
void ekka_cudnn_op(struct ekka_call *, const char *op, const char *why);

#endif
