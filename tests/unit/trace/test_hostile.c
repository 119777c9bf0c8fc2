/* SPDX-License-Identifier: Apache-2.0 */
/* Records whose checks are right and whose contents lie: refused with file, offset and cause; the records around them are used. */
#include "trace/hash.h"
#include "trace/reader.h"

#include "tests/unit/trace/trace_builder.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static char dir[] = "/tmp/ekka-hostile-XXXXXX";
static const struct ekka_rec_open open_rec = { .version = EKKA_FORMAT_VERSION, .pid = 1, .level = "full" };
static struct trace_builder b;

static void begin(void)
{
	cr_assert_not_null(mkdtemp(dir));
	trace_builder_begin(&b, dir, &open_rec, 0);
}

static void remove_all(void)
{
	char cmd[64];

	(void)snprintf(cmd, sizeof cmd, "rm -r %s", dir);
	cr_assert_eq(system(cmd), 0);
}

TestSuite(hostile, .init = begin, .fini = remove_all, .timeout = 60);

/* A frame of three around any bytes. */
static void put_raw(const char *kind, const void *body, size_t n)
{
	uint8_t *p = b.buf.data;
	uint64_t check;

	p[0] = 0x93;
	p[1] = (uint8_t)(0xa0 | strlen(kind));
	memcpy(p + 2, kind, strlen(kind));
	p += 2 + strlen(kind);
	*p++ = 0xc6;
	for (int i = 24; i >= 0; i -= 8)
		*p++ = (uint8_t)(n >> i);
	memcpy(p, body, n);
	p += n;
	check = ekka_check64(b.buf.data, (size_t)(p - b.buf.data));
	*p++ = 0xcf;
	for (int i = 56; i >= 0; i -= 8)
		*p++ = (uint8_t)(check >> i);
	b.buf.len = (size_t)(p - b.buf.data);
	trace_builder_put(&b);
}

static void put_good_call(uint64_t event)
{
	ekka_encode_call(&b.buf, &(struct ekka_rec_call){ .event = event, .t_ns = 4711 });
	trace_builder_put(&b);
}

static struct ekka_trace *finish_and_open(void)
{
	struct ekka_error err = { 0 };
	struct ekka_trace *t;

	trace_builder_finish(&b, dir, &open_rec, 0, true);
	cr_assert_eq(ekka_trace_open(dir, &t, &err), 0, "%s", err.message);
	return t;
}

#define EV1 "\xa2" "ev\x01"
#define RAW(s) s, sizeof s - 1

static const struct {
	const char *what;
	const char *body;
	size_t n;
	const char *message;	/* part of what reading the event says; NULL: the scan passes the record over */
} bodies[] = {
	{ "no bytes", RAW(""), NULL },
	{ "not a map", RAW("\x93\x01\x02\x03"), NULL },
	{ "nil", RAW("\xc0"), NULL },
	{ "the byte that msgpack does not use", RAW("\xc1"), NULL },
	{ "more keys than bytes", RAW("\xdf\xff\xff\xff\xff" EV1), NULL },
	{ "a key that is no text", RAW("\x82\x01\x02" EV1), NULL },
	{ "a key longer than the body", RAW("\x82\xdb\xff\xff\xff\xff" EV1), NULL },
	{ "event number as text", RAW("\x81\xa2" "ev\xa1" "1"), NULL },
	{ "event number 0", RAW("\x81\xa2" "ev\x00"), NULL },
	{ "event number negative", RAW("\x81\xa2" "ev\xff"), NULL },
	{ "no event number", RAW("\x81\xa2" "fn\x01"), NULL },
	{ "fewer keys than announced", RAW("\x83" EV1), NULL },
	{ "bytes behind the map", RAW("\x81" EV1 "\xc0"), "no valid msgpack" },
	{ "an array larger than the body", RAW("\x82" EV1 "\xa1" "a\xdd\xff\xff\xff\xff"), "no valid msgpack" },
	{ "an array of 2^31 in a small one", RAW("\x82" EV1 "\xa1" "a\x92\xdd\x80\x00\x00\x00\x01"), "no valid msgpack" },
	{ "a map whose count doubles beyond 32 bits", RAW("\x82" EV1 "\xa1" "x\xdf\x80\x00\x00\x01"), "no valid msgpack" },
	{ "nested 17 deep", RAW("\x82" EV1 "\xa1" "a\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x01"), "no valid msgpack" },
	{ "a text longer than the body", RAW("\x82" EV1 "\xa3" "bad\xdb\xff\xff\xff\xf0"), "no valid msgpack" },
	{ "bytes longer than the body", RAW("\x82" EV1 "\xa3" "bad\xc6\xff\xff\xff\xf0"), "no valid msgpack" },
	{ "an ext longer than the body", RAW("\x82" EV1 "\xa1" "a\x91\xc9\xff\xff\xff\xff\x01"), "no valid msgpack" },
	{ "ends inside a number", RAW("\x82" EV1 "\xa1" "t\xcf\x01\x02"), "no valid msgpack" },
	{ "ends inside a fixext", RAW("\x82" EV1 "\xa1" "a\x91\xd8\x01\x02"), "no valid msgpack" },
	{ "arguments that are no array", RAW("\x82" EV1 "\xa1" "a\x01"), "should be an array" },
	{ "attributes that are no map", RAW("\x82" EV1 "\xa1" "x\x91\x01"), "attributes" },
	{ "a value that is an ext", RAW("\x82" EV1 "\xa1" "a\x91\xd4\x01\x02"), "no known kind" },
	{ "a value that is an array of three", RAW("\x82" EV1 "\xa1" "a\x91\x93\x01\x02\x03"), "no known kind" },
	{ "an address that is no number", RAW("\x82" EV1 "\xa1" "a\x91\x91\xc0"), "unsigned integer" },
	{ "a complex number of texts", RAW("\x82" EV1 "\xa1" "a\x91\x92\xa0\xa0"), "a real" },
	{ "function number beyond 32 bits", RAW("\x82" EV1 "\xa2" "fn\xcf\x00\x00\x00\x01\x00\x00\x00\x00"), "out of range" },
	{ "thread number beyond 32 bits", RAW("\x82" EV1 "\xa3" "tid\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), "out of range" },
	{ "a reason that is no text", RAW("\x82" EV1 "\xa3" "bad\x01"), "should be text" },
	{ "tensors that are no array", RAW("\x82" EV1 "\xa2" "tn\x80"), "should be an array" },
	{ "a tensor that is no map", RAW("\x82" EV1 "\xa2" "tn\x91\x01"), "direction" },
	{ "seventeen tensors", RAW("\x82" EV1 "\xa2" "tn\xdc\0\x11\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"), "too many" },
};

Test(hostile, bodies_are_refused_with_their_cause)
{
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		struct ekka_event ev = { 0 };
		struct ekka_error err = { 0 };
		struct ekka_trace *t;
		uint64_t n;

		if (i > 0)
			trace_builder_begin(&b, dir, &open_rec, 0);
		put_raw("call", bodies[i].body, bodies[i].n);
		put_good_call(77);
		t = finish_and_open();
		n = ekka_trace_n_events(t);
		if (bodies[i].message) {
			cr_assert_eq(n, 2, "%s", bodies[i].what);
			cr_assert_eq(ekka_trace_event_read(t, 1, &ev, &err), EKKA_ERR_FORMAT, "%s", bodies[i].what);
			cr_assert(strstr(err.message, bodies[i].message), "%s: %s", bodies[i].what, err.message);
			cr_assert(strncmp(err.message, "events-1-0.ekka: offset ", 24) == 0, "%s", err.message);
		} else {
			cr_assert_eq(n, 1, "%s", bodies[i].what);
			cr_assert_eq(ekka_trace_n_problems(t), 1, "%s", bodies[i].what);
		}
		cr_assert_eq(ekka_trace_event_read(t, n, &ev, &err), 0, "%s: %s", bodies[i].what, err.message);
		cr_assert_eq(ev.call.t_ns, 4711);
		ekka_event_release(&ev);
		ekka_trace_close(t);
	}
}

Test(hostile, nesting_up_to_the_limit_is_no_offence)
{
	static const char body[] = "\x82" EV1 "\xa3" "new\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x01";
	struct ekka_event ev = { 0 };
	struct ekka_error err = { 0 };
	struct ekka_trace *t;

	put_raw("call", body, sizeof body - 1);
	put_raw("later", "\x80", 1);
	t = finish_and_open();
	cr_assert_eq(ekka_trace_n_problems(t), 0);
	cr_assert_eq(ekka_trace_event_read(t, 1, &ev, &err), 0, "%s", err.message);
	ekka_event_release(&ev);
	ekka_trace_close(t);
}

#define TENSOR(...) { .name = "A", .dir = EKKA_IN, .dtype = EKKA_F32, .n_dims = 2, .dim = { 4, 4 }, .stride = { 4, 1 }, .span_bytes = 64, .alias_of = -1, __VA_ARGS__ }

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static const struct {
	const char *what;
	struct ekka_tensor t;
	bool good;
} tensors[] = {
	{ "as it should be", TENSOR(.addr = 1), true },
	{ "a dim of 0", TENSOR(.dim = { 0, 4 }), false },
	{ "a negative dim", TENSOR(.dim = { 4, -1 }), false },
	{ "dims whose product overflows", TENSOR(.dim = { INT64_MAX, INT64_MAX }, .stride = { INT64_MAX, 1 }, .span_bytes = UINT64_MAX), false },
	{ "the most negative stride", TENSOR(.dim = { 3, 1 }, .stride = { INT64_MIN, 1 }), false },
	{ "strides that add up beyond 63 bits", TENSOR(.dim = { 2, 2 }, .stride = { INT64_MAX, INT64_MAX }), false },
	{ "one element beyond the span", TENSOR(.span_bytes = 60), false },
	{ "a span that ends inside an element", TENSOR(.span_bytes = 63), false },
	{ "an offset that moves it out of the span", TENSOR(.offset = 1), false },
	{ "elements before the lowest address", TENSOR(.stride = { -4, 1 }), false },
	{ "a reversed dim with its offset", TENSOR(.stride = { -4, 1 }, .offset = 12), true },
	{ "an offset at the end of its range", TENSOR(.offset = INT64_MAX), false },
	{ "pointers that are not the first dim", TENSOR(.n_ptrs = 5, .stride = { 0, 1 }), false },
	{ "pointers with a stride", TENSOR(.n_ptrs = 4), false },
	{ "pointers as they should be", TENSOR(.n_ptrs = 4, .stride = { 0, 1 }), true },
	{ "pointers that overflow the bytes", TENSOR(.n_ptrs = 4, .stride = { 0, 1 }, .span_bytes = UINT64_MAX / 2), false },
	{ "no direction", TENSOR(.dir = 0), false },
	{ "a direction beyond both", TENSOR(.dir = 4), false },
	{ "no known place", TENSOR(.place = 2), false },
	{ "no known type", TENSOR(.dtype = EKKA_DTYPE_COUNT), false },
	{ "a view of itself", TENSOR(.alias_of = 0), false },
	{ "a view of what is not there", TENSOR(.alias_of = 2), false },
	{ "a scalar", TENSOR(.n_dims = 0, .span_bytes = 4), true },
};
#pragma GCC diagnostic pop

Test(hostile, tensors_must_lie_within_their_bytes)
{
	struct ekka_event ev = { 0 };
	struct ekka_error err = { 0 };
	struct ekka_trace *t;
	size_t n = sizeof tensors / sizeof *tensors;

	for (size_t i = 0; i < n; i++) {
		ekka_encode_call(&b.buf, &(struct ekka_rec_call){ .event = i + 1, .tensors = &tensors[i].t, .n_tensors = 1 });
		trace_builder_put(&b);
	}
	t = finish_and_open();
	cr_assert_eq(ekka_trace_n_events(t), n);
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(ekka_trace_event_read(t, i + 1, &ev, &err), tensors[i].good ? 0 : EKKA_ERR_FORMAT, "%s", tensors[i].what);
	ekka_event_release(&ev);
	ekka_trace_close(t);
}

Test(hostile, views_of_each_other_are_refused)
{
	struct ekka_tensor ring[3] = { TENSOR(.addr = 1), TENSOR(.addr = 1), TENSOR(.addr = 1) };
	struct ekka_event ev = { 0 };
	struct ekka_error err = { 0 };
	struct ekka_trace *t;

	for (int i = 0; i < 3; i++)
		ring[i].alias_of = (i + 1) % 3;
	ekka_encode_call(&b.buf, &(struct ekka_rec_call){ .event = 1, .tensors = ring, .n_tensors = 3 });
	trace_builder_put(&b);
	ring[2].alias_of = -1;
	ekka_encode_call(&b.buf, &(struct ekka_rec_call){ .event = 2, .tensors = ring, .n_tensors = 3 });
	trace_builder_put(&b);
	t = finish_and_open();
	cr_assert_eq(ekka_trace_event_read(t, 1, &ev, &err), EKKA_ERR_FORMAT);
	cr_assert(strstr(err.message, "views of each other"));
	cr_assert_eq(ekka_trace_event_read(t, 2, &ev, &err), 0, "%s", err.message);
	ekka_event_release(&ev);
	ekka_trace_close(t);
}

Test(hostile, records_in_the_wrong_place_are_passed_over_and_reported)
{
	const struct ekka_rec_data data = { .event = 1, .tensor = 0, .phase = EKKA_PRE, .missing = "budget" };
	struct ekka_rec_data d = data;
	struct ekka_event ev = { 0 };
	struct ekka_error err = { 0 };
	struct ekka_trace *t;

	ekka_encode_ret(&b.buf, &(struct ekka_rec_ret){ .event = 9 });		/* 1: of no call */
	ekka_encode_end(&b.buf, &(struct ekka_rec_end){ .event = UINT64_MAX });	/* 2 */
	ekka_encode_call(&b.buf, &(struct ekka_rec_call){ .event = 1, .tensors = &tensors[0].t, .n_tensors = 1 });
	ekka_encode_call(&b.buf, &(struct ekka_rec_call){ .event = 1 });	/* 3: twice */
	ekka_encode_end(&b.buf, &(struct ekka_rec_end){ .event = 1 });		/* 4: before it returned */
	ekka_encode_data(&b.buf, &data);
	ekka_encode_data(&b.buf, &data);					/* 5: twice */
	d.tensor = EKKA_MAX_TENSORS;
	ekka_encode_data(&b.buf, &d);						/* 6: no such tensor */
	d.tensor = UINT32_MAX;
	ekka_encode_data(&b.buf, &d);						/* 7 */
	ekka_encode_ret(&b.buf, &(struct ekka_rec_ret){ .event = 1, .t_ns = 5 });
	ekka_encode_ret(&b.buf, &(struct ekka_rec_ret){ .event = 1, .t_ns = 6 });	/* 8: twice */
	ekka_encode_end(&b.buf, &(struct ekka_rec_end){ .event = 1 });
	d.tensor = 0;
	d.phase = EKKA_POST;
	ekka_encode_data(&b.buf, &d);						/* 9: after the end */
	ekka_encode_time(&b.buf, &(struct ekka_rec_time){ .event = 1, .gpu_ns = 7 });	/* belongs there */
	ekka_encode_time(&b.buf, &(struct ekka_rec_time){ .event = 1, .gpu_ns = 8 });	/* 10: twice */
	ekka_encode_time(&b.buf, &(struct ekka_rec_time){ .event = 2, .gpu_ns = 8 });	/* 11: of no call */
	trace_builder_put(&b);
	t = finish_and_open();
	cr_assert_eq(ekka_trace_n_problems(t), 11);
	cr_assert_eq(ekka_trace_n_events(t), 1);
	cr_assert_eq(ekka_trace_event_read(t, 1, &ev, &err), 0, "%s", err.message);
	cr_assert_eq(ev.state, EKKA_EVENT_COMPLETE);
	cr_assert_eq(ev.ret_ns, 5);
	cr_assert(ev.timed && ev.gpu_ns == 7);
	cr_assert(ev.data[0][EKKA_PRE].present && !ev.data[0][EKKA_POST].present);
	ekka_event_release(&ev);
	ekka_trace_close(t);
}

Test(hostile, problems_are_listed_up_to_a_limit_and_then_counted)
{
	struct ekka_trace *t;

	for (int i = 0; i < 3000; i++) {
		ekka_encode_ret(&b.buf, &(struct ekka_rec_ret){ .event = 9 });
		trace_builder_put(&b);
	}
	t = finish_and_open();
	cr_assert_eq(ekka_trace_n_problems(t), 1001);
	cr_assert_str_eq(ekka_trace_problem(t, 1000), "and 2000 further problems");
	ekka_trace_close(t);
}

Test(hostile, a_later_format_is_named_as_such)
{
	const struct ekka_rec_open later = { .version = EKKA_FORMAT_VERSION + 1, .pid = 2 };
	struct ekka_error err = { 0 };
	struct ekka_trace *t;
	char path[64];

	trace_builder_finish(&b, dir, &open_rec, 0, true);
	trace_builder_begin(&b, dir, &later, 0);
	trace_builder_finish(&b, dir, &later, 0, true);
	cr_assert_eq(ekka_trace_open(dir, &t, &err), 0);
	cr_assert_eq(ekka_trace_n_segments(t), 1);
	cr_assert_eq(ekka_trace_n_problems(t), 2);
	ekka_trace_close(t);
	(void)snprintf(path, sizeof path, "%s/events-1-0.ekka", dir);
	cr_assert_eq(remove(path), 0);
	cr_assert_eq(ekka_trace_open(dir, &t, &err), EKKA_ERR_VERSION);
	cr_assert(strstr(err.message, "format version 3, this program reads up to 2"), "%s", err.message);
}
