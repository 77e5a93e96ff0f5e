/* SPDX-License-Identifier: MIT */
/* anon_vmas inside: what rmap.c walks. The theory is in anon_vma.c. */
#ifndef MM_VM_ANON_VMA_H
#define MM_VM_ANON_VMA_H

#include "interval.h"
#include "rmap.h"

/* (r) the root's rwsem, for writing; readers hold it; (a) atomic, (c) constant */
struct anon_vma {
	struct rw_semaphore rwsem;	/* used if it is a root */
	struct anon_vma *root;		/* (c) with a reference, unless it is itself */
	struct anon_vma *parent;	/* (r) */
	struct anon_vma *child;		/* (r) the first */
	struct anon_vma *next, **link;	/* (r) sibling, and who points here */
	struct interval_node *vmas;	/* (r) anon_links */
	unsigned int nr_vmas;		/* (r) of them */
	unsigned int nr_children;	/* (r) */
	unsigned int owners;		/* (r) VMAs whose own it is: new pages of theirs are its */
	bool gone;			/* (r) nobody is below it any more */
	bool forked;			/* (r) its owners came of fork(): hints read it without */
	struct mm_struct *locker;	/* of a root: whose VMAs are between update_begin() and update_end() */
	unsigned int depth;		/* how many of them */
	u32 handle;			/* (c) */
	unsigned int refs;		/* (a) being in the tree, those that have it as root, walkers */
	struct rcu_head rcu;
};

struct anon_link {
	struct interval_node node;	/* (r) the VMA's page offsets */
	struct anon_vma *anon_vma;	/* (c) where it hangs */
	struct vm_area_struct *vma;	/* (c) */
};

static inline struct anon_link *anon_link_of_node(struct interval_node *node)
{
	return container_of(node, struct anon_link, node);
}

/* Where @vma hangs; NULL: it has no anonymous pages. A copy of a VMA that was not cloned yet has none of its own. */
static inline struct anon_link *anon_link_of(const struct vm_area_struct *vma)
{
	struct anon_link *link = load_acquire(&vma->anon_chain);

	return link && link->vma == vma ? link : NULL;
}

/* May pages of @vma be anonymous? vma->anon_vma says less: a child's is NULL until it has pages of its own. */
static inline bool vma_has_anon(const struct vm_area_struct *vma)
{
	return anon_link_of(vma);
}

/* NULL: it is none's. Context: RCU, or nobody is at work. */
struct anon_vma *anon_vma_of_handle(u32 handle);
/*
 * anon_vma_get - what the pages of @handle are of, with a reference
 * Return: NULL: nobody maps them. Context: any that may read under RCU.
 */
struct anon_vma *anon_vma_get(u32 handle);
void anon_vma_put(struct anon_vma *av);

/* The next in the subtree of @top, in an order that begins with @top itself. Context: the root's rwsem. */
struct anon_vma *anon_vma_next_below(struct anon_vma *av, const struct anon_vma *top);

#endif
