// SPDX-License-Identifier: MIT
/*
 * Areas of the vmalloc family: what they are, and how they are taken and given back.
 *
 * Purpose. To hand out stretches of kernel addresses with an unmapped page behind each, cheaply: most areas come and go
 * in few sizes, and a flush of all TLBs costs more than all the rest.
 *
 * Words. An *area* is a range of virtual addresses and its description. It is *lazy* when it is unmapped and some TLB
 * may still know it, *clean* when it is unmapped and all have been flushed since. A *purge* flushes all TLBs once and
 * makes lazy areas clean. A *block* is an area that vm_map_ram() cuts small pieces from.
 *
 * Structures.
 *
 *	vmap_state.tree   [ busy ][ lazy ][ busy ]     [ clean ][ block ]     virtual addresses -> struct vmap_area
 *	                             |                     |        |
 *	per CPU     lazy ------------+     clean[pages] ---+        +---- blocks
 *
 *	busy --vfree()--> leaving --> lazy --purge--> clean --vmalloc() of that size--> busy
 *	                                        \--purge, the second time--> out of the tree
 *
 * An area keeps its place in the tree, its description and the page tables it needed for as long as it is lazy or
 * clean, so that the next of its size costs no more than its pages and their entries. What nobody wanted from one purge
 * to the next goes, and with it the page tables that are empty then. When addresses run out, everything goes at once.
 *
 * The pages of a vmalloc() area are written down in the page tables only: vfree() reads them there.
 *
 * Invariants.
 *	VM-I1	an area is in the list that its state says, or in none; its range in the tree is its own
 *	VM-I2	nothing is mapped in lazy and clean areas, nor in the guard page of any
 *	VM-I3	a busy vmalloc() area has nr_pages pages mapped from its start on, each of them in use
 *	VM-I4	an address comes into use again only when all TLBs were flushed since it was unmapped
 *	VM-I5	the counters of lazy pages and of allocated ones are sums of what the lists and areas say
 *	VM-I6	in a block each page is in use and mapped, or neither; stale ones are not in use
 *	VM-I7	page tables that no area needs go with the last one, but for those that reach beyond the ends
 *
 * Locking. The tree is written under vmap_state.lock and read under RCU: find_vm_area() and reports of faults take no
 * lock. Each CPU's lists have a lock that others may take, too. A state changes by compare and exchange where two may
 * want to (vfree() of one area twice), so that one of them is told. vmap_state.purge is held over a purge. Nothing is
 * allocated under a spinlock; nodes for the tree are fetched before.
 *
 * Memory use and bounds. 160 bytes an area, and its share of a tree node; a page table a 2 MiB stretch. Lazy pages are
 * bounded by lazy_max, fls(CPUs) * 32 MiB as in Linux, plus what is freed while nobody allocates with a right to sleep;
 * clean ones by lazy_max, too.
 *
 * What failure does. Memory is got in the order description, nodes, pages, tables; what was got goes back. Nothing is
 * needed to free. A port that cannot call other CPUs never has its lazy areas back while several are online.
 *
 * Differences from Linux. It keeps free space in a second tree, areas in a hash of trees, and an array of pages for
 * each area; vfree() in an interrupt is left to a worker there and done at once here. A worker purges there; here who
 * allocates does, as there are no threads that the core could count on. vm_struct.pages of vmalloc() is NULL, and
 * /proc/vmallocinfo never says vpages of such areas.
 *
 * Sources. Linux 6.12 Documentation/mm/vmalloced-kernel-stacks.rst, Documentation/filesystems/proc.rst, and what its
 * files show; Bonwick, Adams, "Magazines and Vmem", 2001, for caches of address ranges by size.
 */
#include "vmap.h"

#include <octavo/percpu.h>
#include <octavo/slab.h>

#include "../base/part.h"
#include "../base/printk.h"
#include "../base/range_tree_node.h"
#include "../pgtable/tlb.h"
#include "../pgtable/walk.h"
#include "../sync/percpu_unit.h"

struct vmap vmap_state __memsys = { .lock = { .rank = LOCK_RANK_VMAP }, .purge = MUTEX_INIT };

static DEFINE_PER_CPU_ALIGNED(struct vmap_cpu, vmap_cpus) = { .lock = { .rank = LOCK_RANK_VMAP_CPU } };

/* What of the caller's flags applies to descriptions, nodes and tables. */
#define GFP_META_MASK                                                                                           \
	(GFP_KERNEL | __GFP_HIGH | __GFP_NOWARN | __GFP_NOFAIL | __GFP_RETRY_MAYFAIL | __GFP_NORETRY | \
	 __GFP_MEMALLOC | __GFP_NOMEMALLOC)

struct vmap_cpu *vmap_cpu_of(unsigned int cpu)
{
	return cpu_locals[cpu] && percpu_is_ready(cpu) ? per_cpu_ptr(&vmap_cpus, cpu) : NULL;
}

struct vmap_cpu *vmap_this_cpu(void)
{
	return this_cpu_ptr(&vmap_cpus);
}

/* ---- Nodes of the tree ---- */

static void *node_alloc(gfp_t gfp)
{
	void **node = vmap_state.nodes;

	(void)gfp;
	if (node) {
		vmap_state.nodes = *node;
		vmap_state.nodes_nr--;
	}
	return node;
}

static void node_release(void *node)
{
	kfree(node);
}

static void node_release_head(struct rcu_head *head)
{
	kfree(container_of(head, struct range_node, rcu));
}

static void node_release_rcu(void *node)
{
	call_rcu(&((struct range_node *)node)->rcu, node_release_head);
}

static const struct range_tree_ops node_ops = { node_alloc, node_release, node_release_rcu };

/* A further node at hand, if @node is one. Return: whether there are as many as the next change can take. */
static bool nodes_add(void **node)
{
	unsigned long flags;
	bool enough;

	spin_lock_irqsave(&vmap_state.lock, flags);
	if (node) {
		*node = vmap_state.nodes;
		vmap_state.nodes = node;
		vmap_state.nodes_nr++;
	}
	enough = vmap_state.nodes_nr >= RANGE_NODES_MAX(vmap_state.tree.height);
	spin_unlock_irqrestore(&vmap_state.lock, flags);
	return enough;
}

static bool nodes_fill(gfp_t gfp)
{
	void **node = NULL;

	while (!nodes_add(node)) {
		node = kmalloc(RANGE_NODE_SIZE, gfp);
		if (!node)
			return false;
	}
	return true;
}

/* ---- Taking ---- */

static unsigned int class_of(const struct vmap_request *r)
{
	if (r->flags & VM_NO_GUARD || r->align > PAGE_SIZE || r->low != kernel_areas[AREA_VMALLOC].start ||
	    r->last != kernel_areas[AREA_VMALLOC].end - 1)
		return VMAP_CLASSES;
	return vmap_class((r->bytes >> PAGE_SHIFT) - 1);
}

/*
 * Areas that a CPU got lately are found again without the tree. One that has left the tree since is not to be looked
 * at: the round is over then. Who compares the round inside an RCU reader may use what is of it.
 */
static unsigned int recent_slot(uintptr_t virt)
{
	return (unsigned int)(virt >> PAGE_SHIFT) % VMAP_RECENT;
}

/* Interrupts are off. */
static void note_recent(struct vmap_cpu *c, struct vmap_area *area)
{
	unsigned long round = load_acquire(&vmap_state.removals);

	if (unlikely(c->recent_round != round)) {
		for (unsigned int i = 0; i < VMAP_RECENT; i++)
			store_relaxed(&c->recent[i], NULL);
		store_release(&c->recent_round, round);
	}
	store_relaxed(&c->recent[recent_slot(area->start)], area);
}

/* Inside an RCU reader. */
static struct vmap_area *find_recent(uintptr_t virt)
{
	struct vmap_cpu *c = vmap_this_cpu();
	unsigned long round = load_acquire(&c->recent_round);
	struct vmap_area *area = load_acquire(&c->recent[recent_slot(virt)]);

	if (!area || load_acquire(&vmap_state.removals) != round)
		return NULL;
	return area->start == virt ? area : NULL;
}

struct vmap_area *vmap_area_take(unsigned int class, unsigned long vm_flags, gfp_t gfp, const void *caller)
{
	unsigned long flags;
	struct vmap_area *area;
	struct vmap_cpu *c;

	vmap_purge_if_due(gfp);
	flags = port_irq_save();
	c = vmap_this_cpu();
	spin_lock(&c->lock);
	area = c->clean[class];
	if (likely(area)) {
		c->clean[class] = area->next;
		note_recent(c, area);
	}
	spin_unlock(&c->lock);
	port_irq_restore(flags);
	if (unlikely(!area))
		return NULL;
	area->vm.flags = vm_flags;
	area->vm.caller = caller;
	area->vm.pages = NULL;
	area->vm.phys_addr = 0;
	area->vm.nr_pages = area->vm.page_order = 0;
	store_release(&area->state, VMAP_BUSY);
	return area;
}

/* Return: 0; -EBUSY: no room; -ENOMEM: the nodes were used up by somebody else. */
static int try_place(const struct vmap_request *r, struct vmap_area *area)
{
	unsigned long flags;
	uintptr_t start;
	int err;

	spin_lock_irqsave(&vmap_state.lock, flags);
	err = range_tree_gap(&vmap_state.tree, r->low, r->last, r->bytes, r->align, &start);
	if (!err) {
		area->start = start;
		err = range_tree_insert(&vmap_state.tree, start, start + r->bytes - 1, area, 0);
	}
	spin_unlock_irqrestore(&vmap_state.lock, flags);
	return err;
}

static bool place(const struct vmap_request *r, struct vmap_area *area)
{
	gfp_t gfp = r->gfp & GFP_META_MASK;
	bool purged = false;
	int err;

	do {
		if (!nodes_fill(gfp))
			return false;
		err = try_place(r, area);
		if (err == -EBUSY && !purged && gfp & __GFP_DIRECT_RECLAIM) {
			vmap_purge(true);
			purged = true;
			err = -ENOMEM;
		}
	} while (err == -ENOMEM);
	if (err && !(gfp & __GFP_NOWARN))
		pr_warn("vmap allocation for size %zu failed: use vmalloc=<size> to increase size\n", r->bytes);
	return !err;
}

static void free_head(struct rcu_head *head)
{
	kmem_cache_free(vmap_state.cache, container_of(head, struct vmap_area, rcu));
}

static struct vmap_area *take_new(const struct vmap_request *r, unsigned int class)
{
	struct vmap_area *area = kmem_cache_alloc_node(vmap_state.cache, r->gfp & GFP_META_MASK, r->node);

	if (!area)
		return NULL;
	area->bytes = r->bytes;
	area->class = (u16)class;
	area->ram = false;
	area->block = NULL;
	area->entry = NULL;
	store_relaxed(&area->state, VMAP_LEAVING);
	if (place(r, area))
		return area;
	kmem_cache_free(vmap_state.cache, area);
	return NULL;
}

struct vmap_area *vmap_area_get(const struct vmap_request *r)
{
	unsigned int class = class_of(r);
	struct vmap_area *area = NULL;
	unsigned long flags;

	if (class < VMAP_CLASSES)
		area = vmap_area_take(class, r->flags, r->gfp, r->caller);
	else
		vmap_purge_if_due(r->gfp);
	if (area)
		return area;
	area = take_new(r, class);
	if (!area)
		return NULL;
	area->vm = (struct vm_struct){ .addr = vmap_pointer(area->start), .size = r->bytes, .flags = r->flags,
				       .caller = r->caller };
	flags = port_irq_save();
	note_recent(vmap_this_cpu(), area);
	port_irq_restore(flags);
	store_release(&area->state, VMAP_BUSY);
	return area;
}

struct vmap_area *vmap_area_get_simple(size_t bytes, unsigned long flags, gfp_t gfp, int node, const void *caller)
{
	const struct kernel_area *whole = &kernel_areas[AREA_VMALLOC];
	struct vmap_request r = { .bytes = bytes, .align = PAGE_SIZE, .low = whole->start, .last = whole->end - 1,
				  .flags = flags, .gfp = gfp, .node = node, .caller = caller };

	return vmap_area_get(&r);
}

/* ---- Finding ---- */

struct vmap_area *vmap_area_at(uintptr_t virt)
{
	return range_tree_load(&vmap_state.tree, virt);
}

struct vmap_area *vmap_area_next(uintptr_t virt)
{
	struct range_entry e;

	return range_tree_next(&vmap_state.tree, virt, &e) ? e.value : NULL;
}

struct vmap_area *vmap_area_claim(const void *addr)
{
	uintptr_t virt = vmap_virt(addr);
	struct vmap_area *area;

	rcu_read_lock();
	area = find_recent(virt);
	if (!area)
		area = vmap_area_at(virt);
	if (area && (area->start != virt || area->block || area->ram ||
		     atomic_cmpxchg(&area->state, VMAP_BUSY, VMAP_LEAVING) != VMAP_BUSY))
		area = NULL;
	rcu_read_unlock();
	return area;
}

struct vm_struct *find_vm_area(const void *addr)
{
	uintptr_t virt = vmap_virt(addr);
	struct vmap_area *area;

	rcu_read_lock();
	area = vmap_area_at(virt);
	if (area && (area->start != virt || area->block || area->ram || load_acquire(&area->state) != VMAP_BUSY))
		area = NULL;
	rcu_read_unlock();
	return area ? &area->vm : NULL;
}

/* ---- Giving back ---- */

/* Counted one by one they would be the same word that all CPUs write to. */
#define LAZY_BATCH 64u

unsigned long vmap_lazy_locked(struct vmap_cpu *c, unsigned long pages)
{
	unsigned long due;

	c->lazy_pages += pages;
	due = c->lazy_pages - c->lazy_counted;
	if (due < LAZY_BATCH)
		return 0;
	c->lazy_counted = c->lazy_pages;
	return due;
}

void vmap_count_lazy(unsigned long pages)
{
	if (pages)
		atomic_add_relaxed(&vmap_state.lazy_pages, pages);
}

static void put_lazy(struct vmap_area *area)
{
	unsigned long flags = port_irq_save(), due;
	struct vmap_cpu *c = vmap_this_cpu();

	store_relaxed(&area->state, VMAP_LAZY);
	spin_lock(&c->lock);
	area->next = c->lazy;
	c->lazy = area;
	due = vmap_lazy_locked(c, area->bytes >> PAGE_SHIFT);
	spin_unlock(&c->lock);
	port_irq_restore(flags);
	vmap_count_lazy(due);
}

void vmap_area_remove(struct vmap_area *area, void (*gap)(const struct vmap_area *area, u64 start, u64 end, void *ctx),
		      void *ctx)
{
	const struct kernel_area *whole = &kernel_areas[AREA_VMALLOC];
	u64 start = whole->start, end = whole->end;
	struct range_entry e;
	unsigned long flags;

	spin_lock_irqsave(&vmap_state.lock, flags);
	store_relaxed(&area->state, VMAP_GONE);
	range_tree_erase(&vmap_state.tree, area->start);
	if (gap) {
		if (range_tree_prev(&vmap_state.tree, area->start, &e))
			start = max(start, (u64)e.last + 1);
		if (range_tree_next(&vmap_state.tree, area->start, &e))
			end = min(end, (u64)e.start);
		gap(area, start, end, ctx);
	}
	spin_unlock_irqrestore(&vmap_state.lock, flags);
	atomic_fetch_add(&vmap_state.removals, 1);
	call_rcu(&area->rcu, free_head);
}

void vmap_area_put(struct vmap_area *area, bool stale)
{
	if (stale)
		put_lazy(area);
	else
		vmap_area_remove(area, NULL, NULL);
}

/* ---- Start-up ---- */

static int vmap_init(void)
{
	struct vmap *v = &vmap_state;

	v->on = pgtables_on && kernel_areas[AREA_VMALLOC].start != kernel_areas[AREA_VMALLOC].end;
	v->tree = (struct range_tree)RANGE_TREE_INIT(&node_ops);
	v->leaf_zero = pgt_fit(pgt_make_leaf(0, 0, PAGE_KERNEL));
	v->leaf_step = pgt_make_leaf(0, PAGE_SIZE, PAGE_KERNEL) - pgt_make_leaf(0, 0, PAGE_KERNEL);
	v->lazy_max = fls64(nr_cpu_ids) * ((32ul << 20) / PAGE_SIZE);
	if (!v->on)
		return 0;
	v->cache = kmem_cache_create("vmap_area", sizeof(struct vmap_area), 0, SLAB_HWCACHE_ALIGN, NULL);
	if (!v->cache)
		return -ENOMEM;
	return vmalloc_init();
}

static void verify(struct findings *f)
{
	(void)vmap_verify(f);
}

MM_PART(vmalloc, .order = MM_PART_VMALLOC, .init = vmap_init, .verify = verify);
