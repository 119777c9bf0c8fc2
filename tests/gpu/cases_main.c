/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/gpu/cases.h"

#include <stdio.h>
#include <string.h>

cublasHandle_t handle;
cudaStream_t stream;

#ifdef VIA_DLSYM
#include <dlfcn.h>

#define DEFINE(f) __typeof__(f) *via_##f;
CUBLAS_FUNCTIONS(DEFINE)
#undef DEFINE

static void look_up(void)
{
	void *lib = dlopen("libcublas.so.13", RTLD_NOW | RTLD_LOCAL);

	must(lib == NULL, "dlopen libcublas.so.13", __FILE__, __LINE__);
#define LOOK_UP(f)                                   \
	*(void **)&via_##f = dlsym(lib, #f);         \
	must(via_##f == NULL, #f, __FILE__, __LINE__);
	CUBLAS_FUNCTIONS(LOOK_UP)
#undef LOOK_UP
}
#else
static void look_up(void)
{
}
#endif

static int wanted(const char *name, int argc, char *argv[])
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return 1;
	return argc < 2;
}

int cases_main(int argc, char *argv[])
{
	int wrong = 0;

	look_up();
	MUST(cudaStreamCreate(&stream));
	MUST(CUBLAS(cublasCreate_v2)(&handle));
	MUST(CUBLAS(cublasSetStream_v2)(handle, stream));
	for (size_t i = 0; i < n_cases; i++) {
		int bad;

		if (!wanted(cases[i].name, argc, argv))
			continue;
		bad = cases[i].run();
		printf("%s %s\n", bad ? "WRONG" : "ok", cases[i].name);
		fflush(stdout);
		wrong += bad;
	}
	MUST(CUBLAS(cublasDestroy_v2)(handle));
	return wrong;
}

#ifndef AS_PLUGIN
int main(int argc, char *argv[])
{
	return cases_main(argc, argv) != 0;
}
#endif
