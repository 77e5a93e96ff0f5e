// SPDX-License-Identifier: MIT
/* One pageblock's bits: orders, taking, giving. Its lock is the caller's. */
#include "pageblock.h"

int row_order(u64 w)
{
	if (!w)
		return -1;
	if (!(w &= w >> 1 & 0x5555555555555555ull))
		return 0;
	if (!(w &= w >> 2 & 0x1111111111111111ull))
		return 1;
	if (!(w &= w >> 4 & 0x0101010101010101ull))
		return 2;
	if (!(w &= w >> 8 & 0x0001000100010001ull))
		return 3;
	if (!(w &= w >> 16 & 0x0000000100000001ull))
		return 4;
	return w >> 32 & w & 1 ? 6 : 5;
}

/* Bit i: row i is entirely free. */
static unsigned int full_rows(const struct pageblock *b)
{
	unsigned int full = 0;

	for (unsigned int i = 0; i < BLOCK_ROWS; i++)
		full |= (unsigned int)!~b->bits[i] << i;
	return full;
}

/* Bit i: a run of @order (6 to 9) begins at row i. */
static unsigned int wide_heads(const struct pageblock *b, unsigned int order)
{
	unsigned int full = full_rows(b);

	if (order > 6)
		full &= full >> 1 & 0x55;
	if (order > 7)
		full &= full >> 2 & 0x11;
	if (order > 8)
		full &= full >> 4 & 0x01;
	return full;
}

/* From heads of runs of @order to those of the next one. */
static u64 join_halves(u64 heads, unsigned int order)
{
	static const u64 even[ROW_ORDER] = {
		0x5555555555555555ull, 0x1111111111111111ull, 0x0101010101010101ull,
		0x0001000100010001ull, 0x0000000100000001ull, 1,
	};

	return heads & heads >> (1u << order) & even[order];
}

int pageblock_order_free(const struct pageblock *b)
{
	u64 heads[BLOCK_ROWS];
	bool full_row = false;
	int order;

	if (!b->nr_free)
		return -1;
	if (b->nr_free == BLOCK_FRAMES)
		return 9;
	for (unsigned int i = 0; i < BLOCK_ROWS; i++) {
		heads[i] = b->bits[i];
		full_row |= !~heads[i];
	}
	/* Most blocks that are looked at have such a row: that is where large runs are taken from. */
	for (order = full_row ? ROW_ORDER : 0; order < ROW_ORDER; order++) {
		u64 any = 0;

		for (unsigned int i = 0; i < BLOCK_ROWS; i++)
			any |= heads[i] = join_halves(heads[i], (unsigned int)order);
		if (!any)
			return order;
	}
	while (wide_heads(b, (unsigned int)order + 1))
		order++;
	return order;
}

u64 pageblock_take_row(struct pageblock *b, unsigned int order, unsigned int *row)
{
	for (unsigned int i = 0; i < BLOCK_ROWS; i++) {
		u64 heads = row_heads(b->bits[i], order);
		u64 frames = heads_frames(heads, order);

		if (heads) {
			b->bits[i] &= ~frames;
			pageblock_add_free(b, -(int)count_bits(frames));
			*row = i;
			return heads;
		}
	}
	return 0;
}

bool pageblock_take_at(struct pageblock *b, unsigned int offset, unsigned int count)
{
	unsigned int end = offset + count;

	for (unsigned int pass = 0; pass < 2; pass++) {
		for (unsigned int at = offset, n; at < end; at += n) {
			u64 mask;

			n = min(ROW_FRAMES - at % ROW_FRAMES, end - at);
			mask = ~0ull >> (64 - n) << (at % ROW_FRAMES);
			if (pass)
				b->bits[at / ROW_FRAMES] &= ~mask;
			else if (~b->bits[at / ROW_FRAMES] & mask)
				return false;
		}
	}
	pageblock_add_free(b, -(int)count);
	return true;
}

/* Offset of the best run of at most a row: lowest among those whose surrounding free piece is smallest. */
static int narrow_run(const struct pageblock *b, unsigned int order)
{
	int best = -1, best_order = 7;

	for (unsigned int i = 0; i < BLOCK_ROWS; i++) {
		u64 heads = row_heads(b->bits[i], order);

		for (int o = (int)order; heads && o < best_order; o++) {
			/* runs of this order that are not half of a free run one order larger */
			u64 wider = o < ROW_ORDER ? row_heads(b->bits[i], (unsigned int)o + 1) : 0;
			u64 only = row_heads(b->bits[i], (unsigned int)o);

			if (wider)
				only &= ~(wider | wider << (1u << o));
			if (!only)
				continue;
			best = (int)(i * ROW_FRAMES + lowest_bit(only));
			best_order = o;
		}
	}
	return best;
}

int pageblock_take_run(struct pageblock *b, unsigned int order)
{
	int offset = -1;

	if (b->nr_free < 1u << order)
		return -1;
	if (order <= ROW_ORDER) {
		offset = narrow_run(b, order);
	} else {
		unsigned int heads = wide_heads(b, order);

		if (heads)
			offset = (int)(lowest_bit(heads) * ROW_FRAMES);
	}
	if (offset >= 0 && !pageblock_take_at(b, (unsigned int)offset, 1u << order))
		return -1;
	return offset;
}

bool pageblock_give_range(struct pageblock *b, unsigned int offset, unsigned int count)
{
	unsigned int end = offset + count;

	for (unsigned int pass = 0; pass < 2; pass++) {
		for (unsigned int at = offset, n; at < end; at += n) {
			u64 mask;

			n = min(ROW_FRAMES - at % ROW_FRAMES, end - at);
			mask = ~0ull >> (64 - n) << (at % ROW_FRAMES);
			if (pass)
				b->bits[at / ROW_FRAMES] |= mask;
			else if (b->bits[at / ROW_FRAMES] & mask)
				return false;
		}
	}
	pageblock_add_free(b, (int)count);
	return true;
}
