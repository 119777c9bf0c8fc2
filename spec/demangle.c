/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libiberty's demangler hands its text out in pieces and takes what it needs from the stack: more than an engine's thread may have left, for
 * the names of templates within templates. It gets a stack of its own. When the text is full it is left in the middle of its work, since
 * a short name can stand for a text of any length; nothing is lost by that, because it holds nothing but that stack.
 */
#include "config.h"

#include "spec/describe.h"

#include <libiberty/demangle.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

/* Longer names stay as they are: 4096 bytes are what the trace format keeps. By measurement a byte takes less than 1 KiB of stack. */
enum { MANGLED_BYTES_MAX = 4096, STACK_BYTES = 8 << 20 };

struct job {
	const char *name;
	char *at;
	size_t left;
	bool ok, cut;
	ucontext_t caller, own;
};

static void take(const char *text, size_t n, void *arg)
{
	struct job *j = arg;

	j->cut = n > j->left;
	n = j->cut ? j->left : n;
	memcpy(j->at, text, n);
	j->at += n;
	j->left -= n;
	if (j->cut) {
		j->ok = true;
		(void)setcontext(&j->caller);
	}
}

/* makecontext passes numbers of int's size. */
static void demangle(unsigned high, unsigned low)
{
	struct job *j = (struct job *)((uintptr_t)high << 32 | low);

	j->ok = cplus_demangle_v3_callback(j->name, DMGL_PARAMS | DMGL_ANSI | DMGL_NO_RECURSE_LIMIT, take, j) != 0;
}

static void run(struct job *j)
{
	void *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	if (stack == MAP_FAILED)
		return;
	if (getcontext(&j->own) == 0) {
		j->own.uc_stack.ss_sp = stack;
		j->own.uc_stack.ss_size = STACK_BYTES;
		j->own.uc_link = &j->caller;
		makecontext(&j->own, (void (*)(void))demangle, 2, (unsigned)((uintptr_t)j >> 32), (unsigned)(uintptr_t)j);
		(void)swapcontext(&j->caller, &j->own);
	}
	(void)munmap(stack, STACK_BYTES);
}

bool ekka_demangle(const char *name, char *ret, size_t cap)
{
	struct job j = { .name = name, .at = ret, .left = cap - 1 };

	if (cap == 0)
		return false;
	if (strncmp(name, "_Z", 2) == 0 && strnlen(name, MANGLED_BYTES_MAX + 1) <= MANGLED_BYTES_MAX)
		run(&j);
	if (!j.ok) {
		size_t n = strlen(name);

		j.cut = n >= cap;
		n = j.cut ? cap - 1 : n;
		memcpy(ret, name, n);
		j.at = ret + n;
	}
	*j.at = '\0';
	return !j.cut;
}
