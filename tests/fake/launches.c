/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Launches kernels in every way there is and checks what they compute. Knows nothing of the shim.
 * launches WAY [SCENARIO]: WAY is linked, dlsym, proc (as a CUDA runtime does it) or proc-thread (with per-thread default streams);
 * SCENARIO is "profile" (somebody subscribes to CUPTI half-way), "bytes", "arrays" or "often" (launches_bytes.c), "random" (launches_random.c), or nothing.
 */
#include "config.h"

#include "tests/fake/launches.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cupti.h>

struct launches_api cu;

enum { N = 100 };
static CUfunction scale;
static CUdeviceptr x;
static unsigned seen_by_profiler;

void must(int ok, const char *what)
{
	if (!ok) {
		printf("WRONG: %s\n", what);
		exit(1);
	}
}

static void *find(const char *way, const char *symbol)
{
	static CUresult (*get)(const char *, void **, int, cuuint64_t, CUdriverProcAddressQueryResult *);
	void *lib = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL), *p = NULL;

	must(lib != NULL, "libcuda.so.1");
	if (strcmp(way, "dlsym") == 0)
		return dlsym(lib, symbol);
	if (!get) {
		*(void **)&get = dlsym(lib, "cuGetProcAddress_v2");
		OK(get("cuGetProcAddress", &p, CUDA_VERSION, CU_GET_PROC_ADDRESS_DEFAULT, NULL));
		*(void **)&get = p;
	}
	char base[64];
	(void)snprintf(base, sizeof(base), "%s", symbol);
	if (strlen(base) > 3 && strcmp(base + strlen(base) - 3, "_v2") == 0)
		base[strlen(base) - 3] = '\0';
	OK(get(base, &p, CUDA_VERSION,
	       strcmp(way, "proc-thread") == 0 ? CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM : CU_GET_PROC_ADDRESS_DEFAULT, NULL));
	return p;
}

static void resolve(const char *way)
{
#ifdef LINKED
	(void)way, (void)find;
#define TAKE(name) cu.p_##name = name;
#else
#define SYMBOL(name) #name
#define TAKE(name) *(void **)&cu.p_##name = find(way, SYMBOL(name)); must(cu.p_##name != NULL, #name);
#endif
	API(TAKE)
}

static float first(void)
{
	static float *v;

	if (!v)
		OK(cu.p_cuMemHostAlloc((void **)&v, sizeof(*v), 0));
	OK(cu.p_cuMemcpyDtoHAsync(v, x, sizeof(*v), NULL));
	OK(cu.p_cuStreamSynchronize(NULL));
	return *v;
}

static void launch_scale(float f)
{
	int n = N;

	OK(cu.p_cuLaunchKernel(scale, 2, 3, 1, 64, 1, 1, 128, NULL, (void *[]){ &x, &f, &n }, NULL));
}

static void launch_in_library(void)
{
	launch_scale(1);
}

static void launch_packed(float f)
{
	struct { CUdeviceptr x; float f; int n; } block = { x, f, N };
	size_t bytes = sizeof(block);

	OK(cu.p_cuLaunchKernel(scale, 2, 1, 1, 64, 1, 1, 0, NULL, NULL,
			       (void *[]){ CU_LAUNCH_PARAM_BUFFER_POINTER, &block, CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes, CU_LAUNCH_PARAM_END }));
}

static void launch_ex(CUfunction f, float factor)
{
	CUlaunchAttribute attr[2] = { { .id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION, .value = { .clusterDim = { 2, 1, 1 } } },
				      { .id = CU_LAUNCH_ATTRIBUTE_COOPERATIVE, .value = { .cooperative = 1 } } };
	CUlaunchConfig config = { .gridDimX = 4, .gridDimY = 1, .gridDimZ = 1, .blockDimX = 32, .blockDimY = 1, .blockDimZ = 1,
				  .sharedMemBytes = 7, .attrs = attr, .numAttrs = 2 };
	int n = N;

	OK(cu.p_cuLaunchKernelEx(&config, f, (void *[]){ &x, &factor, &n }, NULL));
}

/* Parameters that are no plain numbers, too large, too many; and a launch that fails. */
static void launch_odd(CUmodule module)
{
	static struct big big = { { 1, 2, 3 } };
	struct odd odd = { -1, 1.5f, "abc" };
	long l = -2;
	unsigned char c = 200;
	int numbers[50];
	void *pointers[50];
	CUfunction f;

	for (int i = 0; i < 50; i++)
		numbers[i] = i, pointers[i] = &numbers[i];
	OK(cu.p_cuModuleGetFunction(&f, module, "_Z3odd3oddlh"));
	OK(cu.p_cuLaunchCooperativeKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, (void *[]){ &odd, &l, &c }));
	must(cu.p_cuLaunchCooperativeKernel(f, 0, 1, 1, 1, 1, 1, 0, NULL, (void *[]){ &odd, &l, &c }) == CUDA_ERROR_INVALID_VALUE,
	     "an empty grid");
	OK(cu.p_cuModuleGetFunction(&f, module, "_Z3big3big"));
	OK(cu.p_cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, (void *[]){ &big }, NULL));
	OK(cu.p_cuModuleGetFunction(&f, module, "_Z5fiftyi"));
	OK(cu.p_cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, pointers, NULL));
}

static void CUPTIAPI on_call(void *user, CUpti_CallbackDomain domain, CUpti_CallbackId id, const void *data)
{
	(void)user, (void)domain, (void)id;
	seen_by_profiler += ((const CUpti_CallbackData *)data)->callbackSite == CUPTI_API_ENTER;
}

static void profile(void)
{
	void *lib = dlopen("libcupti.so.13", RTLD_NOW | RTLD_LOCAL);
	CUptiResult (*subscribe)(CUpti_SubscriberHandle *, CUpti_CallbackFunc, void *);
	CUptiResult (*enable)(uint32_t, CUpti_SubscriberHandle, CUpti_CallbackDomain, CUpti_CallbackId);
	CUpti_SubscriberHandle handle;

	must(lib != NULL, "libcupti.so.13");
	*(void **)&subscribe = dlsym(lib, "cuptiSubscribe");
	*(void **)&enable = dlsym(lib, "cuptiEnableCallback");
	must(subscribe(&handle, on_call, NULL) == CUPTI_SUCCESS, "cuptiSubscribe");
	must(enable(1, handle, CUPTI_CB_DOMAIN_DRIVER_API, CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel) == CUPTI_SUCCESS, "cuptiEnableCallback");
	launch_scale(1);
	must(seen_by_profiler == 1, "the profiler sees one launch");
}

/* The other module's kernels get handles that had another meaning: the first by its code alone. */
static void reload(CUmodule module)
{
	CUfunction old = scale, f;
	CUmodule other;
	void *image = malloc(launches_other_bytes);

	must(image != NULL, "memory");
	memcpy(image, launches_other_image, launches_other_bytes);
	OK(cu.p_cuStreamSynchronize(NULL));
	OK(cu.p_cuModuleUnload(module));
	OK(cu.p_cuModuleLoadData(&other, image));
	memset(image, 'x', launches_other_bytes);	/* it is the program's, loaded or not */
	free(image);
	OK(cu.p_cuModuleGetFunction(&f, other, "_Z5scalePffi"));
	must(f == old, "the handle is used again");
	scale = f;
	launch_scale(1);
	OK(cu.p_cuModuleGetFunction(&f, other, "_Z5otherPf"));
	OK(cu.p_cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, (void *[]){ &x }, NULL));
}

void inside_library(void (*f)(void))
{
	void *lib = dlopen("libcblas-launches.so", RTLD_NOW | RTLD_LOCAL);
	void (**hook)(void);
	float (*dot)(int, const float *, int, const float *, int), v = 0;

	must(lib != NULL, "libcblas-launches.so");
	*(void **)&hook = dlsym(lib, "launch_from_library");
	*(void **)&dot = dlsym(lib, "cblas_sdot");
	*hook = f;
	(void)dot(1, &v, 1, &v, 1);
}

int main(int argc, char **argv)
{
	CUmodule module;
	CUlibrary library;
	CUkernel kernel;

	resolve(argc > 1 ? argv[1] : "");
	OK(cu.p_cuInit(0));
	OK(cu.p_cuModuleLoadData(&module, launches_image));
	if (argc > 2 && strcmp(argv[2], "profile") != 0) {
		static const struct { const char *name; void (*run)(CUmodule); } scenarios[] = {
			{ "bytes", launch_bytes }, { "arrays", launch_arrays }, { "random", launch_random }, { "often", launch_often },
		};
		for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
			if (strcmp(argv[2], scenarios[i].name) == 0)
				scenarios[i].run(module);
		puts("fine");
		return 0;
	}
	OK(cu.p_cuModuleGetFunction(&scale, module, "_Z5scalePffi"));
	OK(cu.p_cuMemAlloc(&x, N * sizeof(float)));
	OK(cu.p_cuMemsetD8Async(x, 0x3f, N * sizeof(float), NULL));
	float start = first();
	launch_scale(2);
	launch_packed(3);
	launch_ex(scale, 5);
	OK(cu.p_cuLibraryLoadData(&library, launches_image, NULL, NULL, 0, NULL, NULL, 0));
	OK(cu.p_cuLibraryGetKernel(&kernel, library, "_Z5scalePffi"));
	launch_ex((CUfunction)kernel, 7);
	must(first() == start * 2 * 3 * 5 * 7, "the product");
	launch_odd(module);
	inside_library(launch_in_library);
	if (argc > 2 && strcmp(argv[2], "profile") == 0)
		profile();
	reload(module);
	OK(cu.p_cuStreamSynchronize(NULL));
	puts("fine");
	return 0;
}
