/* SPDX-License-Identifier: Apache-2.0 */
/* The images of GPU code that a trace has. Not shared between threads; ends the command when there is no memory. */
#ifndef EKKA_TOOLS_KERNELS_MODULES_H
#define EKKA_TOOLS_KERNELS_MODULES_H

#include <stdbool.h>

#include "trace/reader.h"

/* Goes through the launches of kernels that are wanted, by their mangled names. An exit status: events that cannot be read are said and passed over. */
int ekka_kernels_modules_collect(struct ekka_trace *, bool (*wanted)(const char *name));

/* Prints them in the order in which they were met: kind, bytes, kernels and launches, name of the content; or one JSON object a line. */
void ekka_kernels_modules_print(bool json);

/* Writes each into the folder `dir`, which is made, as NAME.cubin, NAME.fatbin or NAME.ptx. An exit status, having said why. */
int ekka_kernels_modules_extract(struct ekka_trace *, const char *dir);

void ekka_kernels_modules_release(void);

/* The name of a content in hexadecimal digits. Returns buf. */
enum { EKKA_BLOB_NAME = 33 };
const char *ekka_blob_name(const struct ekka_blob_id *, char buf[EKKA_BLOB_NAME]);

#endif
