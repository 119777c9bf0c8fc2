/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cuDNN that is wrong once. Preloaded behind the shim (LD_PRELOAD="libekkatrace.so libfaulty-cudnn.so") it stands between it and the real
 * library and spoils one cudnnBackendExecute in the way FAULTY_KIND says; all others go through untouched.
 *
 * FAULTY_KIND   scale: a number by value (attention's scale) is 1.25 times what it was; stale-scale: it is what it was at the plan's last
 *               execution; skip: nothing is computed, the output keeps what it held
 * FAULTY_CALL   the first execution, counted from 1, at which it may strike; it does at the first one that this kind of fault fits, once
 * FAULTY_LOG    file that gets "NUMBER KIND" of the call struck
 */
#include "config.h"

#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cudnn.h>

#define EXPORT __attribute__((visibility("default")))

enum { TENSORS = 64, PACKS = 64, PLANS = 256 };

/* Descriptors whose attributes were seen, the oldest given up first. */
struct pack { const void *descriptor; int64_t uid[TENSORS]; void *pointer[TENSORS], *workspace; int64_t n_uids, n_pointers; };
static struct pack packs[PACKS];
static unsigned next_pack;
struct last { const void *plan; float scale; };
static struct last lasts[PLANS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;	/* guards all of the above and the count of calls */

static void *next(const char *name)
{
	void *f = dlsym(RTLD_NEXT, name), *lib;

	if (f == NULL) {
		lib = dlopen("libcudnn.so.9", RTLD_LAZY | RTLD_NOLOAD);
		f = lib != NULL ? dlsym(lib, name) : NULL;
	}
	if (f == NULL) {
		fprintf(stderr, "faulty-cudnn: no %s\n", name);
		abort();
	}
	return f;
}

/* Looked up once, by whichever thread is first; races store the same value. */
#define NEXT(name)                                   \
	({                                           \
		static __typeof__(name) *f_;         \
		if (f_ == NULL)                      \
			*(void **)&f_ = next(#name); \
		f_;                                  \
	})

static struct pack *pack_of(const void *descriptor, bool make)
{
	for (unsigned i = 0; i < PACKS; i++)
		if (packs[i].descriptor == descriptor)
			return &packs[i];
	if (!make)
		return NULL;
	next_pack = (next_pack + 1) % PACKS;
	packs[next_pack] = (struct pack){ .descriptor = descriptor };
	return &packs[next_pack];
}

EXPORT cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
					      int64_t n, const void *elements)
{
	pthread_mutex_lock(&lock);
	if (name == CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS && n <= TENSORS) {
		struct pack *p = pack_of(d, true);

		p->n_uids = n;
		memcpy(p->uid, elements, (size_t)n * sizeof(p->uid[0]));
	} else if (name == CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS && n <= TENSORS) {
		struct pack *p = pack_of(d, true);

		p->n_pointers = n;
		memcpy(p->pointer, elements, (size_t)n * sizeof(p->pointer[0]));
	} else if (name == CUDNN_ATTR_VARIANT_PACK_WORKSPACE && n == 1) {
		memcpy(&pack_of(d, true)->workspace, elements, sizeof(void *));
	}
	pthread_mutex_unlock(&lock);
	return NEXT(cudnnBackendSetAttribute)(d, name, type, n, elements);
}

EXPORT cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t d)
{
	struct pack *p;

	pthread_mutex_lock(&lock);
	p = pack_of(d, false);
	if (p != NULL)
		p->descriptor = NULL;
	pthread_mutex_unlock(&lock);
	return NEXT(cudnnBackendDestroyDescriptor)(d);
}

/* A float on the host that is a plausible factor. */
static bool is_scale(const void *p, float *ret)
{
	struct iovec to = { ret, sizeof(*ret) }, from = { (void *)(uintptr_t)p, sizeof(*ret) };

	return p != NULL && process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)sizeof(*ret) && isfinite(*ret) && fabsf(*ret) > 1e-6f &&
	       fabsf(*ret) < 1e6f;
}

/* Index of the pack's scale, or -1. */
static int scale_at(const struct pack *p, float *ret)
{
	for (int64_t i = 0; p != NULL && i < p->n_pointers; i++)
		if (is_scale(p->pointer[i], ret))
			return (int)i;
	return -1;
}

static struct last *last_of(const void *plan)
{
	struct last *l = lasts;

	while (l < lasts + PLANS - 1 && l->plan != NULL && l->plan != plan)
		l++;
	return l;
}

/* The same pack but for one number. */
static cudnnStatus_t execute_with(cudnnHandle_t handle, cudnnBackendDescriptor_t plan, struct pack p, int at, float *scale)
{
	cudnnBackendDescriptor_t pack;
	cudnnStatus_t ret = NEXT(cudnnBackendCreateDescriptor)(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack);

	if (ret != CUDNN_STATUS_SUCCESS)
		return ret;
	p.pointer[at] = scale;
	NEXT(cudnnBackendSetAttribute)(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, p.n_uids, p.uid);
	NEXT(cudnnBackendSetAttribute)(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, p.n_pointers, p.pointer);
	NEXT(cudnnBackendSetAttribute)(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &p.workspace);
	NEXT(cudnnBackendFinalize)(pack);
	ret = NEXT(cudnnBackendExecute)(handle, plan, pack);
	NEXT(cudnnBackendDestroyDescriptor)(pack);
	return ret;
}

static void tell(unsigned number, const char *kind)
{
	const char *path = getenv("FAULTY_LOG");
	FILE *f = path != NULL ? fopen(path, "a") : NULL;

	if (f == NULL)
		return;
	fprintf(f, "%u %s\n", number, kind);
	fclose(f);
}

EXPORT cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t pack)
{
	static unsigned calls;
	static bool struck;
	const char *kind = getenv("FAULTY_KIND"), *first = getenv("FAULTY_CALL");
	struct pack copy = { 0 };
	float scale = 0, before, wrong = 0;
	bool strike, has_before;
	unsigned number;
	int at;

	pthread_mutex_lock(&lock);
	number = ++calls;
	const struct pack *seen = pack_of(pack, false);
	if (seen != NULL)
		copy = *seen;
	at = scale_at(&copy, &scale);
	has_before = last_of(plan)->plan == plan;
	before = last_of(plan)->scale;
	*last_of(plan) = (struct last){ plan, scale };
	strike = kind != NULL && !struck && number >= (first != NULL ? strtoul(first, NULL, 10) : 1);
	if (strike && strcmp(kind, "scale") == 0)
		wrong = 1.25f * scale;
	else if (strike && strcmp(kind, "stale-scale") == 0)
		wrong = has_before ? before : scale;
	strike = strike && (strcmp(kind, "skip") == 0 || (at >= 0 && wrong != scale));
	struck |= strike;
	pthread_mutex_unlock(&lock);
	if (!strike)
		return NEXT(cudnnBackendExecute)(handle, plan, pack);
	tell(number, kind);
	return strcmp(kind, "skip") == 0 ? CUDNN_STATUS_SUCCESS : execute_with(handle, plan, copy, at, &wrong);
}
