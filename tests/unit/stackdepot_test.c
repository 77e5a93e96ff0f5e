// SPDX-License-Identifier: MIT
/* The store of call stacks, and names of places in the code. */
#include <octavo/port.h>
#include <octavo/verify.h>

#include "harness.h"
#include "mm/phys/stackdepot.h"

/* SD-I1 */
TEST(stackdepot, equal_stacks_are_one)
{
	uintptr_t pc[STACK_DEPOT_DEPTH + 4];
	const uintptr_t *kept;
	u32 handles[200];

	for (unsigned int i = 0; i < ARRAY_SIZE(pc); i++)
		pc[i] = 0x1000 + i;
	stack_depot_reserve(GFP_KERNEL);
	for (unsigned int i = 0; i < ARRAY_SIZE(handles); i++) {
		pc[0] = i;
		handles[i] = stack_depot_save(pc, 1 + i % ARRAY_SIZE(pc));
		ASSERT(handles[i]);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(handles); i++) {
		unsigned int depth = min(1 + i % (unsigned int)ARRAY_SIZE(pc), STACK_DEPOT_DEPTH);

		pc[0] = i;
		EXPECT_EQ(stack_depot_save(pc, depth), handles[i]);
		ASSERT(stack_depot_fetch(handles[i], &kept) == depth);
		EXPECT(!memcmp(kept, pc, depth * sizeof(*pc)));
		for (unsigned int j = 0; j < i; j++)
			EXPECT(handles[i] != handles[j]);
	}
	EXPECT_EQ(stack_depot_save(pc, 0), 0);
	EXPECT_EQ(stack_depot_fetch(0, &kept), 0);
}

TEST(stackdepot, pools_follow_one_another)
{
	uintptr_t pc[STACK_DEPOT_DEPTH] = { 0 };
	unsigned long lost = stack_depot_lost();
	const uintptr_t *kept;
	u32 first = 0, handle = 0;
	unsigned int i;

	/* three pools' worth */
	for (i = 0; i < 700; i++) {
		stack_depot_reserve(GFP_KERNEL);
		pc[0] = 0x5000 + i;
		handle = stack_depot_save(pc, ARRAY_SIZE(pc));
		ASSERT(handle);
		first = first ? first : handle;
	}
	ASSERT(stack_depot_fetch(first, &kept) == STACK_DEPOT_DEPTH);
	EXPECT_EQ(kept[0], 0x5000);
	ASSERT(stack_depot_fetch(handle, &kept) == STACK_DEPOT_DEPTH);
	EXPECT_EQ(kept[0], 0x5000 + i - 1);
	EXPECT_EQ(stack_depot_lost(), lost);
	/* without a reserve room ends at some time, and that is counted */
	for (i = 0; i < 1000; i++) {
		pc[0] = 0x9000 + i;
		handle = stack_depot_save(pc, ARRAY_SIZE(pc));
	}
	EXPECT_EQ(handle, 0);
	EXPECT(stack_depot_lost() > lost);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

static noinline u32 save_from(uintptr_t from)
{
	u32 handle = stack_depot_save_current(from);

	barrier();
	return handle;
}

static noinline u32 save_from_here(void)
{
	u32 handle = save_from((uintptr_t)__builtin_return_address(0));

	barrier();
	return handle;
}

TEST(stackdepot, names_its_callers)
{
	char text[STACK_DEPOT_DEPTH * 128], one[128];
	uintptr_t pc;
	u32 handle;

	if (!port_backtrace(&pc, 1))
		SKIP("the port has no backtrace");
	stack_depot_reserve(GFP_KERNEL);
	handle = save_from(0);
	ASSERT(handle);
	stack_depot_text(text, sizeof(text), handle);
	EXPECT(strstr(text, " save_from+0x"));
	EXPECT(strstr(text, "names_its_callers+0x"));
	EXPECT(stack_depot_text(one, sizeof(one), handle) > sizeof(one));
	EXPECT_EQ(strlen(one), sizeof(one) - 1);

	handle = save_from_here();
	ASSERT(handle);
	stack_depot_text(text, sizeof(text), handle);
	EXPECT(!strstr(text, "save_from"));
	EXPECT(!strncmp(text, " test_stackdepot_names_its_callers+0x", 37));
	EXPECT(strchr(text, '/'));
}

TEST(stackdepot, places_without_a_name)
{
	char text[64];

	port_symbol(0x1234, text, sizeof(text));
	EXPECT_STREQ(text, "0x1234");
	port_symbol(0x1234, text, 4);
	EXPECT_STREQ(text, "0x1");
}
