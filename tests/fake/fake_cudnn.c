/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcudnn.so.9: looks every function up under its own name in the sub-library, as the real dispatcher does. A shim that redirects
 * these look-ups to itself makes an endless loop.
 */
#include "config.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include <cudnn.h>

#include "tests/fake/fake.h"

static void *find(const char *name)
{
	static void *lib;
	void *p;

	if (lib == NULL)
		lib = dlopen("libcudnn_graph.so.9", RTLD_NOW | RTLD_LOCAL);
	p = lib != NULL ? dlsym(lib, name) : NULL;
	if (p == NULL) {
		fprintf(stderr, "stand-in for cuDNN: no %s: %s\n", name, dlerror());
		exit(3);
	}
	return p;
}

#define FORWARD(returns, name, parameters, arguments)       \
	FAKE_EXPORT returns name parameters                 \
	{                                                   \
		static __typeof__(name) *real;              \
		if (real == NULL)                           \
			*(void **)&real = find(#name);      \
		return real arguments;                      \
	}

FORWARD(size_t, cudnnGetVersion, (void), ())
FORWARD(cudnnStatus_t, cudnnCreate, (cudnnHandle_t * h), (h))
FORWARD(cudnnStatus_t, cudnnDestroy, (cudnnHandle_t h), (h))
FORWARD(cudnnStatus_t, cudnnSetStream, (cudnnHandle_t h, cudaStream_t s), (h, s))
FORWARD(cudnnStatus_t, cudnnGetStream, (cudnnHandle_t h, cudaStream_t *s), (h, s))
FORWARD(cudnnStatus_t, cudnnBackendCreateDescriptor, (cudnnBackendDescriptorType_t t, cudnnBackendDescriptor_t *d), (t, d))
FORWARD(cudnnStatus_t, cudnnBackendDestroyDescriptor, (cudnnBackendDescriptor_t d), (d))
FORWARD(cudnnStatus_t, cudnnBackendFinalize, (cudnnBackendDescriptor_t d), (d))
FORWARD(cudnnStatus_t, cudnnBackendSetAttribute,
	(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t n, cudnnBackendAttributeType_t t, int64_t c, const void *p), (d, n, t, c, p))
FORWARD(cudnnStatus_t, cudnnBackendGetAttribute,
	(cudnnBackendDescriptor_t const d, cudnnBackendAttributeName_t n, cudnnBackendAttributeType_t t, int64_t r, int64_t *c, void *p),
	(d, n, t, r, c, p))
FORWARD(cudnnStatus_t, cudnnBackendExecute, (cudnnHandle_t h, cudnnBackendDescriptor_t p, cudnnBackendDescriptor_t v), (h, p, v))
