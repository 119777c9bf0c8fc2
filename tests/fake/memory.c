/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocates, copies, fills, maps and waits in every way there is, and checks what arrives. Knows nothing of the shim. memory WAY [SCENARIO]: WAY
 * is linked, dlsym, proc (as a CUDA runtime does it) or proc-thread (with per-thread default streams); SCENARIO is fork, threads or nothing.
 */
#include "config.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cuda.h>

#define API(f)                                                                                                                       \
	f(cuInit) f(cuMemAlloc) f(cuMemFree) f(cuMemcpyHtoD) f(cuMemcpyDtoHAsync) f(cuMemcpyHtoDAsync) f(cuMemcpyDtoDAsync) f(cuMemcpy) \
	f(cuMemcpy2DAsync) f(cuMemcpy3D) f(cuMemsetD8Async) f(cuMemsetD32) f(cuMemsetD2D32Async) f(cuMemAllocAsync) f(cuMemFreeAsync)   \
	f(cuMemAllocPitch) f(cuMemHostAlloc) f(cuMemFreeHost) f(cuMemAddressReserve) f(cuMemAddressFree) f(cuMemCreate) f(cuMemMap)      \
	f(cuMemSetAccess) f(cuMemUnmap) f(cuEventCreate) f(cuEventRecord) f(cuStreamWaitEvent) f(cuStreamCreate)                         \
	f(cuStreamSynchronize) f(cuEventSynchronize) f(cuCtxSynchronize)
#define MEMBER(name) __typeof__(name) *p_##name;
static struct { API(MEMBER) } cu;

enum { N = 1000, ROWS = 6, WIDTH = 20, CHUNK = 1 << 16 };

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
	static CUresult (*get)(const char *, void **, int, cuuint64_t, CUdriverProcAddressQueryResult *);
	void *lib = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL), *p = NULL;
	char base[64];

	must(lib != NULL, "libcuda.so.1");
	if (strcmp(way, "dlsym") == 0)
		return dlsym(lib, symbol);
	if (!get)
		*(void **)&get = dlsym(lib, "cuGetProcAddress_v2");
	(void)snprintf(base, sizeof(base), "%s", symbol);
	if (strlen(base) > 3 && strcmp(base + strlen(base) - 3, "_v2") == 0)
		base[strlen(base) - 3] = '\0';
	OK(get(base, &p, CUDA_VERSION,
	       strcmp(way, "proc-thread") == 0 ? CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM : CU_GET_PROC_ADDRESS_DEFAULT, NULL));
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

static unsigned char *host;	/* pinned */

static int arrives(CUdeviceptr p, size_t bytes, const void *want, CUstream s)
{
	OK(cu.p_cuMemcpyDtoHAsync(host, p, bytes, s));
	OK(cu.p_cuStreamSynchronize(s));
	return memcmp(host, want, bytes) == 0;
}

static void plain(void)
{
	unsigned char want[N];
	CUdeviceptr a, b;

	for (unsigned i = 0; i < N; i++)
		want[i] = (unsigned char)(i * 7);
	OK(cu.p_cuMemAlloc(&a, N));
	OK(cu.p_cuMemAlloc(&b, N));
	OK(cu.p_cuMemcpyHtoD(a, want, N));
	OK(cu.p_cuMemcpyDtoDAsync(b, a + 100, N - 100, NULL));
	must(arrives(b, N - 100, want + 100, NULL), "the bytes in b");
	OK(cu.p_cuMemsetD8Async(b, 0x5a, 10, NULL));
	OK(cu.p_cuMemsetD32(b + 12, 0x01020304, 4));
	memset(want, 0x5a, 10);
	OK(cu.p_cuMemcpy(a, (CUdeviceptr)(uintptr_t)want, 10));
	must(arrives(b, 10, want, NULL) && arrives(a, 10, want, NULL), "the fill");
	must(cu.p_cuMemcpyHtoD(1, want, 5) == CUDA_ERROR_INVALID_VALUE, "a copy to nowhere");
	must(cu.p_cuMemAlloc(&a, (size_t)1 << 60) == CUDA_ERROR_OUT_OF_MEMORY, "too much memory");
	OK(cu.p_cuMemFree(b));
}

/* Two streams, one waiting for the other's event. */
static void ordered(void)
{
	CUstream first, second;
	unsigned want = 0x07070707;
	CUevent event;
	CUdeviceptr p;

	OK(cu.p_cuStreamCreate(&first, CU_STREAM_NON_BLOCKING));
	OK(cu.p_cuStreamCreate(&second, CU_STREAM_NON_BLOCKING));
	OK(cu.p_cuEventCreate(&event, CU_EVENT_DISABLE_TIMING));
	OK(cu.p_cuMemAllocAsync(&p, 4, first));
	OK(cu.p_cuMemsetD8Async(p, 7, 4, first));
	OK(cu.p_cuEventRecord(event, first));
	OK(cu.p_cuStreamWaitEvent(second, event, 0));
	must(arrives(p, 4, &want, second), "what the other stream did");
	OK(cu.p_cuMemFreeAsync(p, second));
	OK(cu.p_cuEventSynchronize(event));
	OK(cu.p_cuCtxSynchronize());
}

static void boxes(void)
{
	unsigned char rows[ROWS * WIDTH], want[3 * 5];
	CUDA_MEMCPY2D up = { .srcMemoryType = CU_MEMORYTYPE_HOST, .srcHost = rows, .srcPitch = WIDTH, .srcXInBytes = 2, .srcY = 1,
			     .dstMemoryType = CU_MEMORYTYPE_DEVICE, .WidthInBytes = 5, .Height = 3 };
	CUDA_MEMCPY3D within = { .srcMemoryType = CU_MEMORYTYPE_UNIFIED, .dstMemoryType = CU_MEMORYTYPE_DEVICE, .WidthInBytes = 5, .Height = 1,
				 .Depth = 3, .srcHeight = 1, .dstHeight = 1, .dstPitch = 5 };
	size_t pitch;
	CUdeviceptr p, q;

	for (unsigned i = 0; i < sizeof(rows); i++)
		rows[i] = (unsigned char)i;
	for (unsigned i = 0; i < sizeof(want); i++)
		want[i] = rows[(1 + i / 5) * WIDTH + 2 + i % 5];
	OK(cu.p_cuMemAllocPitch(&p, &pitch, 5, 3, 4));
	OK(cu.p_cuMemAlloc(&q, sizeof(want)));
	up.dstDevice = p;
	up.dstPitch = pitch;
	OK(cu.p_cuMemcpy2DAsync(&up, NULL));
	OK(cu.p_cuStreamSynchronize(NULL));
	within.srcDevice = p;
	within.srcPitch = pitch;
	within.dstDevice = q;
	OK(cu.p_cuMemcpy3D(&within));
	must(arrives(q, sizeof(want), want, NULL), "the boxes");
	OK(cu.p_cuMemsetD2D32Async(p, pitch, 0xffffffff, 1, 2, NULL));
	OK(cu.p_cuStreamSynchronize(NULL));
	OK(cu.p_cuMemFree(p));
	OK(cu.p_cuMemFree(q));
}

/* Two mappings of one reservation, and what crosses from one into the other. */
static void mapped(void)
{
	const CUmemAccessDesc access = { .location = { .type = CU_MEM_LOCATION_TYPE_DEVICE }, .flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE };
	CUmemGenericAllocationHandle handle;
	unsigned char want[64];
	CUdeviceptr p;

	memset(want, 9, sizeof(want));
	OK(cu.p_cuMemAddressReserve(&p, 4 * CHUNK, 0, 0, 0));
	for (unsigned i = 1; i < 3; i++) {
		OK(cu.p_cuMemCreate(&handle, CHUNK, NULL, 0));
		OK(cu.p_cuMemMap(p + i * CHUNK, CHUNK, 0, handle, 0));
		OK(cu.p_cuMemSetAccess(p + i * CHUNK, CHUNK, &access, 1));
	}
	OK(cu.p_cuMemsetD8Async(p + 2 * CHUNK - 32, 9, 64, NULL));
	must(arrives(p + 2 * CHUNK - 32, 64, want, NULL), "what crosses mappings");
	must(cu.p_cuMemUnmap(p + 3 * CHUNK, CHUNK) == CUDA_ERROR_INVALID_VALUE, "nothing to unmap");
	OK(cu.p_cuMemUnmap(p + CHUNK, 2 * CHUNK));
	OK(cu.p_cuMemAddressFree(p, 4 * CHUNK));
}

/* Four threads allocate, fill, read and free: addresses come back with other sizes in other threads. */
static void *churn(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	CUstream s;

	OK(cu.p_cuInit(0));
	OK(cu.p_cuStreamCreate(&s, CU_STREAM_NON_BLOCKING));
	for (unsigned i = 0; i < 50; i++) {
		size_t bytes = 64 + (size_t)rand_r(&seed) % 4000;
		CUdeviceptr p;

		OK(cu.p_cuMemAlloc(&p, bytes));
		OK(cu.p_cuMemsetD8Async(p, (unsigned char)i, bytes, s));
		OK(cu.p_cuStreamSynchronize(s));
		OK(cu.p_cuMemFree(p));
	}
	return NULL;
}

static void threads(void)
{
	pthread_t thread[4];

	for (uintptr_t i = 0; i < 4; i++)
		must(pthread_create(&thread[i], NULL, churn, (void *)(i + 1)) == 0, "pthread_create");
	for (unsigned i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
}

/* Before CUDA begins, as worker processes are made. */
static void in_child(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		return;
	must(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child");
	puts("fine");
	exit(0);
}

int main(int argc, char **argv)
{
	const char *scenario = argc > 2 ? argv[2] : "";

	resolve(argc > 1 ? argv[1] : "");
	if (strcmp(scenario, "fork") == 0)
		in_child();
	OK(cu.p_cuInit(0));
	OK(cu.p_cuMemHostAlloc((void **)&host, 1 << 16, 0));
	if (strcmp(scenario, "threads") == 0) {
		threads();
	} else {
		plain();
		ordered();
		boxes();
		mapped();
	}
	OK(cu.p_cuMemFreeHost(host));
	puts("fine");
	return 0;
}
