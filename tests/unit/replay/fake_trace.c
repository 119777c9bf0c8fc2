/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/replay/fake_trace.h"

#include <string.h>
#include <unistd.h>

void fake_trace_init(struct ekka_trace *t)
{
	memset(t, 0, sizeof *t);
	t->segment.open.level = "full";
	t->segment.closed = true;
	t->segment.first_event = 1;
}

static struct ekka_event_data blob(struct ekka_trace *t, const unsigned char *bytes, uint64_t n)
{
	struct ekka_event_data d = { .present = true };
	unsigned id = t->n_blobs++;

	t->blob[id] = bytes;
	t->blob_bytes[id] = n;
	memcpy(d.rec.id.b, &id, sizeof id);
	d.rec.bytes = n;
	return d;
}

static struct ekka_tensor tensor(const struct problem *p, const char *name, enum ekka_dir dir, enum ekka_dtype type, int64_t rows,
				 int64_t cols, bool by_row, const void *addr)
{
	int64_t ld = (by_row ? cols : rows) + p->pad, lines = by_row ? rows : cols;
	struct ekka_tensor t = { .name = name, .dir = dir, .dtype = type, .alias_of = -1, .addr = (uint64_t)(uintptr_t)addr };
	unsigned d = 0;

	if (p->batch > 1) {
		t.dim[d] = p->batch;
		t.stride[d++] = ld * lines;
	}
	t.dim[d] = rows;
	t.stride[d++] = by_row ? ld : 1;
	t.dim[d] = cols;
	t.stride[d++] = by_row ? 1 : ld;
	t.n_dims = d;
	t.span_bytes = (uint64_t)(((p->batch - 1) * ld * lines + (lines - 1) * ld + ld - p->pad)) * ekka_dtype_bytes(type);
	return t;
}

struct ekka_event *fake_trace_add(struct ekka_trace *t, const struct problem *p)
{
	uint64_t n = ++t->n;
	struct ekka_event *e = &t->event[n];
	struct ekka_tensor *x = t->tensor[n];

	t->fn[n] = (struct ekka_rec_fn){ .name = "cblas_sgemm", .library = "cblas", .op = "gemm" };
	x[0] = tensor(p, "A", EKKA_IN, p->ta, p->m, p->k, p->row_a, p->a);
	x[1] = tensor(p, "B", EKKA_IN, p->ta, p->k, p->n, p->row_b, p->b);
	x[2] = tensor(p, "C", EKKA_INOUT, p->tc, p->m, p->n, p->row_c, p->c);
	t->attr[n][0] = (struct ekka_attr){ "alpha", { .kind = EKKA_V_REAL, .r = { p->alpha[0], 0 } } };
	t->attr[n][1] = (struct ekka_attr){ "beta", { .kind = EKKA_V_REAL, .r = { p->beta[0], 0 } } };
	*e = (struct ekka_event){ .number = n, .segment = &t->segment, .fn = &t->fn[n], .state = EKKA_EVENT_COMPLETE };
	e->call = (struct ekka_rec_call){ .event = n, .device = -1, .tid = 1, .t_ns = n * 1000, .attrs = t->attr[n], .n_attrs = 2,
					  .tensors = x, .n_tensors = 3 };
	e->data[0][EKKA_PRE] = blob(t, p->a, x[0].span_bytes);
	e->data[1][EKKA_PRE] = blob(t, p->b, x[1].span_bytes);
	e->data[2][EKKA_PRE] = blob(t, p->c0, x[2].span_bytes);
	e->data[2][EKKA_POST] = blob(t, p->c, x[2].span_bytes);
	t->segment.n_events = n;
	return e;
}

/* ---- the reader's interface ------------------------------------------- */

uint64_t ekka_trace_n_events(const struct ekka_trace *t)
{
	return t->n;
}

size_t ekka_trace_n_segments(const struct ekka_trace *t)
{
	(void)t;
	return 1;
}

const struct ekka_segment *ekka_trace_segment(const struct ekka_trace *t, size_t i)
{
	(void)i;
	return &t->segment;
}

int ekka_trace_event_read(struct ekka_trace *t, uint64_t number, struct ekka_event *event, struct ekka_error *err)
{
	if (number < 1 || number > t->n)
		return ekka_error_set(err, EKKA_ERR_INVALID, "no event %llu", (unsigned long long)number);
	*event = t->event[number];
	return 0;
}

void ekka_event_release(struct ekka_event *e)
{
	(void)e;
}

const struct ekka_value *ekka_event_attr(const struct ekka_event *e, const char *name)
{
	for (unsigned i = 0; i < e->call.n_attrs; i++)
		if (!strcmp(e->call.attrs[i].name, name))
			return &e->call.attrs[i].value;
	return NULL;
}

int ekka_event_tensor_index(const struct ekka_event *e, const char *name)
{
	for (unsigned i = 0; i < e->call.n_tensors; i++)
		if (!strcmp(e->call.tensors[i].name, name))
			return (int)i;
	return -1;
}

static unsigned blob_of(const struct ekka_blob_id *id)
{
	unsigned n;

	memcpy(&n, id->b, sizeof n);
	return n;
}

bool ekka_trace_blob_present(const struct ekka_trace *t, const struct ekka_blob_id *id, uint64_t *ret_bytes)
{
	if (ret_bytes)
		*ret_bytes = t->blob_bytes[blob_of(id)];
	return blob_of(id) < t->n_blobs;
}

int ekka_trace_blob_read(struct ekka_trace *t, const struct ekka_blob_id *id, uint64_t offset, void *buf, size_t len,
			 struct ekka_error *err)
{
	unsigned n = blob_of(id);

	__atomic_fetch_add(&t->n_reads, 1, __ATOMIC_RELAXED);
	if (t->slow_us)
		(void)usleep(t->slow_us);
	if (t->damaged)
		return ekka_error_set(err, EKKA_ERR_FORMAT, "blobs-1.ekka: offset 77: checksum mismatch");
	if (t->no_memory)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for all that");
	if (offset > t->blob_bytes[n] || len > t->blob_bytes[n] - offset)
		return ekka_error_set(err, EKKA_ERR_INVALID, "beyond the blob");
	if (len > __atomic_load_n(&t->largest_read, __ATOMIC_RELAXED))
		__atomic_store_n(&t->largest_read, len, __ATOMIC_RELAXED);
	memcpy(buf, t->blob[n] + offset, len);
	return 0;
}

int ekka_trace_blobs_foreach(struct ekka_trace *t, int (*fn)(const struct ekka_blob_info *, void *arg), void *arg)
{
	int r = 0;

	for (unsigned i = 0; i < t->n_blobs && r == 0; i++)
		r = fn(&(struct ekka_blob_info){ .size = t->blob_bytes[i], .whole = true }, arg);
	return r;
}
