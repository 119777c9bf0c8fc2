/* SPDX-License-Identifier: Apache-2.0 */
/* The workspace that a cuBLAS handle was given, watched from cublasSetWorkspace on: the library has no getter. Zone: inside the host process. */
#ifndef EKKA_PRELOAD_CUBLAS_WORKSPACE_H
#define EKKA_PRELOAD_CUBLAS_WORKSPACE_H

#include <stdbool.h>
#include <stdint.h>

struct ekka_workspace { uint64_t addr, bytes; };	/* device memory of the program's */

/* False when the handle uses the library's own, or is one too many. Takes a lock that is only ever held for moments. */
bool ekka_cublas_workspace(const void *handle, struct ekka_workspace *ret);

#endif
