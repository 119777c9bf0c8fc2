/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/cudnn_notes.h"
#include "preload/lock.h"

enum { PLACES = 4096, PROBES = 8 };

static struct ekka_lock lock;		/* guards the table; a leaf */
static struct { const void *plan; uint32_t notes; } table[PLACES];

/* Where the plan is, or else where it may go; a place in use only where all around are. */
static unsigned place_of(const void *plan)
{
	unsigned at = (unsigned)((uint64_t)(uintptr_t)plan * 0x9e3779b97f4a7c15u >> 52), empty = at;
	bool has_empty = false;

	for (unsigned i = 0; i < PROBES; i++) {
		unsigned next = (at + i) % PLACES;

		if (table[next].plan == plan)
			return next;
		if (table[next].plan == NULL && !has_empty) {
			empty = next;
			has_empty = true;
		}
	}
	return empty;
}

/* By a copy of the engine's descriptor, as cuDNN hands attributes out that are descriptors. */
static bool read_notes(const void *config, const struct ekka_cudnn_getters *g, uint32_t *ret)
{
	cudnnBackendNumericalNote_t note[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
	cudnnBackendDescriptor_t engine = NULL;
	int64_t n = 0;
	bool ok;

	if (g->attribute == NULL || g->create == NULL || g->destroy == NULL ||
	    g->create(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine) != CUDNN_STATUS_SUCCESS)
		return false;
	ok = g->attribute((cudnnBackendDescriptor_t)(uintptr_t)config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &n, &engine) ==
		     CUDNN_STATUS_SUCCESS &&
	     g->attribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, CUDNN_NUMERICAL_NOTE_TYPE_COUNT, &n, note) ==
		     CUDNN_STATUS_SUCCESS;
	*ret = 0;
	for (int64_t i = 0; ok && i < n && i < CUDNN_NUMERICAL_NOTE_TYPE_COUNT; i++)
		*ret |= (unsigned)note[i] < 32 ? 1u << note[i] : 0;
	(void)g->destroy(engine);
	return ok;
}

void ekka_cudnn_notes_see(const void *plan, const void *config, const struct ekka_cudnn_getters *g)
{
	uint32_t notes;
	unsigned at;

	if (plan == NULL || config == NULL || g == NULL || !read_notes(config, g, &notes) || !ekka_lock_take(&lock))
		return;
	at = place_of(plan);
	table[at].plan = plan;
	table[at].notes = notes;
	ekka_lock_release(&lock);
}

bool ekka_cudnn_notes(const void *plan, uint32_t *ret)
{
	unsigned at;
	bool known;

	if (plan == NULL || !ekka_lock_take(&lock))
		return false;
	at = place_of(plan);
	known = table[at].plan == plan;
	*ret = table[at].notes;
	ekka_lock_release(&lock);
	return known;
}

void ekka_cudnn_notes_forget(const void *plan)
{
	unsigned at;

	if (plan == NULL || !ekka_lock_take(&lock))
		return;
	at = place_of(plan);
	if (table[at].plan == plan)
		table[at].plan = NULL;
	ekka_lock_release(&lock);
}

static bool has(uint32_t notes, cudnnBackendNumericalNote_t note)
{
	return (notes >> note & 1) != 0;
}

const char *ekka_cudnn_notes_compute(uint32_t notes, enum ekka_dtype type)
{
	if (type == EKKA_F16 || type == EKKA_BF16)
		return type == EKKA_F16 && has(notes, CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION) ? "f16" : "f32";
	if (type != EKKA_F32)
		return NULL;
	return has(notes, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS) ? "f32_fast_16f" : has(notes, CUDNN_NUMERICAL_NOTE_TENSOR_CORE) ? "tf32" : "f32";
}

const char *ekka_cudnn_notes_algorithm(uint32_t notes)
{
	return has(notes, CUDNN_NUMERICAL_NOTE_WINOGRAD) ? "winograd" : has(notes, CUDNN_NUMERICAL_NOTE_FFT) ? "fft" : "gemm";
}
