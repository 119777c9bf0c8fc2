/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of the fake machine with work that takes as long as it is told to. For Criterion tests: what does not work ends the test. */
#ifndef EKKA_TESTS_DEVICE_WORK_H
#define EKKA_TESTS_DEVICE_WORK_H

#include <criterion/criterion.h>
#include <time.h>

#include <cuda_runtime_api.h>

#include "tests/fake/fake.h"

enum { MS = 1000000 /* ns */, SHORT = 3 * MS, LONG = 30 * MS };

static inline void sleep_ns(void *arg)
{
	nanosleep(&(struct timespec){ .tv_nsec = *(const long *)arg }, NULL);
}

static inline void work(cudaStream_t stream, long ns)
{
	cr_assert_eq(fake_enqueue(fake_stream_of((CUstream)stream), sleep_ns, &ns, sizeof(ns)), CUDA_SUCCESS);
}

static inline cudaStream_t new_stream(void)
{
	cudaStream_t stream;

	cr_assert_eq(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
	return stream;
}

#endif
