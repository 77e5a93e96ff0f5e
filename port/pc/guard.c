// SPDX-License-Identifier: MIT
/*
 * Pages of the direct map that are shut, for KFENCE. A page is shut for this CPU at once and for the others when they
 * next lose its translation: waiting for them is not possible where pages are shut, under locks. What they miss by it
 * they may catch at the next object. A page that is opened is open for all: absent translations are not kept.
 */
#include <octavo/kfence.h>

#include "report.h"

#define STACK_MAX 24u

static struct {
	uintptr_t start;
	size_t size;
} pool;

static int guard_prepare(uintptr_t start, size_t size)
{
	pool.start = start;
	pool.size = size;
	return paging_split(start, size);
}

void guard_register(void)
{
	static const struct kfence_ops ops = { guard_prepare, paging_shut };

	register_kfence_ops(&ops);
}

void guard_reset(void)
{
	for (size_t offset = 0; offset < pool.size; offset += PAGE_SIZE)
		paging_shut(pool.start + offset, false);
	pool.size = 0;
}

bool guard_fault(const struct trap_frame *frame)
{
	uintptr_t addr = read_cr2(), pc[STACK_MAX] = { frame_ip(frame) };
	unsigned int depth;

	if (!is_kfence_address((void *)addr))
		return false;
	depth = 1 + report_walk(frame_bp(frame), pc + 1, STACK_MAX - 1);
	return kfence_handle_page_fault(addr, frame->error & 2, pc, depth);
}
