// SPDX-License-Identifier: MIT
/*
 * The tour's chapter on processes: memory that is promised and memory that is there, fork and what it does not copy,
 * sharing, with the four numbers that say who has how much.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <octavo/mm.h>
#include <octavo/mman.h>
#include <octavo/port.h>
#include <octavo/proc_pid.h>
#include <octavo/task.h>

#include "mm/pgtable/mm.h"
#include "tour.h"
#include "user.h"

#define c tour_colour
#define MIB ((size_t)1 << 20)
#define HEAP_BYTES (64 * MIB)
#define SHARED_BYTES (8 * MIB)

struct actor {
	const char *name;
	struct mm_process process;
	struct mm_task task;
};

/* ---- Who runs ---- */

static struct mm_task *nobody;

static void run(struct actor *a)
{
	unsigned long flags = port_irq_save();

	octavo_switch_task(a ? &a->task : nobody);
	port_irq_restore(flags);
}

static void actor_init(struct actor *a, const char *name, int pid)
{
	*a = (struct actor){ .name = name };
	for (unsigned int i = 0; i < RLIM_NLIMITS; i++)
		a->process.rlimit[i] = (struct mm_rlimit){ RLIM_INFINITY, RLIM_INFINITY };
	a->process.rlimit[RLIMIT_STACK].cur = 8 * MIB;
	a->process.personality = PERSONALITY_ADDR_NO_RANDOMIZE;
	a->task.process = &a->process;
	a->task.pid = a->task.tgid = pid;
	snprintf(a->task.comm, sizeof(a->task.comm), "%s", name);
}

static void actor_exit(struct actor *a)
{
	run(NULL);
	if (a->task.mm)
		mmput(octavo_task_mm(&a->task, NULL));
}

static bool write_all(uintptr_t at, size_t bytes)
{
	u8 byte = 0x5a;

	for (size_t done = 0; done < bytes; done += PAGE_SIZE)
		if (hosted_user_write(at + done, &byte, 1) != 1)
			return false;
	return true;
}

/* ---- The numbers, from the text of smaps_rollup ---- */

struct kept {
	char bytes[2048];
	size_t len;
};

static void keep(void *ctx, const char *text, size_t len)
{
	struct kept *t = ctx;

	if (len >= sizeof(t->bytes) - t->len)
		len = sizeof(t->bytes) - t->len - 1;
	memcpy(t->bytes + t->len, text, len);
	t->len += len;
	t->bytes[t->len] = 0;
}

static unsigned long field(const struct kept *t, const char *name)
{
	const char *line = strstr(t->bytes, name);

	return line ? strtoul(line + strlen(name), NULL, 10) : 0;
}

static void show(struct actor *a)
{
	struct kept rollup = { .len = 0 };
	struct octavo_pid_stat stat;

	octavo_pid_stat(a->task.mm, &stat);
	if (octavo_pid_rollup(a->task.mm, keep, &rollup))
		return;
	printf("    %-8s %9lu KiB %9lu KiB %9lu KiB %9lu KiB %8lu KiB\n", a->name, stat.vsize >> 10,
	       field(&rollup, "\nRss:"), field(&rollup, "\nPss:"),
	       field(&rollup, "\nPrivate_Clean:") + field(&rollup, "\nPrivate_Dirty:"),
	       (unsigned long)(READ_ONCE(a->task.mm->pgtable_pages) << (PAGE_SHIFT - 10)));
}

static void step(const char *what, struct actor *first, struct actor *second)
{
	printf("\n  %s%s%s\n    %s%-8s %13s %13s %13s %13s %12s%s\n", c("1"), what, c("0"), c("2"), "", "VSS", "RSS",
	       "PSS", "USS", "tables", c("0"));
	show(first);
	if (second)
		show(second);
}

static void show_maps(struct actor *a)
{
	struct kept maps = { .len = 0 };

	if (octavo_pid_map_read(a->task.mm, OCTAVO_PID_MAPS, keep, &maps))
		return;
	printf("\n  /proc/%d/maps:\n", a->task.pid);
	for (char *line = strtok(maps.bytes, "\n"); line; line = strtok(NULL, "\n"))
		printf("    %s\n", line);
}

/* ---- The story ---- */

static bool fork_it(struct actor *parent, struct actor *child)
{
	u64 began = tour_now_ns(), took;
	struct mm_struct *mm = mm_fork(parent->task.mm, &child->process);

	took = tour_now_ns() - began;
	if (!mm)
		return false;
	(void)octavo_task_mm(&child->task, mm);
	printf("\n  fork() took %llu.%llu us\n", (unsigned long long)took / 1000, (unsigned long long)took / 100 % 10);
	return true;
}

static bool tell(struct actor *parent, struct actor *child)
{
	uintptr_t heap, shared;
	long at;

	run(parent);
	at = ksys_mmap(0, HEAP_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0);
	heap = (uintptr_t)at;
	if (at < 0 && at > -4096)
		return false;
	at = ksys_mmap(0, SHARED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, NULL, 0);
	shared = (uintptr_t)at;
	if (at < 0 && at > -4096)
		return false;
	step("mapped 64 MiB private, 8 MiB shared: promised, not there", parent, NULL);
	if (!write_all(heap, 24 * MIB) || !write_all(shared, 4 * MIB))
		return false;
	step("wrote to 24 MiB of the one and 4 MiB of the other", parent, NULL);
	show_maps(parent);
	if (!fork_it(parent, child))
		return false;
	step("a child: the same pages, even the same page tables", parent, child);
	run(child);
	if (!write_all(heap, 6 * MIB))
		return false;
	step("the child wrote to 6 MiB: copied, page by page", parent, child);
	if (!write_all(shared, SHARED_BYTES))
		return false;
	step("the child wrote to all of the shared 8 MiB: not copied", parent, child);
	actor_exit(child);
	run(parent);
	step("the child has exited", parent, NULL);
	return true;
}

void tour_process(void)
{
	struct actor parent, child;
	struct mm_struct *mm;

	nobody = current_task();
	actor_init(&parent, "parent", 100);
	actor_init(&child, "child", 101);
	mm = mm_create(&parent.process, 0);
	if (!mm) {
		printf("  no memory for an address space\n");
		return;
	}
	(void)octavo_task_mm(&parent.task, mm);
	mm_pick_mmap_base(mm, &parent.process);
	printf("  VSS is what is mapped, RSS what is in memory; PSS divides what is shared, USS leaves it out\n");
	if (!tell(&parent, &child))
		printf("  no memory: the machine is too small for this chapter\n");
	actor_exit(&child);
	actor_exit(&parent);
}
