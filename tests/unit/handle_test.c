// SPDX-License-Identifier: MIT
/* Handles: numbers for objects, used again only when no reader can have the old one. */
#include "mm/base/handle.h"

#include <octavo/rcupdate.h>

#include "harness.h"

#define MANY 1200u

static unsigned long objects[MANY] __memsys;
static u32 numbers[MANY] __memsys;

TEST(handle, leads_to_its_object)
{
	for (unsigned int i = 0; i < MANY; i++) {
		numbers[i] = handle_alloc(&objects[i], GFP_KERNEL);
		ASSERT(numbers[i] != HANDLE_NONE);
		EXPECT(numbers[i] < 1u << HANDLE_BITS);
	}
	for (unsigned int i = 0; i < MANY; i++)
		EXPECT(handle_object(numbers[i]) == &objects[i]);
	EXPECT(!handle_object(HANDLE_NONE));
	EXPECT(!handle_object(numbers[MANY - 1] + 5000000));
	for (unsigned int i = 0; i < MANY; i++)
		handle_free(numbers[i]);
	for (unsigned int i = 0; i < MANY; i++)
		EXPECT(!handle_object(numbers[i]));
}

TEST(handle, waits_for_readers)
{
	u32 first = handle_alloc(&objects[0], GFP_KERNEL), other;

	rcu_read_lock();
	handle_free(first);
	EXPECT(!handle_object(first));
	for (unsigned int i = 0; i < 8; i++) {
		numbers[i] = handle_alloc(&objects[i], GFP_ATOMIC);
		EXPECT(numbers[i] != first);
	}
	rcu_read_unlock();
	for (unsigned int i = 0; i < 8; i++)
		handle_free(numbers[i]);
	/* Two grace periods: the one that was under way when it was freed, and its own. */
	for (unsigned int i = 0; i < 3; i++) {
		synchronize_rcu();
		handle_free(handle_alloc(&objects[0], GFP_KERNEL));
	}
	synchronize_rcu();
	other = handle_alloc(&objects[1], GFP_KERNEL);
	EXPECT(other <= first + 12);
	handle_free(other);
}

TEST(handle, a_number_is_not_freed_twice)
{
	u32 handle = handle_alloc(&objects[0], GFP_KERNEL);
	const char *text;

	handle_free(handle);
	test_capture_begin();
	handle_free(handle);
	handle_free(HANDLE_NONE);
	handle_free(0x7000000);
	text = test_capture_end();
	EXPECT(strstr(text, "handle_free: ") && strstr(text, "0x7000000 is not in use"));
}
