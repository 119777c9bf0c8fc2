/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver that is wrong once. Preloaded behind the shim (LD_PRELOAD="libekkatrace.so libfaulty-launch.so") it stands between the
 * shim's entry points and the driver's, with EKKA_LAUNCHES=driver, and alters one launch after it was recorded: the kernel runs with
 * other parameters than the engine passed, not at all, or has its output spoiled.
 *
 * FAULTY_KERNEL  part of the kernel's mangled name
 * FAULTY_CALL    which of its launches, from 1
 * FAULTY_DO      what to do, one or more of these between commas, PARAM a parameter's number, OFFSET bytes into it:
 *                  set PARAM OFFSET TYPE VALUE      TYPE u8 i32 i64 f32
 *                  add PARAM OFFSET TYPE VALUE
 *                  mul PARAM OFFSET TYPE VALUE
 *                  skip                             the kernel does not run
 *                  fill PARAM OFFSET AT BYTES VALUE after it: BYTES bytes from AT behind the address at PARAM OFFSET become VALUE
 * FAULTY_LOG     file that gets the kernel's name once it struck
 */
#include "config.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CUDA_ENABLE_DEPRECATED
#include <cuda.h>

#undef cuGetProcAddress
#define EXPORT __attribute__((visibility("default")))

enum { PARAMS = 64, BLOCK = 8192 };

static void *(*next_dlsym)(void *, const char *);
static atomic_uint n_matching;

__attribute__((constructor)) static void find_dlsym(void)
{
	*(void **)&next_dlsym = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.34");
	if (!next_dlsym)
		*(void **)&next_dlsym = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5");
}

/* A function of the driver that is loaded. */
static void *driver(const char *name)
{
	void *lib = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);

	return lib ? next_dlsym(lib, name) : NULL;
}

static const char *name_of(CUfunction f)
{
	__typeof__(cuFuncGetName) *function = (__typeof__(function))driver("cuFuncGetName");
	__typeof__(cuKernelGetName) *kernel = (__typeof__(kernel))driver("cuKernelGetName");
	const char *name = NULL;

	if (function && function(&name, f) == CUDA_SUCCESS && name)
		return name;
	return kernel && kernel(&name, (CUkernel)f) == CUDA_SUCCESS && name ? name : "";
}

static bool strikes(CUfunction f)
{
	const char *wanted = getenv("FAULTY_KERNEL"), *call = getenv("FAULTY_CALL"), *path = getenv("FAULTY_LOG"), *name;
	FILE *log;

	if (!wanted || !strstr(name = name_of(f), wanted) || atomic_fetch_add(&n_matching, 1) + 1 != strtoul(call ? call : "1", NULL, 10))
		return false;
	log = path ? fopen(path, "w") : NULL;
	if (log) {
		fprintf(log, "%s\n", name);
		fclose(log);
	}
	return true;
}

/* ---- the altered copy of a parameter block ---------------------------- */

struct block {
	unsigned n;
	void *param[PARAMS];
	char bytes[BLOCK];
	bool skip;
	char actions[512];		/* what is to be done after the launch */
};

/* Copies the parameters, wherever they were passed. */
static bool copy_block(struct block *b, CUfunction f, void **params, void **extra)
{
	__typeof__(cuFuncGetParamInfo) *function = (__typeof__(function))driver("cuFuncGetParamInfo");
	__typeof__(cuKernelGetParamInfo) *kernel = (__typeof__(kernel))driver("cuKernelGetParamInfo");
	const char *buffer = NULL;
	size_t offset, size;

	for (unsigned i = 0; !params && extra && extra[i] != CU_LAUNCH_PARAM_END; i += 2)
		if (extra[i] == CU_LAUNCH_PARAM_BUFFER_POINTER)
			buffer = extra[i + 1];
	for (b->n = 0; b->n < PARAMS; b->n++) {
		if (!(function && function(f, b->n, &offset, &size) == CUDA_SUCCESS) &&
		    !(kernel && kernel((CUkernel)f, b->n, &offset, &size) == CUDA_SUCCESS))
			break;
		if (offset + size > BLOCK || (!params && !buffer))
			return false;
		memcpy(b->bytes + offset, params ? params[b->n] : buffer + offset, size);
		b->param[b->n] = b->bytes + offset;
	}
	return b->n > 0;
}

static void alter(char *at, char op, const char *type, double value)
{
	double old;
	uint8_t u8;
	int32_t i32;
	int64_t i64;
	float f32;

#define ALTER(name, ctype)                                                                                                    \
	if (strcmp(type, #name) == 0) {                                                                                       \
		memcpy(&name, at, sizeof(name));                                                                              \
		old = (double)name;                                                                                           \
		name = (ctype)(op == 's' ? value : op == 'a' ? old + value : old * value);                                    \
		memcpy(at, &name, sizeof(name));                                                                              \
		return;                                                                                                       \
	}
	ALTER(u8, uint8_t)
	ALTER(i32, int32_t)
	ALTER(f32, float)
#undef ALTER
	memcpy(&i64, at, sizeof(i64));	/* addresses: a double has too few bits */
	i64 = op == 's' ? (int64_t)value : op == 'a' ? i64 + (int64_t)value : (int64_t)((double)i64 * value);
	memcpy(at, &i64, sizeof(i64));
}

/* Carries out FAULTY_DO as far as it changes the parameters. */
static void alter_all(struct block *b)
{
	char text[512], *rest = text, *one, op[8], type[8];
	unsigned param, offset;
	double value;

	snprintf(text, sizeof(text), "%s", getenv("FAULTY_DO") ? getenv("FAULTY_DO") : "");
	snprintf(b->actions, sizeof(b->actions), "%s", text);
	while ((one = strsep(&rest, ",")) != NULL) {
		if (strcmp(one, "skip") == 0)
			b->skip = true;
		else if (sscanf(one, " %7s %u %u %7s %lf", op, &param, &offset, type, &value) == 5 && strcmp(op, "fill") != 0 && param < b->n)
			alter((char *)b->param[param] + offset, op[0], type, value);
	}
}

static void fill_all(struct block *b, CUstream stream)
{
	__typeof__(cuMemsetD8Async) *set = (__typeof__(set))driver("cuMemsetD8Async");
	char *rest = b->actions, *one;
	unsigned param, offset, value;
	unsigned long long at, bytes;

	while ((one = strsep(&rest, ",")) != NULL)
		if (sscanf(one, " fill %u %u %llu %llu %u", &param, &offset, &at, &bytes, &value) == 5 && param < b->n) {
			CUdeviceptr p;

			memcpy(&p, (char *)b->param[param] + offset, sizeof(p));
			set(p + at, (unsigned char)value, bytes, stream);
		}
}

/* ---- the entry points ------------------------------------------------- */

static __typeof__(cuLaunchKernel) *real_launch, *real_launch_ptsz;
static __typeof__(cuLaunchKernelEx) *real_launch_ex, *real_launch_ex_ptsz;
static CUresult (*real_get)(const char *, void **, int, cuuint64_t);
static CUresult (*real_get_v2)(const char *, void **, int, cuuint64_t, CUdriverProcAddressQueryResult *);

static CUresult launch(__typeof__(cuLaunchKernel) *real, CUfunction f, const unsigned *dims, unsigned shared, CUstream stream, void **params,
		       void **extra)
{
	static struct block b;		/* one strike a process */
	CUresult res = CUDA_SUCCESS;

	if (!strikes(f) || !copy_block(&b, f, params, extra))
		return real(f, dims[0], dims[1], dims[2], dims[3], dims[4], dims[5], shared, stream, params, extra);
	alter_all(&b);
	if (!b.skip)
		res = real(f, dims[0], dims[1], dims[2], dims[3], dims[4], dims[5], shared, stream, b.param, NULL);
	fill_all(&b, stream);
	return res;
}

static CUresult faulty_launch(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared,
			      CUstream stream, void **params, void **extra)
{
	return launch(real_launch, f, (unsigned[]){ gx, gy, gz, bx, by, bz }, shared, stream, params, extra);
}

static CUresult faulty_launch_ptsz(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
				   unsigned shared, CUstream stream, void **params, void **extra)
{
	return launch(real_launch_ptsz, f, (unsigned[]){ gx, gy, gz, bx, by, bz }, shared, stream, params, extra);
}

static CUresult launch_ex(__typeof__(cuLaunchKernelEx) *real, const CUlaunchConfig *config, CUfunction f, void **params, void **extra)
{
	static struct block b;
	CUresult res = CUDA_SUCCESS;

	if (!strikes(f) || !copy_block(&b, f, params, extra))
		return real(config, f, params, extra);
	alter_all(&b);
	if (!b.skip)
		res = real(config, f, b.param, NULL);
	fill_all(&b, config->hStream);
	return res;
}

static CUresult faulty_launch_ex(const CUlaunchConfig *config, CUfunction f, void **params, void **extra)
{
	return launch_ex(real_launch_ex, config, f, params, extra);
}

static CUresult faulty_launch_ex_ptsz(const CUlaunchConfig *config, CUfunction f, void **params, void **extra)
{
	return launch_ex(real_launch_ex_ptsz, config, f, params, extra);
}

static CUresult faulty_get(const char *name, void **p, int version, cuuint64_t flags);
static CUresult faulty_get_v2(const char *name, void **p, int version, cuuint64_t flags, CUdriverProcAddressQueryResult *found);

/* What is given out instead of a function of the driver, which is kept. */
static void *instead_of(const char *name, void *found, cuuint64_t flags)
{
	bool per_thread = flags & CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM;

	if (!found)
		return found;
	if (found == (void *)real_get_v2)
		return (void *)faulty_get_v2;
	if (found == (void *)real_get)
		return (void *)faulty_get;
	if (strcmp(name, "cuLaunchKernel") == 0) {
		*(void **)(per_thread ? &real_launch_ptsz : &real_launch) = found;
		return per_thread ? (void *)faulty_launch_ptsz : (void *)faulty_launch;
	}
	if (strcmp(name, "cuLaunchKernelEx") == 0) {
		*(void **)(per_thread ? &real_launch_ex_ptsz : &real_launch_ex) = found;
		return per_thread ? (void *)faulty_launch_ex_ptsz : (void *)faulty_launch_ex;
	}
	return found;
}

static CUresult faulty_get(const char *name, void **p, int version, cuuint64_t flags)
{
	CUresult res = real_get(name, p, version, flags);

	if (res == CUDA_SUCCESS)
		*p = instead_of(name, *p, flags);
	return res;
}

static CUresult faulty_get_v2(const char *name, void **p, int version, cuuint64_t flags, CUdriverProcAddressQueryResult *found)
{
	CUresult res = real_get_v2(name, p, version, flags, found);

	if (res == CUDA_SUCCESS)
		*p = instead_of(name, *p, flags);
	return res;
}

EXPORT void *dlsym(void *restrict handle, const char *restrict name)
{
	void *found;

	if (!next_dlsym)
		find_dlsym();
	found = next_dlsym(handle, name);
	if (!found || handle == RTLD_NEXT || strncmp(name, "cu", 2) != 0)
		return found;
	if (strcmp(name, "cuGetProcAddress") == 0)
		*(void **)&real_get = found;
	if (strcmp(name, "cuGetProcAddress_v2") == 0)
		*(void **)&real_get_v2 = found;
	return instead_of(name, found, 0);
}
