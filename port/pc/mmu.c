// SPDX-License-Identifier: MIT
/*
 * Purpose
 *   The page-table calls of the port contract on x86: roots, address-space identifiers, and what makes a CPU forget.
 *
 * Words
 *   asid: the core's number for an address space on this CPU; the PCID where the processor has them. PORT_ASID_KERNEL
 *   is PCID 0. Without PCIDs each load of CR3 forgets all that is not global, and every asid is the loaded one.
 *
 * Invariants
 *   PC-I4  After port_tlb_flush_page() of a kernel address no paging-structure cache leads to its old table, under any
 *          PCID. INVLPG empties those of the PCID that is loaded; if another has been loaded since all were emptied,
 *          all are emptied again.
 *   PC-I5  What was translated by the boot tables (all of memory writable and executable, the first page there) is
 *          forgotten when the first table of the core's is loaded.
 *
 * Locking
 *   Each CPU's state is its own, and changes with interrupts off.
 *
 * Sources: Intel SDM volume 3A sections 4.10.1 (PCIDs), 4.10.4 (what invalidates what), 11.12 (PAT); volume 2A
 *   (INVPCID). AMD APM volume 2 section 5.5.
 */
#include "mmu.h"

#include "mm/pgtable/mm.h"
#include "mm/sync/cpu.h"

static struct {
	bool pcid, invpcid, smep, smap, umip, nx, global, large, gigantic, pkeys, pat;
	phys_addr_t kernel_root;
} mmu;

u8 pc_smap;

static struct mmu_cpu {
	unsigned int asid; /* loaded */
	bool others;	   /* something may be held under a PCID that is not loaded */
	bool loaded;	   /* a table of the core's, not the boot tables */
} __aligned(64) mmu_cpus[PC_CPUS_MAX];

static struct mmu_cpu *this_mmu(void)
{
	return &mmu_cpus[port_cpu_id()];
}

/* ---- What the processor has ---- */

void mmu_detect(void)
{
	struct cpuid_regs one = cpuid(1, 0), seven = { 0 }, extended = { 0 };

	if (cpuid(0, 0).eax >= 7)
		seven = cpuid(7, 0);
	if (cpuid(0x80000000, 0).eax > 0x80000000)
		extended = cpuid(0x80000001, 0);
	mmu.large = one.edx >> 3 & 1;
	mmu.global = one.edx >> 13 & 1;
	mmu.pat = one.edx >> 16 & 1;
	mmu.pcid = PC_LONG_MODE && (one.ecx >> 17 & 1);
	mmu.smep = seven.ebx >> 7 & 1;
	mmu.invpcid = seven.ebx >> 10 & 1;
	mmu.smap = seven.ebx >> 20 & 1;
	mmu.umip = PC_LONG_MODE && (seven.ecx >> 2 & 1);
	pc_smap = mmu.smap;
	mmu.pkeys = PC_LONG_MODE && (seven.ecx >> 3 & 1);
	mmu.nx = PC_LEVELS > 2 && (extended.edx >> 20 & 1);
	mmu.gigantic = PC_LONG_MODE && (extended.edx >> 26 & 1);
}

void mmu_describe(struct bootinfo *info)
{
	info->mmu_features = (mmu.nx ? BOOT_MMU_NX : 0) | (mmu.global ? BOOT_MMU_GLOBAL : 0) |
			     (mmu.large ? BOOT_MMU_LARGE : 0) | (mmu.gigantic ? BOOT_MMU_GIGANTIC : 0) |
			     (mmu.pkeys ? BOOT_MMU_PKEYS : 0) | (mmu.smep ? BOOT_MMU_SMEP : 0) |
			     (mmu.smap ? BOOT_MMU_SMAP : 0);
	info->asids = mmu.pcid ? CR3_PCID_MASK + 1 : 0;
	printk("MMU: %s, NX %s, %s, %s, SMEP %s, SMAP %s\n", PC_PAGING, mmu.nx ? "on" : "missing",
	       mmu.gigantic ? "1 GiB pages" : mmu.large ? "large pages" : "no large pages",
	       mmu.invpcid && mmu.pcid ? "PCID and INVPCID" : mmu.pcid ? "PCID" : "no PCID",
	       mmu.smep ? "on" : "missing", mmu.smap ? "on" : "missing");
}

void mmu_init_cpu(void)
{
	unsigned long cr4 = read_cr4();

	/* The entry code's tables use entry 0 alone, which stays what it was. */
	if (mmu.pat)
		wrmsr(MSR_PAT, MMU_PAT);
	write_cr0(read_cr0() | CR0_WP);
	cr4 |= (mmu.global ? CR4_PGE : 0) | (mmu.smep ? CR4_SMEP : 0) | (mmu.smap ? CR4_SMAP : 0) |
	       (mmu.umip ? CR4_UMIP : 0) |
	       (mmu.pkeys ? CR4_PKE : 0) | (mmu.pcid ? CR4_PCIDE : 0);
	/* PCIDE may only be set while CR3 names PCID 0 (SDM volume 3A section 4.10.1), as it does here. */
	write_cr4(cr4);
}

/* ---- Roots ---- */

phys_addr_t mmu_kernel_root(void)
{
	return mmu.kernel_root;
}

void port_pgd_load(phys_addr_t pgd, unsigned int asid)
{
	struct mmu_cpu *cpu = this_mmu();
	unsigned long cr3 = (unsigned long)pgd;

	if (asid == PORT_ASID_KERNEL) {
		mmu.kernel_root = pgd;
		trap_set_root(cr3);
	}
	if (mmu.pcid)
		cr3 |= asid | (cpu->loaded ? CR3_KEEP : 0);
	if (asid != cpu->asid)
		cpu->others = mmu.pcid;
	cpu->asid = asid;
	cpu->loaded = true;
	write_cr3(cr3);
}

/* ---- Forgetting ---- */

/* INVPCID's kinds */
enum { INVPCID_PAGE, INVPCID_ASID, INVPCID_ALL, INVPCID_ALL_BUT_GLOBAL };

/* Touches no per-CPU variable: they may be out of reach. */
static void forget_all(void)
{
	unsigned long cr4 = read_cr4();

	if (mmu.pcid && mmu.invpcid) {
		invpcid(INVPCID_ALL, 0, 0);
	} else if (cr4 & CR4_PGE) {
		/* Changing PGE drops everything, global or not, under all PCIDs. */
		write_cr4(cr4 & ~CR4_PGE);
		write_cr4(cr4);
	} else {
		write_cr3(read_cr3());
	}
}

void mmu_boot_tables(void)
{
	*this_mmu() = (struct mmu_cpu){ .asid = PORT_ASID_KERNEL };
	trap_set_root((unsigned long)pc_image_phys(pc_boot_root));
	write_cr3((unsigned long)pc_image_phys(pc_boot_root));
	forget_all();
}

void port_tlb_flush_all(void)
{
	unsigned long flags = port_irq_save();

	forget_all();
	this_mmu()->others = false;
	port_irq_restore(flags);
}

/* All under the PCIDs that are not loaded; what is loaded may be lost as well. */
static void flush_others(struct mmu_cpu *cpu)
{
	if (mmu.invpcid)
		invpcid(INVPCID_ALL_BUT_GLOBAL, 0, 0);
	else
		port_tlb_flush_all();
	cpu->others = false;
}

/*
 * All of a PCID that is not loaded, without INVPCID: a load of CR3 with it that does not ask to keep. The kernel's
 * root shows no user address, so nothing of another address space gets in under this PCID meanwhile; but what leads to
 * the kernel's tables may.
 */
static void flush_by_loading(struct mmu_cpu *cpu, unsigned int asid)
{
	unsigned long cr3 = read_cr3();

	write_cr3((unsigned long)mmu.kernel_root | asid);
	write_cr3(cr3 | CR3_KEEP);
	cpu->others = true;
}

static void flush_asid(struct mmu_cpu *cpu, unsigned int asid)
{
	if (!mmu.pcid || asid == cpu->asid)
		write_cr3(read_cr3());
	else if (mmu.invpcid)
		invpcid(INVPCID_ASID, asid, 0);
	else
		flush_by_loading(cpu, asid);
}

static noinline void flush_page_by_asid(unsigned int asid, uintptr_t virt)
{
	unsigned long flags = port_irq_save();
	struct mmu_cpu *cpu = this_mmu();

	if (virt == PORT_TLB_ASID) {
		flush_asid(cpu, asid);
	} else if (asid == PORT_ASID_KERNEL) {
		invlpg(virt);
		if (cpu->others)
			flush_others(cpu);
	} else if (asid == cpu->asid) {
		invlpg(virt);
	} else if (mmu.invpcid) {
		invpcid(INVPCID_PAGE, asid, virt);
	} else {
		flush_by_loading(cpu, asid);
	}
	port_irq_restore(flags);
}

void port_tlb_flush_page(unsigned int asid, uintptr_t virt)
{
	/* One instruction, and no state of the CPU's. */
	if (likely(!mmu.pcid && virt != PORT_TLB_ASID))
		invlpg(virt);
	else
		flush_page_by_asid(asid, virt);
}

/* ---- What reports and tests ask ---- */

void mmu_report(void)
{
	printk("Page tables: %lu KiB for the kernel's address space\n", init_mm.pgtable_pages * (PAGE_SIZE >> 10));
}

#define ENTRY_PRESENT 1u
#define ENTRY_LARGE 0x80u

u64 mmu_entry(uintptr_t virt, unsigned int *level)
{
	u64 table = read_cr3() & PC_ROOT_ADDRESS, entry = 0;

	for (*level = PC_LEVELS; *level; --*level) {
		unsigned int shift = PAGE_SHIFT + (*level - 1) * PC_TABLE_BITS;
		const pc_entry_t *entries = pc_phys_to_virt(table);

		entry = READ_ONCE(entries[virt >> shift & ((1u << PC_TABLE_BITS) - 1)]);
		if (!(entry & ENTRY_PRESENT))
			return 0;
		if (*level == 1 || (*level < 4 && (entry & ENTRY_LARGE)))
			return entry;
		table = entry & PC_ENTRY_ADDRESS;
	}
	return 0;
}
