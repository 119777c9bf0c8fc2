/* SPDX-License-Identifier: Apache-2.0 */
#include "preload/frames.h"

#include <string.h>

size_t ekka_frame_bytes(const uint8_t *p)
{
	size_t kind = 1 + (size_t)(p[1] & 31);		/* fixstr */
	const uint8_t *len = p + 1 + kind + 1;		/* body is 0xc6, its length, big-endian, and that */

	return 1 + kind + 5 + ((size_t)len[0] << 24 | (size_t)len[1] << 16 | (size_t)len[2] << 8 | len[3]) +
	       9;					/* check is 0xcf and eight bytes */
}

bool ekka_frame_is_call(const uint8_t *frame)
{
	return memcmp(frame + 1, "\xa4" "call", 5) == 0;
}

struct ekka_frames ekka_frames_whole(const struct ekka_buf *batch, size_t n)
{
	struct ekka_frames f = { 0 };
	size_t next;

	while (f.bytes < n && (next = f.bytes + ekka_frame_bytes(batch->data + f.bytes)) <= n) {
		f.calls += ekka_frame_is_call(batch->data + f.bytes);
		f.records++;
		f.bytes = next;
	}
	return f;
}
