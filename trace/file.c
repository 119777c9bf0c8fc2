/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_regular(int dir_fd, const char *name, struct stat *st, struct ekka_error *err)
{
	/* O_NONBLOCK: opening a FIFO that somebody left here must not wait for a writer. */
	int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int saved;

	if (fd < 0) {
		if (errno == ELOOP)
			return ekka_error_set(err, EKKA_ERR_FORMAT, "%s: a symbolic link, which a trace never holds", name);
		return ekka_error_set(err, EKKA_ERR_IO, "%s: cannot open: %s", name, strerror(errno));
	}
	if (fstat(fd, st) != 0) {
		saved = errno;
		(void)close(fd);
		return ekka_error_set(err, EKKA_ERR_IO, "%s: cannot stat: %s", name, strerror(saved));
	}
	if (!S_ISREG(st->st_mode)) {
		(void)close(fd);
		return ekka_error_set(err, EKKA_ERR_FORMAT, "%s: not a regular file", name);
	}
	return fd;
}

int ekka_file_open(struct ekka_file *ret, int dir_fd, const char *name, int keep, struct ekka_error *err)
{
	struct stat st;
	int fd = open_regular(dir_fd, name, &st, err);

	if (fd < 0)
		return fd;
	*ret = (struct ekka_file){ .name = strdup(name), .dir_fd = dir_fd, .fd = keep ? fd : -1, .size = (uint64_t)st.st_size };
	if (!keep)
		(void)close(fd);
	if (!ret->name) {
		ekka_file_close(ret);
		return ekka_error_set(err, EKKA_ERR_NOMEM, "%s: out of memory", name);
	}
	return 0;
}

void ekka_file_close(struct ekka_file *f)
{
	free(f->name);
	f->name = NULL;
	if (f->fd >= 0)
		(void)close(f->fd);
	f->fd = -1;
}

int ekka_file_borrow(const struct ekka_file *f, struct ekka_error *err)
{
	struct stat st;

	return f->fd >= 0 ? f->fd : open_regular(f->dir_fd, f->name, &st, err);
}

void ekka_file_return(const struct ekka_file *f, int fd)
{
	if (fd >= 0 && fd != f->fd)
		(void)close(fd);
}

int ekka_file_read(const struct ekka_file *f, int fd, uint64_t at, void *buf, size_t n, struct ekka_error *err)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = pread(fd, (char *)buf + done, n - done, (off_t)(at + done));

		if (got > 0)
			done += (size_t)got;
		else if (got == 0)
			return ekka_error_set(err, EKKA_ERR_IO, "%s: offset %" PRIu64 ": the file has become shorter", f->name,
					      at + done);
		else if (errno != EINTR)
			return ekka_error_set(err, EKKA_ERR_IO, "%s: offset %" PRIu64 ": cannot read: %s", f->name, at + done,
					      strerror(errno));
	}
	return 0;
}
