/* SPDX-License-Identifier: Apache-2.0 */
/* Where the trace goes, and what its `open` record says about this process. */
#ifndef EKKA_PRELOAD_SEGMENT_H
#define EKKA_PRELOAD_SEGMENT_H

#include "trace/model.h"

/* From the constructor: the program may change its working directory later. False: no name can be made. */
bool ekka_segment_name(void);

/* From the constructor and in a forked child, before the first event: takes the time that `open` gives as the start. */
void ekka_segment_start(void);

const char *ekka_segment_dir(void);	/* absolute path */
const char *ekka_segment_shown(void);	/* as the user wrote it, or ./... */
const char *ekka_segment_exe(void);	/* path of the executable */

/* Fills *rec; its texts are static. Sink thread only. */
void ekka_segment_describe(struct ekka_rec_open *rec);

#endif
