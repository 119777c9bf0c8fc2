/* SPDX-License-Identifier: Apache-2.0 */
/* libiberty's demangler hands its text out in pieces and takes what it needs from the stack. */
#include "config.h"

#include "spec/describe.h"

#include <libiberty/demangle.h>
#include <string.h>

/* A longer name is not demangled: the stack that it takes grows with it. The format keeps no more than 4096 bytes of a name either. */
enum { MANGLED_BYTES_MAX = 4096 };

struct sink { char *at; size_t left; bool cut; };

static void take(const char *text, size_t n, void *arg)
{
	struct sink *s = arg;

	if (n > s->left) {
		n = s->left;
		s->cut = true;
	}
	memcpy(s->at, text, n);
	s->at += n;
	s->left -= n;
}

bool ekka_demangle(const char *name, char *ret, size_t cap)
{
	struct sink s = { ret, cap - 1, false };

	if (cap == 0)
		return false;
	if (strncmp(name, "_Z", 2) != 0 || strnlen(name, MANGLED_BYTES_MAX + 1) > MANGLED_BYTES_MAX ||
	    !cplus_demangle_v3_callback(name, DMGL_PARAMS | DMGL_ANSI, take, &s)) {
		s = (struct sink){ ret, cap - 1, false };
		take(name, strlen(name), &s);
	}
	*s.at = '\0';
	return !s.cut;
}
