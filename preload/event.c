/* SPDX-License-Identifier: Apache-2.0 */
/* From a wrapper's call to its records: order, depth, selection. Zone: inside the host process. */
#include "config.h"

#include "preload/conf.h"
#include "preload/count.h"
#include "preload/guard.h"
#include "preload/init.h"
#include "preload/intern.h"
#include "preload/launch.h"
#include "preload/queue.h"
#include "preload/select.h"
#include "preload/sink.h"
#include "preload/snapshot.h"
#include "preload/starts.h"
#include "preload/timing.h"
#include "preload/versions.h"
#include "preload/window.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Room reserved for records. A call's is small unless it holds long texts; a function's value is no text. To reserve for the
 * worst case would carry every call to memory that is in no cache.
 */
enum { CALL_BYTES = 16 << 10, RET_BYTES = 128, END_BYTES = 64 };

_Thread_local struct ekka_thread ekka_self;

/* Recording has ended, the engine has not. Calls inside calls cannot be told apart any more, and count too. */
static void count_ended(unsigned fn_id, const struct ekka_kernel *kernel)
{
	if (!ekka_self.inside && !(kernel && kernel->aside) && ekka_select_wants(fn_id, kernel) && ekka_select_counts())
		ekka_count_drop("ended", 1);
}

/*
 * Forgets calls that a longjmp or an exception left behind: their memory lies below the end of that of the call that begins now, as the
 * stack grows down. One that lies above cannot be told from a call in progress, until a call from
 * further up comes. A handler on another stack can be mistaken for that; it is then recorded as outermost.
 */
static void drop_abandoned(uintptr_t below)
{
	struct ekka_thread *self = &ekka_self;

	while (self->depth > 0 && self->frame[self->depth - 1].at < below)
		self->depth--;
}

/* The frame of a call in progress; NULL when it has been forgotten. */
static struct ekka_frame *frame_of(const struct ekka_call *call)
{
	for (unsigned d = ekka_self.depth; d > 0; d--)
		if (ekka_self.frame[d - 1].at == (uintptr_t)call)
			return &ekka_self.frame[d - 1];
	return NULL;
}

static void init_call(struct ekka_call *call, unsigned fn_id, const void *caller)
{
	struct ekka_call_private *p = ekka_private(call);

	call->fn = fn_id < ekka_n_fns ? &ekka_fns[fn_id] : NULL;
	call->fn_id = fn_id;
	call->caller = caller;
	call->device_pointer_mode = false;
	call->rec = (struct ekka_rec_call){
		.device = -1, .args = call->args, .attrs = call->attrs, .tensors = call->tensors,
	};
	*p = (struct ekka_call_private){ .real = ekka_self.real, .generation = ekka_segment_generation() };
}

/*
 * Makes `call` the next one of this thread, inside its innermost one; false when it is not to be recorded. top: on the stack, above
 * everything that belongs to this call.
 */
static bool enter(struct ekka_call *call, unsigned fn_id, const struct ekka_kernel *kernel, const void *caller, uintptr_t top)
{
	int state = atomic_load_explicit(&ekka_state, memory_order_acquire);

	/* What is inside a call that is recorded belongs to it, even now. */
	if (state == EKKA_STATE_ON && ekka_left_out())
		return false;
	if (state == EKKA_STATE_ENDED)
		count_ended(fn_id, kernel);
	if (state != EKKA_STATE_ON && (state >= EKKA_STATE_ENDED || !ekka_ready()))
		return false;
	if (ekka_self.inside)
		return false;
	if (!ekka_select_wants(fn_id, kernel)) {
		if (ekka_self.depth == 0)
			ekka_select_leave_out();
		return false;
	}
	ekka_self.inside = true;
	call->saved_errno = errno;
	uint32_t fp = ekka_fp_enter();
	if (ekka_in_child())
		ekka_child_start();
	drop_abandoned(top);
	if (ekka_self.depth == EKKA_MAX_DEPTH) {
		ekka_count_drop("nested", 1);
		ekka_fp_leave(fp);
		ekka_self.inside = false;
		return false;
	}
	init_call(call, fn_id, caller);
	struct ekka_call_private *p = ekka_private(call);
	const struct ekka_frame *parent = ekka_self.depth > 0 ? &ekka_self.frame[ekka_self.depth - 1] : NULL;
	p->fp = fp;
	p->muted = parent ? parent->muted : !(ekka_select_chooses(kernel) && ekka_sink_start());
	p->generation = ekka_segment_generation();
	call->outermost = !parent;
	call->describe = !p->muted;
	call->full = call->describe && !parent && ekka_conf.level == EKKA_LEVEL_FULL;
	if (parent) {
		call->rec.parent = parent->event;
		call->rec.depth = ekka_self.depth;
	}
	return true;
}

bool ekka_call_enter(struct ekka_call *call, unsigned fn_id, const void *caller)
{
	if (!enter(call, fn_id, NULL, caller, (uintptr_t)(call + 1)))
		return false;
	ekka_self.frame[ekka_self.depth++] = (struct ekka_frame){
		.at = (uintptr_t)call, .muted = ekka_private(call)->muted, .host = ekka_versions_on_host(call->fn),
	};
	return true;
}

bool ekka_left_out(void)
{
	if (!ekka_window_shut() || ekka_self.depth > 0)
		return false;
	if (!ekka_self.inside)
		ekka_select_leave_out();
	return true;
}

/* What a call inside others writes on the device is theirs, unless they know nothing of devices. */
static bool writes_by_itself(void)
{
	return ekka_self.depth == 0 || ekka_self.frame[0].host;
}

bool ekka_launch_enter(struct ekka_call *call, const struct ekka_kernel *kernel, const void *frame, const void *caller,
		       bool (*above)(const void *pc))
{
	if (!enter(call, UINT_MAX, kernel, caller, (uintptr_t)frame)) {
		if (writes_by_itself() && !ekka_self.inside)
			ekka_versions_wrote_anything();
		return false;
	}
	ekka_private(call)->kernel = kernel;
	ekka_private(call)->above = above;
	return true;
}

bool ekka_driver_enter(struct ekka_call *call, const struct ekka_kernel *fn, const void *caller)
{
	if (!enter(call, UINT_MAX, fn, caller, (uintptr_t)(call + 1)))
		return false;
	ekka_private(call)->kernel = fn;
	if (fn->aside)
		call->full = false;
	else
		ekka_self.frame[ekka_self.depth++] = (struct ekka_frame){ .at = (uintptr_t)call, .muted = ekka_private(call)->muted };
	return true;
}

void ekka_call_enter_part(struct ekka_call *part, struct ekka_call *first, unsigned group)
{
	const struct ekka_call_private *f = ekka_private(first);

	ekka_self.inside = true;
	part->saved_errno = errno;
	uint32_t fp = ekka_fp_enter();
	init_call(part, first->fn_id, first->caller);
	struct ekka_call_private *p = ekka_private(part);
	p->fp = fp;
	p->real = f->real;
	p->generation = f->generation;
	p->muted = f->muted;
	p->part = true;
	part->device_pointer_mode = first->device_pointer_mode;
	part->outermost = first->outermost;
	part->describe = first->describe;
	part->full = first->full;
	part->rec.parent = first->rec.parent;
	part->rec.depth = first->rec.depth;
	part->rec.group = group;
	part->rec.stack = first->rec.stack;
}

void ekka_call_drop_parts(struct ekka_call *call, uint64_t n)
{
	if (!ekka_private(call)->muted)
		ekka_count_drop("group", n);
}

static size_t usual_bytes(const struct ekka_rec_call *r)
{
	size_t bytes = 256 + 20 * (size_t)r->n_args + 64 * (size_t)r->n_attrs + 256 * (size_t)r->n_tensors;

	for (unsigned i = 0; i < r->n_args; i++)
		bytes += r->args[i].kind == EKKA_V_BIN ? r->args[i].bin.n : 0;
	for (unsigned i = 0; i < r->n_attrs; i++)
		bytes += r->attrs[i].value.kind == EKKA_V_STR && r->attrs[i].value.s ? strlen(r->attrs[i].value.s) : 0;
	return bytes;
}

/* Queues the call record, if it fits into `bytes`; numbers the event as soon as there is room in the queue. */
static bool push_call_in(struct ekka_call *call, size_t bytes)
{
	struct ekka_entry *e = ekka_queue_reserve(bytes, ekka_conf.when_full == EKKA_BLOCK);
	struct ekka_buf buf = { 0 };

	if (!e)
		return false;
	if (call->rec.event == 0)
		call->rec.event = atomic_fetch_add(&ekka_totals.events, 1) + 1;
	buf.data = e->payload;
	buf.cap = bytes;
	ekka_encode_call(&buf, &call->rec);
	bool ok = buf.len > 0;
	e->kind = ok ? EKKA_ENTRY_FRAME : EKKA_ENTRY_VOID;
	e->used = buf.len;
	e->generation = ekka_private(call)->generation;
	ekka_queue_commit(e);
	return ok;
}

static bool push_call(struct ekka_call *call)
{
	return push_call_in(call, usual_bytes(&call->rec)) ||
	       (call->rec.event != 0 && push_call_in(call, CALL_BYTES));
}

static bool record_begin(struct ekka_call *call)
{
	struct ekka_call_private *p = ekka_private(call);
	struct ekka_rec_call *rec = &call->rec;

	if (ekka_self.tid == 0)
		ekka_self.tid = (int32_t)syscall(SYS_gettid);
	rec->tid = ekka_self.tid;
	rec->t_ns = ekka_now_ns();
	rec->fn = p->kernel ? ekka_intern_kernel(p->kernel) : ekka_intern_fn(call->fn_id, p->real);
	if (rec->fn == 0)
		return false;
	if (rec->depth == 0 && !p->part && !(p->kernel && p->kernel->aside))
		rec->stack = ekka_intern_stack(call->caller, p->above);
	if (rec->device >= 0)
		ekka_intern_device(rec->device);
	return push_call(call);
}

static void leave(struct ekka_call *call)
{
	ekka_fp_leave(ekka_private(call)->fp);
	errno = call->saved_errno;
	ekka_self.inside = false;
}

static void note_starts(const struct ekka_rec_call *rec)
{
	for (unsigned i = 0; rec->device >= 0 && i < rec->n_tensors; i++)
		if (rec->tensors[i].place == EKKA_DEVICE)
			ekka_starts_note(rec->tensors[i].addr);
}

/* A library call whose work goes into a graph computes nothing now: there are no bytes to take, nor to miss. */
static void leave_to_graph(struct ekka_call *call)
{
	if (!call->fn || call->rec.device < 0 || !call->outermost || !ekka_stream_is_captured(call->rec.stream))
		return;
	ekka_attr_int(call, "captured", 1);
	call->full = false;
	for (unsigned i = 0; i < call->rec.n_tensors; i++)
		call->tensors[i].pre = call->tensors[i].post = false;
}

void ekka_call_begin(struct ekka_call *call)
{
	struct ekka_call_private *p = ekka_private(call);
	struct ekka_frame *frame = frame_of(call);

	if (p->muted)
		goto out;
	leave_to_graph(call);
	p->muted = !record_begin(call);
	if (frame) {
		frame->muted = p->muted;
		frame->event = call->rec.event;
	}
	if (p->muted) {
		ekka_count_drop("event", 1);
		goto out;
	}
	if (call->full && !call->rec.bad_args) {
		note_starts(&call->rec);
		ekka_snapshot_host(call, EKKA_PRE);
		ekka_snapshot_device(call, EKKA_PRE);
	}
	if (call->outermost || writes_by_itself())
		ekka_versions_wrote_by(call);	/* it is about to */
	if (ekka_conf.sync && !ekka_queue_wait_written(ekka_queue_position()))
		ekka_count_drop("sync", 1);
	ekka_queue_kick();
	ekka_timing_begin(call);	/* last: between its two events lies nothing of ours */
out:
	if (p->muted && (call->outermost || writes_by_itself()))
		ekka_versions_wrote_anything();
	leave(call);
}

/* What ends an event; one entry holds either, or both when nothing comes between. */
struct finish { const struct ekka_rec_ret *ret; const struct ekka_rec_end *end; };

static size_t encode_finish(struct ekka_buf *b, const void *r)
{
	const struct finish *f = r;
	bool ok = (!f->ret || ekka_encode_ret(b, f->ret)) && (!f->end || ekka_encode_end(b, f->end));

	return ok ? b->len : 0;
}

/* Not in a child that was forked meanwhile, nor after a new segment began: the event's number means nothing there. */
static bool is_current(unsigned generation)
{
	return !ekka_in_child() && generation == ekka_segment_generation() && ekka_sink_running();
}

/* A launch that was refused has written nothing. */
static void miss_all(struct ekka_call *call)
{
	for (unsigned i = 0; i < call->rec.n_tensors; i++)
		if (call->tensors[i].post && call->tensors[i].alias_of < 0)
			ekka_snapshot_missing(call, i, EKKA_POST, call->tensors[i].span_bytes, "launch failed");
}

/* A launch, of a kernel or a graph, that was refused. */
static bool has_failed(struct ekka_call *call, const struct ekka_value *value)
{
	return ekka_private(call)->kernel && value && value->kind == EKKA_V_INT && value->i != 0;
}

static void record_end(struct ekka_call *call, const struct ekka_value *value)
{
	struct ekka_rec_ret ret = { .event = call->rec.event, .t_ns = ekka_now_ns() };
	struct ekka_rec_end end = { .event = call->rec.event, .t_ns = ret.t_ns };
	bool bytes = call->full && !call->rec.bad_args, ok = true;

	if (value)
		ret.value = *value;
	ekka_timing_end(call->rec.event, ekka_private(call)->generation, has_failed(call, value));
	if (bytes) {
		ok = ekka_push_record(RET_BYTES, encode_finish, &(struct finish){ .ret = &ret });
		if (ekka_private(call)->kernel && ret.value.i != 0) {
			miss_all(call);
		} else {
			ekka_snapshot_host(call, EKKA_POST);
			ekka_snapshot_device(call, EKKA_POST);
		}
		end.t_ns = ekka_now_ns();
	}
	if (!ok || !ekka_push_record(RET_BYTES + END_BYTES, encode_finish,
				     &(struct finish){ .ret = bytes ? NULL : &ret, .end = &end }))
		ekka_count_drop("end", 1);
	ekka_queue_kick();
}

void ekka_call_end(struct ekka_call *call, const struct ekka_value *ret)
{
	struct ekka_call_private *p = ekka_private(call);
	const struct ekka_frame *frame = frame_of(call);

	if (frame)
		ekka_self.depth = (unsigned)(frame - ekka_self.frame);
	if (p->muted || atomic_load(&ekka_state) != EKKA_STATE_ON || ekka_self.inside)
		return;
	ekka_self.inside = true;
	call->saved_errno = errno;
	p->fp = ekka_fp_enter();
	if (is_current(p->generation))
		record_end(call, ret);
	leave(call);
}

struct ekka_launch_mark ekka_launch_begin(struct ekka_call *call)
{
	const struct ekka_call_private *p = ekka_private(call);

	ekka_call_begin(call);
	return (struct ekka_launch_mark){ .event = p->muted ? 0 : call->rec.event, .generation = p->generation };
}

void ekka_launch_finish(struct ekka_call *call, struct ekka_launch_mark mark, int64_t result)
{
	struct ekka_rec_ret ret = { .event = mark.event, .value = { .kind = EKKA_V_INT, .i = result } };
	struct ekka_rec_end end = { .event = mark.event };
	int saved = errno;

	if (call && mark.event != 0) {
		ekka_call_end(call, &ret.value);
		return;
	}
	if (mark.event == 0 || atomic_load(&ekka_state) != EKKA_STATE_ON || ekka_self.inside)
		return;
	ekka_self.inside = true;
	ekka_timing_end(mark.event, mark.generation, result != 0);
	ret.t_ns = end.t_ns = ekka_now_ns();
	if (is_current(mark.generation)) {
		if (!ekka_push_record(RET_BYTES + END_BYTES, encode_finish, &(struct finish){ .ret = &ret, .end = &end }))
			ekka_count_drop("end", 1);
		ekka_queue_kick();
	}
	ekka_self.inside = false;
	errno = saved;
}
