// SPDX-License-Identifier: MIT
/* kmalloc() and its relations: every size, zones, zeroing, resizing, copies, limits, frees that make no sense. */
#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/slab.h>
#include <octavo/verify.h>

#include "heapbook.h"
#include "mm/phys/zone.h"
#include "mm/slab/backend.h"

static struct heapbook book;
static struct heapbook *const books[] = { &book };

static void begin(void)
{
	heapbook_init(&book, 0);
	heap_census_begin();
}

static void end(void)
{
	EXPECT_STREQ(heap_census_end(books, 1) ?: "", "");
}

static bool all_bytes(const void *p, unsigned char byte, size_t from, size_t to)
{
	const unsigned char *bytes = p;

	while (from < to && bytes[from] == byte)
		from++;
	return from >= to;
}

/* ---- Sizes ---- */

/* The book checks alignment, disjointness, ksize() and zeroing of each. */
TEST(kmalloc, every_size_up_to_the_largest_class)
{
	begin();
	for (size_t size = 0; size <= 8200; size++) {
		EXPECT(heapbook_kmalloc(&book, size, GFP_KERNEL | (size & 1 ? __GFP_ZERO : 0), NUMA_NO_NODE));
		if (book.nr > 300) {
			EXPECT_STREQ(book.wrong ?: "", "");
			heapbook_free_all(&book);
		}
	}
	EXPECT_STREQ(heap_census_check(books, 1) ?: "", "");
	end();
}

TEST(kmalloc, whole_pages)
{
	begin();
	for (size_t size = 8193; size <= KMALLOC_MAX_SIZE; size += size / 3) {
		if (!heapbook_kmalloc(&book, size, GFP_KERNEL | __GFP_NOWARN | __GFP_ZERO, NUMA_NO_NODE))
			continue; /* a small machine may lack a run of that length */
		EXPECT_EQ((uintptr_t)book.entries[0].object % PAGE_SIZE, 0);
		EXPECT_EQ(ksize(book.entries[0].object), kmalloc_size_roundup(size));
		heapbook_free_all(&book);
	}
	end();
}

TEST(kmalloc, powers_of_two_are_aligned_to_themselves)
{
	begin();
	for (size_t size = 8; size <= 65536; size *= 2)
		for (int i = 0; i < 20; i++) {
			EXPECT(heapbook_kmalloc(&book, size, GFP_KERNEL, NUMA_NO_NODE));
			EXPECT_EQ((uintptr_t)book.entries[book.nr - 1].object % size, 0);
		}
	end();
}

TEST(kmalloc, constant_and_variable_sizes_are_of_one_class)
{
	static const unsigned int classes[NR_KMALLOC_CLASSES] = { 0,  96,  192, 8,    16,   32,	  64,
								  128, 256, 512, 1024, 2048, 4096, 8192 };

	for (size_t size = 1; size <= KMALLOC_MAX_CACHE_SIZE; size++) {
		unsigned int class = classes[kmalloc_index(size)];

		if (class < size || (size > 8 && class / 2 >= size))
			test_fail(__FILE__, __LINE__, "class of %zu is %u", size, class);
		/* slob gives what is asked for in units of 8, as far as it can. */
		if (strcmp(backend_name, "slob") || kmalloc_size_roundup(size) != ALIGN(size, 8))
			EXPECT_EQ(kmalloc_size_roundup(size), class);
	}
	EXPECT_EQ(kmalloc_size_roundup(64), 64);
	EXPECT_EQ(kmalloc_size_roundup(96), 96);
	EXPECT_EQ(kmalloc_size_roundup(8192), 8192);
	for (size_t size = 1; size <= KMALLOC_MAX_CACHE_SIZE; size += 1 + size / 16) {
		void *object = kmalloc(size, GFP_KERNEL);

		EXPECT_EQ(ksize(object), kmalloc_size_roundup(size));
		kfree(object);
	}
	EXPECT_EQ(kmalloc_size_roundup(0), 0);
	EXPECT_EQ(kmalloc_size_roundup(8193), 16384);
	EXPECT_EQ(kmalloc_size_roundup(KMALLOC_MAX_SIZE), KMALLOC_MAX_SIZE);
}

TEST(kmalloc, size_limits)
{
	static const size_t sizes[] = { KMALLOC_MAX_SIZE + 1, KMALLOC_MAX_SIZE * 2, (size_t)-1, (size_t)-1 / 2,
					(size_t)-4096 };

	begin();
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		volatile size_t size = sizes[i];
		const char *text;
		void *p;

		test_capture_begin();
		p = kmalloc(size, GFP_KERNEL);
		text = test_capture_end();
		EXPECT(!p);
		EXPECT(strstr(text, "bytes asked for"));
		test_capture_begin();
		p = kmalloc(size, GFP_KERNEL | __GFP_NOWARN);
		EXPECT_STREQ(test_capture_end(), "");
		EXPECT(!p);
	}
	end();
}

TEST(kmalloc, nothing_is_zero_size_ptr)
{
	begin();
	EXPECT(kmalloc(0, GFP_KERNEL) == ZERO_SIZE_PTR);
	EXPECT(kzalloc(0, GFP_KERNEL) == ZERO_SIZE_PTR);
	EXPECT(kmalloc_node(0, GFP_KERNEL, 0) == ZERO_SIZE_PTR);
	EXPECT(kmalloc_array(0, 8, GFP_KERNEL) == ZERO_SIZE_PTR);
	EXPECT(kcalloc(8, 0, GFP_KERNEL) == ZERO_SIZE_PTR);
	EXPECT_EQ(ksize(NULL), 0);
	EXPECT_EQ(ksize(ZERO_SIZE_PTR), 0);
	kfree(NULL);
	kfree(ZERO_SIZE_PTR);
	kfree_sensitive(NULL);
	kfree_sensitive(ZERO_SIZE_PTR);
	kvfree(NULL);
	kvfree(ZERO_SIZE_PTR);
	kvfree_sensitive(NULL, 10);
	end();
}

/* ---- Arrays ---- */

TEST(kmalloc, arrays_that_overflow_are_refused)
{
	volatile size_t half = (size_t)1 << (sizeof(size_t) * 4), most = (size_t)-1;

	begin();
	EXPECT(!kmalloc_array(half, half, GFP_KERNEL));
	EXPECT(!kcalloc(most, 2, GFP_KERNEL));
	EXPECT(!kcalloc(2, most, GFP_KERNEL));
	EXPECT(!kmalloc_array_node(half, half + 1, GFP_KERNEL, 0));
	EXPECT(!kcalloc_node(most, most, GFP_KERNEL, 0));
	EXPECT(!krealloc_array(NULL, half, half, GFP_KERNEL));
	EXPECT(!kvmalloc_array(half, half, GFP_KERNEL));
	EXPECT(!kvcalloc(half, half, GFP_KERNEL));
	EXPECT(!kmemdup_array("x", half, half, GFP_KERNEL));
	end();
}

TEST(kmalloc, arrays)
{
	unsigned int *a = kcalloc(100, sizeof(*a), GFP_KERNEL), *b;

	ASSERT(a);
	EXPECT(all_bytes(a, 0, 0, 400));
	for (unsigned int i = 0; i < 100; i++)
		a[i] = i;
	b = krealloc_array(a, 5000, sizeof(*a), GFP_KERNEL);
	ASSERT(b);
	for (unsigned int i = 0; i < 100; i++)
		EXPECT_EQ(b[i], i);
	a = kmemdup_array(b, 50, sizeof(*b), GFP_KERNEL);
	ASSERT(a);
	EXPECT_EQ(a[49], 49);
	kfree(a);
	kfree(b);
}

/* ---- Zeroing ---- */

TEST(kmalloc, kzalloc_clears_what_was_there)
{
	static const size_t sizes[] = { 1, 8, 24, 96, 100, 192, 700, 4096, 8192, 20000 };

	begin();
	for (unsigned int round = 0; round < 3; round++)
		for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
			for (unsigned int k = 0; k < 10; k++) {
				unsigned char *p = kzalloc(sizes[i], GFP_KERNEL);

				ASSERT(p);
				EXPECT(all_bytes(p, 0, 0, sizes[i]));
				memset(p, 0xaa, sizes[i]);
				kfree(p);
			}
	end();
}

/* The memory is cleared before it goes back: there is nothing to be found in it. */
TEST(kmalloc, kfree_sensitive_leaves_nothing)
{
	volatile unsigned char *p = kmalloc(64, GFP_KERNEL);
	unsigned int left = 0;

	ASSERT(p);
	memset((void *)p, 0x5e, 64);
	kfree_sensitive((void *)p);
	for (int i = 0; i < 64; i++)
		left += p[i] == 0x5e;
	EXPECT_EQ(left, 0);
}

/* ---- Zones and nodes ---- */

TEST(kmalloc, dma_objects_lie_in_zone_dma)
{
	bool has_dma = false;

	for_each_populated_zone(zone)
		has_dma |= zone->type == ZONE_DMA;
	if (!has_dma)
		SKIP("this machine has no ZONE_DMA");
	begin();
	for (size_t size = 8; size <= 32768; size *= 2) {
		void *p = kmalloc(size, GFP_KERNEL | GFP_DMA), *q = kmalloc(size, GFP_KERNEL);

		ASSERT(p && q);
		EXPECT_EQ(page_zone(virt_to_page(p))->type, ZONE_DMA);
		kfree(p);
		kfree(q);
	}
	end();
}

TEST(kmalloc, reclaimable_objects_are_counted_as_such)
{
	unsigned long before, after;
	void *p[40];

	heap_shrink_all();
	before = global_node_page_state(NR_SLAB_RECLAIMABLE_B);
	for (int i = 0; i < 40; i++) {
		p[i] = kmalloc(2000, GFP_KERNEL | __GFP_RECLAIMABLE);
		ASSERT(p[i]);
	}
	after = global_node_page_state(NR_SLAB_RECLAIMABLE_B);
	EXPECT(after >= before + 40 * 2000);
	for (int i = 0; i < 40; i++)
		kfree(p[i]);
	heap_shrink_all();
	EXPECT_EQ(global_node_page_state(NR_SLAB_RECLAIMABLE_B), before);
}

TEST(kmalloc, objects_come_from_the_node_asked_for)
{
	begin();
	for (int nid = 0; nid < (int)nr_node_ids; nid++)
		for (size_t size = 8; size <= 40000; size = size * 5 / 2)
			for (int i = 0; i < 10; i++)
				EXPECT(heapbook_kmalloc(&book, size, GFP_KERNEL | __GFP_THISNODE, nid));
	EXPECT_STREQ(heap_census_check(books, 1) ?: "", "");
	end();
}

/* ---- Resizing ---- */

TEST(kmalloc, krealloc_keeps_the_contents)
{
	begin();
	for (size_t from = 1; from <= 20000; from = from * 2 + 1)
		for (size_t to = 1; to <= 20000; to = to * 3 + 1) {
			EXPECT(heapbook_kmalloc(&book, from, GFP_KERNEL, NUMA_NO_NODE));
			EXPECT(heapbook_realloc(&book, 0, to, GFP_KERNEL));
			EXPECT_STREQ(book.wrong ?: "", "");
			heapbook_free_all(&book);
		}
	end();
}

TEST(kmalloc, krealloc_at_its_ends)
{
	void *p;

	begin();
	p = krealloc(NULL, 50, GFP_KERNEL);
	ASSERT(p);
	EXPECT(krealloc(p, 0, GFP_KERNEL) == ZERO_SIZE_PTR);
	p = krealloc(ZERO_SIZE_PTR, 30, GFP_KERNEL);
	ASSERT(p && p != ZERO_SIZE_PTR);
	memset(p, 7, 30);
	test_capture_begin();
	EXPECT(!krealloc(p, KMALLOC_MAX_SIZE + 1, GFP_KERNEL)); /* and p is as it was */
	test_capture_end();
	EXPECT(all_bytes(p, 7, 0, 30));
	kfree(p);
	end();
}

TEST(kmalloc, krealloc_of_what_is_not_the_heaps_is_reported)
{
	struct page *page = alloc_page(GFP_KERNEL);
	unsigned long errors = heap_errors();

	ASSERT(page);
	test_capture_begin();
	EXPECT(!krealloc(page_address(page), 100, GFP_KERNEL));
	EXPECT(!krealloc(&page, 100, GFP_KERNEL));
	test_capture_end();
	EXPECT_EQ(heap_errors(), errors + 2);
	__free_page(page);
}

TEST(kmalloc, krealloc_zeroes_what_is_new)
{
	unsigned char *p = kzalloc(20, GFP_KERNEL);

	ASSERT(p);
	memset(p, 9, 20);
	for (size_t size = 30; size < 30000; size = size * 3 / 2) {
		p = krealloc(p, size, GFP_KERNEL | __GFP_ZERO);
		ASSERT(p);
		EXPECT(all_bytes(p, 9, 0, 20));
		EXPECT(all_bytes(p, 0, 20, size));
	}
	p = krealloc(p, 10, GFP_KERNEL | __GFP_ZERO);
	ASSERT(p);
	p = krealloc(p, 64, GFP_KERNEL | __GFP_ZERO);
	ASSERT(p);
	EXPECT(all_bytes(p, 9, 0, 10));
	EXPECT(all_bytes(p, 0, 10, 64));
	kfree(p);
}

TEST(kmalloc, kvmalloc_without_vmalloc_is_kmalloc)
{
	unsigned char *p, *q;

	begin();
	p = kvzalloc(30000, GFP_KERNEL);
	ASSERT(p);
	EXPECT(all_bytes(p, 0, 0, 30000));
	memset(p, 3, 30000);
	q = kvrealloc(p, 60000, GFP_KERNEL);
	ASSERT(q);
	EXPECT(all_bytes(q, 3, 0, 30000));
	p = kvmemdup(q, 100, GFP_KERNEL);
	ASSERT(p);
	EXPECT(all_bytes(p, 3, 0, 100));
	kvfree_sensitive(p, 100);
	kvfree(q);
	p = kvmalloc_node(100, GFP_KERNEL, 0);
	EXPECT(p);
	kvfree(p);
	p = kvcalloc(10, 10, GFP_KERNEL);
	EXPECT(p && all_bytes(p, 0, 0, 100));
	kvfree(p);
	end();
}

/* ---- Copies ---- */

TEST(kmalloc, copies)
{
	static const char text[] = "a text";
	char *s;

	begin();
	EXPECT(!kstrdup(NULL, GFP_KERNEL));
	EXPECT(!kstrndup(NULL, 3, GFP_KERNEL));
	EXPECT(!kmemdup_nul(NULL, 0, GFP_KERNEL));
	s = kstrdup(text, GFP_KERNEL);
	ASSERT(s);
	EXPECT_STREQ(s, text);
	EXPECT(s != text);
	kfree(s);
	s = kstrdup("", GFP_KERNEL);
	ASSERT(s);
	EXPECT_STREQ(s, "");
	kfree(s);
	s = kstrndup(text, 3, GFP_KERNEL);
	ASSERT(s);
	EXPECT_STREQ(s, "a t");
	kfree(s);
	s = kstrndup(text, 100, GFP_KERNEL);
	ASSERT(s);
	EXPECT_STREQ(s, text);
	kfree(s);
	s = kmemdup_nul(text, 4, GFP_KERNEL);
	ASSERT(s);
	EXPECT_STREQ(s, "a te");
	kfree(s);
	s = kmemdup(text, sizeof(text), GFP_KERNEL);
	ASSERT(s);
	EXPECT_STREQ(s, text);
	kfree(s);
	s = (char *)(uintptr_t)kstrdup_const(text, GFP_KERNEL);
	ASSERT(s);
	EXPECT_STREQ(s, text);
	kfree_const(s);
	EXPECT(kmemdup(text, 0, GFP_KERNEL) == ZERO_SIZE_PTR);
	end();
}

/* ---- Frees that make no sense: reported, and nothing happens ---- */

/* The free may be found out when the CPU's magazine is given back. */
static void expect_error(const void *object, struct kmem_cache *cache, int line)
{
	unsigned long errors = heap_errors();

	test_capture_begin();
	kfree(object);
	if (cache)
		kmem_cache_shrink(cache);
	test_capture_end();
	if (heap_errors() != errors + 1)
		test_fail(__FILE__, line, "%lu errors", heap_errors() - errors);
}

TEST(kmalloc, frees_of_what_was_never_allocated)
{
	static int in_the_image;
	int on_the_stack = 0;
	struct page *page = alloc_page(GFP_KERNEL);

	ASSERT(page);
	expect_error(&in_the_image, NULL, __LINE__);
	expect_error(&on_the_stack, NULL, __LINE__);
	expect_error((void *)(uintptr_t)4096, NULL, __LINE__);
	expect_error((void *)(uintptr_t)-64, NULL, __LINE__);
	expect_error(page_address(page), NULL, __LINE__);
	__free_page(page);
	EXPECT_EQ(heap_verify(NULL, NULL), 0);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

TEST(kmalloc, frees_inside_of_an_object)
{
	unsigned char *p = kmalloc(1000, GFP_KERNEL), *large = kmalloc(20000, GFP_KERNEL);

	ASSERT(p && large);
	expect_error(p + 8, kmalloc_caches[KMALLOC_NORMAL][kmalloc_index(1000)], __LINE__);
	expect_error(large + 8, NULL, __LINE__);
	expect_error(large + PAGE_SIZE, NULL, __LINE__);
	memset(p, 1, 1000);
	memset(large, 1, 20000);
	kfree(p);
	kfree(large);
	EXPECT_EQ(heap_verify(NULL, NULL), 0);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

TEST(kmalloc, double_frees_of_whole_pages)
{
	void *large = kmalloc(20000, GFP_KERNEL);

	ASSERT(large);
	kfree(large);
	expect_error(large, NULL, __LINE__);
	EXPECT_EQ(heap_verify(NULL, NULL), 0);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

TEST(kmalloc, ksize_of_what_is_no_object)
{
	int on_the_stack = 0;

	EXPECT_EQ(ksize(&on_the_stack), 0);
	EXPECT_EQ(ksize((void *)(uintptr_t)-64), 0);
}

TEST(kmalloc, masks_that_make_no_sense_are_mended_and_reported)
{
	const char *text;
	void *p;

	heap_shrink_all();
	test_capture_begin();
	p = kmalloc(3000, GFP_KERNEL | __GFP_HIGHMEM);
	text = test_capture_end();
	EXPECT(strstr(text, "Unexpected gfp"));
	EXPECT(p);
	kfree(p);
}

/* HP-I1, HP-I2, HP-I3, HP-I4: heap_verify() looks at them; a state with objects everywhere passes. */
TEST(kmalloc, slab_is_available)
{
	EXPECT(slab_is_available());
	EXPECT_EQ(heap_verify(NULL, NULL), 0);
}
