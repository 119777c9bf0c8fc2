/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/export_call.h"

#include "spec/spec.h"
#include "tools/tensor_view.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

const char *ekka_export_number(double v, char *buf, size_t len)
{
	if (isnan(v))
		snprintf(buf, len, "NAN");
	else if (isinf(v))
		snprintf(buf, len, v > 0 ? "INFINITY" : "-INFINITY");
	else
		snprintf(buf, len, v == floor(v) && fabs(v) < 1e6 && !(v == 0 && signbit(v)) ? "%.1f" : "%a", v);
	return buf;
}

bool ekka_export_is_scalar(const struct ekka_event *e, unsigned i)
{
	const char *name = e->call.tensors[i].name;

	return strcmp(name, "alpha") == 0 || strcmp(name, "beta") == 0;
}

int ekka_export_output(const struct ekka_event *e)
{
	for (unsigned i = 0; i < e->call.n_tensors; i++)
		if (e->call.tensors[i].dir & EKKA_OUT)
			return (int)i;
	return -1;
}

int ekka_export_scalar(const struct ekka_export *x, const char *name, double ret_value[2], bool *ret_complex)
{
	const struct ekka_value *v = ekka_event_attr(x->event, name);
	int i = ekka_event_tensor_index(x->event, name);
	static const int64_t origin[EKKA_MAX_DIMS];
	struct ekka_tensor_view view;
	struct ekka_error err = { 0 };
	int r = -1;

	ret_value[0] = ret_value[1] = 0;
	*ret_complex = v && v->kind == EKKA_V_COMPLEX;
	if (v && (v->kind == EKKA_V_REAL || v->kind == EKKA_V_COMPLEX)) {
		ret_value[0] = v->r[0];
		ret_value[1] = *ret_complex ? v->r[1] : 0;
		return 0;
	}
	if (v && v->kind == EKKA_V_INT) {
		ret_value[0] = (double)v->i;
		return 0;
	}
	if (i < 0)
		return -1;
	*ret_complex = ekka_dtype_is_complex(x->event->call.tensors[i].dtype);
	if (ekka_tensor_view_init(&view, x->trace, x->event, (unsigned)i, EKKA_PRE, &err) == 0)
		r = ekka_tensor_view_element(&view, origin, &ret_value[0], &ret_value[1], &err);
	ekka_tensor_view_release(&view);
	return r ? -1 : 0;
}

/* The type a parameter is declared with: pointers are void *, handles too, enumerations int. That is the ABI's view. */
static const char *abi_type(const char *type)
{
	static const char *const kept[] = { "float", "double", "float _Complex", "double _Complex", "int64_t", "long long int",
					    "size_t", "char" };

	if (strchr(type, '*') || strstr(type, "Handle_t"))
		return "void *";
	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		if (strcmp(type, kept[i]) == 0)
			return kept[i];
	return "int";
}

/* Bits of a binary16 number; v is one. */
static unsigned half_bits(double v)
{
	int e;
	double f = frexp(fabs(v), &e);
	unsigned sign = signbit(v) ? 0x8000 : 0;

	if (v == 0)
		return sign;
	if (isnan(v))
		return 0x7e00;
	if (isinf(v) || e > 16)
		return sign | 0x7c00;
	if (e < -13)
		return sign | (unsigned)ldexp(fabs(v), 24);
	return sign | (unsigned)(e + 14) << 10 | ((unsigned)ldexp(f, 11) & 0x3ff);
}

static const char *compute_of(const struct ekka_event *e)
{
	const struct ekka_value *v = ekka_event_attr(e, "compute");

	return v && v->kind == EKKA_V_STR ? v->s : "f32";
}

/* alpha or beta behind a pointer: its C type by the parameter's type, by the arithmetic where that is void. */
static int print_scalar(const struct ekka_export *x, const char *name, const char *type, FILE *out)
{
	const char *compute = compute_of(x->event);
	bool is_void = strstr(type, "void"), is_complex;
	bool is_double = strstr(type, "double") || strstr(type, "Double") || (is_void && strncmp(compute, "f64", 3) == 0);
	char re[64], im[64];
	double v[2];

	if (ekka_export_scalar(x, name, v, &is_complex) != 0)
		return -1;
	ekka_export_number(v[0], re, sizeof(re));
	ekka_export_number(v[1], im, sizeof(im));
	if (is_complex)
		fprintf(out, "(%s[2]){ %s, %s }", is_double ? "double" : "float", re, im);
	else if (strstr(type, "half") || (is_void && strncmp(compute, "f16", 3) == 0))
		fprintf(out, "&(uint16_t){ 0x%04x } /* %s */", half_bits(v[0]), re);
	else if (is_void && compute[0] == 'i')
		fprintf(out, "&(int32_t){ %.0f }", v[0]);
	else
		fprintf(out, "&(%s){ %s }", is_double ? "double" : "float", re);
	return 0;
}

/* A parameter by reference (Fortran) whose value was recorded. */
static void print_reference(const struct ekka_value *v, const char *type, FILE *out)
{
	char number[64];

	if (v->kind == EKKA_V_REAL)
		fprintf(out, "&(%s){ %s }", strstr(type, "double") ? "double" : "float",
			ekka_export_number(v->r[0], number, sizeof(number)));
	else if (strstr(type, "blas_trans") || strstr(type, "blas_uplo") || strstr(type, "char"))
		fprintf(out, "&(char){ %" PRId64 " }", v->i);
	else
		fprintf(out, "&(%s){ %" PRId64 " }", strstr(type, "int64_t") || strstr(type, "long") ? "int64_t" : "int", v->i);
}

/* At least the bytes of any matrix that the integer arguments can mean. */
static uint64_t most_bytes(const struct ekka_event *e)
{
	uint64_t largest = 1, next = 1, bytes;

	for (unsigned i = 0; i < e->call.n_args; i++) {
		const struct ekka_value *v = &e->call.args[i];
		uint64_t n = v->kind == EKKA_V_INT && v->i > 0 ? (uint64_t)v->i : 0;

		if (n > largest) {
			next = largest;
			largest = n;
		} else if (n > next) {
			next = n;
		}
	}
	return __builtin_mul_overflow(largest, next, &bytes) || bytes > (1u << 26) ? (uint64_t)1 << 30 : 16 * bytes;
}

static int print_pointer(const struct ekka_export *x, const struct ekka_arg_info *arg, const struct ekka_value *v, FILE *out)
{
	int i = ekka_event_tensor_index(x->event, arg->name);

	if (i >= 0 && !ekka_export_is_scalar(x->event, (unsigned)i)) {
		const struct ekka_tensor *t = &x->event->call.tensors[i];
		uint64_t ahead = v->kind == EKKA_V_PTR && !t->n_ptrs ? v->u - t->addr : 0;

		if (t->n_ptrs)
			fprintf(out, "T_%s.item_array", t->name);
		else if (ahead && ahead < t->span_bytes)
			fprintf(out, "(char *)T_%s.items[0] + %" PRIu64, t->name, ahead);
		else
			fprintf(out, "T_%s.items[0]", t->name);
		return 0;
	}
	if (strcmp(arg->name, "alpha") == 0 || strcmp(arg->name, "beta") == 0)
		return print_scalar(x, arg->name, arg->type, out);
	if (v->kind == EKKA_V_INT || v->kind == EKKA_V_REAL) {
		print_reference(v, arg->type, out);
		return 0;
	}
	/* A matrix that is not read (alpha 0) is described by no tensor. */
	if (v->kind == EKKA_V_PTR && v->u == 0)
		fprintf(out, "NULL");
	else if (strlen(arg->name) == 1)
		fprintf(out, "unread(%" PRIu64 ")", most_bytes(x->event));
	else
		return -1;
	return 0;
}

static int print_argument(const struct ekka_export *x, const struct ekka_arg_info *arg, const struct ekka_value *v, FILE *out)
{
	char re[64], im[64];

	if (strstr(arg->type, "Handle_t")) {
		fprintf(out, "handle");
		return 0;
	}
	if (strchr(arg->type, '*'))
		return print_pointer(x, arg, v, out);
	switch (v->kind) {
	case EKKA_V_INT:
		fprintf(out, "%" PRId64, v->i);
		return 0;
	case EKKA_V_UINT:
		fprintf(out, "%" PRIu64, v->u);
		return 0;
	case EKKA_V_REAL:
		fprintf(out, "%s", ekka_export_number(v->r[0], re, sizeof(re)));
		return 0;
	case EKKA_V_COMPLEX:
		fprintf(out, "__builtin_complex(%s, %s)", ekka_export_number(v->r[0], re, sizeof(re)),
			ekka_export_number(v->r[1], im, sizeof(im)));
		return 0;
	default:
		return -1;
	}
}

/* What the function returns: the result (dot products), a status, or nothing. */
static const char *return_type(const struct ekka_event *e, bool *ret_is_result)
{
	static const char *const types[EKKA_DTYPE_COUNT] = { [EKKA_F32] = "float", [EKKA_F64] = "double",
							     [EKKA_C64] = "float _Complex", [EKKA_C128] = "double _Complex" };
	const struct ekka_spec_fn *fn = ekka_spec_find(e->fn->name);
	int out = ekka_export_output(e);

	*ret_is_result = out >= 0 && ekka_event_arg_index(e, e->call.tensors[out].name) < 0;
	if (*ret_is_result)
		return types[e->call.tensors[out].dtype];
	return fn && fn->returns[0] && strcmp(fn->returns, "void") != 0 ? "int" : "void";
}

/* gfortran passes the lengths of CHARACTER arguments behind all others. */
static unsigned n_hidden(const struct ekka_event *e)
{
	unsigned n = 0;

	for (unsigned i = 0; i < e->fn->n_args; i++)
		n += strcmp(e->fn->library, "blas") == 0 && strchr(e->fn->args[i].type, '*') &&
		     (strstr(e->fn->args[i].type, "blas_trans") || strstr(e->fn->args[i].type, "blas_uplo"));
	return n;
}

static void print_declaration(const struct ekka_event *e, const char *returns, FILE *out)
{
	fprintf(out, "/* -DCALL=NAME calls the same function under the name that another library gives it. */\n"
		     "#ifndef CALL\n#define CALL %s\n#endif\n%s CALL(", e->fn->name, returns);
	for (unsigned i = 0; i < e->fn->n_args; i++)
		fprintf(out, "%s%s", i ? ", " : "", abi_type(e->fn->args[i].type));
	for (unsigned i = 0; i < n_hidden(e); i++)
		fprintf(out, ", size_t");
	fprintf(out, ");\n\n");
}

static void print_handle(const struct ekka_event *e, FILE *out)
{
	const struct ekka_value *math = ekka_event_attr(e, "math");

	fprintf(out, "\tvoid *handle;\n\n\tif (cublasCreate_v2(&handle) != 0)\n\t\tdie(\"cannot create a cuBLAS handle\");\n");
	if (math && math->kind == EKKA_V_INT)
		fprintf(out, "\tif (cublasSetMathMode(handle, %" PRId64 ") != 0)\n\t\tdie(\"cannot set the math mode\");\n", math->i);
}

int ekka_export_call(const struct ekka_export *x, FILE *out, struct ekka_error *err)
{
	const struct ekka_event *e = x->event;
	bool is_result, on_device = strcmp(e->fn->library, "cublas") == 0;
	const char *returns = return_type(e, &is_result);
	int output = ekka_export_output(e);

	if (!returns)
		return ekka_error_set(err, EKKA_ERR_UNSUPPORTED, "a result of type %s is not known to C",
				      ekka_dtype_name(e->call.tensors[output].dtype));
	print_declaration(e, returns, out);
	fprintf(out, "static void call(void)\n{\n");
	if (on_device)
		print_handle(e, out);
	if (is_result)
		fprintf(out, "\t*(%s *)T_%s.items[0] = CALL(", returns, e->call.tensors[output].name);
	else
		fprintf(out, strcmp(returns, "void") == 0 ? "\tCALL(" : "\tif (CALL(");
	for (unsigned i = 0; i < e->call.n_args && i < e->fn->n_args; i++) {
		fprintf(out, "%s\n\t\t/* %s */ ", i ? "," : "", e->fn->args[i].name);
		if (print_argument(x, &e->fn->args[i], &e->call.args[i], out) != 0)
			return ekka_error_set(err, EKKA_ERR_UNSUPPORTED, "argument '%s' (%s) cannot be rebuilt from what was recorded",
					      e->fn->args[i].name, e->fn->args[i].type);
	}
	for (unsigned i = 0; i < n_hidden(e); i++)
		fprintf(out, ", 1");
	fprintf(out, strcmp(returns, "int") == 0 && !is_result ? ") != 0)\n\t\tdie(\"the call was refused\");\n" : ");\n");
	if (on_device)
		fprintf(out, "\tif (cudaDeviceSynchronize() != 0)\n\t\tdie(\"the device reports an error\");\n");
	fprintf(out, "}\n\n");
	return 0;
}
