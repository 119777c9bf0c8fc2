/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads take events in order and judge them; results are handed out in order. A thread that has to wait, or finds no event left, helps another
 * with a large one (replay/team.h). The team's lock guards everything in struct run; it
 * is not held while an event is read or judged, but is while callbacks run, which the interface promises to be one at a time.
 */
#include <cblas.h>
#include <fnmatch.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compare/audit.h"
#include "replay/arguments.h"
#include "replay/audit_bytes.h"
#include "replay/backend.h"
#include "replay/blame.h"
#include "replay/blobs.h"
#include "replay/op.h"
#include "replay/read.h"
#include "replay/redescribe.h"
#include "replay/report.h"
#include "replay/sample.h"
#include "replay/team.h"
#include "replay/written.h"

enum {
	MAX_THREADS = 64,	/* OpenBLAS has buffers for a limited number of callers and ends the process beyond it */
	WINDOW = 32		/* finished events waiting for an earlier one, per thread */
};
static const uint64_t DEFAULT_MEMORY = (uint64_t)1 << 30, THREAD_MEMORY = (uint64_t)256 << 20, BLOCKS_MEMORY = (uint64_t)48 << 20, MOST_KEPT = (uint64_t)8 << 30, MUCH = (uint64_t)64 << 20;

struct slot {
	bool done, counts;		/* counts: an outermost event with an op, to be reported */
	bool not_sampled;		/* counts, but was left alone */
	int error;
	struct ekka_event event;	/* keeps its memory for the next one */
	struct ekka_redescription *redescription;	/* NULL: none are wanted */
	struct ekka_verdict verdict;
	uint64_t output_bytes;
	struct ekka_error err;
};

struct run {
	struct ekka_trace *trace;
	struct ekka_replay_options o;
	struct ekka_blobs *blobs;
	struct ekka_team team;
	uint64_t first, end;		/* event numbers [first, end) */
	uint64_t next, emitted;		/* next to take; all before `emitted` were handed out */
	uint64_t memory_free;
	struct slot *slots;
	size_t n_slots;
	struct ekka_report_builder report;
	struct ekka_blame blame;	/* statuses of what was judged */
	struct ekka_arguments *arguments;
	int error;
	struct ekka_error err;
};

static void set_reason(struct ekka_verdict *v, enum ekka_status status, const char *reason)
{
	v->status = status;
	(void)snprintf(v->reason, sizeof v->reason, "%s", reason);
}

/* A kernel's name as people know it; a long one is cut, so that there is room for words around it. */
static const char *kernel_name(const struct ekka_event *e, char *buf, size_t len)
{
	if (!ekka_demangle(e->fn->name, buf, len - 3))
		memcpy(buf + strlen(buf), "...", 4);
	return buf;
}

/* Why a launch or a call without an op cannot be judged. */
static void say_undescribed(const struct ekka_event *e, char reason[EKKA_TEXT])
{
	const struct ekka_value *refused = ekka_event_attr(e, "refused"), *kernels = ekka_event_attr(e, "kernels");
	char name[400];

	if (kernels && kernels->kind == EKKA_V_INT)
		(void)snprintf(reason, EKKA_TEXT, "a graph of %lld kernels, recorded as a whole", (long long)kernels->i);
	else if (!ekka_event_is_launch(e))
		(void)snprintf(reason, EKKA_TEXT, "%s", refused && refused->kind == EKKA_V_STR ? refused->s : "this function has no reference");
	else if (refused && refused->kind == EKKA_V_STR)
		(void)snprintf(reason, EKKA_TEXT, "the description does not fit: %s", refused->s);
	else
		(void)snprintf(reason, EKKA_TEXT, "no description of kernel %s", kernel_name(e, name, sizeof name));
}

/* True when the event cannot be judged for reasons that no op needs to know. */
static bool settle_without_op(const struct ekka_event *e, const struct ekka_op *op, struct ekka_verdict *v)
{
	char reason[EKKA_TEXT];

	if (e->state == EKKA_EVENT_BEGUN) {
		set_reason(v, EKKA_INCOMPLETE, "the process ended inside the call");
	} else if (e->state != EKKA_EVENT_COMPLETE) {
		set_reason(v, EKKA_INCOMPLETE, "the process ended before the outputs were recorded");
	} else if (e->call.bad_args) {
		(void)snprintf(reason, sizeof reason, "invalid arguments (%s): the library computes nothing", e->call.bad_args);
		set_reason(v, EKKA_UNSUPPORTED, reason);
	} else if (ekka_audit_call_failed(e)) {
		(void)snprintf(reason, sizeof reason, "the library returned status %lld: nothing is promised", (long long)e->ret.i);
		set_reason(v, EKKA_UNSUPPORTED, reason);
	} else if (!ekka_event_op(e)[0]) {
		say_undescribed(e, reason);
		set_reason(v, EKKA_UNSUPPORTED, reason);
	} else if (!op) {
		(void)snprintf(reason, sizeof reason, "no reference for op '%s'", ekka_event_op(e));
		set_reason(v, EKKA_UNSUPPORTED, reason);
	} else if (e->segment && e->segment->open.level && strcmp(e->segment->open.level, "full")) {
		(void)snprintf(reason, sizeof reason, "recorded at level '%s': no tensor bytes", e->segment->open.level);
		set_reason(v, EKKA_INCOMPLETE, reason);
	} else {
		return false;
	}
	return true;
}

/* Bytes that judging the event would like to hold: its blobs and room for blocks. */
static uint64_t wanted_memory(const struct ekka_event *e)
{
	uint64_t sum = 0, blocks;

	for (unsigned i = 0; i < e->call.n_tensors; i++)
		for (int phase = 0; phase < 2; phase++)
			if (e->data[i][phase].present && !e->data[i][phase].rec.missing &&
			    __builtin_add_overflow(sum, e->data[i][phase].rec.bytes, &sum))
				return UINT64_MAX;
	blocks = sum < BLOCKS_MEMORY / 32 ? 32 * sum + ((uint64_t)1 << 20) : BLOCKS_MEMORY;
	return __builtin_add_overflow(sum, sum / 3 + blocks, &sum) ? UINT64_MAX : sum;
}

/* Helps, or waits until something changed. With the lock held. */
static void help_or_wait(struct run *run)
{
	if (!ekka_team_help(&run->team))
		pthread_cond_wait(&run->team.changed, &run->team.lock);
}

/* A share of the budget; big events may take half of it, whatever the number of threads. */
static uint64_t take_memory(struct run *run, uint64_t wanted)
{
	uint64_t most = run->o.threads == 1 ? run->o.memory_bytes : run->o.memory_bytes / 2, share = wanted < most ? wanted : most;

	pthread_mutex_lock(&run->team.lock);
	while (run->memory_free < share)
		help_or_wait(run);
	run->memory_free -= share;
	pthread_mutex_unlock(&run->team.lock);
	return share;
}

static void give_memory(struct run *run, uint64_t share)
{
	pthread_mutex_lock(&run->team.lock);
	run->memory_free += share;
	pthread_cond_broadcast(&run->team.changed);
	pthread_mutex_unlock(&run->team.lock);
}

/* Calls fn for every blob that an event has. */
static void each_blob(struct ekka_blobs *blobs, const struct ekka_event *e, void (*fn)(struct ekka_blobs *, const struct ekka_blob_id *))
{
	for (unsigned i = 0; i < e->call.n_tensors; i++)
		for (int phase = 0; phase < 2; phase++)
			if (e->data[i][phase].present && !e->data[i][phase].rec.missing)
				fn(blobs, &e->data[i][phase].rec.id);
}

static void judge(struct run *run, struct slot *slot)
{
	const struct ekka_event *e = &slot->event;
	const struct ekka_op *op = ekka_op_find(ekka_event_op(e));
	struct ekka_op_context ctx = { .trace = run->trace, .options = &run->o, .blobs = run->blobs, .team = &run->team, .backend = run->o.backend };
	struct ekka_verdict *v = &slot->verdict;
	uint64_t share;
	int r;

	slot->counts = true;
	slot->output_bytes = ekka_written_bytes(run->trace, e);
	if (settle_without_op(e, op, v)) {
		ekka_audit_event(e, v);
		return;
	}
	share = take_memory(run, wanted_memory(e));
	ctx.memory_bytes = share;
	r = op->judge(&ctx, e, v, &slot->err);
	if (r < 0) {	/* damaged blobs; or more memory than there is: other events may need less */
		*v = (struct ekka_verdict){ .event = e->number };
		set_reason(v, EKKA_INCOMPLETE, slot->err.message);
	}
	ekka_audit_event(e, v);
	ekka_audit_bytes(run->blobs, run->trace, e, v);
	each_blob(run->blobs, e, ekka_blobs_used);
	give_memory(run, share);
}

static void process(struct run *run, uint64_t number, struct slot *slot)
{
	struct ekka_event *e = &slot->event;

	slot->counts = slot->not_sampled = false;
	slot->error = 0;
	memset(&slot->verdict, 0, sizeof slot->verdict);
	memset(&slot->err, 0, sizeof slot->err);
	slot->verdict.event = number;
	slot->verdict.margin = __builtin_nan("");
	if (ekka_replay_event_read(run->trace, &run->o, number, e, slot->redescription, &slot->err) < 0) {
		slot->error = slot->err.code == EKKA_ERR_NOMEM ? EKKA_ERR_NOMEM : 0;
		return;		/* opening the trace reported the damage already */
	}
	if (!ekka_event_computes(e) || (run->o.only && fnmatch(run->o.only, e->fn->name, 0)))
		return;
	if (run->o.sample > 0 && !ekka_sample_takes(run->o.seed, number, run->o.sample)) {
		slot->not_sampled = true;
		slot->output_bytes = ekka_written_bytes(run->trace, e);
		return;
	}
	judge(run, slot);
}

/* Hands out everything that is finished and next in order. With the lock held. */
static void emit(struct run *run)
{
	while (run->emitted < run->next) {
		struct slot *slot = &run->slots[run->emitted % run->n_slots];

		if (!slot->done)
			return;
		slot->done = false;
		run->emitted++;
		if (slot->error && !run->error) {
			run->error = slot->error;
			run->err = slot->err;
		}
		if (slot->not_sampled)
			ekka_report_add_not_sampled(&run->report, &slot->event, slot->output_bytes);
		else if (slot->counts && !run->error) {
			int r = ekka_report_add(&run->report, &slot->event, &slot->verdict, slot->output_bytes, &run->err);

			if (r == 0)
				r = ekka_arguments_add(run->arguments, run->trace, &slot->event, &run->err);
			run->error = r < 0 ? r : run->error;
			run->blame.status[slot->verdict.event] = (uint8_t)slot->verdict.status;
			if (run->o.verdict)
				run->o.verdict(run->o.arg, &slot->event, &slot->verdict);
		}
		if (run->o.progress)
			run->o.progress(run->o.arg, run->emitted - run->first, run->end - run->first);
	}
}

static void *work(void *arg)
{
	struct run *run = arg;

	pthread_mutex_lock(&run->team.lock);
	while (run->emitted < run->next || (run->next < run->end && !run->error)) {
		struct slot *slot;
		uint64_t number;

		if (run->next == run->end || run->error || run->next - run->emitted >= run->n_slots) {
			help_or_wait(run);
			continue;
		}
		number = run->next++;
		slot = &run->slots[number % run->n_slots];
		pthread_mutex_unlock(&run->team.lock);
		process(run, number, slot);
		pthread_mutex_lock(&run->team.lock);
		slot->done = true;
		emit(run);
		pthread_cond_broadcast(&run->team.changed);
	}
	pthread_mutex_unlock(&run->team.lock);
	return NULL;
}

static void run_threads(struct run *run)
{
	pthread_t thread[MAX_THREADS];
	unsigned n = 0;

	while (n + 1 < run->o.threads && pthread_create(&thread[n], NULL, work, run) == 0)
		n++;
	(void)work(run);
	while (n > 0)
		pthread_join(thread[--n], NULL);
}

/* Bytes of tensors that are kept besides: they come again. */
static uint64_t kept_bytes(const struct ekka_replay_options *o)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	uint64_t most = pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size / 8 : 0;

	if (o->memory_bytes)
		return o->memory_bytes;
	return most < DEFAULT_MEMORY ? DEFAULT_MEMORY : most > MOST_KEPT ? MOST_KEPT : most;
}

static int add_size(const struct ekka_blob_info *info, void *arg)
{
	*(uint64_t *)arg += info->size;
	return 0;
}

/* How much there is, and which tensors come again, so that the others' memory can be used anew: worth its time where there is much of it. */
static void look_ahead(struct run *run)
{
	struct ekka_event e = { 0 };
	uint64_t bytes = 0;

	if (run->end - run->first < 2 || ekka_trace_blobs_foreach(run->trace, add_size, &bytes) != 0)
		return;
	if (run->o.backend && run->o.backend->expect)
		run->o.backend->expect(run->o.backend, bytes);
	if (!run->blobs || bytes < MUCH)
		return;
	for (uint64_t n = run->first; n < run->end; n++)
		if (ekka_trace_event_read(run->trace, n, &e, NULL) == 0)
			each_blob(run->blobs, &e, ekka_blobs_expect);
	ekka_event_release(&e);
}

static void defaults(struct run *run)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t events = ekka_trace_n_events(run->trace);

	if (!run->o.threads)
		run->o.threads = cores > 0 ? (unsigned)cores : 1;
	if (run->o.threads > MAX_THREADS)
		run->o.threads = MAX_THREADS;
	run->blobs = ekka_blobs_new(kept_bytes(&run->o));	/* NULL: it goes without */
	if (!run->o.memory_bytes)
		run->o.memory_bytes = run->o.threads * THREAD_MEMORY > DEFAULT_MEMORY ? run->o.threads * THREAD_MEMORY : DEFAULT_MEMORY;
	run->first = run->o.event ? run->o.event : 1;
	run->end = run->o.event ? run->o.event + 1 : events + 1;
	run->next = run->emitted = run->first;
	run->memory_free = run->o.memory_bytes;
	run->n_slots = (size_t)run->o.threads * WINDOW;
	run->team.threads = run->o.threads;
}

/* What the verdicts mean for each other. Of one event alone nothing can be said. */
static int spread_blame(struct run *run, struct ekka_report *report, struct ekka_error *err)
{
	struct ekka_lineage *lineage;
	int r = run->o.event ? 0 : ekka_lineage_build(run->trace, &run->o, run->blame.status, &lineage, err);

	if (r < 0 || run->o.event)
		return r;
	run->blame.trace = run->trace;
	run->blame.options = &run->o;
	run->blame.lineage = lineage;
	r = ekka_blame_report(&run->blame, report, err);
	ekka_lineage_free(lineage);
	return r;
}

int ekka_replay_run(struct ekka_trace *trace, const struct ekka_replay_options *options, struct ekka_report *ret,
		    struct ekka_error *err)
{
	struct run run = { .trace = trace, .o = *options,
			   .team = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER } };
	struct ekka_redescription *redescriptions = NULL;
	int r;

	if (options->event > ekka_trace_n_events(trace))
		return ekka_error_set(err, EKKA_ERR_INVALID, "there is no event %llu, the trace has %llu",
				      (unsigned long long)options->event, (unsigned long long)ekka_trace_n_events(trace));
	defaults(&run);
	run.slots = calloc(run.n_slots, sizeof *run.slots);
	if (run.o.redescribe)
		redescriptions = calloc(run.n_slots, sizeof *redescriptions);
	run.blame.n_events = ekka_trace_n_events(trace);
	run.blame.status = malloc(run.blame.n_events + 1);
	run.arguments = ekka_arguments_new();
	if (!run.slots || !run.blame.status || !run.arguments || (run.o.redescribe && !redescriptions)) {
		free(run.slots);
		ekka_arguments_free(run.arguments);
		ekka_blobs_free(run.blobs);
		free(redescriptions);
		free(run.blame.status);
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for %llu events",
				      (unsigned long long)run.blame.n_events);
	}
	for (size_t i = 0; redescriptions && i < run.n_slots; i++)
		run.slots[i].redescription = &redescriptions[i];
	memset(run.blame.status, EKKA_STATUS_COUNT, run.blame.n_events + 1);
	look_ahead(&run);
	openblas_set_num_threads(1);	/* our threads are over events */
	run_threads(&run);
	for (size_t i = 0; i < ekka_trace_n_segments(trace); i++)
		ekka_report_add_segment(&run.report, ekka_trace_segment(trace, i));
	r = run.error;
	if (r < 0 && err)
		*err = run.err;
	if (r == 0)
		r = ekka_report_take(&run.report, ret, err);
	if (r == 0)
		r = ekka_arguments_report(run.arguments, ret, err);
	if (r == 0)
		r = spread_blame(&run, ret, err);
	ekka_report_builder_release(&run.report);
	ekka_arguments_free(run.arguments);
	ekka_blobs_free(run.blobs);
	for (size_t i = 0; i < run.n_slots; i++)
		ekka_event_release(&run.slots[i].event);
	free(run.slots);
	free(redescriptions);
	free(run.blame.status);
	pthread_mutex_destroy(&run.team.lock);
	pthread_cond_destroy(&run.team.changed);
	return r;
}
