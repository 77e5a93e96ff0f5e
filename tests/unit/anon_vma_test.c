// SPDX-License-Identifier: MIT
/* anon_vmas: which VMAs a walk from a page finds, and that the family is pruned. VMAs here are in no tree. */
#include "mm/vm/anon_vma.h"

#include "harness.h"
#include "mm/base/handle.h"

struct bed {
	struct mm_struct *mm[4];
	struct vm_area_struct vma[12];
};

static struct bed bed __memsys;

static bool bed_make(void)
{
	memset(&bed, 0, sizeof(bed));
	for (unsigned int i = 0; i < ARRAY_SIZE(bed.mm); i++) {
		bed.mm[i] = mm_alloc(GFP_KERNEL);
		if (!bed.mm[i])
			return false;
	}
	return true;
}

static void bed_end(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(bed.vma); i++)
		if (bed.vma[i].vm_mm)
			unlink_anon_vmas(&bed.vma[i]);
	for (unsigned int i = 0; i < ARRAY_SIZE(bed.mm); i++)
		mmdrop(bed.mm[i]);
}

static struct vm_area_struct *vma_at(unsigned int i, struct mm_struct *mm, unsigned long first, unsigned long pages)
{
	struct vm_area_struct *vma = &bed.vma[i];

	vma->vm_mm = mm;
	vma->vm_start = (uintptr_t)first << PAGE_SHIFT;
	vma->vm_end = (uintptr_t)(first + pages) << PAGE_SHIFT;
	vma->vm_pgoff = first;
	vma->vm_flags = VM_READ | VM_WRITE;
	return vma;
}

/* Bit n: a walk for page @index of @av finds VMA n. RM-I2: those and no others. */
static unsigned int found(struct anon_vma *top, unsigned long index)
{
	unsigned int set = 0;

	for (struct anon_vma *av = top; av; av = anon_vma_next_below(av, top))
		for (struct interval_node *node = interval_first(av->vmas, index, index); node;
		     node = interval_next(node, index, index))
			set |= 1u << (anon_link_of_node(node)->vma - bed.vma);
	return set;
}

static u32 handle_of(const struct vm_area_struct *vma)
{
	return vma->anon_vma->handle;
}

TEST(anon_vma, children_are_found_and_siblings_are_not)
{
	struct vm_area_struct *parent, *one, *two, *grand;
	struct anon_vma *top;

	ASSERT(bed_make());
	parent = vma_at(0, bed.mm[0], 16, 8);
	one = vma_at(1, bed.mm[1], 16, 8);
	two = vma_at(2, bed.mm[2], 16, 8);
	grand = vma_at(3, bed.mm[3], 16, 8);
	EXPECT_EQ(anon_vma_prepare(parent), 0);
	top = parent->anon_vma;
	EXPECT_EQ(anon_vma_fork(one, parent), 0);
	EXPECT_EQ(anon_vma_fork(two, parent), 0);
	EXPECT(!one->anon_vma && vma_has_anon(one));
	EXPECT_EQ(found(top, 20), 7);
	/* RM-I1: pages of one's own from now on. */
	EXPECT_EQ(anon_vma_prepare(one), 0);
	EXPECT(one->anon_vma != top && one->anon_vma->parent == top);
	EXPECT(anon_vma_of_handle(handle_of(one)) == one->anon_vma);
	EXPECT_EQ(anon_vma_prepare(one), 0);
	EXPECT_EQ(anon_vma_fork(grand, one), 0);
	EXPECT_EQ(found(top, 20), 15);
	EXPECT_EQ(found(one->anon_vma, 20), 10);
	EXPECT_EQ(found(top, 24), 0);
	bed_end();
}

TEST(anon_vma, split_and_move)
{
	struct vm_area_struct *low, *high;

	ASSERT(bed_make());
	low = vma_at(0, bed.mm[0], 16, 8);
	EXPECT_EQ(anon_vma_prepare(low), 0);
	high = vma_at(1, bed.mm[0], 20, 4);
	EXPECT_EQ(anon_vma_clone(high, low), 0);
	EXPECT(high->anon_vma == low->anon_vma && anon_vma_mergeable(low, high));
	anon_vma_update_begin(low);
	anon_vma_update_begin(high);
	low->vm_end = high->vm_start;
	anon_vma_update_end(high);
	anon_vma_update_end(low);
	EXPECT_EQ(found(low->anon_vma, 18), 1);
	EXPECT_EQ(found(low->anon_vma, 21), 2);
	/* Another process's later part of the same is not one to merge with. */
	EXPECT_EQ(anon_vma_fork(vma_at(2, bed.mm[1], 16, 4), low), 0);
	EXPECT_EQ(anon_vma_prepare(&bed.vma[2]), 0);
	EXPECT(!anon_vma_mergeable(&bed.vma[2], high));
	EXPECT(!anon_vma_mergeable(&bed.vma[2], vma_at(3, bed.mm[1], 20, 4)));
	EXPECT(anon_vma_mergeable(&bed.vma[3], NULL) && anon_vma_mergeable(low, &bed.vma[3]));
	bed_end();
}

/* RM-I3: what nobody hangs on any more goes, and its handle leads nowhere. */
TEST(anon_vma, the_family_is_pruned)
{
	u32 first, second;

	ASSERT(bed_make());
	vma_at(0, bed.mm[0], 16, 8);
	vma_at(1, bed.mm[1], 16, 8);
	EXPECT_EQ(anon_vma_prepare(&bed.vma[0]), 0);
	EXPECT_EQ(anon_vma_fork(&bed.vma[1], &bed.vma[0]), 0);
	EXPECT_EQ(anon_vma_prepare(&bed.vma[1]), 0);
	first = handle_of(&bed.vma[0]);
	second = handle_of(&bed.vma[1]);
	unlink_anon_vmas(&bed.vma[0]);
	EXPECT(anon_vma_of_handle(first) && anon_vma_of_handle(second));
	EXPECT_EQ(found(anon_vma_of_handle(first), 17), 2);
	unlink_anon_vmas(&bed.vma[1]);
	EXPECT(!anon_vma_of_handle(first) && !anon_vma_of_handle(second));
	EXPECT(!bed.vma[1].anon_vma && !vma_has_anon(&bed.vma[1]));
	bed_end();
}

static unsigned int depth_of(const struct anon_vma *av)
{
	unsigned int depth = 0;

	for (; av; av = av->parent)
		depth++;
	return depth;
}

/* A process that forks, and ends when the child has written, a hundred times over. */
TEST(anon_vma, a_chain_of_daemons_stays_short)
{
	unsigned int now = 0;

	ASSERT(bed_make());
	vma_at(0, bed.mm[0], 16, 8);
	EXPECT_EQ(anon_vma_prepare(&bed.vma[0]), 0);
	for (unsigned int i = 0; i < 100; i++) {
		unsigned int next = 1 - now;

		vma_at(next, bed.mm[next], 16, 8);
		EXPECT_EQ(anon_vma_fork(&bed.vma[next], &bed.vma[now]), 0);
		EXPECT_EQ(anon_vma_prepare(&bed.vma[next]), 0);
		EXPECT(found(bed.vma[next].anon_vma, 17) >> next & 1);
		unlink_anon_vmas(&bed.vma[now]);
		now = next;
		EXPECT(depth_of(bed.vma[now].anon_vma) <= 3);
	}
	bed_end();
}

/* RM-I4: the numbers that decide about it. */
TEST(anon_vma, counts)
{
	struct anon_vma *av;

	ASSERT(bed_make());
	vma_at(0, bed.mm[0], 16, 8);
	EXPECT_EQ(anon_vma_prepare(&bed.vma[0]), 0);
	av = bed.vma[0].anon_vma;
	EXPECT_EQ(anon_vma_clone(vma_at(1, bed.mm[0], 24, 8), &bed.vma[0]), 0);
	EXPECT_EQ(anon_vma_fork(vma_at(2, bed.mm[1], 16, 8), &bed.vma[0]), 0);
	EXPECT(av->nr_vmas == 3 && av->owners == 2 && av->nr_children == 0);
	EXPECT_EQ(anon_vma_prepare(&bed.vma[2]), 0);
	EXPECT(av->nr_vmas == 2 && av->owners == 2 && av->nr_children == 1);
	unlink_anon_vmas(&bed.vma[0]);
	EXPECT(av->nr_vmas == 1 && av->owners == 1);
	bed_end();
}
