/* SPDX-License-Identifier: MIT */
/*
 * The hosted machine's MMU: what a processor would do with the page tables in the machine's RAM. It reads the real
 * bits, by its own understanding of the manuals (it shares no line with arch/), keeps translations until it is told
 * to drop them, sets accessed and dirty bits atomically, and says what fault a processor would raise.
 *
 * One struct a CPU: a TLB with address-space identifiers and entries of every leaf size, and a paging-structure cache.
 * Any thread may look through any CPU's MMU: each has a lock.
 */
#ifndef PORT_HOSTED_MMU_H
#define PORT_HOSTED_MMU_H

#include <octavo/port.h>

enum mmu_access { MMU_READ, MMU_WRITE, MMU_EXEC };

/* Control bits, as CR0.WP, CR4.SMEP, CR4.SMAP, RFLAGS.AC, EFER.NXE, and PKRU for x86-64 */
struct mmu_control {
	bool wp, smep, smap, ac, nxe;
	u32 pkru;
};

/**
 * struct mmu_fault - @fault is what a port would hand to handle_page_fault()
 * @canonical: false: not a page fault on x86 but a general protection fault
 */
struct mmu_fault {
	struct page_fault fault;
	bool canonical;
};

struct mmu_stats {
	u64 lookups, hits, walks, table_reads, structure_hits, faults;
	u64 flush_page, flush_asid, flush_all, loads;
	u64 evicted;
};

void mmu_create(unsigned int cpus, const struct bootinfo *info);
void mmu_destroy(void);

/* Through CPU @cpu's MMU, in the address space loaded there. True: *@phys is where; false: @fault says why not. */
bool mmu_translate(unsigned int cpu, uintptr_t virt, enum mmu_access access, bool user, u64 *phys,
		   struct mmu_fault *fault);
/* The same, and the bytes: may cross pages. Return: bytes done before the fault. */
size_t mmu_read(unsigned int cpu, uintptr_t virt, void *to, size_t size, bool user, struct mmu_fault *fault);
size_t mmu_write(unsigned int cpu, uintptr_t virt, const void *from, size_t size, bool user, struct mmu_fault *fault);

struct mmu_control *mmu_control(unsigned int cpu);
void mmu_stats(unsigned int cpu, struct mmu_stats *stats);

/*
 * What the TLBs hold, for tests: entries of @cpu that no walk of the present tables would make (the address of the
 * first in *@virt). Entries that only lack rights or bits which the tables have meanwhile gained do not count.
 */
unsigned int mmu_stale(unsigned int cpu, uintptr_t *virt);

/*
 * A frame is about to be used for something else: does any CPU's TLB or paging-structure cache still lead to it?
 * Return: the CPU and address of the first that does.
 */
bool mmu_leads_to(unsigned long pfn, unsigned int *cpu, uintptr_t *virt);

/* Physical memory as the MMU sees it: a pointer into the machine's RAM, NULL where there is none. */
void *arena_phys(u64 phys);

#endif
