/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/probe.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PAGE = 4096, MAX_PAGES = 64 };

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

bool ekka_probe(uint64_t addr, uint64_t bytes)
{
	struct iovec remote[MAX_PAGES];
	uint64_t last, first_page, n_pages, n;

	if (bytes == 0)
		return true;
	if (addr == 0 || __builtin_add_overflow(addr, bytes - 1, &last))
		return false;
	first_page = addr & ~(uint64_t)(PAGE - 1);
	n_pages = (last - first_page) / PAGE + 1;
	n = n_pages < MAX_PAGES ? n_pages : MAX_PAGES;
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
