// SPDX-License-Identifier: MIT
/*
 * The boot CPU's stacks are in the image, for it runs on one before there is any memory to manage, and goes on while
 * the core is booted again. Those of the others are the core's: vmalloc areas, below which nothing is ever mapped but
 * the guard page of another. Either way running over one is a page fault for which there is no stack: a double fault,
 * which has its own.
 */
#include "stack.h"

#include <octavo/set_memory.h>
#include <octavo/vmalloc.h>

#include "mm/pgtable/walk.h"

/* Where they begin, so that who looks for references to memory finds these. */
static char *stacks[PC_CPUS_MAX][STACKS];

static const char *const names[STACKS] = PC_STACK_NAMES;

void stacks_init(void)
{
	for (unsigned int i = 0; i < STACKS; i++)
		stacks[0][i] = pc_stacks_start + PAGE_SIZE + i * PC_STACK_SPACING;
}

/*
 * The frames of the guard pages stay readable in the direct map, for who scans all of memory, where the image has
 * addresses of its own beside it.
 */
void stacks_guard(void)
{
	for (char *guard = pc_stacks_start; guard < pc_stacks_end; guard += PC_STACK_SPACING) {
		if (PC_IMAGE_BASE == PC_DIRECT_MAP ?
			    set_memory_np((unsigned long)guard, 1) :
			    pgt_protect_range(&init_mm, (uintptr_t)guard, PAGE_SIZE, 0, PGPROT_READ))
			port_panic("the pages below the boot CPU's stacks cannot be unmapped");
		port_tlb_flush_page(PORT_ASID_KERNEL, (uintptr_t)guard);
	}
}

int stacks_make(unsigned int cpu)
{
	for (unsigned int i = 0; i < STACKS; i++) {
		stacks[cpu][i] = vzalloc(PC_STACK_BYTES);
		if (!stacks[cpu][i])
			return -ENOMEM;
	}
	return 0;
}

void stacks_forget(void)
{
	memset(stacks[1], 0, sizeof(stacks) - sizeof(stacks[0]));
}

void stack_tops(unsigned int cpu, char *tops[STACKS])
{
	for (unsigned int i = 0; i < STACKS; i++)
		tops[i] = stacks[cpu][i] + PC_STACK_BYTES;
}

/* The CPU and stack which, with the page below it, @at is in. */
static bool find_stack(uintptr_t at, unsigned int *cpu, unsigned int *which)
{
	for (*cpu = 0; *cpu < PC_CPUS_MAX; ++*cpu)
		for (*which = 0; *which < STACKS; ++*which)
			if (stacks[*cpu][*which] &&
			    at - ((uintptr_t)stacks[*cpu][*which] - PAGE_SIZE) < PC_STACK_SPACING)
				return true;
	return false;
}

static uintptr_t (*find_other)(uintptr_t at);

void stack_others(uintptr_t (*find)(uintptr_t at))
{
	find_other = find;
}

bool stack_holds(uintptr_t at)
{
	unsigned int cpu, which;

	if (find_other && at % sizeof(at) == 0 && find_other(at))
		return at >= find_other(at);
	return at % sizeof(at) == 0 && find_stack(at, &cpu, &which) && at >= (uintptr_t)stacks[cpu][which];
}

bool stack_overflow(uintptr_t at, char *text, size_t size)
{
	unsigned int cpu, which;

	if (find_other && find_other(at) > at) {
		octavo_snprintf(text, size, "the guard page below a thread's stack");
		return true;
	}
	if (!find_stack(at, &cpu, &which) || at >= (uintptr_t)stacks[cpu][which])
		return false;
	octavo_snprintf(text, size, "the guard page below the %s stack of CPU %u", names[which], cpu);
	return true;
}
