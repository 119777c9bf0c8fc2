/* SPDX-License-Identifier: Apache-2.0 */
/* Where the preloaded library is, and which one it is. */
#ifndef EKKA_TOOLS_SHIM_H
#define EKKA_TOOLS_SHIM_H

#include <stddef.h>

#define EKKA_SHIM_NAME "libekkatrace.so"

/*
 * Absolute path of the shim that belongs to this binary: beside it (../lib of an installation or a bundle, the
 * .libs of a build tree), else where `make install` puts it. Returns 0, or -1 when there is none.
 */
int ekka_shim_find(char *path, size_t len);

/* The version of the shim at `path` into buf, asked in a child process; NULL when it does not say. */
const char *ekka_shim_version(const char *path, char *buf, size_t len);

#endif
