// SPDX-License-Identifier: MIT
/*
 * VMAs: what they are, and the tree and the list they are in.
 *
 * Purpose. To know which parts of an address space are mapped, and how: a fault finds the VMA of its address without a
 * lock that others write, mmap() and its like change few VMAs in few steps, and what is alike and adjacent is one VMA.
 *
 * Words. A *VMA* is a range of pages that is mapped in one way. To *split* one is to make two of it that mean the same;
 * to *merge* is to make one of neighbours that are alike: same flags, file and offsets that go on, same owner of
 * anonymous pages. A VMA is *attached* while it is in the tree.
 *
 * Structures. The range tree mm->vmas (base/range_tree.c) maps each VMA's addresses to it; vm_next and vm_prev join
 * neighbours, so that whoever holds the mmap lock goes on without the tree.
 *
 *	mm->vmas   [1000..4fff A] [5000..5fff B]       [9000.. C]
 *	                 |   <--vm_next/vm_prev-->  |  <-->  |
 *	vm_refs: 0 detached, 1 attached, 1 + n: n readers; VMA_WAITED: somebody waits for them to go
 *
 * Per-VMA locks. Who holds mmap_lock for writing has an odd mm_lock_seq. vma_start_write() stores it in vm_lock_seq
 * and, behind a full barrier, waits until vm_refs is 1. A reader adds one to vm_refs, a full barrier too, and then
 * looks at vm_lock_seq. One of the two sees the other, so a reader who gets in finds the VMA unchanged until it leaves.
 * All write locks end at once when mmap_write_unlock() counts mm_lock_seq on.
 *
 * Short cuts. mm->recent is where a writer was last: an address that lies in it, or between it and the VMA before,
 * needs no way down the tree. All from mm->top_full up to mmap_base is mapped, so the highest gap, which the flexible
 * layout gives out, is the one below, if that is large enough. What unmaps moves top_full up, what maps there moves it
 * down.
 *
 * Changes. A change of bounds is one store into the tree in which what is swallowed vanishes and what is cut off stays
 * (vma_set_bounds()); no reader without a lock sees an address that was mapped all the time unmapped, within a node of
 * the tree. What can fail comes first: memory for VMAs, nodes and anon_vma links; a change itself does not fail.
 *
 * From the file's side and the pages' side (truncation, reverse mapping) a page that stays mapped is in some VMA's
 * reach at any moment: where it goes from one to another, the one that takes it grows first, and a VMA's own place
 * changes under i_mmap_rwsem and the anon_vma's lock (vma_place()).
 *
 * Invariants.
 *	VA-I1	VMAs are page aligned, not empty, do not overlap, lie below task_size; the tree has them all, the list
 *		has the same ones in order, map_count counts them
 *	VA-I2	neighbours that could be one are one, where a call of the mmap family touched them
 *	VA-I3	total_vm, data_vm, exec_vm, stack_vm and locked_vm are the sums of what VMAs say
 *	VA-I4	Committed_AS is the sum of VM_ACCOUNT pages of all address spaces, and what drivers and files added
 *	VA-I5	an attached VMA has vm_refs of at least 1, a detached one 0; vm_mm is the address space it is in
 *	VA-I6	what a reader of a VMA's lock sees of it does not change until it lets go
 *	VA-I7	a call that fails with -ENOMEM has changed nothing, except that a VMA may have been split, that mremap()
 *		has unmapped what lay at the new place, and that mprotect() has changed VMAs before the one
 *	VA-I8	vm_page_prot is what vm_flags and vm_ops say
 *	VA-I9	recent is attached or NULL; all of [top_full, mmap_base) is mapped
 *
 * Locking. (w) of the structures: mmap_lock for writing and vma_start_write(). The order is in vm.h.
 *
 * Memory use and bounds. A VMA is about 240 bytes, its part of a tree node 30 to 60. vm.max_map_count VMAs.
 *
 * What failure does. See VA-I7. Accounting is undone.
 *
 * Differences from Linux. An unmapped end of an anonymous VMA is cut off without a split; an address space's VMAs are
 * in a list as well as in the tree; the per-VMA lock is one word in the VMA and the write side has no atomic
 * read-modify-write but an exchange. A failing MAP_FIXED leaves the old mapping in more cases.
 *
 * Sources. mmap(2), munmap(2), mprotect(2), mremap(2), brk(2); Linux Documentation/mm/process_addrs.rst;
 * /proc/PID/maps of Linux 6.12 beside the calls.
 */
#include "vma.h"

#include <octavo/slab.h>

#include "../base/part.h"
#include "../base/printk.h"
#include "../base/range_tree_node.h"
#include "../base/string.h"

static struct kmem_cache *vma_cache __memsys, *node_cache __memsys;

/* ---- Nodes of the tree ---- */

static void *node_alloc(gfp_t gfp)
{
	return kmem_cache_alloc(node_cache, gfp ? gfp : GFP_NOWAIT | __GFP_NOWARN);
}

static void node_release(void *node)
{
	kmem_cache_free(node_cache, node);
}

static void node_release_head(struct rcu_head *head)
{
	kmem_cache_free(node_cache, container_of(head, struct range_node, rcu));
}

static void node_release_rcu(void *node)
{
	call_rcu(&((struct range_node *)node)->rcu, node_release_head);
}

const struct range_tree_ops vma_tree_ops = { node_alloc, node_release, node_release_rcu };

/* ---- A VMA comes and goes ---- */

struct vm_area_struct *vm_area_alloc(struct mm_struct *mm)
{
	struct vm_area_struct *vma = kmem_cache_alloc(vma_cache, GFP_KERNEL);

	if (vma)
		*vma = (struct vm_area_struct){ .vm_mm = mm };
	return vma;
}

struct vm_area_struct *vm_area_dup(const struct vm_area_struct *from)
{
	struct vm_area_struct *vma = kmem_cache_alloc(vma_cache, GFP_KERNEL);

	if (!vma)
		return NULL;
	*vma = (struct vm_area_struct){
		.vm_start = from->vm_start,
		.vm_end = from->vm_end,
		.vm_mm = from->vm_mm,
		.vm_flags = from->vm_flags,
		.vm_page_prot = from->vm_page_prot,
		.vm_pgoff = from->vm_pgoff,
		.vm_file = from->vm_file ? get_file(from->vm_file) : NULL,
		.vm_ops = from->vm_ops,
		.vm_private_data = from->vm_private_data,
		.uffd = from->uffd,
		.policy = from->policy,
		.anon_name = anon_vma_name_get(from->anon_name),
	};
	if (is_writer(vma))
		(void)atomic_fetch_add(&vma->vm_file->f_mapping->i_mmap_writable, 1);
	return vma;
}

static void free_head(struct rcu_head *head)
{
	kmem_cache_free(vma_cache, container_of(head, struct vm_area_struct, rcu));
}

static void put_parts(struct vm_area_struct *vma)
{
	if (has_anon(vma))
		unlink_anon_vmas(vma);
	if (is_writer(vma))
		(void)atomic_fetch_sub(&vma->vm_file->f_mapping->i_mmap_writable, 1);
	if (vma->vm_file)
		fput(vma->vm_file);
	if (vma->anon_name)
		anon_vma_name_put(vma->anon_name);
}

void vma_discard(struct vm_area_struct *vma)
{
	put_parts(vma);
	kmem_cache_free(vma_cache, vma);
}

void vm_area_free(struct vm_area_struct *vma)
{
	if (vma->vm_ops && vma->vm_ops->close)
		vma->vm_ops->close(vma);
	put_parts(vma);
	call_rcu(&vma->rcu, free_head);
}

/* ---- The tree and the list ---- */

static void list_insert(struct vm_area_struct *vma, struct vm_area_struct *prev, struct vm_area_struct *next)
{
	vma->vm_prev = prev;
	vma->vm_next = next;
	if (prev)
		prev->vm_next = vma;
	if (next)
		next->vm_prev = vma;
}

static void list_remove(struct vm_area_struct *vma)
{
	if (vma->vm_prev)
		vma->vm_prev->vm_next = vma->vm_next;
	if (vma->vm_next)
		vma->vm_next->vm_prev = vma->vm_prev;
}

struct vm_area_struct *find_vma(struct mm_struct *mm, uintptr_t addr)
{
	/* Where a writer was last, the next call often is. It does not change while the lock is held for reading. */
	struct vm_area_struct *vma = mm->recent;
	struct range_entry e;

	if (vma && vma->vm_end > addr && (!vma->vm_prev || vma->vm_prev->vm_end <= addr))
		return vma;
	return range_tree_next(&mm->vmas, addr, &e) ? e.value : NULL;
}

/* @vma is no longer in the tree; @instead, if not NULL, has taken its place. */
static void forget(struct mm_struct *mm, const struct vm_area_struct *vma, struct vm_area_struct *instead)
{
	if (mm->recent == vma)
		mm->recent = instead;
}

struct vm_area_struct *vma_lookup(struct mm_struct *mm, uintptr_t addr)
{
	return range_tree_load(&mm->vmas, addr);
}

struct vm_area_struct *vma_around(struct mm_struct *mm, uintptr_t addr, struct vm_area_struct **prev)
{
	struct vm_area_struct *next = find_vma(mm, addr);
	struct range_entry e;

	if (next) {
		*prev = next->vm_prev;
		mm->recent = next;
	} else {
		*prev = range_tree_prev(&mm->vmas, addr, &e) ? e.value : NULL;
	}
	return next;
}

static struct vm_area_struct *first_vma(struct mm_struct *mm)
{
	return find_vma(mm, 0);
}

int vma_link(struct mm_struct *mm, struct vm_area_struct *vma, struct vm_area_struct *prev)
{
	struct vm_area_struct *next = prev ? prev->vm_next : first_vma(mm);
	int err;

	/* Found from now on, but not read-locked before mmap_write_unlock(). */
	vma->vm_lock_seq = mm->mm_lock_seq;
	vma->vm_refs = 1;
	err = range_tree_insert(&mm->vmas, vma->vm_start, vma->vm_end - 1, vma, GFP_KERNEL);
	if (err) {
		vma->vm_refs = 0;
		return err;
	}
	list_insert(vma, prev, next);
	mm->map_count++;
	mm->recent = vma;
	if (vma->vm_end == mm->top_full)
		mm->top_full = vma->vm_start;
	if (vma->vm_file)
		vma_link_file(vma);
	return 0;
}

void vma_link_over(struct mm_struct *mm, struct vm_area_struct *vma, struct vm_area_struct *lower)
{
	vma->vm_lock_seq = mm->mm_lock_seq;
	vma->vm_refs = 1;
	/* Nodes were reserved: it does not fail. */
	(void)!range_tree_store(&mm->vmas, vma->vm_start, vma->vm_end - 1, vma, GFP_KERNEL);
	list_insert(vma, lower, lower->vm_next);
	mm->map_count++;
	if (vma->vm_file)
		vma_link_file(vma);
}

int vma_insert(struct mm_struct *mm, struct vm_area_struct *vma)
{
	struct range_entry e;

	return vma_link(mm, vma, range_tree_prev(&mm->vmas, vma->vm_start, &e) ? e.value : NULL);
}

void vma_unlink(struct mm_struct *mm, struct vm_area_struct *vma)
{
	range_tree_erase(&mm->vmas, vma->vm_start);
	forget(mm, vma, NULL);
	vma_opened_gap(mm, vma->vm_end);
	list_remove(vma);
	mm->map_count--;
	store_relaxed(&vma->vm_refs, 0);
	if (vma->vm_file)
		vma_unlink_file(vma);
}

struct vm_area_struct *vma_detach_all(struct mm_struct *mm)
{
	struct vm_area_struct *first = first_vma(mm);

	range_tree_destroy(&mm->vmas);
	mm->map_count = 0;
	mm->recent = NULL;
	mm->top_full = mm->mmap_base;
	return first;
}

/* ---- Bounds ---- */

/* The tree has @vma in their place; now the list, their files and they themselves. */
static void drop_victims(struct vm_area_struct *vma, struct vm_area_struct *victim, unsigned int nr)
{
	struct mm_struct *mm = vma->vm_mm;

	while (nr--) {
		struct vm_area_struct *next = victim->vm_next;

		forget(mm, victim, vma);
		list_remove(victim);
		mm->map_count--;
		store_relaxed(&victim->vm_refs, 0);
		if (victim->vm_file)
			vma_unlink_file(victim);
		vm_area_free(victim);
		victim = next;
	}
}

/* The tree's part. Return: 0, or -ENOMEM before anything changed. */
static int tree_bounds(struct vm_area_struct *vma, uintptr_t start, uintptr_t end)
{
	struct range_tree *tree = &vma->vm_mm->vmas;
	int err = 0;

	if (start < vma->vm_start || end > vma->vm_end)
		err = range_tree_store(tree, min(start, vma->vm_start), max(end, vma->vm_end) - 1, vma, GFP_KERNEL);
	if (!err && start > vma->vm_start)
		err = range_tree_store(tree, vma->vm_start, start - 1, NULL, GFP_KERNEL);
	if (!err && end < vma->vm_end)
		err = range_tree_store(tree, end, vma->vm_end - 1, NULL, GFP_KERNEL);
	return err;
}

void vma_place(struct vm_area_struct *vma, uintptr_t start, uintptr_t end)
{
	struct address_space *mapping = vma_mapping(vma);

	if (mapping)
		down_write(&mapping->i_mmap_rwsem);
	if (has_anon(vma))
		anon_vma_update_begin(vma);
	vma->vm_pgoff += (unsigned long)(((intptr_t)start - (intptr_t)vma->vm_start) >> PAGE_SHIFT);
	/* Faults compare their threads' last VMA before they lock it, to no harm: then they look again. */
	store_relaxed(&vma->vm_start, start);
	store_relaxed(&vma->vm_end, end);
	if (has_anon(vma))
		anon_vma_update_end(vma);
	if (mapping) {
		vma_moved_in_file(vma);
		up_write(&mapping->i_mmap_rwsem);
	}
}

int vma_set_bounds(struct vm_area_struct *vma, uintptr_t start, uintptr_t end, struct vm_area_struct *victim,
		   unsigned int nr)
{
	struct vm_area_struct *v = victim;
	int err;

	vma_start_write(vma);
	for (unsigned int i = 0; i < nr; i++, v = v->vm_next)
		vma_start_write(v);
	err = tree_bounds(vma, start, end);
	if (err)
		return err;
	vma_place(vma, start, end);
	if (nr)
		drop_victims(vma, victim, nr);
	vma->vm_mm->recent = vma;
	return 0;
}

int vma_move_border(struct vm_area_struct *lower, struct vm_area_struct *upper, uintptr_t border)
{
	bool up = border > upper->vm_start;
	struct vm_area_struct *grows = up ? lower : upper;
	uintptr_t start = up ? lower->vm_start : border, end = up ? border : upper->vm_end;
	int err;

	vma_start_write(lower);
	vma_start_write(upper);
	/* The other one is cut by it. */
	err = range_tree_store(&grows->vm_mm->vmas, start, end - 1, grows, GFP_KERNEL);
	if (err)
		return err;
	vma_place(grows, start, end);
	if (up)
		vma_place(upper, border, upper->vm_end);
	else
		vma_place(lower, lower->vm_start, border);
	grows->vm_mm->recent = grows;
	return 0;
}

/* ---- Rights of pages ---- */

pgprot_t vm_get_page_prot(vm_flags_t flags)
{
	u32 bits = PGPROT_ACCESSED;

	if (flags & VM_ACCESS_FLAGS)
		bits |= PGPROT_READ | PGPROT_USER;
	if (flags & VM_EXEC)
		bits |= PGPROT_EXEC;
	if ((flags & (VM_WRITE | VM_SHARED)) == (VM_WRITE | VM_SHARED))
		bits |= PGPROT_WRITE;
	bits |= (u32)((flags & VM_PKEY_MASK) >> VM_PKEY_SHIFT) << PGPROT_PKEY_SHIFT;
	return octavo_pgprot(bits);
}

bool vma_wants_writenotify(const struct vm_area_struct *vma)
{
	const struct vm_operations_struct *ops = vma->vm_ops;
	const struct address_space_operations *a_ops;

	if ((vma->vm_flags & (VM_WRITE | VM_SHARED)) != (VM_WRITE | VM_SHARED))
		return false;
	if (ops && (ops->page_mkwrite || ops->pfn_mkwrite))
		return true;
	if (!(vma->vm_flags & VM_SOFTDIRTY) || vma->vm_flags & VM_UFFD_WP)
		return true;
	if (vma->vm_flags & VM_PFNMAP || !vma->vm_file || !vma->vm_file->f_mapping)
		return false;
	a_ops = vma->vm_file->f_mapping->a_ops;
	return a_ops && a_ops->writepages;
}

void vma_set_page_prot(struct vm_area_struct *vma)
{
	enum page_cache_mode mode = pgprot_cache_mode(vma->vm_page_prot);
	vm_flags_t flags = vma->vm_flags;

	if (vma_wants_writenotify(vma))
		flags &= ~VM_SHARED;
	/* Reverse mapping reads it without a lock of the VMA's. */
	store_relaxed(&vma->vm_page_prot.bits, pgprot_cached_as(vm_get_page_prot(flags), mode).bits);
}

static int vma_init(void)
{
	vma_cache = kmem_cache_create("vm_area_struct", sizeof(struct vm_area_struct), 0, SLAB_ACCOUNT, NULL);
	node_cache = kmem_cache_create("vma_node", RANGE_NODE_SIZE, RANGE_NODE_SIZE, SLAB_ACCOUNT, NULL);
	return vma_cache && node_cache ? 0 : -ENOMEM;
}

MM_PART(vma, .order = MM_PART_VM, .init = vma_init);
