// SPDX-License-Identifier: MIT
/*
 * The PC port's TLB calls on a model of a processor that keeps whatever the Intel SDM (volume 3A section 4.10) lets it
 * keep, and fetches whatever it can get at, after each instruction: emulators keep less, and a test on hardware would
 * have to be lucky.
 */
#include "harness.h"

#ifdef __x86_64__
#include <octavo/port.h>

/* The instructions that mmu.c uses, in place of arch/x86/cpu/cpu.h. */
#define ARCH_X86_CPU_H
#define MSR_PAT 0x277u
#define MSR_GS_BASE 0xc0000101u
#define RFLAGS_IF 0x200ul
#define CR0_WP (1ul << 16)
#define CR4_PGE (1ul << 7)
#define CR4_PCIDE (1ul << 17)
#define CR4_SMEP (1ul << 20)
#define CR4_SMAP (1ul << 21)
#define CR4_UMIP (1ul << 11)
#define CR4_PKE (1ul << 22)

struct cpuid_regs {
	u32 eax, ebx, ecx, edx;
};

#define PCIDS 4096u
#define PAGES 2u /* of the kernel's, in one table */
#define NOTHING 0u

/* What there is to translate: a page of the user half, and two global pages of the kernel half behind a table. */
struct root {
	unsigned long phys;
	u32 user; /* frame; NOTHING: not present */
	bool boot;
};

static struct {
	bool pcid, invpcid;
	unsigned long cr0, cr3, cr4;
	struct root roots[4]; /* boot tables, kernel, two address spaces */
	u32 kernel_table;     /* its number; page i of it shows frame 10 * number + i */
	/* TLB */
	u32 user[PCIDS];
	u32 boot_user[PCIDS];
	u32 global[PAGES];
	/* Paging-structure caches: the kernel's table */
	u32 table[PCIDS];
} cpu_model;
#define M cpu_model

#define USER_PAGE 0x400000ul
#define KERNEL_PAGE 0xffffc90000000000ul

static unsigned int pcid_loaded(void)
{
	return M.cr4 & CR4_PCIDE ? M.cr3 & 0xfff : 0;
}

static struct root *root_loaded(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(M.roots); i++)
		if (M.roots[i].phys == (M.cr3 & 0x000ffffffffff000ul))
			return &M.roots[i];
	return NULL;
}

/* Fill all that is empty. What comes from a paging-structure cache is as old as that. */
static void speculate(void)
{
	unsigned int pcid = pcid_loaded();
	const struct root *root = root_loaded();

	if (root && !M.user[pcid])
		M.user[pcid] = root->user;
	if (!root || root->boot)
		return;
	if (!M.table[pcid])
		M.table[pcid] = M.kernel_table;
	for (unsigned int i = 0; i < PAGES; i++)
		if (!M.global[i])
			M.global[i] = 10 * M.table[pcid] + i;
}

static void drop_pcid(unsigned int pcid)
{
	M.user[pcid] = NOTHING;
	M.table[pcid] = NOTHING;
}

static void drop_all(bool global)
{
	for (unsigned int i = 0; i < PCIDS; i++)
		drop_pcid(i);
	for (unsigned int i = 0; i < PAGES && global; i++)
		M.global[i] = NOTHING;
}

static inline unsigned long read_cr0(void)
{
	return M.cr0;
}

static inline void write_cr0(unsigned long value)
{
	M.cr0 = value;
}

static inline unsigned long read_cr3(void)
{
	return M.cr3;
}

static inline void write_cr3(unsigned long value)
{
	bool keep = M.cr4 & CR4_PCIDE && value >> 63;

	EXPECT(M.cr4 & CR4_PCIDE || !(value >> 63)); /* a protection fault */
	M.cr3 = value & ~(1ul << 63);
	if (!(M.cr4 & CR4_PCIDE))
		drop_all(false);
	else if (!keep)
		drop_pcid(pcid_loaded());
	speculate();
}

static inline unsigned long read_cr4(void)
{
	return M.cr4;
}

static inline void write_cr4(unsigned long value)
{
	EXPECT(!(value & ~M.cr4 & CR4_PCIDE) || !(M.cr3 & 0xfff)); /* a protection fault */
	if ((value ^ M.cr4) & (CR4_PGE | CR4_PCIDE | CR4_SMEP))
		drop_all(true);
	M.cr4 = value;
	speculate();
}

static inline void invlpg(uintptr_t virt)
{
	if (virt == USER_PAGE)
		M.user[pcid_loaded()] = NOTHING;
	else
		M.global[(virt - KERNEL_PAGE) / PAGE_SIZE] = NOTHING;
	M.table[pcid_loaded()] = NOTHING;
	speculate();
}

static inline void invpcid(unsigned long kind, unsigned int pcid, uintptr_t virt)
{
	EXPECT(M.invpcid);
	if (kind == 0 && virt == USER_PAGE)
		M.user[pcid] = NOTHING;
	else if (kind == 0)
		M.table[pcid] = NOTHING; /* not what is global */
	else if (kind == 1)
		drop_pcid(pcid);
	else
		drop_all(kind == 2);
	speculate();
}

static inline void wrmsr(u32 msr, u64 value)
{
	(void)msr;
	(void)value;
}

static inline struct cpuid_regs cpuid(u32 leaf, u32 subleaf)
{
	(void)subleaf;
	if (leaf == 1)
		return (struct cpuid_regs){ .ecx = (u32)M.pcid << 17, .edx = 1u << 3 | 1u << 13 };
	return (struct cpuid_regs){ .eax = leaf ? 0 : 7, .ebx = leaf == 7 ? (u32)M.invpcid << 10 : 0 };
}

static void model_pgd_load(phys_addr_t pgd, unsigned int asid);
static void model_flush_page(unsigned int asid, uintptr_t virt);
static void model_flush_all(void);
#define port_pgd_load model_pgd_load
#define port_tlb_flush_page model_flush_page
#define port_tlb_flush_all model_flush_all
char pc_boot_root[4096] __attribute__((aligned(4096)));
#include "port/pc/mmu.c"

enum { BOOT, KERNEL, FIRST, SECOND };

static unsigned int asid_of(unsigned int root)
{
	return M.pcid && root > KERNEL ? 5 + root : PORT_ASID_KERNEL;
}

static void start(bool pcid, bool invpcid_too)
{
	struct bootinfo info = { 0 };

	memset(&M, 0, sizeof(M));
	memset(mmu_cpus, 0, sizeof(mmu_cpus));
	M.pcid = pcid;
	M.invpcid = invpcid_too;
	M.cr4 = CR4_PGE;
	M.kernel_table = 1;
	M.roots[BOOT] = (struct root){ (unsigned long)pc_image_phys(pc_boot_root), 99, true };
	for (unsigned int i = KERNEL; i <= SECOND; i++)
		M.roots[i] = (struct root){ i * 0x10000, i == KERNEL ? NOTHING : 100 * i, false };
	M.cr3 = M.roots[BOOT].phys;
	speculate();
	test_capture_begin();
	mmu_detect();
	mmu_describe(&info);
	test_capture_end();
	mmu_init_cpu();
	EXPECT_EQ(info.asids, pcid ? PCIDS : 0);
	model_pgd_load(M.roots[KERNEL].phys, PORT_ASID_KERNEL);
}

/* Every translation held is one that the tables make. */
static bool coherent(void)
{
	for (unsigned int i = 0; i < PCIDS; i++) {
		u32 user = !M.pcid ? root_loaded()->user : i == asid_of(FIRST) ? M.roots[FIRST].user :
			   i == asid_of(SECOND) ? M.roots[SECOND].user : NOTHING;

		if ((M.user[i] && M.user[i] != user) || (M.table[i] && M.table[i] != M.kernel_table))
			return false;
	}
	for (unsigned int i = 0; i < PAGES; i++)
		if (M.global[i] && M.global[i] != 10 * M.kernel_table + i)
			return false;
	return true;
}

/* PC-I5 */
TEST(pc_mmu, boot_tables_are_forgotten)
{
	for (unsigned int kind = 0; kind < 3; kind++) {
		start(kind > 0, kind > 1);
		EXPECT(coherent());
		/* And when the core is booted again. */
		model_pgd_load(M.roots[FIRST].phys, asid_of(FIRST));
		model_pgd_load(M.roots[KERNEL].phys, PORT_ASID_KERNEL);
		mmu_boot_tables();
		EXPECT_EQ(M.cr3, M.roots[BOOT].phys);
		EXPECT(!M.global[0] && !M.table[0] && !M.user[asid_of(FIRST)] == M.pcid);
		model_pgd_load(M.roots[KERNEL].phys, PORT_ASID_KERNEL);
		EXPECT(coherent());
	}
}

static void step(u64 r)
{
	unsigned int which = FIRST + (r >> 8 & 1);

	switch (r % 7) {
	case 0:
	case 1:
		model_pgd_load(M.roots[which].phys, asid_of(which));
		break;
	case 2:
		model_pgd_load(M.roots[KERNEL].phys, PORT_ASID_KERNEL);
		break;
	case 3:
		M.roots[which].user++;
		model_flush_page(asid_of(which), USER_PAGE);
		break;
	case 4:
		M.roots[which].user++;
		model_flush_page(asid_of(which), PORT_TLB_ASID);
		break;
	case 5: /* PC-I4: one page is flushed, and the table is another one; its other pages' owners flush them */
		M.kernel_table = M.kernel_table % 1000 + 1;
		for (unsigned int i = 0; i < PAGES; i++)
			model_flush_page(PORT_ASID_KERNEL, KERNEL_PAGE + i * PAGE_SIZE);
		break;
	case 6:
		M.roots[which].user++;
		M.kernel_table = M.kernel_table % 1000 + 1;
		model_flush_all();
		break;
	}
}

/* PC-I4 among all others */
TEST(pc_mmu, flushes_reach_what_may_be_held)
{
	u64 seed = test_seed;

	for (unsigned int kind = 0; kind < 3; kind++) {
		start(kind > 0, kind > 1);
		for (unsigned int i = 0; i < test_scaled(3000); i++) {
			u64 r = test_random(&seed);

			step(r);
			if (!coherent()) {
				test_fail(__FILE__, __LINE__, "%s: step %u, kind %u, leaves something stale",
					  kind > 1 ? "INVPCID" : kind ? "PCID" : "neither", i, (unsigned int)(r % 7));
				return;
			}
		}
	}
}

/* Changing the address space with identifiers keeps what the other one has. */
TEST(pc_mmu, loads_keep)
{
	start(true, true);
	model_pgd_load(M.roots[FIRST].phys, asid_of(FIRST));
	model_pgd_load(M.roots[SECOND].phys, asid_of(SECOND));
	EXPECT_EQ(M.user[asid_of(FIRST)], M.roots[FIRST].user);
	M.user[asid_of(FIRST)] = 7;
	model_pgd_load(M.roots[FIRST].phys, asid_of(FIRST));
	EXPECT_EQ(M.user[asid_of(FIRST)], 7);
	EXPECT_EQ(M.global[0], 10);
}
#endif
