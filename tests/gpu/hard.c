/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs in bad conditions, most with work in flight. argv[1] is one of `ways`. Exit status 0 when all went as told. Built with VIA_DLSYM too: cuBLAS
 * is then loaded, and unloaded, by hand. Knows nothing of ekkatrace.
 */
#include "tests/gpu/cases.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PRODUCTS = 8 };

cublasHandle_t handle;
cudaStream_t stream;

#ifdef VIA_DLSYM
#define DEFINE(f) __typeof__(f) *via_##f;
CUBLAS_FUNCTIONS(DEFINE)
static void *library;

static void load(void)
{
	library = dlopen("libcublas.so.13", RTLD_NOW | RTLD_LOCAL);
	if (library == NULL)
		exit(77);
#define TAKE(f) *(void **)&via_##f = dlsym(library, #f); MUST(via_##f == NULL);
	CUBLAS_FUNCTIONS(TAKE)
}
#endif

static void start(void)
{
#ifdef VIA_DLSYM
	load();
#endif
	MUST(cudaStreamCreate(&stream));
	MUST(CUBLAS(cublasCreate_v2)(&handle));
	MUST(CUBLAS(cublasSetStream_v2)(handle, stream));
}

static void multiply(const struct product *p)
{
	const float one = 1, zero = 0;

	MUST(CUBLAS(cublasSgemm_v2)(handle, p->ta, p->tb, p->m, p->n, p->k, &one, p->a, p->lda, p->b, p->ldb, &zero, p->c, p->ldc));
}

/* Several products enqueued, none waited for. */
static void enqueue(struct product *p)
{
	*p = (struct product){ .m = 64, .n = 64, .k = 64, .type = CUDA_R_32F, .type_c = CUDA_R_32F, .alpha = 1 };
	product_new(p, 1);
	for (int i = 0; i < PRODUCTS; i++)
		multiply(p);
}

static int right(const struct product *p)
{
	return product_check(p, 1e-4);
}

static int wait_for_all(struct product *p)
{
	return right(p);
}

static int by_exit(struct product *p)
{
	(void)p;
	exit(0);
}

static int by_exit_now(struct product *p)
{
	(void)p;
	_exit(0);
}

static void *leave(void *arg)
{
	(void)arg;
	exit(0);
}

static int by_thread(struct product *p)
{
	pthread_t thread;

	(void)p;
	if (pthread_create(&thread, NULL, leave, NULL) == 0)
		pthread_join(thread, NULL);
	return 1;
}

static void *go_on(void *arg)
{
	struct timespec nap = { .tv_nsec = 50000000 };

	nanosleep(&nap, NULL);
	multiply(arg);
	exit(right(arg));
}

/* The main thread ends, another goes on. */
static int without_main(struct product *p)
{
	static struct product kept;
	pthread_t thread;

	kept = *p;
	if (pthread_create(&thread, NULL, go_on, &kept) != 0)
		return 1;
	pthread_exit(NULL);
}

static int ended_well(pid_t child)
{
	int status;

	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static int fork_child(struct product *p)
{
	pid_t child = fork();

	if (child == 0)
		exit(0); /* with the parent's exit handlers */
	return !ended_well(child) || right(p);
}

/* Nobody has touched CUDA yet: both may. */
static int fork_first(struct product *p)
{
	pid_t child = fork();

	start();
	enqueue(p);
	if (child == 0)
		exit(right(p));
	return right(p) || !ended_well(child);
}

static int reset(struct product *p)
{
	MUST(cudaDeviceReset());
	start();
	enqueue(p);
	return right(p);
}

/* After a while, with new work in flight. */
static int killed(struct product *p)
{
	struct timespec nap = { .tv_nsec = 300000000 };

	nanosleep(&nap, NULL);
	for (int i = 0; i < PRODUCTS; i++)
		multiply(p);
	return raise(SIGKILL);
}

/*
 * All device memory is taken in chunks, each asked for again for a while, as an engine does that can free something; says how many there were.
 * The products still come out.
 */
static int take_all(struct product *p)
{
	enum { TRIES = 200 };
	const size_t chunk = getenv("HARD_CHUNK") ? strtoull(getenv("HARD_CHUNK"), NULL, 10) : (size_t)64 << 20;
	struct timespec nap = { .tv_nsec = 5000000 };
	unsigned n = 0;
	void *q;

	MUST(cudaStreamSynchronize(stream));
	for (unsigned tries = 0; tries < TRIES;) {
		if (cudaMalloc(&q, chunk) == cudaSuccess) {
			n++;
			tries = 0;
			continue;
		}
		(void)cudaGetLastError();
		nanosleep(&nap, NULL);
		tries++;
	}
	printf("chunks %u\n", n);
	for (int i = 0; i < PRODUCTS; i++)
		multiply(p);
	return right(p);
}

/* Refused, and passed on so; then all goes on. */
static int refused(struct product *p)
{
	const float one = 1, zero = 0;

	if (CUBLAS(cublasSgemm_v2)(handle, p->ta, p->tb, -1, p->n, p->k, &one, p->a, p->lda, p->b, p->ldb, &zero, p->c, p->ldc) !=
	    CUBLAS_STATUS_INVALID_VALUE)
		return 1;
	return right(p);
}

/* ---- kernels of our own, on a real GPU -------------------------------- */

static const char trap[] = ".version 7.0\n.target sm_70\n.address_size 64\n.visible .entry trap_here()\n{\n\ttrap;\n\tret;\n}\n";

/* Launches the kernel that traps; 77 where it cannot be loaded: PTX means nothing to the fake machine. */
static int launch_trap(unsigned threads)
{
	void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
	int (*load_data)(void **, const void *), (*get)(void **, void *, const char *);
	int (*launch)(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **, void **);
	void *module, *f;

	if (driver == NULL)
		return 77;
	*(void **)&load_data = dlsym(driver, "cuModuleLoadData");
	*(void **)&get = dlsym(driver, "cuModuleGetFunction");
	*(void **)&launch = dlsym(driver, "cuLaunchKernel");
	if (!load_data || !get || !launch || load_data(&module, trap) != 0 || get(&f, module, "trap_here") != 0)
		exit(77);
	return launch(f, 1, 1, 1, threads, 1, 1, 0, stream, NULL, NULL);
}

/* More threads than a block may have: refused by the driver, and nothing is lost. */
static int illegal(struct product *p)
{
	const int invalid_value = 1;

	return launch_trap(4096) != invalid_value || right(p);
}

/* A kernel that traps: the context is lost, and every call says so from then on. */
static int sticky(struct product *p)
{
	void *q;

	if (right(p) || launch_trap(1) != 0 || cudaStreamSynchronize(stream) == cudaSuccess)
		return 1;
	for (int i = 0; i < PRODUCTS; i++)
		if (cudaMemsetAsync(p->c, 0, 1, stream) == cudaSuccess || cudaMalloc(&q, 1) == cudaSuccess)
			return 1;
	return 0;
}

#ifdef VIA_DLSYM
static int unload(struct product *p)
{
	MUST(CUBLAS(cublasDestroy_v2)(handle));
	MUST(dlclose(library));
	start();
	multiply(p);
	return right(p);
}
#endif

static const struct way { const char *how; int (*run)(struct product *); } ways[] = {
	{ "exit", by_exit }, { "_exit", by_exit_now }, { "thread", by_thread }, { "main", without_main }, { "fork", fork_child },
	{ "fork-first", fork_first }, { "reset", reset }, { "kill", killed }, { "all-memory", take_all }, { "refused", refused }, { "wait", wait_for_all }, { "illegal", illegal }, { "sticky", sticky },
#ifdef VIA_DLSYM
	{ "unload", unload },
#endif
};

int main(int argc, char *argv[])
{
	struct product p;

	for (size_t i = 0; argc > 1 && i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (strcmp(ways[i].how, argv[1]) != 0)
			continue;
		if (ways[i].run != fork_first) {
			start();
			enqueue(&p);
		}
		return ways[i].run(&p);
	}
	return 2;
}
