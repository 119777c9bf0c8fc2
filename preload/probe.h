/* SPDX-License-Identifier: Apache-2.0 */
/* Reads memory that may not be there, without a signal. Zone: inside the host process. errno is not kept. */
#ifndef EKKA_PRELOAD_PROBE_H
#define EKKA_PRELOAD_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Is [addr, addr + bytes) readable: all of it is mapped, and its first and last page and up to 62 pages
 * between can be read. A hole in the permissions of a longer range can be missed.
 */
bool ekka_probe(uint64_t addr, uint64_t bytes);

/* Copies n bytes from addr; false when they cannot be read. */
bool ekka_probe_copy(void *dst, uint64_t addr, size_t n);

#endif
