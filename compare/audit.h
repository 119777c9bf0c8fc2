/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be said about a call's arguments without computing anything: an op can be right for arguments that are wrong.
 * Findings go to verdict.audit, "; " between them; notes that only describe a choice of precision start with "policy: ".
 */
#ifndef EKKA_COMPARE_AUDIT_H
#define EKKA_COMPARE_AUDIT_H

#include "compare/verdict.h"
#include "trace/reader.h"

/*
 * Appends findings about this event to v->audit: arguments the API forbids, null pointers, an output that overlaps an input or itself, a workspace
 * that overlaps an operand.
 * Only certain overlap is reported: parts of one larger matrix whose ranges interleave are legitimate, and so are ops that go element by element
 * or row by row where the output is the input (x += y). A policy note says when a kernel that takes no 64-bit number, by itself or in a struct, works on a
 * tensor of more than 2^31 elements: products of its integers may overflow. Thread-safe on distinct verdicts.
 */
void ekka_audit_event(const struct ekka_event *event, struct ekka_verdict *v);

/* Appends a finding when a scalar, wherever it came from, is not finite. */
void ekka_audit_scalar(struct ekka_verdict *v, const char *name, const double value[2]);

/* Appends one finding, or one policy note. */
void ekka_audit_append(struct ekka_verdict *v, const char *finding);
void ekka_audit_append_policy(struct ekka_verdict *v, const char *note);

/* Does the text hold more than policy notes. */
bool ekka_audit_is_finding(const char *audit);

/* Did the library itself refuse the call (a cuBLAS status other than success). */
bool ekka_audit_call_failed(const struct ekka_event *event);

#endif
