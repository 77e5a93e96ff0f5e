// SPDX-License-Identifier: MIT
/* Faults in registered ranges: which are somebody else's to handle, and the wait. The theory is in userfaultfd.c. */
#include "../base/string.h"
#include "userfaultfd_wait.h"

/* ---- The wait ---- */

static void fill_message(struct uffd_msg *msg, const struct vm_fault *vmf, const struct userfaultfd_ctx *ctx,
			 vm_flags_t reason)
{
	memset(msg, 0, sizeof(*msg));
	msg->event = UFFD_EVENT_PAGEFAULT;
	msg->arg.pagefault.address =
		userfaultfd_has(ctx, UFFD_FEATURE_EXACT_ADDRESS) ? vmf->real_address : vmf->address;
	if (vmf->flags & FAULT_FLAG_WRITE)
		msg->arg.pagefault.flags |= UFFD_PAGEFAULT_FLAG_WRITE;
	if (reason == VM_UFFD_WP)
		msg->arg.pagefault.flags |= UFFD_PAGEFAULT_FLAG_WP;
	if (reason == VM_UFFD_MINOR)
		msg->arg.pagefault.flags |= UFFD_PAGEFAULT_FLAG_MINOR;
	if (userfaultfd_has(ctx, UFFD_FEATURE_THREAD_ID))
		msg->arg.pagefault.feat.ptid = (u32)current_task()->pid;
}

/* UF-I3. The table stays as long as a lock of the VMA's is held. */
static bool must_wait(const struct vm_fault *vmf, vm_flags_t reason)
{
	pgt_entry_t e = pgt_get(vmf->entry);

	if (reason == VM_UFFD_WP)
		return entry_uffd_wp(e);
	return pgt_awaits_page(e);
}

vm_fault_t handle_userfault(struct vm_fault *vmf, vm_flags_t reason)
{
	struct userfaultfd_ctx *ctx = vmf->vma->uffd;
	struct uffd_wait w = { .address = vmf->address };
	unsigned int flags = vmf->flags;
	bool wait;

	/* The other threads of who ends, or is dumped, answer no more. */
	if (current_task()->flags & (PF_EXITING | PF_DUMPCORE) || userfaultfd_has(ctx, UFFD_FEATURE_SIGBUS))
		return VM_FAULT_SIGBUS;
	if (!(flags & FAULT_FLAG_USER) && ctx->flags & UFFD_USER_MODE_ONLY)
		return VM_FAULT_SIGBUS;
	if (!(flags & FAULT_FLAG_ALLOW_RETRY) || flags & FAULT_FLAG_RETRY_NOWAIT)
		return VM_FAULT_SIGBUS;
	/* Whoever closes it is about to unregister the range, and needs the lock for it. */
	if (unlikely(load_acquire(&ctx->released))) {
		vmf_release_lock(vmf);
		port_cpu_relax();
		return VM_FAULT_RETRY;
	}
	userfaultfd_get(ctx);
	fill_message(&w.msg, vmf, ctx, reason);
	userfaultfd_queue(ctx, &ctx->unread, &w);
	wait = must_wait(vmf, reason);
	vmf_release_lock(vmf);
	if (!wait)
		store_release(&w.woken, true);
	else
		userfaultfd_notify(ctx);
	(void)userfaultfd_wait(ctx, &w, flags);
	userfaultfd_put(ctx);
	return VM_FAULT_RETRY;
}

/* ---- Which faults ---- */

/* Nothing is mapped, but a write is to be told: the first one finds the zero page, protected. */
static vm_fault_t protected_zero_page(struct vm_fault *vmf)
{
	pgt_entry_t e = vm_make_entry(vmf->vma, zero_pfn, vmf->vma->vm_page_prot);

	e = pgt_mkuffd_wp(0, pgt_mkspecial(0, pgt_wrprotect(0, e)));
	if (vmf_lock(vmf)) {
		pgt_set(vmf->entry, e);
		vmf_unlock(vmf);
	}
	return 0;
}

static bool fault_anonymous(struct vm_fault *vmf, vm_fault_t *result)
{
	vm_flags_t flags = vmf->vma->vm_flags;

	if (flags & VM_UFFD_MISSING)
		*result = handle_userfault(vmf, VM_UFFD_MISSING);
	else if (flags & VM_UFFD_WP && !pgt_none((pgt_entry_t)vmf->orig))
		*result = protected_zero_page(vmf);
	else
		return false;
	return true;
}

static bool fault_file(struct vm_fault *vmf, vm_fault_t *result)
{
	const struct vm_operations_struct *ops = vmf->vma->vm_ops;
	vm_flags_t flags = vmf->vma->vm_flags;
	int there = -EFAULT;

	/* Whether a page is missing the file sees itself; that one is there it need not tell anybody. */
	if (flags & VM_UFFD_MINOR)
		there = ops->userfault_page(vmf->vma, vmf->pgoff, NULL, NULL);
	if (there == -ENOENT && flags & VM_UFFD_MISSING) {
		*result = handle_userfault(vmf, VM_UFFD_MISSING);
		return true;
	}
	if (!there && flags & VM_UFFD_MINOR) {
		*result = handle_userfault(vmf, VM_UFFD_MINOR);
		return true;
	}
	/* What is protected, or has to be told, around the address is not entered along with it. */
	if (flags & (VM_UFFD_WP | VM_UFFD_MINOR)) {
		*result = do_file_page_alone(vmf);
		return true;
	}
	return false;
}

/* Writes are only noted: the bit goes, and nobody is asked. Return: the entry is another one by now. */
static bool unprotect(struct vm_fault *vmf)
{
	pgt_entry_t e = (pgt_entry_t)vmf->orig;

	if (!vmf_lock(vmf))
		return false;
	while (!pgt_cmpxchg(vmf->entry, &e, pgt_clear_uffd_wp(0, e)))
		;
	vmf->orig = pgt_clear_uffd_wp(0, e);
	vmf_unlock(vmf);
	return true;
}

bool userfaultfd_fault(struct vm_fault *vmf, vm_fault_t *result)
{
	struct vm_area_struct *vma = vmf->vma;
	pgt_entry_t e = (pgt_entry_t)vmf->orig;

	if (pgt_awaits_page(e)) {
		if (vma_is_anonymous(vma))
			return fault_anonymous(vmf, result);
		return fault_file(vmf, result);
	}
	if (!pgt_present(e) || !(vmf->flags & FAULT_FLAG_WRITE) || !(vma->vm_flags & VM_UFFD_WP) || !pgt_valid(e) ||
	    !pgt_uffd_wp(0, e))
		return false;
	if (userfaultfd_has(vma->uffd, UFFD_FEATURE_WP_ASYNC)) {
		*result = 0;
		return !unprotect(vmf);
	}
	*result = handle_userfault(vmf, VM_UFFD_WP);
	return true;
}
