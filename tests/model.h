/* SPDX-License-Identifier: MIT */
/*
 * Model tests: operations on the real thing and on a naive oracle, side by side. Freestanding.
 *
 * An operation is a few numbers that mean something in any state ("free the (a mod live)th block"), so any
 * part of a failing sequence is a sequence too. That is what lets a failure be shrunk, short sequences be
 * enumerated, and a fuzzer's bytes be decoded into the very same operations.
 */
#ifndef TESTS_MODEL_H
#define TESTS_MODEL_H

#include "harness.h"

struct model_op {
	u8 kind;
	u8 a;
	u16 b;
};

/**
 * struct model - what is tested
 * @name: for reports
 * @ctx: passed to all functions
 * @reset: begin anew: a fresh world and an empty oracle
 * @random: draw an operation; its b comes in as its place in the sequence
 * @apply: do it to both; NULL, or what differs (a static text)
 * @check: examine the whole world; NULL, or what is wrong. Runs every @check_every operations and at the end
 * @describe: one operation as text
 */
struct model {
	const char *name;
	void *ctx;
	void (*reset)(void *ctx);
	void (*random)(void *ctx, u64 *state, struct model_op *op);
	const char *(*apply)(void *ctx, const struct model_op *op);
	const char *(*check)(void *ctx);
	void (*describe)(const struct model_op *op, char *text, size_t size);
	unsigned int check_every;
};

#define MODEL_OPS_MAX 8192

/* Runs the sequence; NULL, or what went wrong at ops[*at]. */
const char *model_run_ops(const struct model *model, const struct model_op *ops, unsigned int nr, unsigned int *at);

/**
 * model_run - @nr random operations from @seed; a failing sequence is shrunk and reported
 * Return: whether all went well; if not, the test has failed. *@shrunk (may be NULL): length of what was left.
 */
bool model_run(const struct model *model, u64 seed, unsigned int nr, unsigned int *shrunk);

/** model_exhaustive - every sequence of @length operations out of @alphabet */
bool model_exhaustive(const struct model *model, const struct model_op *alphabet, unsigned int letters,
		      unsigned int length);

/* Operations from a fuzzer's bytes, four each. Return: how many. */
unsigned int model_decode(const u8 *bytes, size_t size, struct model_op *ops, unsigned int max);

#endif
