// SPDX-License-Identifier: MIT
#include "tlb_fixture.h"

bool space_make(struct space *space)
{
	memset(space, 0, sizeof(*space));
	space->mm = mm_alloc(GFP_KERNEL);
	return space->mm != NULL;
}

void frame_put(struct page *frame)
{
	put_page(frame);
}

void space_unmake(struct space *space)
{
	struct page *frames[SPACE_PAGES];
	struct mmu_gather tlb;

	if (!space->mm)
		return;
	memcpy(frames, space->frame, sizeof(frames));
	tlb_gather_mmu_fullmm(&tlb, space->mm);
	for (unsigned int i = 0; i < SPACE_PAGES; i++)
		if (frames[i])
			space_unmap(space, i, &tlb);
		else if (pgt_unmap_range(space->mm, space_virt(i), PAGE_SIZE, &tlb)) /* its tables */
			test_fail(__FILE__, __LINE__, "pgt_unmap_range failed");
	tlb_finish_mmu(&tlb);
	for (unsigned int i = 0; i < SPACE_PAGES; i++)
		if (frames[i])
			frame_put(frames[i]);
	mmput(space->mm);
	space->mm = NULL;
}

bool space_map(struct space *space, unsigned int i)
{
	struct page *frame = alloc_page(GFP_KERNEL | __GFP_NOWARN);

	if (!frame)
		return false;
	get_page(frame);
	if (pgt_map_range(space->mm, space_virt(i), PFN_PHYS(page_to_pfn(frame)), PAGE_SIZE, PAGE_SHARED, 0,
			  GFP_KERNEL | __GFP_NOWARN)) {
		put_page(frame);
		put_page(frame);
		return false;
	}
	space->frame[i] = frame;
	return true;
}

void space_unmap(struct space *space, unsigned int i, struct mmu_gather *tlb)
{
	struct page *frame = space->frame[i];

	space->frame[i] = NULL;
	if (pgt_unmap_range(space->mm, space_virt(i), PAGE_SIZE, tlb))
		test_fail(__FILE__, __LINE__, "pgt_unmap_range failed");
	tlb_remove_entry(tlb, 0, space_virt(i));
	if (tlb_remove_page(tlb, frame))
		tlb_flush_mmu(tlb);
}

struct page *cpu_sees(unsigned int i)
{
	struct mmu_fault fault;
	u64 phys;

	if (!mmu_translate(port_cpu_id(), space_virt(i), MMU_READ, true, &phys, &fault))
		return NULL;
	return pfn_to_page((unsigned long)(phys >> PAGE_SHIFT));
}

struct mmu_stats cpu_stats(void)
{
	struct mmu_stats stats;

	mmu_stats(port_cpu_id(), &stats);
	return stats;
}
