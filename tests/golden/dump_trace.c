/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints what the reader makes of a trace, in the form of tests/read_trace.py --events, so that the two can be compared:
 * dump_trace TRACE. With --make: writes the sample trace that the golden one was made from.
 */
#include "trace/reader.h"

#include "tests/unit/trace/trace_builder.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void print_str(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < ' ' || c == '"' || c == '\\' || c >= 0x7f)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void print_hex(const uint8_t *p, size_t n)
{
	putchar('"');
	for (size_t i = 0; i < n; i++)
		printf("%02x", p[i]);
	putchar('"');
}

static void key_str(const char *key, const char *s)
{
	printf("\"%s\": ", key);
	print_str(s);
	printf(", ");
}

static void key_u64(const char *key, uint64_t v)
{
	printf("\"%s\": %" PRIu64 ", ", key, v);
}

static void key_i64(const char *key, int64_t v)
{
	printf("\"%s\": %" PRId64 ", ", key, v);
}

static void print_real(double x)
{
	if (isnan(x))
		printf("NaN");
	else if (isinf(x))
		printf(x < 0 ? "-Infinity" : "Infinity");
	else
		printf("%.17e", x);
}

static void print_value(const struct ekka_value *v)
{
	switch (v->kind) {
	case EKKA_V_INT:
		printf("%" PRId64, v->i);
		break;
	case EKKA_V_UINT:
		printf("%" PRIu64, v->u);
		break;
	case EKKA_V_PTR:
		printf("[%" PRIu64 "]", v->u);
		break;
	case EKKA_V_REAL:
		print_real(v->r[0]);
		break;
	case EKKA_V_COMPLEX:
		printf("[");
		print_real(v->r[0]);
		printf(", ");
		print_real(v->r[1]);
		printf("]");
		break;
	case EKKA_V_STR:
		print_str(v->s);
		break;
	case EKKA_V_BIN:
		print_hex(v->bin.p, v->bin.n);
		break;
	case EKKA_V_NIL:
		printf("null");
	}
}

static void print_build_id(const uint8_t *p, unsigned n)
{
	if (p)
		print_hex(p, n);
	else
		printf("null");
}

static void print_open(const struct ekka_rec_open *r)
{
	printf("{\"format\": \"ekkatrace\", ");
	key_u64("version", r->version);
	key_i64("pid", r->pid);
	key_i64("ppid", r->ppid);
	key_u64("unix_ns", r->unix_ns);
	key_u64("mono_ns", r->mono_ns);
	key_str("exe", r->exe);
	key_u64("argc", r->n_argv);
	key_str("level", r->level);
	key_str("tool", r->tool);
	key_str("arch", r->arch);
	key_str("cpu", r->cpu);
	printf("\"argv\": [");
	for (unsigned i = 0; i < r->n_argv; i++) {
		print_str(r->argv[i]);
		printf(i + 1 < r->n_argv ? ", " : "");
	}
	printf("]}");
}

static void print_close(const struct ekka_rec_close *r)
{
	printf("{");
	key_u64("t", r->t_ns);
	key_u64("events", r->events);
	key_u64("seen", r->seen_bytes);
	key_u64("stored", r->stored_bytes);
	if (r->known_bytes)
		key_u64("known", r->known_bytes);
	if (r->left_out)
		key_u64("left", r->left_out);
	key_str("why", r->why);
	printf("\"drop\": {");
	for (unsigned i = 0; i < r->n_dropped; i++) {
		print_str(r->dropped[i].name);
		printf(": %" PRIu64 "%s", r->dropped[i].n, i + 1 < r->n_dropped ? ", " : "");
	}
	printf("}}");
}

/* Where there are any: older traces have none. */
static void print_modules(const struct ekka_segment *s)
{
	for (size_t i = 0; i < s->n_modules; i++) {
		const struct ekka_rec_module *m = &s->modules[i];

		printf(i ? ", {" : ", \"module\": [{");
		key_u64("id", m->id);
		key_str("kind", m->kind);
		key_u64("n", m->bytes);
		key_u64("of", m->of_bytes);
		if (m->missing) {
			printf("\"miss\": ");
			print_str(m->missing);
		} else {
			printf("\"blob\": ");
			print_hex(m->blob.b, sizeof m->blob.b);
		}
		printf("}");
	}
	if (s->n_modules)
		printf("]");
}

static void print_segment(const struct ekka_segment *s)
{
	printf("{");
	key_str("segment", s->file);
	printf("\"open\": ");
	print_open(&s->open);
	printf(", \"close\": ");
	if (s->closed)
		print_close(&s->close);
	else
		printf("null");
	printf(", \"device\": [");
	for (size_t i = 0; i < s->n_devices; i++) {
		const struct ekka_rec_device *d = &s->devices[i];

		printf(i ? ", {" : "{");
		key_i64("ord", d->ordinal);
		key_str("name", d->name);
		key_i64("driver", d->driver);
		key_i64("runtime", d->runtime);
		printf("\"cc\": [%d, %d]}", d->cc_major, d->cc_minor);
	}
	printf("], \"maps\": [");
	for (size_t i = 0; i < s->n_maps; i++) {
		const struct ekka_map *m = &s->maps[i];

		printf("%s[%" PRIu64 ", %" PRIu64 ", %" PRIu64 ", ", i ? ", " : "", m->start, m->end, m->file_offset);
		print_str(m->path);
		printf(", ");
		print_build_id(m->build_id, m->build_id_len);
		printf("]");
	}
	printf("]");
	print_modules(s);
	printf("}\n");
}

static void print_tensor(const struct ekka_tensor *t)
{
	printf("{");
	key_str("n", t->name);
	key_i64("d", t->dir);
	key_str("t", ekka_dtype_name(t->dtype));
	key_i64("pl", t->place);
	key_i64("off", t->offset);
	key_u64("p", t->addr);
	key_u64("np", t->n_ptrs);
	key_u64("b", t->span_bytes);
	key_i64("w", t->pre + 2 * t->post);
	if (t->alias_of >= 0)
		key_i64("al", t->alias_of);
	printf("\"dim\": [");
	for (unsigned i = 0; i < t->n_dims; i++)
		printf("%s%" PRId64, i ? ", " : "", t->dim[i]);
	printf("], \"str\": [");
	for (unsigned i = 0; i < t->n_dims; i++)
		printf("%s%" PRId64, i ? ", " : "", t->stride[i]);
	printf("]}");
}

static void print_fn(const struct ekka_rec_fn *fn)
{
	if (strcmp(fn->name, "?") == 0) {
		printf("null");
		return;
	}
	printf("{");
	key_u64("id", fn->id);
	key_str("name", fn->name);
	key_str("lib", fn->library);
	key_str("op", fn->op);
	if (fn->module)
		key_u64("mod", fn->module);
	printf("\"obj\": ");
	if (fn->object[0])
		print_str(fn->object);
	else
		printf("null");
	printf(", \"build\": ");
	print_build_id(fn->build_id, fn->build_id_len);
	printf(", \"args\": [");
	for (unsigned i = 0; i < fn->n_args; i++) {
		printf(i ? ", [" : "[");
		print_str(fn->args[i].name);
		printf(", ");
		print_str(fn->args[i].type);
		printf("]");
	}
	printf("]}");
}

static void print_call(const struct ekka_rec_call *c)
{
	printf("{");
	key_u64("ev", c->event);
	key_u64("par", c->parent);
	key_u64("fn", c->fn);
	key_u64("depth", c->depth);
	key_u64("group", c->group);
	key_i64("tid", c->tid);
	key_i64("dev", c->device);
	key_u64("strm", c->stream);
	key_u64("t", c->t_ns);
	key_u64("stk", c->stack);
	if (c->bad_args)
		key_str("bad", c->bad_args);
	printf("\"a\": [");
	for (unsigned i = 0; i < c->n_args; i++) {
		printf(i ? ", " : "");
		print_value(&c->args[i]);
	}
	printf("], \"x\": {");
	for (unsigned i = 0; i < c->n_attrs; i++) {
		printf(i ? ", " : "");
		print_str(c->attrs[i].name);
		printf(": ");
		print_value(&c->attrs[i].value);
	}
	printf("}, \"tn\": [");
	for (unsigned i = 0; i < c->n_tensors; i++) {
		printf(i ? ", " : "");
		print_tensor(&c->tensors[i]);
	}
	printf("]}");
}

static void print_stack(const struct ekka_rec_stack *s)
{
	printf("{");
	key_u64("id", s->id);
	printf("\"pc\": [");
	for (unsigned i = 0; i < s->n_pc; i++)
		printf("%s%" PRIu64, i ? ", " : "", s->pc[i]);
	printf("], \"py\": [");
	for (unsigned i = 0; i < s->n_py; i++) {
		printf(i ? ", [" : "[");
		print_str(s->py[i].file);
		printf(", %d, ", s->py[i].line);
		print_str(s->py[i].func);
		printf("]");
	}
	printf("]}");
}

static void print_data(const struct ekka_event *ev)
{
	const char *comma = "";

	for (unsigned i = 0; i < ev->call.n_tensors; i++) {
		for (int ph = 0; ph < 2; ph++) {
			const struct ekka_rec_data *d = &ev->data[i][ph].rec;

			if (!ev->data[i][ph].present)
				continue;
			printf("%s[%u, %d, %" PRIu64 ", ", comma, i, ph, d->bytes);
			if (d->missing)
				print_str(d->missing);
			else
				print_hex(d->id.b, sizeof d->id.b);
			printf("]");
			comma = ", ";
		}
	}
}

static void print_event(const struct ekka_event *ev)
{
	printf("{");
	key_u64("event", ev->number);
	printf("\"fn\": ");
	print_fn(ev->fn);
	printf(", \"call\": ");
	print_call(&ev->call);
	printf(", \"stack\": ");
	if (ev->stack)
		print_stack(ev->stack);
	else
		printf("null");
	printf(", \"ret\": ");
	if (ev->state == EKKA_EVENT_BEGUN) {
		printf("null");
	} else {
		printf("[%" PRIu64 ", ", ev->ret_ns);
		print_value(&ev->ret);
		printf("]");
	}
	printf(", \"data\": [");
	print_data(ev);
	printf("], \"complete\": %s", ev->state == EKKA_EVENT_COMPLETE ? "true" : "false");
	if (ev->timed)
		printf(", \"gpu\": %" PRIu64, ev->gpu_ns);
	printf("}\n");
}

static uint32_t adler32(const uint8_t *p, size_t n)
{
	uint32_t a = 1, b = 0;

	for (size_t i = 0; i < n; i++) {
		a = (a + p[i]) % 65521;
		b = (b + a) % 65521;
	}
	return b << 16 | a;
}

static int print_blob(const struct ekka_blob_info *info, void *arg)
{
	struct ekka_trace *t = arg;
	struct ekka_error err = { 0 };
	uint8_t *bytes = malloc(info->size + 1);

	if (!bytes || ekka_trace_blob_read(t, &info->id, 0, bytes, info->size, &err) < 0) {
		fprintf(stderr, "dump_trace: %s\n", err.message);
		return 1;
	}
	printf("{\"blob\": ");
	print_hex(info->id.b, sizeof info->id.b);
	printf(", \"size\": %" PRIu64 ", \"adler32\": %" PRIu32 "}\n", info->size, adler32(bytes, info->size));
	free(bytes);
	return 0;
}

int main(int argc, char **argv)
{
	struct ekka_event ev = { 0 };
	struct ekka_error err = { 0 };
	struct ekka_trace *t;
	uint64_t n = 0;

	if (argc == 3 && strcmp(argv[1], "--make") == 0) {
		trace_builder_sample(argv[2]);
		return 0;
	}
	if (argc != 2 || ekka_trace_open(argv[1], &t, &err) < 0) {
		fprintf(stderr, "dump_trace: %s\n", err.message);
		return 1;
	}
	for (size_t i = 0; i < ekka_trace_n_problems(t); i++)
		fprintf(stderr, "dump_trace: %s\n", ekka_trace_problem(t, i));
	for (size_t i = 0; i < ekka_trace_n_segments(t); i++) {
		const struct ekka_segment *s = ekka_trace_segment(t, i);

		print_segment(s);
		for (uint64_t k = 0; k < s->n_events; k++) {
			if (ekka_trace_event_read(t, ++n, &ev, &err) < 0) {
				fprintf(stderr, "dump_trace: %s\n", err.message);
				return 1;
			}
			print_event(&ev);
		}
	}
	ekka_event_release(&ev);
	if (ekka_trace_blobs_foreach(t, print_blob, t) != 0)
		return 1;
	ekka_trace_close(t);
	return 0;
}
