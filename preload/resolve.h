/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds real functions. Zone: inside the host process.
 *
 * Which one a caller gets is what the dynamic linker would have given it without us: the next definition in the
 * global scope; else, for libraries that came in under RTLD_LOCAL, the one in the dependency tree of the caller's own
 * module; else any loaded library that the spec names; else any loaded library at all.
 */
#ifndef EKKA_PRELOAD_RESOLVE_H
#define EKKA_PRELOAD_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>

/* A function pointer that dlsym gave out: jumps to `wrapper` with ekka_pending set to this. thunk.S knows the layout. */
struct ekka_slot {
	void *wrapper;
	void *real;
	unsigned fn_id;
};

/* The C library's own functions that we interpose; valid after ekka_resolve_init. */
struct ekka_libc {
	void *(*dlsym)(void *, const char *);
	int (*dlclose)(void *);
	int (*execve)(const char *, char *const[], char *const[]);
	int (*execvpe)(const char *, char *const[], char *const[]);
	int (*fexecve)(int, char *const[], char *const[]);
	int (*execveat)(int, const char *, char *const[], char *const[], int);
	void (*exit_now)(int);		/* _exit */
};
extern struct ekka_libc ekka_libc;

/* Any thread, any number of times; uses no state but ekka_libc. */
void ekka_resolve_init(void);

/* Path of the shared object that contains `p` (""  for the program itself), or NULL. Valid while it is loaded. */
const char *ekka_object_path(const void *p);

/* Are both in the same shared object. */
bool ekka_same_object(const void *p, const void *q);

/* First address of the shared object that contains `p`: its ELF header. NULL when unknown. */
const void *ekka_object_base(const void *p);

/* As ekka_real, without its cache and its last resort: NULL when there is none. Keeps the library that holds it loaded. */
void *ekka_resolve(unsigned fn_id, const void *caller);

/* The same for a name that no spec has. */
void *ekka_resolve_name(const char *name, const void *caller);

/* Keeps the library that contains `p` loaded for ever: we may jump there at any time. */
void ekka_pin(const void *p);

/* Forgets which caller got what: modules have been unloaded. */
void ekka_resolve_flush(void);

/* Index of an intercepted symbol, or -1. */
int ekka_fn_find(const char *name);

#endif
