/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/subjects/subject.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *subject_env(const char *name)
{
	const char *v = getenv(name);

	if (!v) {
		fprintf(stderr, "%s is not set\n", name);
		exit(99);
	}
	return v;
}

void *subject_find(const char *library, const char *symbol)
{
	void *h = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	void *p = h ? dlsym(h, symbol) : NULL;

	if (!p) {
		fprintf(stderr, "%s\n", dlerror());
		exit(99);
	}
	return p;
}

float subject_gemm(gemm_fn *gemm, unsigned seed)
{
	static __thread float a[N * N], b[N * N], c[N * N];
	float sum = 0;

	for (int i = 0; i < N * N; i++) {
		seed = seed * 1664525u + 1013904223u;
		a[i] = (float)(seed >> 20) / 4096;
		b[i] = (float)(seed >> 9 & 1023) / 1024;
		c[i] = 1;
	}
	gemm(101, 111, 111, N, N, N, 1.5f, a, N, b, N, 0.5f, c, N);
	for (int i = 0; i < N * N; i++)
		sum += c[i];
	return sum;
}

void subject_call(struct subject *s, const char *name, unsigned seed)
{
	printf("%s: %a\n", name, (double)subject_gemm(s->gemm, seed));
	fflush(stdout);
}

static void find_gemm(struct subject *s)
{
#ifdef LINKED
	s->gemm = cblas_sgemm;
	s->hook = &toy_hook;
#else
	if (strcmp(s->mode, "local") == 0)
		s->gemm = (gemm_fn *)subject_find(subject_env("SUBJECT_PLUGIN1"), "plugin_gemm");
	else
		s->gemm = (gemm_fn *)subject_find(subject_env("SUBJECT_TOY1"), "cblas_sgemm");
	s->hook = (int (**)(void))subject_find(subject_env("SUBJECT_TOY1"), "toy_hook");
#endif
}

int main(int argc, char **argv)
{
	const struct scenario *const groups[] = { scenarios_basic, scenarios_process, scenarios_hostile, scenarios_lookup };
	struct subject s = { .program = argv[0], .mode = argc > 1 ? argv[1] : "", .argc = argc - 3, .argv = argv + 3 };

	if (argc < 3)
		return 99;
	find_gemm(&s);
	for (unsigned g = 0; g < sizeof(groups) / sizeof(groups[0]); g++)
		for (const struct scenario *sc = groups[g]; sc->name; sc++)
			if (strcmp(sc->name, argv[2]) == 0)
				return sc->run(&s);
	fprintf(stderr, "no scenario '%s'\n", argv[2]);
	return 99;
}
