/* SPDX-License-Identifier: Apache-2.0 */
#include "fault.h"

#include <stdio.h>
#include <string.h>

static const struct fault *const faults[] = {
	&fault_k_tail, &fault_half_k, &fault_beta_lost, &fault_c_half, &fault_twice, &fault_fp16_sum,
	&fault_next_row, &fault_tail_unwritten, &fault_nan_tile,
	&fault_a_element, &fault_half_stride, &fault_linear_read, &fault_previous_matrix,
};

enum { N_FAULTS = sizeof faults / sizeof *faults };

const struct fault *fault_find(const char *name)
{
	for (int i = 0; i < N_FAULTS; i++)
		if (strcmp(faults[i]->name, name) == 0)
			return faults[i];
	return NULL;
}

void fault_list(int fd)
{
	for (int i = 0; i < N_FAULTS; i++)
		dprintf(fd, " %s", faults[i]->name);
	dprintf(fd, "\n");
}
