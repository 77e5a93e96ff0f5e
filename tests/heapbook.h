/* SPDX-License-Identifier: MIT */
/*
 * The book of who owns which objects: what the tests of the heap believe. Freestanding.
 *
 * Every byte of an object is written when it is got and looked at when it is given back, so an object that two owners
 * have is found by whoever comes second; the heap's own counts find the rest.
 */
#ifndef TESTS_HEAPBOOK_H
#define TESTS_HEAPBOOK_H

#include <octavo/slab.h>

#include "harness.h"

struct heap_entry {
	unsigned char *object;
	size_t size;		  /* as asked for */
	struct kmem_cache *cache; /* NULL: of kmalloc() */
	bool constructed;
	u32 tag;
};

#define HEAPBOOK_MAX 4096

/* One owner's book; only one CPU at a time uses it. */
struct heapbook {
	struct heap_entry entries[HEAPBOOK_MAX];
	unsigned int nr;
	u32 next_tag;
	const char *wrong; /* the first thing that was */
};

void heapbook_init(struct heapbook *book, unsigned int owner);

/* The constructor of caches that have one: objects must be found, and be given back, as it leaves their first bytes. */
#define HEAPBOOK_CONSTRUCTED 8
void heapbook_ctor(void *object);

/* The masks that random tests draw from; none of them reports a failure. The first 4 are fit for interrupts. */
#define HEAPBOOK_GFPS 10
extern const gfp_t heapbook_gfps[HEAPBOOK_GFPS];

/* Each of these does it, checks what it got, and records it; the result says whether there was anything. */
bool heapbook_kmalloc(struct heapbook *book, size_t size, gfp_t gfp, int nid);
/* @size: as the cache was created with */
bool heapbook_cache(struct heapbook *book, struct kmem_cache *cache, size_t size, gfp_t gfp, int nid);
bool heapbook_bulk(struct heapbook *book, struct kmem_cache *cache, size_t size, gfp_t gfp, unsigned int nr);
/* kmemdup() or kstrndup() of bytes of the book's own */
bool heapbook_dup(struct heapbook *book, size_t size, bool string, gfp_t gfp);
bool heapbook_realloc(struct heapbook *book, unsigned int index, size_t size, gfp_t gfp);

void heapbook_free(struct heapbook *book, unsigned int index);
/* kfree() whatever it is of */
void heapbook_kfree(struct heapbook *book, unsigned int index);
/* The entries from @first on, @nr at most, by one call: those of @cache only, or with NULL all. */
void heapbook_free_bulk(struct heapbook *book, unsigned int first, unsigned int nr, struct kmem_cache *cache);
void heapbook_free_all(struct heapbook *book);
void heapbook_free_of(struct heapbook *book, const struct kmem_cache *cache);
/* Hands an entry over; it stays tagged. */
struct heap_entry heapbook_take(struct heapbook *book, unsigned int index);
bool heapbook_put(struct heapbook *book, const struct heap_entry *entry);

/* ---- The whole heap ---- */

/* Notes what memory is free now: all books that have objects now must be empty. */
void heap_census_begin(void);

/**
 * heap_census_check - look at everything
 * @books, @nr: all books there are
 * All contents must be there, heap_verify() and mm_verify() be content, nothing have been reported, and the caches have
 * as many objects in use as the books. Return: NULL, or what is wrong.
 */
const char *heap_census_check(struct heapbook *const *books, unsigned int nr);

/*
 * heap_census_end - free the books, give the heap's free memory back: all of it must be there again but what the heap
 * keeps for its own structures. Caches made since the beginning must be gone. Return: NULL, or what is wrong.
 */
const char *heap_census_end(struct heapbook *const *books, unsigned int nr);

/* kmem_cache_shrink() of every cache. */
void heap_shrink_all(void);

#endif
