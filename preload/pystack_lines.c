/* SPDX-License-Identifier: Apache-2.0 */
/* Line tables of Python code objects. Zone: inside the host process. */
#include "config.h"

#include "preload/pystack.h"

#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

bool ekka_py_peek(void *to, uint64_t from, size_t bytes, bool trusted)
{
	struct iovec local = { .iov_base = to, .iov_len = bytes };
	struct iovec remote = { .iov_base = (void *)(uintptr_t)from, .iov_len = bytes };

	if (trusted) {
		memcpy(to, (const void *)(uintptr_t)from, bytes);
		return true;
	}
	/* The kernel answers EFAULT where a load would kill the process. */
	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)bytes;
}

/* Opens a window on the bytes behind the last one; false at the end and when they cannot be read. */
static bool refill(struct ekka_pysource *s)
{
	uint64_t n = s->bytes;

	if (n == 0 || s->failed)
		return false;
	if (s->trusted) {
		s->next = (const uint8_t *)(uintptr_t)s->addr;
	} else {
		n = n < sizeof(s->buf) ? n : sizeof(s->buf);
		s->failed = !ekka_py_peek(s->buf, s->addr, n, false);
		if (s->failed)
			return false;
		s->next = s->buf;
	}
	s->end = s->next + n;
	s->addr += n;
	s->bytes -= n;
	return true;
}

/* Next byte of the table, or -1 at its end and when it cannot be read. */
static inline int next_byte(struct ekka_pysource *s)
{
	return s->next < s->end || refill(s) ? *s->next++ : -1;
}

/* Pairs of an unsigned address step and a signed line step; the line changes at the address reached. */
static bool find_lnotab(struct ekka_pysource *s, int64_t line, int64_t offset, int32_t *ret_line)
{
	int64_t at = 0;
	int step, lines;

	while ((step = next_byte(s)) >= 0 && (lines = next_byte(s)) >= 0) {
		at += step;
		if (at > offset)
			break;
		line += (int8_t)lines;
	}
	*ret_line = (int32_t)line;
	return !s->failed;
}

/* Pairs of an unsigned range length and a signed line step, where -128 says that the range has no line. */
static bool find_ranges(struct ekka_pysource *s, int64_t line, int64_t offset, int32_t *ret_line)
{
	int64_t end = 0;
	int bytes, lines;

	while ((bytes = next_byte(s)) >= 0 && (lines = next_byte(s)) >= 0) {
		bool none = (int8_t)lines == -128;

		if (!none)
			line += (int8_t)lines;
		end += bytes;
		if (offset < end) {
			*ret_line = none ? 0 : (int32_t)line;
			return true;
		}
	}
	return false;
}

/* Little-endian groups of 6 bits, bit 6 says that more follow; the lowest bit of the number is its sign. */
static bool signed_varint(struct ekka_pysource *s, int64_t *ret)
{
	uint64_t v = 0;
	int b;

	for (unsigned shift = 0; shift < 36; shift += 6) {
		b = next_byte(s);
		if (b < 0 || b & 0x80)
			return false;
		v |= (uint64_t)(b & 0x3f) << shift;
		if (!(b & 0x40)) {
			*ret = v & 1 ? -(int64_t)(v >> 1) : (int64_t)(v >> 1);
			return true;
		}
	}
	return false;
}

/*
 * Entries begin with the only bytes that have bit 7 set: 4 bits of kind, 3 bits of length in 2-byte units. Only the line step
 * is of interest, columns are skipped up to the next entry.
 */
static bool find_locations(struct ekka_pysource *s, int64_t line, int64_t offset, int32_t *ret_line)
{
	int64_t end = 0;
	int b = next_byte(s);

	while (b >= 0) {
		int kind = b >> 3 & 15;
		int64_t step = 0;

		if (!(b & 0x80))
			return false;
		end += ((b & 7) + 1) * 2;
		if (kind >= 10 && kind <= 12)
			step = kind - 10;
		else if ((kind == 13 || kind == 14) && !signed_varint(s, &step))
			return false;
		line += step;
		if (offset < end) {
			*ret_line = kind == 15 ? 0 : (int32_t)line;
			return true;
		}
		while ((b = next_byte(s)) >= 0 && !(b & 0x80))
			;
	}
	return false;
}

bool ekka_pylines_find(enum ekka_pylines kind, struct ekka_pysource *table, int firstline, int64_t offset, int32_t *ret_line)
{
	if (offset < 0) {	/* nothing was executed yet */
		*ret_line = firstline;
		return true;
	}
	switch (kind) {
	case EKKA_PYLINES_LNOTAB:
		return find_lnotab(table, firstline, offset, ret_line);
	case EKKA_PYLINES_RANGES:
		return find_ranges(table, firstline, offset, ret_line);
	case EKKA_PYLINES_LOCATIONS:
		return find_locations(table, firstline, offset, ret_line);
	}
	return false;
}
