// SPDX-License-Identifier: MIT
#include "pgtfixture.h"

#include <octavo/gfp.h>
#include <octavo/memblock.h>

#include "mm/kmap/areas.h"

/* 4 and 5 levels, arm64: behind what the layouts give to anything. i386: the end of the vmalloc area. */
static uintptr_t stretch(void)
{
#if __SIZEOF_POINTER__ == 8
	return PGT_VIRT_BITS == 57 ? (uintptr_t)0xffd7000000000000 :
	       PGT_TWO_ROOTS	   ? (uintptr_t)0xfffffe8000000000 :
				     (uintptr_t)0xffffeb8000000000;
#else
	return kernel_areas[AREA_VMALLOC].end ? ALIGN_DOWN(kernel_areas[AREA_VMALLOC].end - PGT_TEST_SPACE, 1u << 22) :
						0xf8000000u;
#endif
}

uintptr_t pgt_test_kernel(void)
{
	unsigned int level = 0;

	if (!init_mm.pgd) {
		init_mm.pgd = pgt_table_alloc(&init_mm, PGT_ROOT_LEVEL, GFP_KERNEL);
		init_mm.pgd_phys = init_mm.pgd ? pgt_table_phys_of(init_mm.pgd) : 0;
	}
	/* Tables that reach beyond the stretch are nobody's to free. */
	while (PGT_SIZE(level + 1) <= PGT_TEST_SPACE)
		level++;
	if (!pgt_entry_alloc(&init_mm, stretch(), level, GFP_KERNEL))
		test_fail(__FILE__, __LINE__, "no memory for tables");
	return stretch();
}

u64 pgt_test_phys(struct mm_struct *mm, uintptr_t virt, pgprot_t *prot, unsigned int *level)
{
	unsigned int at;
	pgt_entry_t *entry = pgt_lookup(mm, virt, &at);

	if (level)
		*level = at;
	if (!entry || !pgt_leaf(at, pgt_get(entry)))
		return ~(u64)0;
	if (prot)
		*prot = pgt_prot(at, pgt_get(entry));
	return pgt_leaf_phys(at, pgt_get(entry)) + (virt & (PGT_SIZE(at) - 1));
}

static void show(void *ctx, const char *line)
{
	(void)ctx;
	test_fail(__FILE__, __LINE__, "%s", line);
}

void pgt_test_verify(struct mm_struct *mm)
{
	(void)pgt_verify(mm, show, NULL);
}

int pgt_test_unmap(struct mm_struct *mm, uintptr_t virt, u64 size)
{
	struct mmu_gather tlb;
	int err;

	if (mm == &init_mm) {
		err = pgt_unmap_range(mm, virt, size, NULL);
		flush_tlb_kernel_range(virt, virt + (uintptr_t)size);
		return err;
	}
	tlb_gather_mmu(&tlb, mm);
	err = pgt_unmap_range(mm, virt, size, &tlb);
	tlb_finish_mmu(&tlb);
	return err;
}
