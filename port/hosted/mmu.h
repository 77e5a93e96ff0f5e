/* SPDX-License-Identifier: MIT */
/*
 * The hosted machine's MMU: what a processor would do with the page tables in the machine's RAM. It reads the real
 * bits, by its own understanding of the manuals (it shares no line with arch/), keeps translations until it is told
 * to drop them, sets accessed and dirty bits atomically, and says what fault a processor would raise.
 *
 * One struct a CPU: a TLB with address-space identifiers and entries of every leaf size, and a paging-structure cache.
 * Any thread may look through any CPU's MMU: each has a lock. docs/hosted-mmu.md describes it as a whole.
 */
#ifndef PORT_HOSTED_MMU_H
#define PORT_HOSTED_MMU_H

#include <octavo/port.h>

enum mmu_format { MMU_X86_64, MMU_X86_64_LA57, MMU_I386, MMU_I386_PAE, MMU_ARM64, MMU_FORMATS };

/* The format that the core in this build makes. */
#if defined(OCTAVO_ARCH_X86_64)
#define MMU_FORMAT_BUILD MMU_X86_64
#elif defined(OCTAVO_ARCH_X86_64_LA57)
#define MMU_FORMAT_BUILD MMU_X86_64_LA57
#elif defined(OCTAVO_ARCH_I386)
#define MMU_FORMAT_BUILD MMU_I386
#elif defined(OCTAVO_ARCH_I386_PAE)
#define MMU_FORMAT_BUILD MMU_I386_PAE
#else
#define MMU_FORMAT_BUILD MMU_ARM64
#endif

enum mmu_access { MMU_READ, MMU_WRITE, MMU_EXEC };

/*
 * Control bits, as CR0.WP, CR4.SMEP, CR4.SMAP (arm64: PSTATE.PAN), RFLAGS.AC, EFER.NXE, and PKRU for x86-64; TCR_EL1.HA
 * and HD for arm64.
 */
struct mmu_control {
	bool wp, smep, smap, ac, nxe;
	bool ha, hd;
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

/**
 * struct mmu_config - one MMU
 * @features: BOOT_MMU_*
 * @phys_bits: width of physical addresses; bits above it are reserved (0: the format's own)
 * @asids: as bootinfo.asids
 * @tlb_entries: entries of the TLB (0: as many as there can be)
 * @strict_structure: flushing a page keeps what the paging-structure caches hold for other addresses, where an Intel
 *                    processor would drop all of it (arm64: always so)
 */
struct mmu_config {
	enum mmu_format format;
	u32 features;
	unsigned int phys_bits;
	unsigned int asids;
	unsigned int tlb_entries;
	bool strict_structure;
};

/* The CPUs' MMUs; and one more that no CPU uses, of any format. Return of mmu_add(): its number, behind the CPUs'. */
void mmu_create(unsigned int cpus, const struct mmu_config *config);
void mmu_destroy(void);
unsigned int mmu_add(const struct mmu_config *config);
void mmu_remove(unsigned int cpu);

/*
 * What port_pgd_load(), port_tlb_flush_page() and port_tlb_flush_all() are for this CPU. mmu_load() is false when the
 * processor refuses the root (i386 PAE: reserved bits in the four entries, which it reads here). mmu_flush_page()
 * returns log2 of the largest leaf it dropped, at least that of a page.
 */
bool __must_check mmu_load(unsigned int cpu, u64 root, unsigned int asid);
unsigned int mmu_flush_page(unsigned int cpu, unsigned int asid, u64 virt);
void mmu_flush_asid(unsigned int cpu, unsigned int asid);
void mmu_flush_all(unsigned int cpu);
/* The CPU left: everything is forgotten, the root too. */
void mmu_power_off(unsigned int cpu);

/* Through CPU @cpu's MMU, in the address space loaded there. True: *@phys is where; false: @fault says why not. */
bool mmu_translate(unsigned int cpu, uintptr_t virt, enum mmu_access access, bool user, u64 *phys,
		   struct mmu_fault *fault);
/* The same, and the bytes: may cross pages. Return: bytes done before the fault. */
size_t mmu_read(unsigned int cpu, uintptr_t virt, void *to, size_t size, bool user, struct mmu_fault *fault);
size_t mmu_write(unsigned int cpu, uintptr_t virt, const void *from, size_t size, bool user, struct mmu_fault *fault);

/* Changing control bits flushes nothing. */
struct mmu_control *mmu_control(unsigned int cpu);
void mmu_stats(unsigned int cpu, struct mmu_stats *stats);

/* Does the TLB of @cpu hold a translation of @virt that the address space loaded there would use? */
bool mmu_holds(unsigned int cpu, uintptr_t virt);

/*
 * What the TLBs hold, for tests: entries of @cpu, usable in the address space loaded there, that no walk of the present
 * tables would make (the address of the first in *@virt), those of the paging-structure cache included. Entries that
 * only lack rights or bits which the tables have meanwhile gained do not count.
 */
unsigned int mmu_stale(unsigned int cpu, uintptr_t *virt);

/*
 * A frame is about to be used for something else: does any CPU's TLB or paging-structure cache, or a root that is
 * loaded, still lead to it? Only what could be used in the address space loaded there counts, and never the direct map,
 * which leads to everything. Return: the CPU and address of the first that does.
 */
bool mmu_leads_to(unsigned long pfn, unsigned int *cpu, uintptr_t *virt);
bool mmu_cpu_leads_to(unsigned int cpu, unsigned long pfn, uintptr_t *virt);
/* Would a walk of @cpu read the frame as a table? What a lazy CPU keeps of pages that went does not count. */
bool mmu_cpu_walks(unsigned int cpu, unsigned long pfn);

/* Physical memory as the MMU sees it: a pointer into the machine's RAM, NULL where there is none. */
void *arena_phys(u64 phys);

#endif
