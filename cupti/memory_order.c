/* SPDX-License-Identifier: Apache-2.0 */
/* What puts work in order: events recorded and waited for (attribute event), and the host's own waits. */
#include "config.h"

#include "cupti/memory.h"

/* Declared in no header: cuda.h renames instead. */
__typeof__(cuEventRecord) cuEventRecord_ptsz;
__typeof__(cuEventRecordWithFlags) cuEventRecordWithFlags_ptsz;
__typeof__(cuStreamWaitEvent) cuStreamWaitEvent_ptsz;
__typeof__(cuStreamSynchronize) cuStreamSynchronize_ptsz;

#define HANDLE ekka_memory_attr(&e, "event", event)

WATCHED(cuEventRecord, stream, HANDLE, CUevent, event, CUstream, stream)
WATCHED(cuEventRecord_ptsz, ekka_own_stream(stream), HANDLE, CUevent, event, CUstream, stream)
WATCHED(cuEventRecordWithFlags, stream, HANDLE, CUevent, event, CUstream, stream, unsigned, flags)
WATCHED(cuEventRecordWithFlags_ptsz, ekka_own_stream(stream), HANDLE, CUevent, event, CUstream, stream, unsigned, flags)
WATCHED(cuStreamWaitEvent, stream, HANDLE, CUstream, stream, CUevent, event, unsigned, flags)
WATCHED(cuStreamWaitEvent_ptsz, ekka_own_stream(stream), HANDLE, CUstream, stream, CUevent, event, unsigned, flags)
WATCHED(cuEventSynchronize, NULL, HANDLE, CUevent, event)
WATCHED(cuStreamSynchronize, stream, , CUstream, stream)
WATCHED(cuStreamSynchronize_ptsz, ekka_own_stream(stream), , CUstream, stream)

/* No parameters: PAIRS needs one. */
static struct ekka_driver_fn context_synchronize = { .fn = { .name = "cuCtxSynchronize", .library = "driver", .aside = true } };

EKKA_PUBLIC CUresult cuCtxSynchronize(void)
{
	__typeof__(&cuCtxSynchronize) call = REAL(cuCtxSynchronize);
	struct ekka_call e;
	bool on = ekka_memory_enter(&e, &context_synchronize, __builtin_return_address(0));

	if (on) {
		if (e.describe)
			ekka_memory_tell(&e, NULL, NULL, 0);
		ekka_call_begin(&e);
	}
	CUresult res = call ? call() : NO_DRIVER;
	if (on)
		ekka_call_end(&e, &(struct ekka_value){ .kind = EKKA_V_INT, .i = res });
	return res;
}

#if CUDA_VERSION >= 13000
WATCHED(cuCtxSynchronize_v2, NULL, , CUcontext, context)
#endif
