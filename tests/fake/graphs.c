/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Captures a stream into a graph, launches it, changes it, launches it again, and checks what it computes. Knows nothing of the shim.
 * graphs WAY: linked, dlsym or proc (as a CUDA runtime does it).
 */
#include "config.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cuda.h>

#define API(f)                                                                                                                     \
	f(cuInit) f(cuModuleLoadData) f(cuModuleGetFunction) f(cuMemAlloc) f(cuMemFree) f(cuMemcpyHtoD) f(cuMemcpyDtoHAsync)          \
	f(cuMemsetD8Async) f(cuMemHostAlloc) f(cuLaunchKernel) f(cuStreamCreate) f(cuStreamSynchronize) f(cuEventCreate)              \
	f(cuEventRecord) f(cuStreamBeginCapture) f(cuStreamEndCapture) f(cuGraphInstantiate) f(cuGraphLaunch) f(cuGraphGetNodes)      \
	f(cuGraphExecKernelNodeSetParams) f(cuGraphNodeSetEnabled) f(cuGraphExecDestroy) f(cuGraphDestroy)
#define MEMBER(name) __typeof__(name) *p_##name;
static struct { API(MEMBER) } cu;

extern const void *const launches_image;	/* launches_image.c: kernel scale(float *, float, int) */

enum { N = 100, NODES = 4 };
static CUfunction scale;
static CUdeviceptr x, y, z;
static float *host;
static CUstream s;

static void must(int ok, const char *what)
{
	if (!ok) {
		printf("WRONG: %s\n", what);
		exit(1);
	}
}
#define OK(call) must((call) == CUDA_SUCCESS, #call)

#ifdef LINKED
#define TAKE(name) cu.p_##name = name;
#else
static void *find(const char *way, const char *symbol)
{
	CUresult (*get)(const char *, void **, int, cuuint64_t, CUdriverProcAddressQueryResult *);
	void *lib = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL), *p = NULL;
	char base[64];

	must(lib != NULL, "libcuda.so.1");
	if (strcmp(way, "dlsym") == 0)
		return dlsym(lib, symbol);
	*(void **)&get = dlsym(lib, "cuGetProcAddress_v2");
	(void)snprintf(base, sizeof(base), "%s", symbol);
	if (strlen(base) > 3 && strcmp(base + strlen(base) - 3, "_v2") == 0)
		base[strlen(base) - 3] = '\0';
	OK(get(base, &p, CUDA_VERSION, CU_GET_PROC_ADDRESS_DEFAULT, NULL));
	return p;
}
#define SYMBOL(name) #name
#define TAKE(name) *(void **)&cu.p_##name = find(way, SYMBOL(name)); must(cu.p_##name != NULL, #name);
#endif

static void resolve(const char *way)
{
	(void)way;
	API(TAKE)
}

static float first(CUdeviceptr p)
{
	OK(cu.p_cuMemcpyDtoHAsync(host, p, N * sizeof(float), s));
	OK(cu.p_cuStreamSynchronize(s));
	must(host[0] == host[N - 1], "all elements alike");
	return host[0];
}

static void launch_packed(CUdeviceptr p, float f)
{
	struct { CUdeviceptr x; float f; int n; } block = { p, f, N };
	size_t bytes = sizeof(block);

	OK(cu.p_cuLaunchKernel(scale, 2, 1, 1, 64, 1, 1, 0, s, NULL,
			       (void *[]){ CU_LAUNCH_PARAM_BUFFER_POINTER, &block, CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes, CU_LAUNCH_PARAM_END }));
}

static CUgraph captured(CUevent event)
{
	CUgraph graph;
	float two = 2;
	int n = N;

	OK(cu.p_cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_GLOBAL));
	OK(cu.p_cuLaunchKernel(scale, 2, 1, 1, 64, 1, 1, 16, s, (void *[]){ &x, &two, &n }, NULL));
	launch_packed(y, 3);
	OK(cu.p_cuMemsetD8Async(z, 1, N, s));
	OK(cu.p_cuEventRecord(event, s));
	OK(cu.p_cuStreamEndCapture(s, &graph));
	return graph;
}

int main(int argc, char **argv)
{
	CUgraphNode nodes[NODES];
	CUDA_KERNEL_NODE_PARAMS change = { .gridDimX = 4, .gridDimY = 1, .gridDimZ = 1, .blockDimX = 32, .blockDimY = 1, .blockDimZ = 1 };
	size_t n_nodes = NODES;
	CUgraphExec exec;
	CUmodule module;
	CUgraph graph;
	CUevent event;
	float five = 5;
	int n = N;

	resolve(argc > 1 ? argv[1] : "");
	OK(cu.p_cuInit(0));
	OK(cu.p_cuModuleLoadData(&module, launches_image));
	OK(cu.p_cuModuleGetFunction(&scale, module, "_Z5scalePffi"));
	OK(cu.p_cuStreamCreate(&s, CU_STREAM_DEFAULT));
	OK(cu.p_cuEventCreate(&event, CU_EVENT_DISABLE_TIMING));
	OK(cu.p_cuMemHostAlloc((void **)&host, N * sizeof(float), 0));
	OK(cu.p_cuMemAlloc(&x, N * sizeof(float)));
	OK(cu.p_cuMemAlloc(&y, N * sizeof(float)));
	OK(cu.p_cuMemAlloc(&z, N));
	for (unsigned i = 0; i < N; i++)
		host[i] = 1;
	OK(cu.p_cuMemcpyHtoD(x, host, N * sizeof(float)));
	OK(cu.p_cuMemcpyHtoD(y, host, N * sizeof(float)));
	graph = captured(event);
	must(first(x) == 1 && first(y) == 1, "nothing ran yet");
	OK(cu.p_cuGraphInstantiate(&exec, graph, 0));
	OK(cu.p_cuGraphLaunch(exec, s));
	OK(cu.p_cuGraphLaunch(exec, s));
	must(first(x) == 4 && first(y) == 9, "two launches");
	OK(cu.p_cuGraphGetNodes(graph, nodes, &n_nodes));
	must(n_nodes == NODES, "four nodes");
	change.func = scale;
	change.kernelParams = (void *[]){ &x, &five, &n };
	OK(cu.p_cuGraphExecKernelNodeSetParams(exec, nodes[0], &change));
	OK(cu.p_cuGraphNodeSetEnabled(exec, nodes[1], 0));
	OK(cu.p_cuGraphLaunch(exec, s));
	must(first(x) == 20 && first(y) == 9, "a changed node, one that is off");
	OK(cu.p_cuMemFree(y));
	OK(cu.p_cuGraphLaunch(exec, s));
	must(first(x) == 100, "without what is freed");
	OK(cu.p_cuGraphExecDestroy(exec));
	OK(cu.p_cuGraphInstantiate(&exec, graph, 0));
	OK(cu.p_cuGraphDestroy(graph));
	OK(cu.p_cuGraphExecDestroy(exec));
	puts("fine");
	return 0;
}
