/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of PyTorch and CUB for the fake machine. One stream at a time launches them. */
#ifndef EKKA_TESTS_ATEN_KERNELS_H
#define EKKA_TESTS_ATEN_KERNELS_H

#include "tests/fake/fake.h"

enum kernel_id {
#define KERNEL(id, body, layout, name) K_##id,
#include "tests/fake/aten_kernels.def"
#undef KERNEL
	KERNELS
};

extern bool kernel_wrong;	/* the next launch has the kernel's defect */

/* The kernel as the machine knows it, laid out; and its id as text. */
const struct fake_kernel *kernel_of(enum kernel_id);
const char *kernel_id_name(enum kernel_id);

/* ATen's description of a tensor; `wide`: with 64-bit sizes. At most 25 dimensions. */
struct tensor_info { uint64_t data; uint32_t size[25], stride[25]; int32_t dims; };
struct wide_info { uint64_t data; int64_t size[25], stride[25]; int32_t dims; };

#endif
