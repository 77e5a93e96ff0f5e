// SPDX-License-Identifier: MIT
#include "mmu_hand.h"

#include <string.h>

unsigned int hand;

static struct mmu_config config;
static u64 next_frame;
static u64 booted_at;

/* A machine that was booted anew has neither our RAM nor our MMU: then the frame at its start is not there. */
static bool ours(void)
{
	return arena_phys(HAND_RAM) && hand_get(HAND_RAM, 0) == booted_at;
}

void hand_mmu_config(const struct mmu_config *want)
{
	static u64 boots;

	config = *want;
	if (!ours()) {
		if (hosted_ram_add(HAND_RAM, (u64)4 << 20)) {
			test_fail(__FILE__, __LINE__, "no RAM for tables at %#llx", (unsigned long long)HAND_RAM);
			return;
		}
		booted_at = ++boots;
		next_frame = HAND_RAM + PAGE_SIZE;
		hand_put(HAND_RAM, 0, booted_at);
	} else {
		mmu_remove(hand);
	}
	hand = mmu_add(&config);
}

void hand_mmu(enum mmu_format format, u32 features)
{
	hand_mmu_config(&(struct mmu_config){ .format = format, .features = features, .asids = 8 });
}

void hand_narrow(unsigned int phys_bits)
{
	struct mmu_config want = config;

	want.phys_bits = phys_bits;
	hand_mmu_config(&want);
}

u64 hand_table(void)
{
	u64 frame = next_frame;

	next_frame += PAGE_SIZE;
	memset(arena_phys(frame), 0, PAGE_SIZE);
	return frame;
}

void hand_put(u64 table, unsigned int index, u64 entry)
{
	__atomic_store_n((u64 *)arena_phys(table) + index, entry, __ATOMIC_RELEASE);
}

void hand_put32(u64 table, unsigned int index, u32 entry)
{
	__atomic_store_n((u32 *)arena_phys(table) + index, entry, __ATOMIC_RELEASE);
}

u64 hand_get(u64 table, unsigned int index)
{
	return __atomic_load_n((u64 *)arena_phys(table) + index, __ATOMIC_ACQUIRE);
}

u32 hand_get32(u64 table, unsigned int index)
{
	return __atomic_load_n((u32 *)arena_phys(table) + index, __ATOMIC_ACQUIRE);
}

void hand_expect(const char *file, int line, u64 virt, enum mmu_access access, bool user, u64 phys)
{
	struct mmu_fault fault;
	u64 got = 0;

	if (!mmu_translate(hand, (uintptr_t)virt, access, user, &got, &fault))
		test_fail(file, line, "%#llx is refused: flags %#x, error %#llx", (unsigned long long)virt,
			  fault.fault.flags, (unsigned long long)fault.fault.error);
	else if (got != phys)
		test_fail(file, line, "%#llx leads to %#llx, not %#llx", (unsigned long long)virt,
			  (unsigned long long)got, (unsigned long long)phys);
}

void hand_expect_fault(const char *file, int line, u64 virt, enum mmu_access access, bool user, u32 flags, u64 error)
{
	struct mmu_fault fault;
	u64 got = 0;

	if (mmu_translate(hand, (uintptr_t)virt, access, user, &got, &fault))
		test_fail(file, line, "%#llx leads to %#llx", (unsigned long long)virt, (unsigned long long)got);
	else if (fault.fault.flags != flags || fault.fault.error != error ||
		 fault.fault.address != (uintptr_t)virt || !fault.canonical)
		test_fail(file, line, "%#llx: flags %#x, error %#llx, not %#x, %#llx", (unsigned long long)virt,
			  fault.fault.flags, (unsigned long long)fault.fault.error, flags, (unsigned long long)error);
}
