/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CUPTI's callbacks around the driver's launch functions. CUPTI has one subscriber: when somebody else is it, we are not; when
 * somebody else wants to be it (hooks.c sees that), we cease.
 */
#include "config.h"

#include "cupti/launch.h"

#include "cupti/kernel.h"
#include "cupti/load.h"

#include "preload/resolve.h"
#include "preload/timing.h"

#include <cupti.h>
#include <stdatomic.h>

static struct {
	CUpti_SubscriberHandle handle;
	CUptiResult (*unsubscribe)(CUpti_SubscriberHandle);
} subscription;
static atomic_bool subscribed;

enum { GENERATION_BITS = 16 };

/* Fills a launch from the arguments of one of the functions we asked for; false: none of them. */
static bool read_launch(struct ekka_launch *l, CUpti_CallbackId id, const void *arguments)
{
	const cuLaunchKernel_params *k = arguments;
	const cuLaunchCooperativeKernel_params *c = arguments;
	const cuLaunchKernelEx_params *x = arguments;

	switch (id) {
	case CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel:
	case CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel_ptsz:
		*l = (struct ekka_launch){ .f = k->f, .grid = { k->gridDimX, k->gridDimY, k->gridDimZ },
					   .block = { k->blockDimX, k->blockDimY, k->blockDimZ }, .shared_bytes = k->sharedMemBytes,
					   .stream = k->hStream, .params = k->kernelParams, .extra = k->extra };
		break;
	case CUPTI_DRIVER_TRACE_CBID_cuLaunchCooperativeKernel:
	case CUPTI_DRIVER_TRACE_CBID_cuLaunchCooperativeKernel_ptsz:
		*l = (struct ekka_launch){ .f = c->f, .grid = { c->gridDimX, c->gridDimY, c->gridDimZ },
					   .block = { c->blockDimX, c->blockDimY, c->blockDimZ }, .shared_bytes = c->sharedMemBytes,
					   .stream = c->hStream, .params = c->kernelParams, .cooperative = true };
		break;
	case CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx:
	case CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx_ptsz:
		*l = (struct ekka_launch){ .f = x->f, .params = x->kernelParams, .extra = x->extra };
		ekka_launch_from_config(l, x->config, id == CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx_ptsz);
		break;
	default:
		return false;
	}
	if (!l->stream && (id == CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel_ptsz || id == CUPTI_DRIVER_TRACE_CBID_cuLaunchCooperativeKernel_ptsz))
		l->stream = CU_STREAM_PER_THREAD;
	return true;
}

/* CUPTI keeps one word from a call's entry to its exit. */
static uint64_t pack(struct ekka_launch_mark mark)
{
	return mark.event << GENERATION_BITS | (mark.generation & ((1u << GENERATION_BITS) - 1));
}

static struct ekka_launch_mark unpack(uint64_t word)
{
	return (struct ekka_launch_mark){ .event = word >> GENERATION_BITS, .generation = word & ((1u << GENERATION_BITS) - 1) };
}

static void CUPTIAPI on_call(void *user, CUpti_CallbackDomain domain, CUpti_CallbackId id, const void *data)
{
	const CUpti_CallbackData *d = data;
	struct ekka_launch launch;

	(void)user;
	if (domain != CUPTI_CB_DOMAIN_DRIVER_API || ekka_launch_source() != EKKA_SOURCE_CUPTI)
		return;
	if (id == CUPTI_DRIVER_TRACE_CBID_cuModuleUnload || id == CUPTI_DRIVER_TRACE_CBID_cuLibraryUnload) {
		ekka_kernels_expire();
	} else if (d->callbackSite == CUPTI_API_ENTER) {
		*d->correlationData = 0;
		if (d->functionParams && read_launch(&launch, id, d->functionParams)) {
			launch.symbol = d->symbolName;
			*d->correlationData = pack(ekka_launch_record(&launch));
			ekka_timing_inner_begin((uintptr_t)launch.stream);
		}
	} else {
		if (ekka_timing_inner_waits() && read_launch(&launch, id, d->functionParams))
			ekka_timing_inner_end((uintptr_t)launch.stream);
		if (*d->correlationData)
			ekka_launch_end(unpack(*d->correlationData), *(const CUresult *)d->functionReturnValue);
	}
}

const char *ekka_cupti_subscribe(void)
{
	static const CUpti_CallbackId ids[] = {
		CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel, CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel_ptsz,
		CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx, CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx_ptsz,
		CUPTI_DRIVER_TRACE_CBID_cuLaunchCooperativeKernel, CUPTI_DRIVER_TRACE_CBID_cuLaunchCooperativeKernel_ptsz,
		CUPTI_DRIVER_TRACE_CBID_cuModuleUnload, CUPTI_DRIVER_TRACE_CBID_cuLibraryUnload,
	};
	CUptiResult (*subscribe)(CUpti_SubscriberHandle *, CUpti_CallbackFunc, void *);
	CUptiResult (*enable)(uint32_t, CUpti_SubscriberHandle, CUpti_CallbackDomain, CUpti_CallbackId);
	struct ekka_cupti lib;
	const char *why = ekka_cupti_load(NULL, &lib);
	CUptiResult res;

	if (why)
		return why;
	*(void **)&subscribe = ekka_libc.dlsym(lib.handle, "cuptiSubscribe");
	*(void **)&enable = ekka_libc.dlsym(lib.handle, "cuptiEnableCallback");
	*(void **)&subscription.unsubscribe = ekka_libc.dlsym(lib.handle, "cuptiUnsubscribe");
	if (!subscribe || !enable || !subscription.unsubscribe)
		return "libcupti lacks the callback functions";
	res = subscribe(&subscription.handle, on_call, NULL);
	if (res == CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED)
		return "another profiler uses CUPTI already";
	if (res != CUPTI_SUCCESS)
		return "CUPTI refuses the subscription";
	for (unsigned i = 0; res == CUPTI_SUCCESS && i < sizeof(ids) / sizeof(ids[0]); i++)
		res = enable(1, subscription.handle, CUPTI_CB_DOMAIN_DRIVER_API, ids[i]);
	if (res != CUPTI_SUCCESS) {
		(void)subscription.unsubscribe(subscription.handle);
		return "CUPTI does not report launches";
	}
	atomic_store(&subscribed, true);
	return NULL;
}

void ekka_cupti_unsubscribe(void)
{
	if (atomic_exchange(&subscribed, false))
		(void)subscription.unsubscribe(subscription.handle);
}
