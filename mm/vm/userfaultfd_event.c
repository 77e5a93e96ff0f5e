// SPDX-License-Identifier: MIT
/*
 * What a reader is told of beside faults: fork, mremap, munmap, madvise. They happen under the mmap lock, where nobody
 * may wait for a reader who may need it; so the thread keeps what it has to tell, and waits when it has let go.
 */
#include <octavo/slab.h>

#include "../base/string.h"
#include "userfaultfd_wait.h"

struct kept {
	struct kept *next;
	struct userfaultfd_ctx *ctx; /* with a reference, and counted in its @changing */
	struct userfaultfd_ctx *child;
	struct uffd_msg msg;
};

/* From here on until the reader knows, nothing is filled (UF-I4). */
static void change_begins(struct userfaultfd_ctx *ctx)
{
	userfaultfd_get(ctx);
	down_write(&ctx->changing_lock);
	(void)atomic_fetch_add(&ctx->changing, 1);
	up_write(&ctx->changing_lock);
}

static void change_ends(struct userfaultfd_ctx *ctx)
{
	(void)atomic_fetch_sub(&ctx->changing, 1);
	userfaultfd_put(ctx);
}

/* Until it has been read, or nobody will. */
static void tell(struct userfaultfd_ctx *ctx, const struct uffd_msg *msg, struct userfaultfd_ctx *child)
{
	struct uffd_wait w = { .msg = *msg, .child = child };

	userfaultfd_queue(ctx, &ctx->events, &w);
	userfaultfd_notify(ctx);
	(void)userfaultfd_wait(ctx, &w, 0);
	/* No file will be made of it. */
	if (w.child)
		userfaultfd_release(w.child);
}

/* The change is about to come to pass, or has: it is too late to fail. */
static struct kept *keep(struct userfaultfd_ctx *ctx, u8 event)
{
	struct mm_task *task = this_task();
	struct kept *kept = kzalloc(sizeof(*kept), GFP_KERNEL | __GFP_NOFAIL), *last = task->userfault_events;

	kept->ctx = ctx;
	kept->msg.event = event;
	change_begins(ctx);
	/* In order; there are few. */
	while (last && last->next)
		last = last->next;
	if (last)
		last->next = kept;
	else
		task->userfault_events = kept;
	return kept;
}

void userfaultfd_tell_kept(bool happened)
{
	struct mm_task *task = this_task();
	struct kept *kept = task->userfault_events, *next;

	task->userfault_events = NULL;
	for (; kept; kept = next) {
		next = kept->next;
		if (happened)
			tell(kept->ctx, &kept->msg, kept->child);
		else if (kept->child)
			userfaultfd_release(kept->child);
		change_ends(kept->ctx);
		kfree(kept);
	}
}

/* ---- fork ---- */

static struct kept *kept_child(const struct userfaultfd_ctx *ctx, const struct mm_struct *mm)
{
	struct kept *kept = this_task()->userfault_events;

	while (kept && !(kept->ctx == ctx && kept->child && kept->child->mm == mm))
		kept = kept->next;
	return kept;
}

int userfaultfd_dup(struct vm_area_struct *copy, const struct vm_area_struct *vma)
{
	struct userfaultfd_ctx *ctx = vma->uffd;
	struct kept *kept;

	copy->uffd = NULL;
	copy->vm_flags &= ~VM_UFFD_ANY;
	if (userfaultfd_has(ctx, UFFD_FEATURE_EVENT_FORK) && !load_acquire(&ctx->released)) {
		kept = kept_child(ctx, copy->vm_mm) ?: keep(ctx, UFFD_EVENT_FORK);
		if (!kept->child)
			kept->child = userfaultfd_alloc(copy->vm_mm, ctx->flags, load_relaxed(&ctx->features));
		if (!kept->child)
			return -ENOMEM;
		copy->uffd = kept->child;
		copy->vm_flags |= vma->vm_flags & VM_UFFD_ANY;
	}
	vma_set_page_prot(copy);
	return 0;
}

/* ---- mremap ---- */

bool userfaultfd_follows(const struct vm_area_struct *vma)
{
	return !vma->uffd || userfaultfd_has(vma->uffd, UFFD_FEATURE_EVENT_REMAP);
}

void userfaultfd_moved(struct vm_area_struct *vma, vm_flags_t was, uintptr_t from, uintptr_t to, size_t len)
{
	struct kept *kept;

	if (!vma->uffd) {
		if (was & VM_UFFD_WP)
			(void)userfaultfd_wp_range(vma, to, to + len, false);
		return;
	}
	kept = keep(vma->uffd, UFFD_EVENT_REMAP);
	kept->msg.arg.remap.from = from;
	kept->msg.arg.remap.to = to;
	kept->msg.arg.remap.len = len;
}

/* ---- munmap ---- */

void userfaultfd_unmap(const struct vm_area_struct *vma, uintptr_t start, uintptr_t end)
{
	struct userfaultfd_ctx *ctx = vma->uffd;
	struct kept *kept;

	if (!userfaultfd_has(ctx, UFFD_FEATURE_EVENT_UNMAP))
		return;
	for (kept = this_task()->userfault_events; kept; kept = kept->next)
		if (kept->ctx == ctx && kept->msg.event == UFFD_EVENT_UNMAP && kept->msg.arg.remove.start == start &&
		    kept->msg.arg.remove.end == end)
			return;
	kept = keep(ctx, UFFD_EVENT_UNMAP);
	kept->msg.arg.remove.start = start;
	kept->msg.arg.remove.end = end;
}

/* ---- madvise ---- */

bool userfaultfd_remove(struct vm_area_struct *vma, uintptr_t start, uintptr_t end)
{
	struct userfaultfd_ctx *ctx = vma->uffd;
	struct mm_struct *mm = vma->vm_mm;
	struct uffd_msg msg;

	if (!ctx || !userfaultfd_has(ctx, UFFD_FEATURE_EVENT_REMOVE))
		return true;
	memset(&msg, 0, sizeof(msg));
	msg.event = UFFD_EVENT_REMOVE;
	msg.arg.remove.start = start;
	msg.arg.remove.end = end;
	change_begins(ctx);
	mmap_read_unlock(mm);
	tell(ctx, &msg, NULL);
	change_ends(ctx);
	mmap_read_lock(mm);
	return false;
}
