/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HIGH = 900, N_RESERVED = 2 };	/* below FD_SETSIZE, above what an engine that counts from 3 expects */

static struct ekka_fd reserved[N_RESERVED] = { { .fd = -1 }, { .fd = -1 } };

static bool is_same(const struct ekka_fd *f)
{
	struct stat st;

	return f->fd >= 0 && fstat(f->fd, &st) == 0 && st.st_dev == f->dev && st.st_ino == f->ino;
}

/* Takes over `fd`, moved to a high number when there is one. */
static int adopt(struct ekka_fd *f, int fd)
{
	struct rlimit limit;
	struct stat st;
	int min = HIGH;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur <= HIGH + 16)
		min = (int)(limit.rlim_cur / 2);
	int high = fcntl(fd, F_DUPFD_CLOEXEC, min);
	if (high >= 0) {
		close(fd);
		fd = high;
	}
	if (fstat(fd, &st) != 0) {
		close(fd);
		return -1;
	}
	*f = (struct ekka_fd){ .fd = fd, .dev = st.st_dev, .ino = st.st_ino };
	return 0;
}

void ekka_fd_reserve(void)
{
	for (int i = 0; i < N_RESERVED; i++) {
		/* Its own inode: nothing that the engine opens under the same number is mistaken for it. */
		int fd = memfd_create("ekkatrace", MFD_CLOEXEC);
		if (fd >= 0)
			(void)adopt(&reserved[i], fd);
	}
}

void ekka_fd_unreserve(void)
{
	for (int i = 0; i < N_RESERVED; i++)
		ekka_fd_close(&reserved[i]);
}

int ekka_fd_create(struct ekka_fd *f, const char *path)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
	int fd = open(path, flags, 0600);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
		for (int i = 0; fd < 0 && i < N_RESERVED; i++) {
			if (reserved[i].fd < 0)
				continue;
			ekka_fd_close(&reserved[i]);
			fd = open(path, flags, 0600);
		}
	}
	return fd < 0 ? -1 : adopt(f, fd);
}

bool ekka_fd_check(struct ekka_fd *f, const char *path)
{
	struct ekka_fd again;

	if (is_same(f))
		return true;
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || adopt(&again, fd) != 0)
		return false;
	if (again.dev != f->dev || again.ino != f->ino) {
		close(again.fd);
		return false;
	}
	*f = again;
	return true;
}

void ekka_fd_close(struct ekka_fd *f)
{
	if (is_same(f))
		close(f->fd);
	f->fd = -1;
}
