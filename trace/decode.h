/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of records into the structures of model.h. Everything that is decoded lives in the given zone
 * (msgpack-c's pool); `body` is not needed afterwards. Absent keys give zero or "", a key with
 * a value of the wrong type is an error. Private to trace/; thread-safe on distinct zones.
 *
 * Each returns NULL, or what is wrong with the body (static text).
 */
#ifndef EKKA_TRACE_DECODE_H
#define EKKA_TRACE_DECODE_H

#include "trace/model.h"

#include <msgpack/zone.h>

const char *ekka_decode_open(msgpack_zone *, const uint8_t *body, size_t n, struct ekka_rec_open *ret);
const char *ekka_decode_fn(msgpack_zone *, const uint8_t *body, size_t n, struct ekka_rec_fn *ret);
const char *ekka_decode_device(msgpack_zone *, const uint8_t *body, size_t n, struct ekka_rec_device *ret);
const char *ekka_decode_maps(msgpack_zone *, const uint8_t *body, size_t n, struct ekka_rec_maps *ret);
const char *ekka_decode_stack(msgpack_zone *, const uint8_t *body, size_t n, struct ekka_rec_stack *ret);
const char *ekka_decode_call(msgpack_zone *, const uint8_t *body, size_t n, struct ekka_rec_call *ret);
const char *ekka_decode_data(msgpack_zone *, const uint8_t *body, size_t n, struct ekka_rec_data *ret);
const char *ekka_decode_ret(msgpack_zone *, const uint8_t *body, size_t n, struct ekka_rec_ret *ret);
const char *ekka_decode_close(msgpack_zone *, const uint8_t *body, size_t n, struct ekka_rec_close *ret);

#endif
