// SPDX-License-Identifier: MIT
/*
 * Bounds of copies to and from user space. What may be copied stands in <octavo/usercopy.h>; the names in reports are
 * those of Linux 6.12, which panics where this returns false.
 *
 * The answer is about what the address is now: the caller owns the object, so that does not change under him.
 */
#include <octavo/usercopy.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "../boot/params.h"
#include "../phys/page_report.h"
#include "backend.h"
#include "slab.h"

static struct {
	bool off;
	unsigned long errors; /* (a) */
	const char *(*check)(const void *ptr, size_t n, bool to_user); /* (a) */
	vmalloc_bounds_fn vmalloc; /* (c) once there are such areas */
} usercopy __memsys;

static int set_hardened_usercopy(const char *value)
{
	bool on;

	if (parse_bool(value, &on) < 0)
		return -EINVAL;
	usercopy.off = !on;
	return 0;
}
early_param("hardened_usercopy", set_hardened_usercopy);

void register_usercopy_check(const char *(*fn)(const void *ptr, size_t n, bool to_user))
{
	store_release(&usercopy.check, fn);
}

void usercopy_register_vmalloc(vmalloc_bounds_fn fn)
{
	store_release(&usercopy.vmalloc, fn);
}

unsigned long usercopy_errors(void)
{
	return load_relaxed(&usercopy.errors);
}

/* A copy under examination. */
struct copy {
	const void *ptr;
	size_t n;
	bool to_user;
};

/* @what: kind of memory; @name: of the cache, or NULL; @offset: into the object. Always false. */
static bool refuse(const struct copy *copy, const char *what, const char *name, size_t offset)
{
	atomic_add_relaxed(&usercopy.errors, 1);
	pr_err("usercopy: Kernel memory %s attempt detected %s %s%s%s%s (offset %zu, size %zu)!\n",
	       copy->to_user ? "exposure" : "overwrite", copy->to_user ? "from" : "to", what, name ? " '" : "",
	       name ? name : "", name ? "'" : "", offset, copy->n);
	dump_stack();
	return false;
}

/* "SLUB object": the back end's name in capitals in front of @what. */
static const char *kind_text(char *text, size_t size, const char *what)
{
	char name[8];
	size_t i;

	for (i = 0; i < sizeof(name) - 1 && backend_name[i]; i++)
		name[i] = (char)(backend_name[i] & ~0x20);
	name[i] = 0;
	octavo_snprintf(text, size, "%s %s", name, what);
	return text;
}

static bool check_slab(const struct copy *copy, struct slab *slab)
{
	const char *object = backend_object_of(slab, copy->ptr), *p = copy->ptr;
	struct kmem_cache *cache = object ? backend_cache_of(slab, object) : slab->cache;
	char text[64];
	size_t offset;

	if (!object || !cache)
		return refuse(copy, kind_text(text, sizeof(text), "metadata"), cache ? cache->name : NULL,
			      (size_t)(p - (const char *)slab_start(slab)));
	if (p < object)
		return refuse(copy, kind_text(text, sizeof(text), "object in left red zone"), cache->name,
			      cache->red_left_pad - (size_t)(object - p));
	offset = (size_t)(p - object);
	if (offset >= cache->useroffset && offset - cache->useroffset <= cache->usersize &&
	    copy->n <= cache->usersize - (offset - cache->useroffset))
		return true;
	return refuse(copy, kind_text(text, sizeof(text), "object"), cache->name, offset);
}

/* Pages of the heap that are no slabs. */
static bool check_heap_page(const struct copy *copy, struct page *page)
{
	const struct heap_page_ops *ops = heap_page_ops[heap_page_kind(page)];
	const char *object, *p = copy->ptr;
	char text[64];
	size_t size;

	if (heap_page_kind(page) == HEAP_PAGE_META || !ops || !ops->object || !ops->size)
		return refuse(copy, kind_text(text, sizeof(text), "metadata"), NULL,
			      (size_t)((uintptr_t)p % PAGE_SIZE));
	object = ops->object(page, p);
	size = object ? ops->size(page, object) : 0;
	if (object && p >= object && (size_t)(p - object) <= size && copy->n <= size - (size_t)(p - object))
		return true;
	return refuse(copy, heap_page_kind(page) == HEAP_PAGE_LARGE ? "page alloc" : "guarded object", NULL,
		      object ? (size_t)(p - object) : 0);
}

static bool is_free(const struct page *page)
{
	return !PageReserved(page) && page_ref_count(page) <= 0 &&
	       compound_head((struct page *)(uintptr_t)page) == page;
}

/* Pages that are nobody's of the heap: one allocation, as far as that can be told. */
static bool check_pages(const struct copy *copy, struct page *page)
{
	struct page *head = compound_head(page);
	size_t offset = (uintptr_t)copy->ptr % PAGE_SIZE, bytes;

	if (is_free(page))
		return refuse(copy, "free page", NULL, offset);
	if (PageHead(head)) {
		offset = (size_t)((const char *)copy->ptr - (const char *)page_address(head));
		bytes = PAGE_SIZE << compound_order(head);
		return copy->n <= bytes - offset || refuse(copy, "page alloc", NULL, offset);
	}
	for (size_t at = PAGE_SIZE - offset; at < copy->n; at += PAGE_SIZE) {
		struct page *next = heap_page((const char *)copy->ptr + at);

		if (!next || !pfn_to_online_page(page_to_pfn(next)) || PageSlab(next) || compound_head(next) != next ||
		    PageHead(next) || is_free(next) || PageReserved(next) != PageReserved(page))
			return refuse(copy, "spans multiple pages", NULL, offset);
	}
	return true;
}

/* Does the range touch the code, where the direct map shows it? */
static bool is_text(const struct copy *copy)
{
	uintptr_t start = (uintptr_t)copy->ptr - heap.direct_map;

	return kernel_text_span.size && start < kernel_text_span.start + kernel_text_span.size &&
	       start + copy->n > kernel_text_span.start;
}

/* Outside of the direct map: one area of the vmalloc part, if it is there. */
static bool check_mapped(const struct copy *copy)
{
	vmalloc_bounds_fn bounds = load_acquire(&usercopy.vmalloc);
	const char *name = NULL;
	size_t offset = 0;

	if (!bounds || bounds(copy->ptr, copy->n, &name, &offset))
		return true;
	return refuse(copy, "vmalloc", name, offset);
}

bool check_object_size(const void *ptr, size_t n, bool to_user)
{
	const struct copy copy = { ptr, n, to_user };
	const char *(*check)(const void *, size_t, bool) = load_acquire(&usercopy.check);
	const char *what;
	struct page *page;

	if (!n || usercopy.off)
		return true;
	if ((uintptr_t)ptr + (n - 1) < (uintptr_t)ptr)
		return refuse(&copy, "wrapped address", NULL, 0);
	if (ZERO_OR_NULL_PTR(ptr))
		return refuse(&copy, "null address", NULL, (size_t)(uintptr_t)ptr);
	what = check ? check(ptr, n, to_user) : NULL;
	if (what)
		return refuse(&copy, what, NULL, 0);
	page = heap_page(ptr);
	if (!page)
		return check_mapped(&copy);
	/* Of what boot reserved, the image for one, this may be the first look at the descriptor. */
	if (!pfn_to_online_page(page_to_pfn(page)))
		return refuse(&copy, "address without memory", NULL, 0);
	if (is_text(&copy))
		return refuse(&copy, "linear kernel text", NULL, (size_t)((uintptr_t)ptr - heap.direct_map));
	if (!PageSlab(page))
		return check_pages(&copy, page);
	return page_slab(page) ? check_slab(&copy, page_slab(page)) : check_heap_page(&copy, page);
}
