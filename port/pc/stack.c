// SPDX-License-Identifier: MIT
/*
 * The boot CPU's stacks are in the image, for it runs on one before there is any memory to manage, and goes on while
 * the core is booted again. Those of the others are the core's: vmalloc areas, below which nothing is ever mapped but
 * the guard page of another. Either way running over one is a page fault for which there is no stack: a double fault,
 * which has its own.
 */
#include "stack.h"

#include <octavo/gfp.h>
#include <octavo/set_memory.h>

#include "mm/pgtable/walk.h"

static char *tops[PC_CPUS_MAX][STACKS];

static const char *const names[STACKS] = PC_STACK_NAMES;

void stacks_init(void)
{
	for (unsigned int i = 0; i < STACKS; i++)
		tops[0][i] = pc_boot_stack_top + i * PC_STACK_SPACING;
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
		char *stack = (char *)__get_free_pages(GFP_KERNEL, 2);

		if (!stack)
			return -ENOMEM;
		tops[cpu][i] = stack + PC_STACK_BYTES;
	}
	return 0;
}

void stacks_forget(void)
{
	memset(tops[1], 0, sizeof(tops) - sizeof(tops[0]));
}

char *const *stacks_of(unsigned int cpu)
{
	return tops[cpu];
}

/* The CPU and stack whose [top - PC_STACK_SPACING, top) @at is in. */
static bool find_stack(uintptr_t at, unsigned int *cpu, unsigned int *stack)
{
	for (*cpu = 0; *cpu < PC_CPUS_MAX; ++*cpu)
		for (*stack = 0; *stack < STACKS; ++*stack)
			if (tops[*cpu][*stack] && (uintptr_t)tops[*cpu][*stack] - at - 1 < PC_STACK_SPACING)
				return true;
	return false;
}

bool stack_holds(uintptr_t at)
{
	unsigned int cpu, stack;

	return at % sizeof(at) == 0 && find_stack(at, &cpu, &stack) &&
	       (uintptr_t)tops[cpu][stack] - at <= PC_STACK_BYTES;
}

bool stack_overflow(uintptr_t at, char *text, size_t size)
{
	unsigned int cpu, stack;

	if (!find_stack(at, &cpu, &stack) || (uintptr_t)tops[cpu][stack] - at <= PC_STACK_BYTES)
		return false;
	octavo_snprintf(text, size, "the guard page below the %s stack of CPU %u", names[stack], cpu);
	return true;
}
