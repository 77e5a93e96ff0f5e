// SPDX-License-Identifier: MIT
/* The monitor's look at the kernel's address space. */
#include "../kmap/ptdump.h"
#include "monitor_words.h"

static void say_line(void *ctx, const char *line)
{
	monitor_say(ctx, "%s\n", line);
}

static void show_areas(struct monitor *mon)
{
	char size[SIZE_TEXT_MAX];

	for (unsigned int i = 0; i < AREAS; i++) {
		const struct kernel_area *area = &kernel_areas[i];

		if (area->start == area->end)
			continue;
		monitor_say(mon, "0x%0*lx-0x%0*lx %6s  %s", 2 * (int)sizeof(uintptr_t), (unsigned long)area->start,
			    2 * (int)sizeof(uintptr_t), (unsigned long)area->end,
			    size_text(area->end - area->start, size), area->name);
		if (area->bias)
			monitor_say(mon, ", pointers from %p on", area_pointer((enum kernel_area_id)i, area->start));
		monitor_say(mon, "\n");
	}
	if (!pgtables_on)
		return;
	monitor_say(mon, "%s: %lu table pages; direct map:", PGT_NAME, init_mm.pgtable_pages);
	for (unsigned int level = 0; level <= PGT_LEAF_LEVEL_MAX; level++)
		monitor_say(mon, " %lu of %s", direct_leaves.at[level], size_text(PGT_SIZE(level), size));
	monitor_say(mon, "\n");
}

/* Addresses as people copy them: 0x or not, always hexadecimal. */
static bool parse_address(const char *word, uintptr_t *virt)
{
	u64 value = 0;
	unsigned int digits = 0;

	word += word[0] == '0' && word[1] == 'x' ? 2 : 0;
	for (; *word; word++, digits++) {
		unsigned int c = (unsigned char)*word | 0x20;
		unsigned int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;

		if (digit > 15)
			return false;
		value = value << 4 | digit;
	}
	*virt = (uintptr_t)value;
	return digits && digits <= 2 * sizeof(uintptr_t);
}

int cmd_pt(struct monitor *mon, char *args)
{
	char *word = next_word(&args);
	enum kernel_area_id area;
	uintptr_t virt;

	if (!word) {
		show_areas(mon);
		return 0;
	}
	if (!parse_address(word, &virt) || next_word(&args))
		return monitor_usage(mon, "pt [ADDRESS]  (hexadecimal, or a pointer of the process)");
	/* What is no address of an area may be a pointer of the process: it stands for the address it shows. */
	(void)kernel_pointer(virt, &area);
	ptdump_address(area == AREAS ? kernel_virt((const void *)virt, NULL) : virt, say_line, mon);
	return 0;
}
