// SPDX-License-Identifier: MIT
/*
 * Rows of fork, as in kbench.c. fork.0 to fork.256m: mm_fork() and the child's end, of a process of 18 areas with a few
 * pages each and so many MiB that were written to. fork.write: the same of 64 MiB where parent and child write to their
 * stacks, as every program does. fork.unshare: the first store to a table of 512 pages that a child shares;
 * fork.reuse: a store to each of 512 pages when the child has gone, faults where the tables have them.
 */
#define KBENCH_BEHIND 41000
#include "kbench.h"

#include "mm/vm/share.h"
#include "tests/tasks.h"

#define REPEATS KBENCH_REPEATS
#define RW (PROT_READ | PROT_WRITE)
#define PLACE ((uintptr_t)0x40000000)
#define AREAS 12u
#define TABLE ((uintptr_t)PGT_SIZE(1))
/* Areas of a program: its text and data, its heap, its libraries, its stack. */
#define AREA(i) ((i) < 6 ? (uintptr_t)0x10000000 + (i) * 0x10000 : (uintptr_t)0x30000000 + (i) * 0x40000)

enum { EMPTY, MIB_16, MIB_64, MIB_256, WRITE, UNSHARE, REUSE };

static struct test_process parent, child;

/* Would a processor find the right to write in the tables? */
static bool writable(uintptr_t at)
{
	pgt_entry_t e, *upper = upper_entry(parent.task.mm, at, &e);

	return upper && pgt_table_write(1, e) && pgt_write(0, pgt_get(pgt_table_of(1, e) + pgt_index(0, at)));
}

static bool touch(uintptr_t at)
{
	struct page_fault fault = { .address = at, .flags = PAGE_FAULT_USER | PAGE_FAULT_WRITE };

	return handle_page_fault(&fault) == 0;
}

static bool map(uintptr_t at, size_t bytes, unsigned long flags)
{
	return ksys_mmap(at, bytes, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | flags, NULL, 0) == (long)at;
}

static bool make_parent(size_t mib)
{
	bool good = test_process_start(&parent);

	for (unsigned int i = 0; i < AREAS && good; i++) {
		good = map(AREA(i), 4 * PAGE_SIZE, 0) && touch(AREA(i)) && touch(AREA(i) + PAGE_SIZE);
		/* Neighbours that are not alike. */
		good = good && (i % 2 || !ksys_mprotect(AREA(i), PAGE_SIZE, PROT_READ));
	}
	return good && (!mib || map(PLACE, mib << 20, MAP_POPULATE));
}

static bool one(unsigned int what, u64 (*clock)(void), u64 *ticks)
{
	u64 begin = clock();
	bool good = test_process_fork(&child, &parent);

	if (!good)
		return false;
	if (what == WRITE) {
		test_switch(&child.task);
		good = touch(AREA(11));
		test_switch(&parent.task);
		good = touch(AREA(11)) && good;
	}
	if (what == UNSHARE) {
		begin = clock();
		good = touch(PLACE);
		*ticks = clock() - begin;
	}
	test_process_exit(&child);
	if (what == REUSE) {
		begin = clock();
		for (unsigned int i = 0; i < 512; i++)
			good = (writable(PLACE + i * PAGE_SIZE) || touch(PLACE + i * PAGE_SIZE)) && good;
	}
	if (what != UNSHARE)
		*ticks = clock() - begin;
	return good;
}

static void bench_fork(struct kbench *b, const struct kbench_case *c)
{
	static const size_t mib[] = { 0, 16, 64, 256, 64, 2, 2 };
	u64 ticks[REPEATS];
	bool good = make_parent(mib[c->order]);

	for (unsigned int i = 0; i <= REPEATS && good; i++)
		good = one(c->order, b->clock, &ticks[i % REPEATS]);
	if (parent.task.mm)
		test_process_exit(&parent);
	if (good)
		kbench_row(b, c->name, ticks, c->order == REUSE ? 512 : 1, c->order == REUSE ? "page" : "call");
	else
		kbench_fail(b, "%s: a step failed\n", c->name);
}

KBENCH(fork_0, .name = "fork.0", .run = bench_fork, .order = EMPTY);
KBENCH(fork_16m, .name = "fork.16m", .run = bench_fork, .order = MIB_16);
KBENCH(fork_64m, .name = "fork.64m", .run = bench_fork, .order = MIB_64);
KBENCH(fork_256m, .name = "fork.256m", .run = bench_fork, .order = MIB_256);
KBENCH(fork_write, .name = "fork.write", .run = bench_fork, .order = WRITE);
KBENCH(fork_unshare, .name = "fork.unshare", .run = bench_fork, .order = UNSHARE);
KBENCH(fork_reuse, .name = "fork.reuse", .run = bench_fork, .order = REUSE);
