/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcuda.so.1: the driver's entry points, as far as anybody here needs them. Each is counted and may be made to fail.
 */
#include "config.h"

#include "tests/fake/fake.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRIES_MAX = 256 };

static struct { const char *symbol; atomic_ulong calls; } entries[ENTRIES_MAX];
static atomic_uint n_entries;
static atomic_bool shut_down, active;
static atomic_ullong context_id = 1;
enum { BELOW_MAX = 8 };
static __thread CUcontext current, below[BELOW_MAX];	/* below: the thread's stack under it */
static __thread unsigned n_below;
static char the_context; /* its address serves as handle */

#define CONTEXT ((CUcontext)&the_context)

/* The CUresult that EKKA_TEST_FAKE_FAIL asks for. */
static CUresult injected(const char *symbol)
{
	const char *spec = getenv("EKKA_TEST_FAKE_FAIL");
	size_t len = strlen(symbol);

	for (; spec != NULL && *spec != 0; spec = strchr(spec, ','), spec += spec != NULL)
		if (strncmp(spec, symbol, len) == 0 && spec[len] == '=')
			return (CUresult)atoi(spec + len + 1);
	return CUDA_SUCCESS;
}

__thread bool fake_from_runtime;

CUresult fake_enter(const char *symbol)
{
	unsigned i, n = n_entries;

	if (fake_from_runtime)
		return CUDA_SUCCESS;
	for (i = 0; i < n && entries[i].symbol != symbol; i++)
		;
	if (i == n) {
		i = atomic_fetch_add(&n_entries, 1);
		if (i >= ENTRIES_MAX)
			abort();
		entries[i].symbol = symbol; /* two threads at once make two lines of one symbol: the reader adds up */
	}
	entries[i].calls++;
	return shut_down ? CUDA_ERROR_DEINITIALIZED : injected(symbol);
}

static struct { atomic_long now, peak; } held[2];

void fake_hold(enum fake_kind kind, long bytes)
{
	unsigned i = kind == FAKE_PINNED;
	long now = fake_from_runtime ? 0 : atomic_fetch_add(&held[i].now, bytes) + bytes;

	if (now > held[i].peak)
		held[i].peak = now;
}

static void __attribute__((destructor)) report(void)
{
	const char *path = getenv("EKKA_TEST_FAKE_REPORT");
	FILE *f = path != NULL ? fopen(path, "w") : NULL;

	if (f == NULL)
		return;
	for (unsigned i = 0; i < n_entries; i++)
		fprintf(f, "%s %lu\n", entries[i].symbol, (unsigned long)entries[i].calls);
	fprintf(f, "peak-device %ld\npeak-pinned %ld\n", (long)held[0].peak, (long)held[1].peak);
	fclose(f);
}

unsigned long fake_calls(const char *symbol)
{
	unsigned long calls = 0;

	for (unsigned i = 0; i < n_entries; i++)
		if (strcmp(entries[i].symbol, symbol) == 0)
			calls += entries[i].calls;
	return calls;
}

/* The real driver, too, is gone before the libraries' destructors run. */
static void at_exit(void)
{
	shut_down = true;
}

void fake_make_current(void)
{
	if (!atomic_exchange(&active, true))
		(void)atexit(at_exit);
	if (current == NULL)
		current = CONTEXT;
}

void fake_reset(void)
{
	fake_synchronize_all();
	fake_free_device_memory();
	context_id++;
	current = NULL;
}

/* In both forms: the runtime asks for the older one. */
#undef cuDevicePrimaryCtxReset
#define RESET(symbol)                             \
	FAKE_EXPORT CUresult symbol(CUdevice device) \
	{                                         \
		ENTER(symbol);                    \
		(void)device;                     \
		fake_reset();                     \
		return CUDA_SUCCESS;              \
	}
CUresult cuDevicePrimaryCtxReset(CUdevice device);
RESET(cuDevicePrimaryCtxReset)
RESET(cuDevicePrimaryCtxReset_v2)

/* ---- contexts, devices ------------------------------------------------ */

FAKE_EXPORT CUresult cuCtxGetCurrent(CUcontext *ctx)
{
	ENTER(cuCtxGetCurrent);
	*ctx = current;
	return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuCtxPushCurrent(CUcontext ctx)
{
	ENTER(cuCtxPushCurrent);
	if (n_below == BELOW_MAX)
		return CUDA_ERROR_INVALID_VALUE;
	below[n_below++] = current;
	current = ctx;
	return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuCtxPopCurrent(CUcontext *ctx)
{
	ENTER(cuCtxPopCurrent);
	*ctx = current;
	current = n_below > 0 ? below[--n_below] : NULL;
	return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuCtxGetId(CUcontext ctx, unsigned long long *id)
{
	ENTER(cuCtxGetId);
	(void)ctx;
	*id = context_id;
	return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuCtxGetDevice(CUdevice *device)
{
	ENTER(cuCtxGetDevice);
	if (current == NULL)
		return CUDA_ERROR_INVALID_CONTEXT;
	*device = 0;
	return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuDeviceGet(CUdevice *device, int ordinal)
{
	ENTER(cuDeviceGet);
	*device = ordinal;
	return ordinal == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

FAKE_EXPORT CUresult cuDeviceGetName(char *name, int len, CUdevice device)
{
	ENTER(cuDeviceGetName);
	(void)device;
	snprintf(name, (size_t)len, "Fake GPU");
	return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device)
{
	ENTER(cuDeviceGetAttribute);
	(void)device;
	*value = attribute == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR ? 9 : 0;
	return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned *flags, int *ret_active)
{
	ENTER(cuDevicePrimaryCtxGetState);
	(void)device;
	*flags = 0;
	*ret_active = active;
	return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuDevicePrimaryCtxRetain(CUcontext *ctx, CUdevice device)
{
	ENTER(cuDevicePrimaryCtxRetain);
	(void)device;
	*ctx = CONTEXT;
	return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuDriverGetVersion(int *version)
{
	ENTER(cuDriverGetVersion);
	*version = CUDA_VERSION;
	return CUDA_SUCCESS;
}

/* ---- memory ----------------------------------------------------------- */

FAKE_EXPORT CUresult cuMemGetInfo(size_t *ret_free, size_t *ret_total)
{
	ENTER(cuMemGetInfo);
	fake_memory_info(ret_free, ret_total);
	return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuMemAlloc(CUdeviceptr *p, size_t bytes)
{
	ENTER(cuMemAlloc);
	UNSAFE();
	*p = fake_alloc(FAKE_DEVICE, bytes);
	fake_hold(FAKE_DEVICE, *p != 0 ? (long)bytes : 0);
	return *p != 0 ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

FAKE_EXPORT CUresult cuMemFree(CUdeviceptr p)
{
	ENTER(cuMemFree);
	fake_synchronize_all();
	return fake_free(p) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

FAKE_EXPORT CUresult cuMemHostAlloc(void **p, size_t bytes, unsigned flags)
{
	ENTER(cuMemHostAlloc);
	UNSAFE();
	(void)flags;
	const char *most = getenv("EKKA_TEST_FAKE_PINNED");	/* bytes in one piece */

	if (most != NULL && bytes > strtoull(most, NULL, 10))
		return CUDA_ERROR_OUT_OF_MEMORY;
	*p = (void *)fake_alloc(FAKE_PINNED, bytes);
	fake_hold(FAKE_PINNED, (long)bytes);
	return *p != NULL ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

FAKE_EXPORT CUresult cuMemAllocManaged(CUdeviceptr *p, size_t bytes, unsigned flags)
{
	ENTER(cuMemAllocManaged);
	UNSAFE();
	(void)flags;
	*p = fake_alloc(FAKE_MANAGED, bytes);
	return *p != 0 ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

static CUresult pointer_attribute(void *data, CUpointer_attribute attribute, CUdeviceptr p)
{
	uint64_t start = 0, bytes = 0;
	enum fake_kind kind = fake_range_of(p, &start, &bytes);

	if (kind == FAKE_NONE)
		return CUDA_ERROR_INVALID_VALUE;
	switch ((int)attribute) {
	case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
		*(CUmemorytype *)data = kind == FAKE_PINNED ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_IS_MANAGED:
		*(unsigned *)data = kind == FAKE_MANAGED;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
		*(CUdeviceptr *)data = start;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_RANGE_SIZE:
		*(size_t *)data = bytes;
		return CUDA_SUCCESS;
	default:
		return CUDA_ERROR_INVALID_VALUE;
	}
}

FAKE_EXPORT CUresult cuPointerGetAttribute(void *data, CUpointer_attribute attribute, CUdeviceptr p)
{
	ENTER(cuPointerGetAttribute);
	return pointer_attribute(data, attribute, p);
}

/* What is not known is zero, and no error. */
FAKE_EXPORT CUresult cuPointerGetAttributes(unsigned n, CUpointer_attribute *which, void **data, CUdeviceptr p)
{
	ENTER(cuPointerGetAttributes);
	for (unsigned i = 0; i < n; i++) {
		uint64_t value = 0;
		size_t bytes = which[i] == CU_POINTER_ATTRIBUTE_RANGE_START_ADDR || which[i] == CU_POINTER_ATTRIBUTE_RANGE_SIZE ? 8 : 4;

		(void)pointer_attribute(&value, which[i], p);
		memcpy(data[i], &value, bytes);
	}
	return CUDA_SUCCESS;
}

struct copy { uint64_t dst, src; size_t bytes; };

static void do_copy(void *arg)
{
	const struct copy *c = arg;

	memcpy(fake_bytes(c->dst), fake_bytes(c->src), c->bytes);
}

static CUresult copy(uint64_t dst, uint64_t src, size_t bytes, CUstream stream)
{
	struct copy c = { dst, src, bytes };

	if (!fake_from_runtime && (fake_kind_of(dst, bytes) == FAKE_NONE || fake_kind_of(src, bytes) == FAKE_NONE))
		return CUDA_ERROR_INVALID_VALUE;	/* the runtime takes any host memory */
	return fake_enqueue(fake_stream_of(stream), do_copy, &c, sizeof(c));
}

FAKE_EXPORT CUresult cuMemcpyAsync(CUdeviceptr dst, CUdeviceptr src, size_t bytes, CUstream stream)
{
	ENTER(cuMemcpyAsync);
	return copy(dst, src, bytes, stream);
}

FAKE_EXPORT CUresult cuMemcpyDtoDAsync(CUdeviceptr dst, CUdeviceptr src, size_t bytes, CUstream stream)
{
	ENTER(cuMemcpyDtoDAsync);
	return copy(dst, src, bytes, stream);
}

FAKE_EXPORT CUresult cuMemcpyDtoHAsync(void *dst, CUdeviceptr src, size_t bytes, CUstream stream)
{
	ENTER(cuMemcpyDtoHAsync);
	struct copy c = { (uint64_t)dst, src, bytes };
	CUresult res;

	if (fake_from_runtime || fake_kind_of(c.dst, bytes) != FAKE_NONE)
		return copy(c.dst, src, bytes, stream);
	if (fake_kind_of(src, bytes) == FAKE_NONE)
		return CUDA_ERROR_INVALID_VALUE;
	/* Ordinary memory: the caller waits. */
	res = fake_enqueue(fake_stream_of(stream), do_copy, &c, sizeof(c));
	if (res == CUDA_SUCCESS)
		fake_stream_synchronize(fake_stream_of(stream));
	return res;
}

struct set { uint64_t dst; int value; size_t bytes; };

static void do_set(void *arg)
{
	const struct set *s = arg;

	memset(fake_bytes(s->dst), s->value, s->bytes);
}

FAKE_EXPORT CUresult cuMemsetD8Async(CUdeviceptr dst, unsigned char value, size_t bytes, CUstream stream)
{
	struct set s = { dst, value, bytes };

	ENTER(cuMemsetD8Async);
	if (fake_kind_of(dst, bytes) == FAKE_NONE)
		return CUDA_ERROR_INVALID_VALUE;
	return fake_enqueue(fake_stream_of(stream), do_set, &s, sizeof(s));
}

/* ---- streams, events -------------------------------------------------- */

FAKE_EXPORT CUresult cuStreamCreate(CUstream *stream, unsigned flags)
{
	ENTER(cuStreamCreate);
	*stream = fake_stream_new((flags & CU_STREAM_NON_BLOCKING) == 0);
	return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuStreamGetCtx(CUstream stream, CUcontext *ctx)
{
	ENTER(cuStreamGetCtx);
	*ctx = CONTEXT;
	return fake_stream_of(stream) != NULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

FAKE_EXPORT CUresult cuStreamIsCapturing(CUstream stream, CUstreamCaptureStatus *status)
{
	ENTER(cuStreamIsCapturing);
	return fake_capture_status(fake_stream_of(stream), status);
}

FAKE_EXPORT CUresult cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode *mode)
{
	ENTER(cuThreadExchangeStreamCaptureMode);
	*mode = fake_exchange_mode(*mode);
	return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuEventCreate(CUevent *event, unsigned flags)
{
	ENTER(cuEventCreate);
	(void)flags;
	*event = (CUevent)fake_event_new();
	return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuEventRecord(CUevent event, CUstream stream)
{
	ENTER(cuEventRecord);
	return fake_event_record((struct fake_event *)event, fake_stream_of(stream));
}

FAKE_EXPORT CUresult cuEventQuery(CUevent event)
{
	ENTER(cuEventQuery);
	UNSAFE();
	return fake_event_query((struct fake_event *)event);
}

FAKE_EXPORT CUresult cuEventElapsedTime(float *ms, CUevent start, CUevent end)
{
	ENTER(cuEventElapsedTime);
	return fake_event_elapsed((struct fake_event *)start, (struct fake_event *)end, ms);
}

/* Here so that the report can show that nobody calls them. */
FAKE_EXPORT CUresult cuEventSynchronize(CUevent event)
{
	ENTER(cuEventSynchronize);
	while (fake_event_query((struct fake_event *)event) == CUDA_ERROR_NOT_READY)
		;
	return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuStreamSynchronize(CUstream stream)
{
	ENTER(cuStreamSynchronize);
	fake_stream_synchronize(fake_stream_of(stream));
	return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuCtxSynchronize(void)
{
	ENTER(cuCtxSynchronize);
	fake_synchronize_all();
	return CUDA_SUCCESS;
}
