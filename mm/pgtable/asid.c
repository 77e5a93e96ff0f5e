// SPDX-License-Identifier: MIT
/* Which address space a CPU runs in, and under which identifier its TLB keeps it. The theory stands in tlb.c. */
#include <octavo/port.h>

#include "../base/part.h"
#include "../base/printk.h"
#include "../sync/atomic.h"
#include "../sync/cpu.h"
#include "tlb_cpu.h"

DEFINE_PER_CPU_ALIGNED(struct tlb_cpu, tlb_cpu) = { .loaded = &init_mm };
struct tlb_shared tlb_shared __memsys;

struct mm_struct *loaded_mm(void)
{
	return raw_cpu_read(tlb_cpu.loaded);
}

/* ---- mm->cpus ---- */

/* A full barrier: what is read behind it, the generation above all, is read after all CPUs can see the bit. */
static void cpus_set(struct mm_struct *mm, unsigned int cpu)
{
	if (!mm->cpus)
		return;
	(void)atomic_fetch_or(&mm->cpus[cpu / CPU_WORD_BITS], 1ul << cpu % CPU_WORD_BITS);
	smp_mb__after_atomic();
}

static void cpus_clear(struct mm_struct *mm, unsigned int cpu)
{
	if (mm->cpus)
		(void)atomic_fetch_and(&mm->cpus[cpu / CPU_WORD_BITS], ~(1ul << cpu % CPU_WORD_BITS));
}

/* ---- Slots ---- */

/* The slot that holds @mm; tlb_shared.slots: none does. */
static unsigned int slot_of_mm(const struct tlb_cpu *tc, const struct mm_struct *mm)
{
	unsigned int i = 0;

	while (i < tlb_shared.slots && tc->slots[i].ctx_id != mm->ctx_id)
		i++;
	return i;
}

/* In turn, but not the one that is loaded, where there is another: nothing may come in under it after its flush. */
static unsigned int slot_to_reuse(struct tlb_cpu *tc)
{
	unsigned int slot = tc->next;

	if (tc->loaded != &init_mm && slot == tc->slot)
		slot = slot + 1 < tlb_shared.slots ? slot + 1 : 0;
	tc->next = slot + 1 < tlb_shared.slots ? slot + 1 : 0;
	return slot;
}

/*
 * A slot for @mm whose TLB entries are as new as @gen, found or made so. Without identifiers the load itself will
 * forget everything.
 */
static unsigned int slot_for(struct tlb_cpu *tc, const struct mm_struct *mm, unsigned long gen)
{
	unsigned int slot = slot_of_mm(tc, mm);

	if (!tlb_shared.slots) {
		slot = 0;
	} else if (slot == tlb_shared.slots) {
		slot = slot_to_reuse(tc);
		if (tc->loaded != &init_mm && slot == tc->slot)
			tlb_leave_locked(tc);
		port_tlb_flush_page(tlb_slot_asid(slot), PORT_TLB_ASID);
	} else if (tc->slots[slot].gen != gen) {
		port_tlb_flush_page(tlb_slot_asid(slot), PORT_TLB_ASID);
	}
	tc->slots[slot].ctx_id = mm->ctx_id;
	tc->slots[slot].gen = gen;
	return slot;
}

/* ---- Switching ---- */

void tlb_leave_locked(struct tlb_cpu *tc)
{
	struct mm_struct *was = tc->loaded;

	if (was == &init_mm)
		return;
	port_pgd_load(init_mm.pgd_phys, PORT_ASID_KERNEL);
	tc->loaded = &init_mm;
	store_relaxed(&tc->lazy, 0);
	cpus_clear(was, smp_processor_id());
}

static void enter(struct tlb_cpu *tc, struct mm_struct *mm)
{
	unsigned int cpu = smp_processor_id(), slot;
	struct mm_struct *was;

	cpus_set(mm, cpu);
	slot = slot_for(tc, mm, load_acquire(&mm->tlb_gen));
	was = tc->loaded;
	port_pgd_load(mm->pgd_phys, tlb_slot_asid(slot));
	tc->loaded = mm;
	tc->slot = slot;
	store_relaxed(&tc->lazy, 0);
	if (was != &init_mm)
		cpus_clear(was, cpu);
}

/* Out of lazy mode: from here on flushes call again, and those that did not are made up for. */
static void resume(struct tlb_cpu *tc)
{
	struct tlb_slot *slot = &tc->slots[tc->slot];
	unsigned long gen;

	store_relaxed(&tc->lazy, 0);
	smp_mb();
	gen = load_acquire(&tc->loaded->tlb_gen);
	if (slot->gen == gen)
		return;
	port_tlb_flush_page(tlb_slot_asid(tc->slot), PORT_TLB_ASID);
	slot->gen = gen;
}

void switch_mm(struct mm_struct *next)
{
	unsigned long flags = port_irq_save(), missed = load_relaxed(&tlb_shared.missed);
	struct tlb_cpu *tc = this_cpu_ptr(&tlb_cpu);

	if (unlikely(tc->missed != missed)) {
		tc->missed = missed;
		port_tlb_flush_all();
	}
	if (next == &init_mm)
		tlb_leave_locked(tc);
	else if (next != tc->loaded)
		enter(tc, next);
	else if (load_relaxed(&tc->lazy))
		resume(tc);
	port_irq_restore(flags);
}

/* A release: what this thread did with the address space is done when others see that it is lazy. */
void enter_lazy_tlb(void)
{
	unsigned long flags = port_irq_save();
	struct tlb_cpu *tc = this_cpu_ptr(&tlb_cpu);

	if (tc->loaded != &init_mm)
		store_release(&tc->lazy, 1);
	port_irq_restore(flags);
}

/* ---- CPUs ---- */

static int tlb_early(const struct bootinfo *info)
{
	tlb_shared.slots = info->asids ? min(info->asids - 1, TLB_SLOTS) : 0;
	tlb_shared.kernel_once = !tlb_shared.slots || info->mmu_features & BOOT_MMU_GLOBAL;
	if (info->page_tables && PGT_TWO_ROOTS && !tlb_shared.slots) {
		pr_err("mm_init: " PGT_NAME " needs at least 2 address-space identifiers, the port offers %u\n",
		       info->asids);
		return -EINVAL;
	}
	return 0;
}

/* The CPU runs on the kernel's tables. What its TLB still has from an earlier life goes. */
static int tlb_cpu_online(unsigned int cpu)
{
	struct tlb_cpu *tc = per_cpu_ptr(&tlb_cpu, cpu);

	if (!pgtables_on)
		return 0;
	for (unsigned int i = 0; i < TLB_SLOTS; i++)
		tc->slots[i] = (struct tlb_slot){ 0, 0 };
	tc->loaded = &init_mm;
	tc->missed = load_relaxed(&tlb_shared.missed);
	store_relaxed(&tc->lazy, 0);
	smp_mb();
	port_tlb_flush_all();
	return 0;
}

/*
 * Of a CPU that left nothing is touched: its bit may stay in the mask of what it had loaded, which may be gone by now.
 * CPUs that are offline are not called.
 */
MM_PART(tlb, .order = MM_PART_KERNEL_MAP, .early = tlb_early, .cpu_online = tlb_cpu_online);
