/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CUDA machine on the host, for capture tests without a GPU: what the stand-ins for libcuda, libcudart and libcublas
 * share. libcuda.so.1 holds it; the others call it. Programs under test know nothing of it.
 *
 * It is unkind on purpose: device memory cannot be dereferenced by the host, streams are threads that run late and in an
 * order drawn from a seed, and capture rules are enforced. So a snapshot that does not keep stream order, or
 * a call that real CUDA forbids, shows.
 *
 * Environment: EKKA_TEST_FAKE_SEED (number; timing), EKKA_TEST_FAKE_MEMORY (bytes of device memory, default 1 GiB), EKKA_TEST_FAKE_FAIL
 * (SYMBOL=CODE[,SYMBOL=CODE]: that driver entry point fails with this CUresult; what the other stand-ins do is not
 * affected), EKKA_TEST_FAKE_STUCK (1: streams made with CU_STREAM_DEFAULT never get anything done), EKKA_TEST_FAKE_REPORT (file: at
 * exit one line "SYMBOL COUNT" per driver entry point called, by anybody but the other stand-ins).
 */
#ifndef EKKA_TESTS_FAKE_H
#define EKKA_TESTS_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cuda.h>

#define FAKE_EXPORT __attribute__((visibility("default")))

/* ---- memory: fake_memory.c -------------------------------------------- */

/* Mapped: into a reserved range. The last two may not be touched: addresses alone, and what is mapped without access. */
enum fake_kind { FAKE_NONE, FAKE_DEVICE, FAKE_PINNED, FAKE_MANAGED, FAKE_MAPPED, FAKE_RESERVED, FAKE_FORBIDDEN };

/* 0 when out of memory (device) or refused. */
FAKE_EXPORT uint64_t fake_alloc(enum fake_kind kind, size_t bytes);
FAKE_EXPORT bool fake_free(uint64_t address);
/* Is so much device memory left, in pieces or not. */
bool fake_has_room(size_t bytes);
/* Kind of the allocation that holds [address, address + bytes), FAKE_NONE when none holds all of it. */
FAKE_EXPORT enum fake_kind fake_kind_of(uint64_t address, size_t bytes);
/* Reserved ranges (fake_alloc of that kind): false when the range is none. Mapped, it may be touched only after fake_access. */
FAKE_EXPORT bool fake_map(uint64_t p, size_t bytes);
FAKE_EXPORT bool fake_access(uint64_t p, size_t bytes, bool allowed);
FAKE_EXPORT bool fake_unmap(uint64_t p, size_t bytes);
/* The allocation that holds `address`; its kind, FAKE_NONE when there is none. */
FAKE_EXPORT enum fake_kind fake_range_of(uint64_t address, uint64_t *ret_start, uint64_t *ret_bytes);
/* Where the stand-ins' own code reaches the bytes behind a device or host address. */
FAKE_EXPORT void *fake_bytes(uint64_t address);
FAKE_EXPORT void fake_memory_info(size_t *ret_free, size_t *ret_total);
FAKE_EXPORT void fake_free_device_memory(void);

/* ---- streams: fake_stream.c ------------------------------------------- */

struct fake_stream;
struct fake_event;
struct fake_graph;
typedef void fake_work(void *arg);

/* NULL and CU_STREAM_LEGACY, CU_STREAM_PER_THREAD, or a made one; NULL for a handle that is none. */
FAKE_EXPORT struct fake_stream *fake_stream_of(CUstream handle);
FAKE_EXPORT CUstream fake_stream_new(bool blocking);
/*
 * Enqueues work(copy of arg). CUDA_ERROR_STREAM_CAPTURE_IMPLICIT on the legacy stream while another is captured, which
 * spoils that capture. On a stream being captured the work becomes a node of the graph.
 */
FAKE_EXPORT CUresult fake_enqueue(struct fake_stream *, fake_work *work, const void *arg, size_t bytes);
FAKE_EXPORT void fake_stream_synchronize(struct fake_stream *);
FAKE_EXPORT void fake_synchronize_all(void);

FAKE_EXPORT struct fake_event *fake_event_new(void);
FAKE_EXPORT CUresult fake_event_record(struct fake_event *, struct fake_stream *);
FAKE_EXPORT CUresult fake_event_wait(struct fake_event *, struct fake_stream *);
FAKE_EXPORT CUresult fake_event_query(const struct fake_event *);
/* Milliseconds from the moment at which the stream passed one to when it passed the other. */
FAKE_EXPORT CUresult fake_event_elapsed(const struct fake_event *start, const struct fake_event *end, float *ret_ms);

/* Capture. Mode as CUstreamCaptureMode; the thread's own mode is in fake_thread_mode. */
FAKE_EXPORT CUresult fake_capture_begin(struct fake_stream *, CUstreamCaptureMode mode);
FAKE_EXPORT CUresult fake_capture_end(struct fake_stream *, struct fake_graph **ret_graph);
FAKE_EXPORT CUresult fake_capture_status(struct fake_stream *, CUstreamCaptureStatus *ret_status);
FAKE_EXPORT size_t fake_graph_nodes(const struct fake_graph *);
/* Node i, which stays where it is; an executable graph is a copy, whose nodes answer to the handles of those it was made from. */
struct fake_node { fake_work *work; void *arg; size_t bytes; bool disabled; };
FAKE_EXPORT struct fake_node *fake_graph_node(struct fake_graph *, size_t i);
FAKE_EXPORT struct fake_graph *fake_graph_copy(struct fake_graph *);
FAKE_EXPORT struct fake_node *fake_graph_counterpart(struct fake_graph *copy, const struct fake_node *original);
FAKE_EXPORT CUresult fake_graph_launch(const struct fake_graph *, struct fake_stream *);
FAKE_EXPORT CUstreamCaptureMode fake_exchange_mode(CUstreamCaptureMode mode);
/* For calls CUDA forbids during a capture in global mode: spoils the captures and returns an error unless this thread is relaxed. */
FAKE_EXPORT CUresult fake_unsafe_call(void);

/* ---- kernels: fake_launch.c ------------------------------------------- */

/*
 * What cuModuleLoadData takes for an image: kernels as functions on the host. `run` gets the parameter block and the number of
 * threads in the grid, on the stream's thread.
 */
enum { FAKE_PARAMS = 64 };
struct fake_kernel {
	const char *name;		/* mangled */
	void (*run)(const void *block, uint64_t threads);
	unsigned n_params;
	struct { unsigned offset, bytes; } param[FAKE_PARAMS];
};
/* The shape of the launch that is running on this thread. */
struct fake_shape { unsigned grid[3], block[3]; };
FAKE_EXPORT const struct fake_shape *fake_shape(void);
struct fake_image { char magic[8]; const struct fake_kernel *kernel; unsigned n_kernels; };
#define FAKE_MAGIC "FAKEIMG"

/* The same as compilers pack it: machine code for another architecture and for this one, which only leads to the kernels. */
struct fake_fatbin {
	uint32_t magic;
	uint16_t version, header_bytes;
	uint64_t bytes;
	struct fake_fatbin_entry {
		uint16_t kind, version;
		uint32_t header_bytes;
		uint64_t bytes;
		uint32_t unused[3], arch;
		uint64_t more[4];
		char what[8];
		const struct fake_image *image;
	} entry[2];
};
enum { FAKE_ARCH = 90, FAKE_ENTRY_HEADER = 64, FAKE_ENTRY_PAYLOAD = 16 };
#define FAKE_FATBIN_MAGIC 0xba55ed50u
#define FAKE_FATBIN_WRAPPER_MAGIC 0x466243b1u
#define FAKE_FATBIN_ENTRY(arch, what, image) \
	{ 2, 0x101, FAKE_ENTRY_HEADER, FAKE_ENTRY_PAYLOAD, { 0, 0, 0 }, arch, { 0, 0, 0, 0 }, what, image }
#define FAKE_FATBIN(image)                                                                       \
	{ FAKE_FATBIN_MAGIC, 1, 16, 2 * (FAKE_ENTRY_HEADER + FAKE_ENTRY_PAYLOAD),                        \
	  { FAKE_FATBIN_ENTRY(80, "another", NULL), FAKE_FATBIN_ENTRY(FAKE_ARCH, FAKE_MAGIC, image) } }
struct fake_fatbin_wrapper { uint32_t magic, version; const void *data, *other; };

/* Kernels in graphs: false when the node is none. What get fills belongs to the node; set takes CUDA_KERNEL_NODE_PARAMS with kernelParams. */
bool fake_kernel_node_get(struct fake_node *, CUDA_KERNEL_NODE_PARAMS *ret);
bool fake_kernel_node_set(struct fake_node *, const CUDA_KERNEL_NODE_PARAMS *);

/*
 * Set by the stand-in for libcupti: called around the function `cbid` with its arguments, as CUPTI does. result is NULL before the call;
 * *word is kept from one to the other.
 */
typedef void fake_observer(unsigned cbid, const char *symbol, const void *arguments, const CUresult *result, uint64_t *word);
FAKE_EXPORT void fake_observe(fake_observer *);

/* ---- context: fake_driver.c ------------------------------------------- */

FAKE_EXPORT void fake_make_current(void);	/* as the runtime does at its first call on a thread */
FAKE_EXPORT void fake_reset(void);		/* cudaDeviceReset */

/* Counts a call of a driver entry point; the error that it is to fail with. For the driver's own files. */
/* The runtime's own calls are neither counted nor made to fail: tests mean the shim's. */
FAKE_EXPORT extern __thread bool fake_from_runtime;
CUresult fake_enter(const char *symbol);
#define SYMBOL(name) #name
#define ENTER(name)                                 \
	do {                                        \
		CUresult res_ = fake_enter(SYMBOL(name)); \
		if (res_ != CUDA_SUCCESS)           \
			return res_;                \
	} while (0)
#define UNSAFE()                                   \
	do {                                       \
		CUresult res_ = fake_unsafe_call(); \
		if (res_ != CUDA_SUCCESS)          \
			return res_;               \
	} while (0)

/* Counts bytes that somebody who is not the runtime has of device or pinned memory: the report has the most of either, "peak-device" and "peak-pinned". */
void fake_hold(enum fake_kind kind, long bytes);

/* Calls of a driver entry point so far ("cuMemAlloc_v2"), by anybody but the stand-ins. */
FAKE_EXPORT unsigned long fake_calls(const char *symbol);

#endif
