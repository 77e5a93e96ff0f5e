// SPDX-License-Identifier: MIT
/* A real device through ioremap(): the high precision event timer (IA-PC HPET specification 1.0a, section 2.3). */
#include <octavo/io.h>
#include <octavo/vmalloc.h>

#include "harness.h"
#include "mm/kmap/memtype.h"
#include "pc_try.h"

#define HPET ((phys_addr_t)0xfed00000)
#define HPET_PERIOD 4	 /* femtoseconds a tick; 100 ns at most */
#define HPET_CONFIG 0x10 /* bit 0: it counts */
#define HPET_COUNTER 0xf0

TEST(pc_ioremap, a_timer_answers)
{
	char *regs = ioremap(HPET, 0x400);
	struct memtype_range range;
	u32 period, config, before;

	ASSERT(regs);
	EXPECT(is_vmalloc_addr(regs));
	EXPECT(memtype_entry(0, &range));
	period = readl(regs + HPET_PERIOD);
	if (period == ~0u || !period) {
		iounmap(regs);
		SKIP("the machine has no high precision event timer");
	}
	EXPECT(period <= 100000000);
	config = readl(regs + HPET_CONFIG);
	writel(config & ~1u, regs + HPET_CONFIG);
	writel(0, regs + HPET_COUNTER);
	EXPECT_EQ(readl(regs + HPET_COUNTER), 0);
	EXPECT_EQ(readl(regs + HPET_COUNTER), 0);
	writel(config | 1, regs + HPET_CONFIG);
	before = readl(regs + HPET_COUNTER);
	for (unsigned int i = 0; i < 1000000 && readl(regs + HPET_COUNTER) == before; i++)
		;
	EXPECT(readl(regs + HPET_COUNTER) > before);
	writel(config, regs + HPET_CONFIG);
	iounmap(regs);
	test_capture_begin();
	EXPECT_EQ(pc_try_access(regs, TEST_READ).vector, 14); /* at once, though the address is not free yet */
	(void)test_capture_end();
}
