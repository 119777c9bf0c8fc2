/* SPDX-License-Identifier: Apache-2.0 */
/* Loads the cases and with them cuBLAS out of the global scope, as Python loads its extension modules. argv[1]: the plugin. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char *argv[])
{
	void *plugin = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
	int (*run)(int, char *[]);

	if (plugin == NULL) {
		fprintf(stderr, "%s\n", argc > 1 ? dlerror() : "usage: cases-local PLUGIN [CASE...]");
		return 2;
	}
	*(void **)&run = dlsym(plugin, "cases_main");
	return run != NULL ? run(argc - 1, argv + 1) != 0 : 2;
}
