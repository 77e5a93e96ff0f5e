// SPDX-License-Identifier: MIT
/* The test tools find what was planted, and nothing else. */
#include "fault.h"
#include "model.h"

#include <octavo/gfp.h>

/*
 * A counter that loses one: its 3rd "increment" after a "reset" does nothing. The shortest failing sequence is
 * three increments.
 */
struct leaky {
	unsigned int real, oracle, since_reset;
	bool broken;
};

enum { INCREMENT, DECREMENT, ZERO };

static void leaky_reset(void *ctx)
{
	struct leaky *l = ctx;

	l->real = l->oracle = l->since_reset = 0;
}

static void leaky_random(void *ctx, u64 *state, struct model_op *op)
{
	(void)ctx;
	*op = (struct model_op){ .kind = (u8)(test_random(state) % 3) };
}

static const char *leaky_apply(void *ctx, const struct model_op *op)
{
	struct leaky *l = ctx;

	switch (op->kind) {
	case INCREMENT:
		l->oracle++;
		l->real += !(l->broken && ++l->since_reset == 3);
		break;
	case DECREMENT:
		if (l->oracle)
			l->oracle--;
		if (l->real)
			l->real--;
		break;
	default:
		l->oracle = l->real = l->since_reset = 0;
	}
	return NULL;
}

static const char *leaky_check(void *ctx)
{
	struct leaky *l = ctx;

	return l->real == l->oracle ? NULL : "one was lost";
}

static void leaky_describe(const struct model_op *op, char *text, size_t size)
{
	static const char *const names[] = { "increment", "decrement", "reset" };

	octavo_snprintf(text, size, "%s", names[op->kind]);
}

static struct leaky leaky;
static const struct model leaky_model = { .name = "leaky",
					  .ctx = &leaky,
					  .reset = leaky_reset,
					  .random = leaky_random,
					  .apply = leaky_apply,
					  .check = leaky_check,
					  .describe = leaky_describe,
					  .check_every = 1 };

TEST(model, finds_and_shrinks)
{
	unsigned int length = 0;
	const char *text;
	bool ok;

	leaky.broken = false;
	EXPECT(model_run(&leaky_model, test_seed, 1000, NULL));
	leaky.broken = true;
	test_expect_begin();
	ok = model_run(&leaky_model, test_seed, 1000, &length);
	EXPECT_EQ(test_expect_end(&text), 1);
	EXPECT(!ok);
	EXPECT_EQ(length, 3);
	EXPECT(strstr(text, "one was lost; after these 3 operations"));
	EXPECT(strstr(text, "  2  increment"));
}

TEST(model, exhaustive_meets_the_shortest)
{
	static const struct model_op alphabet[] = { { INCREMENT, 0, 0 }, { DECREMENT, 0, 0 }, { ZERO, 0, 0 } };

	leaky.broken = true;
	EXPECT(model_exhaustive(&leaky_model, alphabet, ARRAY_SIZE(alphabet), 2));
	test_expect_begin();
	EXPECT(!model_exhaustive(&leaky_model, alphabet, ARRAY_SIZE(alphabet), 3));
	EXPECT_EQ(test_expect_end(NULL), 1);
}

TEST(model, decodes_bytes)
{
	static const u8 bytes[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	struct model_op ops[4];

	EXPECT_EQ(model_decode(bytes, sizeof(bytes), ops, 4), 2);
	EXPECT_EQ(ops[1].kind, 5);
	EXPECT_EQ(ops[1].a, 6);
	EXPECT_EQ(ops[1].b, 0x0807);
	EXPECT_EQ(model_decode(bytes, sizeof(bytes), ops, 1), 1);
}

static bool one_allocation(void)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_NOWARN);

	if (page)
		__free_page(page);
	return page != NULL;
}

static unsigned int checks;

static void count_check(void *ctx)
{
	(void)ctx;
	checks++;
}

static bool three_allocations(void *ctx)
{
	(void)ctx;
	return one_allocation() && one_allocation() && one_allocation();
}

static bool never(void *ctx)
{
	(void)ctx;
	return false;
}

TEST(fault, each_allocation_fails_once)
{
	checks = 0;
	EXPECT_EQ(fault_each(three_allocations, count_check, NULL), 3);
	EXPECT_EQ(checks, 4);
	test_expect_begin();
	fault_each(never, count_check, NULL);
	EXPECT_EQ(test_expect_end(NULL), 1);
}
