// SPDX-License-Identifier: MIT
/* Planted bugs, and the very reports they must bring: caches with debugging flags of their own, any back end. */
#include <octavo/slab.h>
#include <octavo/verify.h>

#include "harness.h"
#include "mm/slab/backend.h"
#include "mm/slab/debug.h"
#include "report_mask.h"

#define FULL (SLAB_CONSISTENCY_CHECKS | SLAB_RED_ZONE | SLAB_POISON | SLAB_STORE_USER)

#define BANNER "=============================================================================\n"
#define DASHES "-----------------------------------------------------------------------------\n"
/* Objects of 20 bytes have zones of the same sizes on 32-bit and 64-bit. */
#define SIZE 20u
#define SLAB_LINE "Slab ADDR objects=N used=N fp=ADDR flags=F\n"
#define OBJECT_LINE "Object ADDR @offset=N fp=ADDR\n"
#define ALLOCATED(test) "Allocated in test_slab_debug_" test "+OFF age=N cpu=N pid=N\n"
#define FREED(test) "Freed in test_slab_debug_" test "+OFF age=N cpu=N pid=N\n"
#define LEFT_CC "Redzone  ADDR: cc cc cc cc cc cc cc cc                          ........\n"
#define RIGHT_CC "Redzone  ADDR: cc cc cc cc                                      ....\n"
#define LEFT_BB "Redzone  ADDR: bb bb bb bb bb bb bb bb                          ........\n"
#define RIGHT_BB "Redzone  ADDR: bb bb bb bb                                      ....\n"
#define OBJECT_X \
	"Object   ADDR: 78 78 78 78 78 78 78 78 78 78 78 78 78 78 78 78  xxxxxxxxxxxxxxxx\n" \
	"Object   ADDR: 78 78 78 78                                      xxxx\n"
#define OBJECT_POISON \
	"Object   ADDR: 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b  kkkkkkkkkkkkkkkk\n" \
	"Object   ADDR: 6b 6b 6b a5                                      kkk.\n"
#define PADDING "Padding  ADDR: 5a 5a 5a 5a 5a 5a 5a 5a                          ZZZZZZZZ\n"

static char masked[16384];

static struct kmem_cache *cache_of(const char *name, unsigned int size, slab_flags_t flags)
{
	return kmem_cache_create(name, size, 0, flags | SLAB_NO_USER_FLAGS, NULL); /* whatever the command line says */
}

static const char *end_masked(void)
{
	return report_mask(masked, sizeof(masked), test_capture_end());
}

/* From here on nothing may be reported: what it is good for is checked by the caller. */
static void expect_quiet(void (*fn)(struct kmem_cache *cache, void *object), struct kmem_cache *cache, void *object)
{
	unsigned long errors = heap_errors();

	test_capture_begin();
	fn(cache, object);
	EXPECT_STREQ(end_masked(), "");
	EXPECT_EQ(heap_errors(), errors);
}

/* @anchor: an object that kept its slab alive: slob gives a slab back with its last object */
static void destroy(struct kmem_cache *cache, void *anchor)
{
	kmem_cache_free(cache, anchor);
	kmem_cache_destroy(cache);
}

/* HD-I3 */
TEST(slab_debug, overflow_to_the_right)
{
	struct kmem_cache *cache = cache_of("dbg-right", SIZE, FULL);
	unsigned long errors = heap_errors();
	u8 *p;

	ASSERT(cache);
	p = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(p);
	memset(p, 'x', SIZE);
	p[SIZE] = 0;
	test_capture_begin();
	kmem_cache_free(cache, p);
	EXPECT_STREQ(end_masked(),
		     BANNER "BUG dbg-right (T): Right Redzone overwritten\n" DASHES
			    "ADDR-ADDR @offset=N. First byte 0x0 instead of 0xcc\n" ALLOCATED("overflow_to_the_right")
		     SLAB_LINE OBJECT_LINE LEFT_CC OBJECT_X
		     "Redzone  ADDR: 00 cc cc cc                                      ....\n" PADDING "CPU\n"
		     "FIX dbg-right: Restoring Right Redzone ADDR-ADDR=0xcc\n"
		     "FIX dbg-right: Object at ADDR not freed\n");
	EXPECT_EQ(heap_errors(), errors + 1);
	/* put right, it is an object like any other */
	expect_quiet(kmem_cache_free, cache, p);
	expect_quiet(destroy, cache, NULL);
}

TEST(slab_debug, overflow_to_the_left)
{
	struct kmem_cache *cache = cache_of("dbg-left", SIZE, FULL);
	u8 *p;

	ASSERT(cache);
	p = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(p);
	memset(p, 'x', SIZE);
	p[-1] = '!';
	test_capture_begin();
	kmem_cache_free(cache, p);
	EXPECT_STREQ(end_masked(),
		     BANNER "BUG dbg-left (T): Left Redzone overwritten\n" DASHES
			    "ADDR-ADDR @offset=N. First byte 0x21 instead of 0xcc\n" ALLOCATED("overflow_to_the_left")
		     SLAB_LINE OBJECT_LINE
		     "Redzone  ADDR: cc cc cc cc cc cc cc 21                          .......!\n" OBJECT_X RIGHT_CC
		     PADDING "CPU\n"
		     "FIX dbg-left: Restoring Left Redzone ADDR-ADDR=0xcc\n"
		     "FIX dbg-left: Object at ADDR not freed\n");
	expect_quiet(kmem_cache_free, cache, p);
	expect_quiet(destroy, cache, NULL);
}

TEST(slab_debug, overflow_both_ways_is_one_report)
{
	struct kmem_cache *cache = cache_of("dbg-both", SIZE, FULL);
	u8 *p;

	ASSERT(cache);
	p = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(p);
	memset(p - 3, 'x', SIZE + 3 + 4);
	test_capture_begin();
	kmem_cache_free(cache, p);
	end_masked();
	EXPECT(strstr(masked, "BUG dbg-both (T): Left Redzone overwritten\n"));
	EXPECT(!strstr(masked, "Right Redzone overwritten"));
	EXPECT(strstr(masked, "FIX dbg-both: Restoring Left Redzone ADDR-ADDR=0xcc\n"
			      "FIX dbg-both: Restoring Right Redzone ADDR-ADDR=0xcc\n"
			      "FIX dbg-both: Object at ADDR not freed\n"));
	expect_quiet(kmem_cache_free, cache, p);
	expect_quiet(destroy, cache, NULL);
}

TEST(slab_debug, overflow_into_slack)
{
	struct kmem_cache *cache = cache_of("dbg-slack", SIZE, FULL | SLAB_KMALLOC);
	u8 *p, *anchor;

	ASSERT(cache);
	anchor = kmem_cache_alloc(cache, GFP_KERNEL);
	p = kmalloc_cache_alloc(cache, GFP_KERNEL | __GFP_ZERO, 17);
	ASSERT(p && anchor);
	for (unsigned int i = 0; i < 17; i++)
		EXPECT_EQ(p[i], 0);
	kmem_cache_free(cache, p);
	p = kmalloc_cache_alloc(cache, GFP_KERNEL, 17);
	ASSERT(p);
	memset(p, 'x', 18);
	test_capture_begin();
	kfree(p);
	EXPECT_STREQ(end_masked(),
		     BANNER "BUG dbg-slack (T): kmalloc Redzone overwritten\n" DASHES
			    "ADDR-ADDR @offset=N. First byte 0x78 instead of 0xcc\n" ALLOCATED("overflow_into_slack")
		     FREED("overflow_into_slack") SLAB_LINE OBJECT_LINE LEFT_CC
		     "Object   ADDR: 78 78 78 78 78 78 78 78 78 78 78 78 78 78 78 78  xxxxxxxxxxxxxxxx\n"
		     "Object   ADDR: 78 78 cc cc                                      xx..\n" RIGHT_CC PADDING "CPU\n"
		     "FIX dbg-slack: Restoring kmalloc Redzone ADDR-ADDR=0xcc\n"
		     "FIX dbg-slack: Object at ADDR not freed\n");
	expect_quiet(kmem_cache_free, cache, p);
	expect_quiet(destroy, cache, anchor);
}

/* All objects of the cache's one slab but one, of others if some are damaged. Return: how many are in @objects. */
static unsigned int take_slab(struct kmem_cache *cache, void **objects, unsigned int max)
{
	unsigned int n = 0, want = cache->objects - 1u;

	while (n < min(want, max) && (objects[n] = kmem_cache_alloc(cache, GFP_KERNEL)) != NULL)
		n++;
	return n;
}

static void *objects[512] __memsys;

/* HD-I1 */
TEST(slab_debug, write_after_free)
{
	struct kmem_cache *cache = cache_of("dbg-uaf", SIZE, FULL);
	unsigned int n;
	u8 *p, *anchor;

	ASSERT(cache && cache->objects <= ARRAY_SIZE(objects));
	anchor = kmem_cache_alloc(cache, GFP_KERNEL);
	p = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(p && anchor);
	kmem_cache_free(cache, p);
	EXPECT_EQ(p[0], POISON_FREE);
	EXPECT_EQ(p[SIZE - 1], POISON_END);
	p[5] = 'x';
	test_capture_begin();
	n = take_slab(cache, objects, ARRAY_SIZE(objects));
	EXPECT_STREQ(end_masked(),
		     BANNER "BUG dbg-uaf (T): Poison overwritten\n" DASHES
			    "ADDR-ADDR @offset=N. First byte 0x78 instead of 0x6b\n" ALLOCATED("write_after_free")
		     FREED("write_after_free") SLAB_LINE OBJECT_LINE LEFT_BB
		     "Object   ADDR: 6b 6b 6b 6b 6b 78 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b  kkkkkxkkkkkkkkkk\n"
		     "Object   ADDR: 6b 6b 6b a5                                      kkk.\n" RIGHT_BB PADDING "CPU\n"
		     "FIX dbg-uaf: Restoring Poison ADDR-ADDR=0x6b\n"
		     "FIX dbg-uaf: Object at ADDR kept out of use\n");
	EXPECT_EQ(n, cache->objects - 1);
	for (unsigned int i = 0; i < n; i++) {
		EXPECT(objects[i] != p);
		kmem_cache_free(cache, objects[i]);
	}
	kmem_cache_free(cache, anchor);
	/* what is kept out of use is told, and its slab kept */
	test_capture_begin();
	kmem_cache_destroy(cache);
	end_masked();
	EXPECT(strstr(masked, "Objects remaining in dbg-uaf on __kmem_cache_shutdown()\n"));
	EXPECT(strstr(masked, "Object ADDR @offset=N was found damaged and kept\n"));
}

/* HD-I2 */
TEST(slab_debug, double_free)
{
	static const slab_flags_t flags[] = { FULL, SLAB_STORE_USER, SLAB_RED_ZONE, SLAB_POISON,
					      SLAB_CONSISTENCY_CHECKS };

	for (unsigned int i = 0; i < ARRAY_SIZE(flags); i++) {
		struct kmem_cache *cache = cache_of("dbg-double", SIZE, flags[i]);
		unsigned long errors = heap_errors();
		void *p, *anchor;

		ASSERT(cache);
		anchor = kmem_cache_alloc(cache, GFP_KERNEL);
		p = kmem_cache_alloc(cache, GFP_KERNEL);
		ASSERT(p && anchor);
		kmem_cache_free(cache, p);
		test_capture_begin();
		kmem_cache_free(cache, p);
		end_masked();
		if (flags[i] == FULL)
			EXPECT_STREQ(masked, BANNER "BUG dbg-double (T): Object already free\n" DASHES
				     ALLOCATED("double_free") FREED("double_free") SLAB_LINE OBJECT_LINE LEFT_BB
				     OBJECT_POISON RIGHT_BB PADDING "CPU\n"
				     "FIX dbg-double: Object at ADDR not freed\n");
		EXPECT(strstr(masked, "BUG dbg-double (T): Object already free\n"));
		EXPECT_EQ(heap_errors(), errors + 1);
		/* it was freed once: it can be had once */
		EXPECT_EQ(heap_verify(NULL, NULL), 0);
		expect_quiet(destroy, cache, anchor);
	}
}

TEST(slab_debug, free_of_an_interior_pointer)
{
	struct kmem_cache *cache = cache_of("dbg-inner", SIZE, FULL);
	u8 *p;

	ASSERT(cache);
	p = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(p);
	memset(p, 'x', SIZE);
	test_capture_begin();
	kmem_cache_free(cache, p + 8);
	EXPECT_STREQ(end_masked(),
		     BANNER "BUG dbg-inner (T): Invalid object pointer ADDR\n" DASHES
			    "Called from test_slab_debug_free_of_an_interior_pointer+OFF\n"
			    "It points 8 bytes into the object at ADDR\n" ALLOCATED("free_of_an_interior_pointer")
		     SLAB_LINE OBJECT_LINE LEFT_CC OBJECT_X RIGHT_CC PADDING "CPU\n"
		     "FIX dbg-inner: Object at ADDR not freed\n");
	expect_quiet(kmem_cache_free, cache, p);
	expect_quiet(destroy, cache, NULL);
}

TEST(slab_debug, free_of_a_wild_pointer)
{
	struct page *page = alloc_page(GFP_KERNEL);
	void *outside = (void *)0x8000; /* below all machines' direct maps */
	void *inside;

	ASSERT(page);
	inside = page_address(page);
	test_capture_begin();
	kfree(outside);
	EXPECT_STREQ(end_masked(), BANNER "BUG kfree (T): Attempt to free object(ADDR) outside of slab\n" DASHES
				   "Called from test_slab_debug_free_of_a_wild_pointer+OFF\n"
				   "It lies in no memory that the heap may have\n"
				   "CPU\n"
				   "FIX kfree: Object at ADDR not freed\n");
	test_capture_begin();
	kfree(inside);
	end_masked();
	EXPECT(strstr(masked, "BUG kfree (T): Attempt to free object(ADDR) outside of slab\n" DASHES
			      "Called from test_slab_debug_free_of_a_wild_pointer+OFF\n"
			      "It lies in the page with pfn 0x"));
	EXPECT(strstr(masked, ", which is no slab; refcount=N flags=F\n"));
	EXPECT_EQ(page_ref_count(page), 1);
	__free_page(page);
}

TEST(slab_debug, free_to_another_cache)
{
	struct kmem_cache *cache = cache_of("dbg-mine", SIZE, FULL), *other = cache_of("dbg-other", SIZE, FULL);
	unsigned long errors = heap_errors();
	void *p;

	ASSERT(cache && other);
	p = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(p);
	test_capture_begin();
	kmem_cache_free(other, p);
	EXPECT_STREQ(end_masked(), "cache_from_obj: Wrong slab cache. dbg-other but object is from dbg-mine\n"
				   "Called from test_slab_debug_free_to_another_cache+OFF\n"
				   ALLOCATED("free_to_another_cache")
				   "CPU\n"
				   "FIX dbg-other: Object at ADDR not freed\n");
	EXPECT_EQ(heap_errors(), errors + 1);
	expect_quiet(kmem_cache_free, cache, p);
	expect_quiet(destroy, cache, NULL);
	expect_quiet(destroy, other, NULL);
}

TEST(slab_debug, destroy_with_live_objects)
{
	struct kmem_cache *cache = cache_of("dbg-live", SIZE, FULL);
	void *p, *q, *r;

	ASSERT(cache);
	p = kmem_cache_alloc(cache, GFP_KERNEL);
	q = kmem_cache_alloc(cache, GFP_KERNEL);
	r = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(p && q && r);
	kmem_cache_free(cache, q);
	test_capture_begin();
	kmem_cache_destroy(cache);
	EXPECT_STREQ(end_masked(), BANNER
		     "BUG dbg-live (T): Objects remaining in dbg-live on __kmem_cache_shutdown()\n" DASHES SLAB_LINE
		     "CPU\n"
		     "Object ADDR @offset=N\n" ALLOCATED("destroy_with_live_objects")
		     "Object ADDR @offset=N\n" ALLOCATED("destroy_with_live_objects")
		     "kmem_cache_destroy dbg-live: Slab cache still has objects\n");
}

TEST(slab_debug, damaged_padding)
{
	struct kmem_cache *cache = cache_of("dbg-pad", SIZE, FULL);
	u8 *p;

	ASSERT(cache);
	p = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(p);
	memset(p, 'x', SIZE);
	p[cache->debug->end + 2] = 0;
	test_capture_begin();
	kmem_cache_free(cache, p);
	EXPECT_STREQ(end_masked(),
		     BANNER "BUG dbg-pad (T): Object padding overwritten\n" DASHES
			    "ADDR-ADDR @offset=N. First byte 0x0 instead of 0x5a\n" ALLOCATED("damaged_padding")
		     SLAB_LINE OBJECT_LINE LEFT_CC OBJECT_X RIGHT_CC
		     "Padding  ADDR: 5a 5a 00 5a 5a 5a 5a 5a                          ZZ.ZZZZZ\n"
		     "CPU\n"
		     "FIX dbg-pad: Restoring Object padding ADDR-ADDR=0x5a\n"
		     "FIX dbg-pad: Object at ADDR not freed\n");
	expect_quiet(kmem_cache_free, cache, p);
	expect_quiet(destroy, cache, NULL);
}

TEST(slab_debug, damaged_tail_of_a_slab)
{
	struct kmem_cache *cache;
	struct slab *slab;
	u8 *p, *tail, *end;

	/* a size that leaves a tail with each back end's descriptors */
	cache = cache_of("dbg-tail", 1000, FULL);
	ASSERT(cache);
	p = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(p);
	slab = page_slab(heap_page(p));
	tail = (u8 *)slab->base + (size_t)slab->objects * cache->size - cache->red_left_pad;
	end = (u8 *)slab_start(slab) + (PAGE_SIZE << slab->order);
	ASSERT(end - tail >= 16);
	end[-16] = 'x';
	test_capture_begin();
	kmem_cache_free(cache, p);
	end_masked();
	EXPECT(strstr(masked, BANNER "BUG dbg-tail (T): Padding overwritten. ADDR-ADDR @offset=N\n" DASHES SLAB_LINE
			      "CPU\n"
			      "Padding  ADDR: ") == masked);
	EXPECT(strstr(masked, "FIX dbg-tail: Restoring slab padding ADDR-ADDR=0x5a\n"));
	EXPECT(!strstr(masked, "not freed"));
	EXPECT_EQ(end[-16], POISON_INUSE);
	expect_quiet(destroy, cache, NULL);
}

TEST(slab_debug, damaged_metadata)
{
	struct kmem_cache *cache = cache_of("dbg-meta", SIZE, FULL);
	u8 *p;

	ASSERT(cache);
	p = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(p);
	p[cache->inuse] ^= 1;
	test_capture_begin();
	kmem_cache_free(cache, p);
	end_masked();
	EXPECT(strstr(masked, "BUG dbg-meta (T): Object metadata overwritten\n"));
	EXPECT(strstr(masked, "FIX dbg-meta: Restoring state of object ADDR\n"
			      "FIX dbg-meta: Object at ADDR not freed\n"));
	expect_quiet(kmem_cache_free, cache, p);
	expect_quiet(destroy, cache, NULL);
}

/* ---- Sizes of kmalloc() objects ---- */

TEST(slab_debug, krealloc_moves_the_red_zone)
{
	struct kmem_cache *cache = cache_of("dbg-resize", 64, FULL | SLAB_KMALLOC);
	u8 *p;

	ASSERT(cache);
	p = kmalloc_cache_alloc(cache, GFP_KERNEL | __GFP_ZERO, 20);
	ASSERT(p);
	EXPECT_EQ(p[20], SLUB_RED_ACTIVE);
	EXPECT(krealloc(p, 40, GFP_KERNEL | __GFP_ZERO) == p);
	for (unsigned int i = 0; i < 40; i++)
		EXPECT_EQ(p[i], 0);
	for (unsigned int i = 40; i < 64; i++)
		EXPECT_EQ(p[i], SLUB_RED_ACTIVE);
	EXPECT(krealloc(p, 10, GFP_KERNEL) == p);
	EXPECT_EQ(p[10], SLUB_RED_ACTIVE);
	EXPECT(krealloc(p, 30, GFP_KERNEL | __GFP_ZERO) == p);
	EXPECT_EQ(p[29], 0);
	p[30] = 1;
	test_capture_begin();
	kfree(p);
	EXPECT(strstr(end_masked(), "BUG dbg-resize (T): kmalloc Redzone overwritten\n"));
	expect_quiet(kmem_cache_free, cache, p);
	expect_quiet(destroy, cache, NULL);
}

TEST(slab_debug, krealloc_elsewhere_takes_what_was_asked_for)
{
	struct kmem_cache *cache = cache_of("dbg-grow", 64, FULL | SLAB_KMALLOC);
	u8 *p, *q;

	ASSERT(cache);
	p = kmalloc_cache_alloc(cache, GFP_KERNEL | __GFP_ZERO, 20);
	ASSERT(p);
	memset(p, 'x', 20);
	q = krealloc(p, 200, GFP_KERNEL | __GFP_ZERO);
	ASSERT(q && q != p);
	for (unsigned int i = 0; i < 200; i++)
		EXPECT_EQ(q[i], i < 20 ? 'x' : 0);
	kfree(q);
	expect_quiet(destroy, cache, NULL);
}

TEST(slab_debug, ksize_gives_the_slack_away)
{
	struct kmem_cache *cache = cache_of("dbg-ksize", 64, FULL | SLAB_KMALLOC);
	u8 *p;

	ASSERT(cache);
	p = kmalloc_cache_alloc(cache, GFP_KERNEL, 20);
	ASSERT(p);
	EXPECT_EQ(ksize(p), 64);
	memset(p, 'x', 64);
	expect_quiet(kmem_cache_free, cache, p);
	p = kmalloc_cache_alloc(cache, GFP_KERNEL, 20);
	ASSERT(p);
	kfree_sensitive(p);
	expect_quiet(destroy, cache, NULL);
}

/* ---- Contents that are not poisoned ---- */

static void construct(void *object)
{
	memset(object, 'c', SIZE);
}

TEST(slab_debug, constructed_objects_keep_their_contents)
{
	struct kmem_cache *cache = kmem_cache_create("dbg-ctor", SIZE, 0, FULL | SLAB_NO_USER_FLAGS, construct);
	u8 *p, *anchor;

	ASSERT(cache);
	anchor = kmem_cache_alloc(cache, GFP_KERNEL);
	p = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(p && anchor);
	EXPECT_EQ(p[0], 'c');
	EXPECT_EQ(p[SIZE - 1], 'c');
	kmem_cache_free(cache, p);
	EXPECT_EQ(p[SIZE - 1], 'c');
	EXPECT_EQ(p[SIZE], SLUB_RED_INACTIVE);
	p[SIZE] = 0;
	test_capture_begin();
	EXPECT_EQ(slab_debug_validate(cache), 1);
	EXPECT(strstr(end_masked(), "BUG dbg-ctor (T): Right Redzone overwritten\n"));
	expect_quiet(destroy, cache, anchor);
}

/* ---- Without all flags ---- */

TEST(slab_debug, poison_alone_guards_the_alignment_too)
{
	struct kmem_cache *cache = cache_of("dbg-poison", SIZE + 1, SLAB_POISON | SLAB_CONSISTENCY_CHECKS);
	u8 *p;

	ASSERT(cache);
	p = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(p);
	EXPECT_EQ(p[SIZE], POISON_END);
	p[SIZE + 1] = 'x';
	test_capture_begin();
	kmem_cache_free(cache, p);
	end_masked();
	EXPECT(strstr(masked, "BUG dbg-poison (T): Alignment padding overwritten\n"));
	EXPECT(strstr(masked, "First byte 0x78 instead of 0x5a\n"));
	EXPECT(!strstr(masked, "Allocated in"));
	expect_quiet(kmem_cache_free, cache, p);
	expect_quiet(destroy, cache, NULL);
}

TEST(slab_debug, nothing_is_looked_at_without_checks)
{
	struct kmem_cache *cache = cache_of("dbg-lax", SIZE, SLAB_RED_ZONE | SLAB_POISON);
	u8 *p;

	ASSERT(cache);
	p = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(p);
	p[SIZE] = 0;
	test_capture_begin();
	EXPECT_EQ(slab_debug_validate(cache), 1);
	EXPECT(strstr(end_masked(), "BUG dbg-lax (T): Right Redzone overwritten\n"));
	EXPECT_EQ(slab_debug_validate(cache), 0);
	p[SIZE] = 0;
	expect_quiet(kmem_cache_free, cache, p);
	expect_quiet(destroy, cache, NULL);
}

TEST(slab_debug, trace_tells_of_everything)
{
	struct kmem_cache *cache = cache_of("dbg-trace", SIZE, SLAB_TRACE);
	void *p;

	ASSERT(cache);
	test_capture_begin();
	p = kmem_cache_alloc(cache, GFP_KERNEL);
	EXPECT_STREQ(end_masked(), "TRACE dbg-trace alloc ADDR inuse=N fp=ADDR\nCPU\n");
	ASSERT(p);
	memset(p, 'x', SIZE);
	test_capture_begin();
	kmem_cache_free(cache, p);
	EXPECT_STREQ(end_masked(), "TRACE dbg-trace free ADDR inuse=N fp=ADDR\n" OBJECT_X "CPU\n");
	expect_quiet(destroy, cache, NULL);
}

/* ---- Caches without debugging ---- */

TEST(slab_debug, wrong_frees_without_debugging)
{
	struct kmem_cache *cache = cache_of("plain", SIZE, SLAB_NO_MERGE);
	struct kmem_cache *other = cache_of("plain-other", SIZE, SLAB_NO_MERGE);
	unsigned long errors = heap_errors();
	u8 *p, *anchor;

	ASSERT(cache && other);
	anchor = kmem_cache_alloc(cache, GFP_KERNEL);
	p = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(p && anchor);
	test_capture_begin();
	kmem_cache_free(other, p);
	EXPECT(strstr(end_masked(), "cache_from_obj: Wrong slab cache. plain-other but object is from plain\n"));
	EXPECT_EQ(heap_errors(), errors + 1);
	test_capture_begin();
	kmem_cache_free(cache, p + 1);
	(void)kmem_cache_shrink(cache); /* interior pointers are seen at the latest when they reach a slab */
	end_masked();
	EXPECT(strstr(masked, "BUG plain (T): Invalid object pointer ADDR\n"));
	EXPECT(strstr(masked, "It points 1 bytes into the object at ADDR\n"));
	EXPECT_EQ(heap_errors(), errors + 2);
	kmem_cache_free(cache, p);
	test_capture_begin();
	kmem_cache_free(cache, p);
	(void)kmem_cache_shrink(cache);
	end_masked();
	EXPECT(strstr(masked, "BUG plain (T): Object already free\n") ||
	       strstr(masked, "BUG plain (T): Invalid object pointer ADDR\n"));
	EXPECT_EQ(heap_errors(), errors + 3);
	test_capture_begin();
	kmem_cache_destroy(cache);
	EXPECT(strstr(end_masked(), "Objects remaining in plain on __kmem_cache_shutdown()\n"));
	EXPECT(strstr(masked, "Object ADDR @offset=N\nkmem_cache_destroy plain: Slab cache still has objects\n"));
	expect_quiet(destroy, other, NULL);
}

/* ---- Lists of who allocated ---- */

static char traces[4096];
static size_t traces_len;

static void put_traces(void *ctx, const char *text, size_t len)
{
	(void)ctx;
	len = min(len, sizeof(traces) - 1 - traces_len);
	memcpy(traces + traces_len, text, len);
	traces_len += len;
	traces[traces_len] = 0;
}

TEST(slab_debug, lists_of_places)
{
	struct kmem_cache *cache = cache_of("dbg-list", 64, FULL | SLAB_KMALLOC);
	volatile unsigned int three = 3; /* the loop stays one, and its body one place */
	void *p[4];

	ASSERT(cache);
	for (unsigned int i = 0; i < three; i++)
		p[i] = kmalloc_cache_alloc(cache, GFP_KERNEL, 60);
	p[3] = kmalloc_cache_alloc(cache, GFP_KERNEL, 64);
	ASSERT(p[0] && p[1] && p[2] && p[3]);
	traces_len = 0;
	ASSERT(!slab_debug_traces(cache, TRACK_ALLOC, put_traces, NULL));
	EXPECT(strstr(traces, "      3 test_slab_debug_lists_of_places+0x"));
	EXPECT(strstr(traces, " waste=12/4 age="));
	EXPECT(strstr(traces, "      1 test_slab_debug_lists_of_places+0x"));
	EXPECT(strstr(traces, " cpus="));
	traces_len = 0;
	ASSERT(!slab_debug_traces(cache, TRACK_FREE, put_traces, NULL));
	EXPECT(strstr(traces, "      4 <not-available> age="));
	for (unsigned int i = 0; i < 4; i++)
		kfree(p[i]);
	traces_len = 0;
	ASSERT(!slab_debug_traces(cache, TRACK_ALLOC, put_traces, NULL));
	EXPECT_STREQ(traces, "No data\n");
	expect_quiet(destroy, cache, NULL);
	cache = cache_of("dbg-nolist", 64, SLAB_RED_ZONE);
	ASSERT(cache);
	EXPECT_EQ(slab_debug_traces(cache, TRACK_ALLOC, put_traces, NULL), -ENOSYS);
	expect_quiet(destroy, cache, NULL);
}

TEST(slab_debug, a_report_has_stacks)
{
	struct kmem_cache *cache = cache_of("dbg-stack", SIZE, FULL);
	uintptr_t pc;
	const char *text;
	u8 *p;

	if (!port_backtrace(&pc, 1))
		SKIP("the port has no backtrace");
	ASSERT(cache);
	p = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(p);
	p[SIZE] = 0;
	test_capture_begin();
	kmem_cache_free(cache, p);
	text = test_capture_end();
	text = strstr(text, "Allocated in test_slab_debug_a_report_has_stacks+0x");
	ASSERT(text);
	/* the stack begins with who called the heap, not inside it */
	EXPECT(strstr(strchr(text, '\n'), "]  test_slab_debug_a_report_has_stacks+0x") < strstr(text, "Slab 0x"));
	EXPECT(strstr(text, "]  <TASK>\n"));
	expect_quiet(kmem_cache_free, cache, p);
	expect_quiet(destroy, cache, NULL);
}
