// SPDX-License-Identifier: MIT
/*
 * Rights and cache modes of kernel mappings.
 *
 * A change goes over its range twice. The first pass changes nothing but sizes: it checks that all is mapped and that
 * nothing would become writable and executable, and splits the leaves that reach across an end of the range, or of the
 * place where an alias of its frames is. The second cannot fail. The range's leaves are taken in *runs*: of frames that
 * follow each other, so that their alias in the direct map is one range, too.
 *
 * Then the TLBs are flushed, and tables of the direct map that spell a large leaf again become one: those of the blocks
 * the range touched, unless part of such a block is *pinned* to small pages (KFENCE's pool).
 */
#include "set_memory.h"

#include <octavo/gfp.h>
#include <octavo/kfence.h>
#include <octavo/memblock.h>
#include <octavo/page.h>
#include <octavo/set_memory.h>

#include "../base/part.h"
#include "../base/printk.h"
#include "../pgtable/cache.h"
#include "../pgtable/tlb.h"

/* Ranges that stay in small pages; more than that, and nothing is joined any more. */
#define PINNED_MAX 16u

static struct {
	unsigned int pinned_nr; /* kernel_map_mutex, as all here */
	bool pins_all;
	struct {
		uintptr_t start, last;
	} pinned[PINNED_MAX];
} memory_state __memsys;

enum pass { PASS_PREPARE, PASS_APPLY, PASS_JOIN };

struct job {
	const struct attribute_change *change;
	enum kernel_area_id area;
	enum pass pass;
	/* the run being collected: [virt, virt + size) shows [phys, ...) */
	uintptr_t virt;
	phys_addr_t phys;
	u64 size;
};

/* ---- Splitting and joining, with the books of the direct map ---- */

static bool in_direct(uintptr_t virt)
{
	return area_has(AREA_DIRECT, virt);
}

/* No leaf reaches across either end any more. */
static int split_ends(uintptr_t virt, u64 size)
{
	int err = kernel_split(virt, GFP_KERNEL);

	return err ? err : kernel_split(virt + (uintptr_t)size, GFP_KERNEL);
}

static bool is_pinned(uintptr_t start, uintptr_t last)
{
	for (unsigned int i = 0; i < memory_state.pinned_nr; i++)
		if (start <= memory_state.pinned[i].last && memory_state.pinned[i].start <= last)
			return true;
	return memory_state.pins_all;
}

/* Blocks of @level that [virt, last] touches, one by one. Return: how many became leaves. */
static unsigned long join_blocks(uintptr_t virt, uintptr_t last, unsigned int level, struct mmu_gather *tlb)
{
	uintptr_t step = (uintptr_t)PGT_SIZE(level);
	unsigned long joined = 0;

	for (uintptr_t at = ALIGN_DOWN(virt, step); at <= last; at += step) {
		unsigned int found;
		pgt_entry_t *entry = pgt_lookup(&init_mm, at, &found);

		if (entry && found < level && in_direct(at) && in_direct(at + step - 1) &&
		    !is_pinned(at, at + step - 1))
			joined += kernel_join(at, level, tlb);
		if (at + step < at)
			break;
	}
	return joined;
}

static void join(uintptr_t virt, u64 size)
{
	uintptr_t last = virt + (uintptr_t)(size - 1);
	unsigned long joined = 0;
	struct mmu_gather tlb;

	if (!in_direct(virt) || !(pgt_leaf_levels & ~1u))
		return;
	tlb_gather_mmu(&tlb, &init_mm);
	for (unsigned int level = 1; level <= PGT_LEAF_LEVEL_MAX; level++)
		if (pgt_leaf_levels >> level & 1 && (level == 1 || joined))
			joined = join_blocks(virt, last, level, &tlb);
	tlb_finish_mmu(&tlb);
}

/* ---- Runs ---- */

/* What the alias gets of a change: everything but permission to execute. */
static u32 for_alias(u32 bits)
{
	return bits & ~PGPROT_EXEC;
}

static bool alias_follows(const struct job *job)
{
	return !job->change->no_alias && for_alias(job->change->set | job->change->clear);
}

/* Is the whole run mapped there? Frames at the edge of what the direct map shows need not be. */
static int change_place(const struct job *job, uintptr_t virt, u32 set, u32 clear)
{
	switch (job->pass) {
	case PASS_PREPARE:
		return split_ends(virt, job->size);
	case PASS_APPLY:
		return pgt_protect_range(&init_mm, virt, job->size, set, clear);
	case PASS_JOIN: /* of the alias in the direct map: the range itself is elsewhere */
		join(virt, job->size);
	}
	return 0;
}

/* Does the run grant what the image's text and read-only data, or the direct map, were made without? */
static void note_rights(const struct job *job)
{
	if (job->area == AREA_DIRECT && job->change->set & PGPROT_EXEC)
		WRITE_ONCE(kernel_image.rights_changed, true);
	for (unsigned int i = 0; i <= IMAGE_RODATA; i++) {
		const struct image_range *range = &kernel_image.part[i];

		if (job->change->set & PGPROT_WRITE && job->phys < range->end && range->start < job->phys + job->size)
			WRITE_ONCE(kernel_image.rights_changed, true);
	}
}

/* The image's text seen elsewhere: whoever may write there may write what is executed. */
static bool text_would_be_wx(const struct job *job)
{
	const struct image_range *text = &kernel_image.part[IMAGE_TEXT];

	if (job->pass != PASS_PREPARE || !(job->change->set & PGPROT_WRITE) || !kernel_has_nx() ||
	    job->phys >= text->end || text->start >= job->phys + job->size)
		return false;
	pr_err("%s: refused: the kernel's text would be writable and executable\n", job->change->who);
	return true;
}

static int change_run(const struct job *job)
{
	const struct attribute_change *c = job->change;
	uintptr_t image = image_virt_of(job->phys);
	int err = change_place(job, job->virt, c->set, c->clear);

	if (!err && job->pass == PASS_APPLY)
		note_rights(job);
	if (err || !alias_follows(job))
		return err;
	if (job->area != AREA_DIRECT && memblock_is_map_memory(job->phys) && job->phys < memblock.direct_map_end)
		err = change_place(job, kernel_areas[AREA_DIRECT].start + (uintptr_t)job->phys, for_alias(c->set),
				   for_alias(c->clear));
	if (!err && job->area != AREA_IMAGE && image && text_would_be_wx(job))
		return -EACCES;
	if (!err && job->area != AREA_IMAGE && image)
		err = change_place(job, image, for_alias(c->set), for_alias(c->clear));
	return err;
}

static bool becomes_wx(const struct job *job, unsigned int level, pgt_entry_t e, uintptr_t start)
{
	u32 old = pgt_prot(level, e).bits, bits = (old & ~job->change->clear) | job->change->set;

	if (!kernel_has_nx() || !(job->change->set & (PGPROT_WRITE | PGPROT_EXEC)) || !(bits & PGPROT_WRITE) ||
	    !(bits & PGPROT_EXEC))
		return false;
	pr_err("%s: refused: %#lx would be writable and executable\n", job->change->who, (unsigned long)start);
	return true;
}

/*
 * Aliases lie where the image and other memory meet in another place: a run does not reach across an end of the
 * image.
 */
static bool same_image(phys_addr_t a, phys_addr_t b)
{
	return image_virt_of(a) - a == image_virt_of(b) - b;
}

static int take_leaf(void *ctx, unsigned int level, pgt_entry_t *entry, uintptr_t start, uintptr_t last)
{
	struct job *job = ctx;
	pgt_entry_t e = pgt_get(entry);
	phys_addr_t phys;
	int err = 0;

	if (!pgt_leaf(level, e))
		return -EINVAL;
	if (job->pass == PASS_PREPARE && becomes_wx(job, level, e, start))
		return -EACCES;
	phys = pgt_leaf_phys(level, e) + (start & (PGT_SIZE(level) - 1));
	if (job->size && job->phys + job->size == phys && same_image(job->phys, phys)) {
		job->size += (u64)(last - start) + 1;
		return 0;
	}
	if (job->size)
		err = change_run(job);
	job->virt = start;
	job->phys = phys;
	job->size = (u64)(last - start) + 1;
	return err;
}

static int take_hole(void *ctx, unsigned int level, uintptr_t start, uintptr_t last)
{
	struct job *job = ctx;

	(void)level;
	(void)last;
	pr_err("%s: nothing is mapped at %#lx\n", job->change->who, (unsigned long)start);
	return -EINVAL;
}

static int go_over(struct job *job, enum pass pass, uintptr_t virt, u64 size)
{
	static const struct pgt_walk_ops ops = { .leaf = take_leaf, .hole = take_hole };
	int err;

	job->pass = pass;
	job->size = 0;
	err = pgt_walk(&init_mm, virt, size, &ops, job);
	return err || !job->size ? err : change_run(job);
}

/* ---- The change ---- */

static int find_range(const void *p, u64 size, const char *who, uintptr_t *virt, enum kernel_area_id *area)
{
	*virt = kernel_virt(p, area);
	if (*area < AREAS && size && IS_ALIGNED(*virt, PAGE_SIZE) && size - 1 <= kernel_areas[*area].end - 1 - *virt)
		return 0;
	pr_err("%s: %llu pages at %p are not whole pages of one area\n", who,
	       (unsigned long long)(size >> PAGE_SHIFT), p);
	return -EINVAL;
}

/* The aliases lie anywhere in the direct map. */
static void flush(const struct job *job, uintptr_t virt, u64 size)
{
	bool aliases = alias_follows(job) && (kernel_image.separate || job->area != AREA_DIRECT);

	if (job->change->no_flush)
		return;
	if (aliases)
		flush_tlb_all();
	else
		flush_tlb_kernel_range(virt, virt + (uintptr_t)size);
}

int change_attributes(const void *p, u64 size, const struct attribute_change *change)
{
	struct job job = { .change = change };
	uintptr_t virt;
	int err;

	if (!pgtables_on)
		return 0;
	err = find_range(p, size, change->who, &virt, &job.area);
	if (err)
		return err;
	mutex_lock(&kernel_map_mutex);
	err = go_over(&job, PASS_PREPARE, virt, size);
	if (!err) {
		err = go_over(&job, PASS_APPLY, virt, size);
		flush(&job, virt, size);
		if (!err && change->set & PGPROT_EXEC)
			flush_icache_range(p, (const char *)p + size);
	}
	/*
	 * After a failure, too: what was split for nothing becomes one again. Tables that are being walked must stay,
	 * but those of the direct map can go while the range's own are elsewhere.
	 */
	if (job.area == AREA_DIRECT)
		join(virt, size);
	else
		(void)go_over(&job, PASS_JOIN, virt, size);
	mutex_unlock(&kernel_map_mutex);
	return err;
}

int split_for_good(const void *p, u64 size)
{
	enum kernel_area_id area;
	uintptr_t virt, last;
	int err;

	if (!pgtables_on)
		return 0;
	err = find_range(p, size, "set_memory_4k", &virt, &area);
	if (err)
		return err;
	last = virt + (uintptr_t)(size - 1);
	mutex_lock(&kernel_map_mutex);
	for (uintptr_t at = virt; at <= last && !err;) {
		unsigned int level;
		pgt_entry_t *entry = pgt_lookup(&init_mm, at, &level);

		if (!entry) {
			err = -EINVAL;
		} else if (level) {
			err = split_ends(at, PAGE_SIZE);
		} else {
			at = ALIGN_DOWN(at, (uintptr_t)PGT_SIZE(1)) + (uintptr_t)PGT_SIZE(1);
			if (!at)
				break;
		}
	}
	if (err) {
		join(virt, size);
	} else if (memory_state.pinned_nr < PINNED_MAX) {
		memory_state.pinned[memory_state.pinned_nr].start = virt;
		memory_state.pinned[memory_state.pinned_nr++].last = last;
	} else {
		memory_state.pins_all = true;
	}
	/* The large translations say the same, but must not outlive the first page that changes. */
	if (!err)
		flush_tlb_kernel_range(virt, last + 1);
	mutex_unlock(&kernel_map_mutex);
	return err;
}

/* ---- What everybody calls ---- */

static u64 bytes(int numpages)
{
	return numpages > 0 ? (u64)numpages << PAGE_SHIFT : 0;
}

#define DEFINE_SET_MEMORY(name, set_, clear_)                                                                   \
	int set_memory_##name(unsigned long addr, int numpages)                                                  \
	{                                                                                                        \
		static const struct attribute_change change = { .set = (set_), .clear = (clear_),                \
								.who = "set_memory_" #name };                    \
                                                                                                                 \
		return change_attributes((const void *)addr, bytes(numpages), &change);                          \
	}

DEFINE_SET_MEMORY(ro, 0, PGPROT_WRITE | PGPROT_DIRTY)
DEFINE_SET_MEMORY(rw, PGPROT_WRITE | PGPROT_DIRTY, 0)
DEFINE_SET_MEMORY(x, PGPROT_EXEC, 0)
DEFINE_SET_MEMORY(nx, 0, PGPROT_EXEC)
DEFINE_SET_MEMORY(rox, PGPROT_EXEC, PGPROT_WRITE | PGPROT_DIRTY)
DEFINE_SET_MEMORY(np, 0, PGPROT_READ)
DEFINE_SET_MEMORY(p, PGPROT_READ, 0)
DEFINE_SET_MEMORY(uc, PGPROT_CACHE(PAGE_CACHE_UC_MINUS), PGPROT_CACHE_MASK)
DEFINE_SET_MEMORY(wc, PGPROT_CACHE(PAGE_CACHE_WC), PGPROT_CACHE_MASK)
DEFINE_SET_MEMORY(wt, PGPROT_CACHE(PAGE_CACHE_WT), PGPROT_CACHE_MASK)
DEFINE_SET_MEMORY(wb, 0, PGPROT_CACHE_MASK)

int set_memory_4k(unsigned long addr, int numpages)
{
	return split_for_good((const void *)addr, bytes(numpages));
}

#define DEFINE_SET_PAGES(name)                                                                        \
	int set_pages_##name(struct page *page, int numpages)                                          \
	{                                                                                              \
		const void *p = page_address(page);                                                    \
                                                                                                       \
		return p ? set_memory_##name((unsigned long)p, numpages) : 0;                          \
	}

DEFINE_SET_PAGES(uc)
DEFINE_SET_PAGES(wc)
DEFINE_SET_PAGES(wb)
DEFINE_SET_PAGES(ro)
DEFINE_SET_PAGES(rw)
DEFINE_SET_PAGES(np)
DEFINE_SET_PAGES(p)

/* ---- The direct map alone ---- */

static int change_direct(struct page *page, unsigned int nr, u32 set, u32 clear)
{
	const struct attribute_change change = { .set = set, .clear = clear, .no_alias = true, .no_flush = true,
						 .who = "set_direct_map" };
	const void *p = page_address(page);

	return p ? change_attributes(p, (u64)nr << PAGE_SHIFT, &change) : 0;
}

int set_direct_map_invalid_noflush(struct page *page)
{
	return change_direct(page, 1, 0, PGPROT_READ | PGPROT_WRITE);
}

int set_direct_map_default_noflush(struct page *page)
{
	phys_addr_t phys = PFN_PHYS(page_to_pfn(page)), end = phys + PAGE_SIZE;
	u32 made = direct_prot_at(phys, &end).bits;

	return change_direct(page, 1, made, ~made & (PGPROT_WRITE | PGPROT_EXEC | PGPROT_CACHE_MASK));
}

int set_direct_map_valid_noflush(struct page *page, unsigned int nr, bool valid)
{
	return valid ? change_direct(page, nr, PGPROT_READ | PGPROT_WRITE | PGPROT_DIRTY, 0) :
		       change_direct(page, nr, 0, PGPROT_READ | PGPROT_WRITE);
}

/* ---- KFENCE ---- */

static int guard_prepare(uintptr_t start, size_t size)
{
	return split_for_good((const void *)start, size);
}

/* Other CPUs see it when they next look into the tables; for what they miss meanwhile KFENCE has its canaries. */
static bool guard_protect(uintptr_t page, bool on)
{
	uintptr_t virt = kernel_virt((const void *)page, NULL);
	int err = on ? pgt_protect_range(&init_mm, virt, PAGE_SIZE, 0, PGPROT_READ) :
		       pgt_protect_range(&init_mm, virt, PAGE_SIZE, PGPROT_READ, 0);

	flush_tlb_kernel_local(virt, virt + PAGE_SIZE);
	return !err;
}

/* Where a pointer is not an address the port shuts pages of its own. */
static int guard_register(void)
{
	static const struct kfence_ops ops = { guard_prepare, guard_protect };

	if (pgtables_on && !kernel_areas[AREA_DIRECT].bias)
		register_kfence_ops(&ops);
	return 0;
}

MM_PART(set_memory, .order = MM_PART_KERNEL_MAP, .init = guard_register);
