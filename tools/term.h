/* SPDX-License-Identifier: Apache-2.0 */
/* What depends on a terminal: width, colour, pager, progress bar. */
#ifndef EKKA_TOOLS_TERM_H
#define EKKA_TOOLS_TERM_H

#include <stdbool.h>
#include <stdint.h>

/* Looks at stdout and stderr before a pager takes stdout. Call once, first. */
void ekka_term_init(void);

/* Columns of the terminal behind stdout; 0 when stdout is none: nothing needs cutting then. */
unsigned ekka_term_width(void);

enum ekka_colour { EKKA_PLAIN, EKKA_BOLD, EKKA_DIM, EKKA_RED, EKKA_GREEN, EKKA_YELLOW };

/* Escape sequence for stdout, or "" when it is no terminal or NO_COLOR is set. */
const char *ekka_colour(enum ekka_colour);

/*
 * Sends stdout through $PAGER (or less) when it is a terminal; NO_PAGER, an empty PAGER or "cat" prevent it.
 * ekka_pager_finish closes the pipe and waits.
 */
void ekka_pager_start(void);
void ekka_pager_finish(void);
bool ekka_pager_used(void);		/* stdout went to one, even if it has finished since */
void ekka_pager_disable(void);		/* --no-pager */

/* Progress on stderr when that is a terminal, from one second on. `total` 0: hidden. */
void ekka_progress(const char *what, uint64_t done, uint64_t total);
void ekka_progress_hide(void);

#endif
