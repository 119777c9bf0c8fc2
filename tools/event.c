/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/event.h"

#include "tools/json.h"
#include "spec/spec.h"
#include "tools/kernel_name.h"
#include "tools/options.h"

#include <inttypes.h>
#include <string.h>

const char *ekka_event_state_name(enum ekka_event_state s)
{
	switch (s) {
	case EKKA_EVENT_BEGUN: return "begun";
	case EKKA_EVENT_RETURNED: return "returned";
	case EKKA_EVENT_COMPLETE: return "complete";
	}
	return "?";
}

const char *ekka_phase_name(enum ekka_phase p)
{
	return p == EKKA_PRE ? "before" : "after";
}

/* snprintf behind what buf holds already. */
__attribute__((format(printf, 3, 4)))
static void append(char *buf, size_t len, const char *fmt, ...)
{
	size_t at = strlen(buf);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf + at, len - at, fmt, ap);
	va_end(ap);
}

const char *ekka_dims_text(const int64_t *dims, unsigned n, const char *between, char *buf, size_t len)
{
	buf[0] = '\0';
	for (unsigned i = 0; i < n; i++)
		append(buf, len, "%s%" PRId64, i ? between : "", dims[i]);
	return buf;
}

/* Scalars that lie on a device are described as tensors of one element; they are no factor. */
static bool is_factor(const struct ekka_tensor *t)
{
	return t->dir == EKKA_IN && strcmp(t->name, "alpha") != 0 && strcmp(t->name, "beta") != 0;
}

bool ekka_event_has_meaning(const struct ekka_event *e)
{
	const struct ekka_value *v = ekka_event_attr(e, "op");

	return v && v->kind == EKKA_V_STR && v->s[0];
}

/* Ops whose inputs together say what they do. */
static bool is_product(const char *op)
{
	static const char *const products[] = { "gemm", "matmul", "conv", "attention" };

	for (size_t i = 0; i < sizeof(products) / sizeof(*products); i++)
		if (strcmp(op, products[i]) == 0)
			return true;
	return false;
}

static const struct ekka_tensor *first_of(const struct ekka_event *e, enum ekka_dir dir)
{
	for (unsigned i = 0; i < e->call.n_tensors; i++)
		if (e->call.tensors[i].dir & dir)
			return &e->call.tensors[i];
	return NULL;
}

static const char *in_and_out(const struct ekka_event *e, char *buf, size_t len)
{
	const struct ekka_tensor *in = first_of(e, EKKA_IN), *out = first_of(e, EKKA_OUT);
	char from[128] = "", to[128] = "";

	if (in)
		ekka_dims_text(in->dim, in->n_dims, "x", from, sizeof(from));
	if (out)
		ekka_dims_text(out->dim, out->n_dims, "x", to, sizeof(to));
	if (in && out && strcmp(from, to) != 0)
		snprintf(buf, len, "%s > %s", from, to);
	else
		snprintf(buf, len, "%s", in ? from : out ? to : "-");
	return buf;
}

const char *ekka_event_title(const struct ekka_event *e, char *buf, size_t len)
{
	enum { DETAIL = 40 };
	const char *op = ekka_event_op(e);
	const struct ekka_value *detail = ekka_event_attr(e, "kind");

	if (!ekka_event_has_meaning(e))
		return ekka_event_name(e, buf, len);
	if (!detail)
		detail = ekka_event_attr(e, "expr");
	if (detail && detail->kind == EKKA_V_STR)
		snprintf(buf, len, "%s %.*s%s", op, DETAIL, detail->s, strlen(detail->s) > DETAIL ? "..." : "");
	else
		snprintf(buf, len, "%s%s", ekka_event_attr(e, "log") ? "log-" : "", op);
	return buf;
}

const char *ekka_event_shapes(const struct ekka_event *e, char *buf, size_t len)
{
	bool factors = false, first = true;
	char dims[128];

	if (ekka_event_is_launch(e) && !ekka_event_has_meaning(e))
		return ekka_launch_shape(e, buf, len);
	if (ekka_event_has_meaning(e) && !is_product(ekka_event_op(e)))
		return in_and_out(e, buf, len);
	for (unsigned i = 0; i < e->call.n_tensors; i++)
		factors = factors || is_factor(&e->call.tensors[i]);
	buf[0] = '\0';
	for (unsigned i = 0; i < e->call.n_tensors; i++) {
		const struct ekka_tensor *t = &e->call.tensors[i];

		if (factors && !is_factor(t))
			continue;
		append(buf, len, "%s%s", first ? "" : " * ", ekka_dims_text(t->dim, t->n_dims, "x", dims, sizeof(dims)));
		first = false;
	}
	if (first)
		append(buf, len, "-");
	return buf;
}

const char *ekka_event_dtypes(const struct ekka_event *e, char *buf, size_t len)
{
	const char *in = NULL, *out = NULL;

	for (unsigned i = 0; i < e->call.n_tensors; i++) {
		const struct ekka_tensor *t = &e->call.tensors[i];

		if (is_factor(t) && !in)
			in = ekka_dtype_name(t->dtype);
		if ((t->dir & EKKA_OUT) && !out)
			out = ekka_dtype_name(t->dtype);
	}
	if (in && out && strcmp(in, out) != 0)
		snprintf(buf, len, "%s>%s", in, out);
	else
		snprintf(buf, len, "%s", in ? in : out ? out : "-");
	return buf;
}

unsigned ekka_event_missing(const struct ekka_event *e, struct ekka_missing ret[EKKA_MAX_MISSING])
{
	const char *level = e->segment->open.level;
	unsigned n = 0;

	if (e->call.depth > 0 || (level && strcmp(level, "calls") == 0))
		return 0;
	for (unsigned i = 0; i < e->call.n_tensors && i < EKKA_MAX_TENSORS; i++) {
		const struct ekka_tensor *t = &e->call.tensors[i];
		const bool wanted[] = { [EKKA_PRE] = t->pre, [EKKA_POST] = t->post };

		for (enum ekka_phase p = EKKA_PRE; p <= EKKA_POST; p++) {
			const char *why = e->data[i][p].present ? e->data[i][p].rec.missing : "not recorded";

			if ((wanted[p] || e->data[i][p].present) && why)
				ret[n++] = (struct ekka_missing){ i, p, why };
		}
	}
	return n;
}

const struct ekka_rec_data *ekka_event_bytes(const struct ekka_event *e, unsigned i, enum ekka_phase phase)
{
	const struct ekka_tensor *t = &e->call.tensors[i];

	if (t->alias_of >= 0 && (unsigned)t->alias_of < e->call.n_tensors)
		i = (unsigned)t->alias_of;
	if (!e->data[i][phase].present || e->data[i][phase].rec.missing)
		return NULL;
	return &e->data[i][phase].rec;
}

const char *ekka_value_text(const struct ekka_value *v, const char *type, char *buf, size_t len)
{
	const char *name = v->kind == EKKA_V_INT ? ekka_enum_name(type, v->i) : NULL;

	switch (v->kind) {
	case EKKA_V_NIL:
		snprintf(buf, len, "nil");
		break;
	case EKKA_V_INT:
		snprintf(buf, len, "%" PRId64 "%s%s", v->i, name ? " " : "", name ? name : "");
		break;
	case EKKA_V_UINT:
		snprintf(buf, len, "%" PRIu64, v->u);
		break;
	case EKKA_V_REAL:
		snprintf(buf, len, "%.9g", v->r[0]);
		break;
	case EKKA_V_COMPLEX:
		snprintf(buf, len, "%.9g%+.9gi", v->r[0], v->r[1]);
		break;
	case EKKA_V_PTR:
		snprintf(buf, len, v->u ? "0x%" PRIx64 : "NULL", v->u);
		break;
	case EKKA_V_STR:
		snprintf(buf, len, "\"%s\"", v->s);
		break;
	case EKKA_V_BIN:
		buf[0] = '\0';
		for (uint64_t i = 0; i < v->bin.n && 3 * i + 3 < len; i++)
			append(buf, len, "%s%02x", i % 4 || !i ? "" : " ", v->bin.p[i]);
		break;
	}
	return buf;
}

const char *ekka_attr_text(const struct ekka_attr *a, char *buf, size_t len)
{
	struct ekka_value v = a->value;

	if (v.kind == EKKA_V_INT && strcmp(a->name, "workspace") == 0)
		v.kind = EKKA_V_PTR;	/* kept as a number */
	return ekka_value_text(&v, "", buf, len);
}

struct json_object *ekka_value_json(const struct ekka_value *v)
{
	struct json_object *pair;

	switch (v->kind) {
	case EKKA_V_NIL:
		break;
	case EKKA_V_INT:
		return json_object_new_int64(v->i);
	case EKKA_V_UINT:
		return json_object_new_uint64(v->u);
	case EKKA_V_REAL:
		return ekka_json_real(v->r[0]);
	case EKKA_V_COMPLEX:
		pair = ekka_json_array();
		ekka_json_append(pair, ekka_json_real(v->r[0]));
		ekka_json_append(pair, ekka_json_real(v->r[1]));
		return pair;
	case EKKA_V_PTR:
		return ekka_json_hex(v->u);
	case EKKA_V_STR:
		return ekka_json_text(v->s);
	case EKKA_V_BIN:
		return ekka_json_bytes(v->bin.p, v->bin.n);
	}
	return NULL;
}

int ekka_event_number(const char *text, uint64_t *ret_number)
{
	return ekka_parse_number(text, ret_number);
}
