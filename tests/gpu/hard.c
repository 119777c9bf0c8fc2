/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that end or change context with work in flight. argv[1]: exit, _exit, thread, reset, fork. Exit status 0 when all went as told. */
#include "tests/gpu/cases.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

cublasHandle_t handle;
cudaStream_t stream;

static void start(void)
{
	MUST(cudaStreamCreate(&stream));
	MUST(cublasCreate_v2(&handle));
	MUST(cublasSetStream_v2(handle, stream));
}

/* Several products enqueued, none waited for. */
static void enqueue(struct product *p)
{
	const float one = 1, zero = 0;

	*p = (struct product){ .m = 64, .n = 64, .k = 64, .type = CUDA_R_32F, .type_c = CUDA_R_32F, .alpha = 1 };
	product_new(p, 1);
	for (int i = 0; i < 8; i++)
		MUST(cublasSgemm_v2(handle, p->ta, p->tb, p->m, p->n, p->k, &one, p->a, p->lda, p->b, p->ldb, &zero, p->c, p->ldc));
}

static void *leave(void *arg)
{
	(void)arg;
	exit(0);
}

static int fork_child(void)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		exit(0); /* with the parent's exit handlers */
	return waitpid(child, &status, 0) != child || status != 0;
}

int main(int argc, char *argv[])
{
	const char *how = argc > 1 ? argv[1] : "";
	struct product p;
	pthread_t thread;

	start();
	enqueue(&p);
	if (strcmp(how, "exit") == 0)
		exit(0);
	if (strcmp(how, "_exit") == 0)
		_exit(0);
	if (strcmp(how, "thread") == 0) {
		if (pthread_create(&thread, NULL, leave, NULL) == 0)
			pthread_join(thread, NULL);
		return 1;
	}
	if (strcmp(how, "fork") == 0)
		return fork_child() || product_check(&p, 1e-4);
	if (strcmp(how, "reset") == 0) {
		MUST(cudaDeviceReset());
		start();
		enqueue(&p);
		return product_check(&p, 1e-4);
	}
	return 2;
}
