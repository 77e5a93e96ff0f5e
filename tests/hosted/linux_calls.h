/* SPDX-License-Identifier: MIT */
/*
 * What an operation of the differential test means: 24 bits, from which a call with all its arguments follows. So any
 * part of a failing sequence is a sequence too, and the model shrinks it.
 */
#ifndef TESTS_HOSTED_LINUX_CALLS_H
#define TESTS_HOSTED_LINUX_CALLS_H

#include "linux_twin.h"
#include "model.h"

/* Without its own <sys/mman.h> Linux's numbers are those of <octavo/mman.h>. */
#define PAGE 4096ul

/* @process: who makes it, of TWIN_PROCESSES, if it lives. */
void linux_call_decode(const struct model_op *op, struct twin_call *call, unsigned int *process);
void linux_call_random(void *ctx, u64 *state, struct model_op *op);
void linux_call_describe(const struct model_op *op, char *text, size_t size);

#endif
