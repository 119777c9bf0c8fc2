/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the frames of a file, for the reader. Private to trace/. */
#ifndef EKKA_TRACE_FRAME_H
#define EKKA_TRACE_FRAME_H

#include "trace/error.h"
#include "trace/file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Everything points into the bytes that were parsed. */
struct ekka_frame {
	const uint8_t *start;
	const uint8_t *kind;
	size_t kind_bytes;
	const uint8_t *body;
	size_t body_bytes;
	uint64_t check;			/* as stored */
	bool has_data;			/* a frame of four */
	uint32_t data_bytes;
	size_t head_bytes;		/* from the frame's start to the data, or to the end of a frame of three */
};

bool ekka_frame_is(const struct ekka_frame *, const char *kind);

/*
 * Parses the frame that starts at p. 1: whole up to its data, *ret filled; 0: n bytes are too few, *ret_need would do for the
 * next step; negative: no frame, *ret_why says why (static text). Does not verify the check.
 */
int ekka_frame_parse(const uint8_t *p, size_t n, struct ekka_frame *ret, size_t *ret_need, const char **ret_why);

/* Do the bytes before the check match it? */
bool ekka_frame_check(const struct ekka_frame *);

/* Walks the frames of a file from its start, reading `step` bytes at a time. Release with ekka_scan_release. */
struct ekka_scan {
	struct ekka_file *file;
	int fd;
	size_t step;
	uint8_t *buf;
	size_t cap, len, pos;		/* of buf; pos: next frame */
	uint64_t base;			/* file offset of buf[0] */
};
int ekka_scan_init(struct ekka_scan *, struct ekka_file *, size_t step, struct ekka_error *err);
void ekka_scan_release(struct ekka_scan *);

/*
 * 1: next frame in *ret, its check verified, valid until the next call, *ret_at its file offset; data of a frame of four is
 * inside the file but not read. 0: end of file. Negative: damage at *ret_at; err names file and offset; the scan is over.
 */
int ekka_scan_next(struct ekka_scan *, struct ekka_frame *ret, uint64_t *ret_at, struct ekka_error *err);

#endif
