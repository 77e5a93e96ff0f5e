// SPDX-License-Identifier: MIT
/*
 * The slub back end's part of a free that finds the magazine full: one bit of a slab that is this CPU's. A leaf that
 * ends in a tail call when there is more to it, so it keeps no frame (mk/core.mk).
 */
#ifdef OCTAVO_HEAP_SLUB

#include "heap.h"
#include "slub.h"

void backend_free_full(struct kmem_cache *asked, void *object, struct page *page, struct magazine *mag,
		       unsigned long flags, uintptr_t caller)
{
	struct cpu_cache *cc = container_of(mag, struct cpu_cache, mag);
	struct slub_slab *slab = (struct slub_slab *)(uintptr_t)page->private_data;
	unsigned long *word, bits, now;
	u32 index;

	if (unlikely(!mag->nr) || unlikely((READ_ONCE(slab->ctl) & OWNER_MASK) != cc->owner) ||
	    unlikely(!slab_has_object(cc->cache, &slab->s, object, &index)))
		goto slow;
	word = &slab->bits[index / WORD_BITS];
	bits = *word;
	now = bits | 1ul << index % WORD_BITS;
	/* Free already; or the slab would be empty. */
	if (unlikely(now == bits) || unlikely(slab->used == 1))
		goto slow;
	*word = now;
	add_used(slab, -1u);
	cpu_section_leave(flags);
	return;
slow:
	cpu_section_leave(flags);
	heap_free_slow(asked, object, caller);
}

#endif
