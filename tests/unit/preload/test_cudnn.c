/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cudnnBackendExecute is described as, from plans that cuDNN 9.19 wrote down on an H200 (tests/unit/preload/cudnn/, machine code and
 * device facts taken out), and from plans that were tampered with. The rest of the shim is stubs that remember.
 */
#include <cudnn.h>
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preload/cuda_cublas.h"
#include "preload/cudnn.h"
#include "preload/cudnn_getters.h"
#include "preload/cudnn_json.h"
#include "preload/cudnn_notes.h"
#include "preload/cudnn_pack.h"
#include "preload/cudnn_plan.h"
#include "preload/lock.h"
#include "preload/probe.h"

/* ---- the shim --------------------------------------------------------- */

static char seen[4096];			/* "name=value name=value tensor:dtype[dims|strides]" in order */
static char *plan_text;
static unsigned n_asked;		/* plans fetched */

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
	size_t n = strlen(seen);
	va_list list;

	va_start(list, format);
	vsnprintf(seen + n, sizeof(seen) - n, format, list);
	va_end(list);
}

void ekka_attr_int(struct ekka_call *call, const char *name, int64_t v)
{
	(void)call;
	if (strcmp(name, "engine") != 0)
		note("%s=%lld ", name, (long long)v);
}

void ekka_attr_real(struct ekka_call *call, const char *name, double v)
{
	(void)call;
	note("%s=%g ", name, v);
}

void ekka_attr_str(struct ekka_call *call, const char *name, const char *v)
{
	(void)call;
	note("%s=%s ", name, v);
}

int ekka_tensor(struct ekka_call *call, const struct ekka_tensor *t)
{
	(void)call;
	if (t->place == EKKA_HOST) {
		note("%s ", t->name);
		return 0;
	}
	note("%s%s:%s", t->dir == EKKA_IN ? "" : t->dir == EKKA_OUT ? ">" : "<>", t->name, ekka_dtype_name(t->dtype));
	for (unsigned d = 0; d < t->n_dims; d++)
		note("%c%lld/%lld", d > 0 ? ',' : '[', (long long)t->dim[d], (long long)t->stride[d]);
	note("] ");
	return 0;
}

bool ekka_lock_take(struct ekka_lock *lock)
{
	(void)lock;
	return true;
}

void ekka_lock_release(struct ekka_lock *lock)
{
	(void)lock;
}

bool ekka_probe_copy(void *dst, uint64_t addr, size_t n)
{
	memcpy(dst, (const void *)(uintptr_t)addr, n);
	return true;
}

int32_t ekka_cuda_current_device(void)
{
	return 0;
}

static uint64_t room;			/* behind every address; 0: not known */
bool ekka_cuda_bytes_behind(uint64_t addr, uint64_t *ret_bytes)
{
	(void)addr;
	*ret_bytes = room;
	return room != 0;
}

void *ekka_real(unsigned fn_id, const void *caller)
{
	(void)fn_id, (void)caller;
	return NULL;
}

static cudnnStatus_t get_attribute(cudnnBackendDescriptor_t const d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
				   int64_t requested, int64_t *count, void *elements)
{
	(void)d;
	cr_assert_eq((int)name, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION);
	cr_assert_eq((int)type, CUDNN_TYPE_CHAR);
	*count = (int64_t)strlen(plan_text) + 1;
	if (requested == 0)
		n_asked++;
	else
		memcpy(elements, plan_text, (size_t)*count);
	return CUDNN_STATUS_SUCCESS;
}

/* One engine, whose notes are these. */
static cudnnBackendNumericalNote_t notes[4];
static int64_t n_notes;
static char engine;

static cudnnStatus_t get_engine(cudnnBackendDescriptor_t const d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
				int64_t requested, int64_t *count, void *elements)
{
	(void)type;
	if ((int)name == CUDNN_ATTR_ENGINE_NUMERICAL_NOTE) {
		cr_assert(d == (void *)&engine && requested == CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
		*count = n_notes;
		memcpy(elements, notes, (size_t)n_notes * sizeof(notes[0]));
	}
	return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t create(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t *ret)
{
	cr_assert_eq((int)type, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
	*ret = &engine;
	return CUDNN_STATUS_SUCCESS;
}

static unsigned n_destroyed;
static cudnnStatus_t destroy(cudnnBackendDescriptor_t d)
{
	n_destroyed += d == (void *)&engine;
	return CUDNN_STATUS_SUCCESS;
}

const void *ekka_getters(const void *real, const struct ekka_getter_set *set)
{
	static const struct ekka_cudnn_getters g = { .attribute = get_attribute };

	(void)real;
	cr_assert_str_eq(set->library, "cudnn");
	return &g;
}

/* ---- plans ------------------------------------------------------------ */

static void load(const char *name)
{
	char path[1024];
	const char *src = getenv("top_srcdir");
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/tests/unit/preload/cudnn/%s.json", src != NULL ? src : ".", name);
	f = fopen(path, "r");
	cr_assert(f != NULL, "%s", path);
	free(plan_text);
	plan_text = calloc(1, 1 << 20);
	n = fread(plan_text, 1, (1 << 20) - 1, f);
	cr_assert_gt(n, 100u);
	fclose(f);
}

static char plan, pack;		/* their addresses are the handles */

/* Numbers by value: id and number, f32 or (with i) i32. */
struct by_value { int64_t uid; double number; bool i; };

static void execute(const struct by_value *values, unsigned n_values)
{
	static union { float f; int32_t i; } host[16];
	int64_t uid[64];
	const void *pointer[64];
	unsigned n = 0;
	static struct ekka_call call;

	for (unsigned i = 0; i < n_values; i++, n++) {
		if (values[i].i)
			host[i].i = (int32_t)values[i].number;
		else
			host[i].f = (float)values[i].number;
		uid[n] = values[i].uid;
		pointer[n] = &host[i];
	}
	/* Everything else lies somewhere. */
	for (int64_t id = 0; n < 64 && id < 123; id++) {
		bool taken = false;

		for (unsigned i = 0; i < n_values; i++)
			taken |= values[i].uid == id;
		if (taken || (id > 34 && id < 119 && id != 98))
			continue;
		uid[n] = id;
		/* One table for keys and values. */
		pointer[n++] = (const void *)(uintptr_t)(0x100000 + (id == 6 ? 5 : id) * 0x1000);
	}
	seen[0] = '\0';
	memset(&call, 0, sizeof(call));
	ekka_cudnn_pack_forget(&pack);
	ekka_cudnn_pack_set(&pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, n, uid);
	ekka_cudnn_pack_set(&pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, n, pointer);
	ekka_cudnn_execute(&call, &plan, &pack);
}

static void fresh(const char *name)
{
	load(name);
	ekka_cudnn_plan_forget(&plan);
}

#define EXPECT(name, want, ...)                                                         \
	do {                                                                            \
		static const struct by_value v_[] = { __VA_ARGS__ };                    \
		fresh(name);                                                            \
		execute(v_, sizeof(v_) / sizeof(v_[0]));                                \
		cr_expect_str_eq(seen, want, "%s:\n%s\nnot\n%s", name, seen, want);    \
	} while (0)

Test(cudnn, attention_of_pytorch)
{
	EXPECT("causal-gqa",
	       "causal=top-left op=attention scale=0.125 q:bf16[2/262144,32/8192,128/64,64/1] "
	       "k:bf16[2/65536,8/8192,128/64,64/1] v:bf16[2/65536,8/8192,128/64,64/1] "
	       ">out:bf16[2/262144,32/8192,128/64,64/1] ", { 5, 0.125, 0 }, { 10, -INFINITY, 0 });
	EXPECT("decode",
	       "op=attention scale=0.25 q:bf16[2/4096,32/128,1/128,128/1] k:bf16[2/532480,32/16640,130/128,128/1] "
	       "v:bf16[2/532480,32/16640,130/128,128/1] >out:bf16[2/4096,32/128,1/128,128/1] ", { 5, 0.25, 0 });
	EXPECT("mask",
	       "op=attention scale=0.25 q:bf16[2/16384,4/4096,64/64,64/1] k:bf16[2/16384,4/4096,64/64,64/1] "
	       "v:bf16[2/16384,4/4096,64/64,64/1] >out:bf16[2/16384,4/4096,64/64,64/1] "
	       "bias:bf16[2/4096,4/0,64/64,64/1] ", { 5, 0.25, 0 });
	EXPECT("causal-stats",
	       "causal=top-left op=attention scale=0.25 q:bf16[2/65536,8/8192,128/64,64/1] "
	       "k:bf16[2/65536,8/8192,128/64,64/1] v:bf16[2/65536,8/8192,128/64,64/1] "
	       ">out:bf16[2/65536,8/8192,128/64,64/1] >lse:f32[2/1024,8/128,128/1] ", { 5, 0.25, 0 }, { 11, -INFINITY, 0 });
}

Test(cudnn, attention_of_the_frontend)
{
	EXPECT("unified",
	       "op=attention scale=0.125 q:bf16[2/32768,8/64,64/512,64/1] k:bf16[2/12288,2/64,96/128,64/1] "
	       "v:bf16[2/12288,2/64,96/128,64/1] >out:bf16[2/32768,8/64,64/512,64/1] ", { 1, 0.125, 0 });
	EXPECT("causal-bottom-right",
	       "causal=bottom-right op=attention scale=0.125 q:bf16[2/32768,8/64,64/512,64/1] "
	       "k:bf16[2/12288,2/64,96/128,64/1] v:bf16[2/12288,2/64,96/128,64/1] "
	       ">out:bf16[2/32768,8/64,64/512,64/1] ", { 1, 0.125, 0 }, { 15, -INFINITY, 0 }, { 10, 96, 1 }, { 12, 64, 1 });
	EXPECT("window",
	       "causal=top-left window_left=15 op=attention scale=0.125 q:bf16[2/32768,8/64,64/512,64/1] "
	       "k:bf16[2/12288,2/64,96/128,64/1] v:bf16[2/12288,2/64,96/128,64/1] "
	       ">out:bf16[2/32768,8/64,64/512,64/1] ", { 1, 0.125, 0 }, { 11, -INFINITY, 0 }, { 15, 16, 0 }, { 18, -INFINITY, 0 });
	EXPECT("window-bottom-right",
	       "window_right=4 window_left=15 op=attention scale=0.125 q:bf16[2/32768,8/64,64/512,64/1] "
	       "k:bf16[2/12288,2/64,96/128,64/1] v:bf16[2/12288,2/64,96/128,64/1] "
	       ">out:bf16[2/32768,8/64,64/512,64/1] ", { 1, 0.125, 0 }, { 17, -INFINITY, 0 }, { 24, -INFINITY, 0 }, { 10, 96, 1 }, { 12, 64, 1 }, { 14, 4, 1 },
	       { 21, -16, 0 });
	EXPECT("padding-causal-stats",
	       "causal=top-left op=attention scale=0.125 q:bf16[2/32768,8/64,64/512,64/1] "
	       "k:bf16[2/12288,2/64,96/128,64/1] v:bf16[2/12288,2/64,96/128,64/1] "
	       ">out:bf16[2/32768,8/64,64/512,64/1] seqlens_q:i32[2/1] seqlens_k:i32[2/1] >lse:f32[2/512,8/64,64/1] ", { 1, 0.125, 0 }, { 16, -INFINITY, 0 }, { 21, -INFINITY, 0 });
	EXPECT("alibi",
	       "causal=top-left op=attention scale=0.125 q:bf16[2/49152,8/64,96/512,64/1] "
	       "k:bf16[2/12288,2/64,96/128,64/1] v:bf16[2/12288,2/64,96/128,64/1] "
	       ">out:bf16[2/49152,8/64,96/512,64/1] alibi:f32[8/1] ", { 1, 0.125, 0 }, { 17, -INFINITY, 0 });
	EXPECT("paged-unified",
	       "op=attention scale=0.125 q:bf16[2/512,8/64,1/512,64/1] k:bf16[6/4096,2/2048,32/64,64/1] "
	       "v:bf16[6/4096,2/2048,32/64,64/1] >out:bf16[2/512,8/64,1/512,64/1] seqlens_q:i32[2/1] "
	       "seqlens_k:i32[2/1] block_table:i32[2/3,3/1] ", { 1, 0.125, 0 });
	EXPECT("paged-composite",
	       "causal=bottom-right op=attention scale=0.125 q:bf16[2/32768,8/64,64/512,64/1] "
	       "k:bf16[6/4096,2/2048,32/64,64/1] v:bf16[6/4096,2/2048,32/64,64/1] "
	       ">out:bf16[2/32768,8/64,64/512,64/1] seqlens_q:i32[2/1] seqlens_k:i32[2/1] block_table:i32[2/3,3/1] ", { 1, 0.125, 0 }, { 18, -INFINITY, 0 }, { 25, -INFINITY, 0 });
}

Test(cudnn, convolutions_and_products)
{
	EXPECT("conv-groups",
	       "op=conv pad=0,0 stride=1,1 dilation=2,2 groups=4 alpha=1 x:f16[2/6400,16/400,20/20,20/1] "
	       "w:f16[32/36,4/9,3/3,3/1] >y:f16[2/8192,32/256,16/16,16/1] ", { 0, 0, 0 });
	EXPECT("conv-3d",
	       "op=conv pad=0,0,0 stride=1,1,1 dilation=1,1,1 groups=1 alpha=1 x:bf16[1/4800,8/600,6/100,10/10,10/1] "
	       "w:bf16[16/216,8/27,3/9,3/3,3/1] >y:bf16[1/4096,16/256,4/64,8/8,8/1] ", { 0, 0, 0 });
	EXPECT("conv-transposed",
	       "op=conv pad=0,0 stride=2,2 dilation=1,1 groups=1 alpha=1 transposed=1 x:bf16[2/1600,16/100,10/10,10/1] "
	       "w:bf16[16/72,8/9,3/3,3/1] >y:bf16[2/3528,8/441,21/21,21/1] ", { 0, 0, 0 });
	EXPECT("conv-add-bias-relu",
	       "op=conv pad=1,1 stride=1,1 dilation=1,1 groups=1 alpha=1 beta=0.5 activation=relu "
	       "x:f16[2/6400,16/1,20/320,20/16] w:f16[32/144,16/1,3/48,3/16] z:f16[2/12800,32/1,20/640,20/32] "
	       "bias:f16[32/1] >y:f16[2/12800,32/1,20/640,20/32] ", { 0, 0, 0 });
	EXPECT("matmul-bias",
	       "op=matmul epilogue=bias alpha=1 beta=0 compute=f32 A:bf16[2/1536,32/1,48/32] "
	       "B:bf16[2/3072,48/1,64/48] >D:bf16[2/2048,32/1,64/32] bias:bf16[32/1,1/1] ", { 0, 0, 0 });
}

Test(cudnn, what_has_no_reference_is_described_whole)
{
	EXPECT("matmul-gelu",
	       "refused=this operation graph has no reference matB_1:bf16[2/1536,48/32,32/1] "
	       "matA_2:bf16[2/3072,64/48,48/1] B_4:bf16[1/32,1/32,32/1] >Y_6:bf16[2/2048,64/32,32/1] graph ", { 0, 0, 0 });
	fresh("backward");
	execute(NULL, 0);
	cr_expect(strstr(seen, "refused=") != NULL && strstr(seen, " op=") == NULL && strstr(seen, "graph") != NULL, "%s", seen);
}

/* ---- plans that say something else ------------------------------------- */

/* Replaces the first `from`, of the same or a greater length, behind `behind`. */
static void replace(const char *behind, const char *from, const char *to)
{
	char *p = strstr(plan_text, behind);

	p = p != NULL ? strstr(p, from) : NULL;
	cr_assert(p != NULL && strlen(from) >= strlen(to), "%s", from);
	memset(p, ' ', strlen(from));
	memcpy(p, to, strlen(to));
	ekka_cudnn_plan_forget(&plan);
}

static void refused(const char *reason, const struct by_value *v, unsigned n)
{
	execute(v, n);
	cr_expect(strstr(seen, "op=") == NULL && strstr(seen, reason) != NULL, "not refused because of '%s':\n%s", reason, seen);
}

static const struct by_value causal[] = { { 5, 0.125, 0 }, { 10, -INFINITY, 0 } };

Test(cudnn, attention_that_is_another_is_refused)
{
	static const char *const changes[][2] = {
		{ "\"CUDNN_POINTWISE_EXP\"", "\"CUDNN_POINTWISE_SIN\"" }, { "\"CUDNN_REDUCE_TENSOR_ADD\"", "\"CUDNN_REDUCE_TENSOR_MUL\"" },
		{ "\"CUDNN_REDUCE_TENSOR_MAX\"", "\"CUDNN_REDUCE_TENSOR_MIN\"" }, { "\"CUDNN_POINTWISE_DIV\"", "\"CUDNN_POINTWISE_MUL\"" },
		{ "\"CUDNN_POINTWISE_CMP_GE\"", "\"CUDNN_POINTWISE_CMP_LT\"" }, { "\"CUDNN_POINTWISE_MUL\"", "\"CUDNN_POINTWISE_SUB\"" },
		{ "\"CUDNN_POINTWISE_SUB\"", "\"CUDNN_POINTWISE_ADD\"" }, { "\"axis\":3", "\"axis\":1" }, { "\"alpha2\":1.0", "\"alpha2\":1.5" },
		{ "\"axis\":3", "\"ax\":3" }, { "\"matB\":\"2\"", "\"matB\":\"1\"" },
	};

	fresh("causal-gqa");
	execute(causal, 2);
	cr_assert(strstr(seen, "op=attention") != NULL);
	for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		fresh("causal-gqa");
		replace("nodes", changes[i][0], changes[i][1]);
		refused("refused=", causal, 2);
	}
}

Test(cudnn, numbers_by_value_are_of_each_call)
{
	static const struct by_value other[] = { { 5, 0.5, 0 }, { 10, -INFINITY, 0 } }, weak[] = { { 5, 0.5, 0 }, { 10, -10000, 0 } };
	unsigned asked;

	fresh("causal-gqa");
	execute(causal, 2);
	asked = n_asked;
	execute(other, 2);
	cr_expect(strstr(seen, "scale=0.5 ") != NULL, "%s", seen);
	cr_expect_eq(n_asked, asked, "the plan was decoded again");
	refused("lets masked keys count", weak, 2);
	ekka_cudnn_plan_forget(&plan);
	execute(other, 2);
	cr_expect_eq(n_asked, asked + 1, "a new plan at the old handle was not read");
}

Test(cudnn, bands_that_the_op_cannot_say_are_refused)
{
	/* Right of the diagonal by a number that is neither corner's: said from the bottom right, but not below it. */
	static const struct by_value beside[] = { { 1, 1, 0 }, { 15, -INFINITY, 0 }, { 10, 70, 1 }, { 12, 64, 1 } };
	static const struct by_value right[] = { { 1, 1, 0 }, { 15, -INFINITY, 0 }, { 10, 100, 1 }, { 12, 64, 1 } };
	static const struct by_value half[] = { { 1, 1, 0 }, { 11, -INFINITY, 0 }, { 15, 16.5, 0 }, { 18, -INFINITY, 0 } };

	fresh("causal-bottom-right");
	refused("beside the diagonal", beside, 4);
	execute(right, 4);
	cr_expect(strstr(seen, "window_right=4 op=attention") != NULL, "%s", seen);
	fresh("window");
	refused("not known", half, 4);
}

Test(cudnn, tables_of_pages_that_differ_are_refused)
{
	static const struct by_value scale[] = { { 1, 0.125, 0 }, { 6, 0, 1 } };

	fresh("paged-unified");
	refused("page tables of their own", scale, 2);
}

Test(cudnn, convolutions_that_are_others_are_refused)
{
	static const char *const changes[][2] = {
		{ "\"CUDNN_CROSS_CORRELATION\"", "\"CUDNN_CONVOLUTION\"" }, { "\"lowerClipSlope\":0.0", "\"lowerClipSlope\":0.1" },
		{ "\"upperClip\":3.4028234663852886e+38", "\"upperClip\":6.0" }, { "\"beta\":0.0", "\"beta\":1.0" }, { "\"pad\"", "\"pre\"" },
		{ "\"CUDNN_POINTWISE_RELU_FWD\"", "\"CUDNN_POINTWISE_ELU_BWD\"" },
	};

	for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		fresh("conv-add-bias-relu");
		replace("nodes", changes[i][0], changes[i][1]);
		refused("refused=", NULL, 0);
	}
}

Test(cudnn, engines_say_how_they_compute)
{
	static const struct ekka_cudnn_getters g = { .attribute = get_engine, .create = create, .destroy = destroy };
	static char config, other[6000];
	uint32_t bits;

	fresh("conv-3d");
	n_notes = 2;
	notes[0] = CUDNN_NUMERICAL_NOTE_TENSOR_CORE;
	notes[1] = CUDNN_NUMERICAL_NOTE_WINOGRAD;
	ekka_cudnn_notes_see(&plan, &config, &g);
	cr_expect(ekka_cudnn_notes(&plan, &bits) && bits == 33 && n_destroyed == 1);
	execute(NULL, 0);
	cr_expect(strstr(seen, "numerical_notes=33 algorithm=winograd compute=f32 x:") != NULL, "%s", seen);
	fresh("matmul-bias");
	execute(NULL, 0);
	cr_expect(strstr(seen, "compute=f32 A:") != NULL && strstr(seen, "algorithm") == NULL, "%s", seen);
	cr_expect_str_eq(ekka_cudnn_notes_compute(1, EKKA_F32), "tf32");
	cr_expect_str_eq(ekka_cudnn_notes_compute(3, EKKA_F32), "f32_fast_16f");
	cr_expect_str_eq(ekka_cudnn_notes_compute(0, EKKA_F32), "f32");
	cr_expect_str_eq(ekka_cudnn_notes_compute(5, EKKA_F16), "f16");
	cr_expect_str_eq(ekka_cudnn_notes_compute(1, EKKA_F16), "f32");
	cr_expect_str_eq(ekka_cudnn_notes_compute(5, EKKA_BF16), "f32");
	cr_expect_null(ekka_cudnn_notes_compute(5, EKKA_I8));
	cr_expect_str_eq(ekka_cudnn_notes_algorithm(8), "fft");
	cr_expect_str_eq(ekka_cudnn_notes_algorithm(1), "gemm");
	/* A plan that is gone; very many of them. */
	ekka_cudnn_notes_forget(&plan);
	cr_expect_not(ekka_cudnn_notes(&plan, &bits));
	for (unsigned i = 0; i < sizeof(other); i++)
		ekka_cudnn_notes_see(&other[i], &config, &g);
	cr_expect(ekka_cudnn_notes(&other[sizeof(other) - 1], &bits) && bits == 33);
}

Test(cudnn, f32_products_may_be_cut_to_tf32)
{
	static const struct ekka_cudnn_getters g = { .attribute = get_engine, .create = create, .destroy = destroy };
	static char config;

	fresh("matmul-bias");
	while (strstr(plan_text, "CUDNN_DATA_BFLOAT16") != NULL)
		replace("", "CUDNN_DATA_BFLOAT16\"", "CUDNN_DATA_FLOAT\"");
	execute(NULL, 0);
	cr_expect(strstr(seen, "compute=tf32") != NULL, "%s", seen);
	n_notes = 0;
	ekka_cudnn_notes_see(&plan, &config, &g);
	execute(NULL, 0);
	cr_expect(strstr(seen, "compute=f32 ") != NULL && strstr(seen, "algorithm") == NULL, "%s", seen);
	ekka_cudnn_notes_forget(&plan);
}

Test(cudnn, dropout)
{
	static const struct by_value made_up[] = { { 5, 0.25, 0 }, { 18, 1.0 / 0.9, 0 } }, none[] = { { 5, 0.25, 0 }, { 18, 1, 0 } };

	EXPECT("dropout",
	       "op=attention scale=0.25 dropout=0.1 q:bf16[2/65536,8/8192,128/64,64/1] "
	       "k:bf16[2/65536,8/8192,128/64,64/1] v:bf16[2/65536,8/8192,128/64,64/1] "
	       ">out:bf16[2/65536,8/8192,128/64,64/1] seed:i64[1/1,1/1,1/1,1/1] offset:i64[1/1,1/1,1/1,1/1] ", { 5, 0.25, 0 }, { 18, 1.0 / 0.9, 0 });
	refused("not made up for", none, 2);
	fresh("dropout");
	replace("bernoulli", "0.8999999985098839", "1.0");
	execute(none, 2);
	cr_expect(strstr(seen, "op=attention scale=0.25 dropout=0 ") != NULL, "%s", seen);
	refused("not made up for", made_up, 2);
	fresh("dropout");
	replace("bernoulli", "0.8999999985098839", "1.5");
	refused("dropout that is not known", none, 2);
	fresh("dropout");
	replace("RNG", "CUDNN_RNG_DISTRIBUTION_BERNOULLI", "CUDNN_RNG_DISTRIBUTION_UNIFORM");
	refused("dropout that is not known", made_up, 2);
}

/* Three sequences of at most 78 tokens, each 8 heads of 64: as many tokens as there is memory for, at most 3 times 78. */
Test(cudnn, packed_sequences)
{
	static const struct by_value scale[] = { { 5, 0.125, 0 } };

	room = 100 * 1024 + 1022;
	EXPECT("ragged",
	       "op=attention cu_unit_q=512 cu_unit_out=512 cu_unit_k=512 cu_unit_v=512 scale=0.125 q:bf16[1/0,8/64,100/512,64/1] "
	       "k:bf16[1/0,8/64,100/512,64/1] v:bf16[1/0,8/64,100/512,64/1] >out:bf16[1/0,8/64,100/512,64/1] "
	       "cu_seqlens_q:i32[4/1] cu_seqlens_out:i32[4/1] cu_seqlens_k:i32[4/1] cu_seqlens_v:i32[4/1] seqlens_q:i32[3/1] seqlens_k:i32[3/1] ",
	       { 5, 0.125, 0 });
	room = 1 << 20;
	execute(scale, 1);
	cr_expect(strstr(seen, "out:bf16[1/0,8/64,234/512,64/1]") != NULL, "%s", seen);
	room = 1022;
	refused("memory is not known", scale, 1);
	room = 0;
	refused("memory is not known", scale, 1);
	room = 1 << 20;
	fresh("ragged");
	replace("nodes", "\"seqLenQ\":\"13\",", "");
	refused("some are packed", scale, 1);
}

/* Plans made up here. */
#define POINTWISE "{\"operation\":\"CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR\",\"mathPrec\":\"CUDNN_DATA_FLOAT\",\"pointwiseMode\":\"CUDNN_POINTWISE_"
#define TENSOR(name, type, dim, stride, inside, value) \
	"{\"name\":\"" name "\",\"dataType\":\"CUDNN_DATA_" type "\",\"dim\":" dim ",\"stride\":" stride ",\"isVirtual\":" inside ",\"isByValue\":" value "}"

/* out = max(x * w, number), out2 = elu(-out): listed from behind; w is broadcast. */
Test(cudnn, graphs_of_pointwise_nodes)
{
	static const char graph[] =
		"{\"operationGraph\":{\"tensors\":[" TENSOR("1", "HALF", "[4,8]", "[8,1]", "false", "false") "," TENSOR("2", "FLOAT", "[1,8]", "[8,1]", "false", "false") ","
		TENSOR("3", "FLOAT", "[4,8]", "[8,1]", "true ", "false") "," TENSOR("4", "FLOAT", "[1,1]", "[1,1]", "false", "true") ","
		TENSOR("5", "FLOAT", "[4,8]", "[8,1]", "false", "false") "," TENSOR("6", "FLOAT", "[4,8]", "[8,1]", "true ", "false") ","
		TENSOR("7", "HALF", "[4,8]", "[1,4]", "false", "false") "],\"nodes\":[" POINTWISE "ELU_FWD\",\"X\":\"6\",\"Y\":\"7\"},"
		POINTWISE "NEG\",\"X\":\"5\",\"Y\":\"6\"}," POINTWISE "MAX\",\"X\":\"3\",\"B\":\"4\",\"Y\":\"5\"},"
		POINTWISE "MUL\",\"X\":\"1\",\"B\":\"2\",\"Y\":\"3\",\"alpha2\":1.0}]}}";
	static const char *const changes[][2] = {
		{ "CUDNN_POINTWISE_MUL", "CUDNN_POINTWISE_POW" }, { "\"alpha2\":1.0", "\"alpha2\":0.5" }, { "CUDNN_POINTWISE_NEG", "CUDNN_POINTWISE_ADD" },
		{ "\"name\":\"3\",\"dataType\":\"CUDNN_DATA_FLOAT\"", "\"name\":\"3\",\"dataType\":\"CUDNN_DATA_HALF\"" },
		{ "\"name\":\"5\",\"dataType\":\"CUDNN_DATA_FLOAT\"", "\"name\":\"5\",\"dataType\":\"CUDNN_DATA_HALF\"" },
		{ "\"name\":\"2\",\"dataType\":\"CUDNN_DATA_FLOAT\"", "\"name\":\"2\",\"dataType\":\"CUDNN_DATA_INT8\"" },
		{ "\"X\":\"5\",\"Y\":\"6\"", "\"X\":\"7\",\"Y\":\"6\"" },
	};
	static const struct by_value number[] = { { 4, 0.5, 0 } };

	for (unsigned i = 0; i <= sizeof(changes) / sizeof(changes[0]); i++) {
		load("conv-3d");
		strcpy(plan_text, graph);
		ekka_cudnn_plan_forget(&plan);
		if (i > 0) {
			replace("", changes[i - 1][0], changes[i - 1][1]);
			refused("no reference", number, 1);
			continue;
		}
		execute(number, 1);
		cr_expect_str_eq(seen, "op=elementwise c0=0.5 expr=t02 = in0 * in1; out0 = max(t02, c0); t05 = -out0; out1 = where(t05 > 0, t05, exp(t05) - 1) "
				 "in0:f16[4/8,8/1] in1:f32[4/0,8/1] >out0:f32[4/8,8/1] >out1:f16[4/1,8/4] ", "%s", seen);
	}
}

Test(cudnn, pooling)
{
	static const char graph[] =
		"{\"operationGraph\":{\"tensors\":[" TENSOR("1", "HALF", "[2,3,8,9]", "[216,72,9,1]", "false", "false") "," TENSOR("2", "HALF", "[2,3,4,4]", "[48,16,4,1]", "false", "false")
		"],\"nodes\":[{\"operation\":\"CUDNN_BACKEND_OPERATION_RESAMPLE_FWD_DESCRIPTOR\",\"mode\":\"CUDNN_RESAMPLE_MAXPOOL\",\"nanOpt\":\"CUDNN_PROPAGATE_NAN\","
		"\"paddingMode\":\"CUDNN_NEG_INF_PAD\",\"nbSpatialDims\":2,\"compType\":\"CUDNN_DATA_FLOAT\",\"windowDim\":[[3,1],[2,1]],\"prePad\":[[1,1],[0,1]],"
		"\"postPad\":[[0,1],[1,1]],\"stride\":[[2,1],[2,1]],\"alpha\":1.0,\"beta\":0.0,\"X\":\"1\",\"Y\":\"2\"}]}}";
	static const char *const changes[][2] = {
		{ "CUDNN_RESAMPLE_MAXPOOL", "CUDNN_RESAMPLE_NEAREST" }, { "CUDNN_NEG_INF_PAD", "CUDNN_ZERO_PAD" }, { "\"beta\":0.0", "\"beta\":0.5" },
		{ "\"alpha\":1.0", "\"alpha\":2.0" }, { "\"windowDim\":[[3,1]", "\"windowDim\":[[3,2]" }, { "\"nbSpatialDims\":2", "\"Idx\":\"2\"" },
	};

	for (unsigned i = 0; i <= sizeof(changes) / sizeof(changes[0]); i++) {
		load("conv-3d");
		strcpy(plan_text, graph);
		ekka_cudnn_plan_forget(&plan);
		if (i > 0) {
			replace("", changes[i - 1][0], changes[i - 1][1]);
			refused("no reference", NULL, 0);
			continue;
		}
		execute(NULL, 0);
		cr_expect_str_eq(seen, "op=pool window=3,2 stride=2,2 pad=1,0 pad_end=0,1 kind=max x:f16[2/216,3/72,8/9,9/1] >y:f16[2/48,3/16,4/4,4/1] ", "%s", seen);
	}
	load("conv-3d");
	strcpy(plan_text, graph);
	ekka_cudnn_plan_forget(&plan);
	replace("", "\"CUDNN_PROPAGATE_NAN\"", "\"CUDNN_NO\"");
	execute(NULL, 0);
	cr_expect(strstr(seen, " nan=0 kind=max ") != NULL, "%s", seen);
}

Test(cudnn, lists_of_fractions)
{
	fresh("conv-3d");
	replace("nodes", "\"dilation\":[1,1,1]", "\"dilation\":[[2,2]]");
	execute(NULL, 0);
	cr_expect(strstr(seen, "dilation=1 ") != NULL, "%s", seen);
	fresh("conv-3d");
	replace("nodes", "\"dilation\":[1,1,1]", "\"dilation\":[[3,2]]");
	refused("no reference", NULL, 0);
	fresh("conv-3d");
	replace("nodes", "\"dilation\":[1,1,1]", "\"dilation\":[[3]]");
	refused("no reference", NULL, 0);
}

Test(cudnn, norms)
{
	static const char *const changes[][2] = {
		{ "\"CUDNN_RMS_NORM\"", "\"CUDNN_ADA_NORM\"" }, { "\"CUDNN_NORM_FWD_INFERENCE\"", "\"CUDNN_NORM_FWD_TRAINING\"" }, { "\"Scale\"", "\"Zcale\"" },
		{ "\"epsilonDesc\"", "\"epsilon\"" },
	};

	EXPECT("rmsnorm",
	       "op=norm kind=rms one_pass=1 eps=0.001 x:bf16[64/128,128/1] >y:bf16[64/128,128/1] weight:bf16[128/1] ", { 3, 1e-3, 0 });
	for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		fresh("rmsnorm");
		replace("nodes", changes[i][0], changes[i][1]);
		refused("refused=", NULL, 0);
	}
}

Test(cudnn, a_node_that_is_left_over_is_not_forgotten)
{
	static const char more[] = "{\"operation\":\"CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR\",\"pointwiseMode\":\"CUDNN_POINTWISE_ABS\",\"X\":\"120\",\"Y\":\"119\"},";
	char *at;

	fresh("conv-3d");
	at = strstr(plan_text, "\"nodes\":[") + strlen("\"nodes\":[");
	memmove(at + strlen(more), at, strlen(at) + 1);
	memcpy(at, more, strlen(more));
	refused("no reference", NULL, 0);
}

Test(cudnn, a_text_cut_anywhere_is_refused)
{
	static const struct by_value none[1];
	size_t n;

	load("window-bottom-right");
	n = strlen(plan_text);
	for (size_t cut = n - 2; cut > 0; cut -= cut > 997 ? 97 : 1) {
		plan_text[cut] = '\0';
		ekka_cudnn_plan_forget(&plan);
		execute(none, 0);
		cr_assert(strstr(seen, "op=") == NULL && strstr(seen, "refused=") != NULL, "cut at %zu: %s", cut, seen);
	}
}

Test(cudnn, packs)
{
	struct ekka_cudnn_pack p;
	const void *pointers[70] = { &plan, &pack };
	int64_t ids[70] = { 7, 3 };
	static char descriptor[400];
	const void *at;

	ekka_cudnn_pack_set(&descriptor[0], CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, 2, ids);
	cr_assert(ekka_cudnn_pack_get(&descriptor[0], &p) && !ekka_cudnn_pack_pointer(&p, 3, &at));
	ekka_cudnn_pack_set(&descriptor[0], CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, 2, pointers);
	cr_assert(ekka_cudnn_pack_get(&descriptor[0], &p) && ekka_cudnn_pack_pointer(&p, 3, &at));
	cr_expect_eq(at, (const void *)&pack);
	cr_expect_not(ekka_cudnn_pack_pointer(&p, 4, &at));
	ekka_cudnn_pack_set(&descriptor[0], CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, 70, ids);
	cr_expect(ekka_cudnn_pack_get(&descriptor[0], &p) && p.too_many);
	ekka_cudnn_pack_forget(&descriptor[0]);
	cr_expect_not(ekka_cudnn_pack_get(&descriptor[0], &p));
	/* Attributes of other descriptors make no pack. */
	ekka_cudnn_pack_set(&descriptor[1], CUDNN_ATTR_TENSOR_UNIQUE_ID, 1, ids);
	cr_expect_not(ekka_cudnn_pack_get(&descriptor[1], &p));
	/* Of very many the last ones are known. */
	for (unsigned i = 2; i < 400; i++)
		ekka_cudnn_pack_set(&descriptor[i], CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, 1, ids);
	cr_expect(ekka_cudnn_pack_get(&descriptor[399], &p) && ekka_cudnn_pack_get(&descriptor[200], &p));
	ekka_cudnn_pack_set(&descriptor[399], CUDNN_ATTR_VARIANT_PACK_OVERRIDE_SHAPES, 1, ids);
	cr_expect(ekka_cudnn_pack_get(&descriptor[399], &p) && p.overridden);
}

Test(cudnn, more_plans_than_are_kept)
{
	enum { N = EKKA_CUDNN_PLANS + 100 };
	static char handle[N];
	unsigned asked;

	load("unified");
	for (unsigned i = 0; i < N; i++)
		cr_assert(ekka_cudnn_plan(&handle[i], get_attribute)->op[0] == 'a');
	asked = n_asked;
	cr_expect(ekka_cudnn_plan(&handle[N - 1], get_attribute)->handle == &handle[N - 1] && n_asked == asked);
	cr_expect(ekka_cudnn_plan(&handle[0], get_attribute)->handle == &handle[0] && n_asked == asked + 1);
	for (unsigned i = 0; i < N; i++)
		ekka_cudnn_plan_forget(&handle[i]);
	cr_expect(ekka_cudnn_plan(&handle[5], get_attribute)->handle == &handle[5]);
}

/* ---- JSON -------------------------------------------------------------- */

static bool parses(const char *text)
{
	struct ekka_json v;

	return ekka_json_parse(text, strlen(text), &v);
}

Test(json, grammar)
{
	static const char *const good[] = { "{}", "[]", " [1, -2.5e+3,true,null , \"a\\\"b\"] ", "{\"a\":{\"b\":[[],{}]},\"c\":0}", "0", "\"\"" };
	static const char *const bad[] = { "", "{", "[1,]", "{\"a\"}", "{\"a\":}", "[1 2]", "{1:2}", "\"abc", "tru", "[1]]", "01x", "-", "1.", "1e",
					   "{\"a\":1,}", "[\"\n\"]", "{]", "[}", "\"\\" };

	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_expect(parses(good[i]), "%s", good[i]);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_not(parses(bad[i]), "%s", bad[i]);
	cr_expect(parses("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"));
	cr_expect_not(parses("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"));
}

Test(json, values)
{
	static const char text[] = "{ \"a\" : [1, -20 ,3], \"b\":\"-77\", \"c\":3.4028234663852886e+38, \"d\":0.1, \"e\":true, \"f\":9223372036854775808, \"g\":1e-7 }";
	struct ekka_json all, v, key;
	int64_t list[3], i;
	double x;
	size_t pos = 0;
	unsigned members = 0;

	cr_assert(ekka_json_parse(text, strlen(text), &all));
	while (ekka_json_next(all, &pos, &key, &v))
		members++;
	cr_expect_eq(members, 7u);
	cr_assert(ekka_json_member(all, "a", &v));
	cr_expect_eq(ekka_json_ints(v, list, 3), 3);
	cr_expect(list[0] == 1 && list[1] == -20 && list[2] == 3);
	cr_expect_eq(ekka_json_ints(v, list, 2), -1);
	cr_expect(ekka_json_member(all, "b", &v) && ekka_json_int(v, &i) && i == -77 && ekka_json_is(v, "-77"));
	cr_expect(ekka_json_member(all, "c", &v) && ekka_json_real(v, &x) && fabs(x / 3.4028234663852886e+38 - 1) < 1e-14);
	cr_expect(ekka_json_member(all, "d", &v) && ekka_json_real(v, &x) && x == 0.1 && !ekka_json_int(v, &i));
	cr_expect(ekka_json_member(all, "e", &v) && ekka_json_true(v));
	cr_expect(ekka_json_member(all, "f", &v) && !ekka_json_int(v, &i));
	cr_expect(ekka_json_member(all, "g", &v) && ekka_json_real(v, &x) && fabs(x / 1e-7 - 1) < 1e-14);
	cr_expect_not(ekka_json_member(all, "h", &v));
}
