// SPDX-License-Identifier: MIT
/* The per-CPU allocator's invariants, checked one by one. */
#include "../base/findings.h"
#include "percpu.h"

struct check {
	struct findings findings;
	unsigned long areas, used;
};

#define found(check, ...) finding(&(check)->findings, __VA_ARGS__)

static bool bit(const u64 *words, u32 at)
{
	return words[at / 64] >> at % 64 & 1;
}

static void check_bits(struct check *c, const struct percpu_chunk *chunk)
{
	u32 free = 0, run = 0, longest = 0, orphans = 0, ghosts = 0, early = 0;

	for (u32 i = 0; i < chunk->granules; i++) {
		bool taken = bit(chunk->taken, i), begins = bit(chunk->begins, i);

		ghosts += begins && !taken;
		orphans += taken && !begins && (!i || !bit(chunk->taken, i - 1));
		free += !taken;
		early += !taken && i / 64 < chunk->first;
		run = taken ? 0 : run + 1;
		longest = max(longest, run);
		c->areas += begins && taken;
		c->used += taken;
	}
	if (free != chunk->free)
		found(c, "percpu chunk %u: %u granules are free, it says %u", chunk->index, free, chunk->free);
	if (ghosts)
		found(c, "percpu chunk %u: %u free granules begin an area", chunk->index, ghosts);
	if (orphans)
		found(c, "percpu chunk %u: %u runs of taken granules belong to no area", chunk->index, orphans);
	if (longest > chunk->bound)
		found(c, "percpu chunk %u: a free run of %u granules, it says %u at most", chunk->index, longest,
			chunk->bound);
	if (early)
		found(c, "percpu chunk %u: %u free granules ahead of word %u", chunk->index, early, chunk->first);
}

static void check_lists(struct check *c)
{
	unsigned int listed = 0, empty = 0, chunks = 0;

	for (unsigned int slot = 0; slot < PERCPU_SLOTS; slot++) {
		struct percpu_chunk *chunk;

		list_for_each_entry(chunk, &percpu.slot[slot], list) {
			listed++;
			empty += slot == PERCPU_EMPTY_SLOT;
			if (chunk->index > PERCPU_LATER_MAX || percpu.chunks[chunk->index] != chunk)
				found(c, "percpu slot %u: a chunk %u that is not in the table", slot, chunk->index);
			else if (percpu_slot(chunk) != slot)
				found(c, "percpu chunk %u: in slot %u instead of %u", chunk->index, slot,
					percpu_slot(chunk));
		}
	}
	for (unsigned int i = 0; i <= PERCPU_LATER_MAX; i++)
		chunks += percpu.chunks[i] != NULL;
	if (listed != chunks || chunks != percpu.nr_later + 1)
		found(c, "percpu: %u chunks on lists, %u in the table, %u later ones counted", listed, chunks,
			percpu.nr_later);
	if (empty > 1 || empty != percpu.nr_empty)
		found(c, "percpu: %u empty chunks, %u counted", empty, percpu.nr_empty);
}

static void check_units(struct check *c, unsigned int index)
{
	for_each_possible_cpu(cpu) {
		const uintptr_t *later = cpu_locals[cpu] ? percpu_unit_of(cpu)->later : NULL;

		if (!later)
			continue;
		if (!later[index - 1] || later[index - 1] % PERCPU_UNIT_SIZE) {
			found(c, "percpu chunk %u: CPU %u has no unit", index, cpu);
			continue;
		}
		for (unsigned int i = 1; i < index; i++)
			if (percpu.chunks[i] && later[i - 1] == later[index - 1])
				found(c, "percpu chunk %u: CPU %u's unit is chunk %u's too", index, cpu, i);
	}
}

unsigned int percpu_verify(void (*report)(void *ctx, const char *line), void *ctx)
{
	struct check c = { .findings = { .report = report, .ctx = ctx } };

	check_lists(&c);
	for (unsigned int i = 0; i <= PERCPU_LATER_MAX; i++) {
		if (!percpu.chunks[i])
			continue;
		check_bits(&c, percpu.chunks[i]);
		if (i)
			check_units(&c, i);
	}
	if (c.areas != percpu.areas || c.used != percpu.used)
		found(&c, "percpu: %lu areas of %lu granules, %lu of %lu counted", c.areas, c.used, percpu.areas,
			percpu.used);
	return c.findings.n;
}
