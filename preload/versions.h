/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which device bytes are still what a snapshot saw, so that they are not copied again. Zone: inside the host process. Any thread; no
 * allocation but whole pages, no lock but a short one around a snapshot's registration.
 *
 * A clock counts writes. Every 4 KiB of device memory keep the time of the last write that the engine issued into them; a snapshot keeps the
 * time at which it was enqueued. If nothing was written since, a later snapshot of the same range has the same content: work
 * that the program orders itself is issued in that order, so a write that is issued before a snapshot and runs after it would be a race of
 * the engine's own. Whatever may write in places unknown (a kernel without description) counts as a write everywhere.
 *
 * The content's id is known only when the sink has hashed it. A snapshot therefore has a serial number, and the sink a table of contents by
 * serial: entries of the queue are worked on in order, so the first snapshot's content is always there when a later reference is.
 */
#ifndef EKKA_PRELOAD_VERSIONS_H
#define EKKA_PRELOAD_VERSIONS_H

#include "preload/capture.h"

/* Every write is seen from now on: launches, memory operations, library calls. Before that nothing is ever known. */
void ekka_versions_enable(void);

/* For good: an entry point of the driver that we watch was given out past us, or memory that others write lies where nobody knows. */
void ekka_versions_disable(void);

/* This memory others may write unseen: nothing of it is known from now on; until it is the engine's alone again. */
void ekka_versions_share(uint64_t addr, uint64_t bytes);
void ekka_versions_own(uint64_t addr, uint64_t bytes);

/* The engine issued a write of these bytes; of bytes nobody knows. */
void ekka_versions_wrote(uint64_t addr, uint64_t bytes);
void ekka_versions_wrote_anything(void);

/*
 * The same for what a call writes by its description; anything, if it has none; nothing, if it computes on the host. For the outermost call, and for
 * calls inside of one that computes on the host.
 */
void ekka_versions_wrote_by(struct ekka_call *call);
bool ekka_versions_on_host(const struct ekka_fn *fn);

/* The clock, to be read before a copy is enqueued. */
uint32_t ekka_versions_now(void);

/* Serial number of a snapshot of exactly these bytes that is still right, or 0. */
uint64_t ekka_versions_find(uint64_t addr, uint64_t bytes);

/* A serial number for a snapshot; and, when its queue entry is committed, its registration as taken at `clock`. */
uint64_t ekka_versions_serial(void);
void ekka_versions_publish(uint64_t addr, uint64_t bytes, uint32_t clock, uint64_t serial);

/* Sink: what a snapshot turned out to be: an id, or why there is none (static text). And what it was; false: not known (any more). */
void ekka_versions_settle(uint64_t serial, const struct ekka_blob_id *id, const char *why);
bool ekka_versions_content(uint64_t serial, struct ekka_blob_id *ret_id, const char **ret_why);

#endif
