// SPDX-License-Identifier: MIT
/*
 * Rows of faults, as in kbench.c: what handle_page_fault() takes for a page, without the exception around it.
 * anon_write: a fresh page; anon_64k: the same in folios of 64 KiB, per page; anon_read: the zero page; cow: a page
 * that a child has, too; cow_zero: a write where the zero page is; reuse: the right to write is given back after
 * mprotect() took it; spurious: the entry allows it already. populate: MAP_POPULATE, a page of many; zap.touched:
 * munmap() of pages that are there, per page; zap.zero: of zero pages.
 */
#define KBENCH_BEHIND 40000
#include "kbench.h"

#include "mm/vm/fault.h"
#include "mm/vm/thp.h"
#include "tests/tasks.h"

#define REPEATS KBENCH_REPEATS
#define PAGES 512ul
#define BYTES (PAGES << PAGE_SHIFT)
#define PLACE ((uintptr_t)0x40000000)
#define RW (PROT_READ | PROT_WRITE)

enum { ANON_WRITE, ANON_64K, ANON_READ, COW, COW_ZERO, REUSE, SPURIOUS, POPULATE, ZAP, ZAP_ZERO };

static struct test_process parent, child;

static bool touch_each(size_t step, bool write)
{
	struct page_fault fault = { .flags = PAGE_FAULT_USER | (write ? PAGE_FAULT_WRITE : 0) };

	for (uintptr_t at = PLACE; at < PLACE + BYTES; at += step) {
		fault.address = at;
		if (handle_page_fault(&fault))
			return false;
	}
	return true;
}

static bool touch(bool write)
{
	return touch_each(PAGE_SIZE, write);
}

static bool map(unsigned long flags)
{
	return ksys_mmap(PLACE, BYTES, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | flags, NULL, 0) == (long)PLACE;
}

/* What stands before the part that is measured. */
static bool prepare(unsigned int what)
{
	if (what != POPULATE && !map(0))
		return false;
	switch (what) {
	case COW:
	case REUSE:
	case SPURIOUS:
	case ZAP:
		if (!touch(true))
			return false;
		break;
	case COW_ZERO:
	case ZAP_ZERO:
		if (!touch(false))
			return false;
	}
	/* The first of them takes the table for itself. */
	if (what == COW)
		return test_process_fork(&child, &parent) && touch_each(BYTES, true);
	if (what == REUSE)
		return !ksys_mprotect(PLACE, BYTES, PROT_READ) && !ksys_mprotect(PLACE, BYTES, RW);
	return true;
}

static bool measured(unsigned int what)
{
	switch (what) {
	case POPULATE:
		return map(MAP_POPULATE);
	case ZAP:
	case ZAP_ZERO:
		return !ksys_munmap(PLACE, BYTES);
	case ANON_READ:
		return touch(false);
	case ANON_64K:
		return touch_each(16 * PAGE_SIZE, true);
	default:
		return touch(true);
	}
}

static void bench_fault(struct kbench *b, const struct kbench_case *c)
{
	unsigned int what = c->order;
	u64 ticks[REPEATS], begin;
	bool good = true;

	if (!test_process_start(&parent)) {
		kbench_fail(b, "%s: no memory\n", c->name);
		return;
	}
	thp_mode_set(4, what == ANON_64K ? THP_ALWAYS : THP_NEVER);
	for (unsigned int i = 0; i <= REPEATS && good; i++) {
		good = prepare(what);
		begin = b->clock();
		good = good && measured(what);
		ticks[i % REPEATS] = b->clock() - begin;
		if (what == COW && child.task.mm)
			test_process_exit(&child);
		good = !ksys_munmap(PLACE, BYTES) && good;
	}
	thp_mode_set(4, THP_NEVER);
	test_process_exit(&parent);
	if (good)
		kbench_row(b, c->name, ticks, PAGES, "page");
	else
		kbench_fail(b, "%s: a step failed\n", c->name);
}

KBENCH(anon_write, .name = "fault.anon_write", .run = bench_fault, .order = ANON_WRITE);
KBENCH(anon_64k, .name = "fault.anon_64k", .run = bench_fault, .order = ANON_64K);
KBENCH(anon_read, .name = "fault.anon_read", .run = bench_fault, .order = ANON_READ);
KBENCH(cow, .name = "fault.cow", .run = bench_fault, .order = COW);
KBENCH(cow_zero, .name = "fault.cow_zero", .run = bench_fault, .order = COW_ZERO);
KBENCH(reuse, .name = "fault.reuse", .run = bench_fault, .order = REUSE);
KBENCH(spurious, .name = "fault.spurious", .run = bench_fault, .order = SPURIOUS);
KBENCH(populate, .name = "vm.populate", .run = bench_fault, .order = POPULATE);
KBENCH(zap, .name = "vm.zap.touched", .run = bench_fault, .order = ZAP);
KBENCH(zap_zero, .name = "vm.zap.zero", .run = bench_fault, .order = ZAP_ZERO);
