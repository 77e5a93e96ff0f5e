// SPDX-License-Identifier: MIT
/* ioctl_userfaultfd(2): what comes from the program, is checked, and what goes back. */
#include <octavo/uaccess.h>

#include "../base/string.h"
#include "userfaultfd_wait.h"

static u64 features(void)
{
	u64 all = UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE |
		  UFFD_FEATURE_MISSING_HUGETLBFS | UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_EVENT_UNMAP |
		  UFFD_FEATURE_SIGBUS | UFFD_FEATURE_THREAD_ID | UFFD_FEATURE_MINOR_HUGETLBFS |
		  UFFD_FEATURE_MINOR_SHMEM | UFFD_FEATURE_EXACT_ADDRESS | UFFD_FEATURE_POISON | UFFD_FEATURE_MOVE;

	if (UFFD_HAS_WP)
		all |= UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM | UFFD_FEATURE_WP_UNPOPULATED |
		       UFFD_FEATURE_WP_ASYNC;
	return all;
}

/* What is wanted is possible, and has not been decided on before. Return: 0 or an errno. */
static long enable(struct userfaultfd_ctx *ctx, struct uffdio_api *api)
{
	u64 wanted = api->features;

	if (api->api != UFFD_API)
		return -EINVAL;
	if (wanted & UFFD_FEATURE_EVENT_FORK && !task_capable(current_task(), CAP_SYS_PTRACE))
		return -EPERM;
	if (wanted & UFFD_FEATURE_WP_ASYNC)
		wanted |= UFFD_FEATURE_WP_UNPOPULATED;
	api->features = features();
	api->ioctls = UFFD_API_IOCTLS;
	if (wanted & ~api->features || atomic_cmpxchg(&ctx->features, 0, (unsigned int)wanted | UFFD_READY))
		return -EINVAL;
	return 0;
}

static long ioctl_api(struct userfaultfd_ctx *ctx, uintptr_t arg)
{
	struct uffdio_api api;
	long err;

	if (copy_from_user(&api, arg, sizeof(api)))
		return -EFAULT;
	err = enable(ctx, &api);
	if (err)
		memset(&api, 0, sizeof(api));
	return copy_to_user(arg, &api, sizeof(api)) ? -EFAULT : err;
}

static long ioctl_register(struct userfaultfd_ctx *ctx, uintptr_t arg)
{
	const u64 modes = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP | UFFDIO_REGISTER_MODE_MINOR;
	u64 ioctls = UFFD_RANGE_IOCTLS;
	struct uffdio_register r;
	vm_flags_t flags = 0;
	long err;

	if (copy_from_user(&r, arg, offsetof(struct uffdio_register, ioctls)))
		return -EFAULT;
	if (!r.mode || r.mode & ~modes || (r.mode & UFFDIO_REGISTER_MODE_WP && !UFFD_HAS_WP))
		return -EINVAL;
	flags |= r.mode & UFFDIO_REGISTER_MODE_MISSING ? VM_UFFD_MISSING : 0;
	flags |= r.mode & UFFDIO_REGISTER_MODE_WP ? VM_UFFD_WP : 0;
	flags |= r.mode & UFFDIO_REGISTER_MODE_MINOR ? VM_UFFD_MINOR : 0;
	err = userfaultfd_range_ok(ctx->mm, r.range.start, r.range.len);
	if (!err)
		err = userfaultfd_register(ctx, (uintptr_t)r.range.start, (size_t)r.range.len, flags);
	if (err)
		return err;
	if (!(flags & VM_UFFD_WP))
		ioctls &= ~((u64)1 << _UFFDIO_WRITEPROTECT);
	if (!(flags & VM_UFFD_MINOR))
		ioctls &= ~((u64)1 << _UFFDIO_CONTINUE);
	return put_user(ioctls, arg + offsetof(struct uffdio_register, ioctls));
}

static long ioctl_range(struct userfaultfd_ctx *ctx, uintptr_t arg, bool wake)
{
	struct uffdio_range r;
	long err;

	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	err = userfaultfd_range_ok(ctx->mm, r.start, r.len);
	if (err)
		return err;
	if (!wake)
		return userfaultfd_unregister(ctx, (uintptr_t)r.start, (size_t)r.len);
	userfaultfd_wake(ctx, (uintptr_t)r.start, (size_t)r.len);
	return 0;
}

/*
 * The result of what fills: told at @result; who waits in what was filled goes on.
 * Return: 0; -EAGAIN: not all; what @done says.
 */
static long filled(struct userfaultfd_ctx *ctx, uintptr_t result, u64 start, u64 len, s64 done, bool wake)
{
	if (put_user(done, result))
		return -EFAULT;
	if (done < 0)
		return (long)done;
	if (wake)
		userfaultfd_wake(ctx, (uintptr_t)start, (size_t)done);
	return (u64)done == len ? 0 : -EAGAIN;
}

static long is_changing(struct userfaultfd_ctx *ctx, uintptr_t result)
{
	s64 again = -EAGAIN;

	if (likely(!load_relaxed(&ctx->changing)))
		return 0;
	return put_user(again, result) ?: -EAGAIN;
}

/* The source of a copy: as a destination, but its address may be any. */
static int source_ok(const struct mm_struct *mm, u64 start, u64 len)
{
	if (len & (u64)~PAGE_MASK || !len || start < READ_ONCE(mmap_min_addr) || start >= mm->task_size ||
	    len > mm->task_size - start)
		return -EINVAL;
	return 0;
}

static long ioctl_copy(struct userfaultfd_ctx *ctx, uintptr_t arg)
{
	uintptr_t result = arg + offsetof(struct uffdio_copy, copy);
	struct uffdio_copy c;
	s64 done;
	long err = is_changing(ctx, result);

	if (err)
		return err;
	if (copy_from_user(&c, arg, offsetof(struct uffdio_copy, copy)))
		return -EFAULT;
	if (source_ok(ctx->mm, c.src, c.len) || userfaultfd_range_ok(ctx->mm, c.dst, c.len) ||
	    c.mode & ~(UFFDIO_COPY_MODE_DONTWAKE | UFFDIO_COPY_MODE_WP))
		return -EINVAL;
	if (!mmget_not_zero(ctx->mm))
		return -ESRCH;
	done = userfaultfd_fill(ctx, UFFD_COPY, (uintptr_t)c.dst, (uintptr_t)c.src, (size_t)c.len,
				c.mode & UFFDIO_COPY_MODE_WP);
	mmput(ctx->mm);
	return filled(ctx, result, c.dst, c.len, done, !(c.mode & UFFDIO_COPY_MODE_DONTWAKE));
}

/* ZEROPAGE, CONTINUE and POISON: range, mode and result lie in the same places, DONTWAKE and WP are the same bits. */
octavo_static_assert(offsetof(struct uffdio_zeropage, zeropage) == offsetof(struct uffdio_continue, mapped) &&
			     offsetof(struct uffdio_zeropage, zeropage) == offsetof(struct uffdio_poison, updated),
		     "one structure");

static long ioctl_fill(struct userfaultfd_ctx *ctx, uintptr_t arg, enum uffd_fill how)
{
	uintptr_t result = arg + offsetof(struct uffdio_continue, mapped);
	u64 modes = UFFDIO_CONTINUE_MODE_DONTWAKE | (how == UFFD_CONTINUE ? UFFDIO_CONTINUE_MODE_WP : 0);
	struct uffdio_continue c;
	s64 done;
	long err = is_changing(ctx, result);

	if (err)
		return err;
	if (copy_from_user(&c, arg, offsetof(struct uffdio_continue, mapped)))
		return -EFAULT;
	if (userfaultfd_range_ok(ctx->mm, c.range.start, c.range.len) || c.mode & ~modes)
		return -EINVAL;
	if (!mmget_not_zero(ctx->mm))
		return -ESRCH;
	done = userfaultfd_fill(ctx, how, (uintptr_t)c.range.start, 0, (size_t)c.range.len,
				c.mode & UFFDIO_CONTINUE_MODE_WP);
	mmput(ctx->mm);
	return filled(ctx, result, c.range.start, c.range.len, done, !(c.mode & UFFDIO_CONTINUE_MODE_DONTWAKE));
}

static long ioctl_move(struct userfaultfd_ctx *ctx, uintptr_t arg)
{
	uintptr_t result = arg + offsetof(struct uffdio_move, move);
	struct uffdio_move m;
	s64 done;
	long err = is_changing(ctx, result);

	if (err)
		return err;
	if (copy_from_user(&m, arg, offsetof(struct uffdio_move, move)))
		return -EFAULT;
	if (ctx->mm != current_task()->mm || userfaultfd_range_ok(ctx->mm, m.dst, m.len) ||
	    userfaultfd_range_ok(ctx->mm, m.src, m.len) ||
	    m.mode & ~(UFFDIO_MOVE_MODE_DONTWAKE | UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES))
		return -EINVAL;
	if (!mmget_not_zero(ctx->mm))
		return -ESRCH;
	done = userfaultfd_move(ctx, (uintptr_t)m.dst, (uintptr_t)m.src, (size_t)m.len,
				m.mode & UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES);
	mmput(ctx->mm);
	return filled(ctx, result, m.dst, m.len, done, !(m.mode & UFFDIO_MOVE_MODE_DONTWAKE));
}

static long ioctl_writeprotect(struct userfaultfd_ctx *ctx, uintptr_t arg)
{
	const u64 wp = UFFDIO_WRITEPROTECT_MODE_WP, dontwake = UFFDIO_WRITEPROTECT_MODE_DONTWAKE;
	struct uffdio_writeprotect w;
	long err;

	if (load_relaxed(&ctx->changing))
		return -EAGAIN;
	if (copy_from_user(&w, arg, sizeof(w)))
		return -EFAULT;
	err = userfaultfd_range_ok(ctx->mm, w.range.start, w.range.len);
	if (err || w.mode & ~(wp | dontwake) || w.mode == (wp | dontwake))
		return -EINVAL;
	if (!mmget_not_zero(ctx->mm))
		return -ESRCH;
	err = userfaultfd_writeprotect(ctx, (uintptr_t)w.range.start, (size_t)w.range.len, w.mode & wp);
	mmput(ctx->mm);
	if (!err && !w.mode)
		userfaultfd_wake(ctx, (uintptr_t)w.range.start, (size_t)w.range.len);
	return err;
}

long userfaultfd_ioctl(struct userfaultfd_ctx *ctx, unsigned int cmd, unsigned long arg)
{
	if (cmd != UFFDIO_API && !userfaultfd_ready(ctx))
		return -EINVAL;
	switch (cmd) {
	case UFFDIO_API:
		return ioctl_api(ctx, arg);
	case UFFDIO_REGISTER:
		return ioctl_register(ctx, arg);
	case UFFDIO_UNREGISTER:
	case UFFDIO_WAKE:
		return ioctl_range(ctx, arg, cmd == UFFDIO_WAKE);
	case UFFDIO_COPY:
		return ioctl_copy(ctx, arg);
	case UFFDIO_ZEROPAGE:
		return ioctl_fill(ctx, arg, UFFD_ZERO);
	case UFFDIO_CONTINUE:
		return ioctl_fill(ctx, arg, UFFD_CONTINUE);
	case UFFDIO_POISON:
		return ioctl_fill(ctx, arg, UFFD_POISON);
	case UFFDIO_MOVE:
		return ioctl_move(ctx, arg);
	case UFFDIO_WRITEPROTECT:
		return UFFD_HAS_WP ? ioctl_writeprotect(ctx, arg) : -EINVAL;
	default:
		return -EINVAL;
	}
}
