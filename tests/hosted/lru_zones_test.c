// SPDX-License-Identifier: MIT
/* Who needs memory of a lower zone gets it, however much of a higher one lies at the old end of the lists. */
#include <octavo/verify.h>

#include "../unit/proc_text.h"
#include "harness.h"
#include "hosted.h"
#include "mm/lru/gen.h"
#include "tasks.h"

#define RAM (32u << 20)

/* Folios of zones up to Normal that the policy gives in one round of both kinds. */
static unsigned int give(struct folio **out, unsigned int max)
{
	struct lruvec *vec = node_lruvec(0);
	struct lru_scan scan = { .node = NODE_DATA(0), .highest = ZONE_NORMAL, .may_swap = true, .swappiness = 60 };
	unsigned long nr[2], looked = 0;
	unsigned int n;

	lru_policy()->choose(vec, &scan, nr);
	EXPECT(nr[0] && nr[0] < global_node_page_state(NR_INACTIVE_ANON) + global_node_page_state(NR_ACTIVE_ANON));
	n = lru_policy()->isolate(vec, &scan, false, out, max, &looked);
	EXPECT(looked >= n);
	for (unsigned int i = 0; i < n; i++)
		EXPECT(page_zonenum(&out[i]->page) <= ZONE_NORMAL);
	return n;
}

static void behind_movable(const char *caps)
{
	static const struct bootinfo_range map[] = { { 0x100000, RAM, E820_TYPE_RAM } };
	const struct bootinfo info = { .arch = BOOT_ARCH_X86_64, .map = map, .map_nr = 1, .cmdline = "kernelcore=16M" };
	struct test_process p;
	struct folio *out[8];
	unsigned long movable;
	unsigned int n;
	uintptr_t at;

	ASSERT(!hosted_boot(&info, &(struct hosted_options){ .cpus = 1, .quiet = true }) && test_process_start(&p));
	EXPECT_EQ(proc_put("/sys/kernel/mm/lru_gen/enabled", caps), 1);
	movable = zone_managed_pages(&NODE_DATA(0)->node_zones[ZONE_MOVABLE]);
	ASSERT(movable > 2048);
	at = test_map(0, (movable + 500) * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	for (unsigned long i = 0; i < movable + 500; i++) {
		/* What is in the other zones is of a younger generation. */
		if (*caps == '1' && i == movable)
			EXPECT(lru_gen_age(node_lruvec(0), node_lruvec(0)->gen.max_seq, false));
		EXPECT_EQ(test_user_write(at + i * PAGE_SIZE, "x", 1), 1);
	}
	lru_add_drain_all();
	/* The oldest of all is none of those. */
	for (unsigned int round = 0; round < 4; round++) {
		n = give(out, ARRAY_SIZE(out));
		EXPECT(n);
		lru_policy()->putback(node_lruvec(0), out, NULL, n);
	}
	EXPECT(vm_event_sum(PGSKIP_FIRST + ZONE_MOVABLE) > 1024);
	EXPECT_EQ(vm_event_sum(PGSKIP_FIRST + ZONE_NORMAL), 0);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
	test_process_exit(&p);
}

TEST(lru_zones, behind_movable_memory)
{
	behind_movable("0");
}

TEST(lru_zones, behind_movable_memory_in_generations)
{
	behind_movable("1");
}
