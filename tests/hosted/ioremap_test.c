// SPDX-License-Identifier: MIT
/* Device memory: where it is mapped, how, what is refused, and that failures leave nothing behind. */
#include <octavo/fault.h>
#include <octavo/gfp.h>
#include <octavo/io.h>
#include <octavo/page.h>
#include <octavo/vmalloc.h>

#include "../unit/proc_text.h"
#include "access.h"
#include "fault.h"
#include "harness.h"
#include "hosted.h"
#include "mm/boot/e820.h"
#include "mm/boot/params.h"
#include "mm/kmap/areas.h"
#include "mm/kmap/memtype.h"
#include "mm/pgtable/walk.h"
#include "mmu.h"

#define DEVICE ((phys_addr_t)0x20000000)
#define DEVICE_SIZE ((size_t)16 << 20)

static bool plug_in(void)
{
	return !hosted_device_add(DEVICE, DEVICE_SIZE);
}

static unsigned int memtypes_nr(void)
{
	struct memtype_range range;
	unsigned int n = 0;

	while (memtype_entry(n, &range))
		n++;
	return n;
}

static void look_for_ioremap(void *ctx, const char *text, size_t len)
{
	for (size_t i = 0; i + 9 <= len; i++)
		*(unsigned int *)ctx += !strncmp(text + i, " ioremap\n", 9);
}

/* Nothing is mapped any more. */
static void expect_clean(void)
{
	unsigned int areas = 0;

	EXPECT_EQ(memtypes_nr(), 0);
	(void)octavo_proc_read("/proc/vmallocinfo", look_for_ioremap, &areas);
	EXPECT_EQ(areas, 0);
}

/* The leaf that shows @p; *@level: its level. */
static pgt_entry_t leaf_of(const volatile void *p, unsigned int *level)
{
	pgt_entry_t *entry = pgt_lookup(&init_mm, area_virt(AREA_VMALLOC, (const void *)p), level);

	return entry ? pgt_get(entry) : 0;
}

TEST(ioremap, shows_the_device)
{
	char *regs;

	ASSERT(plug_in());
	regs = ioremap(DEVICE + 0x1234, 0x100);
	ASSERT(regs);
	EXPECT_EQ((uintptr_t)regs & (PAGE_SIZE - 1), 0x234);
	EXPECT(is_vmalloc_addr(regs));
	writel(0x12345678, regs);
	EXPECT_EQ(*(u32 *)arena_phys(DEVICE + 0x1234), 0x12345678);
	EXPECT_EQ(readl(regs), 0x12345678);
	EXPECT_EQ(readw(regs + 2), 0x1234);
	EXPECT_EQ(readb(regs + 1), 0x56);
	writew(0xabcd, regs + 6);
	writeb(0xef, regs + 5);
	EXPECT_EQ(lo_hi_readq(regs), 0xabcdef0012345678ull);
	EXPECT_EQ(hi_lo_readq(regs), 0xabcdef0012345678ull);
	lo_hi_writeq(0x1122334455667788ull, regs + 12);
	EXPECT_EQ(*(u64 *)arena_phys(DEVICE + 0x1240), 0x1122334455667788ull);
	hi_lo_writeq(0x99aabbccddeeff00ull, regs + 12);
	EXPECT_EQ(lo_hi_readq(regs + 12), 0x99aabbccddeeff00ull);
	writel_relaxed(7, regs);
	EXPECT_EQ(readl_relaxed(regs), 7);
#if __SIZEOF_POINTER__ == 8
	writeq(0x0102030405060708ull, regs + 4);
	EXPECT_EQ(readq(regs + 4), 0x0102030405060708ull);
#endif
	iounmap(regs);
	expect_clean();
}

/* A range across a page boundary takes both pages; behind the last one is a guard. */
TEST(ioremap, whole_pages_and_no_more)
{
	char *p;

	ASSERT(plug_in());
	p = ioremap(DEVICE + PAGE_SIZE - 4, 8);
	ASSERT(p);
	writel(1, p);
	writel(2, p + 4);
	EXPECT_EQ(*(u32 *)arena_phys(DEVICE + PAGE_SIZE - 4), 1);
	EXPECT_EQ(*(u32 *)arena_phys(DEVICE + PAGE_SIZE), 2);
	EXPECT(!test_faults(p + PAGE_SIZE, TEST_WRITE));
	EXPECT(test_faults(p + 4 + PAGE_SIZE, TEST_READ));
	if (hosted_bootinfo()->mmu_features & BOOT_MMU_NX)
		EXPECT(test_faults(p, TEST_EXEC));
	iounmap(p);
	EXPECT(test_faults(p, TEST_READ));
	expect_clean();
}

struct kind {
	const char *name;
	void *(*map)(phys_addr_t phys, size_t size);
	enum page_cache_mode mode;
};

static const struct kind kinds[] = {
	{ "ioremap", ioremap, PAGE_CACHE_UC_MINUS }, { "ioremap_uc", ioremap_uc, PAGE_CACHE_UC },
	{ "ioremap_wc", ioremap_wc, PAGE_CACHE_WC }, { "ioremap_wt", ioremap_wt, PAGE_CACHE_WT },
	{ "ioremap_cache", ioremap_cache, PAGE_CACHE_WB },
};

TEST(ioremap, every_kind_has_its_cache_mode)
{
	ASSERT(plug_in());
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct kind *k = &kinds[i];
		pgprot_t prot = pgprot_cached_as(PAGE_KERNEL, k->mode);
		struct memtype_range range;
		unsigned int level;
		pgt_entry_t e;
		void *p = k->map(DEVICE, PAGE_SIZE);

		ASSERT(p);
		e = leaf_of(p, &level);
		EXPECT_EQ(level, 0);
		EXPECT_EQ(pgt_leaf_phys(0, e), DEVICE);
		/* What the format makes of the mode: arm64 has no write through of its own. */
		EXPECT_EQ(pgprot_cache_mode(pgt_prot(0, e)),
			  pgprot_cache_mode(pgt_prot(0, pgt_make_leaf(0, DEVICE, prot))));
		EXPECT(pgt_write(0, e) && !pgt_user(0, e));
		EXPECT(memtype_entry(0, &range) && range.mode == k->mode);
		iounmap(p);
		expect_clean();
	}
}

TEST(ioremap, other_rights_and_no_posted_writes)
{
	unsigned int level;
	void *p;

	ASSERT(plug_in());
	p = ioremap_prot(DEVICE, PAGE_SIZE, pgprot_cached_as(PAGE_KERNEL_RO, PAGE_CACHE_WC));
	ASSERT(p);
	EXPECT(!pgt_write(0, leaf_of(p, &level)));
	EXPECT(test_faults(p, TEST_WRITE));
	EXPECT(!test_faults(p, TEST_READ));
	iounmap(p);
	p = ioremap_np(DEVICE, PAGE_SIZE);
	EXPECT_EQ(p != NULL, PGT_TWO_ROOTS);
	if (p)
		iounmap(p);
	expect_clean();
}

TEST(ioremap, large_leaves_where_they_fit)
{
	size_t large = (size_t)PGT_SIZE(1);
	unsigned int level, count = 0;
	char *p;

	ASSERT(plug_in());
	if (!(pgt_leaf_levels & 2))
		SKIP("the processor has no large leaves");
	p = ioremap(DEVICE, 2 * large + PAGE_SIZE);
	ASSERT(p);
	for (size_t at = 0; at < 2 * large; at += large) {
		EXPECT_EQ(pgt_leaf_phys(1, leaf_of(p + at, &level)), DEVICE + at);
		count += level == 1;
	}
	EXPECT_EQ(count, 2);
	(void)leaf_of(p + 2 * large, &level);
	EXPECT_EQ(level, 0);
	writel(5, p + large + 12);
	EXPECT_EQ(*(u32 *)arena_phys(DEVICE + large + 12), 5);
	iounmap(p);
	expect_clean();
}

/* ---- What is refused ---- */

static const char *refusal(phys_addr_t phys, size_t size)
{
	void *p;

	test_capture_begin();
	p = ioremap(phys, size);
	if (p)
		iounmap(p);
	EXPECT(!p);
	return test_capture_end();
}

TEST(ioremap, refuses_memory)
{
	struct page *page = alloc_page(GFP_KERNEL);
	phys_addr_t phys;
	char line[80];

	ASSERT(page && plug_in());
	phys = PFN_PHYS(page_to_pfn(page));
	octavo_snprintf(line, sizeof(line), "ioremap on RAM at 0x%016llx - 0x%016llx\n", (unsigned long long)phys + 8,
			(unsigned long long)phys + 15);
	EXPECT(strstr(refusal(phys + 8, 8), line) != NULL);
	put_page(page);
	/* Free memory is memory, too; and so is a range that only ends in some. */
	EXPECT(strstr(refusal(phys, 8), "ioremap on RAM") != NULL);
	EXPECT(strstr(refusal(DEVICE, (size_t)((u64)max_pfn << PAGE_SHIFT) - DEVICE), "ioremap on RAM") != NULL);
	expect_clean();
}

TEST(ioremap, refuses_what_is_no_range)
{
	u64 last = min(((u64)1 << PGT_PHYS_BITS) - 1, ((u64)max_arch_pfn << PAGE_SHIFT) - 1);

	EXPECT(strstr(refusal(DEVICE, 0), "nothing to map") != NULL);
	if ((phys_addr_t)~0ull > last) {
		EXPECT(strstr(refusal((phys_addr_t)last + 1, 4), "ioremap: invalid physical address") != NULL);
		EXPECT(strstr(refusal((phys_addr_t)last - 1, 4), "ioremap: invalid physical address") != NULL);
	}
	EXPECT(strstr(refusal((phys_addr_t)0 - 8, 16), "wrap around") != NULL);
	expect_clean();
}

TEST(ioremap, refuses_conflicts_and_follows_what_is_there)
{
	unsigned int level;
	const char *text;
	void *wc, *p;

	ASSERT(plug_in());
	wc = ioremap_wc(DEVICE, 4 * PAGE_SIZE);
	ASSERT(wc);
	test_capture_begin();
	EXPECT(!ioremap_uc(DEVICE + PAGE_SIZE, PAGE_SIZE));
	text = test_capture_end();
	EXPECT(strstr(text, "conflicting memory types 20001000-20002000 uncached<->write-combining") != NULL);
	EXPECT(strstr(text, "ioremap memtype_reserve failed -16") != NULL);
	/* What asks for less strictness gets what is there. */
	p = ioremap(DEVICE + PAGE_SIZE, PAGE_SIZE);
	ASSERT(p);
	EXPECT_EQ(pgprot_cache_mode(pgt_prot(0, leaf_of(p, &level))), PAGE_CACHE_WC);
	iounmap(p);
	iounmap(wc);
	p = ioremap_uc(DEVICE + PAGE_SIZE, PAGE_SIZE);
	EXPECT(p != NULL);
	iounmap(p);
	expect_clean();
}

TEST(ioremap, unmapping_takes_what_mapping_gave)
{
	char on_stack[4];
	void *v = vmalloc(PAGE_SIZE);
	char *p;

	ASSERT(v && plug_in());
	p = ioremap(DEVICE + 0x10, 2 * PAGE_SIZE);
	ASSERT(p);
	test_capture_begin();
	iounmap(on_stack);
	iounmap(v);
	iounmap(NULL);
	iounmap(p + PAGE_SIZE);
	EXPECT_EQ(strstr(test_capture_end(), "iounmap: bad address") != NULL, true);
	writel(1, p);
	iounmap(p + 0x20); /* in its first page */
	expect_clean();
	vfree(v);
}

TEST(ioremap, is_listed)
{
	char *wc, *p;

	if (octavo_proc_read("/proc/vmallocinfo", proc_discard, NULL) == -ENOENT)
		SKIP("no /proc/vmallocinfo");
	ASSERT(plug_in());
	wc = ioremap_wc(DEVICE + PAGE_SIZE, 3 * PAGE_SIZE);
	p = ioremap(DEVICE + 16 * PAGE_SIZE, 8);
	ASSERT(wc && p);
	EXPECT(strstr(proc_text("/proc/vmallocinfo"), " phys=0x0000000020001000 ioremap\n") != NULL);
	EXPECT(strstr(proc_text("/proc/vmallocinfo"), " phys=0x0000000020010000 ioremap\n") != NULL);
	iounmap(wc);
	iounmap(p);
	expect_clean();
}

/* ---- Memory that was kept from the page allocator ---- */

/* A page of memory that is reserved and in the direct map, but not the kernel's own. */
static struct page *reserved_page(void)
{
	for (unsigned long pfn = 16; pfn < 160; pfn++) {
		struct page *page = pfn_to_online_page(pfn);

		if (page && PageReserved(page) && page_address(page))
			return page;
	}
	return NULL;
}

static enum page_cache_mode direct_mode(struct page *page)
{
	unsigned int level;
	pgt_entry_t *entry = pgt_lookup(&init_mm, area_virt(AREA_DIRECT, page_address(page)), &level);

	return entry ? pgprot_cache_mode(pgt_prot(level, pgt_get(entry))) : PAGE_CACHE_WP;
}

TEST(ioremap, the_direct_map_follows)
{
	struct page *page = reserved_page();
	phys_addr_t phys;
	char *one, *two;

	if (!page)
		SKIP("no reserved memory at the start of the machine's");
	phys = PFN_PHYS(page_to_pfn(page));
	EXPECT_EQ(direct_mode(page), PAGE_CACHE_WB);
	one = ioremap_cache(phys, PAGE_SIZE);
	ASSERT(one);
	EXPECT_EQ(direct_mode(page), PAGE_CACHE_WB);
	writeb(0x42, one);
	EXPECT_EQ(*(char *)page_address(page), 0x42);
	iounmap(one);
	one = ioremap_wc(phys, PAGE_SIZE);
	two = ioremap_wc(phys, 8);
	ASSERT(one && two);
	EXPECT_EQ(direct_mode(page), PAGE_CACHE_WC);
	EXPECT_EQ(readb(two), 0x42);
	iounmap(one);
	EXPECT_EQ(direct_mode(page), PAGE_CACHE_WC);
	iounmap(two);
	EXPECT_EQ(direct_mode(page), PAGE_CACHE_WB);
	expect_clean();
}

/* ---- memremap ---- */

TEST(memremap, memory_is_where_it_is)
{
	struct page *page = alloc_page(GFP_KERNEL);
	char *p;

	ASSERT(page && page_address(page));
	p = memremap(PFN_PHYS(page_to_pfn(page)) + 5, 10, MEMREMAP_WB);
	EXPECT(p == (char *)page_address(page) + 5);
	memunmap(p);
	p = memremap(PFN_PHYS(page_to_pfn(page)), 10, MEMREMAP_WC | MEMREMAP_WB);
	EXPECT(p == page_address(page));
	memunmap(p);
	test_capture_begin();
	EXPECT(!memremap(PFN_PHYS(page_to_pfn(page)), 10, MEMREMAP_WC));
	EXPECT(strstr(test_capture_end(), "memremap attempted on ram 0x") != NULL);
	put_page(page);
	expect_clean();
}

TEST(memremap, high_memory_has_no_place)
{
	struct page *page = alloc_page(GFP_HIGHUSER);

	ASSERT(page);
	if (!page_address(page)) {
		test_capture_begin();
		EXPECT(!memremap(PFN_PHYS(page_to_pfn(page)), 10, MEMREMAP_WB));
		EXPECT(strstr(test_capture_end(), "memremap attempted on ram 0x") != NULL);
	}
	put_page(page);
	expect_clean();
}

TEST(memremap, what_is_no_memory_is_mapped)
{
	static const struct {
		unsigned long flags;
		enum page_cache_mode mode;
	} cases[] = { { MEMREMAP_WB, PAGE_CACHE_WB },
		      { MEMREMAP_WT, PAGE_CACHE_WT },
		      { MEMREMAP_WC, PAGE_CACHE_WC },
		      { MEMREMAP_WT | MEMREMAP_WC, PAGE_CACHE_WT } };

	ASSERT(plug_in());
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		struct memtype_range range;
		char *p = memremap(DEVICE + 3, 10, cases[i].flags);

		ASSERT(p);
		EXPECT(memtype_entry(0, &range) && range.mode == cases[i].mode);
		p[0] = 77;
		EXPECT_EQ(*(char *)arena_phys(DEVICE + 3), 77);
		memunmap(p);
		expect_clean();
	}
}

/* Where the first kind conflicts, the next is tried. */
TEST(memremap, tries_one_after_the_other)
{
	struct memtype_range range;
	void *wt, *p;

	ASSERT(plug_in());
	wt = ioremap_wt(DEVICE, PAGE_SIZE);
	ASSERT(wt);
	test_capture_begin();
	p = memremap(DEVICE, PAGE_SIZE, MEMREMAP_WC);
	(void)test_capture_end();
	EXPECT(!p);
	p = memremap(DEVICE, PAGE_SIZE, MEMREMAP_WT | MEMREMAP_WC);
	ASSERT(p);
	EXPECT(memtype_entry(1, &range) && range.mode == PAGE_CACHE_WT);
	memunmap(p);
	iounmap(wt);
	expect_clean();
}

TEST(memremap, refusals)
{
	char on_stack[8];
	phys_addr_t mixed = (phys_addr_t)max_pfn << PAGE_SHIFT;

	test_capture_begin();
	EXPECT(!memremap(DEVICE, 8, 0));
	EXPECT(!memremap(DEVICE, 0, MEMREMAP_WB));
	EXPECT(!memremap((phys_addr_t)0 - 4, 8, MEMREMAP_WB));
	EXPECT(strstr(test_capture_end(), "nothing that could be mapped") != NULL);
	test_capture_begin();
	EXPECT(!memremap(mixed - PAGE_SIZE, 2 * PAGE_SIZE, MEMREMAP_WB));
	EXPECT(strstr(test_capture_end(), "memremap attempted on mixed range 0x") != NULL);
	test_capture_begin();
	memunmap(on_stack);
	EXPECT(strstr(test_capture_end(), "memunmap: bad address") != NULL);
	expect_clean();
}

/* ---- Failures on the way ---- */

static bool map_and_unmap(void *ctx)
{
	char *p = ioremap(DEVICE + 8, (size_t)PGT_SIZE(1) + 5 * PAGE_SIZE);

	(void)ctx;
	if (!p)
		return false;
	writel(3, p + PGT_SIZE(1));
	iounmap(p);
	return true;
}

static void after_a_failure(void *ctx)
{
	(void)ctx;
	expect_clean();
	EXPECT_EQ(memtype_verify(NULL, NULL), 0);
}

TEST(ioremap, undone_when_an_allocation_fails)
{
	unsigned int failed;

	ASSERT(plug_in());
	test_capture_begin(); /* vmalloc may say that it failed */
	failed = fault_each_among(FAIL_NTH_PAGE | FAIL_NTH_SLAB, map_and_unmap, after_a_failure, NULL);
	(void)test_capture_end();
	EXPECT(failed >= 2);
}

/* Reserved memory: the direct map has to be split, and put together again. */
static bool map_reserved(void *ctx)
{
	struct page *page = ctx;
	void *p = ioremap_wc(PFN_PHYS(page_to_pfn(page)), PAGE_SIZE);

	if (p)
		iounmap(p);
	return p != NULL;
}

static void direct_is_back(void *ctx)
{
	after_a_failure(NULL);
	EXPECT_EQ(direct_mode(ctx), PAGE_CACHE_WB);
}

TEST(ioremap, the_direct_map_is_as_before_when_an_allocation_fails)
{
	struct page *page = reserved_page();

	if (!page)
		SKIP("no reserved memory at the start of the machine's");
	test_capture_begin();
	EXPECT(fault_each_among(FAIL_NTH_PAGE | FAIL_NTH_SLAB, map_reserved, direct_is_back, page) > 0);
	(void)test_capture_end();
}

/* ---- Copying ---- */

#define BYTES 64

static unsigned char pattern(unsigned int i)
{
	return (unsigned char)(i * 7 + 3);
}

TEST(ioremap, bytes_in_and_out_at_every_alignment)
{
	unsigned char memory[BYTES + 32], *device, *raw;

	ASSERT(plug_in());
	device = ioremap(DEVICE, PAGE_SIZE);
	raw = arena_phys(DEVICE);
	ASSERT(device && raw);
	for (unsigned int d = 0; d < 8; d++) {
		for (unsigned int m = 0; m < 8; m++) {
			unsigned int size = 1 + (d * 8 + m) % BYTES;

			for (unsigned int i = 0; i < sizeof(memory); i++)
				memory[i] = pattern(i);
			memset_io(device, 0xee, BYTES + 16);
			memcpy_toio(device + d, memory + m, size);
			for (unsigned int i = 0; i < BYTES + 16; i++)
				EXPECT_EQ(raw[i], i >= d && i < d + size ? pattern(m + i - d) : 0xee);
			memset(memory, 0x11, sizeof(memory));
			memcpy_fromio(memory + m, device + d, size);
			for (unsigned int i = 0; i < BYTES + 16; i++)
				EXPECT_EQ(memory[i], i >= m && i < m + size ? raw[d + i - m] : 0x11);
			memset_io(device + d, 0x5a, size);
			for (unsigned int i = 0; i < BYTES + 16; i++)
				EXPECT_EQ(raw[i], i >= d && i < d + size ? 0x5a : 0xee);
		}
	}
	iounmap(device);
	expect_clean();
}
