/* SPDX-License-Identifier: Apache-2.0 */
/* A program about to be run: where it is, and whether the dynamic linker will heed LD_PRELOAD for it. */
#ifndef EKKA_TOOLS_PROGRAM_H
#define EKKA_TOOLS_PROGRAM_H

#include <stddef.h>

/* Path of `name` as execvp would find it; -1 when it would not. */
int ekka_program_find(const char *name, char *path, size_t len);

/* Why preloading into the program at `path` (or into a script's interpreter) will not work; NULL when it will, or when that cannot be told. */
const char *ekka_program_obstacle(const char *path);

#endif
