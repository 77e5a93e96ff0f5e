// SPDX-License-Identifier: MIT
/*
 * Memory types: one cache mode for each piece of device memory.
 *
 * Purpose
 *	A processor that reaches one physical address through two mappings of different cache modes may see stale
 *	data, or stop (Intel SDM volume 3A section 11.12.4; Arm ARM DDI 0487 section B2.16 on mismatched attributes).
 *	So whoever maps physical memory that is not the page allocator's enters the range here, and is told the mode
 *	to use.
 *
 * Words
 *	entry: a range that is mapped, and its mode. Each mapping has its own, even if the range is the same.
 *	caches less: of two modes that which leaves fewer accesses to the cache: UC, UC-, WC, WT, WP, WB in this order.
 *
 * Structures
 *	first -> [e0000, e8000) WC -> [e0000, e1000) WC -> [fd000, fe000) UC- -> NULL		by start
 *
 * Invariants
 *	MT-I1  Entries are in the order of their starts, none is empty, and both ends are those of pages.
 *	MT-I2  Entries that overlap have the same mode.
 *
 * What is given. Where nothing is mapped yet, what was asked for. Otherwise the mode of what is there, if it caches
 * no more
 * than what was asked for: the mapping is slower than hoped, and right. UC- may become WC, as it does by an MTRR. Where
 * it would cache more, or where what is there has several modes, the request is refused.
 *
 * Locking. One spinlock, with interrupts off. Nodes are allocated before it is taken.
 *
 * Memory use and bounds. A node a mapping. A list, because there are as many as there are devices: a walk over 200
 * nodes costs less than mapping one page.
 *
 * What failure does. A conflict is reported in Linux's words, naming both modes. Memory that cannot be had is -ENOMEM.
 *
 * Differences from Linux. Linux has this on x86 only, and keeps the modes of RAM in page flags as well, so that
 * set_memory_*() is entered here: Octavo's keeps all kernel mappings of RAM alike by itself (set_memory.c). Linux
 * does not look at the first megabyte, lets UC become anything, and asks the MTRRs, which no port of Octavo reports.
 *
 * Sources. Intel SDM volume 3A sections 11.3, 11.12; Documentation/arch/x86/pat.rst of Linux for what files and lines
 * show.
 */
#include "memtype.h"

#include <octavo/slab.h>

#include "../base/findings.h"
#include "../base/printk.h"
#include "../boot/params.h"
#include "../phys/gfp.h"

struct memtypes memtypes __memsys = { .lock = { .rank = LOCK_RANK_MEMTYPE } };

static const struct {
	const char *name;
	u8 caches; /* how much, of 0 to 5 */
} modes[] = {
	[PAGE_CACHE_UC] = { "uncached", 0 },	       [PAGE_CACHE_UC_MINUS] = { "uncached-minus", 1 },
	[PAGE_CACHE_WC] = { "write-combining", 2 },    [PAGE_CACHE_WT] = { "write-through", 3 },
	[PAGE_CACHE_WP] = { "write-protected", 4 },    [PAGE_CACHE_WB] = { "write-back", 5 },
};

const char *memtype_name(enum page_cache_mode mode)
{
	return (unsigned int)mode < ARRAY_SIZE(modes) ? modes[mode].name : "broken";
}

bool memtype_may_replace(enum page_cache_mode want, enum page_cache_mode got)
{
	return modes[got].caches <= modes[want].caches || (want == PAGE_CACHE_UC_MINUS && got == PAGE_CACHE_WC);
}

static bool overlaps(const struct memtype_range *a, const struct memtype_range *b)
{
	return a->start < b->end && b->start < a->end;
}

/* The mode for @wanted. Return: NULL, or the entry in its way. */
static const struct memtype *find_conflict_locked(const struct memtype_range *wanted, enum page_cache_mode *got)
{
	bool first = true;

	*got = wanted->mode;
	for (const struct memtype *m = memtypes.first; m && m->range.start < wanted->end; m = m->next) {
		if (!overlaps(&m->range, wanted))
			continue;
		if (first ? !memtype_may_replace(wanted->mode, m->range.mode) : m->range.mode != *got)
			return m;
		*got = m->range.mode;
		first = false;
	}
	return NULL;
}

static void insert_locked(struct memtype *new)
{
	struct memtype **link = &memtypes.first;

	while (*link && (*link)->range.start <= new->range.start)
		link = &(*link)->next;
	new->next = *link;
	*link = new;
}

static const char *log_prefix(void)
{
	return boot_arch == BOOT_ARCH_ARM64 ? "memtype" : "x86/PAT";
}

static void report_conflict(const struct memtype_range *wanted, enum page_cache_mode got,
			    const struct memtype_range *in_way)
{
	char task[32];

	pr_info("%s: %s:%ld conflicting memory types %llx-%llx %s<->%s\n", log_prefix(),
		current_task_name(task, sizeof(task)), current_task_pid(), (unsigned long long)wanted->start,
		(unsigned long long)wanted->end, memtype_name(got), memtype_name(in_way->mode));
	pr_info("%s: memtype_reserve failed [mem %#010llx-%#010llx], track %s, req %s\n", log_prefix(),
		(unsigned long long)wanted->start, (unsigned long long)(wanted->end - 1), memtype_name(in_way->mode),
		memtype_name(wanted->mode));
}

int memtype_reserve(phys_addr_t start, phys_addr_t end, enum page_cache_mode want, enum page_cache_mode *got)
{
	struct memtype_range wanted = { start, end, want }, in_way;
	struct memtype *new = kmalloc(sizeof(*new), GFP_KERNEL);
	const struct memtype *conflict;
	unsigned long flags;

	if (!new)
		return -ENOMEM;
	spin_lock_irqsave(&memtypes.lock, flags);
	conflict = find_conflict_locked(&wanted, got);
	if (conflict) {
		in_way = conflict->range;
	} else {
		new->range = (struct memtype_range){ start, end, *got };
		insert_locked(new);
	}
	spin_unlock_irqrestore(&memtypes.lock, flags);
	if (!conflict)
		return 0;
	kfree(new);
	report_conflict(&wanted, *got, &in_way);
	return -EBUSY;
}

enum page_cache_mode memtype_release(phys_addr_t start, phys_addr_t end)
{
	struct memtype **link = &memtypes.first, *found;
	enum page_cache_mode mode = PAGE_CACHE_WB;
	unsigned long flags;
	char task[32];

	spin_lock_irqsave(&memtypes.lock, flags);
	while (*link && ((*link)->range.start != start || (*link)->range.end != end))
		link = &(*link)->next;
	found = *link;
	if (found)
		*link = found->next;
	spin_unlock_irqrestore(&memtypes.lock, flags);
	if (!found)
		pr_info("%s: %s:%ld freeing invalid memtype [mem %#010llx-%#010llx]\n", log_prefix(),
			current_task_name(task, sizeof(task)), current_task_pid(), (unsigned long long)start,
			(unsigned long long)(end - 1));
	else
		mode = found->range.mode;
	kfree(found);
	return mode;
}

/* ---- Looking ---- */

static bool has_locked(phys_addr_t phys)
{
	for (const struct memtype *m = memtypes.first; m && m->range.start <= phys; m = m->next)
		if (phys < m->range.end)
			return true;
	return false;
}

unsigned long memtype_run(phys_addr_t phys, unsigned long max, bool *some)
{
	unsigned long flags, n = 1;

	spin_lock_irqsave(&memtypes.lock, flags);
	*some = has_locked(phys);
	while (n < max && has_locked(phys + ((phys_addr_t)n << PAGE_SHIFT)) == *some)
		n++;
	spin_unlock_irqrestore(&memtypes.lock, flags);
	return n;
}

bool memtype_entry(unsigned long index, struct memtype_range *range)
{
	const struct memtype *m;
	unsigned long flags;

	spin_lock_irqsave(&memtypes.lock, flags);
	for (m = memtypes.first; m && index; m = m->next)
		index--;
	if (m)
		*range = m->range;
	spin_unlock_irqrestore(&memtypes.lock, flags);
	return m != NULL;
}

unsigned int memtype_verify(void (*report)(void *ctx, const char *line), void *ctx)
{
	struct findings f = { .report = report, .ctx = ctx };
	unsigned long flags;

	spin_lock_irqsave(&memtypes.lock, flags);
	for (const struct memtype *m = memtypes.first; m; m = m->next) {
		const struct memtype_range *r = &m->range;

		if (r->start >= r->end || !IS_ALIGNED(r->start | r->end, PAGE_SIZE) ||
		    (m->next && m->next->range.start < r->start))
			finding(&f, "MT-I1: %llx-%llx is not a range of pages, or not in order",
				(unsigned long long)r->start, (unsigned long long)r->end);
		for (const struct memtype *o = m->next; o; o = o->next)
			if (overlaps(r, &o->range) && o->range.mode != r->mode)
				finding(&f, "MT-I2: %llx-%llx %s overlaps %llx-%llx %s", (unsigned long long)r->start,
					(unsigned long long)r->end, memtype_name(r->mode),
					(unsigned long long)o->range.start, (unsigned long long)o->range.end,
					memtype_name(o->range.mode));
	}
	spin_unlock_irqrestore(&memtypes.lock, flags);
	return f.n;
}
