/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of records into the structures of model.h. What is decoded lives in zones->keep; `body` and what
 * zones->temp holds are not needed afterwards. Absent keys give zero or "", a key with a value of the
 * wrong type is an error. Private to trace/; thread-safe on distinct zones.
 *
 * Each returns NULL, or what is wrong with the body (static text).
 */
#ifndef EKKA_TRACE_DECODE_H
#define EKKA_TRACE_DECODE_H

#include "trace/model.h"

#include <msgpack/zone.h>

/*
 * msgpack-c's pools. Its objects take up to 24 bytes for one byte of body: whoever keeps what is decoded for long clears `temp`
 * after each record. Both may be the same.
 */
struct ekka_decode_zones {
	msgpack_zone *keep, *temp;
};

const char *ekka_decode_open(const struct ekka_decode_zones *, const uint8_t *body, size_t n, struct ekka_rec_open *ret);
const char *ekka_decode_fn(const struct ekka_decode_zones *, const uint8_t *body, size_t n, struct ekka_rec_fn *ret);
const char *ekka_decode_module(const struct ekka_decode_zones *, const uint8_t *body, size_t n, struct ekka_rec_module *ret);
const char *ekka_decode_device(const struct ekka_decode_zones *, const uint8_t *body, size_t n, struct ekka_rec_device *ret);
const char *ekka_decode_maps(const struct ekka_decode_zones *, const uint8_t *body, size_t n, struct ekka_rec_maps *ret);
const char *ekka_decode_stack(const struct ekka_decode_zones *, const uint8_t *body, size_t n, struct ekka_rec_stack *ret);
const char *ekka_decode_call(const struct ekka_decode_zones *, const uint8_t *body, size_t n, struct ekka_rec_call *ret);
const char *ekka_decode_data(const struct ekka_decode_zones *, const uint8_t *body, size_t n, struct ekka_rec_data *ret);
const char *ekka_decode_ret(const struct ekka_decode_zones *, const uint8_t *body, size_t n, struct ekka_rec_ret *ret);
const char *ekka_decode_close(const struct ekka_decode_zones *, const uint8_t *body, size_t n, struct ekka_rec_close *ret);

#endif
