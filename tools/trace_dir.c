/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/trace_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_trace_file(const char *name)
{
	static const char *const globs[] = { "events-*.ekka", "blobs-*.ekka", "index-*.ekka" };

	for (size_t i = 0; i < sizeof(globs) / sizeof(*globs); i++)
		if (fnmatch(globs[i], name, 0) == 0)
			return true;
	return false;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

enum ekka_dir_kind ekka_trace_dir_kind(const char *path)
{
	enum ekka_dir_kind kind = EKKA_DIR_EMPTY;
	const struct dirent *e;
	DIR *dir = opendir(path);

	if (!dir)
		return errno == ENOENT ? EKKA_DIR_NONE : errno == ENOTDIR ? EKKA_DIR_OTHER : EKKA_DIR_ERROR;
	while (kind != EKKA_DIR_OTHER && (e = readdir(dir)) != NULL) {
		if (is_dots(e->d_name))
			continue;
		kind = is_trace_file(e->d_name) ? EKKA_DIR_TRACE : EKKA_DIR_OTHER;
	}
	closedir(dir);
	return kind;
}

int ekka_trace_dir_remove(const char *path)
{
	const struct dirent *e;
	DIR *dir = opendir(path);
	int ret = 0;

	if (!dir)
		return -1;
	while (ret == 0 && (e = readdir(dir)) != NULL)
		if (is_trace_file(e->d_name))
			ret = unlinkat(dirfd(dir), e->d_name, 0);
	closedir(dir);
	return ret ? ret : rmdir(path);
}

/* Time of the last write: that of the youngest file in it, as appending leaves the directory's own untouched. */
static struct timespec written(const char *path)
{
	struct timespec ret = { 0 };
	const struct dirent *e;
	struct stat st;
	DIR *dir = opendir(path);

	if (!dir)
		return ret;
	while ((e = readdir(dir)) != NULL)
		if (is_trace_file(e->d_name) && fstatat(dirfd(dir), e->d_name, &st, 0) == 0 &&
		    (st.st_mtim.tv_sec > ret.tv_sec ||
		     (st.st_mtim.tv_sec == ret.tv_sec && st.st_mtim.tv_nsec > ret.tv_nsec)))
			ret = st.st_mtim;
	closedir(dir);
	return ret;
}

int ekka_trace_dir_newest(char *path, size_t len)
{
	struct timespec best = { 0 };
	const struct dirent *e;
	DIR *dir = opendir(".");
	int ret = -1;

	if (!dir)
		return -1;
	while ((e = readdir(dir)) != NULL) {
		struct timespec t;

		if (fnmatch("*.ekka", e->d_name, 0) != 0 || strlen(e->d_name) >= len)
			continue;
		t = written(e->d_name);
		if (t.tv_sec > best.tv_sec || (t.tv_sec == best.tv_sec && t.tv_nsec > best.tv_nsec)) {
			best = t;
			snprintf(path, len, "%s", e->d_name);
			ret = 0;
		}
	}
	closedir(dir);
	return ret;
}
