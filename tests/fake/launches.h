/* SPDX-License-Identifier: Apache-2.0 */
/* What the launch subject and its kernels agree on. */
#ifndef EKKA_TESTS_FAKE_LAUNCHES_H
#define EKKA_TESTS_FAKE_LAUNCHES_H

struct big { char bytes[20000]; };
struct odd { int a; float b; char c[4]; };	/* 12 bytes */

/* What cuModuleLoadData gets: kernels scale, odd and big, fifty; and another module, with one called other. */
extern const void *const launches_image, *const launches_other_image;

#endif
