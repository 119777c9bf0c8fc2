/* SPDX-License-Identifier: Apache-2.0 */
/* The faults, for the table in fault.c. Each happened in a library that was released; none writes outside C. */
#ifndef FAULTY_BLAS_FAULT_H
#define FAULTY_BLAS_FAULT_H

#include "faulty.h"

extern const struct fault fault_k_tail, fault_half_k, fault_beta_lost, fault_c_half, fault_twice, fault_fp16_sum;
extern const struct fault fault_next_row, fault_tail_unwritten, fault_nan_tile;
extern const struct fault fault_a_element, fault_half_stride, fault_linear_read, fault_previous_matrix;

#endif
