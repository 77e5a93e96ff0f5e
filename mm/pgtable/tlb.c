// SPDX-License-Identifier: MIT
/*
 * TLB control.
 *
 * Purpose
 *	A translation that was taken back must not be used by any CPU, and as few CPUs as possible are disturbed to
 *	see to it. Page tables of users (struct mm_struct) and the kernel's own are told apart, since only the former
 *	are switched.
 *
 * Words
 *	flush: a request to forget; shoot-down: the part of it that goes to other CPUs, by port_cpu_call().
 *	generation: mm->tlb_gen counts an address space's flushes. A TLB is *behind* when it has seen fewer of them.
 *	slot: one of a CPU's address-space identifiers (x86: PCID, arm64: ASID) and which address space's it is now.
 *	lazy: a CPU that keeps an address space loaded without using it, while a kernel thread runs.
 *
 * Structures
 *	mm A: tlb_gen 7, cpus {0, 2}		CPU 0			CPU 2
 *	mm B: tlb_gen 3, cpus {1}		loaded A, slot 1	loaded A, slot 0, lazy
 *						slots: 0: B, gen 2	slots: 0: A, gen 6
 *						       1: A, gen 7	       1: -
 *	CPU 0 was called by A's last flush. CPU 2 was not, being lazy. CPU 0 has old translations of B under
 *	identifier 1 (slot 0); nobody cares until it switches to B and finds its slot behind.
 *
 * Invariants
 *	TL-I1  A CPU has mm loaded only while its bit in mm->cpus is set, from before the load until after the next one.
 *	TL-I2  At most one of a CPU's slots is an address space's, and that of the one loaded is.
 *	TL-I3  A slot's generation is not greater than its address space's: a TLB never has seen what did not happen.
 *	TL-I4  When a flush returns, no CPU that has the address space loaded and is not lazy is behind it.
 *	TL-I5  Pages and tables of a gather are freed after the flush that covers them, in the order they came.
 *	TL-I6  An identifier is wiped for another address space only while it is not loaded (or it would fill again).
 *
 * Why no CPU is missed. A flush changes entries, counts tlb_gen up, passes a full barrier, and reads mm->cpus. A CPU
 * that switches sets its bit, passes a full barrier, reads tlb_gen, and loads the tables. One of the two must see the
 * other's store. Either the flush sees the bit and calls the CPU (which takes the call after the switch, interrupts
 * being off until then), or the CPU sees the new generation, and then what was stored ahead of it too: it wipes the
 * slot before it uses it, and all it fetches afterwards comes from the changed entries. Were the bit set after the
 * load, translations could be fetched in between from the old entries under a generation already read, and nobody
 * would call. Leaving lazy mode is the same with `lazy' for the bit: cleared, full barrier, tlb_gen read; the flush
 * reads `lazy' after its barrier.
 *
 * Catching up. A CPU called by a flush that makes generation n wipes just the flush's range if its slot is at n - 1 and
 * mm is at n: then this flush is all it lacks. Otherwise other flushes are on their way, whose ranges it does not know:
 * it wipes the whole slot and is at mm's present generation, so that their calls find nothing left to do.
 *
 * Late flushes (tlb.h). Reclaim unmaps 32 pages, of any address spaces, before it frees or writes the first: one call
 * to each CPU instead of 32. A generation is counted with each change, as ever, and the CPUs that may know the entry
 * are noted at that moment; who is called in the end wipes its slot if that is behind. A page may only be freed, or
 * written to its store, behind the batch. Others see the entry changed already. They need not flush for it by what
 * they see, and yet must not return from munmap(), mprotect() or fork() while a CPU still uses it: mm->tlb_owed is not
 * 0 before they get the entry's lock, so they flush. It is the latest generation that is owed: a flush that began
 * after it was read makes every CPU see that one and all before it, so it may go back to 0 if nothing was added
 * meanwhile.
 *
 * Freed tables. A lazy CPU does not use user addresses, but its processor may still walk the tables ahead of need, by
 * what its paging-structure caches hold. Old data pages cannot be reached by that, freed tables can: flushes that
 * free tables call lazy CPUs as well, and these go to the kernel's tables. Kernel tables are freed rarely;
 * paging-structure caches of kernel addresses may exist once for each identifier, so then everything is wiped
 * everywhere.
 *
 * Whom to call. One CPU is called by itself; so are several, if they are at most a quarter of all others. For more
 * there is one call to all others, in which those that are not concerned see so at their first look and return.
 * Measured on the PC port, in instructions of all CPUs together: 285 for a call to one, about 110 + 175 n for one to
 * n. So t calls to one are less work than one to all n up to t = 0.6 n; but they are t round trips one after the
 * other, where the other is one. A quarter is where neither is much worse.
 *
 * Locking. None. Slots and `loaded' belong to their CPU with interrupts off; what others read is atomic. A requester
 * stays on its CPU (preempt_disable()) from its own flush to the end of the call.
 *
 * Memory use and bounds. 192 bytes a CPU, a bit a CPU in each mm. On 64-bit machines generations do not wrap. On 32-bit
 * ones they would after 2^32 flushes, of which a slot must have missed every one; the formats there have no
 * identifiers.
 *
 * What failure does. A port without cross calls (-ENOSYS) is sound with one CPU. With more, a shoot-down that cannot be
 * sent is reported once, and every flush that needs one returns false: what was mapped must then stay out of use, and
 * mmu_gather keeps its pages and tables for good. Other CPUs make up for it when they next switch address spaces.
 *
 * Differences from Linux. One scheme for all formats (arm64 and i386 have others there, with broadcast instructions or
 * without identifiers). No user/kernel pairs of identifiers (page-table isolation). A flush can fail, see above.
 *
 * Sources. Intel SDM volume 3A sections 4.10.4 and 4.10.5; Arm ARM DDI 0487 section D8.16; Black and others,
 * "Translation lookaside buffer consistency" (ASPLOS 1989); Amit, "Optimizing the TLB shootdown algorithm" (USENIX
 * ATC 2017).
 */
#include <octavo/port.h>
#include <octavo/preempt.h>

#include "../base/printk.h"
#include "../phys/vmstat.h"
#include "../sync/atomic.h"
#include "../sync/cpu.h"
#include "tlb_cpu.h"

/* One CPU in so many others: see "Whom to call". */
#define CALL_EACH_SHARE 4u

#define FLUSH_ALL (~0ul) /* struct flush.nr: not single pages */

/* Linux's, measured there: beyond it the misses after a full flush cost less than the single flushes. */
#define CEILING_DEFAULT 33ul

unsigned long tlb_single_page_flush_ceiling __memsys = CEILING_DEFAULT;

/* What is to be forgotten. */
struct flush {
	struct mm_struct *mm; /* init_mm: kernel addresses; NULL: a batch, whatever is loaded */
	const struct tlb_batch *batch;
	uintptr_t start;
	unsigned long nr;     /* leaves of 1 << shift bytes, or FLUSH_ALL */
	unsigned int shift;
	bool freed_tables;
	unsigned long gen;    /* which this request made it */
};

static void flush_set_range(struct flush *f, uintptr_t start, uintptr_t end, unsigned int shift)
{
	u64 first = (u64)start >> shift, last = (u64)(end - 1) >> shift;

	f->start = start;
	f->shift = shift;
	f->nr = start == end ? 0 : (unsigned long)min(last - first, (u64)FLUSH_ALL - 1) + 1;
	if (f->nr > READ_ONCE(tlb_single_page_flush_ceiling))
		f->nr = FLUSH_ALL;
}

/* ---- On one CPU ---- */

static void flush_pages(unsigned int asid, const struct flush *f)
{
	for (unsigned long i = 0; i < f->nr; i++)
		port_tlb_flush_page(asid, f->start + (uintptr_t)((u64)i << f->shift));
	count_vm_events(NR_TLB_LOCAL_FLUSH_ONE, f->nr);
}

static void flush_kernel_here(const struct flush *f)
{
	if (f->nr != FLUSH_ALL && likely(tlb_shared.kernel_once)) {
		flush_pages(PORT_ASID_KERNEL, f);
		return;
	}
	port_tlb_flush_all();
	count_vm_events(NR_TLB_LOCAL_FLUSH_ALL, 1);
}

/* Interrupts are off. */
static void flush_mm_here(const struct flush *f)
{
	struct tlb_cpu *tc = this_cpu_ptr(&tlb_cpu);
	struct tlb_slot *slot = &tc->slots[tc->slot];
	unsigned long gen;

	if (tc->loaded != f->mm)
		return;
	if (load_relaxed(&tc->lazy)) {
		if (f->freed_tables)
			tlb_leave_locked(tc);
		return;
	}
	gen = load_acquire(&f->mm->tlb_gen);
	if (slot->gen == gen)
		return;
	if (f->nr != FLUSH_ALL && f->gen == gen && slot->gen + 1 == gen) {
		flush_pages(tlb_slot_asid(tc->slot), f);
	} else {
		port_tlb_flush_page(tlb_slot_asid(tc->slot), PORT_TLB_ASID);
		count_vm_events(NR_TLB_LOCAL_FLUSH_ALL, 1);
	}
	slot->gen = gen;
}

/* Whatever address space is loaded, if it is behind. Interrupts are off. */
static void catch_up_here(void)
{
	struct tlb_cpu *tc = this_cpu_ptr(&tlb_cpu);
	struct tlb_slot *slot = &tc->slots[tc->slot];
	unsigned long gen;

	if (tc->loaded == &init_mm || load_relaxed(&tc->lazy))
		return;
	gen = load_acquire(&tc->loaded->tlb_gen);
	if (slot->gen == gen)
		return;
	port_tlb_flush_page(tlb_slot_asid(tc->slot), PORT_TLB_ASID);
	count_vm_events(NR_TLB_LOCAL_FLUSH_ALL, 1);
	slot->gen = gen;
}

static void flush_here(const struct flush *f)
{
	if (!f->mm)
		catch_up_here();
	else if (f->mm == &init_mm)
		flush_kernel_here(f);
	else
		flush_mm_here(f);
}

/* ---- On others ---- */

/* A call from another CPU; those to all go to many that are not concerned. */
static void flush_called(void *arg)
{
	const struct flush *f = arg;

	if (f->mm && f->mm != &init_mm && raw_cpu_read(tlb_cpu.loaded) != f->mm)
		return;
	count_vm_events(NR_TLB_REMOTE_FLUSH_RECEIVED, 1);
	flush_here(f);
}

/* Those that may have it loaded. */
static unsigned long cpus_word(const struct flush *f, unsigned int i)
{
	if (!f->mm)
		return f->batch->all ? ~0ul : i ? 0 : f->batch->cpus;
	return f->mm->cpus && f->mm != &init_mm ? load_relaxed(&f->mm->cpus[i]) : ~0ul;
}

static bool must_be_called(const struct flush *f, unsigned int cpu)
{
	return cpu_locals[cpu] && READ_ONCE(cpu_locals[cpu]->online) &&
	       (f->freed_tables || !load_relaxed(&per_cpu(tlb_cpu, cpu).lazy));
}

/* The first CPU from @cpu on that is concerned, and not this one; nr_cpu_ids: none. */
static unsigned int concerned_from(const struct flush *f, unsigned int cpu)
{
	unsigned int self = smp_processor_id();

	while (cpu < nr_cpu_ids) {
		unsigned long word = cpus_word(f, cpu / CPU_WORD_BITS) >> cpu % CPU_WORD_BITS;

		if (!word) {
			cpu = ALIGN_DOWN(cpu, CPU_WORD_BITS) + CPU_WORD_BITS;
			continue;
		}
		cpu += lowest_bit(word);
		if (cpu < nr_cpu_ids && cpu != self && must_be_called(f, cpu))
			return cpu;
		cpu++;
	}
	return nr_cpu_ids;
}

/* Are there so few that they are better called one by one? @second: the second of them. */
static bool call_each(const struct flush *f, unsigned int second)
{
	unsigned int most = (num_online_cpus() - 1) / CALL_EACH_SHARE, n = 1;

	for (unsigned int cpu = second; cpu < nr_cpu_ids && n <= most; cpu = concerned_from(f, cpu + 1))
		n++;
	return n <= most;
}

/* The error is 0 where a CPU went offline meanwhile: it will begin with an empty TLB. */
static int call_one(unsigned int cpu, void (*fn)(void *arg), void *arg)
{
	int err = port_cpu_call(cpu, fn, arg);

	return err == -ENOSYS || READ_ONCE(cpu_locals[cpu]->online) ? err : 0;
}

/* Those that are concerned run @fn; *@called: there were any. Preemption is off. */
static int call_concerned(const struct flush *f, void (*fn)(void *arg), void *arg, bool *called)
{
	unsigned int cpu = concerned_from(f, 0), second;
	int err = 0;

	*called = cpu < nr_cpu_ids;
	if (!*called)
		return 0;
	second = concerned_from(f, cpu + 1);
	if (second < nr_cpu_ids && !call_each(f, second))
		return port_cpu_call(PORT_CPU_OTHERS, fn, arg);
	for (; cpu < nr_cpu_ids && !err; cpu = concerned_from(f, cpu + 1))
		err = call_one(cpu, fn, arg);
	return err;
}

/* The report comes once: a port without calls would not stop making it. */
static bool call_failed(const struct flush *f, int err)
{
	unsigned long before = atomic_fetch_add(&tlb_shared.missed, 1);

	if (!before)
		pr_err("TLB: other CPUs may hold translations of %s that are gone, and the port cannot call them "
		       "(error %d): what was mapped there stays out of use\n",
		       f->mm == &init_mm ? "kernel addresses" : "an address space", err);
	return false;
}

static bool shoot_down(const struct flush *f)
{
	bool called;
	int err = call_concerned(f, flush_called, (void *)f, &called);

	if (called)
		count_vm_events(NR_TLB_REMOTE_FLUSH, 1);
	return !err || call_failed(f, err);
}

static bool flush_everywhere(const struct flush *f)
{
	unsigned long flags;
	bool all;

	preempt_disable();
	flags = port_irq_save();
	flush_here(f);
	port_irq_restore(flags);
	all = shoot_down(f);
	preempt_enable();
	return all;
}

/* ---- Requests ---- */

/* Ahead of it the entries are changed; behind it mm->cpus is read. */
static force_inline unsigned long next_generation(struct mm_struct *mm)
{
	unsigned long gen = atomic_fetch_add(&mm->tlb_gen, 1) + 1;

	smp_mb__after_atomic();
	return gen;
}

/* All CPUs have seen generation @gen of @mm. Return: true. */
static bool paid(struct mm_struct *mm, unsigned long gen)
{
	if (unlikely(gen))
		(void)atomic_cmpxchg(&mm->tlb_owed, gen, 0ul);
	return true;
}

bool flush_tlb_mm_range(struct mm_struct *mm, uintptr_t start, uintptr_t end, unsigned int stride_shift,
			bool freed_tables)
{
	struct flush f = { .mm = mm, .freed_tables = freed_tables };
	unsigned long owed;

	if (mm == &init_mm)
		return freed_tables ? flush_tlb_all() : flush_tlb_kernel_range(start, end);
	if (!pgtables_on)
		return true;
	/* Tables of last-level entries may have gone anywhere in the range: one step for each at least. */
	if (freed_tables)
		stride_shift = min(stride_shift, (unsigned int)PGT_SHIFT(1));
	flush_set_range(&f, start, end, stride_shift);
	owed = load_relaxed(&mm->tlb_owed);
	f.gen = next_generation(mm);
	return flush_everywhere(&f) && paid(mm, owed);
}

bool flush_tlb_mm(struct mm_struct *mm)
{
	return flush_tlb_mm_range(mm, 0, UINTPTR_MAX, PAGE_SHIFT, true);
}

bool flush_tlb_page(struct mm_struct *mm, uintptr_t virt)
{
	return flush_tlb_mm_range(mm, ALIGN_DOWN(virt, PAGE_SIZE), ALIGN_DOWN(virt, PAGE_SIZE) + PAGE_SIZE,
				  PAGE_SHIFT, false);
}

/* Beyond the word of bits that has CPU @self's. */
static noinline bool others_beyond(const unsigned long *cpus, unsigned int self)
{
	for (unsigned int i = 0; i * CPU_WORD_BITS < nr_cpu_ids; i++)
		if (i != self / CPU_WORD_BITS && load_relaxed(&cpus[i]))
			return true;
	return false;
}

/* Has another CPU loaded the address space, or is it about to? */
static force_inline bool others_have(const unsigned long *cpus, unsigned int self)
{
	if (load_relaxed(&cpus[self / CPU_WORD_BITS]) & ~(1ul << self % CPU_WORD_BITS))
		return true;
	return unlikely(nr_cpu_ids > CPU_WORD_BITS) && others_beyond(cpus, self);
}

bool flush_tlb_page_alone(struct mm_struct *mm, uintptr_t virt)
{
	struct tlb_cpu *tc = this_cpu_ptr(&tlb_cpu);
	struct tlb_slot *slot = &tc->slots[tc->slot];
	unsigned int self = smp_processor_id();
	unsigned long gen;

	if (tc->loaded != mm || load_relaxed(&tc->lazy) || !mm->cpus || others_have(mm->cpus, self))
		return false;
	/* Who had it loaded before may have translations still, and is to see that he was away. */
	gen = next_generation(mm);
	if (unlikely(others_have(mm->cpus, self)))
		return false;
	port_tlb_flush_page(tlb_slot_asid(tc->slot), virt);
	/* Behind by more than this one flush it stays behind. */
	if (likely(slot->gen + 1 == gen))
		slot->gen = gen;
	return true;
}

/* ---- Late ---- */

/* Generation @gen is owed. One that is later stands for it as well: none is seen before those ahead of it. */
static void owe(struct mm_struct *mm, unsigned long gen)
{
	unsigned long was = load_relaxed(&mm->tlb_owed), seen;

	/* On 32-bit machines generations begin anew, and 0 is none that is owed. */
	gen += !gen;
	for (; !was || (long)(gen - was) > 0; was = seen) {
		seen = atomic_cmpxchg(&mm->tlb_owed, was, gen);
		if (seen == was)
			break;
	}
}

unsigned long tlb_owe(struct mm_struct *mm)
{
	unsigned long gen = 0;

	if (likely(pgtables_on)) {
		gen = next_generation(mm);
		owe(mm, gen);
	}
	return gen;
}

bool tlb_pay_page(struct mm_struct *mm, uintptr_t virt, unsigned long gen)
{
	struct flush f = { .mm = mm, .start = ALIGN_DOWN(virt, PAGE_SIZE), .nr = 1, .shift = PAGE_SHIFT, .gen = gen };

	return !pgtables_on || (flush_everywhere(&f) && paid(mm, gen));
}

/* Those of word @i of @mm's CPUs that use it. Who is lazy looks at the generation before he does. */
static unsigned long in_use(const struct mm_struct *mm, unsigned int i)
{
	unsigned long word = load_relaxed(&mm->cpus[i]);

	for (unsigned long left = word; left; left &= left - 1) {
		unsigned int bit = lowest_bit(left);

		if (load_relaxed(&per_cpu(tlb_cpu, i * CPU_WORD_BITS + bit).lazy))
			word &= ~(1ul << bit);
	}
	return word;
}

bool tlb_batch_add(struct tlb_batch *batch, struct mm_struct *mm)
{
	unsigned long gen, cpus = ~0ul;
	bool all = !mm->cpus;

	if (!pgtables_on)
		return false;
	gen = next_generation(mm);
	if (likely(!all)) {
		cpus = in_use(mm, 0);
		for (unsigned int i = 1; i * CPU_WORD_BITS < nr_cpu_ids; i++)
			all |= in_use(mm, i) != 0;
	}
	if (!cpus && !all)
		return false;
	owe(mm, gen);
	batch->cpus |= cpus;
	batch->all |= all;
	batch->nr++;
	return true;
}

bool tlb_batch_flush(struct tlb_batch *batch)
{
	struct flush f = { .batch = batch };
	bool told = !batch->nr || flush_everywhere(&f);

	*batch = (struct tlb_batch){ 0 };
	return told;
}

static bool flush_kernel(const struct flush *f)
{
	if (!pgtables_on)
		return true;
	smp_mb(); /* the entries are changed ahead of reading who is online */
	return flush_everywhere(f);
}

bool flush_tlb_all(void)
{
	struct flush f = { .mm = &init_mm, .nr = FLUSH_ALL, .freed_tables = true };

	return flush_kernel(&f);
}

bool flush_tlb_kernel_range(uintptr_t start, uintptr_t end)
{
	/* freed_tables: lazy CPUs use kernel addresses like all others. */
	struct flush f = { .mm = &init_mm, .freed_tables = true };

	flush_set_range(&f, start, end, PAGE_SHIFT);
	return flush_kernel(&f);
}

void flush_tlb_kernel_local(uintptr_t start, uintptr_t end)
{
	struct flush f = { .mm = &init_mm };

	if (!pgtables_on)
		return;
	flush_set_range(&f, start, end, PAGE_SHIFT);
	flush_kernel_here(&f);
}

/* ---- The end of an address space ---- */

static void leave_called(void *arg)
{
	struct tlb_cpu *tc = this_cpu_ptr(&tlb_cpu);

	if (tc->loaded == arg)
		tlb_leave_locked(tc);
}

bool tlb_leave_everywhere(struct mm_struct *mm)
{
	struct flush f = { .mm = mm, .freed_tables = true };
	unsigned long flags;
	bool called;
	int err;

	if (!pgtables_on)
		return true;
	preempt_disable();
	flags = port_irq_save();
	leave_called(mm);
	port_irq_restore(flags);
	smp_mb();
	err = call_concerned(&f, leave_called, mm, &called);
	preempt_enable();
	return !err || call_failed(&f, err);
}
