// SPDX-License-Identifier: MIT
/*
 * mremap(2): grow in place, shrink, or move. A move makes the new VMA first (or neighbours take it in), then moves the
 * entries, then unmaps the old range, so that a failure on the way leads back.
 */
#include "mlock.h"
#include "userfaultfd.h"

struct remap {
	struct mm_struct *mm;
	struct vm_area_struct *vma;
	uintptr_t addr, new_addr;
	size_t old_len, new_len;
	unsigned long flags;
	bool populate;
};

static unsigned int maps_left(const struct mm_struct *mm)
{
	unsigned int most = (unsigned int)READ_ONCE(sysctl_max_map_count);

	return mm->map_count < most ? most - mm->map_count : 0;
}

/* May what is at addr become as long as it shall? Return: 0 and r->vma, or an errno. */
static int resizable(struct remap *r)
{
	struct vm_area_struct *vma = vma_lookup(r->mm, r->addr);
	unsigned long pgoff;

	r->vma = vma;
	if (!vma)
		return -EFAULT;
	/* Of length 0: a second mapping of the same, which private memory cannot be. */
	if (!r->old_len && !(vma->vm_flags & (VM_SHARED | VM_MAYSHARE)))
		return -EINVAL;
	if (r->flags & MREMAP_DONTUNMAP && vma->vm_flags & (VM_DONTEXPAND | VM_PFNMAP))
		return -EINVAL;
	if (r->old_len > vma->vm_end - r->addr)
		return -EFAULT;
	if (r->new_len == r->old_len)
		return 0;
	pgoff = vma->vm_pgoff + pages_of(r->addr - vma->vm_start);
	if (pgoff + pages_of(r->new_len) < pgoff)
		return -EINVAL;
	if (vma->vm_flags & (VM_DONTEXPAND | VM_PFNMAP))
		return -EFAULT;
	if (r->new_len < r->old_len)
		return 0;
	if (!mlock_future_ok(r->mm, vma->vm_flags, r->new_len - r->old_len))
		return -EAGAIN;
	if (!may_expand_vm(r->mm, this_task()->process, vma->vm_flags, pages_of(r->new_len - r->old_len)))
		return -ENOMEM;
	return 0;
}

/* ---- In place ---- */

static bool room_behind(struct mm_struct *mm, const struct vm_area_struct *vma, size_t more)
{
	uintptr_t end = vma->vm_end + more;

	if (end < vma->vm_end || (vma->vm_next && vma->vm_next->vm_start < end))
		return false;
	return end <= mm->task_size && vma->vm_start >= READ_ONCE(mmap_min_addr);
}

static int grow_in_place(struct remap *r, size_t more)
{
	struct vm_area_struct *vma = r->vma, *merged;
	bool accounted = vma->vm_flags & VM_ACCOUNT;
	vm_flags_t flags = vma->vm_flags;
	struct vma_like like = {
		.start = vma->vm_end,
		.end = vma->vm_end + more,
		.flags = flags,
		.pgoff = vma->vm_pgoff + vma_pages(vma),
		.file = vma->vm_file,
		.origin = vma,
		.uffd = vma->uffd,
		.policy = vma->policy,
		.anon_name = vma->anon_name,
	};
	int err;

	if (accounted && vm_acct_memory(this_task(), pages_of(more)))
		return -ENOMEM;
	merged = vma_merge_new(r->mm, &like, vma, vma->vm_next, &err);
	if (!merged) {
		if (accounted)
			vm_unacct_memory(pages_of(more));
		return -ENOMEM;
	}
	vm_stat_account(r->mm, flags, (long)pages_of(more));
	if (flags & VM_LOCKED) {
		r->mm->locked_vm += pages_of(more);
		r->populate = true;
		r->new_addr = r->addr;
	}
	return 0;
}

/* ---- Move ---- */

/* Parts of the VMA that do not move are VMAs of their own, so that unmapping the rest cannot fail for memory. */
static int isolate(struct remap *r)
{
	struct vm_area_struct *vma = r->vma;
	uintptr_t end = r->addr + r->old_len;
	int err = 0;

	if (vma->vm_ops && vma->vm_ops->may_split) {
		if (vma->vm_start != r->addr)
			err = vma->vm_ops->may_split(vma, r->addr);
		if (!err && vma->vm_end != end)
			err = vma->vm_ops->may_split(vma, end);
	}
	if (err || r->flags & MREMAP_DONTUNMAP || !r->old_len)
		return err;
	if (end < vma->vm_end)
		err = vma_split_nocount(vma, end);
	if (!err && vma->vm_start < r->addr) {
		err = vma_split_nocount(vma, r->addr);
		if (!err)
			r->vma = vma->vm_next;
	}
	return err;
}

/* The VMA at the new place. Return: NULL without memory. */
static struct vm_area_struct *copy_vma(struct remap *r)
{
	struct vm_area_struct *vma = r->vma, *prev, *next = vma_around(r->mm, r->new_addr, &prev), *new;
	struct vma_like like = {
		.start = r->new_addr,
		.end = r->new_addr + r->new_len,
		.flags = vma->vm_flags,
		.pgoff = vma->vm_pgoff + pages_of(r->addr - vma->vm_start),
		.file = vma->vm_file,
		.origin = vma,
		.uffd = vma->uffd,
		.policy = vma->policy,
		.anon_name = vma->anon_name,
	};
	int err;

	if (unlikely(!userfaultfd_follows(vma))) {
		like.flags &= ~VM_UFFD_ANY;
		like.uffd = NULL;
	}
	/* Nothing was ever there: it may look as if it had been made at the new place. */
	if (vma_is_anonymous(vma) && !has_anon(vma))
		like.pgoff = r->new_addr >> PAGE_SHIFT;
	new = vma_merge_new(r->mm, &like, prev, next, &err);
	if (new || err) {
		/* The old one may have been taken in as well. */
		if (new && r->addr >= new->vm_start && r->addr < new->vm_end)
			r->vma = new;
		return new;
	}
	new = vm_area_dup(vma);
	if (!new)
		return NULL;
	new->vm_start = like.start;
	new->vm_end = like.end;
	new->vm_pgoff = like.pgoff;
	new->vm_flags = like.flags;
	new->uffd = like.uffd;
	if (unlikely(vma->uffd))
		vma_set_page_prot(new);
	if (has_anon(vma) && anon_vma_clone(new, vma))
		goto discard;
	if (new->vm_ops && new->vm_ops->open)
		new->vm_ops->open(new);
	if (!vma_link(r->mm, new, prev))
		return new;
	if (new->vm_ops && new->vm_ops->close)
		new->vm_ops->close(new);
discard:
	vma_discard(new);
	return NULL;
}

/* MREMAP_DONTUNMAP: all of the VMA that the pages came from is not locked any more. */
static void keep_old(struct remap *r, vm_flags_t flags)
{
	struct vm_area_struct *vma = r->vma;
	/* The old range and the new one may have become one. */
	bool one = r->new_addr >= vma->vm_start && r->new_addr < vma->vm_end;

	vma_start_write(vma);
	if (flags & VM_LOCKED) {
		r->mm->locked_vm -= vma_pages(vma) - (one ? pages_of(r->new_len) : 0);
		r->mm->locked_vm += one ? 0 : pages_of(r->new_len);
		munlock_vma_pages(vma, vma->vm_start, vma->vm_end);
	}
	vma_change_flags(vma, vma->vm_flags & ~VM_LOCKED_MASK);
	if (has_anon(vma) && vma->vm_start == r->addr && vma->vm_end == r->addr + r->old_len && !one)
		unlink_anon_vmas(vma);
}

/* The old range goes, or is left empty. Accounts are settled. */
static void leave_old(struct remap *r, vm_flags_t flags)
{
	vm_stat_account(r->mm, flags, (long)pages_of(r->new_len));
	r->populate = flags & VM_LOCKED;
	if (r->flags & MREMAP_DONTUNMAP) {
		keep_old(r, flags);
		return;
	}
	if (flags & VM_LOCKED)
		r->mm->locked_vm += pages_of(r->new_len);
	/* Whole VMAs, and nodes are at hand: it does not fail. */
	if (r->old_len)
		(void)do_munmap(r->mm, r->addr, r->old_len);
}

/* Entries go back, and what was made for them goes. */
static int undo(struct remap *r, struct vm_area_struct *new, size_t moved, int err)
{
	vm_flags_t flags = new->vm_flags;

	if (moved)
		(void)move_page_tables(new, r->new_addr, r->addr, moved);
	vm_stat_account(r->mm, flags, (long)pages_of(r->new_len));
	if (flags & VM_LOCKED)
		r->mm->locked_vm += pages_of(r->new_len);
	(void)do_munmap(r->mm, r->new_addr, r->new_len);
	return err;
}

static int move_vma(struct remap *r)
{
	unsigned long more = pages_of(r->flags & MREMAP_DONTUNMAP ? r->new_len : r->new_len - r->old_len);
	vm_flags_t flags = r->vma->vm_flags;
	bool accounted = flags & VM_ACCOUNT;
	struct vm_area_struct *new;
	size_t moved;
	int err;

	if (maps_left(r->mm) <= 3)
		return -ENOMEM;
	err = isolate(r);
	if (err)
		return err;
	vma_start_write(r->vma);
	if (anon_vma_before_split(r->vma) || (accounted && vm_acct_memory(this_task(), more)))
		return -ENOMEM;
	new = copy_vma(r);
	if (!new) {
		if (accounted)
			vm_unacct_memory(more);
		return -ENOMEM;
	}
	/* What is unmapped, the old range or the new one, gives back what it has: both have it meanwhile. */
	if (accounted && !(r->flags & MREMAP_DONTUNMAP))
		vm_acct_unchecked((long)pages_of(r->old_len));
	vma_start_write(new);
	moved = move_page_tables(r->vma, r->addr, r->new_addr, r->old_len);
	err = moved < r->old_len || vma_reserve(r->mm) ? -ENOMEM : 0;
	if (!err && new->vm_ops && new->vm_ops->mremap)
		err = new->vm_ops->mremap(new);
	if (err)
		return undo(r, new, moved, err);
	if (unlikely(flags & VM_UFFD_ANY))
		userfaultfd_moved(new, flags, r->addr, r->new_addr, r->old_len);
	leave_old(r, flags);
	return 0;
}

static unsigned long map_flags(const struct remap *r)
{
	return r->vma->vm_flags & VM_MAYSHARE ? MAP_SHARED : 0;
}

static long place_for(const struct remap *r, uintptr_t hint, unsigned long flags)
{
	return get_unmapped_area(r->mm, r->vma->vm_file, hint, r->new_len,
				 r->vma->vm_pgoff + pages_of(r->addr - r->vma->vm_start), flags);
}

/* MREMAP_FIXED, MREMAP_DONTUNMAP. */
static long remap_to(struct remap *r)
{
	size_t old_len = r->old_len;
	long ret;

	/* What can be known to fail does so before anything is unmapped. What is cut off may lie in other VMAs. */
	r->old_len = min(old_len, r->new_len);
	ret = resizable(r);
	r->old_len = old_len;
	if (ret)
		return ret;
	if (r->flags & MREMAP_FIXED) {
		ret = do_munmap(r->mm, r->new_addr, r->new_len);
		if (ret)
			return ret;
	}
	if (r->old_len > r->new_len) {
		ret = do_munmap(r->mm, r->addr + r->new_len, r->old_len - r->new_len);
		if (ret)
			return ret;
		r->old_len = r->new_len;
	}
	ret = resizable(r);
	if (ret)
		return ret;
	if (r->flags & MREMAP_DONTUNMAP &&
	    !may_expand_vm(r->mm, this_task()->process, r->vma->vm_flags, pages_of(r->old_len)))
		return -ENOMEM;
	ret = place_for(r, r->new_addr, map_flags(r) | (r->flags & MREMAP_FIXED ? MAP_FIXED : 0));
	if (is_error(ret))
		return ret;
	if (!(r->flags & MREMAP_FIXED))
		r->new_addr = (uintptr_t)ret;
	ret = move_vma(r);
	return ret ? ret : (long)r->new_addr;
}

static long remap(struct remap *r)
{
	const struct vm_area_struct *vma = vma_lookup(r->mm, r->addr);
	long ret;

	if (!vma)
		return -EFAULT;
	if (!can_modify(vma))
		return -EPERM;
	if (r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))
		return remap_to(r);
	if (r->old_len >= r->new_len) {
		ret = 0;
		if (r->old_len > r->new_len)
			ret = do_munmap(r->mm, r->addr + r->new_len, r->old_len - r->new_len);
		return ret ? ret : (long)r->addr;
	}
	ret = resizable(r);
	if (ret)
		return ret;
	if (r->old_len == r->vma->vm_end - r->addr && room_behind(r->mm, r->vma, r->new_len - r->old_len)) {
		ret = grow_in_place(r, r->new_len - r->old_len);
		return ret ? ret : (long)r->addr;
	}
	if (!(r->flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	ret = place_for(r, 0, map_flags(r));
	if (is_error(ret))
		return ret;
	r->new_addr = (uintptr_t)ret;
	ret = move_vma(r);
	return ret ? ret : (long)r->new_addr;
}

/* Of MREMAP_FIXED and MREMAP_DONTUNMAP, which moves and keeps the size. */
static bool target_ok(const struct remap *r)
{
	if (r->new_addr & ~PAGE_MASK || r->new_addr > r->mm->task_size - r->new_len || !(r->flags & MREMAP_MAYMOVE))
		return false;
	if (r->flags & MREMAP_DONTUNMAP && r->old_len != r->new_len)
		return false;
	return r->addr + r->old_len <= r->new_addr || r->new_addr + r->new_len <= r->addr;
}

long ksys_mremap(uintptr_t addr, size_t old_len, size_t new_len, unsigned long flags, uintptr_t new_addr)
{
	struct remap r = {
		.mm = this_task()->mm,
		.addr = addr,
		.old_len = page_align(old_len),
		.new_len = page_align(new_len),
		.flags = flags,
		.new_addr = new_addr,
	};
	long ret;

	if (flags & ~(unsigned long)(MREMAP_FIXED | MREMAP_MAYMOVE | MREMAP_DONTUNMAP))
		return -EINVAL;
	if (addr & ~PAGE_MASK || !r.new_len || r.new_len > r.mm->task_size)
		return -EINVAL;
	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) && !target_ok(&r))
		return -EINVAL;
	if (mmap_write_lock_killable(r.mm))
		return -EINTR;
	ret = flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) && maps_left(r.mm) <= 5 ? -ENOMEM : remap(&r);
	mmap_write_unlock(r.mm);
	userfaultfd_tell(true);
	if (!is_error(ret) && r.populate && r.new_len > r.old_len)
		(void)mm_populate(r.mm, r.new_addr + r.old_len, r.new_addr + r.new_len);
	return ret;
}
