/* SPDX-License-Identifier: Apache-2.0 */
/* A large event that goes row by row on several threads: each goes over some rows with a structure of its own, made by the op's prepare. */
#ifndef EKKA_REPLAY_ROWS_TEAM_H
#define EKKA_REPLAY_ROWS_TEAM_H

#include "replay/rows.h"

/*
 * True when all rows of `r`, which the op has prepared, were compared and nothing is wrong; otherwise nothing was done, for want of threads, of rows, or of
 * memory, or because what is wrong has to be described by one.
 */
bool ekka_rows_together(const struct ekka_rows_op *, struct ekka_rows *r);

#endif
