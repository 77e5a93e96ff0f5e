// SPDX-License-Identifier: MIT
/* Ranges are registered and unregistered: ioctl_userfaultfd(2). The theory is in userfaultfd.c. */
#include "userfaultfd_wait.h"

bool userfaultfd_can(const struct vm_area_struct *vma, vm_flags_t flags, bool async)
{
	bool file = vma->vm_ops && vma->vm_ops->userfault_page;

	flags &= VM_UFFD_ANY;
	if (vma->vm_flags & VM_DROPPABLE || (flags & VM_UFFD_MINOR && !file))
		return false;
	/* Protection that nobody waits for is possible wherever entries have the bit. */
	if (async && flags == VM_UFFD_WP)
		return true;
	return file || vma_is_anonymous(vma);
}

int userfaultfd_range_ok(const struct mm_struct *mm, u64 start, u64 len)
{
	if ((start | len) & (u64)~PAGE_MASK || !len || start < READ_ONCE(mmap_min_addr) || start >= mm->task_size ||
	    len > mm->task_size - start)
		return -EINVAL;
	return 0;
}

static bool is_async(const struct userfaultfd_ctx *ctx)
{
	return userfaultfd_has(ctx, UFFD_FEATURE_WP_ASYNC);
}

/* ---- Register ---- */

static int check_register(const struct userfaultfd_ctx *ctx, const struct vm_area_struct *vma, uintptr_t end,
			  vm_flags_t flags)
{
	if (!vma || vma->vm_start >= end)
		return -EINVAL;
	for (; vma && vma->vm_start < end; vma = vma->vm_next) {
		if (!userfaultfd_can(vma, flags, is_async(ctx)))
			return -EINVAL;
		/* Filling writes where the program itself might not. */
		if (!(vma->vm_flags & VM_MAYWRITE))
			return -EPERM;
		if (vma->uffd && vma->uffd != ctx)
			return -EBUSY;
	}
	return 0;
}

/* [start, end) of @vma with other VM_UFFD_*. Return: what covers it now; NULL: *@err. */
static struct vm_area_struct *set(struct vm_area_struct *vma, uintptr_t start, uintptr_t end, vm_flags_t flags,
				  struct userfaultfd_ctx *ctx, int *err)
{
	struct vma_change change = { .flags = (vma->vm_flags & ~VM_UFFD_ANY) | flags,
				     .uffd = ctx ? (void *)ctx : VMA_NOTHING };

	vma = vma_modify(vma, start, end, &change, err);
	if (vma)
		vma_set_page_prot(vma);
	return vma;
}

static int register_locked(struct userfaultfd_ctx *ctx, uintptr_t start, uintptr_t end, vm_flags_t flags)
{
	struct vm_area_struct *vma = find_vma(ctx->mm, start);
	int err = check_register(ctx, vma, end, flags);

	if (err)
		return err;
	for (; vma && vma->vm_start < end; vma = vma->vm_next) {
		uintptr_t from = max(vma->vm_start, start), to = min(vma->vm_end, end);

		if (vma->uffd == ctx && (vma->vm_flags & flags) == flags)
			continue;
		/* What was protected in a range that is not from now on is so no more (UF-I2). */
		if (vma->vm_flags & VM_UFFD_WP && !(flags & VM_UFFD_WP)) {
			vma_start_write(vma);
			err = (int)userfaultfd_wp_range(vma, from, to, false);
			if (err < 0)
				return err;
		}
		vma = set(vma, from, to, flags, ctx, &err);
		if (!vma)
			return err;
	}
	return 0;
}

long userfaultfd_register(struct userfaultfd_ctx *ctx, uintptr_t start, size_t len, vm_flags_t flags)
{
	long err;

	if (!mmget_not_zero(ctx->mm))
		return -ENOMEM;
	mmap_write_lock(ctx->mm);
	err = register_locked(ctx, start, start + len, flags);
	mmap_write_unlock(ctx->mm);
	mmput(ctx->mm);
	return err;
}

/* ---- Unregister ---- */

static int check_unregister(const struct userfaultfd_ctx *ctx, const struct vm_area_struct *vma, uintptr_t end)
{
	if (!vma || vma->vm_start >= end)
		return -EINVAL;
	for (; vma && vma->vm_start < end; vma = vma->vm_next)
		if ((vma->uffd && vma->uffd != ctx) || !userfaultfd_can(vma, vma->vm_flags, is_async(ctx)))
			return -EINVAL;
	return 0;
}

/* [start, end) of @vma, whose context is @ctx. Return: what covers it; NULL: *@err. */
static struct vm_area_struct *let_go(struct userfaultfd_ctx *ctx, struct vm_area_struct *vma, uintptr_t start,
				     uintptr_t end, int *err)
{
	vma_start_write(vma);
	if (vma->vm_flags & VM_UFFD_WP) {
		*err = (int)userfaultfd_wp_range(vma, start, end, false);
		if (*err < 0)
			return NULL;
	}
	vma = set(vma, start, end, 0, NULL, err);
	/* They find the lock taken, and then that nobody is to be asked. */
	userfaultfd_wake(ctx, start, end - start);
	return vma;
}

static int unregister_locked(struct userfaultfd_ctx *ctx, uintptr_t start, uintptr_t end)
{
	struct vm_area_struct *vma = find_vma(ctx->mm, start);
	int err = check_unregister(ctx, vma, end);

	if (err)
		return err;
	for (; vma && vma->vm_start < end; vma = vma->vm_next) {
		if (!vma->uffd)
			continue;
		vma = let_go(ctx, vma, max(vma->vm_start, start), min(vma->vm_end, end), &err);
		if (!vma)
			return err;
	}
	return 0;
}

long userfaultfd_unregister(struct userfaultfd_ctx *ctx, uintptr_t start, size_t len)
{
	long err;

	if (!mmget_not_zero(ctx->mm))
		return -ENOMEM;
	mmap_write_lock(ctx->mm);
	err = unregister_locked(ctx, start, start + len);
	mmap_write_unlock(ctx->mm);
	mmput(ctx->mm);
	return err;
}

void userfaultfd_forget(struct userfaultfd_ctx *ctx)
{
	struct vm_area_struct *vma = find_vma(ctx->mm, 0), *now;
	int err;

	for (; vma; vma = vma->vm_next) {
		if (vma->uffd != ctx)
			continue;
		now = let_go(ctx, vma, vma->vm_start, vma->vm_end, &err);
		if (now) {
			vma = now;
			continue;
		}
		/* No memory to merge: let go of it as it is. Its entries are done already, which needs none (UF-I5). */
		vma->uffd = NULL;
		vma_change_flags(vma, vma->vm_flags & ~VM_UFFD_ANY);
		vma_set_page_prot(vma);
	}
}
