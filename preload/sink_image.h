/* SPDX-License-Identifier: Apache-2.0 */
/* Images of GPU code on their way into the trace. Zone: inside the host process; sink thread only. */
#ifndef EKKA_PRELOAD_SINK_IMAGE_H
#define EKKA_PRELOAD_SINK_IMAGE_H

#include "preload/blob_store.h"
#include "preload/image.h"
#include "trace/model.h"

/*
 * Hands what is kept of the image to `store` piece by piece, unless this segment has it, and fills `ret` but for its number. Memory that is gone meanwhile, or
 * too large an image, is said in ret->missing.
 */
void ekka_sink_image(const struct ekka_image *,
		     void (*store)(const struct ekka_blob_bytes *), struct ekka_rec_module *ret);

#endif
