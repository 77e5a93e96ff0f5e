// SPDX-License-Identifier: MIT
/*
 * Reports of misuse of the heap, in the form of Linux 6.12's SLUB: a banner, what is wrong, who allocated and freed
 * the object, the slab, the object's bytes and those around it, the stack; and what was done about it ("FIX").
 *
 * One report at a time: the lock is taken after everything that needs another one was found out, because a report may
 * be made with a node's lock held.
 */
#include "../phys/page_report.h"
#include "backend.h"
#include "debug.h"

#include <octavo/verify.h>

#include "../base/printk.h"
#include "../base/string.h"

#define ROW 16u /* bytes in a line of a dump */
#define SECTION_MAX PAGE_SIZE
#define BANNER "============================================================================="
#define DASHES "-----------------------------------------------------------------------------"

spinlock_t heap_report_lock __memsys = { .rank = LOCK_RANK_REPORT };

/* ---- Pieces ---- */

/* Linux's taint flags: proprietary modules none (G), a bad page (B) once something was found. */
static const char *taint(void)
{
	return load_relaxed(&heap.errors) || bad_pages() ? "Tainted: G    B             " : "Not tainted";
}

void report_prepare(struct heap_report *report, struct kmem_cache *cache, struct slab *slab)
{
	*report = (struct heap_report){ .cache = cache, .slab = slab };
	if (!slab || !slab->cache)
		return;
	for (u32 i = 0; i < slab->objects; i++) {
		void *object = slab_object(slab->cache, slab, i);

		if (!slab_debug_is_free(slab, slab->cache, object))
			report->used++;
		else if (!report->free)
			report->free = object;
	}
}

void report_begin(struct heap_report *report, const char *name, const char *fmt, ...)
{
	char text[200];
	va_list args;

	va_start(args, fmt);
	octavo_vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	spin_lock_irqsave(&heap_report_lock, report->flags);
	pr_err(BANNER "\n");
	pr_err("BUG %s (%s): %s\n", name, taint(), text);
	pr_err(DASHES "\n\n");
	atomic_add_relaxed(&heap.errors, 1);
}

void report_end(struct heap_report *report)
{
	spin_unlock_irqrestore(&heap_report_lock, report->flags);
}

void report_fix(const char *name, const char *fmt, ...)
{
	char text[200];
	va_list args;

	va_start(args, fmt);
	octavo_vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	pr_err("FIX %s: %s\n", name, text);
}

static void print_track(const char *what, const struct track *track)
{
	char name[128];

	if (!track->addr)
		return;
	port_symbol(track->addr, name, sizeof(name));
	pr_err("%s in %s age=%u cpu=%u pid=%d\n", what, name, slab_debug_jiffies() - track->when, track->cpu,
	       track->pid);
	if (track->stack)
		stack_depot_print(track->stack);
}

void report_tracking(struct kmem_cache *cache, const void *object)
{
	const struct track *track = slab_debug_track(cache, object, TRACK_ALLOC);

	if (!track)
		return;
	print_track("Allocated", track);
	print_track("Freed", slab_debug_track(cache, object, TRACK_FREE));
}

void report_slab(const struct heap_report *report)
{
	const struct slab *slab = report->slab;
	const struct page *page = slab ? heap_page(slab_start(slab)) : NULL;
	char flags[300];

	if (!page)
		return;
	page_flags_text(flags, sizeof(flags), page);
	if (slab->cache)
		pr_err("Slab 0x" ADDR_FMT " objects=%u used=%u fp=0x" ADDR_FMT " flags=%s\n", ADDR(page), slab->objects,
		       report->used, ADDR(report->free), flags);
	else
		pr_err("Page 0x" ADDR_FMT " with objects of several caches, flags=%s\n", ADDR(page), flags);
}

void report_section(const char *name, const void *from, size_t bytes)
{
	const u8 *data = from;

	bytes = min(bytes, (size_t)SECTION_MAX);
	for (size_t at = 0; at < bytes; at += ROW) {
		unsigned int n = (unsigned int)min(bytes - at, (size_t)ROW);
		char line[ROW * 3 + 2 + ROW + 1];

		memset(line, ' ', sizeof(line));
		for (unsigned int i = 0; i < n; i++) {
			u8 c = data[at + i];

			octavo_snprintf(line + i * 3, 3, "%02x", c);
			line[i * 3 + 2] = ' ';
			line[ROW * 3 + 1 + i] = c >= ' ' && c <= '~' ? (char)c : '.';
		}
		line[ROW * 3 + 1 + n] = 0;
		pr_err("%-9s" ADDR_FMT ": %s\n", name, ADDR(data + at), line);
	}
}

/* The free object behind this one, as if free objects were linked in their order. */
static const void *next_free(const struct heap_report *report, const void *object)
{
	const struct slab *slab = report->slab;
	struct kmem_cache *cache = slab->cache;
	u32 index;

	if (!cache || !cache->debug || !slab_has_object(cache, slab, object, &index))
		return NULL;
	while (++index < slab->objects)
		if (slab_debug_is_free(report->slab, cache, slab_object(cache, slab, index)))
			return slab_object(cache, slab, index);
	return NULL;
}

void report_object(const struct heap_report *report, const void *object)
{
	struct kmem_cache *cache = report->cache;
	const char *start = slab_start(report->slab), *p = object;

	report_tracking(cache, object);
	report_slab(report);
	pr_err("Object 0x" ADDR_FMT " @offset=%tu fp=0x" ADDR_FMT "\n\n", ADDR(p), p - start,
	       ADDR(next_free(report, object)));
	if (cache->flags & SLAB_RED_ZONE)
		report_section("Redzone", p - cache->red_left_pad, cache->red_left_pad);
	else if (p > start + ROW)
		report_section("Bytes b4", p - ROW, ROW);
	report_section("Object", p, cache->object_size);
	if (cache->flags & SLAB_RED_ZONE)
		report_section("Redzone", p + cache->object_size, cache->inuse - cache->object_size);
	if (cache->debug && object_limit(cache, object) > p + cache->debug->end)
		report_section("Padding", p + cache->debug->end,
			       (size_t)(object_limit(cache, object) - (p + cache->debug->end)));
	dump_stack();
}

void report_object_error(struct kmem_cache *cache, struct slab *slab, const void *object, const char *fmt, ...)
{
	struct heap_report report;
	char text[200];
	va_list args;

	va_start(args, fmt);
	octavo_vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	report_prepare(&report, cache, slab);
	report_begin(&report, cache->name, "%s", text);
	report_object(&report, object);
	report_end(&report);
}

/* ---- Frees that make no sense ---- */

static void print_caller(uintptr_t caller)
{
	char name[128];

	if (!caller)
		return;
	port_symbol(caller, name, sizeof(name));
	pr_err("Called from %s\n", name);
}

static void print_not_freed(const char *name, const void *object)
{
	report_fix(name, "Object at 0x" ADDR_FMT " not freed", ADDR(object));
}

void heap_report_wild_free(const void *object, uintptr_t caller)
{
	struct page *page = heap_page(object);
	struct heap_report report;
	char flags[300];

	report_prepare(&report, NULL, NULL);
	report_begin(&report, "kfree", "Attempt to free object(0x" ADDR_FMT ") outside of slab", ADDR(object));
	print_caller(caller);
	if (page && pfn_valid(page_to_pfn(page))) {
		page_flags_text(flags, sizeof(flags), page);
		pr_err("It lies in the page with pfn 0x%lx, which is no slab; refcount=%d flags=%s\n",
		       page_to_pfn(page), page_ref_count(page), flags);
	} else {
		pr_err("It lies in no memory that the heap may have\n");
	}
	dump_stack();
	print_not_freed("kfree", object);
	report_end(&report);
}

void heap_report_invalid_free(struct kmem_cache *cache, struct slab *slab, const void *object, uintptr_t caller)
{
	struct kmem_cache *real = slab->cache;
	const char *start = backend_object_of(slab, object), *name;
	struct heap_report report;

	if (!real && start)
		real = backend_cache_of(slab, start);
	real = real ? real : cache;
	name = real ? real->name : backend_name;
	report_prepare(&report, real, slab);
	report_begin(&report, name, "Invalid object pointer 0x" ADDR_FMT, ADDR(object));
	print_caller(caller);
	if (start && real) {
		pr_err("It points %tu bytes into the object at 0x" ADDR_FMT "\n", (const char *)object - start,
		       ADDR(start));
		report_object(&report, start);
	} else {
		report_slab(&report);
		dump_stack();
	}
	print_not_freed(name, object);
	report_end(&report);
}

void heap_report_double_free(struct kmem_cache *cache, struct slab *slab, const void *object)
{
	struct heap_report report;

	report_prepare(&report, cache, slab);
	report_begin(&report, cache->name, "Object already free");
	report_object(&report, object);
	print_not_freed(cache->name, object);
	report_end(&report);
}

void heap_report_wrong_cache(struct kmem_cache *asked, struct kmem_cache *real, const void *object,
			     uintptr_t caller)
{
	struct heap_report report;

	report_prepare(&report, real, NULL);
	spin_lock_irqsave(&heap_report_lock, report.flags);
	atomic_add_relaxed(&heap.errors, 1);
	pr_err("cache_from_obj: Wrong slab cache. %s but object is from %s\n", asked->name, real->name);
	print_caller(caller);
	report_tracking(real, object);
	dump_stack();
	print_not_freed(asked->name, object);
	report_end(&report);
}

/* ---- Objects that outlive their cache ---- */

static void print_remaining(struct kmem_cache *cache, const struct slab *slab, const void *object)
{
	bool damaged = cache->debug && READ_ONCE(object_meta(cache, object)->state) == OBJECT_DAMAGED;

	pr_err("Object 0x" ADDR_FMT " @offset=%tu%s\n", ADDR(object),
	       (const char *)object - (const char *)slab_start(slab), damaged ? " was found damaged and kept" : "");
	report_tracking(cache, object);
}

/* The next allocated object of @cache at or behind *@at; *@at moves behind it. Pages of several caches are searched. */
static void *next_remaining(struct kmem_cache *cache, struct slab *slab, size_t *at)
{
	if (slab->cache) {
		while (*at < slab->objects) {
			void *object = slab_object(cache, slab, (u32)(*at)++);

			if (!slab_debug_is_free(slab, cache, object))
				return object;
		}
		return NULL;
	}
	while (*at < PAGE_SIZE << slab->order) {
		char *p = (char *)slab_start(slab) + *at;

		*at += ARCH_KMALLOC_MINALIGN;
		if (backend_object_of(slab, p) == p && backend_cache_of(slab, p) == cache)
			return p;
	}
	return NULL;
}

static bool report_remaining_on(struct slab *slab, void *ctx)
{
	struct kmem_cache *cache = ctx;
	struct heap_report report;
	size_t at = 0;
	void *object = next_remaining(cache, slab, &at);

	if (!object)
		return true;
	report_prepare(&report, cache, slab);
	report_begin(&report, cache->name, "Objects remaining in %s on __kmem_cache_shutdown()", cache->name);
	report_slab(&report);
	dump_stack();
	report_end(&report);
	for (; object; object = next_remaining(cache, slab, &at))
		print_remaining(cache, slab, object);
	return true;
}

void heap_report_remaining(struct kmem_cache *cache)
{
	backend_for_each_slab(cache, report_remaining_on, cache);
	pr_err("kmem_cache_destroy %s: Slab cache still has objects\n", cache->name);
}
