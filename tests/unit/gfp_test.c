// SPDX-License-Identifier: MIT
/* GFP masks: their text, the zones they allow, scopes. */
#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/reclaim_hook.h>
#include <octavo/verify.h>

#include "harness.h"
#include "mm/phys/gfp.h"
#include "mm/phys/page_alloc.h"

static const char *text_of(gfp_t gfp)
{
	static char text[GFP_TEXT_MAX];

	gfp_flags_text(text, sizeof(text), gfp);
	return text;
}

/* Masks and texts of real OOM reports and failure reports. */
TEST(gfp, text_is_linux_s)
{
	EXPECT_STREQ(text_of(0x140dca), "GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO");
	EXPECT_STREQ(text_of(0x40cc0), "GFP_KERNEL|__GFP_COMP");
	EXPECT_STREQ(text_of(0x101cc0), "GFP_USER|__GFP_WRITE");
	EXPECT_STREQ(text_of(GFP_KERNEL | __GFP_ZERO), "GFP_KERNEL|__GFP_ZERO");
	EXPECT_STREQ(text_of(GFP_ATOMIC | __GFP_NOWARN), "GFP_ATOMIC|__GFP_NOWARN");
	EXPECT_STREQ(text_of(GFP_DMA), "GFP_DMA");
	EXPECT_STREQ(text_of(0), "");
	EXPECT_STREQ(text_of(0x1000000), "0x1000000");
}

/* Every one-flag mask has a name, and all of them together fit. */
TEST(gfp, every_flag_has_a_name)
{
	for (unsigned int bit = 0; bit < 24; bit++)
		if (bit != 9)
			EXPECT(strstr(text_of(1u << bit), "GFP_"));
	EXPECT(strlen(text_of(~0u)) < GFP_TEXT_MAX - 1);
}

TEST(gfp, pages_come_from_allowed_zones)
{
	static const struct {
		gfp_t gfp;
		enum zone_type highest;
	} cases[] = {
		{ GFP_KERNEL, ZONE_NORMAL },
		{ GFP_KERNEL | __GFP_DMA, ZONE_DMA },
		{ GFP_KERNEL | __GFP_DMA32, ZONE_DMA32 },
		{ GFP_HIGHUSER_MOVABLE, ZONE_MOVABLE },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		struct page *page = alloc_page(cases[i].gfp | __GFP_NOWARN);

		if (!page)
			continue; /* no such zone on this machine, or none below */
		EXPECT(page_zonenum(page) <= (zone_configured(cases[i].highest) ? cases[i].highest : ZONE_HIGHMEM));
		__free_page(page);
	}
}

TEST(gfp, nodes_are_respected)
{
	nodemask_t none = { { 0 } }, first = { { 1 } };
	struct page *page;

	page = __alloc_pages(GFP_KERNEL | __GFP_NOWARN, 0, 0, &none);
	EXPECT(!page);
	page = __alloc_pages(GFP_KERNEL, 0, 0, &first);
	ASSERT(page);
	EXPECT_EQ(page_to_nid(page), 0);
	__free_page(page);
	page = alloc_pages_node(0, GFP_KERNEL | __GFP_THISNODE, 0);
	ASSERT(page);
	EXPECT_EQ(page_to_nid(page), 0);
	__free_page(page);
	test_capture_begin();
	page = alloc_pages_node(63, GFP_KERNEL, 0);
	EXPECT(strstr(test_capture_end(), "page allocation on node 63"));
	EXPECT(!page);
}

TEST(gfp, scopes_nest_and_restrict)
{
	unsigned int a, b;

	EXPECT_EQ(current_task_flags(), 0);
	EXPECT_EQ(current_gfp_context(GFP_KERNEL), GFP_KERNEL);
	a = memalloc_nofs_save();
	EXPECT_EQ(current_gfp_context(GFP_KERNEL), GFP_NOFS);
	b = memalloc_noio_save();
	EXPECT_EQ(current_gfp_context(GFP_KERNEL), GFP_NOIO);
	EXPECT_EQ(memalloc_nofs_save(), PF_MEMALLOC_NOFS);
	memalloc_nofs_restore(PF_MEMALLOC_NOFS);
	memalloc_noio_restore(b);
	EXPECT_EQ(current_gfp_context(GFP_KERNEL), GFP_NOFS);
	memalloc_nofs_restore(a);
	EXPECT_EQ(current_gfp_context(GFP_KERNEL), GFP_KERNEL);
	a = memalloc_pin_save();
	EXPECT_EQ(current_gfp_context(GFP_HIGHUSER_MOVABLE), GFP_HIGHUSER);
	memalloc_pin_restore(a);
	EXPECT_EQ(current_task_flags(), 0);
	test_capture_begin();
	memalloc_noio_restore(0);
	EXPECT(strstr(test_capture_end(), "left by a thread that is in none"));
}
