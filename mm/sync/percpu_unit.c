// SPDX-License-Identifier: MIT
/* Per-CPU units: where they lie, first values, and the way from a per-CPU pointer to a copy. */
#include "percpu_unit.h"

#include <octavo/port.h>

#include "../base/part.h"
#include "../base/printk.h"
#include "../base/string.h"
#include "atomic.h"
#include "spinlock.h"

extern char __start_octavo_percpu[] __attribute__((visibility("hidden")));
extern char __stop_octavo_percpu[] __attribute__((visibility("hidden")));

#if defined(__x86_64__)
/* Where the inline operations of port/inline/gs look. */
octavo_static_assert(offsetof(struct cpu_local, percpu) == 80, "OCTAVO_GS_PERCPU");
#endif
octavo_static_assert(PERCPU_LATER_MAX * PERCPU_UNIT_SIZE <= (size_t)8 << 20, "OCTAVO_PERCPU_LATER leaves that room");
octavo_static_assert(PERCPU_LATER_MAX % 64 == 0, "live[] is an array of words");

static struct {
	spinlock_t lock;		 /* who makes a unit ready, live */
	char *first_values;		 /* (c) of the variables, those ahead of struct octavo_percpu_unit first */
	u64 live[PERCPU_LATER_MAX / 64]; /* which later chunks there are */
} units __memsys = { .lock = { .rank = LOCK_RANK_PERCPU_UNIT } };

/* The compiler takes the section's variables for objects of their own. */
static uintptr_t section_start(void)
{
	uintptr_t at = (uintptr_t)__start_octavo_percpu;

	hide_var(at);
	return at;
}

size_t percpu_unit_bytes(void)
{
	return (uintptr_t)__stop_octavo_percpu - section_start();
}

size_t percpu_static_bytes(void)
{
	return percpu_unit_bytes() - PERCPU_ROOM;
}

size_t percpu_unit_phase(void)
{
	return section_start() & (PAGE_SIZE - 1);
}

size_t percpu_unit_pages(void)
{
	return PFN_UP(percpu_unit_phase() + percpu_unit_bytes());
}

static size_t bytes_ahead(void)
{
	return (uintptr_t)&octavo_percpu_unit - section_start();
}

static size_t bytes_behind(void)
{
	return percpu_unit_bytes() - bytes_ahead() - sizeof(octavo_percpu_unit);
}

void *percpu_unit_start(unsigned int cpu)
{
	return (char *)cpu_locals[cpu] - bytes_ahead();
}

int percpu_units_open(void *(*alloc)(size_t bytes))
{
	size_t ahead = bytes_ahead(), behind = bytes_behind();
	const char *section = (const char *)section_start();

	if (section_start() + percpu_unit_bytes() > OCTAVO_PERCPU_LATER) {
		pr_err("percpu: the image reaches into the last 16 MiB of the address space\n");
		return -ENOMEM;
	}
	if (!(ahead + behind))
		return 0;
	units.first_values = alloc(ahead + behind);
	if (!units.first_values) {
		pr_err("percpu: no %zu bytes for the first values of variables\n", ahead + behind);
		return -ENOMEM;
	}
	memcpy(units.first_values, section, ahead);
	memcpy(units.first_values + ahead, section + ahead + sizeof(octavo_percpu_unit), behind);
	return 0;
}

struct cpu_local *percpu_unit_place(unsigned int cpu, void *at)
{
	struct cpu_local *local = (struct cpu_local *)((char *)at + percpu_unit_phase() + bytes_ahead());

	memset(local, 0, sizeof(*local));
	local->percpu = (uintptr_t)local - (uintptr_t)&octavo_percpu_unit;
	cpu_locals[cpu] = local;
	return local;
}

static void give_first_values(unsigned int cpu)
{
	struct octavo_percpu_unit *unit = percpu_unit_of(cpu);
	size_t ahead = bytes_ahead(), behind = bytes_behind();

	if (ahead)
		memcpy(percpu_unit_start(cpu), units.first_values, ahead);
	if (behind)
		memcpy(unit + 1, units.first_values + ahead, behind);
	memset(unit->room, 0, sizeof(unit->room));
	for (unsigned int i = 0; i < PERCPU_LATER_MAX; i++)
		if (units.live[i / 64] >> i % 64 & 1)
			memset((void *)unit->later[i], 0, PERCPU_UNIT_SIZE);
}

void percpu_unit_ready(unsigned int cpu)
{
	unsigned long flags;

	if (percpu_is_ready(cpu))
		return;
	spin_lock_irqsave(&units.lock, flags);
	if (!percpu_is_ready(cpu)) {
		give_first_values(cpu);
		store_release(&cpu_locals[cpu]->percpu_ready, 1);
	}
	spin_unlock_irqrestore(&units.lock, flags);
}

static int percpu_cpu_online(unsigned int cpu)
{
	percpu_unit_ready(cpu);
	return 0;
}

MM_PART(percpu_unit, .order = MM_PART_PERCPU, .cpu_online = percpu_cpu_online);

static void later_set(unsigned int index, bool live)
{
	unsigned long flags;
	u64 bit = 1ull << index % 64;

	spin_lock_irqsave(&units.lock, flags);
	units.live[index / 64] = live ? units.live[index / 64] | bit : units.live[index / 64] & ~bit;
	spin_unlock_irqrestore(&units.lock, flags);
}

void percpu_later_open(unsigned int index)
{
	later_set(index, true);
}

void percpu_later_close(unsigned int index)
{
	later_set(index, false);
}

/* ---- Finding a copy ---- */

static force_inline void *copy_of(const volatile void *p, const struct octavo_percpu_unit *unit)
{
	uintptr_t at = (uintptr_t)p, later = at - OCTAVO_PERCPU_LATER;

	if (likely(at < OCTAVO_PERCPU_LATER))
		return (void *)(at + unit->cpu.percpu);
	return (void *)(unit->later[later / PERCPU_UNIT_SIZE % PERCPU_LATER_MAX] + later % PERCPU_UNIT_SIZE);
}

void *octavo_this_cpu_ptr(const volatile void *p)
{
	return copy_of(p, (const struct octavo_percpu_unit *)this_cpu());
}

void *octavo_per_cpu_ptr(const volatile void *p, unsigned int cpu)
{
	if (unlikely(cpu >= nr_cpu_ids || !cpu_locals[cpu])) {
		pr_err("per_cpu_ptr: CPU %u is not one of the %u that may exist\n", cpu, nr_cpu_ids);
		port_panic("per_cpu_ptr: no such CPU");
	}
	if (unlikely(!percpu_is_ready(cpu)))
		percpu_unit_ready(cpu);
	return copy_of(p, percpu_unit_of(cpu));
}

bool is_kernel_percpu_address(uintptr_t addr)
{
	for_each_possible_cpu(cpu) {
		uintptr_t offset = addr - (uintptr_t)percpu_unit_start(cpu), unit = offset - bytes_ahead();

		if (cpu_locals[cpu] && offset < percpu_unit_bytes() &&
		    unit - offsetof(struct octavo_percpu_unit, room) >= PERCPU_ROOM)
			return true;
	}
	return false;
}
