// SPDX-License-Identifier: MIT
/*
 * Rows of page tables, as in kbench.c. All but pgt.user.* are of kernel addresses whose tables are there already;
 * ".tables": they have to be made, or given back. map.4k: 32 MiB a call; map.one: a page a call; map.pages: from an
 * array of frames; protect: another right and back; walk: a callback a leaf; lookup: one address. table_bytes: what
 * the tables take for a GiB of leaves of that size, the root not counted.
 */
#define KBENCH_BEHIND 30000
#include "kbench.h"

#include <octavo/gfp.h>
#include <octavo/page.h>

#include "tests/pgtfixture.h"

#define REPEATS KBENCH_REPEATS
#define FRAMES 512ul
#define PHYS ((phys_addr_t)0x40000000)

static struct page *frames[FRAMES] __memsys;

struct row {
	const struct kbench_case *c;
	struct mm_struct *mm;
	uintptr_t virt;
	u64 size, leaf;
	unsigned long leaves;
};

static bool begin_row(struct kbench *b, const struct kbench_case *c, struct row *r, bool user)
{
	unsigned int level = c->order;

	r->c = c;
	r->virt = user ? PGT_TEST_USER : pgt_test_kernel();
	r->mm = user ? mm_alloc(GFP_KERNEL) : &init_mm;
	r->leaf = PGT_SIZE(level);
	r->leaves = c->count;
	r->size = (u64)r->leaves << PGT_SHIFT(level);
	if (!(pgt_leaf_levels >> level & 1) || r->size > PGT_TEST_SPACE)
		return false;
	if (!r->mm)
		kbench_fail(b, "%s: no memory\n", c->name);
	return r->mm;
}

static int map(const struct row *r)
{
	return pgt_map_range(r->mm, r->virt, PHYS, r->size, r->mm == &init_mm ? PAGE_KERNEL : PAGE_SHARED, r->c->order,
			     GFP_KERNEL);
}

static void free_tables(const struct row *r)
{
	struct mmu_gather tlb;

	tlb_gather_mmu(&tlb, &init_mm);
	pgt_free_kernel_tables(r->virt, PGT_TEST_SPACE, &tlb);
	tlb_finish_mmu(&tlb);
}

/* Map and unmap; the ticks of one of the two are the row. */
static void bench_range(struct kbench *b, const struct kbench_case *c)
{
	bool tables = strstr(c->name, ".tables"), unmap = strstr(c->name, "unmap"), failed = false;
	u64 ticks[REPEATS], begin, middle;
	struct row r;

	if (!begin_row(b, c, &r, false))
		return;
	for (unsigned int i = 0; i <= REPEATS && !failed; i++) {
		begin = b->clock();
		failed = map(&r);
		middle = b->clock();
		failed = pgt_unmap_range(r.mm, r.virt, r.size, NULL) || failed;
		ticks[i % REPEATS] = unmap ? b->clock() - middle : middle - begin;
		if (tables)
			free_tables(&r);
	}
	(void)flush_tlb_kernel_range(r.virt, r.virt + (uintptr_t)r.size);
	free_tables(&r);
	if (failed)
		kbench_fail(b, "%s: no memory\n", c->name);
	else
		kbench_row(b, c->name, ticks, r.leaves, c->order ? "leaf" : "page");
}

/* A page a call, and an array of them in one. */
static void bench_pages(struct kbench *b, const struct kbench_case *c)
{
	bool one = strstr(c->name, ".one"), unmap = strstr(c->name, "unmap"), failed = false;
	unsigned long calls = one ? FRAMES : 1, nr = FRAMES / calls;
	u64 ticks[REPEATS], begin, middle;
	struct row r;

	if (!begin_row(b, c, &r, false))
		return;
	for (unsigned long i = 0; i < FRAMES; i++)
		frames[i] = pfn_to_page(0x100 + i * 7 % FRAMES);
	for (unsigned int i = 0; i <= REPEATS && !failed; i++) {
		begin = b->clock();
		for (unsigned long n = 0; n < calls && !failed; n++)
			failed = pgt_map_pages(r.mm, r.virt + n * PAGE_SIZE, frames + n, nr, PAGE_KERNEL, GFP_KERNEL);
		middle = b->clock();
		for (unsigned long n = 0; n < calls; n++)
			failed = pgt_unmap_range(r.mm, r.virt + n * PAGE_SIZE, nr << PAGE_SHIFT, NULL) || failed;
		ticks[i % REPEATS] = unmap ? b->clock() - middle : middle - begin;
	}
	(void)flush_tlb_kernel_range(r.virt, r.virt + (uintptr_t)r.size);
	memset(frames, 0, sizeof(frames));
	free_tables(&r);
	if (failed)
		kbench_fail(b, "%s: no memory\n", c->name);
	else
		kbench_row(b, c->name, ticks, FRAMES, "page");
}

static int count_leaf(void *ctx, unsigned int level, pgt_entry_t *entry, uintptr_t start, uintptr_t last)
{
	(void)level, (void)entry, (void)start, (void)last;
	++*(unsigned long *)ctx;
	return 0;
}

static void bench_look(struct kbench *b, const struct kbench_case *c)
{
	static const struct pgt_walk_ops ops = { .leaf = count_leaf };
	bool walk = !strncmp(c->name, "pgt.walk", 8), lookup = strstr(c->name, "lookup");
	unsigned long seen = 0;
	u64 ticks[REPEATS], begin;
	unsigned int level;
	struct row r;
	int err;

	if (!begin_row(b, c, &r, false))
		return;
	err = map(&r);
	for (unsigned int i = 0; i <= REPEATS && !err; i++) {
		begin = b->clock();
		if (walk)
			err = pgt_walk(r.mm, r.virt, r.size, &ops, &seen);
		else if (lookup)
			for (unsigned long n = 0; n < r.leaves; n++)
				seen += pgt_lookup(r.mm, r.virt + n * PAGE_SIZE, &level) != NULL;
		else
			err = pgt_protect_range(r.mm, r.virt, r.size, i & 1 ? PGPROT_WRITE : 0,
						i & 1 ? 0 : PGPROT_WRITE);
		ticks[i % REPEATS] = b->clock() - begin;
	}
	(void)pgt_unmap_range(r.mm, r.virt, r.size, NULL);
	(void)flush_tlb_kernel_range(r.virt, r.virt + (uintptr_t)r.size);
	free_tables(&r);
	if (err || ((walk || lookup) && seen != (REPEATS + 1) * r.leaves))
		kbench_fail(b, "%s: %d, %lu leaves seen\n", c->name, err, seen);
	else
		kbench_row(b, c->name, ticks, r.leaves, c->order ? "leaf" : "page");
}

static void bench_user(struct kbench *b, const struct kbench_case *c)
{
	bool unmap = strstr(c->name, "unmap"), failed = false;
	u64 ticks[REPEATS], begin, middle;
	struct mmu_gather tlb;
	struct row r;

	if (!begin_row(b, c, &r, true))
		return;
	for (unsigned int i = 0; i <= REPEATS && !failed; i++) {
		begin = b->clock();
		failed = map(&r);
		middle = b->clock();
		tlb_gather_mmu(&tlb, r.mm);
		failed = pgt_unmap_range(r.mm, r.virt, r.size, &tlb) || failed;
		tlb_finish_mmu(&tlb);
		ticks[i % REPEATS] = unmap ? b->clock() - middle : middle - begin;
	}
	mmput(r.mm);
	if (failed)
		kbench_fail(b, "%s: no memory\n", c->name);
	else
		kbench_row(b, c->name, ticks, r.leaves, c->order ? "leaf" : "page");
}

KBENCH(pgt_map_4k, "pgt.map.4k", bench_range, .order = 0, .count = 8192);
KBENCH(pgt_unmap_4k, "pgt.unmap.4k", bench_range, .order = 0, .count = 8192);
KBENCH(pgt_map_tables, "pgt.map.4k.tables", bench_range, .order = 0, .count = 8192);
KBENCH(pgt_map_2m, "pgt.map.2m", bench_range, .order = 1, .count = 1024);
KBENCH(pgt_unmap_2m, "pgt.unmap.2m", bench_range, .order = 1, .count = 1024);
KBENCH(pgt_map_1g, "pgt.map.1g", bench_range, .order = 2, .count = 4);
KBENCH(pgt_unmap_1g, "pgt.unmap.1g", bench_range, .order = 2, .count = 4);
KBENCH(pgt_map_pages, "pgt.map.pages", bench_pages, .count = FRAMES);
KBENCH(pgt_unmap_pages, "pgt.unmap.pages", bench_pages, .count = FRAMES);
KBENCH(pgt_map_one, "pgt.map.one", bench_pages, .count = FRAMES);
KBENCH(pgt_unmap_one, "pgt.unmap.one", bench_pages, .count = FRAMES);
KBENCH(pgt_protect_4k, "pgt.protect.4k", bench_look, .order = 0, .count = 8192);
KBENCH(pgt_protect_2m, "pgt.protect.2m", bench_look, .order = 1, .count = 1024);
KBENCH(pgt_walk_4k, "pgt.walk.4k", bench_look, .order = 0, .count = 8192);
KBENCH(pgt_lookup, "pgt.lookup", bench_look, .order = 0, .count = 512);
KBENCH(pgt_user_map, "pgt.user.map.4k", bench_user, .order = 0, .count = 8192);
KBENCH(pgt_user_unmap, "pgt.user.unmap.4k", bench_user, .order = 0, .count = 8192);
KBENCH(pgt_user_map_2m, "pgt.user.map.2m", bench_user, .order = 1, .count = 256);
KBENCH(pgt_user_one, "pgt.user.map.one", bench_user, .order = 0, .count = 1);
KBENCH(pgt_user_unmap_one, "pgt.user.unmap.one", bench_user, .order = 0, .count = 1);

#if __SIZEOF_POINTER__ == 8 /* there is room for a GiB */
static void bench_table_bytes(struct kbench *b, const struct kbench_case *c)
{
	const char *unit = b->unit;
	u64 values[REPEATS];
	unsigned long before;
	struct row r;

	if (!begin_row(b, c, &r, false))
		return;
	before = init_mm.pgtable_pages;
	if (map(&r)) {
		kbench_fail(b, "%s: no memory\n", c->name);
		return;
	}
	for (unsigned int i = 0; i < REPEATS; i++)
		values[i] = (u64)(init_mm.pgtable_pages - before) << PAGE_SHIFT;
	(void)pgt_unmap_range(r.mm, r.virt, r.size, NULL);
	(void)flush_tlb_kernel_range(r.virt, r.virt + (uintptr_t)r.size);
	free_tables(&r);
	b->unit = "bytes";
	kbench_row(b, c->name, values, 1, "GiB");
	b->unit = unit;
}

KBENCH(pgt_bytes_4k, "pgt.table_bytes.4k", bench_table_bytes, .order = 0, .count = 262144);
KBENCH(pgt_bytes_2m, "pgt.table_bytes.2m", bench_table_bytes, .order = 1, .count = 512);
KBENCH(pgt_bytes_1g, "pgt.table_bytes.1g", bench_table_bytes, .order = 2, .count = 1);
#endif
