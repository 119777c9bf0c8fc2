/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams, events, captures. One lock and one condition for all: slow and simple. A stream counts what was enqueued and
 * what is done; an event is a pair (stream, count), and every dependence is one.
 */
#include "config.h"

#include "tests/fake/fake.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STREAMS_MAX = 64, DEPS_MAX = STREAMS_MAX, EVENTS_MAX = 16384, NODES_MAX = 256, DELAY_MAX_NS = 300000 /* EKKA_TEST_FAKE_DELAY_NS */ };

struct dep { struct fake_stream *stream; uint64_t count; };

struct op {
	fake_work *work;
	void *arg;
	struct dep deps[DEPS_MAX];
	unsigned n_deps;
	struct op *next;
};

struct fake_stream {
	pthread_t thread;
	bool made, blocking, stuck;
	unsigned delay_ns;			/* each piece of work waits less than that; 0: none does */
	uint64_t enqueued, done;
	struct op *head, **tail;
	struct fake_graph *graph;		/* being captured into */
	CUstreamCaptureMode mode;
	bool spoilt;
	unsigned seed;
};

struct fake_event { struct fake_stream *stream; uint64_t count; _Atomic uint64_t passed_ns; };

struct fake_graph {
	struct fake_node node[NODES_MAX];
	size_t n;
	const struct fake_graph *original;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct fake_stream streams[STREAMS_MAX];	/* [0] is the legacy stream */
static unsigned n_streams;
static struct fake_event events[EVENTS_MAX];
static unsigned n_events;
static __thread CUstreamCaptureMode thread_mode = CU_STREAM_CAPTURE_MODE_GLOBAL;
static __thread struct fake_stream *per_thread;

/* The work of an event that is recorded: takes no time itself. */
static void stamp(void *arg)
{
	struct fake_event *e = *(struct fake_event **)arg;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	e->passed_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static bool ready(const struct op *op)
{
	for (unsigned i = 0; i < op->n_deps; i++)
		if (op->deps[i].stream->done < op->deps[i].count)
			return false;
	return true;
}

/* A stream's thread: each piece of work after a random delay, so that nothing happens when it was asked for. */
static void *stream_main(void *arg)
{
	struct fake_stream *s = arg;
	struct timespec delay = { 0 };
	struct op *op;

	pthread_mutex_lock(&lock);
	for (;;) {
		while (s->stuck || s->head == NULL || !ready(s->head))
			pthread_cond_wait(&changed, &lock);
		op = s->head;
		pthread_mutex_unlock(&lock);
		delay.tv_nsec = s->delay_ns ? rand_r(&s->seed) % s->delay_ns : 0;
		if (op->work != NULL && op->work != stamp && s->delay_ns)
			nanosleep(&delay, NULL);
		if (op->work != NULL)
			op->work(op->arg);
		pthread_mutex_lock(&lock);
		s->head = op->next;
		if (s->head == NULL)
			s->tail = &s->head;
		s->done++;
		pthread_cond_broadcast(&changed);
		free(op->arg);
		free(op);
	}
	return NULL;
}

static struct fake_stream *make(bool blocking)
{
	const char *seed = getenv("EKKA_TEST_FAKE_SEED"), *stuck = getenv("EKKA_TEST_FAKE_STUCK"), *delay = getenv("EKKA_TEST_FAKE_DELAY_NS");
	struct fake_stream *s;

	if (n_streams == STREAMS_MAX)
		abort();
	s = &streams[n_streams++];
	s->made = true;
	s->blocking = blocking;
	s->stuck = blocking && n_streams > 1 && stuck != NULL && stuck[0] == '1';
	s->tail = &s->head;
	s->delay_ns = delay != NULL ? (unsigned)strtoul(delay, NULL, 10) : DELAY_MAX_NS;
	s->seed = (unsigned)(seed != NULL ? strtoul(seed, NULL, 10) : 1) * 31 + n_streams;
	if (pthread_create(&s->thread, NULL, stream_main, s) != 0)
		abort();
	return s;
}

static struct fake_stream *legacy(void)
{
	return n_streams == 0 ? make(true) : &streams[0];
}

CUstream fake_stream_new(bool blocking)
{
	struct fake_stream *s;

	pthread_mutex_lock(&lock);
	(void)legacy();
	s = make(blocking);
	pthread_mutex_unlock(&lock);
	return (CUstream)s;
}

struct fake_stream *fake_stream_of(CUstream handle)
{
	struct fake_stream *s = (struct fake_stream *)handle;

	pthread_mutex_lock(&lock);
	if (handle == NULL || handle == CU_STREAM_LEGACY) {
		s = legacy();
	} else if (handle == CU_STREAM_PER_THREAD) {
		(void)legacy();
		if (per_thread == NULL)
			per_thread = make(true);
		s = per_thread;
	} else if (s < streams || s >= streams + n_streams) {
		s = NULL;
	}
	pthread_mutex_unlock(&lock);
	return s;
}

/* Any capture that the legacy stream would join: those of blocking streams. */
static bool spoil_blocking_captures(bool really)
{
	bool any = false;

	for (unsigned i = 1; i < n_streams; i++)
		if (streams[i].graph != NULL && streams[i].blocking) {
			any = true;
			streams[i].spoilt |= really;
		}
	return any;
}

static void add_dep(struct op *op, struct fake_stream *stream)
{
	op->deps[op->n_deps++] = (struct dep){ stream, stream->enqueued };
}

static void append(struct fake_stream *s, fake_work *work, const void *arg, size_t bytes, const struct dep *extra)
{
	struct op *op = calloc(1, sizeof(*op));

	if (op == NULL || (op->arg = malloc(bytes + 1)) == NULL)
		abort();
	if (bytes > 0)
		memcpy(op->arg, arg, bytes);
	op->work = work;
	if (extra != NULL)
		op->deps[op->n_deps++] = *extra;
	if (s == &streams[0]) {
		for (unsigned i = 1; i < n_streams; i++)
			if (streams[i].blocking && op->n_deps < DEPS_MAX)
				add_dep(op, &streams[i]);
	} else if (s->blocking) {
		add_dep(op, &streams[0]);
	}
	*s->tail = op;
	s->tail = &op->next;
	s->enqueued++;
	pthread_cond_broadcast(&changed);
}

static CUresult add_node(struct fake_graph *graph, fake_work *work, const void *arg, size_t bytes)
{
	void *copy = malloc(bytes + 1);

	if (graph->n == NODES_MAX || copy == NULL)
		abort();
	if (bytes > 0)
		memcpy(copy, arg, bytes);
	graph->node[graph->n].work = work;
	graph->node[graph->n].arg = copy;
	graph->node[graph->n++].bytes = bytes;
	return CUDA_SUCCESS;
}

CUresult fake_enqueue(struct fake_stream *s, fake_work *work, const void *arg, size_t bytes)
{
	CUresult res = CUDA_SUCCESS;

	if (s == NULL)
		return CUDA_ERROR_INVALID_HANDLE;
	pthread_mutex_lock(&lock);
	if (s->graph != NULL)
		res = add_node(s->graph, work, arg, bytes);
	else if (s == &streams[0] && spoil_blocking_captures(true))
		res = CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
	else
		append(s, work, arg, bytes, NULL);
	pthread_mutex_unlock(&lock);
	return res;
}

void fake_stream_synchronize(struct fake_stream *s)
{
	uint64_t until;

	pthread_mutex_lock(&lock);
	until = s->enqueued;
	while (s->done < until && !s->stuck)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

void fake_synchronize_all(void)
{
	for (unsigned i = 0; i < n_streams; i++)
		fake_stream_synchronize(&streams[i]);
}

/* ---- events ----------------------------------------------------------- */

struct fake_event *fake_event_new(void)
{
	struct fake_event *e;

	pthread_mutex_lock(&lock);
	if (n_events == EVENTS_MAX)
		abort();
	e = &events[n_events++];
	pthread_mutex_unlock(&lock);
	return e;
}

CUresult fake_event_record(struct fake_event *e, struct fake_stream *s)
{
	CUresult res = fake_enqueue(s, s != NULL && s->graph == NULL ? stamp : NULL, &e, sizeof(e));

	if (res != CUDA_SUCCESS)
		return res;
	pthread_mutex_lock(&lock);
	e->stream = s;
	e->count = s->enqueued;
	pthread_mutex_unlock(&lock);
	return CUDA_SUCCESS;
}

CUresult fake_event_wait(struct fake_event *e, struct fake_stream *s)
{
	struct dep dep;

	pthread_mutex_lock(&lock);
	dep = (struct dep){ e->stream, e->count };
	if (dep.stream != NULL)
		append(s, NULL, NULL, 0, &dep);
	pthread_mutex_unlock(&lock);
	return CUDA_SUCCESS;
}

CUresult fake_event_query(const struct fake_event *e)
{
	bool done;

	pthread_mutex_lock(&lock);
	done = e->stream == NULL || e->stream->done >= e->count;
	pthread_mutex_unlock(&lock);
	return done ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}

CUresult fake_event_elapsed(const struct fake_event *start, const struct fake_event *end, float *ret_ms)
{
	if (start->stream == NULL || end->stream == NULL)
		return CUDA_ERROR_INVALID_HANDLE;
	if (fake_event_query(start) != CUDA_SUCCESS || fake_event_query(end) != CUDA_SUCCESS)
		return CUDA_ERROR_NOT_READY;
	*ret_ms = (float)((double)(int64_t)(end->passed_ns - start->passed_ns) / 1e6);
	return CUDA_SUCCESS;
}

/* ---- capture ---------------------------------------------------------- */

CUresult fake_capture_begin(struct fake_stream *s, CUstreamCaptureMode mode)
{
	CUresult res = CUDA_ERROR_ILLEGAL_STATE;

	pthread_mutex_lock(&lock);
	if (s != NULL && s != &streams[0] && s->graph == NULL) {
		s->graph = calloc(1, sizeof(*s->graph));
		s->mode = mode;
		s->spoilt = false;
		res = s->graph != NULL ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
	}
	pthread_mutex_unlock(&lock);
	return res;
}

CUresult fake_capture_end(struct fake_stream *s, struct fake_graph **ret_graph)
{
	CUresult res;

	pthread_mutex_lock(&lock);
	*ret_graph = s->spoilt ? NULL : s->graph;
	res = s->graph == NULL ? CUDA_ERROR_ILLEGAL_STATE : s->spoilt ? CUDA_ERROR_STREAM_CAPTURE_INVALIDATED : CUDA_SUCCESS;
	s->graph = NULL;
	pthread_mutex_unlock(&lock);
	return res;
}

CUresult fake_capture_status(struct fake_stream *s, CUstreamCaptureStatus *ret_status)
{
	CUresult res = CUDA_SUCCESS;

	if (s == NULL)
		return CUDA_ERROR_INVALID_HANDLE;
	pthread_mutex_lock(&lock);
	*ret_status = s->graph == NULL ? CU_STREAM_CAPTURE_STATUS_NONE :
		      s->spoilt	       ? CU_STREAM_CAPTURE_STATUS_INVALIDATED :
					 CU_STREAM_CAPTURE_STATUS_ACTIVE;
	if (s == &streams[0] && spoil_blocking_captures(false))
		res = CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
	pthread_mutex_unlock(&lock);
	return res;
}

size_t fake_graph_nodes(const struct fake_graph *graph)
{
	return graph->n;
}

struct fake_node *fake_graph_node(struct fake_graph *graph, size_t i)
{
	return i < graph->n ? &graph->node[i] : NULL;
}

struct fake_graph *fake_graph_copy(struct fake_graph *graph)
{
	struct fake_graph *copy = calloc(1, sizeof(*copy));

	if (copy == NULL)
		abort();
	for (size_t i = 0; i < graph->n; i++)
		(void)add_node(copy, graph->node[i].work, graph->node[i].arg, graph->node[i].bytes);
	copy->original = graph;
	return copy;
}

struct fake_node *fake_graph_counterpart(struct fake_graph *copy, const struct fake_node *original)
{
	size_t i = (size_t)(original - copy->original->node);

	return original >= copy->original->node && i < copy->n ? &copy->node[i] : NULL;
}

CUresult fake_graph_launch(const struct fake_graph *graph, struct fake_stream *s)
{
	CUresult res = CUDA_SUCCESS;

	for (size_t i = 0; i < graph->n && res == CUDA_SUCCESS; i++)
		if (!graph->node[i].disabled)
			res = fake_enqueue(s, graph->node[i].work, graph->node[i].arg, graph->node[i].bytes);
	return res;
}

CUstreamCaptureMode fake_exchange_mode(CUstreamCaptureMode mode)
{
	CUstreamCaptureMode old = thread_mode;

	thread_mode = mode;
	return old;
}

CUresult fake_unsafe_call(void)
{
	CUresult res = CUDA_SUCCESS;

	pthread_mutex_lock(&lock);
	for (unsigned i = 1; i < n_streams; i++)
		if (thread_mode != CU_STREAM_CAPTURE_MODE_RELAXED && streams[i].graph != NULL &&
		    streams[i].mode == CU_STREAM_CAPTURE_MODE_GLOBAL) {
			streams[i].spoilt = true;
			res = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
		}
	pthread_mutex_unlock(&lock);
	return res;
}
