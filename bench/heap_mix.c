// SPDX-License-Identifier: MIT
/*
 * The mix: a sequence of allocations and frees as a kernel or a server makes them, the same in every run.
 *
 * Sizes: each doubling is half as frequent as the one before, from 16 bytes to 8 KiB, and within a doubling all
 * multiples of 8 are as likely: so each doubling holds about as many bytes as any other, as object counts in
 * slabinfo listings fall about as 1/size. The mean is 70 bytes.
 * Lifetimes, counted in allocations: most objects die young ("generational hypothesis", Ungar 1984; Barrett and Zorn
 * 1993 found 90 % of bytes to die within 32 KiB of allocation): of 100 objects 65 live 8 allocations on average, 25
 * live 1000, 10 live 200000, each about geometrically distributed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "heapbench.h"

#define ALLOCATIONS 400000u

uint64_t heap_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15ull; /* splitmix64, Steele, Lea and Flood 2014 */

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/* The bench's own memory comes from the host, past the allocator under test, and is touched: it costs nothing later. */
void *heap_map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED) {
		fprintf(stderr, "heapbench: no memory for the bench itself: %zu bytes\n", bytes);
		exit(1);
	}
	return p;
}

size_t mix_size(uint64_t *state)
{
	uint64_t r = heap_random(state);
	unsigned int doublings = (unsigned int)__builtin_ctzll(r | 1ull << 9);
	size_t most = (size_t)16 << doublings, least = most / 2;

	return least + 8 * (1 + (size_t)(r >> 32) % ((most - least) / 8));
}

/* A geometric variate of about this mean, without floating point: the time until a chance of 1 in @mean comes up. */
static uint32_t geometric(uint64_t *state, uint32_t mean)
{
	uint32_t step = mean / 16 + 1, n = 1;

	/* in steps of a sixteenth of the mean each ends it with 1/16 */
	while (n < 16 * mean && heap_random(state) % 16)
		n += step;
	return n + (uint32_t)(heap_random(state) % step);
}

static uint32_t lifetime(uint64_t *state)
{
	unsigned int kind = (unsigned int)(heap_random(state) % 100);

	return geometric(state, kind < 65 ? 8 : kind < 90 ? 1000 : 200000);
}

static struct mix mix;

/* Objects that die at the same time are chained from @dies; a slot's size is kept to know what is live. */
static void build(void)
{
	uint32_t *dies = heap_map((ALLOCATIONS + 1) * sizeof(*dies)), *next = heap_map(MIX_SLOTS * sizeof(*next));
	uint32_t *spare = heap_map(MIX_SLOTS * sizeof(*spare)), *size = heap_map(MIX_SLOTS * sizeof(*size));
	uint32_t spares = 0;
	uint64_t state = 2;
	size_t live = 0;

	mix.steps = heap_map((2 * ALLOCATIONS + 1) * sizeof(*mix.steps));
	for (uint32_t slot = MIX_SLOTS - 1; slot; slot--) /* slot 0 ends a chain */
		spare[spares++] = slot;
	for (uint32_t now = 0; now < ALLOCATIONS; now++) {
		uint32_t death = now + 1 + lifetime(&state), slot;

		for (slot = dies[now]; slot; slot = next[slot]) {
			mix.steps[mix.nr++] = slot << 12;
			live -= size[slot];
			spare[spares++] = slot;
		}
		if (!spares)
			break;
		slot = spare[--spares];
		size[slot] = (uint32_t)mix_size(&state);
		mix.steps[mix.nr++] = slot << 12 | size[slot] / 8;
		mix.allocations++;
		live += size[slot];
		if (live > mix.live_peak)
			mix.live_peak = live;
		death = death < ALLOCATIONS ? death : ALLOCATIONS; /* what outlives the run goes at its end */
		next[slot] = dies[death];
		dies[death] = slot;
	}
	for (uint32_t slot = dies[ALLOCATIONS]; slot; slot = next[slot])
		mix.steps[mix.nr++] = slot << 12;
	munmap(dies, (ALLOCATIONS + 1) * sizeof(*dies));
	munmap(next, MIX_SLOTS * sizeof(*next));
	munmap(spare, MIX_SLOTS * sizeof(*spare));
	munmap(size, MIX_SLOTS * sizeof(*size));
}

const struct mix *mix_get(void)
{
	if (!mix.steps)
		build();
	return &mix;
}
