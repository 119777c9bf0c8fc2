/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event model: what a trace holds, as C structures.
 *
 * Shared by capture (which fills these and hands them to trace/encode.h) and by
 * the reader (which hands them out). trace/FORMAT.md gives the same model as
 * msgpack. Nothing here allocates; every pointer is borrowed from whoever
 * filled the structure.
 *
 * A call that was recorded becomes these records, in this order in the file,
 * possibly interleaved with records of other calls:
 *
 *   call   arguments, attributes, tensor descriptions    before the real call
 *   data*  one per input tensor, phase PRE               bytes as they were before
 *   ret    the library's return value                    after the real call
 *   data*  one per output tensor, phase POST             bytes as they are after
 *   end    everything above is complete
 *   time   how long the device was at work; anywhere after the call record
 *
 * Tensors are written down in *mathematical* orientation: a GEMM's A has
 * dims [m, k] and B has [k, n] whatever the transpose flags or the storage
 * order were; those are folded into the strides. With batches, the batch is the
 * first dimension. So a reader needs no knowledge of an API's conventions.
 */
#ifndef EKKA_TRACE_MODEL_H
#define EKKA_TRACE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EKKA_MAX_DIMS 6
#define EKKA_MAX_ARGS 40
#define EKKA_MAX_ATTRS 40
#define EKKA_MAX_TENSORS 16

/* Element types; the table with C types, sizes and unit roundoffs is spec/dtypes.def. */
enum ekka_dtype {
#define DTYPE(id, name, bytes, is_complex, unit_roundoff) EKKA_##id,
#include "spec/dtypes.def"
#undef DTYPE
	EKKA_DTYPE_COUNT
};

const char *ekka_dtype_name(enum ekka_dtype t);		  /* "f32", "bf16", ... ; "?" when out of range */
size_t ekka_dtype_bytes(enum ekka_dtype t);		  /* bytes of one element; 0 when out of range */
bool ekka_dtype_is_complex(enum ekka_dtype t);
double ekka_dtype_unit_roundoff(enum ekka_dtype t);	  /* 0 for integer types */
int ekka_dtype_from_name(const char *name, enum ekka_dtype *ret_t); /* 0, or -1 when unknown */

/* A tensor's role in its call. */
enum ekka_dir { EKKA_IN = 1, EKKA_OUT = 2, EKKA_INOUT = 3 };

/* Where a tensor's bytes live. */
enum ekka_place { EKKA_HOST = 0, EKKA_DEVICE = 1 };

/*
 * Argument and attribute values. Enumerations are INT; handles and addresses PTR. From a trace, a UINT that INT can hold comes
 * back as INT.
 */
enum ekka_value_kind { EKKA_V_NIL, EKKA_V_INT, EKKA_V_UINT, EKKA_V_REAL, EKKA_V_COMPLEX, EKKA_V_PTR, EKKA_V_STR, EKKA_V_BIN };

struct ekka_value {
	enum ekka_value_kind kind;
	union {
		int64_t i;
		uint64_t u;	/* UINT and PTR */
		double r[2];	/* REAL: r[0]; COMPLEX: re, im */
		const char *s;	/* borrowed, NUL-terminated */
		struct { const uint8_t *p; uint64_t n; } bin;	/* borrowed; n bytes of no known type */
	};
};

/* A fact about the call that the op's reference needs, by name: "alpha", "beta", "conja", "compute", "uplo". */
struct ekka_attr {
	const char *name;
	struct ekka_value value;
};

/*
 * Element (i0, i1, ...) of batch item p lies at
 *     base_p + (offset + sum_d i_d * stride[d]) * bytes(dtype)
 * where base_p is `addr`, or the p-th entry of a pointer array when n_ptrs > 0.
 * The batch is dim[0] in both cases; with a pointer array dim[0] == n_ptrs and
 * stride[0] == 0, since the items have no common base.
 * `offset` (elements) is non-zero only when a stride is negative, so that
 * `addr` is always the lowest address touched.
 */
struct ekka_tensor {
	const char *name;		/* the parameter's name in the API: "A", "x", "C" */
	enum ekka_dir dir;
	enum ekka_dtype dtype;
	enum ekka_place place;
	unsigned n_dims;
	int64_t dim[EKKA_MAX_DIMS];
	int64_t stride[EKKA_MAX_DIMS];	/* elements */
	int64_t offset;			/* elements */
	uint64_t addr;			/* address in the recorded process; of the pointer array if n_ptrs > 0 */
	uint64_t n_ptrs;		/* 0, or the entries of a pointer array: the bytes are then the items' spans one after another */
	uint64_t span_bytes;		/* bytes from the lowest to behind the highest element, of one item */
	int alias_of;			/* index of the tensor whose bytes this one views with other strides, or -1 */
	bool pre;			/* bytes before the call are wanted (inputs; outputs that are also read, or whose gaps are checked) */
	bool post;			/* bytes after the call are wanted (outputs) */
};

struct ekka_blob_id { uint8_t b[16]; };	/* XXH3-128 of the uncompressed bytes, canonical (big-endian) form */

enum ekka_phase { EKKA_PRE = 0, EKKA_POST = 1 };

/* ---- records ---------------------------------------------------------- */

struct ekka_rec_open {			/* first record of every segment */
	uint32_t version;		/* format version, FORMAT.md */
	int32_t pid, ppid;
	uint64_t unix_ns;		/* CLOCK_REALTIME at start */
	uint64_t mono_ns;		/* CLOCK_MONOTONIC at start; every t_ns below is on this clock */
	const char *exe;		/* path of the executable */
	const char *const *argv;
	unsigned n_argv;
	const char *level;		/* "calls" or "full" */
	const char *tool;		/* "ekkatrace 0.1.0" */
	const char *arch;		/* "x86_64" */
	const char *cpu;		/* model name */
};

struct ekka_arg_info { const char *name; const char *type; };	/* type as written in C: "int", "const float *" */

struct ekka_rec_fn {			/* written once, before the first call of that function */
	uint32_t id;			/* per segment */
	const char *name;		/* ELF symbol */
	const char *library;		/* spec name: "cblas", "blas", "cublas" */
	const char *op;			/* op whose reference applies: "gemm"; "" when none */
	const char *object;		/* path of the shared object the real function came from */
	const uint8_t *build_id;	/* of that object; may be NULL */
	unsigned build_id_len;
	const struct ekka_arg_info *args;
	unsigned n_args;
	uint32_t module;		/* a kernel's: id of its module's record, 0 none */
	const char *via;		/* a kernel's: how its launches were seen, "cupti" or "driver", with the reason after a colon; else NULL, or "" once read */
};

struct ekka_rec_module {		/* written once per image of GPU code, before the first function that comes from it */
	uint32_t id;			/* per segment, from 1 */
	const char *kind;		/* "cubin", "fatbin" or "ptx" (with the NUL that ends it) */
	uint64_t bytes;			/* of the blob */
	uint64_t of_bytes;		/* of the image as it was loaded: more, when of a fatbin only what the device runs was kept */
	struct ekka_blob_id blob;	/* valid when missing is NULL */
	const char *missing;		/* why the image is not there: "gone", "too large", "budget", ... or NULL */
};

struct ekka_rec_device {		/* written once per CUDA device, before its first call */
	int32_t ordinal;
	const char *name;		/* "NVIDIA H200" */
	int32_t cc_major, cc_minor;	/* compute capability */
	int32_t driver, runtime;	/* as CUDA numbers them, 13000; 0 unknown */
};

struct ekka_map { uint64_t start, end, file_offset; const char *path; const uint8_t *build_id; unsigned build_id_len; };

struct ekka_rec_maps {			/* executable mappings that appeared since the last such record */
	const struct ekka_map *maps;
	unsigned n_maps;
};

struct ekka_pyframe { const char *file; const char *func; int32_t line; };

struct ekka_rec_stack {			/* written once per distinct stack */
	uint64_t id;			/* per segment, from 1; 0 means none */
	const uint64_t *pc;		/* return addresses, innermost first; outside the shim itself */
	unsigned n_pc;
	const struct ekka_pyframe *py;	/* innermost first */
	unsigned n_py;
};

struct ekka_rec_call {
	uint64_t event;			/* per segment, from 1, in order of entry */
	uint64_t parent;		/* enclosing recorded call on the same thread, 0 none */
	uint32_t fn;
	uint32_t depth;			/* 0 outermost */
	uint32_t group;			/* part number of a call recorded as several events (grouped GEMM), 0 first */
	int32_t tid;
	int32_t device;			/* CUDA ordinal, -1 on the host */
	uint64_t stream;		/* CUDA stream handle */
	uint64_t t_ns;			/* CLOCK_MONOTONIC at entry */
	uint64_t stack;			/* id of a stack record, 0 none */
	const struct ekka_value *args;	/* as passed, in the function's order */
	unsigned n_args;
	const struct ekka_attr *attrs;
	unsigned n_attrs;
	const struct ekka_tensor *tensors;
	unsigned n_tensors;
	const char *bad_args;		/* why no tensor is described (invalid argument), or NULL */
};

struct ekka_rec_data {
	uint64_t event;
	uint32_t tensor;		/* index into the call's tensors */
	enum ekka_phase phase;
	uint64_t bytes;			/* of the blob */
	struct ekka_blob_id id;		/* valid when missing is NULL */
	const char *missing;		/* why the bytes are not there: "budget", "capture", "fault", ... or NULL */
};

struct ekka_rec_ret { uint64_t event; uint64_t t_ns; struct ekka_value value; };
/* How long the device was at work for the event; anywhere behind its call, as it becomes known late. */
struct ekka_rec_time { uint64_t event; uint64_t gpu_ns; };
struct ekka_rec_end { uint64_t event; uint64_t t_ns; };

struct ekka_count { const char *name; uint64_t n; };

struct ekka_rec_close {			/* trailer; its absence means the process did not end in an orderly way */
	uint64_t t_ns;
	uint64_t events;		/* call records written */
	uint64_t seen_bytes;		/* tensor bytes looked at */
	uint64_t stored_bytes;		/* blob file bytes written */
	uint64_t known_bytes;		/* of the bytes seen: not copied, as nothing wrote them since an earlier snapshot */
	uint64_t left_out;		/* calls that the settings did not want: include, exclude, skip, count, every */
	const struct ekka_count *dropped;	/* by reason; an empty list means nothing was */
	unsigned n_dropped;
	const char *why;		/* "exit", "exec", "_exit" */
};

#endif
