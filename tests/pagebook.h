/* SPDX-License-Identifier: MIT */
/*
 * The book of who owns which pages: what the tests of the page allocator believe. Freestanding.
 *
 * Pages are tagged when they are got and looked at when they are given back, so a page that two owners have is
 * found by whoever comes second; a count of every frame finds the rest.
 */
#ifndef TESTS_PAGEBOOK_H
#define TESTS_PAGEBOOK_H

#include <octavo/gfp.h>
#include <octavo/page.h>

#include "harness.h"

enum book_kind { BOOK_PAGES, BOOK_EXACT, BOOK_CONTIG };

struct book_entry {
	struct page *page;
	unsigned long nr; /* pages */
	u8 kind;
	u8 order;    /* BOOK_PAGES */
	bool comp;   /* a compound page */
	u64 tag;
};

#define BOOK_MAX 4096

/* One owner's book; only one CPU at a time uses it. */
struct pagebook {
	struct book_entry entries[BOOK_MAX];
	unsigned int nr;
	unsigned long pages;
	u64 next_tag;
	const char *wrong; /* the first thing that was */
};

void book_init(struct pagebook *book, u64 owner);

/* The masks that random tests draw from; none of them reports a failure. */
#define BOOK_GFPS 12
extern const gfp_t book_gfps[BOOK_GFPS];

/* Each of these does it, checks what it got, and records it; the result says whether there was anything. */
bool book_alloc(struct pagebook *book, gfp_t gfp, unsigned int order, int nid);
bool book_alloc_bulk(struct pagebook *book, gfp_t gfp, unsigned long nr);
bool book_alloc_exact(struct pagebook *book, size_t size);
bool book_alloc_contig(struct pagebook *book, unsigned long start, unsigned long nr);
void book_free(struct pagebook *book, unsigned int index);
void book_free_all(struct pagebook *book);
void book_split(struct pagebook *book, unsigned int index);
/* Another reference, the owner's put, the last put: the pages must live until then. */
void book_free_late(struct pagebook *book, unsigned int index);
/* Hands an entry over; it stays tagged. */
struct book_entry book_take(struct pagebook *book, unsigned int index);
bool book_put(struct pagebook *book, const struct book_entry *entry);

/* ---- The whole machine ---- */

/* Notes which frames are in use now: what boot has, and all books that have pages now must be passed too. */
void census_begin(void);

/**
 * census_check - drains all caches and counts every frame
 * @books, @nr: all books there are
 * Each frame in use must have been so at census_begin() or be in exactly one book, and the other way round; the free
 * count must have shrunk by just the pages in books; mm_verify() must be content. Return: NULL, or what is wrong.
 */
const char *census_check(struct pagebook *const *books, unsigned int nr);

#endif
