// SPDX-License-Identifier: MIT
/* KFENCE: parameters, the pool, on and off. The theory stands in kfence.c. */
#include <octavo/gfp.h>
#include <octavo/port.h>

#include "../base/part.h"
#include "../base/printk.h"
#include "../boot/params.h"
#include "heap.h"
#include "kfence.h"

static struct mutex switch_mutex __memsys = MUTEX_INIT; /* guards making the pool, on and off */

/* ---- Parameters ---- */

static int number_param(const char *value, u64 lowest, u64 highest, u64 *number)
{
	u64 n;

	if (!value || parse_number(value, &n) || n < lowest || n > highest)
		return -EINVAL;
	*number = n;
	return 0;
}

static int sample_interval_param(const char *value)
{
	u64 n;
	int err = number_param(value, 0, 0x7fffffff, &n);

	if (!err)
		kfence.interval_ms = (unsigned long)n;
	return err;
}
early_param("kfence.sample_interval", sample_interval_param);

static int num_objects_param(const char *value)
{
	u64 n;
	int err = number_param(value, 1, KFENCE_OBJECTS_MAX, &n);

	if (!err)
		kfence.num_objects = (unsigned long)n;
	return err;
}
early_param("kfence.num_objects", num_objects_param);

static int skip_covered_param(const char *value)
{
	u64 n;
	int err = number_param(value, 0, 0x7fffffff, &n);

	if (!err)
		kfence.skip_covered_thresh = (u32)n;
	return err;
}
early_param("kfence.skip_covered_thresh", skip_covered_param);

static int check_on_panic_param(const char *value)
{
	bool on;
	int err = parse_bool(value, &on);

	if (!err)
		kfence.check_on_panic = on;
	return err;
}
early_param("kfence.check_on_panic", check_on_panic_param);

static int deferrable_param(const char *value)
{
	bool on;
	int err = parse_bool(value, &on);

	if (!err && on)
		pr_warn("kfence: kfence.deferrable has no effect: samples follow the clock, not a timer\n");
	return err;
}
early_param("kfence.deferrable", deferrable_param);

void register_kfence_ops(const struct kfence_ops *ops)
{
	kfence.ops = ops;
}

/* ---- The pool ---- */

static void tag_pages(struct page *first)
{
	heap_page_ops[HEAP_PAGE_GUARD] = &kfence_page_ops;
	for (size_t i = 0; i < kfence.bytes / PAGE_SIZE; i++) {
		struct page *page = pfn_to_page(page_to_pfn(first) + i);

		page->private_data = heap_page_tag(HEAP_PAGE_GUARD, (u32)i);
		store_relaxed(&page->_mapcount, 0);
		__SetPageSlab(page);
	}
}

/* Shut all of it. False: the port cannot, and nothing is shut. */
static bool shut_pool(uintptr_t pool)
{
	uintptr_t at = pool;

	while (at < pool + kfence.bytes && kfence.ops->protect(at, true))
		at += PAGE_SIZE;
	if (at == pool + kfence.bytes)
		return true;
	while (at > pool)
		kfence.ops->protect(at -= PAGE_SIZE, false);
	return false;
}

static int make_pool(void)
{
	unsigned int nr = kfence.num_objects ? (unsigned int)kfence.num_objects : KFENCE_NUM_OBJECTS;
	size_t bytes = ((size_t)nr + 1) * 2 * PAGE_SIZE;
	uintptr_t pool = (uintptr_t)alloc_pages_exact(bytes, GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN);
	size_t table = nr * sizeof(struct kfence_object), covered = (size_t)1 << KFENCE_COVERED_BITS;
	char *tables = pool ? alloc_pages_exact(table + covered, GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN) : NULL;
	int err = tables ? 0 : -ENOMEM;

	if (!err && kfence.ops && kfence.ops->prepare)
		err = kfence.ops->prepare(pool, bytes);
	if (err) {
		pr_err("kfence: failed to allocate the pool of %zu bytes: error %d\n", bytes, err);
		if (tables)
			free_pages_exact(tables, table + covered);
		if (pool)
			free_pages_exact((void *)pool, bytes);
		return err;
	}
	kfence.bytes = bytes;
	kfence.objects_nr = nr;
	kfence.objects = (struct kfence_object *)tables;
	kfence.covered = (u8 *)tables + table;
	for (unsigned int i = 0; i < nr; i++)
		list_add_tail(&kfence.objects[i].list, &kfence.free);
	tag_pages(virt_to_page((void *)pool));
	kfence.protects = kfence.ops && kfence.ops->protect && shut_pool(pool);
	store_release(&kfence.pool, pool);
	printk("kfence: initialized - using %zu bytes for %u objects at %p-%p\n", bytes, nr, (void *)pool,
	       (void *)(pool + bytes));
	if (!kfence.protects)
		pr_warn("kfence: this port cannot shut pages: damage is seen when objects are freed, access is not\n");
	return 0;
}

/* ---- On and off ---- */

static void switch_off(void)
{
	store_release(&kfence.enabled, 0);
	smp_mb();
	heap_tool_set(HEAP_TOOL_GUARD, NULL);
	store_relaxed(&kfence.due, 0);
	printk("kfence: disabled\n");
}

static int switch_on(void)
{
	int err = load_relaxed(&kfence.pool) ? 0 : make_pool();

	if (err)
		return err;
	/* The tool is asked wherever an allocation leaves the fast paths; they are shut only when a sample is due. */
	heap_tool_set(HEAP_TOOL_GUARD, &kfence_tool);
	heap_hooks_set(HEAP_GUARD, false);
	store_release(&kfence.enabled, 1);
	return 0;
}

int kfence_set_sample_interval(unsigned long ms)
{
	int err = 0;

	mutex_lock(&switch_mutex);
	store_relaxed_u64(&kfence.next_ns, port_clock_ns() + (u64)ms * 1000000);
	store_relaxed(&kfence.interval_ms, ms);
	if (!ms && load_relaxed(&kfence.enabled))
		switch_off();
	else if (ms && !load_relaxed(&kfence.enabled))
		err = switch_on();
	if (err)
		store_relaxed(&kfence.interval_ms, 0);
	mutex_unlock(&switch_mutex);
	return err;
}

/* Out of memory for it is no reason not to boot. */
static int kfence_init(void)
{
	spin_lock_init(&kfence.lock, LOCK_RANK_GUARD);
	INIT_LIST_HEAD(&kfence.free);
	if (kfence.interval_ms && kfence_set_sample_interval(kfence.interval_ms))
		pr_err("kfence: off\n");
	return 0;
}
MM_PART(kfence, .order = MM_PART_GUARD, .init = kfence_init);
