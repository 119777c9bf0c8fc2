/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/batch.h"

#include <errno.h>
#include <sys/uio.h>

size_t ekka_batch_waiting(const struct ekka_batch *f)
{
	return f->buf.len + f->parts_bytes;
}

void ekka_batch_empty(struct ekka_batch *f)
{
	f->buf.len = f->parts_bytes = 0;
	f->n_parts = 0;
}

void ekka_batch_put_part(struct ekka_batch *f, const void *p, size_t bytes)
{
	f->parts[f->n_parts].at = f->buf.len;
	f->parts[f->n_parts].p = p;
	f->parts[f->n_parts++].bytes = bytes;
	f->parts_bytes += bytes;
}

/* What waits, in order, less the first `done` bytes; returns how many pieces. */
static int gather(const struct ekka_batch *f, size_t done, struct iovec to[2 * EKKA_BATCH_PARTS + 1])
{
	size_t at = 0;
	int n = 0;

	for (unsigned i = 0; i <= f->n_parts; i++) {
		size_t end = i < f->n_parts ? f->parts[i].at : f->buf.len;
		to[n++] = (struct iovec){ .iov_base = f->buf.data + at, .iov_len = end - at };
		at = end;
		if (i < f->n_parts)
			to[n++] = (struct iovec){ .iov_base = (void *)(uintptr_t)f->parts[i].p, .iov_len = f->parts[i].bytes };
	}
	for (int i = 0; i < n && done > 0; i++) {
		size_t skip = done < to[i].iov_len ? done : to[i].iov_len;
		to[i].iov_base = (uint8_t *)to[i].iov_base + skip;
		to[i].iov_len -= skip;
		done -= skip;
	}
	return n;
}

int ekka_batch_write(struct ekka_batch *f, size_t *ret_done)
{
	struct iovec pieces[2 * EKKA_BATCH_PARTS + 1];
	size_t done = 0, all = ekka_batch_waiting(f);

	while (done < all) {
		ssize_t n = pwritev(f->fd.fd, pieces, gather(f, done, pieces), (off_t)(f->offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n == 0 ? ENOSPC : errno;
			*ret_done = done;
			return -1;
		}
		done += (size_t)n;
	}
	*ret_done = done;
	f->offset += done;
	ekka_batch_empty(f);
	return 0;
}
