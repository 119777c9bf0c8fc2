/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wrappers that record nothing: cublasSetWorkspace gives a handle its workspace, cublasSetStream takes it away again, whichever the
 * stream (cuBLAS documentation, cublasSetStream()), and so does the handle's end.
 */
#include "config.h"

#include <errno.h>
#include <stdatomic.h>

#include <cublas_api.h>

#include "preload/capture.h"
#include "preload/cublas_workspace.h"
#include "preload/lock.h"
#include "spec/gen/ids.h"

enum { HANDLES = 256 };

static struct ekka_lock lock;		/* guards the table; a leaf */
static struct { const void *handle; struct ekka_workspace workspace; } table[HANDLES];
static atomic_uint n_used;		/* entries ever used: none, as a rule, and then nobody takes the lock */

static void set(const void *handle, const struct ekka_workspace *workspace)
{
	unsigned n = atomic_load(&n_used), at = n, free_at = n;

	if (handle == NULL || (workspace == NULL && n == 0) || !ekka_lock_take(&lock))
		return;
	n = atomic_load(&n_used);
	at = free_at = n;
	for (unsigned i = 0; i < n; i++) {
		if (table[i].handle == handle)
			at = i;
		else if (table[i].handle == NULL)
			free_at = i;
	}
	at = at < n ? at : free_at;
	if (workspace != NULL && at < HANDLES) {
		table[at].handle = handle;
		table[at].workspace = *workspace;
		if (at == n)
			atomic_store(&n_used, n + 1);
	} else if (workspace == NULL && at < n && table[at].handle == handle) {
		table[at].handle = NULL;
	}
	ekka_lock_release(&lock);
}

bool ekka_cublas_workspace(const void *handle, struct ekka_workspace *ret)
{
	bool found = false;

	if (atomic_load_explicit(&n_used, memory_order_acquire) == 0 || !ekka_lock_take(&lock))
		return false;
	for (unsigned i = 0; i < atomic_load(&n_used) && !found; i++) {
		found = table[i].handle == handle;
		if (found)
			*ret = table[i].workspace;
	}
	ekka_lock_release(&lock);
	return found;
}

EKKA_PUBLIC cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void *workspace, size_t workspaceSizeInBytes)
{
	const void *caller = __builtin_return_address(0);
	__typeof__(cublasSetWorkspace_v2) *real = (__typeof__(cublasSetWorkspace_v2) *)ekka_real(EKKA_FN_cublasSetWorkspace_v2, caller);
	cublasStatus_t ret;

	if (!real)
		return CUBLAS_STATUS_NOT_INITIALIZED;
	ret = real(handle, workspace, workspaceSizeInBytes);
	int saved = errno;
	if (ret == CUBLAS_STATUS_SUCCESS)
		set(handle, workspace != NULL ? &(struct ekka_workspace){ (uint64_t)workspace, workspaceSizeInBytes } : NULL);
	errno = saved;
	return ret;
}

EKKA_PUBLIC cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t streamId)
{
	const void *caller = __builtin_return_address(0);
	__typeof__(cublasSetStream_v2) *real = (__typeof__(cublasSetStream_v2) *)ekka_real(EKKA_FN_cublasSetStream_v2, caller);
	cublasStatus_t ret;

	if (!real)
		return CUBLAS_STATUS_NOT_INITIALIZED;
	ret = real(handle, streamId);
	int saved = errno;
	if (ret == CUBLAS_STATUS_SUCCESS)
		set(handle, NULL);
	errno = saved;
	return ret;
}

EKKA_PUBLIC cublasStatus_t cublasDestroy_v2(cublasHandle_t handle)
{
	const void *caller = __builtin_return_address(0);
	__typeof__(cublasDestroy_v2) *real = (__typeof__(cublasDestroy_v2) *)ekka_real(EKKA_FN_cublasDestroy_v2, caller);

	if (!real)
		return CUBLAS_STATUS_NOT_INITIALIZED;
	int saved = errno;
	set(handle, NULL);
	errno = saved;
	return real(handle);
}
