// SPDX-License-Identifier: MIT
/*
 * /sys/devices/system/memory: memory blocks, which can be taken offline and brought back by a write.
 * Format: Documentation/ABI/testing/sysfs-devices-memory, Documentation/admin-guide/mm/memory-hotplug.rst.
 */
#include "proc.h"

#include <octavo/memory_hotplug.h>

/* What add_memory()'s callers do with new memory: the words of auto_online_blocks, by enum mmop. */
static const char *const online_types[] = {
	[MMOP_OFFLINE] = "offline",
	[MMOP_ONLINE] = "online",
	[MMOP_ONLINE_KERNEL] = "online_kernel",
	[MMOP_ONLINE_MOVABLE] = "online_movable",
};

/* sysfs takes a word with or without one newline behind it. Return: enum mmop, or -EINVAL. */
static int parse_online_type(const char *text)
{
	size_t len = strlen(text);

	if (len && text[len - 1] == '\n')
		len--;
	for (unsigned int type = 0; type < ARRAY_SIZE(online_types); type++)
		if (strlen(online_types[type]) == len && !strncmp(online_types[type], text, len))
			return (int)type;
	return -EINVAL;
}

void block_size_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	(void)entry;
	(void)id;
	seq_printf(m, "%llx\n", (unsigned long long)memory_block_size_bytes());
}

void auto_online_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	(void)entry;
	(void)id;
	seq_printf(m, "%s\n", online_types[memhp_default_online_type()]);
}

int auto_online_store(const struct proc_entry *entry, unsigned long id, const char *text)
{
	int type = parse_online_type(text);

	(void)entry;
	(void)id;
	if (type < 0)
		return type;
	memhp_set_default_online_type((enum mmop)type);
	return 0;
}

static bool block_online(unsigned long id)
{
	return memory_block_state(id) == MEM_BLOCK_ONLINE;
}

/* Linux refuses a change to the state a block is in already. */
static int block_set(unsigned long id, enum mmop how)
{
	u64 size = memory_block_size_bytes();

	if (block_online(id) == (how != MMOP_OFFLINE))
		return -EINVAL;
	if (how == MMOP_OFFLINE)
		return offline_memory(id * size, size);
	return online_memory(id * size, size, how);
}

void block_state_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	(void)entry;
	seq_puts(m, block_online(id) ? "online\n" : "offline\n");
}

int block_state_store(const struct proc_entry *entry, unsigned long id, const char *text)
{
	int type = parse_online_type(text);

	(void)entry;
	return type < 0 ? type : block_set(id, (enum mmop)type);
}

void block_online_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	(void)entry;
	seq_puts(m, block_online(id) ? "1\n" : "0\n");
}

/* "online" is of every device: the first letters of a truth value; being there already is no error. */
int block_online_store(const struct proc_entry *entry, unsigned long id, const char *text)
{
	bool on;

	(void)entry;
	switch (text[0]) {
	case '1':
	case 'y':
	case 'Y':
	case 't':
	case 'T':
		on = true;
		break;
	case '0':
	case 'n':
	case 'N':
	case 'f':
	case 'F':
		on = false;
		break;
	case 'o':
	case 'O':
		if (text[1] != 'n' && text[1] != 'N' && text[1] != 'f' && text[1] != 'F')
			return -EINVAL;
		on = text[1] == 'n' || text[1] == 'N';
		break;
	default:
		return -EINVAL;
	}
	if (on == block_online(id))
		return 0;
	return block_set(id, on ? max(memhp_default_online_type(), MMOP_ONLINE) : MMOP_OFFLINE);
}

void block_index_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	(void)entry;
	seq_printf(m, "%08lx\n", id);
}

void block_removable_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	(void)entry;
	(void)id;
	seq_puts(m, "1\n"); /* since 5.9: whether the kernel can remove memory at all */
}

void block_device_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	(void)entry;
	(void)id;
	seq_puts(m, "0\n");
}

static bool intersects(const struct zone *zone, unsigned long start, unsigned long end)
{
	return zone->spanned_pages && zone->zone_start_pfn < end && start < zone_end_pfn(zone);
}

/*
 * The zones an offline block could join, the one that "online" picks first (memory-hotplug.rst): the kernel
 * zone whose span it touches, Normal if none, unless it touches the node's Movable zone alone.
 */
static void joinable_zones_show(struct seq_file *m, unsigned long id)
{
	unsigned long pages = (unsigned long)(memory_block_size_bytes() >> PAGE_SHIFT);
	unsigned long start = id * pages, end = start + pages;
	int nid = memory_block_nid(id);
	struct zone *kernel, *movable;
	bool movable_first;

	if (nid < 0 || !NODE_DATA(nid)) {
		seq_puts(m, "none\n");
		return;
	}
	kernel = zone_of(nid, ZONE_NORMAL);
	movable = zone_of(nid, ZONE_MOVABLE);
	for (unsigned int type = 0; type < ZONE_NORMAL; type++) {
		if (intersects(zone_of(nid, (enum zone_type)type), start, end)) {
			kernel = zone_of(nid, (enum zone_type)type);
			break;
		}
	}
	movable_first = intersects(movable, start, end) && !intersects(kernel, start, end);
	seq_printf(m, "%s %s\n", movable_first ? movable->name : kernel->name,
		   movable_first ? kernel->name : movable->name);
}

void block_zones_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	struct zone *zone = memory_block_zone(id);

	(void)entry;
	if (block_online(id))
		seq_printf(m, "%s\n", zone ? zone->name : "none");
	else
		joinable_zones_show(m, id);
}
