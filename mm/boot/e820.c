// SPDX-License-Identifier: MIT
/*
 * The memory map's table.
 *
 * Purpose
 *	Keeps what firmware, the command line and the machine's own rules say about address ranges. Everything
 *	that later becomes memory, and /proc/iomem, comes out of it.
 *
 * Words
 *	entry		an address range of one type
 *	gap		addresses no entry covers
 *	sanitised	sorted, disjoint, neighbours of one type joined
 *
 * Structures
 *	The table is sanitised after every operation: an overlay is worked in at once, so there is no raw state.
 *
 *	  before          |== usable (1) ==========|         |== reserved (2) ==|
 *	  add ACPI (3)               |-----------------------------|
 *	  after           |== usable |== ACPI ====================|= reserved ==|
 *
 * Invariants
 *	E820-I1	entries ascend and do not overlap
 *	E820-I2	no entry is empty or reaches beyond the last 64-bit address, none is of type GAP
 *	E820-I3	no two entries that touch could be one (persistent and soft-reserved ones stay as they came:
 *		each is a device of its own)
 *
 * Memory use and bounds
 *	E820_MAX_ENTRIES entries; each operation is linear in them.
 *
 * What failure does
 *	A range that wraps, or that would need more entries than there are, is reported and left out.
 *
 * Differences from Linux
 *	Linux collects ranges and sanitises at certain points; a range that is removed there before it is
 *	sanitised can uncover another one below. The map of any sequence without removals in between is the same.
 *
 * Sources: ACPI 6.5 section 15 (types, and that overlapping entries are to be expected); boot logs.
 */
#include "e820.h"

#include "../base/printk.h"
#include "../base/string.h"

struct e820_table e820_table __memsys;
struct e820_table e820_table_firmware __memsys;

/* Ranges left out; the first are reported one by one, the others by e820_report_dropped(). */
#define DROPPED_SHOWN 8
static unsigned int dropped_nr __memsys;

static phys_addr_t last_of(const struct e820_entry *entry)
{
	return entry->addr + (entry->size - 1);
}

const char *e820_type_name(u32 type, char buf[E820_TYPE_NAME_MAX])
{
	switch (type) {
	case E820_TYPE_RAM: return "usable";
	case E820_TYPE_RESERVED: return "reserved";
	case E820_TYPE_SOFT_RESERVED: return "soft reserved";
	case E820_TYPE_ACPI: return "ACPI data";
	case E820_TYPE_NVS: return "ACPI NVS";
	case E820_TYPE_UNUSABLE: return "unusable";
	case E820_TYPE_PMEM:
	case E820_TYPE_PRAM:
		octavo_snprintf(buf, E820_TYPE_NAME_MAX, "persistent (type %u)", type);
		return buf;
	}
	octavo_snprintf(buf, E820_TYPE_NAME_MAX, "type %u", type);
	return buf;
}

const char *e820_type_resource_name(u32 type)
{
	switch (type) {
	case E820_TYPE_RAM: return "System RAM";
	case E820_TYPE_RESERVED: return "Reserved";
	case E820_TYPE_SOFT_RESERVED: return "Soft Reserved";
	case E820_TYPE_ACPI: return "ACPI Tables";
	case E820_TYPE_NVS: return "ACPI Non-volatile Storage";
	case E820_TYPE_UNUSABLE: return "Unusable memory";
	case E820_TYPE_PMEM: return "Persistent Memory";
	case E820_TYPE_PRAM: return "Persistent Memory (legacy)";
	}
	return "Unknown E820 type";
}

void e820_print_table(const struct e820_table *table, const char *who)
{
	char name[E820_TYPE_NAME_MAX];

	for (unsigned int i = 0; i < table->nr_entries; i++) {
		const struct e820_entry *entry = &table->entries[i];

		pr_info("%s: [mem 0x%016llx-0x%016llx] %s\n", who, (unsigned long long)entry->addr,
			(unsigned long long)last_of(entry), e820_type_name(entry->type, name));
	}
}

static void report_dropped(phys_addr_t start, phys_addr_t last, u32 type, const char *why)
{
	char name[E820_TYPE_NAME_MAX];

	if (dropped_nr++ >= DROPPED_SHOWN)
		return;
	pr_err("e820: [mem 0x%08llx-0x%08llx] %s dropped: %s\n", (unsigned long long)start, (unsigned long long)last,
	       e820_type_name(type, name), why);
}

void e820_report_dropped(void)
{
	if (dropped_nr > DROPPED_SHOWN)
		pr_err("e820: %u ranges more were dropped; the table holds %u\n", dropped_nr - DROPPED_SHOWN,
		       E820_MAX_ENTRIES);
	dropped_nr = 0;
}

static bool range_valid(phys_addr_t start, u64 size, u32 type)
{
	if (!size)
		return false;
	if (start + (size - 1) >= start)
		return true;
	report_dropped(start, start + (size - 1), type, "it wraps around");
	return false;
}

/* Index of the first entry that ends at or behind @addr. */
static unsigned int first_ending_at(const struct e820_table *table, phys_addr_t addr)
{
	unsigned int low = 0, high = table->nr_entries;

	while (low < high) {
		unsigned int mid = (low + high) / 2;

		if (last_of(&table->entries[mid]) < addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool insert_at(struct e820_table *table, unsigned int index, phys_addr_t start, phys_addr_t last, u32 type)
{
	struct e820_entry *at = &table->entries[index];

	if (table->nr_entries == E820_MAX_ENTRIES) {
		report_dropped(start, last, type, "the table is full");
		return false;
	}
	memmove(at + 1, at, (table->nr_entries - index) * sizeof(*at));
	at->addr = start;
	at->size = last - start + 1;
	at->type = type;
	table->nr_entries++;
	return true;
}

static void remove_at(struct e820_table *table, unsigned int index)
{
	struct e820_entry *at = &table->entries[index];

	table->nr_entries--;
	memmove(at, at + 1, (table->nr_entries - index) * sizeof(*at));
}

/* Makes @pos, inside entry @index and not its first byte, the start of an entry. */
static bool split_at(struct e820_table *table, unsigned int index, phys_addr_t pos)
{
	struct e820_entry *entry = &table->entries[index];

	if (!insert_at(table, index + 1, pos, last_of(entry), entry->type))
		return false;
	entry->size = pos - entry->addr;
	return true;
}

static bool never_joined(u32 type)
{
	return type == E820_TYPE_PRAM || type == E820_TYPE_SOFT_RESERVED;
}

static void join_neighbours(struct e820_table *table)
{
	unsigned int kept = 0;

	if (!table->nr_entries)
		return;
	for (unsigned int i = 1; i < table->nr_entries; i++) {
		struct e820_entry *a = &table->entries[kept], *b = &table->entries[i];

		if (a->type == b->type && !never_joined(a->type) && last_of(a) + 1 == b->addr && a->size + b->size)
			a->size += b->size;
		else
			table->entries[++kept] = *b;
	}
	table->nr_entries = kept + 1;
}

/*
 * Cuts entry @index so that it lies within [start, last]. Return: false when there is no room for the cut;
 * *@index moves on when a part in front was cut off.
 */
static bool cut_to_range(struct e820_table *table, unsigned int *index, phys_addr_t start, phys_addr_t last)
{
	if (table->entries[*index].addr < start) {
		if (!split_at(table, *index, start))
			return false;
		++*index;
	}
	return last_of(&table->entries[*index]) <= last || split_at(table, *index, last + 1);
}

u64 e820_range_add(struct e820_table *table, phys_addr_t start, u64 size, u32 type)
{
	phys_addr_t last = start + (size - 1), pos = start;
	unsigned int i;
	u64 changed = 0;

	if (type == E820_TYPE_GAP || !range_valid(start, size, type))
		return 0;
	for (i = first_ending_at(table, start);; i++) {
		phys_addr_t piece_last = last;
		struct e820_entry *entry = i < table->nr_entries ? &table->entries[i] : NULL;

		if (entry && entry->addr <= pos) {
			if (type > entry->type || never_joined(entry->type)) {
				if (!cut_to_range(table, &i, start, last))
					break;
				entry = &table->entries[i];
			}
			piece_last = min(last_of(entry), last);
			if (type > entry->type) {
				entry->type = type;
				changed += entry->size;
			}
		} else {
			if (entry && entry->addr <= last)
				piece_last = entry->addr - 1;
			if (!insert_at(table, i, pos, piece_last, type))
				break;
			changed += piece_last - pos + 1;
		}
		if (piece_last == last)
			break;
		pos = piece_last + 1;
	}
	join_neighbours(table);
	return changed;
}

/* Changes entries of type @from in the range (GAP: of any type) to @to, or removes them when that is GAP. */
static u64 change_range(struct e820_table *table, phys_addr_t start, u64 size, u32 from, u32 to)
{
	phys_addr_t last = start + (size - 1);
	u64 changed = 0;

	if (!range_valid(start, size, to))
		return 0;
	for (unsigned int i = first_ending_at(table, start); i < table->nr_entries; i++) {
		struct e820_entry *entry = &table->entries[i];

		if (entry->addr > last)
			break;
		if (from != E820_TYPE_GAP && entry->type != from)
			continue;
		if (!cut_to_range(table, &i, start, last))
			break;
		changed += table->entries[i].size;
		if (to == E820_TYPE_GAP)
			remove_at(table, i--);
		else
			table->entries[i].type = to;
	}
	join_neighbours(table);
	return changed;
}

u64 e820_range_update(struct e820_table *table, phys_addr_t start, u64 size, u32 from, u32 to, bool verbose)
{
	char old_name[E820_TYPE_NAME_MAX], new_name[E820_TYPE_NAME_MAX];

	if (verbose)
		pr_info("e820: update [mem 0x%08llx-0x%08llx] %s ==> %s\n", (unsigned long long)start,
			(unsigned long long)(start + (size - 1)), e820_type_name(from, old_name),
			e820_type_name(to, new_name));
	if (from == to || to == E820_TYPE_GAP)
		return 0;
	return change_range(table, start, size, from, to);
}

u64 e820_range_remove(struct e820_table *table, phys_addr_t start, u64 size, u32 from, bool verbose)
{
	char name[E820_TYPE_NAME_MAX];

	if (verbose)
		pr_info("e820: remove [mem 0x%08llx-0x%08llx] %s\n", (unsigned long long)start,
			(unsigned long long)(start + (size - 1)), from ? e820_type_name(from, name) : "");
	return change_range(table, start, size, from, E820_TYPE_GAP);
}

u32 e820_type_at(const struct e820_table *table, phys_addr_t addr)
{
	unsigned int i = first_ending_at(table, addr);

	if (i == table->nr_entries || table->entries[i].addr > addr)
		return E820_TYPE_GAP;
	return table->entries[i].type;
}

unsigned int e820_verify(const struct e820_table *table, void (*report)(void *ctx, const char *line), void *ctx)
{
	unsigned int found = 0;
	char line[128];

	for (unsigned int i = 0; i < table->nr_entries; i++) {
		const struct e820_entry *entry = &table->entries[i], *before = i ? entry - 1 : NULL;
		const char *what = NULL;

		if (!entry->size || last_of(entry) < entry->addr || entry->type == E820_TYPE_GAP)
			what = "E820-I2: empty, wrapping or without a type";
		else if (before && last_of(before) >= entry->addr)
			what = "E820-I1: not behind the entry before it";
		else if (before && before->type == entry->type && last_of(before) + 1 == entry->addr &&
			 !never_joined(entry->type))
			what = "E820-I3: could be one with the entry before it";
		if (!what)
			continue;
		octavo_snprintf(line, sizeof(line), "e820 entry %u at 0x%llx: %s", i, (unsigned long long)entry->addr,
				what);
		report(ctx, line);
		found++;
	}
	return found;
}
