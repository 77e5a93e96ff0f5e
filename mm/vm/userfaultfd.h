/* SPDX-License-Identifier: MIT */
/* userfaultfd inside: the hooks that the rest of mm/vm calls, and what userfaultfd*.c share. Theory: userfaultfd.c. */
#ifndef MM_VM_USERFAULTFD_H
#define MM_VM_USERFAULTFD_H

#include <octavo/userfaultfd.h>

#include "../base/list.h"
#include "../phys/gfp.h"
#include "../pgtable/swapops.h"
#include "fault.h"
#include "vma.h"

/* Where no bit of an entry is free for it nothing can be write-protected (i386). */
#define UFFD_HAS_WP (pgt_mkuffd_wp(0, 0) != 0)

/*
 * (l) lock, (a) atomic, (c) constant once made. A context lives as long as its file, or the event that would make one,
 * and as long as threads wait for it.
 */
struct userfaultfd_ctx {
	spinlock_t lock;
	unsigned int refs;	 /* (a) */
	unsigned int flags;	 /* (c) UFFD_USER_MODE_ONLY */
	unsigned int features;	 /* (a) UFFD_FEATURE_*, and UFFD_READY */
	bool released;		 /* (a) the file is closed: nobody waits for it */
	unsigned int changing;	 /* (a) forks, moves, unmappings under way that the reader has not heard of */
	struct rw_semaphore changing_lock; /* who fills holds it for reading; writing: while @changing goes up */
	struct mm_struct *mm;	 /* (c) counted as by mmgrab() */
	struct list_head unread; /* (l) faults that were not read */
	struct list_head read;	 /* (l) faults that were */
	struct list_head events; /* (l) events not read */
	void (*notify)(void *arg); /* (c) */
	void *notify_arg;	 /* (c) */
};
#define UFFD_READY (1u << 31)

static inline bool userfaultfd_has(const struct userfaultfd_ctx *ctx, unsigned int features)
{
	return load_relaxed(&ctx->features) & features;
}

/* Is what has no page protected by a marker? Of files always: the page may be there, or come from elsewhere. */
static inline bool userfaultfd_marks(const struct vm_area_struct *vma)
{
	return vma->vm_flags & VM_UFFD_WP &&
	       (!vma_is_anonymous(vma) || userfaultfd_has(vma->uffd, UFFD_FEATURE_WP_UNPOPULATED));
}

struct userfaultfd_ctx *userfaultfd_alloc(struct mm_struct *mm, unsigned int flags, unsigned int features);
void userfaultfd_get(struct userfaultfd_ctx *ctx);
void userfaultfd_put(struct userfaultfd_ctx *ctx);
/* Faults in [start, start + len) go on. */
void userfaultfd_wake(struct userfaultfd_ctx *ctx, uintptr_t start, size_t len);
/* Is the VMA's memory such that faults can be handled: anonymous, or of a file that can be filled? */
bool userfaultfd_can(const struct vm_area_struct *vma, vm_flags_t flags, bool async);
/* What an ioctl may be told of. Return: 0 or -EINVAL. */
int userfaultfd_range_ok(const struct mm_struct *mm, u64 start, u64 len);

/* ---- ioctls: userfaultfd_register.c, _fill.c, _move.c ---- */
long userfaultfd_register(struct userfaultfd_ctx *ctx, uintptr_t start, size_t len, vm_flags_t flags);
long userfaultfd_unregister(struct userfaultfd_ctx *ctx, uintptr_t start, size_t len);
/* Of all of @mm, those of @ctx. Context: mmap lock for writing. */
void userfaultfd_forget(struct userfaultfd_ctx *ctx);

enum uffd_fill { UFFD_COPY, UFFD_ZERO, UFFD_CONTINUE, UFFD_POISON };
/* Return: bytes, or if none a negative errno. */
s64 userfaultfd_fill(struct userfaultfd_ctx *ctx, enum uffd_fill how, uintptr_t dst, uintptr_t src, size_t len,
		     bool protect);
s64 userfaultfd_move(struct userfaultfd_ctx *ctx, uintptr_t dst, uintptr_t src, size_t len, bool holes);
long userfaultfd_writeprotect(struct userfaultfd_ctx *ctx, uintptr_t start, size_t len, bool protect);
/* Entries of [start, end) are protected, or no more. Context: a lock of the VMA's; mmap lock. Return: 0 or -ENOMEM. */
long userfaultfd_wp_range(struct vm_area_struct *vma, uintptr_t start, uintptr_t end, bool protect);

/* ---- Faults: userfaultfd_fault.c ---- */

/*
 * userfaultfd_fault - a fault in a VMA with VM_UFFD_ANY
 * vmf_find_entry() has been called. Return: true: it is over, *@result says how; false: it goes on as any other.
 */
bool userfaultfd_fault(struct vm_fault *vmf, vm_fault_t *result);
/* The caller waits until somebody has handled the fault; @reason: VM_UFFD_*. Return: VM_FAULT_*, mostly _RETRY. */
vm_fault_t handle_userfault(struct vm_fault *vmf, vm_flags_t reason);
/* Is the fault's thread to go back to user mode, for a signal's sake? */
static inline bool userfault_interrupted(unsigned int fault_flags)
{
	return fault_flags & FAULT_FLAG_USER && current_signal_pending();
}

/* ---- Markers ---- */

static inline bool pgt_is_marker(pgt_entry_t e)
{
	return !pgt_none(e) && is_pte_marker(__pte(e));
}

static inline bool marker_has(pgt_entry_t e, unsigned long marker)
{
	return pgt_is_marker(e) && pte_marker_get(pte_to_swp_entry(__pte(e))) & marker;
}

/* Nothing is mapped there, whatever is noted. */
static inline bool pgt_none_mostly(pgt_entry_t e)
{
	return pgt_none(e) || pgt_is_marker(e);
}

/* The same, and a page may come: it is not poisoned. */
static inline bool pgt_awaits_page(pgt_entry_t e)
{
	return pgt_none_mostly(e) && !marker_has(e, PTE_MARKER_POISONED);
}

/* @e, of whatever kind, is protected. */
static inline bool entry_uffd_wp(pgt_entry_t e)
{
	if (pgt_none(e))
		return false;
	if (pgt_present(e))
		return pgt_uffd_wp(0, e);
	return pgt_swap_uffd_wp(e) || marker_has(e, PTE_MARKER_UFFD_WP);
}

/* A present entry becomes protected; what the machine notes meanwhile is kept. Context: its table is locked. */
static inline void entry_protect(pgt_entry_t *entry)
{
	pgt_entry_t e = pgt_get(entry);

	while (!pgt_cmpxchg(entry, &e, pgt_mkuffd_wp(0, e)))
		;
}

/* ... and no more. */
static inline pgt_entry_t entry_clear_uffd_wp(pgt_entry_t e)
{
	if (pgt_present(e))
		return pgt_clear_uffd_wp(0, e);
	return marker_has(e, PTE_MARKER_UFFD_WP) ? 0 : pgt_swap_clear_uffd_wp(e);
}

/* ---- Events: userfaultfd_event.c. A thread keeps those it caused until it has let go of its locks ---- */

/* fork: @copy of @vma, flags of its own already but VM_UFFD_ANY. Return: 0 or -ENOMEM. */
int userfaultfd_dup(struct vm_area_struct *copy, const struct vm_area_struct *vma);
/* mremap: does a copy of @vma at a new place keep the context? */
bool userfaultfd_follows(const struct vm_area_struct *vma);
/* [to, to + len) of @vma is what was at @from, in a VMA with flags @was and a context. */
void userfaultfd_moved(struct vm_area_struct *vma, vm_flags_t was, uintptr_t from, uintptr_t to, size_t len);
/* munmap: [start, end) goes, of which @vma is part. */
void userfaultfd_unmap(const struct vm_area_struct *vma, uintptr_t start, uintptr_t end);
/*
 * userfaultfd_remove - [start, end) of @vma is about to be emptied. Context: mmap lock for reading.
 * Return: false: the lock has been dropped and taken again, the reader knows; @vma may be another one.
 */
bool userfaultfd_remove(struct vm_area_struct *vma, uintptr_t start, uintptr_t end);
/* Tell what was kept, or (@happened false) forget it: it did not come to pass. Context: no lock. */
void userfaultfd_tell_kept(bool happened);
static inline void userfaultfd_tell(bool happened)
{
	if (unlikely(this_task()->userfault_events))
		userfaultfd_tell_kept(happened);
}

#endif
