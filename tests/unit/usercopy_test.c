// SPDX-License-Identifier: MIT
/* Bounds of user copies: what may be copied, and what the report of what may not is. */
#include <octavo/usercopy.h>

#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/slab.h>

#include "harness.h"
#include "mm/boot/params.h"
#include "mm/slab/backend.h"
#include "report_mask.h"

/* Expects a refusal with this text, in which BACKEND is the back end's name. */
static void refused(const void *ptr, size_t n, bool to_user, const char *text)
{
	unsigned long errors = usercopy_errors();
	const char *name = strstr(text, "BACKEND");
	char want[200], got[2048], upper[8] = "";

	for (unsigned int i = 0; backend_name[i]; i++)
		upper[i] = (char)(backend_name[i] & ~0x20);
	octavo_snprintf(want, sizeof(want), "usercopy: Kernel memory %s attempt detected %s %.*s%s%s!\nCPU\n",
			to_user ? "exposure" : "overwrite", to_user ? "from" : "to",
			name ? (int)(name - text) : (int)strlen(text), text, name ? upper : "", name ? name + 7 : "");
	test_capture_begin();
	EXPECT(!check_object_size(ptr, n, to_user));
	EXPECT_STREQ(report_mask(got, sizeof(got), test_capture_end()), want);
	EXPECT_EQ(usercopy_errors(), errors + 1);
}

static void allowed(const void *ptr, size_t n)
{
	unsigned long errors = usercopy_errors();

	EXPECT(check_object_size(ptr, n, true));
	EXPECT(check_object_size(ptr, n, false));
	EXPECT_EQ(usercopy_errors(), errors);
}

TEST(usercopy, part_of_an_object)
{
	struct kmem_cache *cache = kmem_cache_create_usercopy("copied", 100, 0, 0, 16, 32, NULL);
	char *p;

	ASSERT(cache);
	p = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(p);
	allowed(p + 16, 32);
	allowed(p + 47, 1);
	allowed(p, 0);
	allowed(p + 99, 0);
	refused(p + 15, 2, true, "BACKEND object 'copied' (offset 15, size 2)");
	refused(p + 16, 33, false, "BACKEND object 'copied' (offset 16, size 33)");
	refused(p + 48, 1, true, "BACKEND object 'copied' (offset 48, size 1)");
	refused(p, 100, false, "BACKEND object 'copied' (offset 0, size 100)");
	refused(p + 20, 1 << 20, true, "BACKEND object 'copied' (offset 20, size 1048576)");
	kmem_cache_free(cache, p);
	kmem_cache_destroy(cache);
}

TEST(usercopy, cache_without_a_part_for_users)
{
	struct kmem_cache *cache = kmem_cache_create("private", 64, 0, SLAB_NO_MERGE, NULL);
	char *p;

	ASSERT(cache);
	p = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(p);
	refused(p, 1, true, "BACKEND object 'private' (offset 0, size 1)");
	kmem_cache_free(cache, p);
	kmem_cache_destroy(cache);
}

TEST(usercopy, red_zones_are_nobodys)
{
	struct kmem_cache *cache = kmem_cache_create_usercopy("zoned", 64, 0, SLAB_RED_ZONE, 0, 64, NULL);
	char *p;

	ASSERT(cache);
	p = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(p);
	allowed(p, 64);
	refused(p + 60, 5, true, "BACKEND object 'zoned' (offset 60, size 5)");
	if (strcmp(backend_name, "slub") == 0)
		refused(p - 1, 1, true, "BACKEND object in left red zone 'zoned' (offset 7, size 1)");
	else
		EXPECT(!check_object_size(p - 1, 1, true));
	kmem_cache_free(cache, p);
	kmem_cache_destroy(cache);
}

TEST(usercopy, kmalloc)
{
	char *p = kmalloc(128, GFP_KERNEL), *large = kmalloc(3 * PAGE_SIZE, GFP_KERNEL);

	ASSERT(p && large);
	allowed(p, 128);
	allowed(p + 100, 28);
	refused(p + 100, 29, true, "BACKEND object 'kmalloc-128' (offset 100, size 29)");
	allowed(large, 4 * PAGE_SIZE);
	refused(large + PAGE_SIZE, 3 * PAGE_SIZE + 1, false, "page alloc (offset 4096, size 12289)");
	kfree(p);
	kfree(large);
}

TEST(usercopy, pages)
{
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_COMP, 2), *single = alloc_page(GFP_KERNEL);
	char *p, *s;

	ASSERT(page && single);
	p = page_address(page);
	s = page_address(single);
	allowed(p, 4 * PAGE_SIZE);
	allowed(p + PAGE_SIZE + 5, 2 * PAGE_SIZE);
	refused(p + 5, 4 * PAGE_SIZE, true, "page alloc (offset 5, size 16384)");
	refused(p + 3 * PAGE_SIZE, PAGE_SIZE + 1, false, "page alloc (offset 12288, size 4097)");
	allowed(s, PAGE_SIZE);
	__free_page(single);
	refused(s + 1, 8, true, "free page (offset 1, size 8)");
	__free_pages(page, 2);
}

TEST(usercopy, addresses)
{
	static char text[64];

	allowed(text, sizeof(text)); /* not in the direct map: the port's business */
	refused(NULL, 8, true, "null address (offset 0, size 8)");
	refused(ZERO_SIZE_PTR, 1, false, "null address (offset 16, size 1)");
	refused((void *)~(uintptr_t)7, 9, true, "wrapped address (offset 0, size 9)");
}

TEST(usercopy, kernel_text)
{
	struct bootinfo_span was = kernel_text_span;
	struct page *page = alloc_page(GFP_KERNEL);
	char *p;

	ASSERT(page);
	p = page_address(page);
	kernel_text_span = (struct bootinfo_span){ PFN_PHYS(page_to_pfn(page)) + 64, 64 };
	allowed(p, 64);
	allowed(p + 128, 64);
	test_capture_begin();
	EXPECT(!check_object_size(p, 65, true));
	EXPECT(!check_object_size(p + 127, 65, true));
	EXPECT(strstr(test_capture_end(), "exposure attempt detected from linear kernel text (offset "));
	kernel_text_span = was;
	__free_page(page);
}

static const char *port_check(const void *ptr, size_t n, bool to_user)
{
	(void)n;
	return to_user ? NULL : (uintptr_t)ptr % 2 ? "process stack" : NULL;
}

TEST(usercopy, the_ports_own_check)
{
	static char text[64];

	register_usercopy_check(port_check);
	EXPECT(check_object_size(text + 1, 1, true) && check_object_size(text, 2, true));
	refused(text + ((uintptr_t)text + 1) % 2, 2, false, "process stack (offset 0, size 2)");
	register_usercopy_check(NULL);
	allowed(text, 64);
}
