/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcupti.so: callbacks around the stand-in driver's launches, for one subscriber at a time. EKKA_TEST_FAKE_CUPTI=taken: somebody else is it
 * already; deaf: nobody hears that a function has returned.
 */
#include "config.h"

#include "tests/fake/fake.h"

#include <stdlib.h>
#include <string.h>

#include <cupti.h>

enum { IDS = 1024 };
static struct { CUpti_CallbackFunc call; void *user; bool enabled[IDS]; } subscriber;

static bool mood(const char *which)
{
	const char *how = getenv("EKKA_TEST_FAKE_CUPTI");

	return how && strcmp(how, which) == 0;
}

static void observe(unsigned id, const char *symbol, const void *arguments, const CUresult *result, uint64_t *word)
{
	CUpti_CallbackData d = { 0 };

	if (!subscriber.call || id >= IDS || !subscriber.enabled[id] || (result && mood("deaf")))
		return;
	d.callbackSite = result ? CUPTI_API_EXIT : CUPTI_API_ENTER;
	d.functionParams = arguments;
	d.functionReturnValue = (void *)(uintptr_t)result;
	d.symbolName = symbol;
	d.correlationData = word;
	subscriber.call(subscriber.user, CUPTI_CB_DOMAIN_DRIVER_API, id, &d);
}

FAKE_EXPORT CUptiResult cuptiGetVersion(uint32_t *version)
{
	*version = CUPTI_API_VERSION;
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiSubscribe(CUpti_SubscriberHandle *handle, CUpti_CallbackFunc call, void *user)
{
	if (subscriber.call || mood("taken"))
		return CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED;
	memset(&subscriber, 0, sizeof(subscriber));
	subscriber.call = call;
	subscriber.user = user;
	*handle = (CUpti_SubscriberHandle)&subscriber;
	fake_observe(observe);
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiEnableCallback(uint32_t enable, CUpti_SubscriberHandle handle, CUpti_CallbackDomain domain, CUpti_CallbackId id)
{
	if (handle != (CUpti_SubscriberHandle)&subscriber || domain != CUPTI_CB_DOMAIN_DRIVER_API || id >= IDS)
		return CUPTI_ERROR_INVALID_PARAMETER;
	subscriber.enabled[id] = enable;
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiUnsubscribe(CUpti_SubscriberHandle handle)
{
	(void)handle;
	subscriber.call = NULL;
	return CUPTI_SUCCESS;
}
