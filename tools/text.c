/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/text.h"

#include <inttypes.h>
#include <string.h>

/* The bytes of the UTF-8 character at s, or 0 when it is malformed or a control character. */
static size_t printable(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;

	if (n == 1)
		return s[0] >= 0x20 && s[0] != 0x7f;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if (n == 2 && s[0] == 0xc2 && s[1] < 0xa0)	/* C1 controls */
		return 0;
	return n;
}

void ekka_text_print(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	while (*s) {
		size_t n = printable(s);

		if (n)
			fwrite(s, 1, n, out);
		else
			fprintf(out, "\\x%02x", *s);
		s += n ? n : 1;
	}
}

const char *ekka_text_fit(const char *text, size_t width, char *buf, size_t buf_len)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t at = 0, columns = 0, last = 0;

	/* `last` is where the column before the limit begins: there goes the mark when more follows. */
	while (*s && at + 5 < buf_len) {
		size_t n = printable(s);
		size_t need = n ? 1 : 4;

		if (width && columns + need > width) {
			at = last;
			buf[at++] = '~';
			break;
		}
		if (!width || columns + need < width)
			last = at + (n ? n : 4);
		if (n)
			memcpy(buf + at, s, n);
		else
			snprintf(buf + at, 5, "\\x%02x", *s);
		at += n ? n : 4;
		columns += need;
		s += n ? n : 1;
	}
	buf[at] = '\0';
	return buf;
}

const char *ekka_text_bytes(uint64_t bytes, char *buf, size_t buf_len)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double n = (double)bytes;
	unsigned u = 0;

	while (n >= 1024 && u < 6) {
		n /= 1024;
		u++;
	}
	if (u == 0)
		snprintf(buf, buf_len, "%" PRIu64 " B", bytes);
	else
		snprintf(buf, buf_len, "%.*f %s", n < 10 ? 1 : 0, n, units[u]);
	return buf;
}

const char *ekka_text_duration(uint64_t ns, char *buf, size_t buf_len)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	double n = (double)ns;
	unsigned u = 0;

	while (n >= 1000 && u < 3) {
		n /= 1000;
		u++;
	}
	snprintf(buf, buf_len, "%.*f %s", u > 0 && n < 10 ? 1 : 0, n, units[u]);
	return buf;
}
