// SPDX-License-Identifier: MIT
#include "pgtable_model.h"

#include <octavo/fault.h>
#include <octavo/gfp.h>

#include "mm/phys/zone.h"

const struct pgtable_model_machine *pgtable_model_machine;

#define CUTS_MAX 64u
#define NOTHING (~(u64)0)
#define SWAPPED (~(u64)1)
#define PAGES_MAX 64u

/* What the pages between two cuts show: @pfn for the first. */
struct cell {
	u64 pfn;
	u32 prot;
};

static struct {
	u64 cuts[CUTS_MAX]; /* page numbers within the stretch */
	unsigned int nr;
	unsigned int of_level[3];
	struct mm_struct *mm[PGM_SPACES];
	uintptr_t base[PGM_SPACES];
	struct cell cells[PGM_SPACES][CUTS_MAX];
	unsigned long tables[PGM_SPACES];
	long nodes;
	const char *left; /* what was found wrong when the last sequence's leavings were cleared away */
	bool alive;
} pm __memsys;

static char trouble[256];

__printf(1, 2) static const char *wrong(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	octavo_vsnprintf(trouble, sizeof(trouble), fmt, args);
	va_end(args);
	return trouble;
}

/* ---- Cuts ---- */

static u64 stretch_pages(void)
{
	return PGT_TEST_SPACE >> PAGE_SHIFT;
}

static void add_cut(s64 page)
{
	unsigned int at = 0;

	if (page < 0 || (u64)page > stretch_pages() || pm.nr == CUTS_MAX)
		return;
	while (at < pm.nr && pm.cuts[at] < (u64)page)
		at++;
	if (at < pm.nr && pm.cuts[at] == (u64)page)
		return;
	memmove(pm.cuts + at + 1, pm.cuts + at, (pm.nr - at) * sizeof(*pm.cuts));
	pm.cuts[at] = (u64)page;
	pm.nr++;
}

static void make_cuts(void)
{
	pm.nr = 0;
	for (unsigned int level = 0; level < PGT_LEVELS && level < 3; level++) {
		s64 size = (s64)(PGT_SIZE(level) >> PAGE_SHIFT), group = size * PGT_CONT_ENTRIES;

		for (s64 times = 0; times < 4; times++)
			add_cut(times * size);
		for (s64 by = -1; by <= 1; by++)
			add_cut(2 * size + by);
		if (level < 2) {
			add_cut(size * 512);
			add_cut(size * 513);
			add_cut(size * 511);
		}
		if (group > size) {
			add_cut(group);
			add_cut(2 * group);
			add_cut(2 * group + 1);
		}
	}
	for (unsigned int level = 0; level < 3; level++)
		for (unsigned int i = 0; i < pm.nr; i++)
			if (pm.cuts[i] == 2 * PGT_SIZE(level) >> PAGE_SHIFT)
				pm.of_level[level] = i;
}

unsigned int pgtable_model_cut(unsigned int level)
{
	return pm.of_level[level];
}

/* ---- Address spaces ---- */

static const char *clear(void)
{
	const char *why = NULL;
	struct mmu_gather tlb;

	for (unsigned int s = 0; s < PGM_SPACES; s++) {
		struct mm_struct *mm = pm.mm[s];

		if (pgt_test_unmap(mm, pm.base[s], PGT_TEST_SPACE))
			why = "not everything can be unmapped";
		if (mm == &init_mm) {
			tlb_gather_mmu(&tlb, mm);
			pgt_free_kernel_tables(pm.base[s], PGT_TEST_SPACE, &tlb);
			tlb_finish_mmu(&tlb);
		}
		/* PT-I4 */
		if (!why && mm->pgtable_pages != pm.tables[s])
			why = wrong("space %u has %lu table pages when all is unmapped, not %lu", s, mm->pgtable_pages,
				    pm.tables[s]);
		if (mm != &init_mm)
			mmput(mm);
	}
	if (!why && (long)global_node_page_state(NR_PAGETABLE) != pm.nodes)
		why = wrong("NR_PAGETABLE is %ld when all is unmapped, not %ld",
			    (long)global_node_page_state(NR_PAGETABLE), pm.nodes);
	pm.alive = false;
	return why;
}

const char *pgtable_model_end(void)
{
	const char *why = pm.alive ? clear() : NULL;

	return pm.left ?: why;
}

static void reset(void *ctx)
{
	(void)ctx;
	if (pm.alive && !pm.left)
		pm.left = clear();
	make_cuts();
	pm.base[0] = pgt_test_kernel();
	pm.mm[0] = &init_mm;
	pm.tables[0] = init_mm.pgtable_pages;
	pm.nodes = (long)global_node_page_state(NR_PAGETABLE);
	pm.alive = true;
	for (unsigned int s = 0; s < PGM_SPACES; s++) {
		for (unsigned int i = 0; i < CUTS_MAX; i++)
			pm.cells[s][i] = (struct cell){ .pfn = NOTHING };
		if (!s)
			continue;
		pm.base[s] = PGT_TEST_USER;
		pm.mm[s] = mm_alloc(GFP_KERNEL);
		if (!pm.mm[s]) {
			test_fail(__FILE__, __LINE__, "no memory for an address space");
			pm.alive = false;
			return;
		}
		pm.tables[s] = pm.mm[s]->pgtable_pages;
	}
	if (pgtable_model_machine)
		pgtable_model_machine->begin(pm.mm);
}

static uintptr_t cut_virt(unsigned int s, unsigned int cut)
{
	return pm.base[s] + (uintptr_t)(pm.cuts[cut] << PAGE_SHIFT);
}

/* ---- Operations ---- */

/* An operation as the model and the walker need it. */
struct deed {
	unsigned int kind, s, from, to, nth, level;
	struct mm_struct *mm;
	uintptr_t virt;
	u64 size;
	pgprot_t prot;
	u32 clear;
	u64 pfn;
	bool fails;
	unsigned long tables;
};

/* Groups are dirty from the first: which of its entries the machine marks so is its own affair. */
static pgprot_t choose_prot(unsigned int s, unsigned int which)
{
	static const u32 kernel[] = { PGPROT_KERNEL_RW,
				      PGPROT_KERNEL_BITS,
				      PGPROT_KERNEL_BITS | PGPROT_EXEC,
				      PGPROT_KERNEL_RW | PGPROT_CACHE(PAGE_CACHE_UC),
				      PGPROT_KERNEL_RW | PGPROT_CACHE(PAGE_CACHE_WC),
				      PGPROT_KERNEL_RW | PGPROT_CONT,
				      PGPROT_KERNEL_BITS | PGPROT_DIRTY | PGPROT_CONT,
				      PGPROT_ACCESSED };
	static const u32 user[] = { PGPROT_USER_BITS,
				    PGPROT_USER_BITS | PGPROT_WRITE,
				    PGPROT_USER_BITS | PGPROT_EXEC,
				    PGPROT_USER_BITS | PGPROT_WRITE | PGPROT_DIRTY,
				    PGPROT_READ | PGPROT_USER | PGPROT_WRITE,
				    PGPROT_USER_BITS | PGPROT_WRITE | PGPROT_DIRTY | PGPROT_CONT,
				    PGPROT_USER_BITS | PGPROT_CACHE(PAGE_CACHE_UC_MINUS),
				    PGPROT_ACCESSED };

	return octavo_pgprot((s ? user : kernel)[which % 8]);
}

/* Frames that are congruent to the addresses in large leaves, in small ones, or not at all. */
static u64 choose_pfn(const struct deed *d, unsigned int which)
{
	static const u32 off[] = { 0, 0, (u32)1 << PGT_TABLE_BITS, 1 };

	return 0x40000 + pm.cuts[d->from] + off[which % 4];
}

static struct deed read_op(const struct model_op *op)
{
	struct deed d = {
		.kind = (op->kind & 15) % PGM_KINDS, .s = (op->kind >> 4 & 3) % PGM_SPACES, .from = op->a % (pm.nr - 1)
	};

	d.to = d.from + 1 + (op->b & 63) % (pm.nr - 1 - d.from);
	d.mm = pm.mm[d.s];
	d.virt = cut_virt(d.s, d.from);
	d.size = (pm.cuts[d.to] - pm.cuts[d.from]) << PAGE_SHIFT;
	d.prot = choose_prot(d.s, op->b >> 6 & 7);
	d.pfn = choose_pfn(&d, op->b >> 9 & 3);
	d.level = op->b >> 11 & 3;
	d.nth = op->b >> 13 & 7;
	d.tables = d.mm ? d.mm->pgtable_pages : 0;
	return d;
}

static bool any_mapped(const struct deed *d)
{
	for (unsigned int i = d->from; i < d->to; i++)
		if (pm.cells[d->s][i].pfn != NOTHING)
			return true;
	return false;
}

static bool all_mapped(const struct deed *d)
{
	for (unsigned int i = d->from; i < d->to; i++)
		if (pm.cells[d->s][i].pfn == NOTHING)
			return false;
	return true;
}

static void note(const struct deed *d, u64 pfn, u32 prot)
{
	for (unsigned int i = d->from; i < d->to; i++)
		pm.cells[d->s][i] = (struct cell){
			.pfn = pfn >= SWAPPED ? pfn : pfn + pm.cuts[i] - pm.cuts[d->from], .prot = prot
		};
}

static void flush(const struct deed *d)
{
	uintptr_t end = d->virt + (uintptr_t)d->size;

	if (!d->s)
		(void)flush_tlb_kernel_range(d->virt, end);
	else
		(void)flush_tlb_mm_range(d->mm, d->virt, end, PAGE_SHIFT, false);
}

/* Of an operation that may run out of memory: NULL, or what is wrong with how it ended. */
static const char *ended(struct deed *d, int err, int want)
{
	d->fails = err != 0;
	/* PT-I5 */
	if (err == -ENOMEM && d->mm->pgtable_pages != d->tables)
		return wrong("it ran out of memory and left %lu tables, not %lu", d->mm->pgtable_pages, d->tables);
	if (err == want || (err == -ENOMEM && d->nth))
		return NULL;
	return wrong("it returns %d, not %d", err, want);
}

static const char *do_map(struct deed *d)
{
	struct page *pages[PAGES_MAX];
	unsigned long nr = (unsigned long)(d->size >> PAGE_SHIFT);
	const char *why;
	int err;

	if (d->kind == PGM_MAP) {
		err = pgt_map_range(d->mm, d->virt, d->pfn << PAGE_SHIFT, d->size, d->prot, d->level,
				    GFP_KERNEL | __GFP_NOWARN);
	} else {
		if (nr > PAGES_MAX)
			return NULL;
		d->pfn = 0x100 + pm.cuts[d->from] % 64;
		for (unsigned long i = 0; i < nr; i++)
			pages[i] = pfn_to_page((unsigned long)d->pfn + i);
		err = pgt_map_pages(d->mm, d->virt, pages, nr, d->prot, GFP_KERNEL | __GFP_NOWARN);
	}
	why = ended(d, err, any_mapped(d) ? -EEXIST : 0);
	if (!d->fails)
		note(d, d->pfn, d->prot.bits);
	else
		flush(d);
	return why;
}

static const char *do_unmap(struct deed *d)
{
	const char *why = ended(d, pgt_test_unmap(d->mm, d->virt, d->size), 0);

	if (!d->fails)
		note(d, NOTHING, 0);
	return why;
}

/* Rights, and for the kernel the cache mode, of choose_prot(). */
static const char *do_protect(struct deed *d)
{
	u32 what = PGPROT_READ | PGPROT_WRITE | PGPROT_EXEC | (d->s ? PGPROT_USER : PGPROT_CACHE_MASK);
	u32 set = d->prot.bits & what, keep = ~what;
	const char *why = ended(d, pgt_protect_range(d->mm, d->virt, d->size, set, what), all_mapped(d) ? 0 : -EINVAL);

	for (unsigned int i = d->from; i < d->to && !d->fails; i++) {
		struct cell *cell = &pm.cells[d->s][i];

		if (cell->pfn == SWAPPED)
			continue;
		/* What the machine can see of the kernel's is global. */
		if (!d->s && set & ~cell->prot & PGPROT_READ)
			cell->prot |= PGPROT_GLOBAL;
		cell->prot = (cell->prot & keep) | set;
	}
	flush(d);
	return why;
}

/* Is there a leaf that @virt is in but does not begin? */
static bool leaf_across(const struct deed *d)
{
	unsigned int level;
	pgt_entry_t *entry = pgt_lookup(d->mm, d->virt, &level);

	return entry && pgt_leaf(level, pgt_get(entry)) && d->virt & (PGT_SIZE(level) - 1);
}

static const char *do_split(struct deed *d)
{
	const char *why = ended(d, pgt_split(d->mm, d->virt, GFP_KERNEL | __GFP_NOWARN), 0);

	if (!why && !d->fails && leaf_across(d))
		why = "a leaf reaches across where it was split";
	flush(d);
	return why;
}

static const char *do_join(struct deed *d)
{
	struct mmu_gather tlb;

	tlb_gather_mmu(&tlb, d->mm);
	(void)pgt_join(d->mm, d->virt, d->size, &tlb);
	tlb_finish_mmu(&tlb);
	return NULL;
}

static const char *do_entry(struct deed *d)
{
	pgt_entry_t *entry = pgt_entry_alloc(d->mm, d->virt, 0, GFP_KERNEL | __GFP_NOWARN);

	if (!entry && d->mm->pgtable_pages != d->tables)
		return "an entry that could not be had has left tables";
	if (!entry)
		return d->nth || pm.cells[d->s][d->from].pfn != NOTHING ? NULL : "no entry, and no leaf in the way";
	if (d->kind == PGM_SWAP && d->size == PAGE_SIZE && pm.cells[d->s][d->from].pfn == NOTHING) {
		spinlock_t *lock = pgt_lock_ptr(d->mm, entry);

		spin_lock(lock);
		pgt_set(entry, pgt_make_swap(1, 0x55));
		spin_unlock(lock);
		note(d, SWAPPED, 0);
	}
	return NULL;
}

static const char *do_free_tables(struct deed *d)
{
	struct mmu_gather tlb;

	if (d->s || any_mapped(d))
		return NULL;
	tlb_gather_mmu(&tlb, d->mm);
	pgt_free_kernel_tables(d->virt, d->size, &tlb);
	tlb_finish_mmu(&tlb);
	return NULL;
}

/* ---- Looking ---- */

/* Bits of rights that the tables must show just as they were asked for. */
static u32 told_bits(u32 prot)
{
	u32 bits = PGPROT_READ | PGPROT_WRITE | PGPROT_CACHE_MASK;

	/* Leaves that were joined are accessed and dirty if one of them was. */
	bits |= prot & (PGPROT_DIRTY | PGPROT_ACCESSED);
	if (pgt_fit(pgt_make_leaf(0, 0, PAGE_KERNEL)) != pgt_fit(pgt_make_leaf(0, 0, PAGE_KERNEL_EXEC)))
		bits |= PGPROT_EXEC;
	if (prot & PGPROT_READ)
		bits |= PGPROT_USER | PGPROT_GLOBAL;
	if (!(pgt_prot(0, pgt_fit(pgt_make_leaf(0, 0, PAGE_KERNEL))).bits & PGPROT_GLOBAL))
		bits &= ~PGPROT_GLOBAL;
	return bits;
}

/* What a format has for the cache mode of @prot. */
static u32 as_the_format_says(u32 prot)
{
	u32 cache = pgt_prot(0, pgt_make_leaf(0, 0, octavo_pgprot(prot))).bits & PGPROT_CACHE_MASK;

	return (prot & ~PGPROT_CACHE_MASK) | cache;
}

static const char *look_at_page(unsigned int s, const struct cell *cell, uintptr_t virt, u64 into)
{
	unsigned int level;
	pgt_entry_t *entry = pgt_lookup(pm.mm[s], virt, &level), e = entry ? pgt_get(entry) : 0;
	u64 phys;
	u32 prot;

	if (cell->pfn == NOTHING)
		return entry && !pgt_none(e) ? wrong("space %u, %#lx: mapped", s, (unsigned long)virt) : NULL;
	if (!entry || pgt_none(e))
		return wrong("space %u, %#lx: not mapped", s, (unsigned long)virt);
	if (cell->pfn == SWAPPED)
		return level || !pgt_is_swap(e) ? wrong("space %u, %#lx: no swap entry", s, (unsigned long)virt) : NULL;
	if (!pgt_leaf(level, e))
		return wrong("space %u, %#lx: no leaf", s, (unsigned long)virt);
	phys = pgt_leaf_phys(level, e) + (virt & (PGT_SIZE(level) - 1));
	if (phys != (cell->pfn + into) << PAGE_SHIFT)
		return wrong("space %u, %#lx: shows %#llx, not %#llx", s, (unsigned long)virt, (unsigned long long)phys,
			     (unsigned long long)(cell->pfn + into) << PAGE_SHIFT);
	prot = as_the_format_says(cell->prot);
	if ((pgt_prot(level, e).bits ^ prot) & told_bits(prot))
		return wrong("space %u, %#lx: rights %#x at level %u, not %#x", s, (unsigned long)virt,
			     pgt_prot(level, e).bits, level, prot);
	return NULL;
}

/* The first, a middle and the last page of each cell. */
static const char *look_at_space(unsigned int s)
{
	const char *why = NULL;

	for (unsigned int i = 0; i + 1 < pm.nr && !why; i++) {
		u64 pages = pm.cuts[i + 1] - pm.cuts[i], at[] = { 0, pages / 2, pages - 1 };

		for (unsigned int n = 0; n < 3 && n < pages && !why; n++)
			why = look_at_page(s, &pm.cells[s][i], cut_virt(s, i) + (uintptr_t)(at[n] << PAGE_SHIFT),
					   at[n]);
	}
	return why;
}

/*
 * The machine at the ends of an operation's range and next to them: few pages, so that a TLB still has what it was
 * asked for ahead of the operation.
 */
static const char *ask_machine(const struct deed *d)
{
	unsigned int near[] = { d->from ? d->from - 1 : 0, d->from,   d->from + 1,
				(d->from + d->to) / 2,	   d->to - 1, d->to };
	const char *why = NULL;

	for (unsigned int n = 0; pgtable_model_machine && n < ARRAY_SIZE(near) && !why; n++) {
		unsigned int i = min(near[n], pm.nr - 2);
		const struct cell *cell = &pm.cells[d->s][i];
		u64 pages = pm.cuts[i + 1] - pm.cuts[i], at[] = { 0, pages / 2, pages - 1 };

		for (unsigned int k = 0; k < 3 && !why; k++)
			why = pgtable_model_machine->page(d->mm, cut_virt(d->s, i) + (uintptr_t)(at[k] << PAGE_SHIFT),
							  cell->pfn >= SWAPPED ? NOTHING :
										 (cell->pfn + at[k]) << PAGE_SHIFT,
							  as_the_format_says(cell->prot));
	}
	return why;
}

static const char *apply(void *ctx, const struct model_op *op)
{
	struct deed d = read_op(op);
	const char *why;

	(void)ctx;
	if (pm.left || !pm.alive)
		return pm.left;
	why = ask_machine(&d);
	if (why)
		return why;
	if (d.nth)
		fail_nth_set(d.nth);
	switch (d.kind) {
	case PGM_MAP:
	case PGM_MAP_PAGES:
		why = do_map(&d);
		break;
	case PGM_UNMAP:
		why = do_unmap(&d);
		break;
	case PGM_PROTECT:
		why = do_protect(&d);
		break;
	case PGM_SPLIT:
		why = do_split(&d);
		break;
	case PGM_JOIN:
		why = do_join(&d);
		break;
	case PGM_FREE_TABLES:
		why = do_free_tables(&d);
		break;
	default:
		why = do_entry(&d);
		break;
	}
	fail_nth_set(0);
	why = why ?: look_at_space(d.s);
	return why ?: ask_machine(&d);
}

/* ---- The whole ---- */

struct tour {
	unsigned int s, cell;
	uintptr_t next;
	const char *why;
};

static const struct cell *tour_cell(struct tour *t, uintptr_t virt, u64 *into)
{
	u64 page = (u64)(virt - pm.base[t->s]) >> PAGE_SHIFT;

	while (t->cell + 2 < pm.nr && pm.cuts[t->cell + 1] <= page)
		t->cell++;
	*into = page - pm.cuts[t->cell];
	return &pm.cells[t->s][t->cell];
}

/* Leaves and holes come in order, without gaps, and say what the cells in them say. */
static int tour_part(struct tour *t, uintptr_t start, uintptr_t last, bool hole, u64 phys)
{
	if (start != t->next)
		t->why = wrong("space %u: the walk comes to %#lx, not %#lx", t->s, (unsigned long)start,
			       (unsigned long)t->next);
	t->next = last + 1;
	for (uintptr_t at = start; !t->why; at += PAGE_SIZE) {
		u64 into, end;
		const struct cell *cell = tour_cell(t, at, &into);

		if (hole ? cell->pfn != NOTHING : phys != NOTHING && cell->pfn + into != phys >> PAGE_SHIFT)
			t->why = wrong("space %u, %#lx: the walk says %s", t->s, (unsigned long)at,
				       hole ? "that nothing is there" : "something else");
		if (!hole && (phys == NOTHING) != (cell->pfn == SWAPPED))
			t->why = wrong("space %u, %#lx: leaf or not", t->s, (unsigned long)at);
		/* On to the last page of the cell or the part, as all between are alike. */
		end = pm.base[t->s] + (pm.cuts[t->cell + 1] << PAGE_SHIFT);
		if (end - 1 >= last || at >= last - (PAGE_SIZE - 1))
			break;
		if (phys != NOTHING)
			phys += end - at;
		at = (uintptr_t)(end - PAGE_SIZE);
	}
	return t->why != NULL;
}

static int tour_leaf(void *ctx, unsigned int level, pgt_entry_t *entry, uintptr_t start, uintptr_t last)
{
	pgt_entry_t e = pgt_get(entry);
	u64 phys = pgt_leaf(level, e) ? pgt_leaf_phys(level, e) + (start & (PGT_SIZE(level) - 1)) : NOTHING;

	return tour_part(ctx, start, last, false, phys);
}

static int tour_hole(void *ctx, unsigned int level, uintptr_t start, uintptr_t last)
{
	(void)level;
	return tour_part(ctx, start, last, true, NOTHING);
}

static void note_finding(void *ctx, const char *line)
{
	const char **why = ctx;

	if (!*why)
		*why = wrong("%s", line);
}

static const char *check(void *ctx)
{
	static const struct pgt_walk_ops ops = { .leaf = tour_leaf, .hole = tour_hole };
	const char *why = pm.left;

	(void)ctx;
	for (unsigned int s = 0; s < PGM_SPACES && !why && pm.alive; s++) {
		struct tour t = { .s = s, .next = pm.base[s] };

		why = look_at_space(s);
		if (!why && !pgt_walk(pm.mm[s], pm.base[s], pm.cuts[pm.nr - 1] << PAGE_SHIFT, &ops, &t) &&
		    t.next != pm.base[s] + (uintptr_t)(pm.cuts[pm.nr - 1] << PAGE_SHIFT))
			why = "the walk ends too soon";
		why = why ?: t.why;
		if (!why)
			(void)pgt_verify(pm.mm[s], note_finding, &why);
	}
	if (!why && pgtable_model_machine)
		why = pgtable_model_machine->check();
	return why;
}

/* ---- For the model ---- */

static void draw(void *ctx, u64 *state, struct model_op *op)
{
	static const u8 kinds[] = { PGM_MAP,	 PGM_MAP,     PGM_MAP,	 PGM_MAP,   PGM_MAP_PAGES, PGM_UNMAP, PGM_UNMAP,
				    PGM_UNMAP,	 PGM_PROTECT, PGM_PROTECT, PGM_PROTECT, PGM_SPLIT, PGM_JOIN,  PGM_JOIN,
				    PGM_SWAP,	 PGM_ENTRY,   PGM_FREE_TABLES };
	u64 r = test_random(state);

	(void)ctx;
	op->kind = (u8)(kinds[r % ARRAY_SIZE(kinds)] | (r >> 8 & 3) << 4);
	op->a = (u8)(r >> 16);
	op->b = (u16)(r >> 24);
	/* One in eight has an allocation fail; most ranges are short. */
	if (r >> 40 & 7)
		op->b &= 0x1fff;
	if (r >> 43 & 1)
		op->b &= (u16)~0x3c;
}

static void describe(const struct model_op *op, char *text, size_t size)
{
	static const char *const names[] = { "map", "map pages", "unmap", "protect", "split", "join", "swap entry",
					     "entry", "free tables" };
	struct deed d = read_op(op);

	octavo_snprintf(text, size,
			"%s: space %u, page %#llx, %#llx pages to frame %#llx, rights %#x, level %u, fail %u",
		 names[d.kind], d.s, (unsigned long long)pm.cuts[d.from], (unsigned long long)d.size >> PAGE_SHIFT,
		 (unsigned long long)d.pfn, d.prot.bits, d.level, d.nth);
}

const struct model pgtable_model = {
	.name = "pgtable", .reset = reset, .random = draw, .apply = apply, .check = check, .describe = describe,
	.check_every = 16,
};
