/* SPDX-License-Identifier: Apache-2.0 */
/* Looks a function up in a library, on behalf of whoever it is named like. */
#include <dlfcn.h>

void *finder_find(const char *library, const char *symbol) __attribute__((visibility("default")));
void *finder_find(const char *library, const char *symbol)
{
	void *h = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	void *p = h ? dlsym(h, symbol) : (void *)0;

	__asm__ volatile("");	/* not a tail call: we are the caller */
	return p;
}
