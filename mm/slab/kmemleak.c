// SPDX-License-Identifier: MIT
/*
 * kmemleak.
 *
 * Purpose
 *	To name the objects that nobody can free any more because nobody has their address: a conservative mark and
 *	sweep over the machine's memory that frees nothing and only reports (Boehm and Weiser 1988).
 *
 * Words
 *	followed: there is a record of the object, made when it was allocated and dropped when it is freed.
 *	reference: an aligned word that, read as an address, lies in an object, at its start or anywhere inside.
 *	white: fewer references than min_count were seen in this scan. Gray: enough; it is, or will be, scanned itself.
 *	black: neither reported nor scanned (min_count -1). Objects with min_count 0 are gray from the start.
 *	lost: white at the end of a scan, and older than min_age.
 *
 * Structures
 *
 *	  roots                               objects                             lost
 *	  memsys section -----------+         +-----------+    +-----------+      +-----------+    +-----------+
 *	  memblock's, kernel image -+-------> | kmalloc   | -> | inside    |      | A         | -> | B         |
 *	  descriptors in use -------+         +-----------+    +-----------+      +-----------+ <- +-----------+
 *	  registered ranges --------+         (marked gray, one after the other)  (only they know each other)
 *
 *	A record is in a search tree by address (kmemleak_index.c) and, while it is to be scanned, on the gray list.
 *	Records are memory of meta_alloc(), which is not scanned, so they keep no object alive.
 *
 * What is scanned
 *	As in Linux 6.12 the contents of pages that the page allocator gave out are not: they hold users' data for the
 *	most part, where any word may look like an address. Who keeps pointers there says so with kmemleak_alloc().
 *	Their descriptors are (private_data, mapping_index), and so are per-CPU variables and areas. Stacks are
 *	scanned when whoever runs tasks registers them, as the core does not know them; the stack of the scan itself is
 *	not, unless it is among these.
 *	Free objects are not followed, so neither they nor the magazines that hold them are looked at; but a followed
 *	object, a stack or a root may still hold the stale address of memory that has been given out anew, and hide a
 *	leak: that is the price of being conservative.
 *	The other way round a pointer that is kept XORed, compressed or beyond a word's alignment is not seen.
 *
 * Invariants
 *	KL-I1  while kmemleak is on, each allocated object of the heap (but SLAB_NOLEAKTRACE) that was allocated since
 *	       has exactly one record, with its start and size; a freed one has none.
 *	KL-I2  records of one kind of address do not overlap.
 *	KL-I3  memory of an object is read only with the lock held and after its record was found there: a free removes
 *	       the record first, and so waits at most for one piece of a scan.
 *	KL-I4  a record on the gray list has a tree; removing it takes it off both.
 *	KL-I5  nothing that is scanned holds the address of an object on kmemleak's account: bounds are kept as
 *	       complements, cursors on the scan's stack, which is left out, records in memory that is not scanned.
 *
 * Locking
 *	leak.lock guards all records, both structures and the roots; interrupts are off, and it is held for one look-up
 *	or one piece of memory (1 KiB). leak.mutex lets one scan, listing or command be at a time.
 *
 * Memory use and bounds
 *	128 bytes an object (64-bit), its stack once among all that are alike (stackdepot.c).
 *
 * What failure does
 *	No memory for a record, or objects that overlap: kmemleak says so and stops, as it could only give wrong
 *	answers from then on; allocations go on as ever. What it found can still be read, until "clear".
 *
 * Differences from Linux
 *	No early log: memblock's memory is scanned as a whole. One lock instead of one an object. Where the port has no
 *	threads, scans are made on request only. Times are of port_clock_ns(); without a clock nothing ever gets old
 *	enough to be reported. kmemleak_vmalloc() takes the address, as there is no vm_struct.
 *
 * Sources
 *	Linux 6.12, Documentation/dev-tools/kmemleak.rst.
 */
#include "kmemleak.h"

#include <octavo/port.h>

#include "../base/part.h"
#include "../base/printk.h"
#include "../base/string.h"
#include "../boot/params.h"
#include "../phys/gfp.h"
#include "../phys/stackdepot.h"
#include "meta.h"
#include "percpu.h"
#include "slab.h"

#define CALLER ((uintptr_t)__builtin_return_address(0))

struct leak leak __memsys = { .lock = { .rank = LOCK_RANK_LEAK }, .mutex = MUTEX_INIT };

/* ---- Records ---- */

static struct leak_object *record_make(gfp_t gfp)
{
	return meta_alloc(sizeof(struct leak_object),
			  (gfp & (GFP_KERNEL | GFP_ATOMIC)) | __GFP_NORETRY | __GFP_NOMEMALLOC | __GFP_NOWARN,
			  NUMA_NO_NODE);
}

static void record_free(struct leak_object *object)
{
	struct leak_area *area, *next;

	for (area = object->areas; area; area = next) {
		next = area->next;
		meta_free(area, sizeof(*area));
	}
	meta_free(object, sizeof(*object));
}

void leak_stop(void)
{
	if (!atomic_xchg(&leak.enabled, 0))
		return;
	heap_tool_set(HEAP_TOOL_LEAK, NULL);
	percpu_tool_set(NULL);
	pr_info("kmemleak: Kernel memory leak detector disabled\n");
}

static void no_record(void)
{
	pr_warn("kmemleak: Cannot allocate a kmemleak_object structure\n");
	leak_stop();
}

/* Into its tree. What cannot be there stops everything. */
static void follow(struct leak_object *object)
{
	enum leak_kind kind = leak_kind(object);
	unsigned long flags;
	bool on, good = true;
	u64 other = 0;

	spin_lock_irqsave(&leak.lock, flags);
	on = load_relaxed(&leak.enabled);
	if (on) {
		object->serial = ++leak.serial;
		good = leak_insert(kind, object, &other);
	}
	if (on && good && kind == LEAK_VIRT) {
		store_relaxed(&leak.not_low, max(leak.not_low, ~(uintptr_t)object->start));
		store_relaxed(&leak.not_high, min(leak.not_high, ~(uintptr_t)(object->start + object->size)));
	}
	spin_unlock_irqrestore(&leak.lock, flags);
	if (!good) {
		pr_warn("kmemleak: Cannot insert 0x%llx into the object search tree (overlaps existing 0x%llx)\n",
			(unsigned long long)object->start, (unsigned long long)other);
		leak_stop();
	}
	if (!on || !good)
		record_free(object);
}

static void create(enum leak_kind kind, u64 start, size_t size, int min_count, gfp_t gfp, uintptr_t caller)
{
	struct leak_object *object = size ? record_make(gfp) : NULL;
	char name[32];

	if (!object) {
		if (size)
			no_record();
		return;
	}
	object->start = start;
	object->size = size;
	object->flags = LEAK_ALLOCATED | (kind == LEAK_PHYS ? LEAK_IS_PHYS : 0);
	object->min_count = min_count;
	object->born_ns = port_clock_ns();
	object->pid = (s32)current_task_pid();
	strscpy(object->comm, current_task_name(name, sizeof(name)), sizeof(object->comm));
	stack_depot_reserve(gfp | __GFP_NOWARN);
	object->trace = stack_depot_save_current(caller);
	follow(object);
}

/* No longer followed: the one that begins at @start. False: none does. */
static bool forget(enum leak_kind kind, u64 start)
{
	struct leak_object *object;
	unsigned long flags;

	spin_lock_irqsave(&leak.lock, flags);
	object = leak_find(kind, start);
	if (object)
		leak_remove(kind, object);
	spin_unlock_irqrestore(&leak.lock, flags);
	if (object)
		record_free(object);
	return object != NULL;
}

/* What remains of an object after a part of it was freed. */
static void keep_part(const struct leak_object *whole, u64 start, u64 end)
{
	struct leak_object *object;

	if (start >= end)
		return;
	object = record_make(GFP_NOWAIT);
	if (!object) {
		no_record();
		return;
	}
	*object = *whole;
	object->areas = NULL;
	object->gray.next = NULL;
	object->start = start;
	object->size = (size_t)(end - start);
	follow(object);
}

static void forget_part(enum leak_kind kind, u64 start, size_t size)
{
	struct leak_object *object;
	unsigned long flags;
	u64 end;

	if (!load_relaxed(&leak.enabled))
		return;
	spin_lock_irqsave(&leak.lock, flags);
	object = leak_containing(kind, start);
	if (object)
		leak_remove(kind, object);
	spin_unlock_irqrestore(&leak.lock, flags);
	if (!object) {
		pr_warn("kmemleak: Partially freeing unknown object at 0x%llx (size %zu)\n",
			(unsigned long long)start, size);
		return;
	}
	end = object->start + object->size;
	if (size > end - start)
		pr_warn("kmemleak: Freeing %zu bytes at 0x%llx of an object that ends at 0x%llx\n", size,
			(unsigned long long)start, (unsigned long long)end);
	keep_part(object, object->start, start);
	keep_part(object, start + min((u64)size, end - start), end);
	record_free(object);
}

void leak_forget_all(void)
{
	struct leak_object *object;
	unsigned long flags;

	for (int kind = LEAK_VIRT; kind < LEAK_KINDS; kind++)
		do {
			spin_lock_irqsave(&leak.lock, flags);
			object = leak.tree[kind];
			if (object)
				leak_remove((enum leak_kind)kind, object);
			spin_unlock_irqrestore(&leak.lock, flags);
			if (object)
				record_free(object);
		} while (object);
}

/* ---- The heap's objects ---- */

static void heap_allocated(struct kmem_cache *cache, const void *object, size_t size, gfp_t gfp, uintptr_t caller)
{
	size_t room = cache ? ksize(object) : 0;

	if (!load_relaxed(&leak.enabled) || (cache && cache->flags & SLAB_NOLEAKTRACE))
		return;
	/* Linux's number: the size of the cache's objects; slob and the guarded pool give out just what was asked. */
	if (cache)
		size = room ? min((size_t)cache->object_size, room) : size;
	create(LEAK_VIRT, (uintptr_t)object, size, 1, gfp, caller);
}

static void heap_freeing(const void *object, uintptr_t caller)
{
	(void)caller;
	if (load_relaxed(&leak.enabled))
		forget(LEAK_VIRT, (uintptr_t)object);
}

static const struct heap_tool leak_tool = { .allocated = heap_allocated, .freeing = heap_freeing };

/* ---- What others tell ---- */

void kmemleak_alloc(const void *ptr, size_t size, int min_count, gfp_t gfp)
{
	if (load_relaxed(&leak.enabled) && !ZERO_OR_NULL_PTR(ptr))
		create(LEAK_VIRT, (uintptr_t)ptr, size, min_count, gfp, CALLER);
}

void kmemleak_free(const void *ptr)
{
	if (load_relaxed(&leak.enabled) && !ZERO_OR_NULL_PTR(ptr))
		forget(LEAK_VIRT, (uintptr_t)ptr);
}

void kmemleak_free_part(const void *ptr, size_t size)
{
	if (!ZERO_OR_NULL_PTR(ptr))
		forget_part(LEAK_VIRT, (uintptr_t)ptr, size);
}

void kmemleak_alloc_phys(phys_addr_t phys, size_t size, gfp_t gfp)
{
	if (load_relaxed(&leak.enabled))
		create(LEAK_PHYS, phys, size, 0, gfp, CALLER);
}

void kmemleak_free_part_phys(phys_addr_t phys, size_t size)
{
	forget_part(LEAK_PHYS, phys, size);
}

void kmemleak_alloc_percpu(const void *ptr, size_t size, gfp_t gfp)
{
	for_each_possible_cpu(cpu)
		if (load_relaxed(&leak.enabled))
			create(LEAK_VIRT, (uintptr_t)octavo_per_cpu_ptr(ptr, cpu), size, LEAK_GREY, gfp, CALLER);
}

void kmemleak_free_percpu(const void *ptr)
{
	for_each_possible_cpu(cpu)
		if (load_relaxed(&leak.enabled))
			forget(LEAK_VIRT, (uintptr_t)octavo_per_cpu_ptr(ptr, cpu));
}

static const struct percpu_tool leak_percpu = { kmemleak_alloc_percpu, kmemleak_free_percpu };

/* The followed object at @addr, with the lock held; NULL, and the lock is not held, after a report of @what. */
static struct leak_object *lock_object(enum leak_kind kind, u64 addr, bool inside, unsigned long *flags,
				       const char *what)
{
	struct leak_object *object;

	if (!load_relaxed(&leak.enabled))
		return NULL;
	spin_lock_irqsave(&leak.lock, *flags);
	object = inside ? leak_containing(kind, addr) : leak_find(kind, addr);
	if (object)
		return object;
	spin_unlock_irqrestore(&leak.lock, *flags);
	pr_warn("kmemleak: %s unknown object at 0x%08llx\n", what, (unsigned long long)addr);
	return NULL;
}

static void paint(enum leak_kind kind, u64 addr, int min_count)
{
	unsigned long flags;
	struct leak_object *object = lock_object(kind, addr, false, &flags,
						 min_count == LEAK_GREY ? "Trying to color as Grey an" :
									  "Trying to color as Black an");

	if (!object)
		return;
	object->min_count = min_count;
	if (min_count == LEAK_BLACK)
		object->flags |= LEAK_NO_SCAN;
	spin_unlock_irqrestore(&leak.lock, flags);
}

void kmemleak_not_leak(const void *ptr)
{
	paint(LEAK_VIRT, (uintptr_t)ptr, LEAK_GREY);
}

void kmemleak_ignore(const void *ptr)
{
	paint(LEAK_VIRT, (uintptr_t)ptr, LEAK_BLACK);
}

void kmemleak_ignore_phys(phys_addr_t phys)
{
	paint(LEAK_PHYS, phys, LEAK_BLACK);
}

static void set_flag(const void *ptr, u32 flag, const char *what)
{
	unsigned long flags;
	struct leak_object *object = lock_object(LEAK_VIRT, (uintptr_t)ptr, false, &flags, what);

	if (!object)
		return;
	object->flags |= flag;
	spin_unlock_irqrestore(&leak.lock, flags);
}

void kmemleak_no_scan(const void *ptr)
{
	set_flag(ptr, LEAK_NO_SCAN, "Not scanning");
}

void kmemleak_transient_leak(const void *ptr)
{
	set_flag(ptr, LEAK_CHANGED, "Not reporting the transient leak of an");
}

void kmemleak_update_trace(const void *ptr)
{
	unsigned long flags;
	u32 trace = load_relaxed(&leak.enabled) ? stack_depot_save_current(CALLER) : 0;
	struct leak_object *object = lock_object(LEAK_VIRT, (uintptr_t)ptr, false, &flags, "Updating stack trace for");

	if (!object)
		return;
	object->trace = trace;
	spin_unlock_irqrestore(&leak.lock, flags);
}

void kmemleak_vmalloc(const void *area, const void *addr, size_t size, gfp_t gfp)
{
	unsigned long flags;
	struct leak_object *object;

	if (!load_relaxed(&leak.enabled))
		return;
	create(LEAK_VIRT, (uintptr_t)addr, size, 2, gfp, CALLER);
	object = lock_object(LEAK_VIRT, (uintptr_t)area, false, &flags, "Mapped area described by");
	if (!object)
		return;
	object->excess_ref = (uintptr_t)addr;
	spin_unlock_irqrestore(&leak.lock, flags);
}

void kmemleak_scan_area(const void *ptr, size_t size, gfp_t gfp)
{
	struct leak_area *area;
	struct leak_object *object;
	unsigned long flags;
	const u64 start = (uintptr_t)ptr;
	u64 end;

	if (!load_relaxed(&leak.enabled))
		return;
	area = meta_alloc(sizeof(*area), gfp | __GFP_NOWARN, NUMA_NO_NODE);
	object = lock_object(LEAK_VIRT, start, true, &flags, "Adding scan area to");
	if (!object) {
		if (area)
			meta_free(area, sizeof(*area));
		return;
	}
	end = object->start + object->size;
	if (!area) {
		object->flags |= LEAK_FULL_SCAN;
	} else {
		area->start = start;
		area->size = (size_t)min((u64)size, end - start);
		area->next = object->areas;
		object->areas = area;
	}
	spin_unlock_irqrestore(&leak.lock, flags);
	if (!area)
		pr_warn("kmemleak: Cannot allocate a scan area, scanning the full object\n");
	else if (size != SIZE_MAX && size > end - start)
		pr_warn("kmemleak: Scan area larger than object 0x%08llx: %zu bytes from 0x%08llx on\n",
			(unsigned long long)(end - 1), size, (unsigned long long)start);
}

/* ---- Roots ---- */

int octavo_leak_root_add(const void *start, size_t size, bool stack)
{
	struct leak_root *root;
	unsigned long flags;

	if (!load_relaxed(&leak.enabled))
		return 0;
	root = meta_alloc(sizeof(*root), GFP_KERNEL, NUMA_NO_NODE);
	if (!root)
		return -ENOMEM;
	root->start = start;
	root->size = size;
	root->stack = stack;
	spin_lock_irqsave(&leak.lock, flags);
	root->next = leak.roots;
	leak.roots = root;
	spin_unlock_irqrestore(&leak.lock, flags);
	return 0;
}

void octavo_leak_root_remove(const void *start)
{
	struct leak_root **link, *root;
	unsigned long flags;

	if (!leak.started)
		return;
	spin_lock_irqsave(&leak.lock, flags);
	for (link = &leak.roots; *link && (*link)->start != start;)
		link = &(*link)->next;
	root = *link;
	if (root)
		*link = root->next;
	spin_unlock_irqrestore(&leak.lock, flags);
	if (root)
		meta_free(root, sizeof(*root));
}

/* ---- Start ---- */

int leak_start(void)
{
	if (leak.started)
		return -EBUSY;
	INIT_LIST_HEAD(&leak.gray);
	leak.started = true;
	leak.stacks = true;
	leak.thread = 1;
	leak.not_low = 0;
	leak.not_high = ~(uintptr_t)0;
	leak.min_age_ns = 5000000000ull;
	leak.scan_wait_ns = 600000000000ull;
	store_release(&leak.enabled, 1);
	heap_tool_set(HEAP_TOOL_LEAK, &leak_tool);
	percpu_tool_set(&leak_percpu);
	pr_info("kmemleak: Kernel memory leak detector initialized\n");
	if (leak_command("scan=on"))
		pr_info("kmemleak: no kernel threads here: memory is scanned on request only\n");
	return 0;
}

static int set_kmemleak(const char *value)
{
	if (!value || (strcmp(value, "on") && strcmp(value, "off")))
		return -EINVAL;
	leak.wanted = !strcmp(value, "on");
	return 0;
}
early_param("kmemleak", set_kmemleak);

static int leak_init(void)
{
	return leak.wanted ? leak_start() : 0;
}
MM_PART(leak, .order = MM_PART_LEAK, .init = leak_init);
