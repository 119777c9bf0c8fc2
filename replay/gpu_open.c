/* SPDX-License-Identifier: Apache-2.0 */
/* The GPU backend with the machine's own CUDA. */
#include "config.h"

#include "replay/backend.h"

#ifdef HAVE_CUDA

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "replay/gpu.h"
#include "replay/gpu_image.h" /* generated from gpu_kernels.cu: ekka_gpu_image[] */

struct ekka_backend *ekka_gpu_open(unsigned flags, struct ekka_error *err)
{
	const struct ekka_gpu_library *lib = ekka_gpu_library(err);

	return lib ? ekka_gpu_open_with(lib, ekka_gpu_image, flags, err) : NULL;
}

/* Bytes of tensors from which on the CPU is busy for longer than opening takes. */
static const uint64_t MUCH = (uint64_t)1 << 30;

/* Opens the device when it is wanted: that takes half a second. */
struct lazy {
	struct ekka_backend base;
	pthread_mutex_t lock;		/* held while it is opened */
	bool tried;
	struct ekka_backend *real;
	_Atomic(struct ekka_backend *) there;	/* the same, for those who do not wait */
	struct ekka_error why;		/* there is none */
	bool has_opener;
	pthread_t opener;
};

/* Opened, if it has to be. */
static struct ekka_backend *real_of(struct ekka_backend *base)
{
	struct lazy *z = (struct lazy *)base;

	pthread_mutex_lock(&z->lock);
	if (!z->tried)
		z->real = ekka_gpu_open(0, &z->why);
	z->tried = true;
	atomic_store(&z->there, z->real);
	pthread_mutex_unlock(&z->lock);
	return z->real;
}

/* Opened by now, or NULL: one event of many small ones does not wait for it. */
static struct ekka_backend *there(struct ekka_backend *base)
{
	return atomic_load(&((struct lazy *)base)->there);
}

static void *open_beside(void *base)
{
	return real_of(base);
}

static void expect(struct ekka_backend *base, uint64_t bytes)
{
	struct lazy *z = (struct lazy *)base;

	if (bytes >= MUCH && !z->has_opener)
		z->has_opener = pthread_create(&z->opener, NULL, open_beside, base) == 0;
}

/* The device if it is open by now; nobody waits for that. */
static struct ekka_backend *open_already(struct ekka_backend *base)
{
	struct lazy *z = (struct lazy *)base;
	struct ekka_backend *real;

	if (pthread_mutex_trylock(&z->lock) != 0)
		return NULL;
	real = z->real;
	pthread_mutex_unlock(&z->lock);
	return real;
}

static struct ekka_backend_gemm *gemm_begin(struct ekka_backend *base, const struct ekka_gemm *g)
{
	struct ekka_backend *real = ekka_gpu_gemm_pays(g) ? real_of(base) : NULL;

	return real ? real->gemm_begin(real, g) : NULL;
}

static bool product(struct ekka_backend *base, const struct ekka_gemm *g, struct ekka_elements_part *ret)
{
	struct ekka_backend *real = ekka_gpu_gemm_pays(g) ? real_of(base) : open_already(base);

	return real && real->product(real, g, ret);
}

static bool attention_event(struct ekka_backend *base, const struct ekka_attention *x, const struct ekka_attention_outputs *o, struct ekka_attention_found *ret)
{
	struct ekka_backend *real = open_already(base);

	return real && real->attention_event(real, x, o, ret);
}

static bool attention(struct ekka_backend *base, struct ekka_attention_work *w)
{
	struct ekka_backend *real = ekka_gpu_attention_pays(w) ? real_of(base) : NULL;

	return real && real->attention(real, w);
}

static bool rows(struct ekka_backend *base, const struct ekka_rows_work *w, struct ekka_elements_part *ret)
{
	struct ekka_backend *real = ekka_gpu_rows_pays(w) ? there(base) : NULL;

	return real && real->rows(real, w, ret);
}

static bool elementwise(struct ekka_backend *base, const struct ekka_expr_work *w, struct ekka_elements *e)
{
	struct ekka_backend *real = ekka_gpu_elementwise_pays(w) ? there(base) : NULL;

	return real && real->elementwise(real, w, e);
}

static void note(struct ekka_backend *base, char *text)
{
	struct lazy *z = (struct lazy *)base;

	text[0] = '\0';
	pthread_mutex_lock(&z->lock);
	if (z->real)
		z->real->note(z->real, text);
	else if (z->tried)
		(void)snprintf(text, EKKA_TEXT, "%.400s", z->why.message);
	pthread_mutex_unlock(&z->lock);
}

static void close_lazy(struct ekka_backend *base)
{
	struct lazy *z = (struct lazy *)base;

	if (z->has_opener)
		pthread_join(z->opener, NULL);
	if (z->real)
		z->real->close(z->real);
	pthread_mutex_destroy(&z->lock);
	free(z);
}

struct ekka_backend *ekka_gpu_when_it_pays(void)
{
	struct lazy *z = calloc(1, sizeof *z);

	if (!z)
		return NULL;
	z->base = (struct ekka_backend){
		.gemm_begin = gemm_begin,
		.gemm_end = ekka_gpu_gemm_end,
		.product = product,
		.attention = attention,
		.attention_event = attention_event,
		.rows = rows,
		.elementwise = elementwise,
		.expect = expect,
		.note = note,
		.close = close_lazy,
	};
	pthread_mutex_init(&z->lock, NULL);
	return &z->base;
}

#else

struct ekka_backend *ekka_gpu_when_it_pays(void)
{
	return NULL;
}

struct ekka_backend *ekka_gpu_open(unsigned flags, struct ekka_error *err)
{
	(void)flags;
	(void)ekka_error_set(err, EKKA_ERR_INVALID, "built without the CUDA Toolkit");
	return NULL;
}

#endif
