/* SPDX-License-Identifier: Apache-2.0 */
/* tinylm: continues a text, greedily, one byte at a time. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

struct options {
	const char *prompt, *weights;
	int tokens;			/* -1: as many as the model's context holds */
	bool hash;
};

static void usage(FILE *to)
{
	fprintf(to, "usage: tinylm [--prompt TEXT] [--tokens N] [--weights FILE] [--print-logits-hash]\n"
		"  --prompt TEXT         what to continue\n"
		"  --tokens N            bytes to write; default: until the model's context is full\n"
		"  --weights FILE        default: " TINYLM_WEIGHTS "\n"
		"  --print-logits-hash   last, a line with a hash of every logit's bits\n");
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option table[] = {
		{ "prompt", required_argument, NULL, 'p' },
		{ "tokens", required_argument, NULL, 'n' },
		{ "weights", required_argument, NULL, 'w' },
		{ "print-logits-hash", no_argument, NULL, 'x' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	char *end;

	for (int c; (c = getopt_long(argc, argv, "", table, NULL)) != -1;) {
		switch (c) {
		case 'p': o->prompt = optarg; break;
		case 'w': o->weights = optarg; break;
		case 'x': o->hash = true; break;
		case 'h': usage(stdout); exit(0);
		case 'n':
			errno = 0;
			long n = strtol(optarg, &end, 10);
			if (errno || *end || end == optarg || n < 1 || n > 1000000) {
				fprintf(stderr, "tinylm: bad number '%s'\n", optarg);
				return -1;
			}
			o->tokens = n;
			break;
		default: usage(stderr); return -1;
		}
	}
	if (optind < argc || !*o->prompt) {
		usage(stderr);
		return -1;
	}
	return 0;
}

static int most_likely(const float *logits, int count)
{
	int best = 0;

	for (int i = 1; i < count; i++)
		if (logits[i] > logits[best])
			best = i;
	return best;
}

/* FNV-1a, 64 bits. */
static uint64_t hash_bytes(uint64_t h, const void *p, size_t n)
{
	for (const unsigned char *b = p; n--; b++)
		h = (h ^ *b) * 0x100000001b3;
	return h;
}

static int generate(struct model *m, const struct options *o)
{
	const struct model_shape *s = model_shape(m);
	int given = strlen(o->prompt), room = s->context - given;
	int count = o->tokens < 0 || o->tokens > room + 1 ? room + 1 : o->tokens;
	uint64_t hash = 0xcbf29ce484222325;
	const float *logits;

	if (model_feed(m, (const unsigned char *)o->prompt, given, &logits) < 0)
		return -1;
	fputs(o->prompt, stdout);
	for (int i = 0;; i++) {
		hash = hash_bytes(hash, logits, s->vocab * sizeof *logits);
		unsigned char next = most_likely(logits, s->vocab);
		/* A model gone wrong writes anything: keep control bytes from the terminal. */
		putchar((next < ' ' && next != '\n') || next == 0x7f ? '?' : next);
		if (i + 1 >= count)
			break;
		if (model_feed(m, &next, 1, &logits) < 0)
			return -1;
	}
	putchar('\n');
	if (o->hash)
		printf("logits %016" PRIx64 "\n", hash);
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = { .prompt = "You may not ", .weights = TINYLM_WEIGHTS, .tokens = -1 };
	struct model *m;

	if (parse(argc, argv, &o) < 0)
		return 2;
	if (model_open(o.weights, &m) < 0)
		return 1;
	int r = generate(m, &o);
	model_close(m);
	return r < 0 || fflush(stdout) ? 1 : 0;
}
