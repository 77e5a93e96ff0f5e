// SPDX-License-Identifier: MIT
/* Memory types: which mappings go together, in which order they are listed, and what is said of those that do not. */
#include "mm/boot/params.h"
#include "mm/kmap/memtype.h"
#include "proc_text.h"

#define LIST "/sys/kernel/debug/x86/pat_memtype_list"
#define BASE ((phys_addr_t)0xd0000000)
#define AT(page) (BASE + ((phys_addr_t)(page) << PAGE_SHIFT))

static enum page_cache_mode got;

static int reserve(unsigned int first, unsigned int end, enum page_cache_mode want)
{
	return memtype_reserve(AT(first), AT(end), want, &got);
}

static void release(unsigned int first, unsigned int end)
{
	(void)memtype_release(AT(first), AT(end));
}

static void expect_sound(void)
{
	EXPECT_EQ(memtype_verify(NULL, NULL), 0);
}

TEST(memtype, who_comes_first_decides)
{
	EXPECT_EQ(reserve(0, 4, PAGE_CACHE_WC), 0);
	EXPECT_EQ(got, PAGE_CACHE_WC);
	/* UC- gives way to write combining, write back becomes slower, */
	EXPECT_EQ(reserve(1, 2, PAGE_CACHE_UC_MINUS), 0);
	EXPECT_EQ(got, PAGE_CACHE_WC);
	EXPECT_EQ(reserve(2, 8, PAGE_CACHE_WB), 0);
	EXPECT_EQ(got, PAGE_CACHE_WC);
	/* and what is strictly uncached must be so. */
	test_capture_begin();
	EXPECT_EQ(reserve(3, 4, PAGE_CACHE_UC), -EBUSY);
	(void)test_capture_end();
	expect_sound();
	EXPECT_EQ(memtype_release(AT(0), AT(4)), PAGE_CACHE_WC);
	release(1, 2);
	release(2, 8);
	EXPECT_EQ(reserve(3, 4, PAGE_CACHE_UC), 0);
	EXPECT_EQ(got, PAGE_CACHE_UC);
	release(3, 4);
}

TEST(memtype, pages_that_do_not_overlap_have_nothing_to_do_with_each_other)
{
	EXPECT_EQ(reserve(0, 1, PAGE_CACHE_WB), 0);
	EXPECT_EQ(reserve(1, 2, PAGE_CACHE_UC), 0);
	EXPECT_EQ(got, PAGE_CACHE_UC);
	EXPECT_EQ(reserve(2, 3, PAGE_CACHE_WT), 0);
	EXPECT_EQ(got, PAGE_CACHE_WT);
	expect_sound();
	/* One mapping of all of them would have to be of three kinds. */
	test_capture_begin();
	EXPECT_EQ(reserve(0, 3, PAGE_CACHE_WB), -EBUSY);
	EXPECT_EQ(reserve(1, 3, PAGE_CACHE_WB), -EBUSY);
	(void)test_capture_end();
	release(0, 1);
	release(1, 2);
	release(2, 3);
}

/* Every pair of modes: what is given caches no more than what was asked for, or the request fails. */
TEST(memtype, every_pair)
{
	static const enum page_cache_mode order[] = { PAGE_CACHE_UC, PAGE_CACHE_UC_MINUS, PAGE_CACHE_WC,
						      PAGE_CACHE_WT, PAGE_CACHE_WP, PAGE_CACHE_WB };

	for (unsigned int have = 0; have < ARRAY_SIZE(order); have++) {
		for (unsigned int want = 0; want < ARRAY_SIZE(order); want++) {
			bool fits = have <= want || (have == 2 && want == 1);
			int err;

			EXPECT_EQ(reserve(0, 2, order[have]), 0);
			test_capture_begin();
			err = reserve(1, 3, order[want]);
			(void)test_capture_end();
			EXPECT_EQ(err, fits ? 0 : -EBUSY);
			EXPECT(!fits || got == order[have]);
			EXPECT_EQ(memtype_may_replace(order[want], order[have]), fits);
			if (!err)
				release(1, 3);
			release(0, 2);
		}
	}
}

TEST(memtype, a_conflict_is_named)
{
	const char *text;

	if (boot_arch == BOOT_ARCH_ARM64)
		SKIP("the lines of x86");
	EXPECT_EQ(reserve(0, 16, PAGE_CACHE_WC), 0);
	test_capture_begin();
	EXPECT_EQ(reserve(8, 9, PAGE_CACHE_UC), -EBUSY);
	release(8, 9);
	text = test_capture_end();
	EXPECT(strstr(text, " conflicting memory types d0008000-d0009000 uncached<->write-combining\n") != NULL);
	EXPECT(strstr(text, "x86/PAT: memtype_reserve failed [mem 0xd0008000-0xd0008fff], track write-combining, "
			    "req uncached\n") != NULL);
	EXPECT(strstr(text, " freeing invalid memtype [mem 0xd0008000-0xd0008fff]\n") != NULL);
	release(0, 16);
}

TEST(memtype, the_list_is_a_file)
{
	if (!proc_text(LIST))
		SKIP("not on this kind of machine");
	EXPECT_EQ(reserve(16, 32, PAGE_CACHE_WC), 0);
	EXPECT_EQ(reserve(0, 1, PAGE_CACHE_UC_MINUS), 0);
	EXPECT_EQ(reserve(16, 17, PAGE_CACHE_WC), 0);
	EXPECT(!strncmp(proc_text(LIST), "PAT memtype list:\n", 18));
	EXPECT(strstr(proc_text(LIST), "PAT: [mem 0x00000000d0000000-0x00000000d0001000] uncached-minus\n"
				       "PAT: [mem 0x00000000d0010000-0x00000000d0020000] write-combining\n"
				       "PAT: [mem 0x00000000d0010000-0x00000000d0011000] write-combining\n") != NULL);
	release(16, 17);
	release(0, 1);
	release(16, 32);
	EXPECT(!strstr(proc_text(LIST), "d0010000"));
}

TEST(memtype, runs_of_pages)
{
	bool some;

	EXPECT_EQ(reserve(2, 4, PAGE_CACHE_WC), 0);
	EXPECT_EQ(reserve(3, 6, PAGE_CACHE_WC), 0);
	EXPECT_EQ(memtype_run(AT(0), 100, &some), 2);
	EXPECT(!some);
	EXPECT_EQ(memtype_run(AT(2), 100, &some), 4);
	EXPECT(some);
	EXPECT_EQ(memtype_run(AT(6), 3, &some), 3);
	EXPECT(!some);
	release(2, 4);
	release(3, 6);
}

static void keep_line(void *ctx, const char *line)
{
	octavo_snprintf(ctx, 160, "%s", line);
}

/* MT-I1, MT-I2: entries that could not have been made. */
TEST(memtype, the_verifier_sees_what_is_wrong)
{
	char line[160] = "";

	EXPECT_EQ(reserve(4, 8, PAGE_CACHE_WC), 0);
	expect_sound();
	EXPECT_EQ(memtype_reserve(AT(1), AT(2) + 1, PAGE_CACHE_UC, &got), 0);
	EXPECT_EQ(memtype_verify(keep_line, line), 1);
	EXPECT(strstr(line, "MT-I1") != NULL);
	(void)memtype_release(AT(1), AT(2) + 1);
	EXPECT_EQ(reserve(8, 9, PAGE_CACHE_UC), 0);
	expect_sound();
	memtypes.first->range.end = AT(9);
	EXPECT_EQ(memtype_verify(keep_line, line), 1);
	EXPECT(strstr(line, "MT-I2: d0004000-d0009000 write-combining overlaps d0008000-d0009000 uncached") != NULL);
	memtypes.first->range.end = AT(8);
	expect_sound();
	release(8, 9);
	release(4, 8);
}
