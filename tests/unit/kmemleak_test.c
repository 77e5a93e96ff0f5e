// SPDX-License-Identifier: MIT
/* kmemleak: planted leaks and exactly their reports; what keeps an object; colours, commands, its own memory. */
#include <octavo/fault.h>
#include <octavo/kmemleak.h>
#include <octavo/page.h>
#include <octavo/percpu.h>

#include "fault.h"
#include "mm/slab/kmemleak.h"
#include "mm/slab/meta.h"
#include "mm/sync/cpu.h"
#include "proc_text.h"

#define FILE_NAME "/sys/kernel/debug/kmemleak"

/*
 * Tests keep addresses as complements: on bare metal their own data and stack are scanned, and where arguments are on
 * the stack, they stay there. What functions left on the stack is wiped before a scan.
 */
#define HIDE(p) (~(uintptr_t)(p))
static inline void *SHOW(uintptr_t hidden)
{
	__asm__ volatile("" : "+r"(hidden)); /* worked out anew each time, and so not kept in between */
	return (void *)~hidden;
}

static void *held[4] __memsys; /* a root */

static noinline void wipe_stack(void)
{
	volatile uintptr_t words[4096 / sizeof(uintptr_t)];

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = 0;
	barrier();
}

static void begin(void)
{
	EXPECT_EQ(leak_start(), 0);
	leak.min_age_ns = 0;
	memset(held, 0, sizeof(held));
}

static void scan(void)
{
	wipe_stack();
	EXPECT_EQ(proc_put(FILE_NAME, "scan"), 4);
}

/* The first scan sees every object changed. */
static void scan_twice(void)
{
	scan();
	scan();
}

static noinline uintptr_t make(size_t size)
{
	void **p = kmalloc(size, GFP_KERNEL);

	EXPECT(p);
	if (p)
		memset(p, 0x11, size);
	return HIDE(p);
}

static noinline void point(uintptr_t from, unsigned int index, uintptr_t to, size_t inside)
{
	((char **)SHOW(from))[index] = (char *)SHOW(to) + inside;
}

static noinline void hold(unsigned int index, uintptr_t to, size_t inside)
{
	held[index] = (char *)SHOW(to) + inside;
}

static noinline void drop(uintptr_t hidden)
{
	kfree(SHOW(hidden));
}

static noinline void be_transient(uintptr_t hidden)
{
	kmemleak_transient_leak(SHOW(hidden));
}

static noinline void map_area(uintptr_t area, uintptr_t pages)
{
	kmemleak_vmalloc(SHOW(area), SHOW(pages), PAGE_SIZE, GFP_KERNEL);
}

static noinline void fill(uintptr_t hidden, int byte)
{
	memset(SHOW(hidden), byte, 64);
}

static noinline bool lost(uintptr_t hidden)
{
	const struct leak_object *object = leak_find(LEAK_VIRT, (uintptr_t)SHOW(hidden));

	return object && object->flags & LEAK_REPORTED && leak_is_lost(object);
}

static noinline struct leak_object *record(uintptr_t hidden)
{
	return leak_find(LEAK_VIRT, (uintptr_t)SHOW(hidden));
}

static unsigned int shown(void)
{
	const char *text = proc_text(FILE_NAME);
	unsigned int n = 0;

	for (; text && (text = strstr(text, "unreferenced object ")) != NULL; text++)
		n++;
	return n;
}

/* ---- The report ---- */

static noinline uintptr_t plant(struct kmem_cache *cache)
{
	char *p = kmem_cache_alloc(cache, GFP_KERNEL);

	EXPECT(p);
	if (p)
		memcpy(p, "leaked object 0123456789 ABCDEFGHIJKLMN", 40);
	return HIDE(p);
}

/* KL-I5: it is the only object, so its ends are the bounds of all. */
TEST(kmemleak, report)
{
	static const char expected[] = "  hex dump (first 32 bytes):\n"
				       "    6c 65 61 6b 65 64 20 6f 62 6a 65 63 74 20 30 31  leaked object 01\n"
				       "    32 33 34 35 36 37 38 39 20 41 42 43 44 45 46 47  23456789 ABCDEFG\n"
				       "  backtrace (crc 988df298):\n";
	struct kmem_cache *cache = kmem_cache_create("leaky", 40, 0, SLAB_NO_MERGE, NULL);
	const char *text, *console;
	uintptr_t hidden;
	char line[200], first[80];

	begin();
	ASSERT(cache);
	hidden = plant(cache);
	test_capture_begin();
	scan();
	EXPECT_STREQ(test_capture_end(), "");
	EXPECT_STREQ(proc_text(FILE_NAME), "");
	test_capture_begin();
	scan();
	console = test_capture_end();
	EXPECT(strstr(console, "kmemleak: 1 new suspected memory leaks (see /sys/kernel/debug/kmemleak)\n"));
	text = proc_text(FILE_NAME);
	octavo_snprintf(first, sizeof(first), "unreferenced object 0x%08llx (size 40):",
			(unsigned long long)(uintptr_t)SHOW(hidden));
	text = proc_line(text, line, sizeof(line));
	EXPECT_STREQ(line, first);
	text = proc_line(text, line, sizeof(line));
	EXPECT(proc_fits(line, "  comm \"swapper/0\", pid 0, jiffies {}"));
	ASSERT(text);
	EXPECT(!strncmp(text, expected, sizeof(expected) - 1));
	/* Only lines of the stack follow. */
	for (text += sizeof(expected) - 1; text && *text; text = proc_line(text, line, sizeof(line)))
		EXPECT(!strncmp(text, "    [<", 6));
	/* It is announced once, and gone when it is freed. */
	test_capture_begin();
	scan();
	EXPECT_STREQ(test_capture_end(), "");
	EXPECT_EQ(shown(), 1);
	kmem_cache_free(cache, SHOW(hidden));
	EXPECT_STREQ(proc_text(FILE_NAME), "");
	kmem_cache_destroy(cache);
}

TEST(kmemleak, jiffies_count_as_linux_does)
{
	EXPECT_EQ(leak_jiffies(0), (unsigned long)4294892296u);
	EXPECT_EQ(leak_jiffies(1000000000) - leak_jiffies(0), 250);
}

/* ---- What keeps an object ---- */

TEST(kmemleak, references)
{
	uintptr_t inside, end, behind, from_object, holder, unaligned;

	begin();
	holder = make(64);
	inside = make(200);
	end = make(64);
	behind = make(64);
	from_object = make(9000);
	unaligned = make(64);
	hold(0, holder, 0);
	hold(1, inside, 100);
	hold(2, end, 63);
	point(holder, 3, from_object, 8999);
	point(holder, 5, behind, 0);
	test_capture_begin();
	scan_twice();
	EXPECT(!lost(holder));
	EXPECT(!lost(inside));
	EXPECT(!lost(end));
	EXPECT(!lost(from_object));
	EXPECT(!lost(behind));
	EXPECT(lost(unaligned));
	EXPECT_EQ(shown(), 1);
	/* A pointer right behind an object is none. What was kept through it is lost with it. */
	point(holder, 5, behind, 64);
	hold(1, inside, 256);
	scan_twice();
	EXPECT(lost(behind));
	EXPECT(lost(inside));
	held[0] = NULL;
	scan_twice();
	EXPECT(lost(holder));
	EXPECT(lost(from_object));
	EXPECT(!lost(end));
	test_capture_end();
	EXPECT_EQ(shown(), 5);
	/* And what is found again is no leak. */
	hold(0, holder, 0);
	scan();
	EXPECT(!lost(holder) && !lost(from_object));
}

TEST(kmemleak, cycles_are_lost)
{
	uintptr_t ring[3], self, kept[2];

	begin();
	for (unsigned int i = 0; i < 3; i++)
		ring[i] = make(96);
	self = make(32);
	kept[0] = make(16);
	kept[1] = make(16);
	for (unsigned int i = 0; i < 3; i++)
		point(ring[i], 0, ring[(i + 1) % 3], 8);
	point(self, 0, self, 0);
	point(kept[0], 0, kept[1], 0);
	point(kept[1], 0, kept[0], 0);
	hold(0, kept[1], 0);
	test_capture_begin();
	scan_twice();
	test_capture_end();
	/* Each of the ring has a reference, but nobody comes there. */
	for (unsigned int i = 0; i < 3; i++)
		EXPECT(lost(ring[i]));
	EXPECT(lost(self));
	EXPECT(!lost(kept[0]) && !lost(kept[1]));
	EXPECT_EQ(shown(), 4);
}

/* KL-I1 */
TEST(kmemleak, follows_what_the_heap_gives)
{
	struct kmem_cache *quiet = kmem_cache_create("quiet", 72, 0, SLAB_NOLEAKTRACE | SLAB_NO_MERGE, NULL);
	struct kmem_cache *loud = kmem_cache_create("loud", 72, 0, SLAB_NO_MERGE, NULL);
	void *objects[20], *large, *before = kmalloc(100, GFP_KERNEL), *no;
	unsigned long nr;

	ASSERT(quiet && loud && before);
	begin();
	nr = leak.objects;
	EXPECT_EQ(kmem_cache_alloc_bulk(loud, GFP_KERNEL, 20, objects), 20);
	EXPECT_EQ(leak.objects, nr + 20);
	for (unsigned int i = 0; i < 20; i++) {
		const struct leak_object *object = leak_find(LEAK_VIRT, (uintptr_t)objects[i]);

		EXPECT(object && object->size == 72);
	}
	large = kmalloc(100000, GFP_KERNEL);
	ASSERT(large && leak_find(LEAK_VIRT, (uintptr_t)large));
	EXPECT_EQ(leak_find(LEAK_VIRT, (uintptr_t)large)->size, 100000);
	no = kmem_cache_alloc(quiet, GFP_KERNEL);
	EXPECT(no);
	EXPECT_EQ(leak.objects, nr + 21);
	kmem_cache_free(quiet, no);
	kfree(before);
	kfree(large);
	kmem_cache_free_bulk(loud, 20, objects);
	EXPECT_EQ(leak.objects, nr);
	kmem_cache_destroy(quiet);
	kmem_cache_destroy(loud);
}

/* ---- Colours ---- */

TEST(kmemleak, colours)
{
	uintptr_t grey, of_grey, black, of_black, deaf, of_deaf, part, in_part, out_of_part;

	begin();
	grey = make(32);
	of_grey = make(32);
	black = make(32);
	of_black = make(32);
	deaf = make(32);
	of_deaf = make(32);
	part = make(128);
	in_part = make(32);
	out_of_part = make(32);
	point(grey, 0, of_grey, 0);
	point(black, 0, of_black, 0);
	point(deaf, 0, of_deaf, 0);
	point(part, 8, in_part, 0);
	point(part, 2, out_of_part, 0);
	hold(0, deaf, 0);
	hold(1, part, 0);
	kmemleak_not_leak(SHOW(grey));
	kmemleak_ignore(SHOW(black));
	kmemleak_no_scan(SHOW(deaf));
	kmemleak_scan_area((void **)SHOW(part) + 8, sizeof(void *), GFP_KERNEL);
	test_capture_begin();
	scan_twice();
	test_capture_end();
	EXPECT(!lost(grey) && !lost(of_grey));
	EXPECT(!lost(black) && lost(of_black));
	EXPECT(!lost(deaf) && lost(of_deaf));
	EXPECT(!lost(part) && !lost(in_part) && lost(out_of_part));
	EXPECT_EQ(shown(), 3);
}

TEST(kmemleak, unknown_objects_are_named)
{
	uintptr_t p;

	begin();
	p = make(64);
	test_capture_begin();
	kmemleak_not_leak((char *)SHOW(p) + 8);
	kmemleak_ignore((char *)SHOW(p) + 8);
	kmemleak_no_scan((char *)SHOW(p) + 8);
	EXPECT(strstr(test_capture_end(), "kmemleak: Trying to color as Grey an unknown object at 0x"));
	test_capture_begin();
	kmemleak_scan_area(held, 4, GFP_KERNEL);
	EXPECT(strstr(test_capture_end(), "kmemleak: Adding scan area to unknown object at 0x"));
	test_capture_begin();
	kmemleak_scan_area((char *)SHOW(p) + 8, 100, GFP_KERNEL);
	EXPECT(strstr(test_capture_end(), "kmemleak: Scan area larger than object 0x"));
	EXPECT_EQ(record(p)->areas->size, 56);
	test_capture_begin();
	kmemleak_free_part(held, 8);
	EXPECT(strstr(test_capture_end(), "kmemleak: Partially freeing unknown object at 0x"));
	drop(p);
}

/* ---- Time ---- */

TEST(kmemleak, what_changes_is_in_use)
{
	uintptr_t p;

	begin();
	p = make(64);
	for (unsigned int i = 0; i < 3; i++) {
		fill(p, 0x20 + (int)i);
		scan();
		EXPECT(!lost(p));
	}
	be_transient(p);
	scan();
	EXPECT(!lost(p));
	test_capture_begin();
	scan();
	test_capture_end();
	EXPECT(lost(p));
}

TEST(kmemleak, young_objects_are_not_reported)
{
	uintptr_t p;

	begin();
	leak.min_age_ns = 3600000000000ull;
	p = make(64);
	scan_twice();
	EXPECT(!lost(p));
	EXPECT_EQ(shown(), 0);
	leak.min_age_ns = 0;
	test_capture_begin();
	scan();
	test_capture_end();
	EXPECT(lost(p));
}

/* ---- What others tell it ---- */

/* KL-I2 */
TEST(kmemleak, parts_and_overlaps)
{
	struct page *page = alloc_pages(GFP_KERNEL, 2);
	char *base = page ? page_address(page) : NULL;
	unsigned long nr;
	struct leak_object *object;

	ASSERT(base);
	begin();
	nr = leak.objects;
	kmemleak_alloc(base, 1000, 1, GFP_KERNEL);
	kmemleak_free_part(base + 100, 200);
	EXPECT_EQ(leak.objects, nr + 2);
	object = leak_find(LEAK_VIRT, (uintptr_t)base);
	EXPECT(object && object->size == 100);
	object = leak_find(LEAK_VIRT, (uintptr_t)base + 300);
	EXPECT(object && object->size == 700 && object->min_count == 1);
	kmemleak_free_part(base, 100);
	kmemleak_free_part(base + 900, 100);
	EXPECT_EQ(leak.objects, nr + 1);
	kmemleak_alloc(base + 900, 100, 1, GFP_KERNEL);
	kmemleak_free(base + 300);
	kmemleak_free(base + 900);
	EXPECT_EQ(leak.objects, nr);
	/* One that overlaps another cannot be: it ends all. */
	kmemleak_alloc(base + 64, 64, 1, GFP_KERNEL);
	test_capture_begin();
	kmemleak_alloc(base + 127, 10, 1, GFP_KERNEL);
	EXPECT(strstr(test_capture_end(), "into the object search tree (overlaps existing 0x"));
	EXPECT(!leak.enabled);
	EXPECT_EQ(leak.objects, nr + 1);
	EXPECT_EQ(proc_put(FILE_NAME, "clear"), 5);
	EXPECT_EQ(leak.objects, 0);
	__free_pages(page, 2);
}

static noinline uintptr_t make_in_pages(struct page *page, uintptr_t to)
{
	char **p = kmap_local_page(page);

	p[7] = SHOW(to);
	kunmap_local(p);
	return to;
}

TEST(kmemleak, physical_memory)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_HIGHMEM | __GFP_ZERO);
	phys_addr_t phys = page ? PFN_PHYS(page_to_pfn(page)) : 0;
	uintptr_t p;

	ASSERT(page);
	begin();
	p = make_in_pages(page, make(64));
	/* The contents of pages are nobody's business until somebody says so. */
	test_capture_begin();
	scan_twice();
	EXPECT(lost(p));
	kmemleak_alloc_phys(phys, PAGE_SIZE, GFP_KERNEL);
	scan();
	EXPECT(!lost(p));
	kmemleak_free_part_phys(phys + 56, 8);
	kmemleak_ignore_phys(phys);
	scan();
	EXPECT(lost(p));
	test_capture_end();
	kmemleak_free_part_phys(phys, 56);
	kmemleak_free_part_phys(phys + 64, PAGE_SIZE - 64);
	EXPECT(!leak.tree[LEAK_PHYS]);
	__free_page(page);
	drop(p);
}

static DEFINE_PER_CPU(void *, variable);

TEST(kmemleak, descriptors_and_percpu)
{
	struct page *page;
	void *__percpu *area;
	uintptr_t in_page, in_area, in_variable, in_last;

	begin();
	page = alloc_page(GFP_KERNEL);
	area = alloc_percpu(void *);
	ASSERT(page && area);
	in_page = make(64);
	in_area = make(64);
	in_variable = make(64);
	set_page_private(page, (uintptr_t)SHOW(in_page) + 5);
	*per_cpu_ptr(area, 0) = SHOW(in_area);
	per_cpu(variable, 0) = SHOW(in_variable);
	in_last = make(64);
	if (nr_cpu_ids > 1)
		per_cpu(variable, nr_cpu_ids - 1) = SHOW(in_last);
	else
		hold(0, in_last, 0);
	scan_twice();
	EXPECT_EQ(shown(), 0);
	set_page_private(page, 0);
	free_percpu(area);
	per_cpu(variable, 0) = NULL;
	per_cpu(variable, nr_cpu_ids - 1) = NULL;
	held[0] = NULL;
	__free_page(page);
	drop(in_area);
	test_capture_begin();
	scan_twice();
	test_capture_end();
	EXPECT(lost(in_page) && lost(in_variable) && lost(in_last));
}

static noinline uintptr_t make_page(void)
{
	unsigned long page = get_zeroed_page(GFP_KERNEL);

	EXPECT(page);
	return HIDE(page);
}

TEST(kmemleak, mapped_areas)
{
	uintptr_t area, pages = make_page();

	begin();
	area = make(64);
	point(area, 0, pages, 0);
	point(area, 1, area, 0); /* what it says of itself is not a reference */
	map_area(area, pages);
	EXPECT_EQ(record(pages)->min_count, 2);
	hold(0, area, 0);
	/* Its description alone is one reference; a second one to that counts for the area. */
	test_capture_begin();
	scan_twice();
	EXPECT(!lost(area) && lost(pages));
	hold(1, area, 0);
	scan();
	EXPECT(!lost(area) && !lost(pages));
	held[1] = NULL;
	hold(2, pages, 8);
	scan();
	EXPECT(!lost(pages));
	test_capture_end();
	kmemleak_free(SHOW(pages));
	free_page((unsigned long)SHOW(pages));
}

TEST(kmemleak, roots)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	void **root = page ? page_address(page) : NULL;
	uintptr_t p;

	ASSERT(root);
	begin();
	p = make(64);
	root[300] = SHOW(p);
	EXPECT_EQ(octavo_leak_root_add(root + 200, 101 * sizeof(*root), true), 0);
	EXPECT_EQ(octavo_leak_root_add(root, 100, false), 0);
	scan_twice();
	EXPECT(!lost(p));
	EXPECT_EQ(proc_put(FILE_NAME, "stack=off"), 9);
	test_capture_begin();
	scan_twice();
	EXPECT(lost(p));
	EXPECT_EQ(proc_put(FILE_NAME, "stack=on"), 8);
	scan();
	EXPECT(!lost(p));
	octavo_leak_root_remove(root + 200);
	octavo_leak_root_remove(root + 1);
	scan();
	EXPECT(lost(p));
	test_capture_end();
	octavo_leak_root_remove(root);
	EXPECT(!leak.roots);
	__free_page(page);
}

/* ---- Commands ---- */

TEST(kmemleak, absent_unless_asked_for)
{
	uintptr_t p = make(64);

	if (leak.started)
		SKIP("the machine was booted with kmemleak=on");
	EXPECT_EQ(proc_put(FILE_NAME, "scan"), -ENOENT);
	EXPECT_EQ(octavo_proc_read(FILE_NAME, proc_discard, NULL), -ENOENT);
	kmemleak_alloc(held, 8, 1, GFP_KERNEL);
	kmemleak_free(held);
	kmemleak_ignore(SHOW(p));
	kmemleak_scan_area(SHOW(p), 8, GFP_KERNEL);
	EXPECT_EQ(octavo_leak_root_add(held, sizeof(held), false), 0);
	octavo_leak_root_remove(held);
	EXPECT_EQ(leak.objects, 0);
	drop(p);
}

TEST(kmemleak, clear_and_dump)
{
	uintptr_t p, q;
	char command[40];

	begin();
	p = make(64);
	test_capture_begin();
	scan_twice();
	test_capture_end();
	EXPECT_EQ(shown(), 1);
	EXPECT_EQ(proc_put(FILE_NAME, "clear"), 5);
	EXPECT_EQ(shown(), 0);
	q = make(64);
	test_capture_begin();
	scan_twice();
	test_capture_end();
	EXPECT_EQ(shown(), 1);
	EXPECT(lost(q) && !lost(p));

	octavo_snprintf(command, sizeof(command), "dump=0x%llx", (unsigned long long)(uintptr_t)SHOW(q) + 3);
	test_capture_begin();
	EXPECT(proc_put(FILE_NAME, command) > 0);
	EXPECT(strstr(test_capture_end(), " (size 64):\n"));
	test_capture_begin();
	EXPECT(proc_put(FILE_NAME, command) > 0);
	EXPECT(strstr(test_capture_end(), "kmemleak:   min_count = 1\n"));
	test_capture_begin();
	EXPECT(proc_put(FILE_NAME, command) > 0);
	EXPECT(strstr(test_capture_end(), "kmemleak:   flags = 0x3\n"));
	test_capture_begin();
	EXPECT_EQ(proc_put(FILE_NAME, "dump=0x1000"), -EINVAL);
	EXPECT(strstr(test_capture_end(), "kmemleak: Unknown object at 0x00001000\n"));
	EXPECT_EQ(proc_put(FILE_NAME, "dump="), -EINVAL);
	EXPECT_EQ(proc_put(FILE_NAME, "scan=x"), -EINVAL);
	EXPECT_EQ(proc_put(FILE_NAME, "scan=60x"), -EINVAL);
	EXPECT_EQ(proc_put(FILE_NAME, "erase"), -EINVAL);
	EXPECT_EQ(proc_put(FILE_NAME, "scan=0"), 6);
	EXPECT_EQ(proc_put(FILE_NAME, "scan=off"), 8);
}

TEST(kmemleak, off)
{
	unsigned long pages;
	uintptr_t p, q;

	begin();
	p = make(64);
	q = make(64);
	test_capture_begin();
	scan_twice();
	test_capture_end();
	EXPECT_EQ(shown(), 2);
	pages = meta_pages();
	test_capture_begin();
	EXPECT_EQ(proc_put(FILE_NAME, "off"), 3);
	EXPECT(strstr(test_capture_end(), "kmemleak: Kernel memory leak detector disabled\n"));
	EXPECT_EQ(proc_put(FILE_NAME, "scan"), -EPERM);
	EXPECT_EQ(proc_put(FILE_NAME, "off"), -EPERM);
	/* What was found is still there, but nobody looks into it: it may have been freed unseen. */
	drop(p);
	EXPECT_EQ(shown(), 2);
	EXPECT(!strstr(proc_text(FILE_NAME), "hex dump"));
	EXPECT_EQ(proc_put(FILE_NAME, "clear"), 5);
	EXPECT_EQ(shown(), 0);
	EXPECT_EQ(leak.objects, 0);
	EXPECT(meta_pages() <= pages);
	drop(q);
	EXPECT_EQ(leak_start(), -EBUSY);
}

/* ---- Its own memory ---- */

TEST(kmemleak, no_memory_stops_it_and_nothing_else)
{
	const char *console;
	unsigned int stopped = 0;

	begin();
	for (unsigned int i = 0; i < 400 && !stopped; i++) {
		void *p;

		/* Page allocations fail from now on: the object may still come from a slab, its record not. */
		test_capture_begin();
		fail_page_alloc_set(&(struct fault_attr){ .probability = 100, .interval = 1, .times = -1 });
		p = kmalloc(8, GFP_NOWAIT | __GFP_NOWARN);
		fail_page_alloc_set(NULL);
		console = test_capture_end();
		stopped = !load_relaxed(&leak.enabled);
		if (stopped) {
			EXPECT(p);
			EXPECT(strstr(console, "kmemleak: Cannot allocate a kmemleak_object structure\n"));
			test_capture_begin();
			kfree(p);
			EXPECT_STREQ(test_capture_end(), "");
		} else if (!p) {
			held[0] = kmalloc(8, GFP_KERNEL);
		}
	}
	EXPECT(stopped);
	EXPECT_EQ(proc_put(FILE_NAME, "clear"), 5);
	EXPECT_EQ(leak.objects, 0);
}

/* KL-I4 */
TEST(kmemleak, freed_objects_are_not_on_the_gray_list)
{
	uintptr_t p, q;

	begin();
	p = make(64);
	q = make(64);
	list_add_tail(&record(p)->gray, &leak.gray);
	list_add_tail(&record(q)->gray, &leak.gray);
	drop(p);
	EXPECT(leak.gray.next == &record(q)->gray && leak.gray.prev == &record(q)->gray);
	drop(q);
	EXPECT(list_empty(&leak.gray));
}

/* KL-I2: the index against a table. */
TEST(kmemleak, index_agrees_with_a_table)
{
	enum { SLOTS = 200, STEP = 64 };
	struct leak_object *table[SLOTS] = { NULL };
	u64 seed = test_seed, other;
	unsigned int nr = 0;

	begin();
	leak_stop();
	leak_forget_all();
	for (unsigned int round = test_scaled(5000); round--;) {
		unsigned int i = (unsigned int)(test_random(&seed) % SLOTS), j;
		u64 addr = 0x10000 + (u64)i * STEP;

		if (table[i] && test_random(&seed) % 2) {
			leak_remove(LEAK_PHYS, table[i]);
			meta_free(table[i], sizeof(*table[i]));
			table[i] = NULL;
			nr--;
		} else {
			struct leak_object *object = meta_alloc(sizeof(*object), GFP_KERNEL, NUMA_NO_NODE);

			ASSERT(object);
			object->start = addr + test_random(&seed) % 8;
			object->size = 8 + test_random(&seed) % (STEP - 15);
			if (leak_insert(LEAK_PHYS, object, &other)) {
				EXPECT(!table[i]);
				table[i] = object;
				nr++;
			} else {
				EXPECT(table[i]);
				meta_free(object, sizeof(*object));
			}
		}
		EXPECT_EQ(leak.objects, nr);
		for (j = i; j < SLOTS && !table[j]; j++)
			;
		EXPECT(leak_from(LEAK_PHYS, addr) == (j < SLOTS ? table[j] : NULL));
		if (table[i]) {
			EXPECT(leak_containing(LEAK_PHYS, table[i]->start + table[i]->size - 1) == table[i]);
			EXPECT(leak_containing(LEAK_PHYS, table[i]->start + table[i]->size) == NULL);
			EXPECT(leak_find(LEAK_PHYS, table[i]->start) == table[i]);
		} else {
			EXPECT(!leak_containing(LEAK_PHYS, addr + STEP / 2));
		}
	}
	leak_forget_all();
	EXPECT_EQ(leak.objects, 0);
}
