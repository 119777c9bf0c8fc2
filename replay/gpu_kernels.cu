/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernels of the GPU backend, in float64; matrix products are cuBLAS's. Built without contraction of a * b + c (-fmad=false), so that each operation rounds as it
 * does on the CPU. A C compiler takes them too (tests/unit/replay/gpu_stand_in.c).
 */
#include "replay/gpu_device.cuh"
#include "replay/gpu_gemm.cuh"
#include "replay/gpu_product.cuh"
#include "replay/gpu_attention.cuh"
#include "replay/gpu_attention_event.cuh"
#include "replay/gpu_rows.cuh"
#include "replay/gpu_reduce.cuh"
#include "replay/gpu_softmax.cuh"
#include "replay/gpu_quantize.cuh"
#include "replay/gpu_rope.cuh"
#include "replay/gpu_expr.cuh"
#include "replay/gpu_cat.cuh"
