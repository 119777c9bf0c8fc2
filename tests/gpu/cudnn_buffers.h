/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers of cuDNN's subjects: random numbers on the host and the device; and what a subject's cases are. */
#ifndef EKKA_TESTS_GPU_CUDNN_BUFFERS_H
#define EKKA_TESTS_GPU_CUDNN_BUFFERS_H

#include "tests/gpu/cudnn_graph.h"
#include "tests/gpu/number.h"

struct buffer { cudaDataType type; int64_t n; void *host, *device; };

/* n random numbers between -1 and 1; released by buffers_release. */
struct buffer buffer_new(cudaDataType type, int64_t n);
void buffer_fetch(struct buffer *);
double buffer_at(const struct buffer *, int64_t i);
/* Overwrites one, on both sides. */
void buffer_set(struct buffer *, int64_t i, double v);
/* A list that ends with NULL. */
void buffers_release(struct buffer **);
#define RELEASE(...) buffers_release((struct buffer *[]){ __VA_ARGS__, NULL })

cudnnDataType_t cudnn_type(cudaDataType type);

/* 1 and a line on stderr where they differ. */
int compare(const char *what, double got, double want, double tolerance);

/* One case: positive when it computed something wrong, -1 when there is no engine for it here. Lists end without name. */
struct cudnn_case { const char *name; int (*run)(const void *what); const void *what; };
extern const struct cudnn_case attention_cases[], convolution_cases[], row_cases[], product_cases[];

#endif
