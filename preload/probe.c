/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/probe.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22		/* Linux 5.14 */
#endif

enum { PAGE = 4096, MAX_PAGES = 64, MAX_IN_VAIN = 64 };

/* Reads one byte at each of n addresses, in one system call: process_vm_readv fails where a load would fault. */
static bool read_bytes(const struct iovec *remote, unsigned n)
{
	static _Atomic bool refused;	/* by a sandbox: then only mappings are checked */
	unsigned char sink[MAX_PAGES];
	struct iovec local = { .iov_base = sink, .iov_len = n };

	if (atomic_load_explicit(&refused, memory_order_relaxed))
		return true;
	long got = syscall(SYS_process_vm_readv, (long)getpid(), &local, 1L, remote, (long)n, 0L);
	if (got < 0 && errno != EFAULT) {
		atomic_store(&refused, true);
		return true;
	}
	return got == (long)n;
}

/*
 * Faults all pages in for reading, as our reads would a moment later, or fails where they would: a third of the time
 * that reading a byte of each through the kernel takes. False says little: Linux has it from 5.14 on, and some mappings refuse.
 */
static bool populate(uint64_t first_page, uint64_t bytes)
{
	return syscall(SYS_madvise, first_page, bytes, (long)MADV_POPULATE_READ) == 0;
}

/* The answer by one byte of each page, or of MAX_PAGES of them and a look at all mappings. */
static bool probe_bytes(uint64_t addr, uint64_t last)
{
	struct iovec remote[MAX_PAGES];
	uint64_t first_page = addr & ~(uint64_t)(PAGE - 1);
	uint64_t n_pages = (last - first_page) / PAGE + 1;
	uint64_t n = n_pages < MAX_PAGES ? n_pages : MAX_PAGES;

	/* Walks the mappings only; asynchronous msync has no effect on Linux. */
	if (n_pages > MAX_PAGES &&
	    syscall(SYS_msync, first_page, (last | (PAGE - 1)) + 1 - first_page, (long)MS_ASYNC) != 0)
		return false;
	for (uint64_t i = 0; i < n; i++) {
		uint64_t at = first_page + (n_pages - 1) * i / (n > 1 ? n - 1 : 1) * PAGE;
		remote[i] = (struct iovec){ .iov_base = (void *)(uintptr_t)(at < addr ? addr : at), .iov_len = 1 };
	}
	return read_bytes(remote, (unsigned)n);
}

bool ekka_probe(uint64_t addr, uint64_t bytes)
{
	static _Atomic unsigned in_vain;
	uint64_t last, first_page;

	if (bytes == 0)
		return true;
	if (addr == 0 || __builtin_add_overflow(addr, bytes - 1, &last) || last > INT64_MAX)
		return false;
	first_page = addr & ~(uint64_t)(PAGE - 1);
	bool try = atomic_load_explicit(&in_vain, memory_order_relaxed) < MAX_IN_VAIN;
	if (try && populate(first_page, (last | (PAGE - 1)) + 1 - first_page))
		return true;
	if (!probe_bytes(addr, last))
		return false;
	if (try)
		atomic_fetch_add_explicit(&in_vain, 1, memory_order_relaxed);
	return true;
}

bool ekka_probe_copy(void *dst, uint64_t addr, size_t n)
{
	struct iovec local = { .iov_base = dst, .iov_len = n };
	struct iovec remote = { .iov_base = (void *)(uintptr_t)addr, .iov_len = n };

	long got = syscall(SYS_process_vm_readv, (long)getpid(), &local, 1L, &remote, 1L, 0L);
	if (got >= 0 || errno == EFAULT)
		return got == (long)n;
	if (!ekka_probe(addr, n))
		return false;
	__builtin_memcpy(dst, (const void *)(uintptr_t)addr, n);
	return true;
}
