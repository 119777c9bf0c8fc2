/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command's options as one array, which feeds getopt_long, -h, the man page and
 * completion. Every command also has -h, --help without listing it.
 */
#ifndef EKKA_TOOLS_OPTIONS_H
#define EKKA_TOOLS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum ekka_option_kind {
	EKKA_OPT_END,
	EKKA_OPT_FLAG,		/* bool *: set true */
	EKKA_OPT_TEXT,		/* const char **: borrowed from argv */
	EKKA_OPT_NUMBER,	/* uint64_t *: decimal */
	EKKA_OPT_BYTES,		/* uint64_t *: decimal with an optional K, M, G or T (powers of 1024) */
};

struct ekka_option {
	enum ekka_option_kind kind;
	char letter;		/* short form, or 0 */
	const char *name;	/* long form; '_' stands for '-', so that a table of C identifiers can serve */
	const char *metavar;	/* what follows in the synopsis, NULL for flags */
	const char *help;	/* lower case, no period */
	void *value;		/* where to store, by kind */
	const char *complete;	/* completion of its argument: "@file", "@dir", words separated by '|', or NULL */
};

#define EKKA_OPTIONS_END { .kind = EKKA_OPT_END }

/* Upper limit of options in one array, checked where arrays are read. */
enum { EKKA_MAX_OPTIONS = 64, EKKA_OPTION_NAME_BYTES = 32 };

/*
 * Parses with getopt_long. stop_early: options end at the first operand. On an error writes why into `why`
 * (a message without prefix) and returns -1; returns -2 when help was asked for; otherwise the index of the
 * first operand (argv is permuted).
 */
int ekka_options_parse(const struct ekka_option *, bool stop_early, int argc, char **argv, char *why, size_t why_len);

/* "ekka NAME [-h] [--json] [-o DIR] OPERANDS", not wrapped. */
void ekka_options_synopsis(const struct ekka_option *, const char *name, const char *operands, FILE *out);

/* The long form as the user writes it, without dashes. Returns buf. */
const char *ekka_option_name(const struct ekka_option *, char buf[EKKA_OPTION_NAME_BYTES]);

/* "-o, --output DIR": the left column of one option's help. */
void ekka_option_label(const struct ekka_option *, FILE *out);

/* Wraps `text` at `width` columns; lines after the first start with `indent` blanks; the first is at column `at`. */
void ekka_wrap(FILE *out, const char *text, size_t at, size_t indent, size_t width);

/* Decimal with optional K, M, G, T: 0, or -1. */
int ekka_parse_bytes(const char *s, uint64_t *ret_bytes);
int ekka_parse_number(const char *s, uint64_t *ret_n);

/* The -h every command has. */
extern const struct ekka_option ekka_option_help;

#endif
