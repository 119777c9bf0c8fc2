/* SPDX-License-Identifier: Apache-2.0 */
/* Encoded frames in a row, as trace/encode.h makes them: where they end, and what they are. Pure. Zone: inside the host process. */
#ifndef EKKA_PRELOAD_FRAMES_H
#define EKKA_PRELOAD_FRAMES_H

#include "trace/encode.h"

/* Bytes of the frame [kind, body, check] at p. */
size_t ekka_frame_bytes(const uint8_t *p);

/* Is it a call record. */
bool ekka_frame_is_call(const uint8_t *frame);

struct ekka_frames { size_t bytes; uint64_t records, calls; };

/* The whole frames among the first n bytes of the buffer. */
struct ekka_frames ekka_frames_whole(const struct ekka_buf *, size_t n);

#endif
