/* SPDX-License-Identifier: Apache-2.0 */
/* Launches whose bytes are worth looking at. Knows nothing of the shim. */
#include "config.h"

#include "tests/fake/launches.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { N = 200, SKIP = 64, STEPS = 12, OFTEN = 100, THREADS = 256, KIB = 1 << 10 };
static CUfunction axpb;
static CUstream stream;
static CUdeviceptr x;		/* inside an allocation */

static void step(unsigned threads, CUresult want)
{
	float a = 1, b = 1;
	int n = N;

	must(cu.p_cuLaunchKernel(axpb, 1, 1, 1, threads, 1, 1, 0, stream, (void *[]){ &x, &x, &a, &b, &n }, NULL) == want, "a step");
}

static void step_in_library(void)
{
	step(THREADS, CUDA_SUCCESS);
}

static void set_up(CUmodule module)
{
	OK(cu.p_cuModuleGetFunction(&axpb, module, "_Z4axpbPfPKfffi"));
	OK(cu.p_cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	OK(cu.p_cuMemAlloc(&x, (SKIP + N) * sizeof(float)));
	x += SKIP * sizeof(float);
	OK(cu.p_cuMemsetD8Async(x, 0, N * sizeof(float), stream));
}

/* x is `want` everywhere, once all is done. */
static void check(float want)
{
	static float *v;

	if (!v)
		OK(cu.p_cuMemHostAlloc((void **)&v, N * sizeof(float), 0));
	OK(cu.p_cuMemcpyDtoHAsync(v, x, N * sizeof(float), stream));
	OK(cu.p_cuStreamSynchronize(stream));
	for (int i = 0; i < N; i++)
		must(v[i] == want, "the sum");
}

/* Two buffers in one allocation, one of them given twice; one in a structure, larger than any cap; host and managed memory. */
static void launch_paint(CUmodule module)
{
	CUdeviceptr small, large, managed, host;
	CUfunction f;

	OK(cu.p_cuModuleGetFunction(&f, module, "_Z5paintPcS_3boxPvS1_"));
	OK(cu.p_cuMemAlloc(&small, 8 * KIB));
	OK(cu.p_cuMemAlloc(&large, 64 * KIB));
	OK(cu.p_cuMemAllocManaged(&managed, KIB, CU_MEM_ATTACH_GLOBAL));
	OK(cu.p_cuMemHostAlloc((void **)&host, KIB, 0));
	OK(cu.p_cuMemsetD8Async(small, 9, 8 * KIB, stream));
	OK(cu.p_cuMemsetD8Async(large, 9, 64 * KIB, stream));
	CUdeviceptr second = small + 5 * KIB;
	struct box box;

	memset(&box, 0, sizeof(box));	/* what an earlier call left in the padding may look like an address */
	box.n = 1;
	box.p = large;
	box.q = small;
	OK(cu.p_cuLaunchKernel(f, 1, 1, 1, THREADS, 1, 1, 0, stream, (void *[]){ &small, &second, &box, &host, &managed }, NULL));
}

static void launch_many(CUmodule module)
{
	struct many many;
	CUdeviceptr p;
	CUfunction f;

	OK(cu.p_cuModuleGetFunction(&f, module, "_Z4many4many"));
	OK(cu.p_cuMemAlloc(&p, 20 * KIB));
	OK(cu.p_cuMemsetD8Async(p, 0, 20 * KIB, stream));
	for (unsigned i = 0; i < 20; i++)
		many.p[i] = p + (uint64_t)i * KIB;
	OK(cu.p_cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, stream, (void *[]){ &many }, NULL));
}

/* What lies before x: that x begins there was seen. */
static void launch_refused(CUmodule module)
{
	CUdeviceptr before = x - SKIP * sizeof(float);
	CUfunction f;

	OK(cu.p_cuModuleGetFunction(&f, module, "_Z6refusePf"));
	OK(cu.p_cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, stream, (void *[]){ &before }, NULL));
}

/* What is captured holds the kernel and nothing else. */
static void launch_captured(void)
{
	CUgraph graph = NULL;
	size_t nodes = 0;

	OK(cu.p_cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
	step(THREADS, CUDA_SUCCESS);
	OK(cu.p_cuStreamEndCapture(stream, &graph));
	OK(cu.p_cuGraphGetNodes(graph, NULL, &nodes));
	must(nodes == 1, "one node");
}

static void *other_thread(void *arg)
{
	step(THREADS, CUDA_SUCCESS);
	inside_library(step_in_library);
	step(THREADS, CUDA_SUCCESS);
	return arg;
}

void launch_bytes(CUmodule module)
{
	pthread_t thread;

	set_up(module);
	for (int i = 0; i < STEPS; i++)
		step(THREADS, CUDA_SUCCESS);
	launch_paint(module);
	launch_many(module);
	launch_refused(module);
	launch_captured();
	step(2048, CUDA_ERROR_INVALID_VALUE);
	inside_library(step_in_library);
	must(pthread_create(&thread, NULL, other_thread, NULL) == 0 && pthread_join(thread, NULL) == 0, "a thread");
	check(STEPS + 4);
}

/* An array of pointers that the host sends, sends one of again, of which one is freed, and that is overwritten. */
void launch_arrays(CUmodule module)
{
	enum { ITEMS = 3 };
	CUdeviceptr item[ITEMS], array, from, other = 0;
	CUfunction f;
	int n = ITEMS, none = 0;

	set_up(module);
	OK(cu.p_cuModuleGetFunction(&f, module, "_Z7throughPPfi"));
	OK(cu.p_cuMemAlloc(&array, KIB));
	for (int i = 0; i < ITEMS; i++) {
		OK(cu.p_cuMemAlloc(&item[i], (size_t)(i + 1) * KIB));
		OK(cu.p_cuMemsetD8Async(item[i], 9, (size_t)(i + 1) * KIB, stream));
	}
	from = array + 8;
	OK(cu.p_cuMemcpyHtoD(from, item, sizeof(item)));
	OK(cu.p_cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, stream, (void *[]){ &from, &n }, NULL));
	OK(cu.p_cuStreamSynchronize(stream));
	OK(cu.p_cuMemcpyHtoD(from + 8, &other, sizeof(other)));
	OK(cu.p_cuMemFree(item[2]));	/* its address stays in the array */
	OK(cu.p_cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, stream, (void *[]){ &from, &none }, NULL));
	OK(cu.p_cuMemsetD8Async(array, 0, KIB, stream));
	OK(cu.p_cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, stream, (void *[]){ &from, &none }, NULL));
	OK(cu.p_cuStreamSynchronize(stream));
}

void launch_often(CUmodule module)
{
	set_up(module);
	for (int i = 0; i < OFTEN; i++)
		step(THREADS, CUDA_SUCCESS);
	check(OFTEN);
}
