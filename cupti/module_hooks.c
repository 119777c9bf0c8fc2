/* SPDX-License-Identifier: Apache-2.0 */
/* The driver's entry points that load GPU code and hand out what is in it: no events, they only tell module.h. */
#include "config.h"

#include "cupti/alloc.h"
#include "cupti/hooks.h"
#include "cupti/kernel.h"
#include "cupti/memory.h"
#include "cupti/module.h"

/* The real call, and `done` when it succeeded and somebody wants to know. */
#define NOTED(symbol, done, ...)                                                              \
	EKKA_PUBLIC CUresult symbol(PAIRS(PAIR_PARAMETER, __VA_ARGS__))                       \
	{                                                                                     \
		__typeof__(&symbol) call = REAL(symbol);                                      \
		CUresult res = call ? call(PAIRS(PAIR_NAME, __VA_ARGS__)) : NO_DRIVER;        \
		if (res == CUDA_SUCCESS && ekka_modules_on() && ekka_memory_on())             \
			done;                                                                 \
		return res;                                                                   \
	}
#define JIT CUjit_option *, options, void **, values
NOTED(cuModuleLoad, ekka_module_loaded_file(*module, path), CUmodule *, module, const char *, path)
NOTED(cuModuleLoadData, ekka_module_loaded(*module, image), CUmodule *, module, const void *, image)
NOTED(cuModuleLoadDataEx, ekka_module_loaded(*module, image), CUmodule *, module, const void *, image, unsigned, n, JIT)
NOTED(cuModuleLoadFatBinary, ekka_module_loaded(*module, image), CUmodule *, module, const void *, image)
#define LIBRARY_JIT CUjit_option *, jit, void **, jit_values, unsigned, n_jit, CUlibraryOption *, options, void **, values, unsigned, n
NOTED(cuLibraryLoadData, ekka_module_loaded(*library, image), CUlibrary *, library, const void *, image, LIBRARY_JIT)
NOTED(cuLibraryLoadFromFile, ekka_module_loaded_file(*library, path), CUlibrary *, library, const char *, path, LIBRARY_JIT)
NOTED(cuLibraryGetModule, ekka_module_found(*module, library, false), CUmodule *, module, CUlibrary, library)
NOTED(cuKernelGetFunction, ekka_module_found(*f, kernel, true), CUfunction *, f, CUkernel, kernel)

/* Its handles may come to mean other kernels, its variables are given back. */
static void unloading(const void *handle)
{
	ekka_kernels_expire();
	ekka_module_unloading(handle);
	if (ekka_memory_on())
		ekka_alloc_forget_learned();
}

EKKA_PUBLIC CUresult cuModuleUnload(CUmodule module)
{
	__typeof__(&cuModuleUnload) call = REAL(cuModuleUnload);

	unloading(module);
	return call ? call(module) : NO_DRIVER;
}

EKKA_PUBLIC CUresult cuLibraryUnload(CUlibrary library)
{
	__typeof__(&cuLibraryUnload) call = REAL(cuLibraryUnload);

	unloading(library);
	return call ? call(library) : NO_DRIVER;
}
