// SPDX-License-Identifier: MIT
/* Does what the CPUs have noted of their TLBs fit together? The invariants stand in tlb.c. */
#include "../base/findings.h"
#include "../sync/atomic.h"
#include "../sync/cpu.h"
#include "tlb_cpu.h"

static void check_loaded(struct findings *f, unsigned int cpu, const struct tlb_cpu *tc, bool quiet)
{
	const struct mm_struct *mm = tc->loaded;
	const struct tlb_slot *slot = &tc->slots[tc->slot];
	unsigned long gen = load_relaxed(&mm->tlb_gen);

	if (mm->cpus && !(load_relaxed(&mm->cpus[cpu / CPU_WORD_BITS]) >> cpu % CPU_WORD_BITS & 1))
		finding(f, "TL-I1: CPU %u has address space %lu loaded, whose mask does not have the CPU", cpu,
			mm->ctx_id);
	if (slot->ctx_id != mm->ctx_id)
		finding(f, "TL-I2: CPU %u has address space %lu loaded, but slot %u is that of %lu", cpu, mm->ctx_id,
			tc->slot, slot->ctx_id);
	else if (slot->gen > gen)
		finding(f, "TL-I3: CPU %u has seen generation %lu of address space %lu, which is at %lu", cpu,
			slot->gen, mm->ctx_id, gen);
	else if (quiet && slot->gen != gen && !load_relaxed(&tc->lazy))
		finding(f, "TL-I4: CPU %u runs in address space %lu at generation %lu, behind its %lu", cpu, mm->ctx_id,
			slot->gen, gen);
}

static void check_slots(struct findings *f, unsigned int cpu, const struct tlb_cpu *tc)
{
	for (unsigned int i = 0; i < tlb_shared.slots; i++)
		for (unsigned int k = 0; k < i; k++)
			if (tc->slots[i].ctx_id && tc->slots[i].ctx_id == tc->slots[k].ctx_id)
				finding(f, "TL-I2: CPU %u has address space %lu in slots %u and %u", cpu,
					tc->slots[i].ctx_id, k, i);
}

unsigned int tlb_verify(bool quiet, void (*report)(void *ctx, const char *line), void *ctx)
{
	struct findings f = { .report = report, .ctx = ctx };

	for_each_online_cpu(cpu) {
		const struct tlb_cpu *tc = per_cpu_ptr(&tlb_cpu, cpu);

		check_slots(&f, cpu, tc);
		if (tc->loaded != &init_mm)
			check_loaded(&f, cpu, tc, quiet);
	}
	return f.n;
}
