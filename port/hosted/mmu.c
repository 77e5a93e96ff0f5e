// SPDX-License-Identifier: MIT
/*
 * The MMU of each CPU.
 *
 * Purpose. To be the strictest processor that the manuals allow: what may be cached is cached, and stays until the
 * instruction that drops it. Code that forgets a flush meets its old translation.
 *
 * Words. The *TLB* holds translations: an address, a size, where it leads and what it lets through. The
 * *paging-structure cache* holds ways to tables: the part of an address that upper entries decide, the table they lead
 * to, and what they let through. A *way* is *stale* when no walk of the present tables would go it.
 *
 *	lookup: address -> TLB, smallest size first -> hit: rights -> physical address
 *	                        |                          `-- refused: fault
 *	                        miss, or a store through an entry that is not dirty
 *	                        `-> structure cache, nearest table first -> rest of the walk in RAM -> TLB
 *
 * Invariants.
 * MU-I1: an entry leaves the TLB or the structure cache only by a flush that names it, a load without identifiers, a
 *        fault at its address (x86), a fresh walk for the same page, or when the store is full, which is counted.
 * MU-I2: nothing that is not present, was not marked accessed, or has reserved bits is ever kept.
 * MU-I3: a store is let through only when the entry in RAM was marked dirty since the translation was cached.
 * MU-I4: accessed and dirty are set by compare-and-swap on the very entry that was read: a change by software between
 *        the two is never lost, nor undone.
 * MU-I5: an entry that is not global is used with its own identifier only.
 * MU-I6: a mapping of the process shows a page only while that page's translation may be used by some CPU (window.c).
 *
 * Locking. One spinlock a CPU; its owner has interrupts off. The fault handler takes it, too: nobody touches the
 * kernel window while holding it. Two are never held at once.
 *
 * Memory use and bounds. 8192 translations and 1024 ways a CPU, 40 bytes each, taken from the host when the CPU first
 * loads a page table; only what was used is touched.
 *
 * What failure does. A table where there is no memory reads as all ones, as on a PC's bus: reserved bits (x86), an
 * external abort (arm64).
 *
 * Differences from hardware. No speculation: nothing is cached that was not asked for. A store sets accessed and
 * dirty in one step. Upper x86 entries are marked accessed even when the access is refused further down, which
 * processors may do. arm64 identifiers are the CPU's own, as on x86.
 *
 * Sources. Intel SDM volume 3A sections 4.3-4.10 (formats, rights, error codes, caching), AMD APM volume 2 chapter 5,
 * Arm ARM DDI 0487 chapter D8 (VMSAv8-64) and D17.2 (ESR_EL1).
 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <octavo/page.h>

#include "mmu_impl.h"

#define TLB_ENTRIES (sizeof(void *) == 8 ? 8192u : 4096u)
#define TABLE_ENTRIES 1024u
#define EXTRA 8u /* those of mmu_add() */

/* The caches' memory stays from machine to machine. */
static struct mmu mmus[NR_CPUS + EXTRA];
static unsigned int nr_mmus;

/* ---- One MMU ---- */

static unsigned long mmu_lock(struct mmu *mmu)
{
	unsigned long flags = port_irq_save();

	while (__atomic_exchange_n(&mmu->lock, 1, __ATOMIC_ACQUIRE))
		sched_yield();
	return flags;
}

static void mmu_unlock(struct mmu *mmu, unsigned long flags)
{
	__atomic_store_n(&mmu->lock, 0, __ATOMIC_RELEASE);
	port_irq_restore(flags);
}

static struct mmu *mmu_of(unsigned int cpu)
{
	if (cpu >= nr_mmus)
		port_panic("no such MMU");
	mmu_cache_make(&mmus[cpu].tlb, TLB_ENTRIES);
	mmu_cache_make(&mmus[cpu].tables, TABLE_ENTRIES);
	return &mmus[cpu];
}

static void mmu_reset(struct mmu *mmu, const struct mmu_config *config)
{
	static const struct mmu_ops *const ops[MMU_FORMATS] = {
		[MMU_X86_64] = &mmu_x86_64,	  [MMU_X86_64_LA57] = &mmu_x86_64_la57, [MMU_I386] = &mmu_i386,
		[MMU_I386_PAE] = &mmu_i386_pae, [MMU_ARM64] = &mmu_arm64,
	};
	static const unsigned int width[MMU_FORMATS] = { 46, 52, 32, 36, 48 };
	struct mmu_cache tlb = mmu->tlb, tables = mmu->tables;

	mmu_cache_empty(&tlb);
	mmu_cache_empty(&tables);
	memset(mmu, 0, sizeof(*mmu));
	mmu->tlb = tlb;
	mmu->tlb.capacity = TLB_ENTRIES;
	if (config->tlb_entries && config->tlb_entries < TLB_ENTRIES)
		mmu->tlb.capacity = config->tlb_entries;
	mmu->tables = tables;
	mmu->config = *config;
	if (!mmu->config.phys_bits)
		mmu->config.phys_bits = width[config->format];
	mmu->ops = ops[config->format];
	mmu->control = (struct mmu_control){
		.wp = true,
		.smep = config->features & BOOT_MMU_SMEP,
		.smap = config->features & BOOT_MMU_SMAP,
		.nxe = config->features & BOOT_MMU_NX,
		.ha = true,
		.hd = true,
	};
	mmu->there = true;
}

void mmu_create(unsigned int cpus, const struct mmu_config *config)
{
	mmu_destroy();
	for (unsigned int i = 0; i < cpus; i++)
		mmu_reset(&mmus[i], config);
	nr_mmus = cpus;
}

void mmu_destroy(void)
{
	for (unsigned int i = 0; i < nr_mmus; i++) {
		mmu_cache_empty(&mmus[i].tlb);
		mmu_cache_empty(&mmus[i].tables);
		mmus[i].there = false;
	}
	nr_mmus = 0;
}

unsigned int mmu_add(const struct mmu_config *config)
{
	unsigned int i = cpus_nr();

	while (i < nr_mmus && mmus[i].there)
		i++;
	if (i == NR_CPUS + EXTRA)
		port_panic("mmu_add: too many");
	mmu_reset(&mmus[i], config);
	nr_mmus = i < nr_mmus ? nr_mmus : i + 1;
	return i;
}

void mmu_remove(unsigned int cpu)
{
	mmu_flush_all(cpu);
	mmus[cpu].there = false;
}

struct mmu_control *mmu_control(unsigned int cpu)
{
	return &mmu_of(cpu)->control;
}

void mmu_stats(unsigned int cpu, struct mmu_stats *stats)
{
	struct mmu *mmu = mmu_of(cpu);
	unsigned long flags = mmu_lock(mmu);

	*stats = mmu->stats;
	mmu_unlock(mmu, flags);
}

/* ---- Roots and flushes ---- */

bool mmu_load(unsigned int cpu, u64 root, unsigned int asid)
{
	struct mmu *mmu = mmu_of(cpu);
	unsigned long flags = mmu_lock(mmu);
	bool ok = true;

	mmu->stats.loads++;
	if (mmu->config.format == MMU_ARM64 && asid != PORT_ASID_KERNEL) {
		mmu->user_root = root;
		mmu->user_loaded = true;
	} else {
		mmu->root = root;
		mmu->loaded = true;
		mmu->user_loaded = false;
		ok = !mmu->ops->load || mmu->ops->load(mmu);
	}
	mmu->asid = asid;
	if (!mmu->config.asids) {
		mmu_cache_drop_asid(&mmu->tlb, asid);
		mmu_cache_empty(&mmu->tables);
	}
	mmu_unlock(mmu, flags);
	return ok;
}

static void drop_ways(struct mmu *mmu, u64 virt, unsigned int asid)
{
	for (const u8 *shift = mmu->ops->table_shifts; *shift; shift++)
		mmu_cache_drop(&mmu->tables, virt, *shift, asid);
}

unsigned int mmu_flush_page(unsigned int cpu, unsigned int asid, u64 virt)
{
	struct mmu *mmu = mmu_of(cpu);
	unsigned long flags = mmu_lock(mmu);
	unsigned int whose = asid == PORT_ASID_KERNEL ? MMU_ANY_ASID : asid, largest = PAGE_SHIFT;

	mmu->stats.flush_page++;
	for (const u8 *shift = mmu->ops->shifts; *shift; shift++)
		if (mmu_cache_drop(&mmu->tlb, virt, *shift, whose))
			largest = *shift;
	drop_ways(mmu, virt, whose);
	/* Intel SDM volume 3A 4.10.4.1: INVLPG drops all of the current identifier's, regardless of the address. */
	if (mmu->config.format != MMU_ARM64 && !mmu->config.strict_structure)
		mmu_cache_drop_asid(&mmu->tables, asid == PORT_ASID_KERNEL ? mmu->asid : asid);
	mmu_unlock(mmu, flags);
	return largest;
}

void mmu_flush_asid(unsigned int cpu, unsigned int asid)
{
	struct mmu *mmu = mmu_of(cpu);
	unsigned long flags = mmu_lock(mmu);

	mmu->stats.flush_asid++;
	mmu_cache_drop_asid(&mmu->tlb, asid);
	mmu_cache_drop_asid(&mmu->tables, asid);
	mmu_unlock(mmu, flags);
}

void mmu_flush_all(unsigned int cpu)
{
	struct mmu *mmu = mmu_of(cpu);
	unsigned long flags = mmu_lock(mmu);

	mmu->stats.flush_all++;
	mmu_cache_empty(&mmu->tlb);
	mmu_cache_empty(&mmu->tables);
	mmu_unlock(mmu, flags);
}

void mmu_power_off(unsigned int cpu)
{
	struct mmu_config config = mmus[cpu].config;

	if (cpu < nr_mmus && mmus[cpu].there)
		mmu_reset(&mmus[cpu], &config);
}

struct mmu *mmu_save(unsigned int cpu)
{
	struct mmu *saved = malloc(sizeof(*saved));

	return saved ? memcpy(saved, mmu_of(cpu), sizeof(*saved)) : NULL;
}

void mmu_restore(unsigned int cpu, const struct mmu *saved)
{
	struct mmu *mmu = mmu_of(cpu);
	struct mmu_cache tlb = mmu->tlb, tables = mmu->tables;

	mmu_cache_empty(&tlb);
	mmu_cache_empty(&tables);
	*mmu = *saved;
	mmu->tlb = tlb;
	mmu->tables = tables;
}

bool mmu_has_root(unsigned int cpu)
{
	return mmu_of(cpu)->loaded;
}

/* ---- For the formats ---- */

u64 mmu_entry_read(struct mmu *mmu, const struct mmu_walk *w, u64 phys, unsigned int bytes, bool *there)
{
	void *at = arena_phys(phys);

	mmu->stats.table_reads += !w->peek;
	*there = at != NULL;
	if (!at)
		return bytes == 4 ? 0xffffffffu : ~(u64)0;
	return bytes == 4 ? __atomic_load_n((u32 *)at, __ATOMIC_ACQUIRE) : __atomic_load_n((u64 *)at, __ATOMIC_ACQUIRE);
}

bool mmu_entry_update(u64 phys, unsigned int bytes, u64 old, u64 fresh)
{
	void *at = arena_phys(phys);
	u32 old32 = (u32)old;

	if (bytes == 4)
		return __atomic_compare_exchange_n((u32 *)at, &old32, (u32)fresh, false, __ATOMIC_ACQ_REL,
						   __ATOMIC_ACQUIRE);
	return __atomic_compare_exchange_n((u64 *)at, &old, fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

const struct mmu_entry *mmu_table_find(struct mmu *mmu, const struct mmu_walk *w, unsigned int shift)
{
	const struct mmu_entry *e = w->peek ? NULL : mmu_cache_find(&mmu->tables, w->virt, shift, mmu->asid);

	mmu->stats.structure_hits += e != NULL;
	return e;
}

void mmu_table_keep(struct mmu *mmu, const struct mmu_walk *w, unsigned int shift, u64 table, u32 rights)
{
	struct mmu_entry e = { .virt = w->virt, .phys = table, .asid = (u16)mmu->asid, .shift = (u8)shift,
			       .rights = (u8)rights };

	if (!w->peek)
		mmu->stats.evicted += mmu_cache_put(&mmu->tables, &e);
}

/* ---- Translation ---- */

static struct mmu_entry *tlb_find(const struct mmu *mmu, u64 virt)
{
	struct mmu_entry *e = NULL;

	for (const u8 *shift = mmu->ops->shifts; *shift && !e; shift++)
		e = mmu_cache_find(&mmu->tlb, virt, *shift, mmu->asid);
	return e;
}

/* Intel SDM volume 3A 4.10.4.1: what a fault drops, so that it does not come again when the tables no longer say so. */
static void drop_after_fault(struct mmu *mmu, u64 virt)
{
	for (const u8 *shift = mmu->ops->shifts; *shift; shift++) {
		struct mmu_entry *e = mmu_cache_find(&mmu->tlb, virt, *shift, mmu->asid);

		if (e && e->rights & MMU_GLOBAL)
			mmu_cache_drop(&mmu->tlb, virt, *shift, MMU_ANY_ASID);
		mmu_cache_drop(&mmu->tlb, virt, *shift, mmu->asid);
	}
	drop_ways(mmu, virt, mmu->asid);
}

static bool refuse(struct mmu *mmu, const struct mmu_walk *w, struct mmu_fault *fault)
{
	mmu->stats.faults++;
	if (mmu->ops->fault_drops)
		drop_after_fault(mmu, w->virt);
	if (fault) {
		memset(fault, 0, sizeof(*fault));
		fault->canonical = !(w->flags & PAGE_FAULT_NONCANONICAL);
		fault->fault.address = (uintptr_t)w->virt;
		fault->fault.flags = w->flags;
		fault->fault.error = mmu->ops->error(mmu, w);
	}
	return false;
}

static struct mmu_entry entry_of(const struct mmu *mmu, const struct mmu_walk *w)
{
	return (struct mmu_entry){ .virt = w->virt, .phys = w->phys, .asid = (u16)mmu->asid, .shift = (u8)w->shift,
				   .rights = (u8)w->rights, .pkey = w->pkey };
}

static bool translate(struct mmu *mmu, struct mmu_walk *w, u64 *phys, struct mmu_fault *fault)
{
	struct mmu_entry *e, fresh;

	mmu->stats.lookups++;
	if (!mmu->ops->canonical(mmu, w->virt)) {
		w->flags = PAGE_FAULT_NONCANONICAL | (w->access == MMU_WRITE ? PAGE_FAULT_WRITE : 0) |
			   (w->access == MMU_EXEC ? PAGE_FAULT_EXEC : 0) | (w->user ? PAGE_FAULT_USER : 0);
		return refuse(mmu, w, fault);
	}
	e = tlb_find(mmu, w->virt);
	if (e) {
		u32 flags = mmu->ops->check(mmu, e->rights, e->pkey, w->access, w->user);

		mmu->stats.hits++;
		for (w->level = 0; mmu->ops->table_shifts[w->level] && mmu->ops->table_shifts[w->level] <= e->shift; )
			w->level++;
		if (flags) {
			w->flags |= flags;
			return refuse(mmu, w, fault);
		}
		if (w->access != MMU_WRITE || e->rights & MMU_DIRTY) {
			*phys = e->phys + (w->virt - e->virt);
			return true;
		}
	}
	mmu->stats.walks++;
	if (!mmu->ops->walk(mmu, w))
		return refuse(mmu, w, fault);
	fresh = entry_of(mmu, w);
	mmu->stats.evicted += mmu_cache_put(&mmu->tlb, &fresh);
	*phys = w->phys + (w->virt & (((u64)1 << w->shift) - 1));
	return true;
}

bool mmu_translate(unsigned int cpu, uintptr_t virt, enum mmu_access access, bool user, u64 *phys,
		   struct mmu_fault *fault)
{
	struct mmu *mmu = mmu_of(cpu);
	struct mmu_walk w = { .virt = virt, .access = access, .user = user };
	unsigned long flags = mmu_lock(mmu);
	bool ok = translate(mmu, &w, phys, fault);

	mmu_unlock(mmu, flags);
	return ok;
}

static unsigned int may_go_on(const struct mmu *mmu, u32 rights, u8 pkey)
{
	unsigned int may = 0;

	for (int access = MMU_READ; access <= MMU_EXEC; access++)
		if (!mmu->ops->check(mmu, rights, pkey, (enum mmu_access)access, false) &&
		    (access != MMU_WRITE || rights & MMU_DIRTY))
			may |= 1u << access;
	return may;
}

bool mmu_translate_for_host(unsigned int cpu, uintptr_t virt, enum mmu_access access, u64 *phys, unsigned int *may,
			    struct mmu_fault *fault)
{
	struct mmu *mmu = mmu_of(cpu);
	struct mmu_walk w = { .virt = virt, .access = access };
	unsigned long flags = mmu_lock(mmu);
	bool ok = translate(mmu, &w, phys, fault);

	if (ok) {
		const struct mmu_entry *e = tlb_find(mmu, virt);

		*may = may_go_on(mmu, e->rights, e->pkey);
	}
	mmu_unlock(mmu, flags);
	return ok;
}

unsigned int mmu_peek(unsigned int cpu, uintptr_t virt, unsigned int *shift)
{
	struct mmu *mmu = mmu_of(cpu);
	struct mmu_walk w = { .virt = virt, .peek = true };
	unsigned long flags = mmu_lock(mmu);
	bool ok = mmu->ops->canonical(mmu, virt) && mmu->ops->walk(mmu, &w);
	unsigned int may = ok ? may_go_on(mmu, w.rights | MMU_DIRTY, w.pkey) : 0;

	mmu_unlock(mmu, flags);
	*shift = ok ? w.shift : PAGE_SHIFT;
	return may;
}

static size_t copy(unsigned int cpu, uintptr_t virt, char *bytes, size_t size, enum mmu_access access, bool user,
		   struct mmu_fault *fault)
{
	size_t done = 0;

	while (done < size) {
		uintptr_t at = virt + done;
		size_t part = PAGE_SIZE - (at & (PAGE_SIZE - 1));
		u64 phys;

		part = part < size - done ? part : size - done;
		if (!mmu_translate(cpu, at, access, user, &phys, fault))
			return done;
		arena_bytes(phys, bytes + done, part, access == MMU_WRITE);
		done += part;
	}
	return done;
}

size_t mmu_read(unsigned int cpu, uintptr_t virt, void *to, size_t size, bool user, struct mmu_fault *fault)
{
	return copy(cpu, virt, to, size, MMU_READ, user, fault);
}

size_t mmu_write(unsigned int cpu, uintptr_t virt, const void *from, size_t size, bool user, struct mmu_fault *fault)
{
	return copy(cpu, virt, (char *)(uintptr_t)from, size, MMU_WRITE, user, fault);
}

/* ---- What is stale ---- */

bool mmu_holds(unsigned int cpu, uintptr_t virt)
{
	struct mmu *mmu = mmu_of(cpu);
	unsigned long flags = mmu_lock(mmu);
	bool found = tlb_find(mmu, virt) != NULL;

	mmu_unlock(mmu, flags);
	return found;
}

static bool usable(const struct mmu *mmu, const struct mmu_entry *e)
{
	return e->used && (e->rights & MMU_GLOBAL || e->asid == mmu->asid);
}

/* Lets @cached through what @now does not? */
static bool more_rights(u32 cached, u32 now)
{
	u32 grants = MMU_MAY_WRITE | MMU_MAY_USER | MMU_DIRTY | MMU_GLOBAL;
	u32 denials = MMU_NO_EXEC | MMU_NO_KEXEC;

	return (cached & ~now & grants) || (now & ~cached & denials);
}

static bool stale_translation(struct mmu *mmu, const struct mmu_entry *e)
{
	struct mmu_walk w = { .virt = e->virt, .peek = true };

	return !mmu->ops->walk(mmu, &w) || w.shift != e->shift || w.phys != e->phys || w.pkey != e->pkey ||
	       more_rights(e->rights, w.rights);
}

static bool stale_way(struct mmu *mmu, const struct mmu_entry *e)
{
	struct mmu_walk w = { .virt = e->virt, .peek = true };
	unsigned int level = 0;

	mmu->ops->walk(mmu, &w);
	while (mmu->ops->table_shifts[level] != e->shift)
		level++;
	return w.way[level].table != e->phys || more_rights(e->rights & ~MMU_DIRTY, w.way[level].rights);
}

unsigned int mmu_stale(unsigned int cpu, uintptr_t *virt)
{
	struct mmu *mmu = mmu_of(cpu);
	unsigned long flags = mmu_lock(mmu);
	unsigned int n = 0;
	u64 first = 0;

	for (u32 i = 0; i < mmu->tlb.high; i++) {
		const struct mmu_entry *e = &mmu->tlb.entries[i];

		if (usable(mmu, e) && stale_translation(mmu, e) && !n++)
			first = e->virt;
	}
	for (u32 i = 0; i < mmu->tables.high; i++) {
		const struct mmu_entry *e = &mmu->tables.entries[i];

		if (usable(mmu, e) && stale_way(mmu, e) && !n++)
			first = e->virt;
	}
	mmu_unlock(mmu, flags);
	if (n && virt)
		*virt = (uintptr_t)first;
	return n;
}

/* By a root that is loaded, or what is kept of upper entries. */
static bool walks_to(const struct mmu *mmu, u64 phys, u64 *virt)
{
	*virt = 0;
	if ((mmu->loaded && (mmu->root & ~(u64)(PAGE_SIZE - 1)) == phys) ||
	    (mmu->user_loaded && mmu->user_root == phys))
		return true;
	for (unsigned int i = 0; i < 4; i++) {
		*virt = (u64)i << 30;
		if (mmu->pdpte[i] & 1 && (mmu->pdpte[i] & ~(u64)0xfff) == phys)
			return true;
	}
	for (u32 i = 0; i < mmu->tables.high; i++) {
		const struct mmu_entry *e = &mmu->tables.entries[i];

		*virt = e->virt;
		if (usable(mmu, e) && e->phys == phys)
			return true;
	}
	return false;
}

static bool translates_to(const struct mmu *mmu, u64 phys, u64 *virt)
{
	u64 direct = 0;
	bool have_direct = direct_map_virt(&direct);

	for (u32 i = 0; i < mmu->tlb.high; i++) {
		const struct mmu_entry *e = &mmu->tlb.entries[i];

		*virt = e->virt + (phys - e->phys);
		if (usable(mmu, e) && phys - e->phys < (u64)1 << e->shift && !(have_direct && *virt - phys == direct))
			return true;
	}
	return false;
}

static bool cpu_leads_to(unsigned int cpu, unsigned long pfn, bool tables_only, uintptr_t *virt)
{
	struct mmu *mmu = mmu_of(cpu);
	unsigned long flags = mmu_lock(mmu);
	u64 at;
	bool found = walks_to(mmu, PFN_PHYS(pfn), &at) ||
		     (!tables_only && translates_to(mmu, PFN_PHYS(pfn), &at));

	mmu_unlock(mmu, flags);
	if (found && virt)
		*virt = (uintptr_t)at;
	return found;
}

bool mmu_cpu_leads_to(unsigned int cpu, unsigned long pfn, uintptr_t *virt)
{
	return cpu_leads_to(cpu, pfn, false, virt);
}

bool mmu_cpu_walks(unsigned int cpu, unsigned long pfn)
{
	return cpu_leads_to(cpu, pfn, true, NULL);
}

bool mmu_leads_to(unsigned long pfn, unsigned int *cpu, uintptr_t *virt)
{
	for (unsigned int i = 0; i < nr_mmus; i++) {
		if (!mmus[i].there || !mmus[i].tlb.entries || !mmu_cpu_leads_to(i, pfn, virt))
			continue;
		if (cpu)
			*cpu = i;
		return true;
	}
	return false;
}
