/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a kernel launch costs its caller, on the fake machine (tests/fake), where a kernel does nothing. Built as a program,
 * bench-launch LAUNCHES ROUNDS, and as a library, so that Python may call bench_launch from as deep as an engine does.
 */
#include "config.h"

#include "bench/bench.h"
#include "bench/launches.h"
#include "tests/fake/fake.h"

#include <dlfcn.h>
#include <stdio.h>

/* A bf16 sum of 2048 elements, as a decoder layer has many: PyTorch's name, parameters and memory. */
enum { ELEMENTS = 2048, BUFFERS = 64, THREADS = 128 };
static const char name[] = "_ZN2at6native29vectorized_elementwise_kernelILi8ENS0_15CUDAFunctor_addIN3c108BFloat16EEESt5arrayIPcLm3EEEEviT0_T1_";

static void nothing(const void *block, uint64_t threads)
{
	(void)block, (void)threads;
}

static const struct fake_kernel kernel = { name, nothing, 3, { { 0, 4 }, { 4, 4 }, { 8, 24 } } };
static const struct fake_image image = { FAKE_MAGIC, &kernel, 1 };

static struct {
	__typeof__(cuInit) *init;
	__typeof__(cuModuleLoadData) *load;
	__typeof__(cuModuleGetFunction) *get;
	__typeof__(cuMemAlloc) *alloc;
	__typeof__(cuMemsetD8Async) *set;
	__typeof__(cuStreamSynchronize) *wait;
	__typeof__(cuLaunchKernel) *launch;
} cu;
static CUfunction function;
static CUdeviceptr memory;

static void check(CUresult res, const char *what)
{
	if (res == CUDA_SUCCESS)
		return;
	fprintf(stderr, "bench-launch: %s: %d\n", what, res);
	exit(1);
}

/* As a CUDA runtime gets its entry points. */
static void find(void *ret, const char *symbol)
{
	static CUresult (*get)(const char *, void **, int, cuuint64_t, CUdriverProcAddressQueryResult *);

	if (!get)
		*(void **)&get = dlsym(dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL), "cuGetProcAddress_v2");
	check(get ? get(symbol, ret, CUDA_VERSION, CU_GET_PROC_ADDRESS_DEFAULT, NULL) : CUDA_ERROR_NOT_FOUND, symbol);
}

static void set_up(void)
{
	CUmodule module;

	find(&cu.init, "cuInit");
	find(&cu.load, "cuModuleLoadData");
	find(&cu.get, "cuModuleGetFunction");
	find(&cu.alloc, "cuMemAlloc");
	find(&cu.set, "cuMemsetD8Async");
	find(&cu.wait, "cuStreamSynchronize");
	find(&cu.launch, "cuLaunchKernel");
	check(cu.init(0), "cuInit");
	check(cu.load(&module, &image), "cuModuleLoadData");
	check(cu.get(&function, module, name), "cuModuleGetFunction");
	check(cu.alloc(&memory, BUFFERS * ELEMENTS * 2), "cuMemAlloc");
	check(cu.set(memory, 0, BUFFERS * ELEMENTS * 2, NULL), "cuMemsetD8Async");
}

static CUdeviceptr buffer(long i)
{
	return memory + (uint64_t)(i % BUFFERS) * ELEMENTS * 2;
}

/* Each reads what the last one wrote, and something that nothing wrote since. */
static void launch(long i)
{
	struct { int32_t n; float alpha; uint64_t p[3]; } block = { ELEMENTS, 1, { buffer(2 * i + 2), buffer(2 * i), buffer(1) } };

	check(cu.launch(function, ELEMENTS / THREADS / 8, 1, 1, THREADS, 1, 1, 0, NULL,
			(void *[]){ &block.n, &block.alpha, block.p }, NULL), "cuLaunchKernel");
}

double bench_launch(long launches, long rounds)
{
	double *ns = calloc((size_t)rounds, sizeof(*ns)), median;

	if (!ns)
		return 0;
	if (!cu.launch)
		set_up();
	for (long r = -1; r < rounds; r++) {	/* one to warm up */
		uint64_t start = bench_ns(CLOCK_MONOTONIC);

		for (long i = 0; i < launches; i++)
			launch(i);
		if (r >= 0)
			ns[r] = (double)(bench_ns(CLOCK_MONOTONIC) - start) / (double)launches;
		check(cu.wait(NULL), "cuStreamSynchronize");
	}
	median = bench_median(ns, (size_t)rounds);
	free(ns);
	return median;
}
