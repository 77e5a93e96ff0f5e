// SPDX-License-Identifier: MIT
/* What a debugged object and its slab must look like: marking them, and finding what was damaged. See debug.c. */
#include "../phys/page_report.h"
#include "backend.h"
#include "debug.h"

#include "../base/printk.h"
#include "../base/string.h"

#define PADDING_SHOWN 256u /* bytes of a slab's tail in a report, from the first damaged row on */

/* ---- Marking ---- */

/* Bytes of the object that are its user's: with a red zone those that were asked for. */
static u32 used_bytes(const struct kmem_cache *cache, const void *object, bool active)
{
	const u32 all = SLAB_KMALLOC | SLAB_RED_ZONE;

	if (!active || (cache->flags & all) != all)
		return cache->object_size;
	return min(object_meta(cache, object)->orig_size, cache->object_size);
}

void debug_mark_object(struct kmem_cache *cache, void *object, bool active)
{
	u8 *p = object, red = active ? SLUB_RED_ACTIVE : SLUB_RED_INACTIVE;
	u32 used = used_bytes(cache, object, active);

	if (cache->flags & SLAB_RED_ZONE)
		memset(p - cache->red_left_pad, red, cache->red_left_pad);
	if (cache->debug->poison && used) {
		memset(p, POISON_FREE, used - 1);
		p[used - 1] = POISON_END;
	}
	if (cache->flags & SLAB_RED_ZONE)
		memset(p + used, red, cache->inuse - used);
	else if (cache->flags & SLAB_POISON)
		memset(p + cache->object_size, POISON_INUSE, cache->inuse - cache->object_size);
}

/* What is left of the slab's pages behind the last object. */
static size_t slab_tail(struct kmem_cache *cache, struct slab *slab, u8 **tail)
{
	u8 *end = (u8 *)slab_start(slab) + (PAGE_SIZE << slab->order);

	*tail = (u8 *)slab->base - cache->red_left_pad + (size_t)slab->objects * cache->size;
	return (size_t)(end - *tail);
}

void debug_mark_slab(struct kmem_cache *cache, struct slab *slab)
{
	u8 *tail;
	size_t bytes = slab_tail(cache, slab, &tail);

	if (cache->flags & SLAB_POISON)
		memset(tail, POISON_INUSE, bytes);
}

/* ---- Checking ---- */

/* Is [@from, @from + @bytes) full of @value? If not, *@first and *@end bound what is not. */
static bool is_filled(const u8 *from, u8 value, size_t bytes, const u8 **first, const u8 **end)
{
	const u8 *p = from, *stop = from + bytes;

	while (p < stop && *p == value)
		p++;
	if (p == stop)
		return true;
	while (stop[-1] == value)
		stop--;
	*first = p;
	*end = stop;
	return false;
}

static void restore(struct kmem_cache *cache, const char *what, u8 value, const u8 *first, const u8 *end)
{
	report_fix(cache->name, "Restoring %s 0x" ADDR_FMT "-0x" ADDR_FMT "=0x%x", what, ADDR(first), ADDR(end - 1),
		   value);
	memset((u8 *)(uintptr_t)first, value, (size_t)(end - first));
}

/* Checks of one object: the first finding is told in full, of further ones only how they were put right. */
struct check {
	struct kmem_cache *cache;
	struct slab *slab;
	const void *object;
	bool failed;
};

static void check_bytes(struct check *c, const char *what, const u8 *from, u8 value, size_t bytes)
{
	struct heap_report report;
	const u8 *first, *end;

	if (is_filled(from, value, bytes, &first, &end))
		return;
	if (!c->failed) {
		report_prepare(&report, c->cache, c->slab);
		report_begin(&report, c->cache->name, "%s overwritten", what);
		pr_err("0x" ADDR_FMT "-0x" ADDR_FMT " @offset=%tu. First byte 0x%x instead of 0x%x\n", ADDR(first),
		       ADDR(end - 1), first - (const u8 *)slab_start(c->slab), *first, value);
		report_object(&report, c->object);
		report_end(&report);
	}
	c->failed = true;
	restore(c->cache, what, value, first, end);
}

static void check_meta(struct check *c, bool active)
{
	struct object_meta *meta = object_meta(c->cache, c->object);
	u32 want = active ? OBJECT_ALLOCATED : OBJECT_FREE;

	if (meta->state == want && meta->orig_size <= c->cache->object_size)
		return;
	if (!c->failed)
		report_object_error(c->cache, c->slab, c->object, "Object metadata overwritten");
	c->failed = true;
	report_fix(c->cache->name, "Restoring state of object 0x" ADDR_FMT, ADDR(c->object));
	meta->state = want;
	meta->orig_size = min(meta->orig_size, c->cache->object_size);
}

bool debug_check_object(struct kmem_cache *cache, struct slab *slab, void *object, bool active)
{
	struct check c = { .cache = cache, .slab = slab, .object = object };
	u8 *p = object, red = active ? SLUB_RED_ACTIVE : SLUB_RED_INACTIVE;
	u32 used = used_bytes(cache, object, active);

	if (cache->flags & SLAB_RED_ZONE) {
		check_bytes(&c, "Left Redzone", p - cache->red_left_pad, red, cache->red_left_pad);
		check_bytes(&c, "Right Redzone", p + cache->object_size, red, cache->inuse - cache->object_size);
		check_bytes(&c, "kmalloc Redzone", p + used, red, cache->object_size - used);
	} else if (cache->flags & SLAB_POISON) {
		check_bytes(&c, "Alignment padding", p + cache->object_size, POISON_INUSE,
			    cache->inuse - cache->object_size);
	}
	if (cache->debug->poison && !active) {
		check_bytes(&c, "Poison", p, POISON_FREE, cache->object_size - 1);
		check_bytes(&c, "End Poison", p + cache->object_size - 1, POISON_END, 1);
	}
	check_meta(&c, active);
	if (cache->flags & SLAB_POISON)
		check_bytes(&c, "Object padding", p + cache->debug->end, POISON_INUSE,
			    (size_t)((u8 *)object_limit(cache, object) - (p + cache->debug->end)));
	return !c.failed;
}

bool debug_check_slab(struct kmem_cache *cache, struct slab *slab)
{
	struct heap_report report;
	const u8 *first, *end;
	size_t bytes, from;
	u8 *tail;

	if (!(cache->flags & SLAB_POISON))
		return true;
	bytes = slab_tail(cache, slab, &tail);
	if (is_filled(tail, POISON_INUSE, bytes, &first, &end))
		return true;
	report_prepare(&report, cache, slab);
	report_begin(&report, cache->name, "Padding overwritten. 0x" ADDR_FMT "-0x" ADDR_FMT " @offset=%tu",
		     ADDR(first), ADDR(end - 1), first - (const u8 *)slab_start(slab));
	report_slab(&report);
	dump_stack();
	from = (size_t)(first - tail) & ~(size_t)15;
	report_section("Padding", tail + from, min(bytes - from, (size_t)PADDING_SHOWN));
	report_end(&report);
	restore(cache, "slab padding", POISON_INUSE, first, end);
	return false;
}
