/* SPDX-License-Identifier: Apache-2.0 */
/* Runs files through the fuzz target where there is no libFuzzer: run_corpus FILE... */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_BYTES = 1 << 20 };

int main(int argc, char **argv)
{
	uint8_t *buf = malloc(MAX_BYTES);

	if (!buf || argc < 2) {
		fprintf(stderr, "usage: run_corpus FILE...\n");
		return 1;
	}
	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "r");
		size_t n;

		if (!f) {
			perror(argv[i]);
			return 1;
		}
		n = fread(buf, 1, MAX_BYTES, f);
		(void)fclose(f);
		(void)LLVMFuzzerTestOneInput(buf, n);
	}
	printf("%d inputs\n", argc - 1);
	free(buf);
	return 0;
}
