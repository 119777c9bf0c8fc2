/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "tools/probe.h"

#include "cupti/load.h"
#include "tools/program.h"
#include "tools/shim.h"
#include "tools/text.h"

#include <dlfcn.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <limits.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <unistd.h>

struct list {
	struct ekka_probe *probes;
	size_t n;
};

__attribute__((format(printf, 4, 5)))
static void add(struct list *l, const char *name, enum ekka_probe_state state, const char *fmt, ...)
{
	struct ekka_probe *p;
	va_list ap;

	if (l->n == EKKA_MAX_PROBES)
		return;
	p = &l->probes[l->n++];
	p->name = name;
	p->state = state;
	va_start(ap, fmt);
	vsnprintf(p->detail, sizeof(p->detail), fmt, ap);
	va_end(ap);
}

/* Path of the library behind a handle. */
static void library_path(void *handle, const char *soname, char *path, size_t len)
{
	struct link_map *map;

	if (dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map->l_name[0])
		snprintf(path, len, "%s", map->l_name);
	else
		snprintf(path, len, "%s", soname);
}

/* The first of the sonames that loads, or NULL. Stays loaded: some libraries do not survive unloading. */
static void *load_any(const char *const *sonames, char *path, size_t len)
{
	for (; *sonames; sonames++) {
		void *handle = dlopen(*sonames, RTLD_LAZY | RTLD_LOCAL);

		if (handle) {
			library_path(handle, *sonames, path, len);
			return handle;
		}
	}
	return NULL;
}

static void probe_system(struct list *l)
{
	struct utsname u;

	if (uname(&u) == 0)
		add(l, "system", strcmp(u.machine, "x86_64") == 0 ? EKKA_PROBE_OK : EKKA_PROBE_NO,
		    "%s %s, glibc %s, %ld cores%s", u.sysname, u.release, gnu_get_libc_version(),
		    sysconf(_SC_NPROCESSORS_ONLN), strcmp(u.machine, "x86_64") == 0 ? "" : "; only x86_64 is supported");
}

static void probe_shim(struct list *l)
{
	char path[PATH_MAX], version[64];
	const char *found;

	if (ekka_shim_find(path, sizeof(path)) != 0) {
		add(l, "shim", EKKA_PROBE_NO, EKKA_SHIM_NAME " not found; was it built and installed");
		return;
	}
	found = ekka_shim_version(path, version, sizeof(version));
	if (!found)
		add(l, "shim", EKKA_PROBE_WARN, "%s does not say its version", path);
	else if (strcmp(found, PACKAGE_VERSION) != 0)
		add(l, "shim", EKKA_PROBE_WARN, "%s is version %s, this command %s", path, found, PACKAGE_VERSION);
	else
		add(l, "shim", EKKA_PROBE_OK, "%s, version %s", path, found);
}

static void probe_libunwind(struct list *l)
{
	static const char *const sonames[] = { "libekka-unwind.so.8", "libunwind.so.8", NULL };
	char path[PATH_MAX];
	void *handle = load_any(sonames, path, sizeof(path));

	if (handle && dlsym(handle, "unw_backtrace"))
		add(l, "native stacks", EKKA_PROBE_OK, "%s", path);
	else
		add(l, "native stacks", EKKA_PROBE_WARN,
		    "libunwind.so.8 does not load, so events have no native stack (Debian package libunwind8)");
}

/* Copies through the kernel survive a tensor that was unmapped; sandboxes may forbid them. */
static void probe_process_vm(struct list *l)
{
	int from = 1, to = 0;
	struct iovec local = { &to, sizeof(to) }, remote = { &from, sizeof(from) };

	if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == sizeof(to) && to == from)
		add(l, "process_vm_readv", EKKA_PROBE_OK, "allowed on the own process");
	else
		add(l, "process_vm_readv", EKKA_PROBE_WARN, "refused: %s; a sandbox or seccomp filter is in the way",
		    strerror(errno));
}

static void probe_ptrace(struct list *l)
{
	static const char *const meanings[] = { "any process of the same user may be attached to", "only descendants may be attached to",
						"only root may attach", "nobody may attach" };
	FILE *f = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = -1;

	if (f) {
		if (fscanf(f, "%d", &scope) != 1)
			scope = -1;
		fclose(f);
	}
	/* Recording works in the process itself and needs none of it; debuggers on the reproducer do. */
	if (scope < 0 || scope > 3)
		add(l, "ptrace", EKKA_PROBE_OK, "no yama; recording does not need ptrace");
	else
		add(l, "ptrace", EKKA_PROBE_OK, "yama ptrace_scope %d: %s; recording does not need ptrace", scope,
		    meanings[scope]);
}

static void probe_python(struct list *l)
{
	char path[PATH_MAX], real[PATH_MAX];

	if (ekka_program_find("python3", path, sizeof(path)) == 0)
		add(l, "python", EKKA_PROBE_OK, "%s (%s); frames are read in the process that is recorded", path,
		    realpath(path, real) ? real : path);
	else
		add(l, "python", EKKA_PROBE_OK, "no python3 in PATH; only needed to record Python programs");
}

static void probe_blas(struct list *l)
{
	static const char *const libraries[][4] = {
		{ "libopenblas.so.0", NULL },	      { "libcblas.so.3", NULL }, { "libblas.so.3", NULL },
		{ "libblis.so.4", "libblis.so.3", NULL }, { "libmkl_rt.so.2", "libmkl_rt.so.1", NULL },
	};
	char path[PATH_MAX], found[400] = "";
	size_t at = 0;

	for (size_t i = 0; i < sizeof(libraries) / sizeof(*libraries); i++)
		if (load_any(libraries[i], path, sizeof(path)) && at + strlen(path) + 3 < sizeof(found))
			at += (size_t)snprintf(found + at, sizeof(found) - at, "%s%s", at ? ", " : "", path);
	if (at)
		add(l, "CPU BLAS", EKKA_PROBE_OK, "%s", found);
	else
		add(l, "CPU BLAS", EKKA_PROBE_WARN,
		    "none where the dynamic linker looks; those that programs bring along are recorded all the same");
}

static void probe_cuda(struct list *l)
{
	static const char *const driver[] = { "libcuda.so.1", NULL };
	static const char *const cublas[] = { "libcublas.so.13", "libcublas.so.12", "libcublas.so.11", NULL };
	char path[PATH_MAX];
	int (*get_version)(int *) = NULL;
	void *handle = load_any(driver, path, sizeof(path));
	int version = 0;

#ifdef HAVE_CUDA
	add(l, "CUDA capture", EKKA_PROBE_OK, "built in");
#else
	add(l, "CUDA capture", EKKA_PROBE_NO, "not built in (configured without the CUDA Toolkit)");
#endif
	if (handle)
		*(void **)&get_version = dlsym(handle, "cuDriverGetVersion");
	if (get_version && get_version(&version) == 0)
		add(l, "CUDA driver", EKKA_PROBE_OK, "%s, for CUDA %d.%d", path, version / 1000, version % 1000 / 10);
	else
		add(l, "CUDA driver", EKKA_PROBE_NO, "libcuda.so.1 does not load");
	if (load_any(cublas, path, sizeof(path)))
		add(l, "cuBLAS", EKKA_PROBE_OK, "%s", path);
	else
		add(l, "cuBLAS", EKKA_PROBE_WARN,
		    "none where the dynamic linker looks; those that programs bring along are recorded all the same");
}

static void probe_cupti(struct list *l)
{
	struct ekka_cupti cupti;
	const char *why = ekka_cupti_load("/usr/local/cuda/lib64", &cupti);

	/* Library calls are recorded without it. */
	if (why)
		add(l, "CUPTI", EKKA_PROBE_OK, "%s; kernel launches are recorded at the driver's entry points instead", why);
	else
		add(l, "CUPTI", EKKA_PROBE_OK, "%s, API version %u", cupti.soname, cupti.version);
}

static void probe_disk(struct list *l)
{
	struct statvfs fs;
	char text[32];

	if (statvfs(".", &fs) != 0) {
		add(l, "disk", EKKA_PROBE_WARN, "cannot tell the space in the current directory: %s", strerror(errno));
		return;
	}
	add(l, "disk", access(".", W_OK) == 0 ? EKKA_PROBE_OK : EKKA_PROBE_WARN, "%s free in the current directory%s",
	    ekka_text_bytes((uint64_t)fs.f_bavail * fs.f_frsize, text, sizeof(text)),
	    access(".", W_OK) == 0 ? "" : ", which cannot be written to: use record -o");
}

static void probe_preload(struct list *l)
{
	const char *already = getenv("LD_PRELOAD");

	if (already && *already)
		add(l, "LD_PRELOAD", EKKA_PROBE_OK, "is set already; record puts the shim before: %s", already);
}

size_t ekka_probe_all(struct ekka_probe *probes)
{
	struct list l = { probes, 0 };

	probe_system(&l);
	probe_shim(&l);
	probe_preload(&l);
	probe_libunwind(&l);
	probe_python(&l);
	probe_process_vm(&l);
	probe_ptrace(&l);
	probe_blas(&l);
	probe_cuda(&l);
	probe_cupti(&l);
	probe_disk(&l);
	return l.n;
}
