/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/bound.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* cublasComputeType_t and cublasMath_t, of which the trace holds the numbers. */
enum {
	COMPUTE_16F = 64, COMPUTE_16F_PEDANTIC = 65, COMPUTE_32F = 68, COMPUTE_32F_PEDANTIC = 69, COMPUTE_64F = 70,
	COMPUTE_64F_PEDANTIC = 71, COMPUTE_32I = 72, COMPUTE_32I_PEDANTIC = 73, COMPUTE_32F_FAST_16F = 74,
	COMPUTE_32F_FAST_16BF = 75, COMPUTE_32F_FAST_TF32 = 77,
	MATH_TENSOR_OP = 1, MATH_PEDANTIC = 2, MATH_TF32 = 3, MATH_MODES = 15, MATH_NO_REDUCED_REDUCTION = 16
};

/* Largest number of splits of K whose partial sums are taken to pass through the output type; cuBLAS's heuristics stay below. */
enum { MAX_SPLITS = 32 };

/*
 * An any-order error is unusual beyond this many times u sqrt(K) times the partial sums' size, which is taken as 2 max |prefix sum|
 * plus 2 max S of one chunk / 8 (EKKA_BOUND_WALK_OF_CHUNK): products of random signs add up to that much of their magnitudes. For such data
 * that is dozens of standard deviations.
 */
static const double UNUSUAL = 8;

/* Tensor-core arithmetic by compute capability: fractional bits kept, products per step. */
struct arch { int cc; const char *name; int f; int step16, step32; };
static const struct arch archs[] = {
	{ 70, "Volta", 23, 4, 4 },	{ 75, "Turing", 24, 4, 4 },	{ 80, "Ampere", 24, 8, 4 },
	{ 89, "Ada", 24, 8, 4 },	{ 90, "Hopper", 25, 8, 4 },	{ 100, "Blackwell", 25, 8, 4 },
};

static const struct arch *arch_find(int major, int minor)
{
	const struct arch *found = &archs[0];

	for (size_t i = 0; i < sizeof archs / sizeof archs[0]; i++)
		if (archs[i].cc <= 10 * major + minor)
			found = &archs[i];
	return found;
}

static enum ekka_dtype component(enum ekka_dtype t)
{
	return t == EKKA_C64 ? EKKA_F32 : t == EKKA_C128 ? EKKA_F64 : t == EKKA_CI8 ? EKKA_I8 : t;
}

static bool is_integer(enum ekka_dtype t)
{
	return ekka_dtype_unit_roundoff(t) == 0;
}

/* Largest finite value and the size below which values may be flushed to zero. */
static void range(enum ekka_dtype t, double *ret_max, double *ret_tiny)
{
	switch (t) {
	case EKKA_F64: *ret_max = DBL_MAX; *ret_tiny = DBL_MIN; return;
	case EKKA_F16: *ret_max = 65504; *ret_tiny = 0x1p-24; return;	/* no hardware flushes binary16 */
	case EKKA_BF16: *ret_max = 0x1.fep127; *ret_tiny = 0x1p-126; return;
	case EKKA_E4M3: *ret_max = 448; *ret_tiny = 0x1p-9; return;
	case EKKA_E5M2: *ret_max = 57344; *ret_tiny = 0x1p-16; return;
	default: *ret_max = FLT_MAX; *ret_tiny = FLT_MIN; return;
	}
}

static bool is_fp8(enum ekka_dtype t)
{
	return t == EKKA_E4M3 || t == EKKA_E5M2;
}

static double gamma_of(double n, double u)
{
	return n * u < 0.5 ? n * u / (1 - n * u) : 1e30;	/* finite, so that it can multiply 0 */
}

static void any_order(struct ekka_bound_model *m, double u, bool is_complex, const char *what)
{
	double n = is_complex ? 2.0 * (double)m->k + 8 : (double)m->k + 4;

	m->kind = EKKA_BOUND_ANY_ORDER;
	m->u_acc = u;
	m->gamma = gamma_of(n, u);
	m->walk = UNUSUAL * sqrt(n) * u;
	(void)snprintf(m->text, sizeof m->text, "%s any-order, gamma_K, K=%lld", what, (long long)m->k);
}

/* p: bits the accumulator keeps, rounded toward zero; text names the operands. */
static void tensor_core(struct ekka_bound_model *m, const struct arch *arch, int f, int p, int step, const char *operands)
{
	double ulp = ldexp(1, 1 - f), per_step = 1.0 / step;

	m->kind = EKKA_BOUND_TENSOR_CORE;
	m->u_acc = 0x1p-24;
	m->group_coef = EKKA_BOUND_GROUP * (step + 1) * per_step * ulp;
	m->acc_coef = (double)m->k * per_step * ((step + 1) * ulp + ldexp(1, -p));
	(void)snprintf(m->text, sizeof m->text, "%s tensor core %s, F=%d p=%d step %d, K=%lld", operands, arch->name, f, p, step,
		       (long long)m->k);
}

static void append(char *text, const char *more)
{
	size_t len = strlen(text);

	(void)snprintf(text + len, EKKA_TEXT - len, "%s%s", len ? "; " : "", more);
}

/* binary16 accumulators: every product may be added and rounded on its own, or several at a time, truncating. */
static void half_accumulators(struct ekka_bound_model *m, const struct ekka_bound_facts *facts)
{
	tensor_core(m, arch_find(facts->cc_major, facts->cc_minor), 23, 11, 1, "f16 accumulators,");
	m->u_acc = 0x1p-10;
	range(EKKA_F16, &m->max_acc, &m->tiny_acc);
	append(m->policy, "accumulates in f16 (compute type): large sums lose digits or overflow");
}

/* f32 (and c64) operands on a device: plain, or rounded to a narrower type for the tensor cores. */
static void device_f32(struct ekka_bound_model *m, const struct ekka_bound_facts *facts, bool is_complex)
{
	const struct arch *arch = arch_find(facts->cc_major, facts->cc_minor);
	int64_t c = facts->compute, mode = facts->math < 0 ? 0 : facts->math & MATH_MODES;

	if (c == COMPUTE_32F_FAST_TF32 || (mode == MATH_TF32 && c != COMPUTE_32F_PEDANTIC && c != COMPUTE_32F_FAST_16BF &&
					   c != COMPUTE_32F_FAST_16F)) {
		tensor_core(m, arch, arch->f, 23, arch->step32, "tf32");
		m->in = 2 * 0x1p-10 + 0x1p-20;
		append(m->policy, "f32 operands are cut to tf32 (compute type or math mode)");
	} else if (c == COMPUTE_32F_FAST_16BF) {
		tensor_core(m, arch, arch->f, 23, arch->step16, "bf16 from f32");
		m->in = 2 * 0x1p-8 + 0x1p-16;
		append(m->policy, "f32 operands are rounded to bf16 (compute type)");
	} else if (c == COMPUTE_32F_FAST_16F || mode == MATH_TENSOR_OP) {
		tensor_core(m, arch, arch->f, 23, arch->step16, "f16 from f32");
		m->in = 2 * 0x1p-11 + 0x1p-22;
		range(EKKA_F16, &m->max_in, &m->tiny_in);
		append(m->policy, "f32 operands are rounded to f16 (compute type or math mode)");
	} else {
		any_order(m, 0x1p-24, is_complex, "fp32");
		return;
	}
	if (is_complex) {	/* twice the products, and the L1 magnitudes cover which go where */
		m->group_coef *= 2;
		m->acc_coef *= 2;
	}
}

/* Partial sums in the output type: as many as the algorithm says, else as cuBLAS might take. */
static void splits(struct ekka_bound_model *m, const struct ekka_bound_facts *facts)
{
	int64_t most = facts->k / EKKA_BOUND_CHUNK;
	size_t len = strlen(m->text);

	if (facts->splits_known)
		m->max_splits = facts->splits;
	else if (facts->out != EKKA_F32 && facts->compute != COMPUTE_32F_PEDANTIC &&
		 !(facts->math >= 0 && facts->math & MATH_NO_REDUCED_REDUCTION))
		m->max_splits = most > MAX_SPLITS ? MAX_SPLITS : most < 2 ? 2 : (unsigned)most;
	if (m->max_splits)
		(void)snprintf(m->text + len, sizeof m->text - len, ", up to %u splits reduced in %s", m->max_splits,
			       ekka_dtype_name(facts->out));
}

static int sixteen_bits(struct ekka_bound_model *m, const struct ekka_bound_facts *facts)
{
	const struct arch *arch = arch_find(facts->cc_major, facts->cc_minor);
	bool half = facts->a == EKKA_F16 && facts->out == EKKA_F16;
	char operands[32];

	if (facts->compute == COMPUTE_16F || facts->compute == COMPUTE_16F_PEDANTIC || (half && facts->compute < 0)) {
		half_accumulators(m, facts);
		return 0;
	}
	if (!facts->on_device) {	/* rounding mode of AMX and of dot-product instructions is not IEEE's everywhere */
		any_order(m, 0x1p-23, false, facts->a == EKKA_BF16 ? "bf16 host, fp32" : "f16 host, fp32");
		return 0;
	}
	(void)snprintf(operands, sizeof operands, "%s", ekka_dtype_name(facts->a));
	tensor_core(m, arch, arch->f, 23, arch->step16, operands);
	splits(m, facts);
	return 0;
}

static void eight_bits(struct ekka_bound_model *m, const struct ekka_bound_facts *facts)
{
	const struct arch *arch = arch_find(facts->cc_major, facts->cc_minor);
	bool narrow = arch->cc < 100;
	double chunks = (double)facts->k / EKKA_BOUND_CHUNK;

	tensor_core(m, arch, narrow ? 13 : 25, narrow ? 13 : 23, 16, "fp8");
	if (facts->block_scaled || facts->micro_scaled)
		m->group_coef *= 4;
	if (facts->micro_scaled)
		m->in += 0x1p-22;
	if (facts->promotes || facts->block_scaled) {
		m->promoted = (facts->k > EKKA_BOUND_CHUNK ? m->acc_coef / chunks : m->acc_coef) + gamma_of(chunks + (facts->block_scaled ? 6 : 4), 0x1p-24);
		append(m->text, "promoted to f32 every 128");
	} else if (narrow && facts->fast_accum) {
		append(m->policy, "fp8 products are summed without promotion to f32 (fast accumulation)");
	}
	splits(m, facts);
}

static int select_kind(struct ekka_bound_model *m, const struct ekka_bound_facts *f, bool is_complex)
{
	enum ekka_dtype a = component(f->a), b = component(f->b), out = component(f->out);

	if (is_integer(a) && is_integer(b) && is_integer(out)) {
		m->kind = EKKA_BOUND_INTEGER;
		(void)snprintf(m->text, sizeof m->text, "integer, exact");
		return 0;
	}
	if (is_integer(out) || is_integer(a) != is_integer(b) || (!is_integer(a) && a != b && !(is_fp8(a) && is_fp8(b))))
		return -1;
	if (a == EKKA_F64 || out == EKKA_F64) {
		any_order(m, 0x1p-53, is_complex, "fp64");
		m->twofold = true;
		range(EKKA_F64, &m->max_acc, &m->tiny_acc);
		m->max_in = m->max_acc;
		m->tiny_in = m->tiny_acc;
		return out == EKKA_F64 ? 0 : -1;
	}
	if (a == EKKA_F32) {
		if (f->on_device)
			device_f32(m, f, is_complex);
		else
			any_order(m, 0x1p-24, is_complex, "fp32");
		return out == EKKA_F32 ? 0 : -1;
	}
	if (is_integer(a)) {
		any_order(m, 0x1p-24, is_complex, "fp32 of integers");
		return 0;
	}
	if (a == EKKA_F16 || a == EKKA_BF16)
		return sixteen_bits(m, f);
	if (f->on_device && is_fp8(a)) {
		eight_bits(m, f);
		return 0;
	}
	return -1;
}

int ekka_bound_model_init(struct ekka_bound_model *m, const struct ekka_bound_facts *f)
{
	bool is_complex = ekka_dtype_is_complex(f->out);
	enum ekka_dtype out = component(f->out);

	*m = (struct ekka_bound_model){ .out = f->out };
	m->k = f->k;
	m->u_out = ekka_dtype_unit_roundoff(out);
	range(out, &m->max_out, &m->tiny_out);
	range(EKKA_F32, &m->max_acc, &m->tiny_acc);
	m->max_in = m->max_acc;
	m->tiny_in = m->tiny_acc;
	if (is_complex != ekka_dtype_is_complex(f->a) || is_complex != ekka_dtype_is_complex(f->b) || select_kind(m, f, is_complex) < 0) {
		(void)snprintf(m->text, sizeof m->text, "no bound for %s times %s into %s", ekka_dtype_name(f->a),
			       ekka_dtype_name(f->b), ekka_dtype_name(f->out));
		return -1;
	}
	m->typical = m->kind == EKKA_BOUND_ANY_ORDER ? m->u_acc * sqrt((double)f->k + 4) :
		     m->in + fmin(m->acc_coef / 4, 4 * m->u_acc * 16 * sqrt((double)f->k)) + (m->max_splits ? m->u_out / 2 : 0);
	m->own = m->twofold ? 0x1p-60 : 2 * gamma_of(2 * (double)f->k + 8, 0x1p-53);
	return 0;
}

double ekka_bound_before(const struct ekka_bound_model *m, const struct ekka_bound_sums *s, double alpha, double p, double c0)
{
	return ekka_bound_of_sum(&m->numbers, s, alpha, p, c0);
}

double ekka_bound_before_unusual(const struct ekka_bound_model *m, const struct ekka_bound_sums *s, double alpha, double p, double c0)
{
	return ekka_bound_of_sum_unusual(&m->numbers, s, alpha, p, c0);
}

double ekka_bound_rounded(const struct ekka_bound_model *m, double before, double ref)
{
	return ekka_bound_of_rounded(&m->numbers, before, ref);
}

double ekka_bound_element(const struct ekka_bound_model *m, const struct ekka_bound_sums *s, double alpha, double p, double c0,
			  double ref)
{
	return ekka_bound_rounded(m, ekka_bound_before(m, s, alpha, p, c0), ref);
}

double ekka_bound_unusual(const struct ekka_bound_model *m, const struct ekka_bound_sums *s, double alpha, double p, double c0, double ref)
{
	return ekka_bound_rounded(m, ekka_bound_before_unusual(m, s, alpha, p, c0), ref);
}

bool ekka_bound_may_overflow(const struct ekka_bound_model *m, const struct ekka_bound_sums *s, double alpha, double c0, double ref,
			     double bound)
{
	return ekka_bound_overflows(&m->numbers, s, alpha, c0, ref, bound);
}
