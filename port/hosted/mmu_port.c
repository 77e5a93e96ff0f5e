// SPDX-License-Identifier: MIT
/* The port's side of the MMU: this CPU's, as the core drives it, and what the processors of a machine are like. */
#include <stdio.h>
#include <sys/mman.h>

#include <octavo/page.h>

#include "mmu_impl.h"

static bool kernel_is_global;
static bool booted; /* until then the direct map is what the core makes of it */

static unsigned int bits_of(u64 highest)
{
	unsigned int n = 0;

	while (n < 64 && highest >> n)
		n++;
	return n;
}

/* As wide as the machine's description asks for, and its RAM. */
static unsigned int phys_bits(const struct bootinfo *info)
{
	static const u8 width[MMU_FORMATS] = { 46, 52, 32, 36, 48 }, most[MMU_FORMATS] = { 52, 52, 40, 52, 48 };
	unsigned int bits = width[MMU_FORMAT_BUILD];

	if (info->max_phys_bits > bits)
		bits = info->max_phys_bits;
	for (unsigned int i = 0; i < info->map_nr; i++) {
		const struct bootinfo_range *r = &info->map[i];
		unsigned int need = r->size ? bits_of(r->start + r->size - 1) : 0;

		bits = r->type == E820_TYPE_RAM && need > bits ? need : bits;
	}
	return bits < most[MMU_FORMAT_BUILD] ? bits : most[MMU_FORMAT_BUILD];
}

void mmus_create(struct bootinfo *info, const struct hosted_options *options)
{
	static const u32 least = BOOT_MMU_GLOBAL | BOOT_MMU_LARGE | BOOT_MMU_SMEP | BOOT_MMU_SMAP;
	static const u32 features[MMU_FORMATS] = {
		[MMU_X86_64] = least | BOOT_MMU_NX | BOOT_MMU_GIGANTIC | BOOT_MMU_PKEYS,
		[MMU_X86_64_LA57] = least | BOOT_MMU_NX | BOOT_MMU_GIGANTIC | BOOT_MMU_PKEYS,
		[MMU_I386] = least,
		[MMU_I386_PAE] = least | BOOT_MMU_NX,
		[MMU_ARM64] = least | BOOT_MMU_NX | BOOT_MMU_GIGANTIC,
	};
	bool narrow = MMU_FORMAT_BUILD == MMU_I386 || MMU_FORMAT_BUILD == MMU_I386_PAE;
	struct mmu_config config = { .format = MMU_FORMAT_BUILD };

	/* Who asks for page tables says what for. 32-bit x86 has no identifiers (Intel SDM volume 3A 4.10.1). */
	if (!info->page_tables) {
		info->asids = options->asids > 0 ? (unsigned int)options->asids : options->asids < 0 || narrow ? 0 : 8;
		info->mmu_features = features[MMU_FORMAT_BUILD];
	}
	info->mmu_features &= features[MMU_FORMAT_BUILD] & ~options->mmu_without;
	config.features = info->mmu_features;
	config.asids = info->asids;
	config.tlb_entries = options->tlb_entries;
	config.strict_structure = options->strict_structure;
	config.phys_bits = phys_bits(info);
	booted = false;
	kernel_is_global = config.features & BOOT_MMU_GLOBAL;
	mmu_create(cpus_nr(), &config);
}

/* ---- The direct map ---- */

/*
 * Plain accesses to the direct map do not ask the MMU: it is mapped from the start, for reads and writes. What the page
 * tables take away is taken from the process when the flush comes: then it is felt as on a machine.
 */
static void direct_sync(u64 virt, u64 size, u64 start)
{
	unsigned int cpu = port_cpu_id(), shift, may;

	for (u64 at = virt, end; at - virt < size; at = end) {
		may = mmu_peek(cpu, (uintptr_t)at, &shift);
		end = (at | (((u64)1 << shift) - 1)) + 1;
		if (!end || end - virt > size)
			end = virt + size;
		arena_direct_rights(at - start, end - at,
				    (may & 1u << MMU_READ ? PROT_READ : 0) | (may & 1u << MMU_WRITE ? PROT_WRITE : 0));
	}
}

static void direct_flushed(u64 virt, u64 size)
{
	const struct bootinfo *info = hosted_bootinfo();
	u64 start;

	virt &= ~(size - 1);
	if (!booted || !direct_map_virt(&start) || virt - start >= info->direct_map_size)
		return;
	if (size > info->direct_map_size - (virt - start))
		size = info->direct_map_size - (virt - start);
	direct_sync(virt, size, start);
}

/* A look at every leaf, where there are not too many: with small leaves of a large machine it would take too long. */
#define SYNC_LEAVES 8192u

void direct_flushed_all(void)
{
	unsigned int leaf = hosted_bootinfo()->mmu_features & BOOT_MMU_GIGANTIC ? 30 : 21;
	u64 start, first, bytes;

	if (!booted || !direct_map_virt(&start) || !mmu_has_root(port_cpu_id()))
		return;
	for (unsigned int i = 0; arena_direct_range(i, &first, &bytes); i++)
		if (bytes >> leaf < SYNC_LEAVES)
			direct_sync(start + first, bytes, start);
}

void mmus_booted(void)
{
	booted = true;
	direct_flushed_all();
}

/* ---- What the core calls ---- */

void port_pgd_load(phys_addr_t pgd, unsigned int asid)
{
	unsigned int asids = hosted_bootinfo()->asids;

	if (asids && asid >= asids) {
		hosted_log("port_pgd_load: identifier %u, and there are %u", asid, asids);
		port_panic("port_pgd_load: no such identifier");
	}
	if (!mmu_load(port_cpu_id(), pgd, asid)) {
		hosted_log("port_pgd_load: the processor refuses the root at %#llx: reserved bits are set in it",
			   (unsigned long long)pgd);
		port_panic("port_pgd_load: not a root");
	}
	if (!kernel_is_global)
		window_hide_all();
}

void port_tlb_flush_page(unsigned int asid, uintptr_t virt)
{
	unsigned int cpu = port_cpu_id(), shift;

	if (virt == PORT_TLB_ASID) {
		mmu_flush_asid(cpu, asid);
		if (asid == PORT_ASID_KERNEL || !kernel_is_global)
			window_hide_all();
		return;
	}
	shift = mmu_flush_page(cpu, asid, virt);
	window_hide(virt, (u64)1 << shift);
	if (asid == PORT_ASID_KERNEL)
		direct_flushed(virt, (u64)1 << shift);
}

void port_tlb_flush_all(void)
{
	mmu_flush_all(port_cpu_id());
	window_hide_all();
	direct_flushed_all();
}
