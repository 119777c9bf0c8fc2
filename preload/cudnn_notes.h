/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the engine behind a cuDNN plan computes: its numerical notes (tensor cores, inputs rounded to halves, Winograd, FFT), which the plan's JSON does
 * not tell. They are read where the program gives the plan its engine configuration, as a finalized plan may not hand that out again. Zone: inside
 * the host process.
 *
 * Of very many plans the last ones are known; a plan made from JSON has no notes. Thread-safe.
 */
#ifndef EKKA_PRELOAD_CUDNN_NOTES_H
#define EKKA_PRELOAD_CUDNN_NOTES_H

#include "preload/cudnn_getters.h"

/* The plan was given this configuration (a cudnnBackendDescriptor_t), by a function of the library with these getters. */
void ekka_cudnn_notes_see(const void *plan, const void *config, const struct ekka_cudnn_getters *);

/* Bits 1 << cudnnBackendNumericalNote_t. False: not known. */
bool ekka_cudnn_notes(const void *plan, uint32_t *ret);

void ekka_cudnn_notes_forget(const void *plan);

/*
 * What the notes mean for a product or convolution of this type, as attributes `compute` and `algorithm` of ops matmul and conv: for f32 "f32", "tf32" or
 * "f32_fast_16f", for halves "f32", or "f16" where sums are kept in it; "gemm", "winograd", "fft". NULL: nothing.
 */
const char *ekka_cudnn_notes_compute(uint32_t notes, enum ekka_dtype);
const char *ekka_cudnn_notes_algorithm(uint32_t notes);

#endif
