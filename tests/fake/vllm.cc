/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/gpu/vllm_cases.cu for the fake machine: what its kernels take for CUDA, and how it launches them. A kernel is a function of this program, known to the
 * machine under its own mangled name.
 */
#include "config.h"

#include <dlfcn.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <tuple>
#include <utility>

#include <cuda.h>
#include <cuda_runtime_api.h>
#undef __global__
#undef __device__
#undef __host__
#define __global__
#define __device__
#define __host__

extern "C" {
#include "tests/fake/fake.h"
}

static thread_local dim3 gridDim, blockDim, blockIdx, threadIdx;

static void must(cudaError_t e)
{
	if (e != cudaSuccess) {
		fprintf(stderr, "vllm: error %d\n", (int)e);
		exit(1);
	}
}

/* What the kernel finds behind a pointer is where the machine keeps it. */
template <class T> static T reached(T x) { return x; }
template <class T> static T *reached(T *p) { return p ? (T *)fake_bytes((uint64_t)p) : p; }

template <auto K> struct kernel;
template <class... P, void (*K)(P...)>
struct kernel<K> {
	static constexpr unsigned n = sizeof...(P);
	static struct fake_kernel it;
	static struct fake_image image;

	/* Offsets as a compiler lays a parameter block out. */
	static void lay_out(void)
	{
		const unsigned bytes[n] = { (unsigned)sizeof(P)... };
		unsigned at = 0;

		for (unsigned i = 0; i < n; i++) {
			at = (at + bytes[i] - 1) / bytes[i] * bytes[i];
			it.param[i].offset = at;
			it.param[i].bytes = bytes[i];
			at += bytes[i];
		}
	}

	template <class T>
	static T parameter(const void *block, unsigned i)
	{
		T x;

		memcpy(&x, (const char *)block + it.param[i].offset, sizeof(x));
		return reached(x);
	}

	template <size_t... i>
	static void call(const void *block, std::index_sequence<i...>)
	{
		K(parameter<P>(block, i)...);
	}

	static void run(const void *block, uint64_t threads)
	{
		const struct fake_shape *s = fake_shape();

		gridDim = dim3(s->grid[0], s->grid[1], s->grid[2]);
		blockDim = dim3(s->block[0], s->block[1], s->block[2]);
		for (uint64_t t = 0; t < threads; t++) {
			uint64_t rest = t;

			threadIdx.x = (unsigned)(rest % blockDim.x), rest /= blockDim.x;
			threadIdx.y = (unsigned)(rest % blockDim.y), rest /= blockDim.y;
			threadIdx.z = (unsigned)(rest % blockDim.z), rest /= blockDim.z;
			blockIdx.x = (unsigned)(rest % gridDim.x), rest /= gridDim.x;
			blockIdx.y = (unsigned)(rest % gridDim.y), rest /= gridDim.y;
			blockIdx.z = (unsigned)rest;
			call(block, std::index_sequence_for<P...>());
		}
	}

	static CUfunction handle(void)
	{
		static const struct fake_fatbin fatbin = FAKE_FATBIN(&image);
		static CUfunction f;
		CUmodule module;
		Dl_info info;

		if (f)
			return f;
		if (!dladdr((void *)K, &info) || !info.dli_sname || info.dli_saddr != (void *)K)
			abort();	/* the program's symbols are not exported */
		it.name = info.dli_sname;
		it.run = run;
		it.n_params = n;
		lay_out();
		memcpy(image.magic, FAKE_MAGIC, sizeof(image.magic));
		image.kernel = &it;
		image.n_kernels = 1;
		must((cudaError_t)cuModuleLoadData(&module, &fatbin));
		must((cudaError_t)cuModuleGetFunction(&f, module, it.name));
		return f;
	}

	template <class... A>
	static void launch(dim3 grid, dim3 block, A... arguments)
	{
		std::tuple<std::remove_const_t<P>...> values{ (P)arguments... };
		void *pointers[n];

		std::apply([&](auto &...v) { unsigned i = 0; ((pointers[i++] = (void *)&v), ...); }, values);
		must((cudaError_t)cuLaunchKernel(handle(), grid.x, grid.y, grid.z, block.x, block.y, block.z, 0, NULL, pointers, NULL));
	}
};
template <class... P, void (*K)(P...)> struct fake_kernel kernel<K>::it;
template <class... P, void (*K)(P...)> struct fake_image kernel<K>::image;

#define R(...) void (*)(__VA_ARGS__)
#define LAUNCH(k, type, grid, block, ...)                                              \
	do {                                                                           \
		kernel<static_cast<type>k>::launch(grid, block, __VA_ARGS__);          \
		disarm();                                                              \
	} while (0)
static void set_defect(int defect);
static void disarm(void);
#include "tests/gpu/vllm_cases.cu"

static void set_defect(int defect)
{
	must(cudaDeviceSynchronize());
	vllm_defect = defect;
}
