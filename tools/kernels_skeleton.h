/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptions to start from. */
#ifndef EKKA_TOOLS_KERNELS_SKELETON_H
#define EKKA_TOOLS_KERNELS_SKELETON_H

#include "trace/reader.h"

/* Prints to stdout a description for the kernel of a launch, with its parameters as comments; it compiles as it is. */
void ekka_kernels_skeleton(const struct ekka_event *launch, const char *demangled);

#endif
