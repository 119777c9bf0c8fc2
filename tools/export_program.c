/* SPDX-License-Identifier: Apache-2.0 */
/* A C program that needs nothing but libc and the library under suspicion. */
#include "tools/export.h"

#include "tools/event.h"
#include "tools/export_call.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

/* tools/export/runtime.c as a string, made by the build. */
static const char runtime[] =
#include "tools/export_runtime.inc"
	;

const char *ekka_export_link_flags(const struct ekka_event *e)
{
	return strcmp(e->fn->library, "cublas") == 0 ? "-lcublas -lcudart -lm" : "-lopenblas -lm";
}

/* Names from the trace go into C source: nothing else may. */
static bool is_identifier(const char *s)
{
	if (!isalpha((unsigned char)*s) && *s != '_')
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && *s != '_')
			return false;
	return true;
}

static bool is_used(const struct ekka_event *e, unsigned i)
{
	return !ekka_export_is_scalar(e, i);
}

/* Everything that keeps this event from being reissued, before a line is written. */
static int check(const struct ekka_export *x, struct ekka_error *err)
{
	const struct ekka_event *e = x->event;
	int output = ekka_export_output(e);
	unsigned n_factors = 0;

	if (strcmp(ekka_event_op(e), "gemm") != 0 || !is_identifier(e->fn->name))
		return ekka_error_set(err, EKKA_ERR_UNSUPPORTED, "no program is known for op '%s' of '%s'", ekka_event_op(e), e->fn->name);
	for (unsigned i = 0; i < e->fn->n_args; i++)
		if (!is_identifier(e->fn->args[i].name))
			return ekka_error_set(err, EKKA_ERR_UNSUPPORTED, "parameter %u has no name that C knows", i);
	if (output < 0)
		return ekka_error_set(err, EKKA_ERR_UNSUPPORTED, "the call has no output");
	for (unsigned i = 0; i < e->call.n_tensors; i++) {
		const struct ekka_tensor *t = &e->call.tensors[i];

		if (!is_used(e, i))
			continue;
		n_factors += i != (unsigned)output;
		if (t->n_dims < 1 || t->n_dims > 3 || !is_identifier(t->name))
			return ekka_error_set(err, EKKA_ERR_UNSUPPORTED, "tensor '%s' has %u dimensions", t->name, t->n_dims);
		if (t->alias_of < 0 && (t->pre || t->dir == EKKA_IN) && !x->pieces[i][EKKA_PRE].bytes)
			return ekka_error_set(err, EKKA_ERR_UNSUPPORTED, "the bytes of %s before the call were not recorded", t->name);
	}
	if (n_factors != 0 && n_factors != 2)
		return ekka_error_set(err, EKKA_ERR_UNSUPPORTED, "the call has %u factors", n_factors);
	return 0;
}

static void print_head(const struct ekka_export *x, FILE *out)
{
	const struct ekka_event *e = x->event;
	const struct ekka_tensor *c = &e->call.tensors[ekka_export_output(e)];
	bool precise = c->dtype == EKKA_F64 || c->dtype == EKKA_C128;
	char shapes[256], dtypes[64];

	fprintf(out, "/*\n * One recorded call, made again: event %" PRIu64 ", %s, %s, %s.\n *\n", e->number, e->fn->name,
		ekka_event_shapes(e, shapes, sizeof(shapes)), ekka_event_dtypes(e, dtypes, sizeof(dtypes)));
	fprintf(out, " *\tcc -O2 -o event-%" PRIu64 " event-%" PRIu64 ".c %s\n *\t./event-%" PRIu64 " [%s]\n *\n", e->number,
		e->number, ekka_export_link_flags(e), e->number, x->file);
	fprintf(out, " * Loads the tensors, calls the function once with the recorded arguments, recomputes the result in a plain loop and\n"
		     " * prints the largest error and OK or WRONG. Exit status: 0 OK, 1 WRONG, 2 could not run.\n"
		     " * Written by ekka export; depends on nothing but libc and the library that is called.\n */\n");
	fprintf(out, "#define _GNU_SOURCE\n");
	if (strcmp(e->fn->library, "cublas") == 0)
		fprintf(out, "#define ON_DEVICE\n");
	fprintf(out, "typedef %s real;\t/* of the reference */\n\n", precise ? "long double" : "double");
}

static const char *dtype_identifier(enum ekka_dtype t, char *buf, size_t len)
{
	size_t i = 0;

	for (const char *s = ekka_dtype_name(t); *s && i + 1 < len; s++)
		buf[i++] = (char)toupper((unsigned char)*s);
	buf[i] = '\0';
	return buf;
}

static void print_tensor(const struct ekka_export *x, unsigned i, FILE *out)
{
	const struct ekka_tensor *t = &x->event->call.tensors[i];
	const struct ekka_export_piece *pre = &x->pieces[i][EKKA_PRE], *post = &x->pieces[i][EKKA_POST];
	unsigned first = t->n_dims == 3;	/* of rows and columns */
	bool column = t->n_dims == 1;
	char dtype[16];

	fprintf(out, "static struct tensor T_%s = {\n\t.name = \"%s\", .dtype = %s, .size = %zu, .on_device = %d,\n", t->name, t->name,
		dtype_identifier(t->dtype, dtype, sizeof(dtype)), ekka_dtype_bytes(t->dtype), t->place == EKKA_DEVICE);
	fprintf(out, "\t.batch = %" PRId64 ", .rows = %" PRId64 ", .cols = %" PRId64 ",\n", first ? t->dim[0] : 1, t->dim[first],
		column ? 1 : t->dim[first + 1]);
	fprintf(out, "\t.bs = %" PRId64 ", .rs = %" PRId64 ", .cs = %" PRId64 ", .offset = %" PRId64 ",\n",
		first && !t->n_ptrs ? t->stride[0] : 0, t->stride[first], column ? 0 : t->stride[first + 1], t->offset);
	fprintf(out, "\t.item_bytes = %" PRIu64 ", .n_items = %" PRIu64 ", .span_bytes = %" PRIu64 ",\n",
		t->n_ptrs ? t->span_bytes : 0, t->n_ptrs ? t->n_ptrs : 1, t->span_bytes);
	fprintf(out, "\t.pre = { %" PRIu64 ", %" PRIu64 " }, .post = { %" PRIu64 ", %" PRIu64 " },\n", pre->at, pre->bytes, post->at,
		post->bytes);
	if (t->alias_of >= 0)
		fprintf(out, "\t.view_of = &T_%s,\n", x->event->call.tensors[t->alias_of].name);
	fprintf(out, "};\n");
}

/* Two recorded tensors that share memory are apart here; say so, as the fault may hang on it. */
static void print_overlaps(const struct ekka_event *e, FILE *out)
{
	for (unsigned i = 0; i < e->call.n_tensors; i++) {
		for (unsigned j = i + 1; j < e->call.n_tensors; j++) {
			const struct ekka_tensor *a = &e->call.tensors[i], *b = &e->call.tensors[j];

			if (a->alias_of < 0 && b->alias_of < 0 && !a->n_ptrs && !b->n_ptrs && a->addr < b->addr + b->span_bytes &&
			    b->addr < a->addr + a->span_bytes)
				fprintf(out, "/* %s and %s shared memory when they were recorded; here they do not. */\n", a->name, b->name);
		}
	}
}

/* Unit roundoff of the accumulation, generous for tensor cores, which truncate. */
static double accumulation(const struct ekka_event *e, const struct ekka_tensor *c)
{
	static const struct { const char *compute; double u; } table[] = {
		{ "f64", 0x1p-53 }, { "f64_pedantic", 0x1p-53 }, { "f64_emulated", 0x1p-50 }, { "tf32", 0x1p-9 }, { "f16", 0x1p-11 },
		{ "f16_pedantic", 0x1p-11 }, { "f32_fast_16f", 0x1p-9 }, { "f32_fast_16bf", 0x1p-6 }, { "bf16x9", 0x1p-21 },
		{ "i32", 0 }, { "i32_pedantic", 0 },
	};
	const struct ekka_value *compute = ekka_event_attr(e, "compute"), *math = ekka_event_attr(e, "math");
	const struct ekka_value *gauss = ekka_event_attr(e, "3m");
	enum { TF32_MATH = 3 };
	double u = c->place == EKKA_DEVICE ? 0x1p-21 : 0x1p-24;

	if (c->place == EKKA_DEVICE && math && math->kind == EKKA_V_INT && math->i == TF32_MATH)
		u = 0x1p-9;
	for (size_t i = 0; compute && compute->kind == EKKA_V_STR && i < sizeof(table) / sizeof(*table); i++)
		if (strcmp(compute->s, table[i].compute) == 0)
			u = table[i].u;
	return gauss ? 4 * u : u;
}

/* cuBLAS may add partial sums in the output's type, unless the handle's math mode forbids it. */
static double split(const struct ekka_event *e, const struct ekka_tensor *c)
{
	enum { DISALLOW_REDUCED_PRECISION_REDUCTION = 16 };
	const struct ekka_value *math = ekka_event_attr(e, "math");
	bool forbidden = math && math->kind == EKKA_V_INT && (math->i & DISALLOW_REDUCED_PRECISION_REDUCTION);

	return c->place == EKKA_DEVICE && ekka_dtype_bytes(c->dtype) <= 2 && !forbidden ? ekka_dtype_unit_roundoff(c->dtype) : 0;
}

/* Smallest positive number of the output's type; half a unit for integers. */
static double smallest(enum ekka_dtype t)
{
	switch (t) {
	case EKKA_F64: case EKKA_C128: return 0x1p-1074;
	case EKKA_F32: case EKKA_C64: return 0x1p-149;
	case EKKA_BF16: return 0x1p-133;
	case EKKA_F16: return 0x1p-24;
	case EKKA_E4M3: return 0x1p-9;
	case EKKA_E5M2: return 0x1p-16;
	default: return 0.5;
	}
}

static bool attr_is_set(const struct ekka_event *e, const char *name)
{
	const struct ekka_value *v = ekka_event_attr(e, name);

	return v && v->kind == EKKA_V_INT && v->i;
}

static int print_facts(const struct ekka_export *x, FILE *out, struct ekka_error *err)
{
	const struct ekka_event *e = x->event;
	const struct ekka_tensor *c = &e->call.tensors[ekka_export_output(e)];
	const struct ekka_value *uplo = ekka_event_attr(e, "uplo");
	char re[64], im[64];
	double v[2];
	bool is_complex;

	fprintf(out, "static const struct facts facts = {\n");
	for (int i = 0; i < 2; i++) {
		const char *name = i ? "beta" : "alpha";

		if (ekka_export_scalar(x, name, v, &is_complex) != 0)
			return ekka_error_set(err, EKKA_ERR_UNSUPPORTED, "%s was not recorded", name);
		fprintf(out, "\t.%s = { %s, %s },\n", name, ekka_export_number(v[0], re, sizeof(re)),
			ekka_export_number(v[1], im, sizeof(im)));
	}
	fprintf(out, "\t.conj_a = %d, .conj_b = %d, .triangle = %d, .hermitian = %d,\n", attr_is_set(e, "conja"), attr_is_set(e, "conjb"),
		!uplo || uplo->kind != EKKA_V_STR ? 0 : strcmp(uplo->s, "lower") == 0 ? -1 : 1, attr_is_set(e, "hermitian"));
	fprintf(out, "\t.u_acc = %a, .u_out = %a, .tiny = %a, .u_split = %a,\n};\n\n", accumulation(e, c),
		ekka_dtype_unit_roundoff(c->dtype), smallest(c->dtype), split(e, c));
	return 0;
}

static void print_main(const struct ekka_export *x, FILE *out)
{
	const struct ekka_event *e = x->event;
	unsigned output = (unsigned)ekka_export_output(e);
	unsigned n = 0;

	fprintf(out, "int main(int argc, char **argv)\n{\n\tstruct tensor *const all[] = {");
	for (unsigned i = 0; i < e->call.n_tensors; i++)
		if (is_used(e, i))
			fprintf(out, "%s &T_%s", n++ ? "," : "", e->call.tensors[i].name);
	fprintf(out, " };\n\n\treturn run(argc > 1 ? argv[1] : \"%s\", all, %u, &facts,", x->file, n);
	n = 0;
	for (unsigned i = 0; i < e->call.n_tensors; i++)
		if (is_used(e, i) && i != output)
			fprintf(out, " &T_%s,", e->call.tensors[i].name), n++;
	fprintf(out, "%s &T_%s, call);\n}\n", n ? "" : " NULL, NULL,", e->call.tensors[output].name);
}

int ekka_export_program(const struct ekka_export *x, FILE *out, struct ekka_error *err)
{
	int r = check(x, err);

	if (r)
		return r;
	print_head(x, out);
	fputs(runtime, out);
	fprintf(out, "\n/* ---- The call ---- */\n\n");
	if (strcmp(x->event->fn->library, "cublas") == 0)
		fprintf(out, "int cublasSetMathMode(void *handle, int mode);\n");
	print_overlaps(x->event, out);
	for (unsigned i = 0; i < x->event->call.n_tensors; i++)
		if (is_used(x->event, i))
			print_tensor(x, i, out);
	fprintf(out, "\n");
	r = print_facts(x, out, err);
	if (!r)
		r = ekka_export_call(x, out, err);
	if (!r)
		print_main(x, out);
	return r;
}
