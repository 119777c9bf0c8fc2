/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/cudnn_getters.h"
#include "preload/guard.h"

EKKA_GETTER_SET(getters, "cudnn", EKKA_CUDNN_GETTERS);

const struct ekka_cudnn_getters *ekka_cudnn_getters_of(const void *real)
{
	return ekka_getters(real, &getters);
}

const struct ekka_cudnn_getters *ekka_cudnn_getters(struct ekka_call *call)
{
	return ekka_cudnn_getters_of(ekka_private(call)->real);
}
