// SPDX-License-Identifier: MIT
/*
 * vm_map_ram(): a few pages for a short time, without an area of its own. The theory stands in vmap_area.c.
 *
 * A CPU has blocks of VMAP_BLOCK_PAGES pages of address space, with three bits a page:
 *
 *	used		mapped
 *	stale		unmapped since the last purge began; some TLB may know it
 *	flushing	was stale when the present purge began
 *
 * What has none of them may be used. A purge flushes what is stale in all blocks with the rest. Pieces are of up to 64
 * pages, and begin at a multiple of the next power of two, so that each lies in one word of the bits.
 */
#include <octavo/slab.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "../phys/page_report.h"
#include "../pgtable/walk.h"
#include "vmap.h"

#define WORD_PAGES 64u
#define BLOCK_WORDS (__SIZEOF_POINTER__ == 8 ? 16u : 4u)
#define BLOCK_PAGES (BLOCK_WORDS * WORD_PAGES)
#define BLOCK_BYTES ((size_t)BLOCK_PAGES << PAGE_SHIFT)

/* All under the lock of cpu, but what is constant. */
struct vmap_block {
	struct vmap_area *area;	 /* (c) */
	struct vmap_cpu *cpu;	 /* (c) */
	struct vmap_block *next;
	u64 used[BLOCK_WORDS], stale[BLOCK_WORDS], flushing[BLOCK_WORDS];
};

/* Bits at the multiples of 1, 2, 4 .. 64. */
static const u64 multiples[] = { ~0ull, 0x5555555555555555ull, 0x1111111111111111ull, 0x0101010101010101ull,
				 0x0001000100010001ull, 0x0000000100000001ull, 1 };

static u64 piece(unsigned int nr, unsigned int at)
{
	return (~0ull >> (WORD_PAGES - nr)) << at;
}

/* ---- Pieces ---- */

/* Takes @nr pages of a block. Return: the first one's number, or BLOCK_PAGES. */
static unsigned int take_piece_locked(struct vmap_block *b, unsigned int nr)
{
	unsigned int order = nr > 1 ? highest_bit(nr - 1) + 1 : 0;

	for (unsigned int w = 0; w < BLOCK_WORDS; w++) {
		u64 free = ~(b->used[w] | b->stale[w] | b->flushing[w]);

		for (unsigned int s = 0; s < order; s++)
			free &= free >> (1u << s);
		free &= multiples[order];
		if (free) {
			unsigned int at = lowest_bit(free);

			b->used[w] |= piece(nr, at);
			return w * WORD_PAGES + at;
		}
	}
	return BLOCK_PAGES;
}

static uintptr_t take_piece(unsigned int nr)
{
	unsigned long flags = port_irq_save();
	struct vmap_cpu *c = vmap_this_cpu();
	uintptr_t virt = 0;

	spin_lock(&c->lock);
	for (struct vmap_block *b = c->blocks; b && !virt; b = b->next) {
		unsigned int at = take_piece_locked(b, nr);

		if (at < BLOCK_PAGES)
			virt = b->area->start + ((uintptr_t)at << PAGE_SHIFT);
	}
	spin_unlock(&c->lock);
	port_irq_restore(flags);
	return virt;
}

static bool piece_is_used(struct vmap_block *b, unsigned int at, unsigned int nr)
{
	u64 bits = piece(nr, at % WORD_PAGES);
	unsigned long flags;
	bool used;

	spin_lock_irqsave(&b->cpu->lock, flags);
	used = (b->used[at / WORD_PAGES] & bits) == bits;
	spin_unlock_irqrestore(&b->cpu->lock, flags);
	return used;
}

static void put_piece(struct vmap_block *b, unsigned int at, unsigned int nr)
{
	u64 bits = piece(nr, at % WORD_PAGES);
	struct vmap_cpu *c = b->cpu;
	unsigned long flags, due;

	spin_lock_irqsave(&c->lock, flags);
	b->used[at / WORD_PAGES] &= ~bits;
	b->stale[at / WORD_PAGES] |= bits;
	due = vmap_lazy_locked(c, nr);
	spin_unlock_irqrestore(&c->lock, flags);
	vmap_count_lazy(due);
}

/* ---- Blocks ---- */

/* A further block of this CPU, with a piece taken. Return: where that is; 0: no memory. */
static uintptr_t new_block(unsigned int nr, int node, const void *caller)
{
	const struct kernel_area *whole = &kernel_areas[AREA_VMALLOC];
	struct vmap_request r = { .bytes = BLOCK_BYTES, .align = BLOCK_BYTES, .low = whole->start,
				  .last = whole->end - 1, .flags = VM_NO_GUARD, .gfp = GFP_KERNEL, .node = node,
				  .caller = caller };
	struct vmap_block *b = kmalloc_node(sizeof(*b), GFP_KERNEL, node);
	unsigned long flags;

	if (!b)
		return 0;
	memset(b, 0, sizeof(*b));
	b->area = vmap_area_get(&r);
	if (!b->area) {
		kfree(b);
		return 0;
	}
	store_release(&b->area->block, b);
	(void)take_piece_locked(b, nr);
	flags = port_irq_save();
	b->cpu = vmap_this_cpu();
	spin_lock(&b->cpu->lock);
	b->next = b->cpu->blocks;
	b->cpu->blocks = b;
	spin_unlock(&b->cpu->lock);
	port_irq_restore(flags);
	return b->area->start;
}

/* ---- The interface ---- */

static void *map_area(struct page **pages, unsigned int nr, int node, const void *caller)
{
	struct vmap_area *area = vmap_area_get_simple((size_t)nr << PAGE_SHIFT, VM_NO_GUARD, GFP_KERNEL, node, caller);

	if (!area)
		return NULL;
	store_release(&area->ram, true);
	if (!pgt_map_pages(&init_mm, area->start, pages, nr, PAGE_KERNEL, GFP_KERNEL))
		return area->vm.addr;
	store_relaxed(&area->state, VMAP_LEAVING);
	vmap_area_put(area, true);
	return NULL;
}

void *vm_map_ram(struct page **pages, unsigned int nr, int node)
{
	const void *caller = __builtin_return_address(0);
	struct vmap_block *b;
	uintptr_t virt;

	if (!vmap_state.on || !nr || nr > totalram_pages())
		return NULL;
	if (nr > WORD_PAGES)
		return map_area(pages, nr, node, caller);
	vmap_purge_if_due(GFP_KERNEL);
	virt = take_piece(nr);
	if (!virt)
		virt = new_block(nr, node, caller);
	if (!virt)
		return NULL;
	if (!pgt_map_pages(&init_mm, virt, pages, nr, PAGE_KERNEL, GFP_KERNEL))
		return vmap_pointer(virt);
	rcu_read_lock();
	b = vmap_area_at(virt)->block;
	rcu_read_unlock();
	put_piece(b, (unsigned int)((virt - b->area->start) >> PAGE_SHIFT), nr);
	return NULL;
}

static bool unmap_piece(struct vmap_area *area, uintptr_t virt, unsigned int nr)
{
	unsigned int at = (unsigned int)((virt - area->start) >> PAGE_SHIFT);

	if (!nr || nr > WORD_PAGES || at % WORD_PAGES + nr > WORD_PAGES || !piece_is_used(area->block, at, nr))
		return false;
	/* Until it is put, nobody else has it. */
	(void)pgt_unmap_range(&init_mm, virt, (u64)nr << PAGE_SHIFT, NULL);
	put_piece(area->block, at, nr);
	return true;
}

void vm_unmap_ram(const void *mem, unsigned int nr)
{
	uintptr_t virt = vmap_virt(mem);
	struct vmap_area *area;
	bool ok = false;

	rcu_read_lock();
	area = vmap_state.on ? vmap_area_at(virt) : NULL;
	rcu_read_unlock();
	if (area && !(virt & ~PAGE_MASK) && load_acquire(&area->block)) {
		ok = unmap_piece(area, virt, nr);
	} else if (area && area->start == virt && load_acquire(&area->ram) &&
		   area->bytes == (size_t)nr << PAGE_SHIFT) {
		ok = atomic_cmpxchg(&area->state, VMAP_BUSY, VMAP_LEAVING) == VMAP_BUSY;
		if (ok) {
			(void)pgt_unmap_range(&init_mm, virt, area->bytes, NULL);
			vmap_area_put(area, true);
		}
	}
	if (!ok) {
		pr_err("vm_unmap_ram: %u pages at %p are not mapped by vm_map_ram()\n", nr, mem);
		dump_stack();
	}
}

/* ---- Purge ---- */

static void block_bounds(const struct vmap_block *b, uintptr_t *low, uintptr_t *end)
{
	for (unsigned int w = 0; w < BLOCK_WORDS; w++) {
		uintptr_t at = b->area->start + ((uintptr_t)w * WORD_PAGES << PAGE_SHIFT);

		if (!b->flushing[w])
			continue;
		*low = min(*low, at + ((uintptr_t)lowest_bit(b->flushing[w]) << PAGE_SHIFT));
		*end = max(*end, at + ((uintptr_t)(highest_bit(b->flushing[w]) + 1) << PAGE_SHIFT));
	}
}

void vmap_blocks_begin_flush(struct vmap_cpu *c, uintptr_t *low, uintptr_t *end)
{
	for (struct vmap_block *b = c->blocks; b; b = b->next) {
		for (unsigned int w = 0; w < BLOCK_WORDS; w++) {
			b->flushing[w] |= b->stale[w];
			b->stale[w] = 0;
		}
		block_bounds(b, low, end);
	}
}

static unsigned int block_used(const struct vmap_block *b)
{
	unsigned int n = 0;

	for (unsigned int w = 0; w < BLOCK_WORDS; w++)
		n += count_bits(b->used[w]);
	return n;
}

static unsigned int block_lazy(const struct vmap_block *b)
{
	unsigned int n = 0;

	for (unsigned int w = 0; w < BLOCK_WORDS; w++)
		n += count_bits(b->stale[w]);
	return n;
}

unsigned long vmap_blocks_put_back(struct vmap_cpu *c)
{
	unsigned long pages = 0;

	for (struct vmap_block *b = c->blocks; b; b = b->next)
		for (unsigned int w = 0; w < BLOCK_WORDS; w++) {
			pages += count_bits(b->flushing[w]);
			b->stale[w] |= b->flushing[w];
			b->flushing[w] = 0;
		}
	return pages;
}

struct vmap_block *vmap_blocks_end_flush(struct vmap_cpu *c, bool all)
{
	struct vmap_block **at = &c->blocks, *b, *unused = NULL;

	while ((b = *at)) {
		memset(b->flushing, 0, sizeof(b->flushing));
		/* One is kept for the next who comes. */
		if (!block_used(b) && !block_lazy(b) && (all || b->next || at != &c->blocks)) {
			*at = b->next;
			b->next = unused;
			unused = b;
		} else {
			at = &b->next;
		}
	}
	return unused;
}

struct vmap_area *vmap_blocks_free(struct vmap_block *unused, struct vmap_area *gone)
{
	while (unused) {
		struct vmap_block *b = unused;

		unused = b->next;
		store_relaxed(&b->area->state, VMAP_LEAVING);
		b->area->next = gone;
		gone = b->area;
		kfree(b);
	}
	return gone;
}

/* ---- Verifier ---- */

struct vmap_block *vmap_block_next(const struct vmap_block *b)
{
	return b->next;
}

unsigned long vmap_block_verify(const struct vmap_block *b, struct findings *f)
{
	unsigned long lazy = 0;

	for (unsigned int i = 0; i < BLOCK_PAGES; i++) {
		u64 bit = 1ull << i % WORD_PAGES;
		bool used = b->used[i / WORD_PAGES] & bit, stale = b->stale[i / WORD_PAGES] & bit;
		void *addr = vmap_pointer(b->area->start + ((uintptr_t)i << PAGE_SHIFT));

		lazy += stale;
		if (b->flushing[i / WORD_PAGES] & bit)
			finding(f, "VM-I6: page %u of the block at %p waits for a purge that is over", i, addr);
		if (used && stale)
			finding(f, "VM-I6: page %u of the block at %p is in use and stale", i, addr);
		if (used != (vmalloc_to_page(addr) != NULL))
			finding(f, "VM-I6: page %u of the block at %p is %s and %s", i, addr,
				used ? "in use" : "not in use", used ? "not mapped" : "mapped");
	}
	return lazy;
}
