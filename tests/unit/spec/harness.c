/* SPDX-License-Identifier: Apache-2.0 */
#include "preload/cuda_cublas.h"
#include "preload/getters.h"
#include "preload/lock.h"
#include "preload/probe.h"
#include "tests/unit/spec/harness.h"

#include <complex.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

struct seen seen;
struct stub_setup setup;

void seen_reset(void)
{
	memset(&seen, 0, sizeof(seen));
	memset(&setup, 0, sizeof(setup));
	setup.real = (void *)raw_stub;
}

/* ---- the functions of capture.h -------------------------------------- */

void *ekka_real(unsigned fn_id, const void *caller)
{
	seen.real_fn_id = fn_id;
	seen.caller = caller;
	seen.n_real++;
	return setup.real;
}

static void open_event(struct ekka_call *call, unsigned fn_id)
{
	memset(call, 0x5a, sizeof(*call));	/* nothing may be taken for granted */
	call->fn = &ekka_fns[fn_id];
	call->fn_id = fn_id;
	call->describe = !setup.no_describe;
	call->device_pointer_mode = false;
	memset(&call->rec, 0, sizeof(call->rec));
	seen.event[seen.n_events++].call = call;
}

bool ekka_call_enter(struct ekka_call *call, unsigned fn_id, const void *caller)
{
	(void)caller;
	if (setup.off)
		return false;
	open_event(call, fn_id);
	return true;
}

void ekka_call_enter_part(struct ekka_call *part, struct ekka_call *first, unsigned group)
{
	open_event(part, first->fn_id);
	part->rec.group = group;
}

void ekka_call_drop_parts(struct ekka_call *first, uint64_t n)
{
	(void)first;
	seen.dropped_parts += n;
}

static struct seen_event *event_of(struct ekka_call *call)
{
	for (unsigned i = 0; i < seen.n_events; i++)
		if (seen.event[i].call == call)
			return &seen.event[i];
	abort();	/* a call that was never entered */
}

void ekka_call_begin(struct ekka_call *call)
{
	struct seen_event *e = event_of(call);

	e->copy = *call;
	e->begun = ++seen.sequence;
	if (setup.on_begin)
		setup.on_begin(e);
}

void ekka_call_end(struct ekka_call *call, const struct ekka_value *ret)
{
	struct seen_event *e = event_of(call);

	e->ended = ++seen.sequence;
	e->has_ret = ret != NULL;
	if (ret)
		e->ret = *ret;
	if (setup.on_end)
		setup.on_end(e);
}

static struct ekka_value *next_arg(struct ekka_call *call, enum ekka_value_kind kind)
{
	struct ekka_value *v = &call->args[call->rec.n_args++];

	v->kind = kind;
	return v;
}

void ekka_arg_int(struct ekka_call *call, int64_t v) { next_arg(call, EKKA_V_INT)->i = v; }
void ekka_arg_real(struct ekka_call *call, double v) { next_arg(call, EKKA_V_REAL)->r[0] = v; }
void ekka_arg_ptr(struct ekka_call *call, const void *p) { next_arg(call, EKKA_V_PTR)->u = (uintptr_t)p; }

void ekka_arg_complex(struct ekka_call *call, double re, double im)
{
	struct ekka_value *v = next_arg(call, EKKA_V_COMPLEX);

	v->r[0] = re;
	v->r[1] = im;
}

static struct ekka_value *next_attr(struct ekka_call *call, const char *name, enum ekka_value_kind kind)
{
	struct ekka_attr *a = &call->attrs[call->rec.n_attrs++];

	a->name = name;
	a->value.kind = kind;
	return &a->value;
}

void ekka_attr_int(struct ekka_call *call, const char *name, int64_t v) { next_attr(call, name, EKKA_V_INT)->i = v; }
void ekka_attr_real(struct ekka_call *call, const char *name, double v) { next_attr(call, name, EKKA_V_REAL)->r[0] = v; }
void ekka_attr_str(struct ekka_call *call, const char *name, const char *s) { next_attr(call, name, EKKA_V_STR)->s = s; }

void ekka_attr_complex(struct ekka_call *call, const char *name, double re, double im)
{
	struct ekka_value *v = next_attr(call, name, EKKA_V_COMPLEX);

	v->r[0] = re;
	v->r[1] = im;
}

void ekka_attr_scalar(struct ekka_call *call, const char *name, enum ekka_dtype dtype, const void *p)
{
	if (call->device_pointer_mode) {
		ekka_tensor(call, &(struct ekka_tensor){ .name = name, .dir = EKKA_IN, .dtype = dtype, .place = EKKA_DEVICE,
			.n_dims = 1, .dim = { 1 }, .stride = { 1 }, .addr = (uintptr_t)p, .alias_of = -1, .pre = true });
		return;
	}
	if (!p)
		next_attr(call, name, EKKA_V_NIL);
	else if (dtype == EKKA_C64)
		ekka_attr_complex(call, name, crealf(*(const float complex *)p), cimagf(*(const float complex *)p));
	else if (dtype == EKKA_C128)
		ekka_attr_complex(call, name, creal(*(const double complex *)p), cimag(*(const double complex *)p));
	else if (dtype == EKKA_I32)
		ekka_attr_real(call, name, *(const int32_t *)p);
	else
		ekka_attr_real(call, name, dtype == EKKA_F64 ? *(const double *)p : *(const float *)p);
}

bool ekka_scalar_is_zero(const struct ekka_call *call, enum ekka_dtype dtype, const void *p)
{
	static const char zero[16];

	return !call->device_pointer_mode && p && !memcmp(p, zero, ekka_dtype_bytes(dtype));
}

int ekka_tensor(struct ekka_call *call, const struct ekka_tensor *t)
{
	struct ekka_tensor *copy = &call->tensors[call->rec.n_tensors];
	int64_t low = 0, high = 0;

	for (unsigned d = 0; d < t->n_dims; d++) {
		int64_t *end = t->stride[d] < 0 ? &low : &high, reach;

		if (t->dim[d] <= 0)
			return -1;
		if (__builtin_mul_overflow(t->dim[d] - 1, t->stride[d], &reach) || __builtin_add_overflow(*end, reach, end))
			return -1;
	}
	*copy = *t;
	copy->offset = -low;
	copy->span_bytes = ((uint64_t)high - (uint64_t)low + 1) * ekka_dtype_bytes(t->dtype);
	return (int)call->rec.n_tensors++;
}

void ekka_call_bad_args(struct ekka_call *call, const char *reason) { call->rec.bad_args = reason; }

void ekka_context_cublas(struct ekka_call *call, void *handle)
{
	seen.handle = handle;
	call->device_pointer_mode = setup.device_pointer_mode;
}

/* No library has getters here, so that no descriptor is taken apart. */
const void *ekka_getters(const void *real, const struct ekka_getter_set *set)
{
	static const void *const none[EKKA_GETTERS];

	(void)real, (void)set;
	return none;
}

int32_t ekka_cuda_current_device(void) { return 0; }

bool ekka_cuda_bytes_behind(uint64_t addr, uint64_t *ret_bytes)
{
	(void)addr, (void)ret_bytes;
	return false;
}

bool ekka_lock_take(struct ekka_lock *lock)
{
	(void)lock;
	return true;
}

void ekka_lock_release(struct ekka_lock *lock) { (void)lock; }

bool ekka_probe_copy(void *dst, uint64_t addr, size_t n)
{
	memcpy(dst, (const void *)(uintptr_t)addr, n);
	return true;
}

/* ---- looking at what was seen ----------------------------------------- */

const struct ekka_value *seen_attr(const struct ekka_call *call, const char *name)
{
	for (unsigned i = 0; i < call->rec.n_attrs; i++)
		if (!strcmp(call->attrs[i].name, name))
			return &call->attrs[i].value;
	return NULL;
}

int64_t seen_attr_int(const struct ekka_call *call, const char *name)
{
	const struct ekka_value *v = seen_attr(call, name);

	return v ? v->i : 0;
}

const struct ekka_tensor *seen_tensor(const struct ekka_call *call, const char *name)
{
	for (unsigned i = 0; i < call->rec.n_tensors; i++)
		if (!strcmp(call->tensors[i].name, name))
			return &call->tensors[i];
	return NULL;
}

void *wrapper_of(const struct ekka_fn *fn)
{
	return dlsym(RTLD_DEFAULT, fn->name);
}

unsigned word_bytes(const char *type)
{
	if (!strcmp(type, "float") || !strcmp(type, "double"))
		return 0;
	if (strchr(type, '*') || !strcmp(type, "int64_t") || !strcmp(type, "long long int") || !strcmp(type, "cublasHandle_t") ||
	    !strncmp(type, "cublasLt", 8) || !strcmp(type, "cudaStream_t") || !strcmp(type, "size_t"))
		return 8;
	if (!strncmp(type, "cudnn", 5) && (strstr(type, "Descriptor_t") || strstr(type, "Handle_t") || strstr(type, "Plan_t") || strstr(type, "Pack_t")))
		return 8;
	if (!strcmp(type, "cudaGraph_t"))
		return 8;
	return 4;
}

/* ---- machine level ------------------------------------------------------ */

struct raw_frame raw_seen;

void raw_call_frame(void *fn, const struct raw_frame *in, uint64_t n_stack, struct raw_frame *ret_frame);

void raw_call(void *fn, const struct raw_arg *args, unsigned n, struct raw_frame *ret_frame)
{
	struct raw_frame in = { .ret = 0 };
	unsigned words = 0, reals = 0, stack = 0;

	for (unsigned i = 0; i < n; i++) {
		if (args[i].how == RAW_WORD && words < 6)
			in.word[words++] = args[i].bits;
		else if (args[i].how == RAW_REAL && reals < 8)
			in.real[reals++] = args[i].bits;
		else
			in.stack[stack++] = args[i].bits;
	}
	raw_call_frame(fn, &in, RAW_STACK_WORDS, ret_frame);
}

#ifdef __x86_64__
_Static_assert(offsetof(struct raw_frame, real) == 48 && offsetof(struct raw_frame, stack) == 112, "raw.S's offsets");
_Static_assert(offsetof(struct raw_frame, ret) == 112 + 8 * RAW_STACK_WORDS && RAW_STACK_WORDS == 38, "raw.S's offsets");
__asm__(
	".text\n"
	".globl raw_stub\n.type raw_stub, @function\nraw_stub:\n"
	"	leaq raw_seen(%rip), %rax\n"
	"	movq %rdi, 0(%rax)\n	movq %rsi, 8(%rax)\n	movq %rdx, 16(%rax)\n"
	"	movq %rcx, 24(%rax)\n	movq %r8, 32(%rax)\n	movq %r9, 40(%rax)\n"
	"	movsd %xmm0, 48(%rax)\n	movsd %xmm1, 56(%rax)\n	movsd %xmm2, 64(%rax)\n	movsd %xmm3, 72(%rax)\n"
	"	movsd %xmm4, 80(%rax)\n	movsd %xmm5, 88(%rax)\n	movsd %xmm6, 96(%rax)\n	movsd %xmm7, 104(%rax)\n"
	"	leaq 8(%rsp), %rsi\n	leaq 112(%rax), %rdi\n	movl $38, %ecx\n	rep movsq\n"
	"	movups 424(%rax), %xmm0\n	movsd 440(%rax), %xmm1\n	movq 416(%rax), %rax\n"
	"	ret\n.size raw_stub, . - raw_stub\n"
	/* void raw_call_frame(fn rdi, in rsi, n_stack rdx (even), ret_frame rcx) */
	".globl raw_call_frame\n.type raw_call_frame, @function\nraw_call_frame:\n"
	"	pushq %rbp\n	movq %rsp, %rbp\n	pushq %rbx\n	pushq %r12\n"
	"	movq %rdi, %rax\n	movq %rsi, %r11\n	movq %rcx, %rbx\n"
	"	movq %rdx, %rcx\n	shlq $3, %rdx\n	subq %rdx, %rsp\n"
	"	leaq 112(%r11), %rsi\n	movq %rsp, %rdi\n	rep movsq\n"
	"	movsd 48(%r11), %xmm0\n	movsd 56(%r11), %xmm1\n	movsd 64(%r11), %xmm2\n	movsd 72(%r11), %xmm3\n"
	"	movsd 80(%r11), %xmm4\n	movsd 88(%r11), %xmm5\n	movsd 96(%r11), %xmm6\n	movsd 104(%r11), %xmm7\n"
	"	movq 0(%r11), %rdi\n	movq 8(%r11), %rsi\n	movq 16(%r11), %rdx\n"
	"	movq 24(%r11), %rcx\n	movq 32(%r11), %r8\n	movq 40(%r11), %r9\n"
	"	call *%rax\n"
	"	movq %rax, 416(%rbx)\n	movups %xmm0, 424(%rbx)\n	movsd %xmm1, 440(%rbx)\n"
	"	leaq -16(%rbp), %rsp\n	popq %r12\n	popq %rbx\n	popq %rbp\n"
	"	ret\n.size raw_call_frame, . - raw_call_frame\n"
	".section .note.GNU-stack,\"\",@progbits\n.text\n");
#else
#error "the harness knows only x86-64"
#endif
