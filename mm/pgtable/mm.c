// SPDX-License-Identifier: MIT
/*
 * Address spaces: how they come and go, and how their roots share the kernel half.
 *
 * Formats with one root show the kernel in each. init_mm's root is the one that is written first; each change of one
 * of its entries is copied to the others under address_spaces.lock before whoever made it goes on, so that no CPU
 * ever has to fetch a kernel entry by a fault. A root with entries that are read only when it is loaded (PAE) has all
 * its tables from the beginning, in both halves, and keeps them.
 */
#include <octavo/slab.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "../sync/cpu.h"
#include "tables.h"
#include "tlb.h"

struct mm_struct init_mm __memsys = {
	.page_table_lock = { .rank = LOCK_RANK_PAGE_TABLES },
	.tlb_gen = 1,
	.users = 1,
	.count = 1,
};
bool pgtables_on __memsys;
pgt_entry_t pgt_supported __memsys = (pgt_entry_t)~0ull;
unsigned int pgt_leaf_levels __memsys = PGT_LEAF_LEVELS;

static struct {
	spinlock_t lock;
	struct list_head list;
	unsigned long ctx_id; /* the last that was given */
} address_spaces __memsys = {
	.lock = { .rank = LOCK_RANK_ROOTS },
	.list = LIST_HEAD_INIT(address_spaces.list),
};

static pgt_entry_t leaf_bits(u32 bits)
{
	return pgt_make_leaf(0, 0, octavo_pgprot(bits));
}

/* What the processor lacks is what a leaf with it has beyond one without. */
static void set_features(u32 mmu_features)
{
	u32 base = PGPROT_READ | PGPROT_EXEC;
	unsigned int levels = 1;

	pgt_supported = (pgt_entry_t)~0ull;
	if (!(mmu_features & BOOT_MMU_NX))
		pgt_supported &= ~(leaf_bits(PGPROT_READ) & ~leaf_bits(base));
	if (!(mmu_features & BOOT_MMU_GLOBAL))
		pgt_supported &= ~(leaf_bits(base | PGPROT_GLOBAL) & ~leaf_bits(base));
	if (!(mmu_features & BOOT_MMU_PKEYS))
		pgt_supported &= ~(leaf_bits(base | PGPROT_PKEY_MASK) & ~leaf_bits(base));
	levels |= mmu_features & BOOT_MMU_LARGE ? 2 : 0;
	levels |= mmu_features & BOOT_MMU_GIGANTIC ? 4 : 0;
	pgt_leaf_levels = levels & PGT_LEAF_LEVELS;
}

/* The first entry of a root that is the kernel's. */
static unsigned int kernel_from(void)
{
	return (unsigned int)(pgt_user_size() >> PGT_SHIFT(PGT_ROOT_LEVEL));
}

/* The tables that entries @first to @end - 1 of a fixed root lead to. Return: 0 or -ENOMEM, with none made. */
static int fix_root(struct mm_struct *mm, unsigned int first, unsigned int end, gfp_t gfp)
{
	struct pgt_stock stock = { NULL };

	if (!PGT_ROOT_FIXED)
		return 0;
	if (pgt_stock_fill(&stock, mm, end - first, gfp))
		return -ENOMEM;
	for (unsigned int i = first; i < end; i++) {
		pgt_entry_t *table = pgt_stock_take(&stock, PGT_ROOT_LEVEL - 1);

		pgt_set(mm->pgd + i, pgt_make_table(PGT_ROOT_LEVEL, pgt_table_phys_of(table), !pgt_is_kernel(mm)));
	}
	return 0;
}

int pgt_init(u32 mmu_features)
{
	set_features(mmu_features);
	/* A PAE root is told to the processor in 32 bits; so much memory the direct map of such a machine has not. */
	init_mm.pgd = memblock_alloc(PGT_ROOT_BYTES, PGT_ROOT_BYTES);
	if (!init_mm.pgd) {
		pr_err("page tables: no memory for the kernel's root\n");
		return -ENOMEM;
	}
	init_mm.pgd_phys = virt_to_phys(init_mm.pgd);
	init_mm.pgtable_pages = 1;
	if (fix_root(&init_mm, kernel_from(), PGT_ENTRIES(PGT_ROOT_LEVEL), GFP_NOWAIT)) {
		pr_err("page tables: no memory for the tables of the kernel's root\n");
		return -ENOMEM;
	}
	return 0;
}

static bool root_is_page(void)
{
	return PGT_ROOT_BYTES == PAGE_SIZE;
}

static pgt_entry_t *alloc_root(struct mm_struct *mm, gfp_t gfp)
{
	pgt_entry_t *root;

	if (root_is_page())
		return pgt_table_alloc(mm, PGT_ROOT_LEVEL, gfp);
	root = kzalloc(PGT_ROOT_BYTES, gfp);
	if (root)
		mm->pgtable_pages = 1;
	return root;
}

static void free_root(struct mm_struct *mm)
{
	if (root_is_page())
		pgt_table_free(mm, mm->pgd);
	else
		kfree(mm->pgd);
}

static void copy_root_locked(struct mm_struct *mm, unsigned int first, unsigned int last)
{
	pgt_entry_t *to = mm->pgd;

#pragma GCC unroll 8
	for (unsigned int i = first; i <= last; i++)
		pgt_set(to + i, pgt_get(init_mm.pgd + i));
}

static void join_address_spaces(struct mm_struct *mm)
{
	unsigned long flags;

	spin_lock_irqsave(&address_spaces.lock, flags);
	mm->ctx_id = ++address_spaces.ctx_id;
	if (!PGT_TWO_ROOTS && init_mm.pgd)
		copy_root_locked(mm, kernel_from(), PGT_ENTRIES(PGT_ROOT_LEVEL) - 1);
	list_add_tail(&mm->list, &address_spaces.list);
	spin_unlock_irqrestore(&address_spaces.lock, flags);
}

void pgt_root_changed(uintptr_t virt, uintptr_t last)
{
	unsigned long flags;

	spin_lock_irqsave(&address_spaces.lock, flags);
	for (struct list_head *at = address_spaces.list.next; at != &address_spaces.list; at = at->next)
		copy_root_locked(container_of(at, struct mm_struct, list), pgt_index(PGT_ROOT_LEVEL, virt),
				 pgt_index(PGT_ROOT_LEVEL, last));
	spin_unlock_irqrestore(&address_spaces.lock, flags);
}

struct mm_struct *mm_after(const struct mm_struct *mm)
{
	struct list_head *next = mm ? mm->list.next : address_spaces.list.next;

	return next == &address_spaces.list ? NULL : container_of(next, struct mm_struct, list);
}

struct mm_struct *mm_next_user(struct mm_struct *mm)
{
	struct mm_struct *next = NULL;
	unsigned long flags;

	spin_lock_irqsave(&address_spaces.lock, flags);
	/* It is in the list as long as it has our reference. */
	for (struct list_head *at = mm ? mm->list.next : address_spaces.list.next; at != &address_spaces.list && !next;
	     at = at->next) {
		next = container_of(at, struct mm_struct, list);
		if (!mmget_not_zero(next))
			next = NULL;
	}
	spin_unlock_irqrestore(&address_spaces.lock, flags);
	if (mm)
		mmput(mm);
	return next;
}

struct mm_struct *mm_alloc(gfp_t gfp)
{
	size_t word = 8 * sizeof(unsigned long), cpus = DIV_ROUND_UP(nr_cpu_ids, word) * sizeof(unsigned long);
	struct mm_struct *mm = kzalloc(sizeof(*mm) + cpus, gfp);

	if (!mm)
		return NULL;
	spin_lock_init(&mm->page_table_lock, LOCK_RANK_PAGE_TABLES);
	mm->cpus = (unsigned long *)(mm + 1);
	mm->tlb_gen = 1;
	mm->users = mm->count = 1;
	mm->pgd = alloc_root(mm, gfp);
	if (!mm->pgd)
		goto no_root;
	mm->pgd_phys = virt_to_phys(mm->pgd);
	if (fix_root(mm, 0, kernel_from(), gfp))
		goto no_tables;
	join_address_spaces(mm);
	return mm;
no_tables:
	free_root(mm);
no_root:
	kfree(mm);
	return NULL;
}

void mmget(struct mm_struct *mm)
{
	(void)atomic_fetch_add(&mm->users, 1);
}

bool mmget_not_zero(struct mm_struct *mm)
{
	unsigned int users = load_relaxed(&mm->users), was;

	for (; users; users = was) {
		was = atomic_cmpxchg(&mm->users, users, users + 1);
		if (was == users)
			return true;
	}
	return false;
}

void mmgrab(struct mm_struct *mm)
{
	(void)atomic_fetch_add(&mm->count, 1);
}

/* Table pages that belong to an address space with nothing mapped. */
unsigned long pgt_pages_at_least(const struct mm_struct *mm)
{
	if (!PGT_ROOT_FIXED)
		return 1;
	return 1 + (pgt_is_kernel(mm) ? PGT_ENTRIES(PGT_ROOT_LEVEL) - kernel_from() : kernel_from());
}

/* Something is mapped that nobody will unmap any more: its pages are lost, its tables need not be. */
static void report_left(struct mm_struct *mm)
{
	struct mmu_gather tlb;

	pr_err("mm %lu: let go with %lu table pages, not %lu: something is still mapped\n", mm->ctx_id,
	       mm->pgtable_pages, pgt_pages_at_least(mm));
	tlb_gather_mmu_fullmm(&tlb, mm);
	if (pgt_unmap_range(mm, 0, pgt_user_size(), &tlb))
		pr_err("mm %lu: no memory to unmap it: its tables are lost\n", mm->ctx_id);
	tlb_finish_mmu(&tlb);
}

static void (*release_user_part)(struct mm_struct *mm) __memsys;

void mm_on_release(void (*release)(struct mm_struct *mm))
{
	release_user_part = release;
}

void mmput(struct mm_struct *mm)
{
	if (atomic_sub_fetch(&mm->users, 1))
		return;
	if (release_user_part)
		release_user_part(mm);
	if (unlikely(load_relaxed(&mm->pgtable_pages) != pgt_pages_at_least(mm)))
		report_left(mm);
	mmdrop(mm);
}

void mmdrop(struct mm_struct *mm)
{
	unsigned long flags;

	if (atomic_sub_fetch(&mm->count, 1))
		return;
	if (unlikely(!tlb_leave_everywhere(mm))) {
		pr_err("mm %lu: some CPU may still have it loaded: its root is lost\n", mm->ctx_id);
		return;
	}
	spin_lock_irqsave(&address_spaces.lock, flags);
	list_del(&mm->list);
	spin_unlock_irqrestore(&address_spaces.lock, flags);
	for (unsigned int i = 0; PGT_ROOT_FIXED && i < kernel_from(); i++)
		pgt_table_free(mm, pgt_table_of(PGT_ROOT_LEVEL, pgt_get(mm->pgd + i)));
	free_root(mm);
	kfree(mm);
}
