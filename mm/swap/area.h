/* SPDX-License-Identifier: MIT */
/* Swap inside: areas, slot words, clusters; what the files of mm/swap call of each other. The theory is in swap.c. */
#ifndef MM_SWAP_AREA_H
#define MM_SWAP_AREA_H

#include "../phys/zone.h"
#include "../sync/rcu.h"
#include "swap.h"

struct findings;

/* ---- Slot words ---- */

/*
 * One u64 a slot:
 *
 *	 63                    24 23                 4  3    2   1    0
 *	+------------------------+--------------------+---+----+--------+
 *	|  frame number (FOLIO)  |      holders       | G |ZERO|  kind  |
 *	+------------------------+--------------------+---+----+--------+
 *	 63                               16 15      4
 *	+-----------------------------------+---------+---+----+--------+
 *	|            shadow (SHADOW)        | holders | G |ZERO|  kind  |
 *	+-----------------------------------+---------+---+----+--------+
 *
 * All zero: the slot is free. SLOT_BAD: it never will be. SLOT_GOING: nobody holds it any more, and who let go of it
 * last sees to it that nothing of what was in it is left, before anybody else may have it.
 */
enum slot_kind { SLOT_EMPTY, SLOT_FOLIO, SLOT_SHADOW, SLOT_BAD };
#define SLOT_KIND ((u64)3)
#define SLOT_ZERO ((u64)4) /* the page holds zeros; the device was not written */
#define SLOT_GOING ((u64)8) /* all there is in the word */
#define SLOT_COUNT_SHIFT 4
#define SLOT_ONE ((u64)1 << SLOT_COUNT_SHIFT)
#define SLOT_COUNT_BITS 20 /* a million holders: then swap_duplicate() fails */
#define SLOT_COUNT_MAX ((1u << SLOT_COUNT_BITS) - 1)
#define SLOT_SHADOW_COUNT_BITS 12 /* with more holders than these can count a shadow is dropped: it is a hint only */
#define SLOT_SHADOW_COUNT_MAX ((1u << SLOT_SHADOW_COUNT_BITS) - 1)
#define SLOT_PFN_SHIFT (SLOT_COUNT_SHIFT + SLOT_COUNT_BITS)
#define SLOT_SHADOW_SHIFT (SLOT_COUNT_SHIFT + SLOT_SHADOW_COUNT_BITS)
octavo_static_assert(64 - SLOT_PFN_SHIFT >= 52 - PAGE_SHIFT, "any frame number fits");

static force_inline unsigned int slot_kind(u64 word)
{
	return (unsigned int)(word & SLOT_KIND);
}

static force_inline unsigned int slot_count(u64 word)
{
	return (unsigned int)(word >> SLOT_COUNT_SHIFT) &
	       (slot_kind(word) == SLOT_SHADOW ? SLOT_SHADOW_COUNT_MAX : SLOT_COUNT_MAX);
}

/* Somebody or the cache has it. */
static force_inline bool slot_in_use(u64 word)
{
	return slot_kind(word) == SLOT_FOLIO || (slot_kind(word) != SLOT_BAD && slot_count(word));
}

static force_inline unsigned long slot_pfn(u64 word)
{
	return (unsigned long)(word >> SLOT_PFN_SHIFT);
}

static force_inline unsigned long slot_shadow(u64 word)
{
	return slot_kind(word) == SLOT_SHADOW ? (unsigned long)(word >> SLOT_SHADOW_SHIFT) : 0;
}

static force_inline u64 slot_make_folio(unsigned long pfn, unsigned int count, u64 zero)
{
	return (u64)pfn << SLOT_PFN_SHIFT | (u64)count << SLOT_COUNT_SHIFT | zero | SLOT_FOLIO;
}

/* No shadow, or no room for one: an empty word with that count. */
static force_inline u64 slot_make_shadow(unsigned long shadow, unsigned int count, u64 zero)
{
	u64 word = (u64)count << SLOT_COUNT_SHIFT | zero;

	if (!shadow || count > SLOT_SHADOW_COUNT_MAX)
		return word;
	return word | (u64)shadow << SLOT_SHADOW_SHIFT | SLOT_SHADOW;
}

/* As it was at one moment. whole_load() may meet the pfn of a word, which reaches into both halves, and a shadow's. */
static force_inline u64 slot_load(u64 *word)
{
	u64 seen = whole_load_acquire(word);

	if (sizeof(long) == 4)
		(void)whole_cmpxchg(word, &seen, seen);
	return seen;
}

/* *@old becomes what was there if that is something else. */
static force_inline bool slot_cas(u64 *word, u64 *old, u64 value)
{
	bool same;

	sched_point();
	same = whole_cmpxchg(word, old, value);
	sched_point();
	return same;
}

/* ---- Clusters ---- */

#define CLUSTER_SHIFT 9 /* 2 MiB of swap: the greatest folio fits */
#define CLUSTER_SLOTS (1u << CLUSTER_SHIFT)
#define CLUSTER_NONE (~0u)

enum cluster_state {
	CLUSTER_FULL,	 /* nothing free, or not known to be */
	CLUSTER_PARTIAL, /* in the list of those with something free */
	CLUSTER_FREE,	 /* in the list of those with nothing in use */
	CLUSTER_TAKEN,	 /* CPUs allocate from it */
	CLUSTER_DISCARD, /* nothing in use; the device is to be told before it is used again */
};

/* (l) area->lock, (a) atomic, (c) constant */
struct swap_cluster {
	s32 free;	 /* (a) slots; for moments off by what is on its way */
	u16 usable;	 /* (c) slots that are not bad, not beyond the end */
	u8 state;	 /* (l) enum cluster_state */
	u32 users;	 /* (l) in state TAKEN: places of CPUs that lead here */
	u32 next, prev;	 /* (l) in lists; CLUSTER_NONE: the end */
};

struct cluster_list {
	u32 first, last; /* (l) */
	u32 nr;		 /* (l) */
};

/* Where a CPU allocates: any thread may find it changed under its hands and loses nothing but order. */
struct swap_place {
	u32 cluster; /* written under area->lock */
	u32 next;    /* slot in it */
};
enum { PLACE_SINGLE, PLACE_LARGE, PLACES };

struct swap_cpu {
	struct swap_place place[PLACES];
} __aligned(32);

/* ---- Areas ---- */

enum swap_area_flags {
	SWP_WRITEOK = 2,      /* slots are handed out */
	SWP_DISCARDABLE = 4,  /* the device knows discard */
	SWP_AREA_DISCARD = 8, /* all of it at swapon */
	SWP_PAGE_DISCARD = 16, /* clusters as they become free */
	SWP_SOLIDSTATE = 32,
	SWP_SYNCHRONOUS = 64, /* a RAM disk: nothing is gained by waiting or reading ahead */
	SWP_TELL_FREE = 128,  /* the device wants to know of each slot that is free */
};

/* (m) swap_mutex, (l) lock, (a) atomic, (c) constant while the area is in use */
struct swap_area {
	unsigned int type;	   /* (c) */
	unsigned int flags;	   /* (a) SWP_* */
	int prio;		   /* (c) */
	unsigned long max;	   /* (c) slots, the header's included */
	unsigned long pages;	   /* (c) slots that can be used */
	unsigned long used;	   /* (a) slots that are; the last thing to change when one is freed */
	unsigned long visitors;	   /* (a) who may not be met by swapoff: between rcu readers */
	u64 *words;		   /* (c) */
	struct swap_cluster *clusters; /* (c) */
	struct swap_cpu *cpus;	   /* (c) by CPU; of a rotating disk all use the first */
	unsigned int nr_clusters;  /* (c) */
	struct cluster_list free, partial, discard; /* (l) */
	struct bdev *bdev;	   /* (c) NULL: a file */
	struct swap_queue *queue;  /* (c) NULL: whoever wants a transfer does it */
	struct file *file;	   /* (c) with a reference; NULL: a device */
	unsigned long hand;	   /* (a) where folios without holders were last looked for */
	u32 read_errors, write_errors; /* (a) messages so far */
	char path[256];		   /* (c) what /proc/swaps shows, perhaps not all of it */
	spinlock_t lock __aligned(64);
};

/* By type. Read inside of RCU readers, or by who knows the area to stay: it holds a slot, or a folio in the cache. */
extern struct swap_area *swap_areas[MAX_SWAPFILES];
extern unsigned int swap_types; /* (a) no area was ever of this type or of one behind it */
extern struct mutex swap_mutex; /* swapon, swapoff */
extern unsigned int swap_rotational; /* (a) areas on rotating disks */

static force_inline struct swap_area *swap_area_of(unsigned int type)
{
	return type < MAX_SWAPFILES ? load_acquire(&swap_areas[type]) : NULL;
}

static force_inline struct swap_area *swap_area_of_entry(swp_entry_t entry)
{
	return swap_area_of(swp_type(entry));
}

/* The word of a slot of an area that cannot go; NULL: there is none. Inside of an RCU reader or as above. */
static force_inline u64 *slot_word(swp_entry_t entry)
{
	struct swap_area *area = swap_area_of_entry(entry);

	return area && swp_offset(entry) < area->max ? &area->words[swp_offset(entry)] : NULL;
}

/* Return: -EEXIST: a folio is in the cache for it; 0: none is; -ENOENT: the slot is not in use. */
static force_inline int slot_state(swp_entry_t entry)
{
	const u64 *word;
	u64 seen;

	rcu_reader_begin();
	word = slot_word(entry);
	seen = word ? whole_load(word) : 0;
	rcu_reader_end();
	if (slot_kind(seen) == SLOT_FOLIO)
		return -EEXIST;
	return slot_in_use(seen) ? 0 : -ENOENT;
}

static force_inline swp_entry_t swp_entry_plus(swp_entry_t entry, unsigned long n)
{
	return (swp_entry_t){ entry.val + n };
}

/* The same of an area that is to stay without any of that: until swap_area_put(). */
struct swap_area *swap_area_get(unsigned int type);
static force_inline void swap_area_put(struct swap_area *area)
{
	atomic_fetch_sub(&area->visitors, 1);
}

/* ---- slot_alloc.c ---- */

/*
 * A run of @nr (a power of two) slots that begins at a multiple of @nr, each word SLOT_FOLIO with the frames from
 * @pfn on. Return: 0; -ENOSPC; -E2BIG: there are as many, but not together.
 */
int swap_alloc_slots(unsigned long pfn, unsigned int nr, swp_entry_t *entry);
/* @nr single slots of one area, each into the table of the frame that it is for. Return: 0; -ENOSPC; -ENOMEM. */
int swap_alloc_apart(unsigned long pfn, unsigned int nr);
/* @nr slots from @slot on, whose words were made 0 by the caller, are free: the area may go after this. */
void swap_slots_freed(struct swap_area *area, unsigned long slot, unsigned int nr);
/* Lists of an area whose words are set: each cluster's counts. */
void swap_clusters_init(struct swap_area *area);
/* Areas came or went: their order is made anew. Context: swap_mutex. */
void swap_order_update(void);
/* Slots wait for the device to be told (discard). Context: may sleep. Return: whether any became free. */
bool swap_discard_some(void);
/* The same for all of an area that nobody takes slots of any more. */
void swap_discard_all(struct swap_area *area);
extern u32 swap_discards_waiting; /* (a) clusters in state DISCARD */

/* ---- slot.c ---- */

/* The cache's part of a slot goes, with @shadow left behind if somebody holds it. Context: the folio locked. */
void slot_leave_cache(struct swap_area *area, unsigned long slot, unsigned long pfn, unsigned long shadow);
/* Set or clear SLOT_ZERO. Context: the slot's folio locked, or under writeback. */
void slot_set_zero(u64 *word, bool zero);
/*
 * Folios in the cache whose slots nobody holds leave it, of up to @nr slots from *@hand on, which moves on and around.
 * Context: may hold the lock of another folio. Return: slots.
 */
unsigned long swap_reclaim_cached(struct swap_area *area, unsigned long *hand, unsigned long nr);
extern unsigned long swap_bad_frees; /* slots given back that were not held: a defect of who did it */

/* ---- swap_table.c: folio -> slot ---- */

#define SWAP_TABLE_BITS (PAGE_SHIFT - (sizeof(long) == 8 ? 3 : 2))
#define SWAP_TABLE_ENTRIES (1ul << SWAP_TABLE_BITS)
#define SWAP_TABLE_ROOT_BITS 9
#define SWAP_TABLE_LEVELS 3
/* 2^36 frames of 4 KiB where a word has 64 bits, 256 TiB; what is above cannot be swapped out. */
#define SWAP_TABLE_FRAMES_BITS (SWAP_TABLE_ROOT_BITS + SWAP_TABLE_LEVELS * SWAP_TABLE_BITS)

extern unsigned long *swap_table_root[1 << SWAP_TABLE_ROOT_BITS];

static force_inline unsigned long swap_table_index(unsigned long pfn, unsigned int level)
{
	return pfn >> level * SWAP_TABLE_BITS & (SWAP_TABLE_ENTRIES - 1);
}

static force_inline bool swap_table_beyond(unsigned long pfn)
{
	return (u64)pfn >> SWAP_TABLE_FRAMES_BITS;
}

/*
 * Where frame @pfn's entry is; NULL: its page was never needed. Those of a folio's other frames follow: it is aligned,
 * and no greater than what a page of table is for. Context: an RCU reader, or the frame's folio is in the cache.
 */
static force_inline unsigned long *swap_table_find(unsigned long pfn)
{
	unsigned long *table;

	if (unlikely(swap_table_beyond(pfn)))
		return NULL;
	octavo_static_assert(SWAP_TABLE_LEVELS == 3, "two steps from the root's table to the lowest");
	table = load_acquire(&swap_table_root[(u64)pfn >> SWAP_TABLE_LEVELS * SWAP_TABLE_BITS]);
	if (unlikely(!table))
		return NULL;
	table = (unsigned long *)load_acquire(&table[swap_table_index(pfn, 2)]);
	if (unlikely(!table))
		return NULL;
	table = (unsigned long *)load_acquire(&table[swap_table_index(pfn, 1)]);
	return likely(table) ? &table[swap_table_index(pfn, 0)] : NULL;
}

/* The same, made if need be. Return: NULL: no memory. */
unsigned long *swap_table_make(unsigned long pfn);
static force_inline unsigned long *swap_table_get(unsigned long pfn)
{
	unsigned long *at = swap_table_find(pfn);

	return likely(at) ? at : swap_table_make(pfn);
}

/* The same of a folio that is in the cache, and locked or under writeback: its tables are there, and stay. */
static force_inline unsigned long *swap_table_of_cached(unsigned long pfn)
{
	unsigned long *table = load_acquire(&swap_table_root[(u64)pfn >> SWAP_TABLE_LEVELS * SWAP_TABLE_BITS]);

	table = (unsigned long *)load_acquire(&table[swap_table_index(pfn, 2)]);
	table = (unsigned long *)load_acquire(&table[swap_table_index(pfn, 1)]);
	return &table[swap_table_index(pfn, 0)];
}

/* The slot of such a folio. */
static force_inline swp_entry_t swap_entry_of(const struct folio *folio)
{
	return (swp_entry_t){ load_relaxed(swap_table_of_cached(folio_pfn(folio))) };
}

/* That of its page @i. They follow one another only where so many were free together. */
static force_inline swp_entry_t folio_slot(const struct folio *folio, unsigned long i)
{
	return (swp_entry_t){ load_relaxed(swap_table_of_cached(folio_pfn(folio)) + i) };
}

/* Nothing is in the cache any more, no area is in use. Waits for readers of the table. */
void swap_table_free_all(void);

/* ---- swap_cache.c ---- */

/* folio_free_swap() of a folio in the cache, locked, not under writeback, whose first slot is @entry. */
bool swap_drop_unheld(struct folio *folio, swp_entry_t entry);

/* @folio, locked, of one page, is to be that of @entry; *@shadow: left there. Return: 0, -EEXIST, -ENOENT, -ENOMEM. */
int swap_cache_add(struct folio *folio, swp_entry_t entry, unsigned long *shadow);

static force_inline void swap_count_folio(const struct folio *folio, enum node_stat_item item, long pages)
{
	atomic_add_relaxed(&NODE_DATA(page_to_nid(&folio->page))->stat[item], (unsigned long)pages);
}

/* ---- swap_io.c ---- */

/* Fill a locked folio of the cache; unlocks it. Return: how many pages the device was asked for; errno. */
int swap_read_folio(struct folio *folio);
/* A page to the device, counted, failures told. Return: 0 or errno. */
int swap_write_page(struct swap_area *area, swp_entry_t entry, struct page *page);
/* All that was to be written of a folio was, or @err. */
void swap_end_writeback(const struct swap_area *area, struct folio *folio, long nr, int err);
/* @page from or to its slot. Return: 0 or errno. */
int swap_rw_page(struct swap_area *area, unsigned long slot, struct page *page, bool write);
/* The device need not keep what is in slots [@first, @end). Return: 0 or errno. */
int swap_discard_slots(struct swap_area *area, unsigned long first, unsigned long end);

/* Pages of a folio: bit by bit. */
#define PAGE_SET_BITS (8 * sizeof(unsigned long))
struct page_set {
	unsigned long word[CLUSTER_SLOTS / PAGE_SET_BITS];
};

static inline bool in_page_set(const struct page_set *set, unsigned int i)
{
	return set->word[i / PAGE_SET_BITS] >> i % PAGE_SET_BITS & 1;
}

/* ---- swap_queue.c ---- */

struct swap_queue;
void swap_queue_start(struct swap_area *area);
void swap_queue_stop(struct swap_area *area);
/*
 * Pages @set of @folio's @nr, under writeback; a locked folio of one page, whose reference becomes the queue's.
 * Context: the area has a queue. Return: false: there is no room.
 */
bool swap_queue_write(struct swap_area *area, struct folio *folio, const struct page_set *set, unsigned int nr);
bool swap_queue_read(struct swap_area *area, struct folio *folio);

/* ---- header.c ---- */

/* What a header says. */
struct swap_header {
	unsigned long max;	     /* slots, the header's included */
	unsigned int nr_bad;
	bool swapped;		     /* written by a machine of the other byte order */
};
#define SWAP_BAD_MAX 637u /* of version 1: (4096 - 1536 - 10) / 4 */

/* @page: the first of the area, @pages what there is of it. Return: 0 or -EINVAL after a message. */
int swap_header_read(const void *page, unsigned long pages, bool regular_file, struct swap_header *h);
unsigned long swap_header_bad_page(const void *page, const struct swap_header *h, unsigned int i);

/* ---- verify.c ---- */

void swap_verify(struct findings *f);

/* ---- swapon.c ---- */

void swap_area_free(struct swap_area *area);
/* The device that @file is a node of; NULL: none. */
struct bdev *swap_file_bdev(const struct file *file);
/* A swap file is a file again. */
void swap_file_release(struct file *file);
extern int swap_least_priority; /* (m) what the next area without a priority of its own gets, plus 1 */

#endif
