/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/cuda_cublas.h"
#include "preload/cudnn_getters.h"
#include "preload/guard.h"

#include <pthread.h>
#include <stdatomic.h>

enum { GETTERS_MAX = 128 };	/* functions that a program calls, times its copies of cuDNN */

static struct ekka_cudnn_getters known[GETTERS_MAX];	/* append-only */
static atomic_uint n_known;
static pthread_mutex_t append_lock = PTHREAD_MUTEX_INITIALIZER;

static const struct ekka_cudnn_getters *find(const void *real)
{
	unsigned n = atomic_load_explicit(&n_known, memory_order_acquire);

	for (unsigned i = 0; i < n; i++)
		if (known[i].real == real)
			return &known[i];
	return NULL;
}

static void *symbol(const void *real, const char *name)
{
	return ekka_cublas_symbol(real, "cudnn", name);
}

static struct ekka_cudnn_getters look_up(const void *real)
{
	struct ekka_cudnn_getters g = { .real = real };

	*(void **)&g.stream = symbol(real, "cudnnGetStream");
	*(void **)&g.attribute = symbol(real, "cudnnBackendGetAttribute");
	*(void **)&g.tensor = symbol(real, "cudnnGetTensorNdDescriptor");
	*(void **)&g.filter = symbol(real, "cudnnGetFilterNdDescriptor");
	*(void **)&g.convolution = symbol(real, "cudnnGetConvolutionNdDescriptor");
	*(void **)&g.groups = symbol(real, "cudnnGetConvolutionGroupCount");
	*(void **)&g.math = symbol(real, "cudnnGetConvolutionMathType");
	*(void **)&g.activation = symbol(real, "cudnnGetActivationDescriptor");
	*(void **)&g.swish_beta = symbol(real, "cudnnGetActivationDescriptorSwishBeta");
	*(void **)&g.op_tensor = symbol(real, "cudnnGetOpTensorDescriptor");
	*(void **)&g.reduce = symbol(real, "cudnnGetReduceTensorDescriptor");
	return g;
}

const struct ekka_cudnn_getters *ekka_cudnn_getters(struct ekka_call *call)
{
	const void *real = ekka_private(call)->real;
	const struct ekka_cudnn_getters *found = find(real);
	struct ekka_cudnn_getters g;

	if (found != NULL)
		return found;
	g = look_up(real);
	pthread_mutex_lock(&append_lock);
	found = find(real);
	if (found == NULL && n_known < GETTERS_MAX) {
		known[n_known] = g;
		found = &known[n_known];
		atomic_store_explicit(&n_known, n_known + 1, memory_order_release);
	}
	pthread_mutex_unlock(&append_lock);
	return found;
}
