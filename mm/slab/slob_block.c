// SPDX-License-Identifier: MIT
/* A block of the slob back end: a page, its objects and the directory that says where they are. See slob.c. */
#ifdef OCTAVO_HEAP_SLOB

#include "slob.h"

#include "../base/string.h"

struct slob_block *slob_block_init(void *page, int nid, enum slob_kind kind, enum slob_band home)
{
	struct slob_block *block = slob_block_at(page);

	memset(block, 0, sizeof(*block));
	block->slab.base = page;
	block->slab.node = (u16)nid;
	INIT_LIST_HEAD(&block->slab.list);
	INIT_LIST_HEAD(&block->slab.all);
	block->kind = kind;
	block->home = home;
	block->band = SLOB_BANDS;
	block->largest = (u16)slob_block_limit(1);
	return block;
}

/* Where entry @i's object starts; behind the last one, where one that is added must end. */
static unsigned int gap_end(struct slob_block *block, unsigned int i)
{
	return i < block->nr ? slob_entry_start(*slob_entry_at(block, i)) : slob_block_limit(block->nr + 1u);
}

/* Where the gap ahead of entry @i begins. */
static unsigned int gap_begin(struct slob_block *block, unsigned int i)
{
	return i ? slob_entry_end(*slob_entry_at(block, i - 1)) : 0;
}

static unsigned int gap_at(struct slob_block *block, unsigned int i)
{
	return gap_end(block, i) - gap_begin(block, i);
}

unsigned int slob_block_survey(struct slob_block *block)
{
	unsigned int largest = 0;

	/* The directory cannot grow: gaps between objects are of no use. */
	if (gap_begin(block, block->nr) > gap_end(block, block->nr))
		return 0;
	for (unsigned int i = 0; i <= block->nr; i++)
		largest = max(largest, gap_at(block, i));
	return largest;
}

/* First fit: the entry to put ahead of. */
static unsigned int fit(struct slob_block *block, unsigned int units, unsigned int align_units, unsigned int *start)
{
	if (block->largest < units)
		return SLOB_NONE;
	for (unsigned int i = 0; i <= block->nr; i++) {
		*start = ALIGN(gap_begin(block, i), align_units);
		if (*start + units <= gap_end(block, i))
			return i;
	}
	return SLOB_NONE;
}

bool slob_block_fits(struct slob_block *block, unsigned int units, unsigned int align_units)
{
	unsigned int start;

	return fit(block, units, align_units, &start) != SLOB_NONE;
}

unsigned int slob_block_take(struct slob_block *block, unsigned int units, unsigned int align_units, unsigned int id)
{
	slob_entry_t *next = slob_entry_at(block, block->nr);
	unsigned int start, i = fit(block, units, align_units, &start);

	if (i == SLOB_NONE)
		return SLOB_NONE;
	memmove(next, next + 1, (block->nr - i) * sizeof(slob_entry_t));
	*slob_entry_at(block, i) = slob_entry(start, units, id);
	block->nr++;
	block->largest = (u16)slob_block_survey(block);
	return start;
}

void slob_block_give(struct slob_block *block, unsigned int i)
{
	slob_entry_t *last = slob_entry_at(block, block->nr - 1u);
	unsigned int largest;

	memmove(last + 1, last, (block->nr - 1u - i) * sizeof(slob_entry_t));
	block->nr--;
	/* Two gaps have grown: the one it lay in, and the last one, by what the directory gave up. */
	if (block->largest) {
		largest = max(gap_at(block, i), gap_at(block, block->nr));
		block->largest = (u16)max(largest, (unsigned int)block->largest);
	} else {
		block->largest = (u16)slob_block_survey(block);
	}
}

unsigned int slob_block_find(struct slob_block *block, unsigned int unit)
{
	unsigned int low = 0, high = block->nr; /* entries below low start at or before @unit, from high on behind */

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (slob_entry_start(*slob_entry_at(block, middle)) <= unit)
			low = middle + 1;
		else
			high = middle;
	}
	return low && unit < slob_entry_end(*slob_entry_at(block, low - 1)) ? low - 1 : SLOB_NONE;
}

unsigned int slob_block_entry_of(struct slob_block *block, const void *object)
{
	size_t offset = (uintptr_t)object - (uintptr_t)block->slab.base;
	unsigned int i;

	if (offset >= PAGE_SIZE || offset % SLOB_UNIT)
		return SLOB_NONE;
	i = slob_block_find(block, (unsigned int)(offset / SLOB_UNIT));
	return i != SLOB_NONE && slob_entry_start(*slob_entry_at(block, i)) * SLOB_UNIT == offset ? i : SLOB_NONE;
}

unsigned int slob_block_capacity(unsigned int units, unsigned int align_units)
{
	unsigned int stride = ALIGN(units, align_units), n = 0;

	while (n * stride + units <= slob_block_limit(n + 1))
		n++;
	return n;
}

#endif
