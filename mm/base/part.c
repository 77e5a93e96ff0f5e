// SPDX-License-Identifier: MIT
/* The registered parts, called in their order. There are few: the table is searched for each place in the order. */
#include "part.h"

#include "findings.h"
#include "printk.h"

extern const struct mm_part __start_octavo_parts[] __weak;
extern const struct mm_part __stop_octavo_parts[] __weak;

#define for_each_part(part, order_)                                                               \
	for (const struct mm_part *part = __start_octavo_parts; part < __stop_octavo_parts; part++) \
		if (part->order == (enum mm_part_order)(order_))

int mm_parts_cpu_setup(unsigned int cpu)
{
	for (unsigned int i = 0; i < MM_PARTS; i++)
		for_each_part(part, i) {
			int err = part->cpu_setup ? part->cpu_setup(cpu) : 0;

			if (err)
				return err;
		}
	return 0;
}

int mm_parts_map(const struct bootinfo *info)
{
	for (unsigned int i = 0; i < MM_PARTS; i++)
		for_each_part(part, i) {
			int err = part->map ? part->map(info) : 0;

			if (err)
				return err;
		}
	return 0;
}

int mm_parts_early(const struct bootinfo *info)
{
	for (unsigned int i = 0; i < MM_PARTS; i++)
		for_each_part(part, i) {
			int err = part->early ? part->early(info) : 0;

			if (err)
				return err;
		}
	return 0;
}

int mm_parts_init(void)
{
	for (unsigned int i = 0; i < MM_PARTS; i++)
		for_each_part(part, i) {
			int err = part->init ? part->init() : 0;

			if (err) {
				pr_err("mm: %s does not start: error %d\n", part->name, err);
				return err;
			}
		}
	return mm_parts_cpu_online(0);
}

int mm_parts_cpu_online(unsigned int cpu)
{
	for (unsigned int i = 0; i < MM_PARTS; i++)
		for_each_part(part, i) {
			int err = part->cpu_online ? part->cpu_online(cpu) : 0;

			if (err)
				return err;
		}
	return 0;
}

void mm_parts_cpu_dead(unsigned int cpu)
{
	for (unsigned int i = MM_PARTS; i-- > 0;)
		for_each_part(part, i)
			if (part->cpu_dead)
				part->cpu_dead(cpu);
}

void mm_parts_memory_changed(void)
{
	for (unsigned int i = 0; i < MM_PARTS; i++)
		for_each_part(part, i)
			if (part->memory_changed)
				part->memory_changed();
}

void mm_parts_memory_remove(phys_addr_t start, u64 size)
{
	for (unsigned int i = MM_PARTS; i-- > 0;)
		for_each_part(part, i)
			if (part->memory_remove)
				part->memory_remove(start, size);
}

/* A part may be asked to remove what it has not added: after another one's failure all are. */
int mm_parts_memory_add(phys_addr_t start, u64 size)
{
	for (unsigned int i = 0; i < MM_PARTS; i++)
		for_each_part(part, i) {
			int err = part->memory_add ? part->memory_add(start, size) : 0;

			if (err) {
				mm_parts_memory_remove(start, size);
				return err;
			}
		}
	return 0;
}

void mm_parts_boot_end(void)
{
	for (unsigned int i = 0; i < MM_PARTS; i++)
		for_each_part(part, i)
			if (part->boot_end)
				part->boot_end();
}

unsigned int mm_parts_verify(void (*report)(void *ctx, const char *line), void *ctx)
{
	struct findings f = { .report = report, .ctx = ctx };

	for (unsigned int i = 0; i < MM_PARTS; i++)
		for_each_part(part, i)
			if (part->verify)
				part->verify(&f);
	return f.n;
}
