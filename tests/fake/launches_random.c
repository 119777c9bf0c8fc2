/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes of every kind into a few buffers, in an order that EKKA_TEST_FAKE_SEED chooses, and launches that read what is there: whoever believes old bytes is
 * found out. All in one stream. Knows nothing of the shim.
 */
#include "config.h"

#include "tests/fake/launches.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFERS = 6, FLOATS = 3000, PIECE = 256, ROUNDS = 400, UP = 64 };
static CUfunction axpb, scale;
static CUstream stream;
static CUdeviceptr buffers[BUFFERS];
static float *up;		/* pinned, what goes up; a place of its own for each copy */
static unsigned n_up, seed;
static struct { CUdeviceptr y, x; float a, b; int n; } last;

static unsigned below(unsigned n)
{
	return (unsigned)rand_r(&seed) % n;
}

static void fill(CUdeviceptr p, unsigned floats)
{
	OK(cu.p_cuMemsetD8Async(p, (unsigned char)(0x3d + below(4)), floats * sizeof(float), stream));
}

static void make(unsigned i)
{
	if (below(4) == 0)
		OK(cu.p_cuMemAllocManaged(&buffers[i], FLOATS * sizeof(float), CU_MEM_ATTACH_GLOBAL));
	else
		OK(cu.p_cuMemAlloc(&buffers[i], FLOATS * sizeof(float)));
	fill(buffers[i], FLOATS);
}

/* Few places, so that the same range comes again. */
static CUdeviceptr place(unsigned buffer)
{
	static const unsigned at[] = { 0, 1, PIECE, 1000, 1024, FLOATS - PIECE };

	return buffers[buffer] + at[below(6)] * sizeof(float);
}

static void launch(void)
{
	OK(cu.p_cuLaunchKernel(axpb, 1, 1, 1, PIECE, 1, 1, 0, stream, (void *[]){ &last.y, &last.x, &last.a, &last.b, &last.n }, NULL));
}

static void choose(unsigned from, unsigned to)
{
	last.x = place(from);
	last.y = below(3) == 0 ? last.x : place(to);
	last.a = below(2) ? 0.5f : -1;
	last.b = (float)below(3);
	last.n = PIECE;
}

static void write_somehow(unsigned from, unsigned to)
{
	CUdeviceptr p = place(to);
	float half = 0.5f;
	int n = PIECE;

	switch (below(22)) {
	case 0: case 1: case 2:
		fill(p, 1 + below(PIECE));
		break;
	case 3: case 4: case 5:
		OK(cu.p_cuMemcpyDtoDAsync(p, place(from), PIECE * sizeof(float), stream));
		break;
	case 6: case 7: case 8:
		up[n_up % UP * PIECE] = (float)n_up;
		if (n_up < UP)
			OK(cu.p_cuMemcpyHtoDAsync(p, &up[n_up++ * PIECE], sizeof(float), stream));
		break;
	case 9:
		OK(cu.p_cuMemFree(buffers[to]));
		make(to);
		choose(from, to);	/* the last launch's may be gone */
		break;
	case 10:	/* nobody knows what it writes */
		OK(cu.p_cuLaunchKernel(scale, 1, 1, 1, PIECE, 1, 1, 0, stream, (void *[]){ &p, &half, &n }, NULL));
		break;
	default:
		break;
	}
}

void launch_random(CUmodule module)
{
	const char *env = getenv("EKKA_TEST_FAKE_SEED");

	seed = env ? (unsigned)atoi(env) : 1;
	OK(cu.p_cuModuleGetFunction(&axpb, module, "_Z4axpbPfPKfffi"));
	OK(cu.p_cuModuleGetFunction(&scale, module, "_Z5scalePffi"));
	OK(cu.p_cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	OK(cu.p_cuMemHostAlloc((void **)&up, UP * PIECE * sizeof(float), 0));
	for (unsigned i = 0; i < BUFFERS; i++)
		make(i);
	choose(0, 1);
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned from = below(BUFFERS), to = (from + 1 + below(BUFFERS - 1)) % BUFFERS;

		write_somehow(from, to);
		if (below(3) > 0)
			choose(from, to);
		last.n = PIECE;
		launch();
	}
	OK(cu.p_cuStreamSynchronize(stream));
}
