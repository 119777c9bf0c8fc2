/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of a trace, read with pread: a file that shrinks under us gives an error, where mmap would
 * give SIGBUS. Its length is the one it had when it was opened. Private to trace/; reading is thread-safe.
 */
#ifndef EKKA_TRACE_FILE_H
#define EKKA_TRACE_FILE_H

#include "trace/error.h"

#include <stddef.h>
#include <stdint.h>

struct ekka_file {
	char *name;		/* within the trace directory; owned */
	int dir_fd;		/* borrowed */
	int fd;			/* kept open, or -1: opened for each use, so that a trace of many processes does not use up all descriptors */
	uint64_t size;		/* bytes */
};

/* Opens `name` in dir_fd; refuses symbolic links and whatever is not a regular file. keep: hold the descriptor. */
int ekka_file_open(struct ekka_file *ret, int dir_fd, const char *name, int keep, struct ekka_error *err);
void ekka_file_close(struct ekka_file *);

/* A descriptor for reading, or negative; give it back. */
int ekka_file_borrow(const struct ekka_file *, struct ekka_error *err);
void ekka_file_return(const struct ekka_file *, int fd);

/* Reads exactly n bytes at `at`. */
int ekka_file_read(const struct ekka_file *, int fd, uint64_t at, void *buf, size_t n, struct ekka_error *err);

#endif
