/* SPDX-License-Identifier: Apache-2.0 */
/* Text for people, made out of text from a trace, which may hold anything. */
#ifndef EKKA_TOOLS_TEXT_H
#define EKKA_TOOLS_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Prints text from a trace: control bytes as \xNN, so that it can neither move the cursor nor start a line. */
void ekka_text_print(FILE *out, const char *text);

/* At most `width` columns of text from a trace into buf, "~" last when it was cut; width 0: no limit but buf's. Returns buf. */
const char *ekka_text_fit(const char *text, size_t width, char *buf, size_t buf_len);

/* "1.5 GiB" */
const char *ekka_text_bytes(uint64_t bytes, char *buf, size_t buf_len);

/* Nanoseconds: "1.5 ms" */
const char *ekka_text_duration(uint64_t ns, char *buf, size_t buf_len);

#endif
