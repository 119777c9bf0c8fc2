/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Launches inside NVTX ranges of the name "step 1" and outside of them, and after signals. window HOW [tool]: how a range is named (see `ways`); "tool":
 * NVTX has a tool that numbers nested ranges. Prints what the launches computed is right, or ends with status 1. Knows nothing of the shim.
 */
#include "config.h"

#include "tests/fake/launches.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if __has_include(<nvtx3/nvToolsExt.h>)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wundef"
#include <nvtx3/nvToolsExt.h>
#pragma GCC diagnostic pop
#else
#define NO_NVTX
#endif

struct launches_api cu;

enum { N = 200, THREADS = 256, STEPS = 7 };
static CUfunction axpb;
static CUstream stream;
static CUdeviceptr x;
static int no_tool = 1;

void must(int ok, const char *what)
{
	if (!ok) {
		printf("WRONG: %s\n", what);
		exit(1);
	}
}

/* x = x + 1 */
static void step(void)
{
	float a = 1, b = 1;
	int n = N;

	OK(cuLaunchKernel(axpb, 1, 1, 1, THREADS, 1, 1, 0, stream, (void *[]){ &x, &x, &a, &b, &n }, NULL));
}

static void check(float want)
{
	static float *v;

	OK(cuMemHostAlloc((void **)&v, N * sizeof(float), 0));
	OK(cuMemcpyDtoHAsync(v, x, N * sizeof(float), stream));
	OK(cuStreamSynchronize(stream));
	for (int i = 0; i < N; i++)
		must(v[i] == want, "the sum");
}

static void by_signal(const char *name)
{
	if (name[0] == 's')
		(void)raise(SIGUSR2);
}

static void end_signal(void)
{
	(void)raise(SIGUSR2);
}

#ifndef NO_NVTX
static nvtxDomainHandle_t domain;
static nvtxRangeId_t id;

static nvtxEventAttributes_t attributes(void)
{
	return (nvtxEventAttributes_t){ .version = NVTX_VERSION, .size = NVTX_EVENT_ATTRIB_STRUCT_SIZE, .messageType = NVTX_MESSAGE_TYPE_ASCII };
}

static void push(const char *name)
{
	must(nvtxRangePushA(name) == (no_tool ? NVTX_NO_PUSH_POP_TRACKING : 0), "the level");
}

static void pop(void)
{
	must(nvtxRangePop() == (no_tool ? NVTX_NO_PUSH_POP_TRACKING : 0), "the level of a pop");
}

static void push_ex(const char *name)
{
	nvtxEventAttributes_t a = attributes();

	a.message.ascii = name;
	(void)nvtxRangePushEx(&a);
	(void)nvtxRangePushA("inside");
	(void)nvtxRangePop();
}

static void push_wide(const char *name)
{
	(void)nvtxRangePushW(name[0] == 's' ? L"step \u2014" : L"other");
}

static void push_domain(const char *name)
{
	nvtxEventAttributes_t a = attributes();

	domain = nvtxDomainCreateA("engine");
	a.message.ascii = name;
	(void)nvtxDomainRangePushEx(domain, &a);
	(void)nvtxRangePushA("other domain's");
	(void)nvtxRangePop();
	(void)nvtxRangePop();
}

static void push_registered(const char *name)
{
	nvtxEventAttributes_t a = attributes();

	a.messageType = NVTX_MESSAGE_TYPE_REGISTERED;
	domain = nvtxDomainCreateW(L"engine");
	a.message.registered = nvtxDomainRegisterStringA(domain, name);
	(void)nvtxDomainRangePushEx(domain, &a);
}

static void pop_domain(void)
{
	(void)nvtxDomainRangePop(domain);
}

static void start(const char *name)
{
	id = nvtxRangeStartA(name);
}

static void *end_elsewhere(void *arg)
{
	nvtxRangeEnd(id);
	return arg;
}

static void end(void)
{
	pthread_t thread;

	must(pthread_create(&thread, NULL, end_elsewhere, NULL) == 0 && pthread_join(thread, NULL) == 0, "a thread");
}
#endif

static const struct way { const char *how; void (*begin)(const char *name); void (*end)(void); } ways[] = {
	{ "signal", by_signal, end_signal },
#ifndef NO_NVTX
	{ "push", push, pop }, { "ex", push_ex, pop }, { "wide", push_wide, pop }, { "domain", push_domain, pop_domain },
	{ "registered", push_registered, pop_domain }, { "start", start, end },
#endif
};

/* Three of the steps are inside. */
static void run(const struct way *w)
{
	step();
	w->begin("step 1");
	step();
	step();
	w->end();
	step();
	if (w->begin != by_signal) {
		w->begin("other");
		step();
		w->end();
	} else {
		step();
	}
	w->begin("step 1");
	step();
	w->end();
	step();
}

int main(int argc, char **argv)
{
	CUmodule module;
	unsigned i = 0;

	while (i < sizeof(ways) / sizeof(ways[0]) && (argc < 2 || strcmp(ways[i].how, argv[1]) != 0))
		i++;
	if (i == sizeof(ways) / sizeof(ways[0]))
		return 77;
	no_tool = argc < 3;
	OK(cuInit(0));
	OK(cuModuleLoadData(&module, launches_image));
	OK(cuModuleGetFunction(&axpb, module, "_Z4axpbPfPKfffi"));
	OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	OK(cuMemAlloc(&x, N * sizeof(float)));
	OK(cuMemsetD8Async(x, 0, N * sizeof(float), stream));
	run(&ways[i]);
	check(STEPS);
	puts("fine");
	return 0;
}
