/* SPDX-License-Identifier: Apache-2.0 */
/* How vllm_cases.cu launches on a GPU; the fake machine has another way (tests/fake/vllm.cc). */
#ifndef EKKA_TESTS_GPU_VLLM_LAUNCH_H
#define EKKA_TESTS_GPU_VLLM_LAUNCH_H

static void must(cudaError_t e)
{
	if (e != cudaSuccess) {
		fprintf(stderr, "vllm_cases: %s\n", cudaGetErrorString(e));
		exit(1);
	}
}

static void set_defect(int defect)
{
	must(cudaMemcpyToSymbol(vllm_defect, &defect, sizeof(defect)));
}

/* LAUNCH((kernel), R(types of parameters), grid, block, arguments...) */
#define R(...) void (*)(__VA_ARGS__)
#define LAUNCH(kernel, type, grid, block, ...)                    \
	do {                                                      \
		launch(static_cast<type>kernel, grid, block, __VA_ARGS__); \
		must(cudaGetLastError());                         \
		disarm();                                         \
	} while (0)

template <class... P, class... A>
static void launch(void (*kernel)(P...), dim3 grid, dim3 block, A... arguments)
{
	kernel<<<grid, block>>>((P)arguments...);
}

#endif
