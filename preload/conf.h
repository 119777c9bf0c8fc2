/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings of the shim, from the environment. Zone: inside the host process.
 *
 * Parsed once, before the first recorded call; read-only afterwards. The table is preload/conf.def.
 */
#ifndef EKKA_PRELOAD_CONF_H
#define EKKA_PRELOAD_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ekka_level { EKKA_LEVEL_OFF, EKKA_LEVEL_CALLS, EKKA_LEVEL_FULL };
enum ekka_when_full { EKKA_BLOCK, EKKA_DROP };

enum ekka_launches { EKKA_LAUNCHES_OFF, EKKA_LAUNCHES_CUPTI, EKKA_LAUNCHES_DRIVER, EKKA_LAUNCHES_AUTO };

enum ekka_modules { EKKA_MODULES_AUTO, EKKA_MODULES_ON, EKKA_MODULES_OFF };
enum ekka_timing { EKKA_TIMING_AUTO, EKKA_TIMING_ON, EKKA_TIMING_OFF };

struct ekka_conf {
	const char *output;		/* "" : default. Texts are borrowed from the environment at start, copied */
	enum ekka_level level;
	const char *include, *exclude;	/* "" : none */
	const char *window;		/* "" : no window */
	uint64_t skip, count, every;	/* calls; count 0: no limit; every is at least 1 */
	uint64_t budget;		/* bytes; 0: not set */
	uint64_t memory;		/* bytes */
	enum ekka_when_full when_full;
	uint64_t cuda_staging;		/* bytes per context; 0: not set */
	uint64_t cuda_pinned;		/* bytes */
	uint64_t compress;		/* zstd level */
	uint64_t stack;			/* frames */
	enum ekka_launches launches;
	enum ekka_timing timing;
	enum ekka_modules modules;
	const char *kernels;		/* colon-separated paths; "": none */
	uint64_t buffer_bytes;		/* bytes */
	uint64_t lineage, sync, quiet, signal;	/* 0 or 1 */
	char unknown[200];		/* a line about a variable EKKA_* that is no setting, or "" */
};

extern struct ekka_conf ekka_conf;

/*
 * Fills *conf from `env` (the process environment's form). Returns true, or false with one line of text in
 * err (no newline) naming the variable and what it may be; *conf then has level OFF. A name that is no setting leaves
 * all as it is but for conf->unknown; names that begin with EKKA_TEST_ are free for tests. No allocation.
 */
bool ekka_conf_parse(struct ekka_conf *conf, char *const env[], char *err, size_t err_size);

/* Does `name` match one of the comma-separated shell patterns (a pattern longer than 127 bytes matches nothing). */
bool ekka_globs_match(const char *globs, const char *name);

/* Is the function wanted, by include and exclude. */
bool ekka_conf_wants(const struct ekka_conf *conf, const char *name);

#endif
