/* SPDX-License-Identifier: Apache-2.0 */
/* A few threads that help the sink thread with one loop at a time. Sink thread only. */
#ifndef EKKA_PRELOAD_POOL_H
#define EKKA_PRELOAD_POOL_H

/* Runs fn(arg, i, worker) for i in 0..n-1, on the calling thread (worker 0) and the helpers; returns when all are done. */
void ekka_pool_run(void (*fn)(void *arg, unsigned i, unsigned worker), void *arg, unsigned n);

enum { EKKA_POOL_MAX = 4 };		/* workers, with the caller */

unsigned ekka_pool_threads(void);	/* helpers alive */
void ekka_pool_stop(void);		/* ends the helpers; the next run starts others */
void ekka_pool_forget(void);		/* in a forked child: there are none */

#endif
