/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NVTX ranges of the engine, for EKKA_WINDOW. Zone: inside the host process.
 *
 * NVTX 3 is headers that every library has compiled into itself: at its first range each copy loads what NVTX_INJECTION64_PATH names and calls its
 * InitializeInjectionNvtx2, which may put functions in the places of the copy's own. Ours go there, in front of those of
 * a tool that NVTX_INJECTION64_PATH named before us. Without EKKA_WINDOW nothing is put anywhere. Programs of NVTX 2
 * (libnvToolsExt.so.1) are not seen.
 */
#ifndef EKKA_PRELOAD_NVTX_H
#define EKKA_PRELOAD_NVTX_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A look-up of InitializeInjectionNvtx2 found `found`, a tool's: gives back ours, which will call it; NULL when `name` is another or EKKA_WINDOW is not
 * set.
 */
void *ekka_nvtx_answer(const char *name, void *found);

/* Would ekka_nvtx_answer have an answer. */
bool ekka_nvtx_concern(const char *name);

#endif
