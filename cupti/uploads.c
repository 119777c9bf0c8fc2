/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cupti/uploads.h"

#include "cupti/alloc.h"
#include "cupti/params.h"

#include "preload/lock.h"
#include "preload/probe.h"

#include <errno.h>

enum { WORD = sizeof(uint64_t) };

/* Sorted by place; `age` grows with every word. Under the lock but for `n`, which says that there is nothing to look for. */
static struct ekka_lock lock;
static struct upload { uint64_t place, word, age; } uploads[EKKA_UPLOADS];
static _Atomic unsigned n_uploads;
static uint64_t age;

/* Index of the first one at `place` or behind it. */
static unsigned first_from(uint64_t place)
{
	unsigned low = 0, high = n_uploads;

	while (low < high) {
		unsigned mid = low + (high - low) / 2;

		if (uploads[mid].place < place)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void take_out(unsigned from, unsigned to)
{
	for (unsigned i = to; i < n_uploads; i++)
		uploads[from + i - to] = uploads[i];
	n_uploads -= to - from;
}

static void forget_oldest(void)
{
	unsigned oldest = 0;

	for (unsigned i = 1; i < n_uploads; i++)
		if (uploads[i].age < uploads[oldest].age)
			oldest = i;
	take_out(oldest, oldest + 1);
}

static void add(uint64_t place, uint64_t word)
{
	unsigned at;

	if (n_uploads == EKKA_UPLOADS)
		forget_oldest();
	at = first_from(place);
	for (unsigned i = n_uploads; i > at; i--)
		uploads[i] = uploads[i - 1];
	uploads[at] = (struct upload){ place, word, age++ };
	n_uploads++;
}

void ekka_uploads_wrote(uint64_t addr, uint64_t bytes)
{
	uint64_t end;

	if (n_uploads == 0 || !ekka_lock_take(&lock))
		return;
	if (__builtin_add_overflow(addr, bytes, &end))
		end = UINT64_MAX;
	/* A word of which the last bytes are written, too. */
	take_out(first_from(addr < WORD ? 0 : addr - WORD + 1), first_from(end));
	ekka_lock_release(&lock);
}

void ekka_uploads_note(uint64_t dst, uint64_t src, uint64_t bytes)
{
	uint64_t words[EKKA_UPLOAD_BYTES / WORD], start, size;
	unsigned n = (unsigned)((bytes < EKKA_UPLOAD_BYTES ? bytes : EKKA_UPLOAD_BYTES) / WORD);
	int saved = errno;

	if (n == 0 || dst % WORD != 0 || !ekka_probe_copy(words, src, n * WORD))
		n = 0;
	for (unsigned i = 0; i < n; i++)
		if (ekka_looks_like_address(words[i]) && ekka_alloc_range(words[i], &start, &size) && ekka_lock_take(&lock)) {
			add(dst + i * WORD, words[i]);
			ekka_lock_release(&lock);
		}
	errno = saved;
}

void ekka_uploads_find(uint64_t addr, uint64_t bytes, void (*found)(void *arg, uint64_t at, uint64_t word), void *arg)
{
	if (n_uploads == 0 || !ekka_lock_take(&lock))
		return;
	for (unsigned i = first_from(addr); i < n_uploads && uploads[i].place - addr < bytes; i++)
		found(arg, uploads[i].place - addr, uploads[i].word);
	ekka_lock_release(&lock);
}

void ekka_uploads_fork_child(void)
{
	lock = (struct ekka_lock){ 0 };
	n_uploads = 0;
}
