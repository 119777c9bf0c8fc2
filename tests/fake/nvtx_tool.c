/* SPDX-License-Identifier: Apache-2.0 */
/* A tool that NVTX loads: numbers the ranges that are open, and says at exit how many there were. */
#include "config.h"

#include <stdint.h>
#include <stdio.h>

#if __has_include(<nvtx3/nvToolsExt.h>)
#define NVTX_NO_IMPL
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wundef"
#include <nvtx3/nvToolsExt.h>
#pragma GCC diagnostic pop

static int depth, ranges;

static int push(const char *name)
{
	(void)name;
	ranges++;
	return depth++;
}

static int pop(void)
{
	return --depth;
}

static void __attribute__((destructor)) report(void)
{
	printf("tool %d %d\n", ranges, depth);
}

__attribute__((visibility("default"))) int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t get);
int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t get)
{
	const NvtxExportTableCallbacks *c = get(NVTX_ETID_CALLBACKS);
	NvtxFunctionTable table = NULL;
	unsigned n = 0;

	if (!c->GetModuleFunctionTable(NVTX_CB_MODULE_CORE, &table, &n))
		return 0;
	*table[NVTX_CBID_CORE_RangePushA] = (NvtxFunctionPointer)push;
	*table[NVTX_CBID_CORE_RangePop] = (NvtxFunctionPointer)pop;
	return 1;
}
#endif
