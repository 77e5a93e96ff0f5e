// SPDX-License-Identifier: MIT
/* Running, shrinking and enumerating sequences of operations: see model.h. */
#include "model.h"

static struct model_op sequence[MODEL_OPS_MAX], attempt[MODEL_OPS_MAX];

const char *model_run_ops(const struct model *model, const struct model_op *ops, unsigned int nr, unsigned int *at)
{
	const char *why = NULL;

	model->reset(model->ctx);
	for (*at = 0; *at < nr; ++*at) {
		why = model->apply(model->ctx, &ops[*at]);
		if (!why && model->check_every && (*at + 1) % model->check_every == 0)
			why = model->check(model->ctx);
		if (why)
			return why;
	}
	*at = nr ? nr - 1 : 0;
	return model->check(model->ctx);
}

/* The sequence without ops[from, from + count), if it still fails, takes the sequence's place. */
static bool try_without(const struct model *model, unsigned int *nr, unsigned int from, unsigned int count)
{
	unsigned int at;
	memcpy(attempt, sequence, from * sizeof(*sequence));
	memcpy(attempt + from, sequence + from + count, (*nr - from - count) * sizeof(*sequence));
	if (!model_run_ops(model, attempt, *nr - count, &at))
		return false;
	*nr = min(*nr - count, at + 1);
	memcpy(sequence, attempt, *nr * sizeof(*sequence));
	return true;
}

/* Leaves out ever smaller pieces, as delta debugging does (Zeller, Hildebrandt 2002), within 2000 runs. */
static unsigned int shrink(const struct model *model, unsigned int nr)
{
	unsigned int tries = 2000;

	for (unsigned int piece = (nr + 1) / 2; piece; piece = piece == 1 ? 0 : (piece + 1) / 2) {
		bool again = true;

		while (again) {
			again = false;
			for (unsigned int from = 0; from + piece <= nr && tries; tries--) {
				if (try_without(model, &nr, from, piece))
					again = piece == 1;
				else
					from += piece;
			}
		}
	}
	return nr;
}

/* @first: what was wrong before anything was left out. */
static void report(const struct model *model, unsigned int nr, u64 seed, const char *first)
{
	const char *why;
	char text[128];
	unsigned int at;

	/* Once more: the text of what is wrong may have been written over by later attempts. */
	why = model_run_ops(model, sequence, nr, &at);
	test_fail(model->name, 0, "%s%s; after these %u operations (seed %llu):", why ? "" : "only sometimes wrong: ",
		  why ? why : first, nr, (unsigned long long)seed);
	for (unsigned int i = 0; i < min(nr, 60u); i++) {
		model->describe(&sequence[i], text, sizeof(text));
		printk("  %3u  %s\n", i, text);
	}
	if (nr > 60)
		printk("  ... and %u more\n", nr - 60);
}

bool model_run(const struct model *model, u64 seed, unsigned int nr, unsigned int *shrunk)
{
	static char first[800];
	u64 state = seed;
	const char *why;
	unsigned int at;

	nr = min(nr, (unsigned int)MODEL_OPS_MAX);
	for (unsigned int i = 0; i < nr; i++) {
		sequence[i] = (struct model_op){ .b = (u16)i };
		model->random(model->ctx, &state, &sequence[i]);
	}
	why = model_run_ops(model, sequence, nr, &at);
	if (!why)
		return true;
	strscpy(first, why, sizeof(first));
	nr = shrink(model, at + 1);
	if (shrunk)
		*shrunk = nr;
	report(model, nr, seed, first);
	return false;
}

bool model_exhaustive(const struct model *model, const struct model_op *alphabet, unsigned int letters,
		      unsigned int length)
{
	u64 total = 1;

	for (unsigned int i = 0; i < length; i++)
		total *= letters;
	for (u64 word = 0; word < total; word++) {
		const char *why;
		unsigned int at;
		u64 rest = word;

		for (unsigned int i = 0; i < length; i++) {
			sequence[i] = alphabet[rest % letters];
			rest /= letters;
		}
		why = model_run_ops(model, sequence, length, &at);
		if (!why)
			continue;
		report(model, shrink(model, at + 1), word, why);
		return false;
	}
	return true;
}

unsigned int model_decode(const u8 *bytes, size_t size, struct model_op *ops, unsigned int max)
{
	unsigned int nr = 0;

	for (; size >= 4 && nr < max; bytes += 4, size -= 4)
		ops[nr++] = (struct model_op){ bytes[0], bytes[1], (u16)(bytes[2] | bytes[3] << 8) };
	return nr;
}
