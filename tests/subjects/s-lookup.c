/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to find a function, and to lose it. */
#include "tests/subjects/subject.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

/* Two libraries that export the same name, both RTLD_LOCAL: by module, and by dlsym out of one module. */
static int run_two(struct subject *s)
{
	gemm_fn *p1 = (gemm_fn *)subject_find(subject_env("SUBJECT_PLUGIN1"), "plugin_gemm");
	gemm_fn *p2 = (gemm_fn *)subject_find(subject_env("SUBJECT_PLUGIN2"), "plugin_gemm");
	gemm_fn *d1 = (gemm_fn *)subject_find(subject_env("SUBJECT_TOY1"), "cblas_sgemm");
	gemm_fn *d2 = (gemm_fn *)subject_find(subject_env("SUBJECT_TOY2"), "cblas_sgemm");

	(void)s;
	for (int i = 0; i < 2; i++)
		printf("two: %a %a %a %a\n", (double)subject_gemm(p1, 1), (double)subject_gemm(p2, 1),
		       (double)subject_gemm(d1, 1), (double)subject_gemm(d2, 1));
	return 0;
}

static int run_dispatch(struct subject *s)
{
	gemm_fn *g = (gemm_fn *)subject_find(subject_env("SUBJECT_DISPATCH"), "cblas_sgemm");

	(void)s;
	printf("dispatch: %a\n", (double)subject_gemm(g, 1));
	return 0;
}

/* A library called like cuDNN or cuBLAS gets what it asks for; another module gets what we record. */
static int run_finder(struct subject *s)
{
	for (int i = 0; i < s->argc; i++) {
		void *(*find)(const char *, const char *) =
			(void *(*)(const char *, const char *))subject_find(s->argv[i], "finder_find");
		gemm_fn *g = (gemm_fn *)find(subject_env("SUBJECT_TOY1"), "cblas_sgemm");
		printf("finder: %a\n", (double)subject_gemm(g, 1));
	}
	return 0;
}

/* Functions that no library has: bound weakly, so that the program starts. */
__attribute__((weak)) int cublasSgemm_v2(void *, int, int, int, int, int, const float *, const float *, int, const float *, int, const float *,
					  float *, int);
__attribute__((weak)) void cblas_ssyrk(int, int, int, int, int, float, const float *, int, float, float *, int);

static int run_missing(struct subject *s)
{
	float x = 1;

	for (int i = 0; i < 2; i++)
		printf("cublas: %d\n", cublasSgemm_v2 ? cublasSgemm_v2(NULL, 0, 0, 1, 1, 1, &x, &x, 1, &x, 1, &x, &x, 1) : -1);
	subject_call(s, "after", 1);
	if (s->argc > 0 && cblas_ssyrk)
		cblas_ssyrk(101, 121, 111, 1, 1, 1, &x, 1, 0, &x, 1);
	return 0;
}

/* What dlsym answers for names that are not there, and dlerror after it. */
static int run_absent(struct subject *s)
{
	void *h = dlopen(subject_env("SUBJECT_TOY1"), RTLD_NOW | RTLD_LOCAL);
	const char *text;

	(void)s;
	dlerror();
	printf("handle: %d\n", dlsym(h, "cblas_zgemm") != NULL);
	text = dlerror();
	printf("dlerror: %d\n", text != NULL);
	printf("default: %d\n", dlsym(RTLD_DEFAULT, "cblas_zgemm") != NULL);
	printf("next: %d\n", dlsym(RTLD_NEXT, "cblas_zgemm") != NULL);
	printf("other: %d\n", dlsym(RTLD_DEFAULT, "malloc") != NULL && dlsym(RTLD_NEXT, "malloc") != NULL);
	return 0;
}

/* A module that comes and goes, and another one that may get its addresses. */
static int run_dlclose(struct subject *s)
{
	(void)s;
	for (int i = 0; i < 6; i++) {
		void *h = dlopen(subject_env(i % 2 ? "SUBJECT_PLUGIN2" : "SUBJECT_PLUGIN1"), RTLD_NOW | RTLD_LOCAL);
		gemm_fn *g = h ? (gemm_fn *)dlsym(h, "plugin_gemm") : NULL;
		if (!g)
			return 1;
		printf("dlclose: %a\n", (double)subject_gemm(g, 1));
		if (dlclose(h) != 0)
			return 1;
	}
	return 0;
}

/* A function pointer kept over the dlclose of its library is the program's error; one that was never called is not. */
static int run_reopen(struct subject *s)
{
	(void)s;
	for (int i = 0; i < 4; i++) {
		void *h = dlopen(subject_env("SUBJECT_TOY2"), RTLD_NOW | RTLD_LOCAL);
		gemm_fn *g = h ? (gemm_fn *)dlsym(h, "cblas_sgemm") : NULL;
		if (!g)
			return 1;
		printf("reopen: %a\n", (double)subject_gemm(g, 1));
		dlclose(h);
	}
	return 0;
}

const struct scenario scenarios_lookup[] = {
	{ "two", run_two }, { "dispatch", run_dispatch }, { "finder", run_finder }, { "absent", run_absent }, { "missing", run_missing },
	{ "dlclose", run_dlclose },
	{ "reopen", run_reopen }, { NULL, NULL },
};
