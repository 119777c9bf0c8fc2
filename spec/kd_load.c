/* SPDX-License-Identifier: Apache-2.0 */
/* Description files: those of a list of paths, then those that are built in. No stdio: this also runs inside the host. */
#include "config.h"

#include "spec/describe.h"
#include "spec/kd.h"
#include "spec/kernels_builtin.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 4 << 20, FILES_MAX = 512, PATH_BYTES = 4096, DIRENTS_BYTES = 16 << 10 };

struct load {
	struct ekka_descriptions *set;
	void (*problem)(void *arg, const char *text);
	void *arg;
};

static void complain(struct load *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void complain(struct load *l, const char *fmt, ...)
{
	char text[KD_ERROR_BYTES];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (l->problem)
		l->problem(l->arg, text);
}

static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void parse(struct load *l, const char *file, const char *text)
{
	struct ekka_error err = { 0 };

	if (kd_parse(l->set, file, text, &err) < 0)
		complain(l, "%s", err.message);
}

/* All of a file, or NULL with errno. */
static char *contents(struct load *l, int fd, size_t *ret_bytes)
{
	struct stat st;
	size_t n = 0;
	char *text;

	if (fstat(fd, &st) < 0)
		return NULL;
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_BYTES_MAX) {
		errno = S_ISREG(st.st_mode) ? EFBIG : EINVAL;
		return NULL;
	}
	text = ekka_arena_take(&l->set->arena, (size_t)st.st_size + 1);
	if (!text) {
		errno = ENOMEM;
		return NULL;
	}
	while (n < (size_t)st.st_size) {
		ssize_t got = read(fd, text + n, (size_t)st.st_size - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return NULL;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	*ret_bytes = n;
	return text;
}

static void load_file(struct load *l, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t bytes;
	char *text = fd < 0 ? NULL : contents(l, fd, &bytes);
	const char *name;

	if (!text) {
		complain(l, "cannot read '%.300s': %s", path, strerrordesc_np(errno));
	} else if (memchr(text, 0, bytes)) {
		complain(l, "%.300s: it has bytes of zero: no text", path);
	} else {
		name = ekka_arena_text(&l->set->arena, base(path), strlen(base(path)));
		if (name)
			parse(l, name, text);
	}
	if (fd >= 0)
		(void)close(fd);
}

/* ---- folders -------------------------------------------------------------------- */

struct names { const char *name[FILES_MAX]; unsigned n; bool full; };

static void add_sorted(struct names *names, const char *name)
{
	unsigned i;

	if (names->n == FILES_MAX) {
		names->full = true;
		return;
	}
	for (i = names->n++; i > 0 && strcmp(names->name[i - 1], name) > 0; i--)
		names->name[i] = names->name[i - 1];
	names->name[i] = name;
}

static bool is_description(const char *name)
{
	size_t n = strlen(name);

	return n > 3 && name[0] != '.' && strcmp(name + n - 3, ".kd") == 0;
}

/* readdir would take memory from malloc. */
static bool list_folder(struct load *l, int fd, struct names *names)
{
	char *buf = ekka_arena_take(&l->set->arena, DIRENTS_BYTES);
	long n = 0;

	while (buf && (n = syscall(SYS_getdents64, fd, buf, (unsigned)DIRENTS_BYTES)) > 0) {
		for (long at = 0; at < n;) {
			const struct dirent64 *e = (const struct dirent64 *)(buf + at);
			const char *name = is_description(e->d_name) ? ekka_arena_text(&l->set->arena, e->d_name, strlen(e->d_name)) : NULL;

			if (name)
				add_sorted(names, name);
			at += e->d_reclen;
		}
	}
	return buf && n == 0;
}

static void load_folder(struct load *l, const char *path, int fd)
{
	struct names *names = ekka_arena_take(&l->set->arena, sizeof(*names));
	char file[PATH_BYTES];

	if (!names || !list_folder(l, fd, names)) {
		complain(l, "cannot list '%.300s'", path);
		return;
	}
	if (names->full)
		complain(l, "'%.300s' has more than %d descriptions", path, FILES_MAX);
	for (unsigned i = 0; i < names->n; i++)
		if ((size_t)snprintf(file, sizeof(file), "%s/%s", path, names->name[i]) < sizeof(file))
			load_file(l, file);
}

static void load_path(struct load *l, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		load_file(l, path);
		return;
	}
	load_folder(l, path, fd);
	(void)close(fd);
}

static void load_paths(struct load *l, const char *paths)
{
	char path[PATH_BYTES];

	while (*paths) {
		size_t n = strcspn(paths, ":");

		if (n >= sizeof(path)) {
			complain(l, "a path of %zu bytes", n);
		} else if (n) {
			memcpy(path, paths, n);
			path[n] = '\0';
			load_path(l, path);
		}
		paths += n + (paths[n] == ':');
	}
}

/* ---- the set ------------------------------------------------------------------------ */

static struct ekka_descriptions *new_set(void)
{
	struct ekka_arena arena = { 0 };
	struct ekka_descriptions *set = ekka_arena_take(&arena, sizeof(*set));

	if (!set)
		return NULL;
	set->arena = arena;	/* in memory of its own */
	set->kernels_end = &set->kernels;
	set->functors_end = &set->functors;
	set->scratch = ekka_arena_take(&set->arena, KD_NAME_BYTES);
	set->scratch_meaning = ekka_arena_take(&set->arena, sizeof(*set->scratch_meaning));
	if (set->scratch && set->scratch_meaning)
		return set;
	arena = set->arena;
	ekka_arena_release(&arena);
	return NULL;
}

int ekka_descriptions_load(const char *paths, struct ekka_descriptions **ret, void (*problem)(void *arg, const char *text), void *arg,
			   struct ekka_error *err)
{
	struct load l = { .set = new_set(), .problem = problem, .arg = arg };

	if (!l.set)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "out of memory");
	load_paths(&l, paths ? paths : "");
	for (const struct ekka_builtin_kernels *b = ekka_builtin_kernels; b->file; b++)
		parse(&l, b->file, b->text);
	*ret = l.set;
	return 0;
}
