// SPDX-License-Identifier: MIT
/*
 * anon_vmas: who may map an anonymous page.
 *
 * Purpose. An anonymous page is mapped by the VMA in which it came to be, by the pieces and copies of that VMA, and by
 * what fork() made of any of them. A walk from the page has to find all of these, and should find few others.
 *
 * Words. An *anon_vma* stands for the VMAs of one process that came of one VMA. They form a tree, a *family*: below
 * an anon_vma hang those of children. A VMA *hangs* on one anon_vma by a link (vma->anon_chain) and *owns* one, or none
 * yet (vma->anon_vma): what its new pages belong to. A page knows the anon_vma it belongs to by its handle.
 *
 * Structures
 *
 *	A  <- VMAs of the parent: hang here, own A		a page of A may be in all of these,
 *	|  <- a child's VMA that has no page of its own yet	a page of B in B's and C's only
 *	+-- B  <- VMAs of a child: hang here, own B
 *	    +-- C ...
 *
 * The VMAs that hang on one anon_vma are an interval tree by page offset, so a process may split its VMAs as often as
 * it likes. fork() hangs the child's VMA where the parent's hangs: one link, no anon_vma. The first page of its own
 * that the child gets (anon_vma_prepare()) gives it one, below that place, and moves the VMA there. So a walk from
 * a child's own page visits the child and its children, not its siblings.
 *
 * Which VMAs may become one shows in /proc/PID/maps, and is as if each VMA of a child's had got an anon_vma at fork():
 * it goes with none that came of another VMA, be it a piece of the same one in the parent, nor with memory that was
 * never touched (*forked*); its own pieces go together, as it gets its anon_vma before it is cut.
 *
 * Instead of a new one the child takes an anon_vma above that nobody owns and nothing but the way to the child hangs
 * on. A daemon that forks and ends, forks and ends, would otherwise leave a chain as long as its history.
 *
 * Invariants
 *
 * RM-I1: what a VMA owns is what it hangs on, or above that.
 *
 * RM-I2: every VMA with an entry for a page of A hangs on A or below.
 *
 * RM-I3: an anon_vma is in the tree as long as a VMA hangs on it or it has children, and its handle leads to it as
 * long.
 *
 * RM-I4: its counts are those of the VMAs that hang on it, of its children, and of the VMAs that own it.
 *
 * Locking. The root's rwsem guards a family: links, counts, and where its VMAs lie (vm_start, vm_pgoff) as far as
 * walkers are concerned. vma->anon_vma and anon_chain are set once, under page_table_lock too, since faults of one VMA
 * may race to it; they are cleared under the mmap lock. From a handle to its anon_vma it takes RCU and a count that is
 * not 0 yet.
 *
 * Memory use and bounds. A link (64 bytes) for each VMA with anonymous pages, and an anon_vma for each VMA that did not
 * come of another one in the same process. No chain of n generations: depth is bounded by those that live.
 *
 * What failure does. -ENOMEM, and nothing has changed.
 *
 * Differences from Linux. There a VMA has a link to the anon_vma of each ancestor, so fork() makes as many links as
 * there were generations, and an anon_vma, for each VMA; here one link and nothing else.
 *
 * Sources: the behaviour of mremap(2), fork(2) and /proc/PID/maps; the idea of object and shadow chains in Mach (Rashid
 * and others, 1987), of which this keeps the tree and leaves out the chains' lookups.
 */
#include <octavo/slab.h>

#include "../base/handle.h"
#include "../base/printk.h"
#include "../base/string.h"
#include "../sync/rcu.h"
#include "anon_vma.h"

/* ---- Life ---- */

/*
 * What a handle leads to. A folio may have the handle of an anon_vma that is no more, and the number may be a file's by
 * now: pointers to anon_vmas are told from others by their second bit (the first is the table's).
 */
#define ANON_VMA_TAG 2u

struct anon_vma *anon_vma_of_handle(u32 handle)
{
	uintptr_t object = (uintptr_t)handle_object(handle);

	return object & ANON_VMA_TAG ? (struct anon_vma *)(object - ANON_VMA_TAG) : NULL;
}

static struct anon_vma *alloc_anon_vma(void)
{
	struct anon_vma *av = kzalloc(sizeof(*av), GFP_KERNEL);

	if (!av)
		return NULL;
	av->rwsem = (struct rw_semaphore)RWSEM_INIT(LOCK_RANK_ANON_VMA);
	av->root = av;
	av->refs = 1;
	av->handle = handle_alloc((char *)av + ANON_VMA_TAG, GFP_KERNEL);
	if (av->handle)
		return av;
	kfree(av);
	return NULL;
}

/* Never was in a tree. */
static void discard_anon_vma(struct anon_vma *av)
{
	if (!av)
		return;
	handle_free(av->handle);
	kfree_rcu(av, rcu);
}

void anon_vma_put(struct anon_vma *av)
{
	while (av && atomic_sub_fetch(&av->refs, 1) == 0) {
		struct anon_vma *root = av->root != av ? av->root : NULL;

		kfree_rcu(av, rcu);
		av = root;
	}
}

static bool get_unless_zero(struct anon_vma *av)
{
	unsigned int refs = load_relaxed(&av->refs), was;

	for (; refs; refs = was) {
		was = atomic_cmpxchg(&av->refs, refs, refs + 1);
		if (was == refs)
			return true;
	}
	return false;
}

struct anon_vma *anon_vma_get(u32 handle)
{
	struct anon_vma *av;

	rcu_reader_begin();
	av = anon_vma_of_handle(handle);
	if (av && !get_unless_zero(av))
		av = NULL;
	rcu_reader_end();
	return av;
}

/* ---- The tree; the root's rwsem is held for writing ---- */

static void hang_below(struct anon_vma *av, struct anon_vma *parent)
{
	av->root = parent->root;
	(void)atomic_fetch_add(&av->root->refs, 1);
	av->parent = parent;
	av->next = parent->child;
	if (av->next)
		av->next->link = &av->next;
	av->link = &parent->child;
	parent->child = av;
	parent->nr_children++;
}

/* Return: the first of those that left the tree, linked by ->next; to be put when the lock is let go of. */
static struct anon_vma *prune(struct anon_vma *av)
{
	struct anon_vma *dead = NULL;

	while (av && !av->nr_vmas && !av->child && !av->gone) {
		struct anon_vma *parent = av->parent;

		if (parent) {
			*av->link = av->next;
			if (av->next)
				av->next->link = av->link;
			parent->nr_children--;
		}
		av->gone = true;
		handle_free(av->handle);
		av->next = dead;
		dead = av;
		av = parent;
	}
	return dead;
}

static void put_dead(struct anon_vma *dead)
{
	while (dead) {
		struct anon_vma *next = dead->next;

		anon_vma_put(dead);
		dead = next;
	}
}

static void set_range(struct anon_link *link)
{
	link->node.start = link->vma->vm_pgoff;
	link->node.last = link->vma->vm_pgoff + vma_pages(link->vma) - 1;
}

static void hang(struct anon_link *link, struct anon_vma *av)
{
	store_relaxed(&link->anon_vma, av);
	set_range(link);
	interval_insert(&av->vmas, &link->node);
	av->nr_vmas++;
}

static void unhang(struct anon_link *link)
{
	interval_remove(&link->anon_vma->vmas, &link->node);
	link->anon_vma->nr_vmas--;
}

struct anon_vma *anon_vma_next_below(struct anon_vma *av, const struct anon_vma *top)
{
	if (av->child)
		return av->child;
	while (av != top && !av->next)
		av = av->parent;
	return av == top ? NULL : av->next;
}

/* ---- A VMA gets one of its own ---- */

/* Only the way to one VMA is left here: no VMA owns it, none hangs on it, or @link alone. */
static bool may_take(const struct anon_vma *av, const struct anon_link *link)
{
	if (av->owners || av->gone)
		return false;
	if (av == link->anon_vma)
		return av->nr_vmas == 1 && !av->child;
	return !av->nr_vmas && av->nr_children == 1;
}

static void own(struct vm_area_struct *vma, struct anon_vma *av)
{
	av->owners++;
	spin_lock(&vma->vm_mm->page_table_lock);
	store_release(&vma->anon_vma, av);
	spin_unlock(&vma->vm_mm->page_table_lock);
}

/* Of a child's VMA, which hangs where its parent's did. */
static int prepare_child(struct vm_area_struct *vma, struct anon_link *link)
{
	struct anon_vma *fresh = alloc_anon_vma(), *root = load_relaxed(&link->anon_vma)->root, *av;
	int err = 0;

	down_write(&root->rwsem);
	for (av = link->anon_vma; av && !may_take(av, link); av = av->parent)
		;
	if (vma->anon_vma) {
		/* Another thread's fault was quicker. */
	} else if (av) {
		store_relaxed(&av->forked, true);
		own(vma, av);
	} else if (fresh) {
		unhang(link);
		hang_below(fresh, link->anon_vma);
		hang(link, fresh);
		fresh->forked = true;
		own(vma, fresh);
		fresh = NULL;
	} else {
		err = -ENOMEM;
	}
	up_write(&root->rwsem);
	discard_anon_vma(fresh);
	return err;
}

/* Could @a and @b, who follow each other, become one VMA but for rights that mprotect() may change? */
static bool alike(const struct vm_area_struct *a, const struct vm_area_struct *b)
{
	return a->vm_end == b->vm_start && a->vm_file == b->vm_file && a->policy == b->policy && a->uffd == b->uffd &&
	       !((a->vm_flags ^ b->vm_flags) & ~(VM_ACCESS_FLAGS | VM_SOFTDIRTY)) &&
	       b->vm_pgoff == a->vm_pgoff + vma_pages(a);
}

static struct anon_vma *reusable(const struct vm_area_struct *near)
{
	struct anon_vma *av = load_acquire(&near->anon_vma);

	return av && !load_relaxed(&av->forked) && get_unless_zero(av) ? av : NULL;
}

/*
 * What a neighbour owns, with a reference, if the two might become one VMA: they could not with two. A guess, made
 * without the neighbour's lock: whatever it is, it serves.
 */
static struct anon_vma *neighbours(const struct vm_area_struct *vma)
{
	struct range_tree *vmas = &vma->vm_mm->vmas;
	struct anon_vma *av = NULL;
	const struct vm_area_struct *near;

	rcu_read_lock();
	near = range_tree_load(vmas, vma->vm_end);
	if (near && alike(vma, near))
		av = reusable(near);
	near = av || !vma->vm_start ? NULL : range_tree_load(vmas, vma->vm_start - 1);
	if (near && alike(near, vma))
		av = reusable(near);
	rcu_read_unlock();
	return av;
}

/* Its first. @av: a reference to a neighbour's, or NULL. Return: -EAGAIN: that has gone meanwhile. */
static int prepare_first(struct vm_area_struct *vma, struct anon_vma *av)
{
	struct anon_link *link = kzalloc(sizeof(*link), GFP_KERNEL);
	struct anon_vma *fresh = link && !av ? alloc_anon_vma() : NULL, *at = av ? av : fresh;
	int err = 0;

	if (!link || !at) {
		kfree(link);
		return -ENOMEM;
	}
	link->vma = vma;
	/* Another thread that finds the link asks it for the lock. */
	store_relaxed(&link->anon_vma, at);
	down_write(&at->root->rwsem);
	if (at->gone) {
		err = -EAGAIN;
	} else {
		spin_lock(&vma->vm_mm->page_table_lock);
		if (!anon_link_of(vma)) {
			store_release(&vma->anon_chain, (void *)link);
			store_release(&vma->anon_vma, at);
			link = NULL;
			fresh = NULL;
		}
		spin_unlock(&vma->vm_mm->page_table_lock);
		if (!link) {
			at->owners++;
			hang(vma->anon_chain, at);
		}
	}
	up_write(&at->root->rwsem);
	discard_anon_vma(fresh);
	kfree(link);
	return err;
}

/* A child's VMA, to which nothing was written yet. */
static bool has_none_of_its_own(const struct vm_area_struct *vma)
{
	return anon_link_of(vma) && !load_acquire(&vma->anon_vma);
}

noinline int anon_vma_make(struct vm_area_struct *vma)
{
	struct anon_link *link = anon_link_of(vma);
	int err;

	if (link)
		return prepare_child(vma, link);
	do {
		struct anon_vma *av = neighbours(vma);

		err = prepare_first(vma, av);
		anon_vma_put(av);
	} while (err == -EAGAIN);
	return err;
}

/* ---- VMAs that come of others ---- */

/* @vma hangs where @from does; @owner: and owns what @from owns. */
static int copy_link(struct vm_area_struct *vma, const struct vm_area_struct *from, bool owner)
{
	struct anon_link *theirs = anon_link_of(from), *link;
	struct anon_vma *root;

	vma->anon_vma = NULL;
	vma->anon_chain = NULL;
	if (!theirs)
		return 0;
	link = kzalloc(sizeof(*link), GFP_KERNEL);
	if (!link)
		return -ENOMEM;
	link->vma = vma;
	store_release(&vma->anon_chain, (void *)link);
	root = theirs->anon_vma->root;
	down_write(&root->rwsem);
	hang(link, theirs->anon_vma);
	if (owner && from->anon_vma) {
		vma->anon_vma = from->anon_vma;
		from->anon_vma->owners++;
	}
	up_write(&root->rwsem);
	return 0;
}

int anon_vma_clone(struct vm_area_struct *vma, const struct vm_area_struct *from)
{
	struct anon_link *mine = anon_link_of(vma), *theirs = anon_link_of(from);

	if (!mine)
		return copy_link(vma, from, true);
	if (theirs && mine->anon_vma == theirs->anon_vma && !vma->anon_vma && from->anon_vma) {
		down_write(&mine->anon_vma->root->rwsem);
		own(vma, from->anon_vma);
		up_write(&mine->anon_vma->root->rwsem);
	}
	return 0;
}

int anon_vma_before_split(struct vm_area_struct *vma)
{
	return has_none_of_its_own(vma) ? anon_vma_prepare(vma) : 0;
}

int anon_vma_fork(struct vm_area_struct *vma, const struct vm_area_struct *parent)
{
	return copy_link(vma, parent, false);
}

void unlink_anon_vmas(struct vm_area_struct *vma)
{
	struct anon_link *link = anon_link_of(vma);
	struct anon_vma *dead, *root;

	if (link) {
		root = link->anon_vma->root;
		down_write(&root->rwsem);
		if (vma->anon_vma)
			vma->anon_vma->owners--;
		unhang(link);
		dead = prune(link->anon_vma);
		/* The last that goes may be the root, whose lock this is: it lives until put_dead(). */
		up_write(&root->rwsem);
		put_dead(dead);
		kfree(link);
	}
	vma->anon_vma = NULL;
	vma->anon_chain = NULL;
}

/*
 * A change may concern several VMAs of a family, all of one address space, whose mmap lock is held for writing: the
 * first takes the rwsem, the last lets go. Nobody but that thread can find its own address space in @locker.
 */
void anon_vma_update_begin(struct vm_area_struct *vma)
{
	struct anon_link *link = anon_link_of(vma);
	struct anon_vma *root;

	if (!link)
		return;
	root = link->anon_vma->root;
	if (load_relaxed(&root->locker) != vma->vm_mm) {
		down_write(&root->rwsem);
		store_relaxed(&root->locker, vma->vm_mm);
	}
	root->depth++;
	interval_remove(&link->anon_vma->vmas, &link->node);
}

void anon_vma_update_end(struct vm_area_struct *vma)
{
	struct anon_link *link = anon_link_of(vma);
	struct anon_vma *root;

	if (!link)
		return;
	root = link->anon_vma->root;
	set_range(link);
	interval_insert(&link->anon_vma->vmas, &link->node);
	if (--root->depth)
		return;
	store_relaxed(&root->locker, NULL);
	up_write(&root->rwsem);
}

/* It owns what it hangs on, and its pages are no other process's. */
static bool on_its_own(const struct vm_area_struct *vma, const struct anon_link *link)
{
	const struct anon_vma *at = load_relaxed(&link->anon_vma);

	return at == load_relaxed(&vma->anon_vma) && !load_relaxed(&at->forked);
}

bool anon_vma_mergeable(const struct vm_area_struct *a, const struct vm_area_struct *b)
{
	struct anon_link *la = a ? anon_link_of(a) : NULL, *lb = b ? anon_link_of(b) : NULL;

	if (la && lb)
		return a->anon_vma && a->anon_vma == b->anon_vma && la->anon_vma == lb->anon_vma;
	if (la)
		return on_its_own(a, la);
	return !lb || on_its_own(b, lb);
}
