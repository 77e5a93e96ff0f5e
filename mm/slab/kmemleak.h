/* SPDX-License-Identifier: MIT */
/* What the files of kmemleak share. The theory stands in kmemleak.c. */
#ifndef MM_SLAB_KMEMLEAK_H
#define MM_SLAB_KMEMLEAK_H

#include <octavo/kmemleak.h>

#include "../base/list.h"
#include "../sync/mutex.h"

struct page;

/* Legend: (k) leak.lock, (c) constant, (m) leak.mutex, (a) atomic. */

/* Functions that read memory that others write meanwhile, and the spaces that a sanitizer puts between variables. */
#define UNCHECKED \
	noinline __attribute__((no_sanitize("address"))) __attribute__((no_sanitize("thread"))) \
	__attribute__((no_sanitize("undefined")))

enum leak_kind { LEAK_VIRT, LEAK_PHYS, LEAK_KINDS };

#define LEAK_ALLOCATED 0x01u /* bits as Linux shows them with "dump=" */
#define LEAK_REPORTED 0x02u
#define LEAK_NO_SCAN 0x04u
#define LEAK_FULL_SCAN 0x08u
#define LEAK_IS_PHYS 0x10u
#define LEAK_CHANGED 0x100u /* ours: the next scan is to take it for changed */

#define LEAK_GREY 0
#define LEAK_BLACK (-1)

struct leak_area {
	struct leak_area *next;
	u64 start;
	size_t size;
};

struct leak_object {
	struct leak_object *child[2]; /* (k) */
	struct list_head gray;	      /* (k) to be scanned; next NULL: not on the list */
	u64 start;		      /* (c) */
	u64 born_ns;		      /* (c) */
	size_t size;		      /* (c) */
	struct leak_area *areas;      /* (k) */
	uintptr_t excess_ref;	      /* (k) */
	u32 serial;		      /* (c) tells it from later objects at the same place */
	u32 flags;		      /* (k) LEAK_* */
	s32 min_count, count;	      /* (k) */
	u32 checksum;		      /* (k) */
	u32 trace;		      /* (k) of the stack depot */
	s32 pid;		      /* (c) */
	char comm[16];		      /* (c) */
};

struct leak_root {
	struct leak_root *next;
	const void *start;
	size_t size;
	bool stack;
};

struct leak {
	spinlock_t lock;
	struct mutex mutex; /* one scan, listing or command at a time */
	u32 enabled;	    /* (a) objects are followed */
	bool started;	    /* (c) kmemleak=on */
	bool wanted;	    /* (c) */
	bool found;	    /* (m) leaks have been reported */
	bool stacks;	    /* (m) */
	u32 thread;	    /* (a) number of the scanning thread that is to run; odd: none is */
	struct leak_object *tree[LEAK_KINDS]; /* (k) */
	struct list_head gray;	/* (k) */
	struct leak_root *roots; /* (k) */
	u32 serial;		/* (k) */
	unsigned long objects;	/* (k) */
	uintptr_t not_low, not_high; /* (k) complements of the bounds of all objects: a root must not hold these */
	uintptr_t probe;	/* (m) a word like no other: scan_reserved() */
	uintptr_t stack;	/* (m) frame of the scan under way */
	u64 last_scan_ns, min_age_ns, scan_wait_ns; /* (m) */
};
extern struct leak leak;

/* ---- kmemleak.c ---- */

/* From now on objects are followed. 0, or -EBUSY: it has been stopped once. Thread context. */
int leak_start(void);
/* Follow no more; what is known stays. Any context with no lock of the heap's gate's rank or above. */
void leak_stop(void);
/* Forget everything that is known; only while it is stopped. */
void leak_forget_all(void);

/* ---- kmemleak_index.c: objects by address. leak.lock is held. ---- */

/* False: it would overlap another, whose start is put into *@other. */
bool leak_insert(enum leak_kind kind, struct leak_object *object, u64 *other);
void leak_remove(enum leak_kind kind, struct leak_object *object);
/* The one that begins at @start; that contains @addr; the first that begins at @start or behind. */
struct leak_object *leak_find(enum leak_kind kind, u64 start);
struct leak_object *leak_containing(enum leak_kind kind, u64 addr);
struct leak_object *leak_from(enum leak_kind kind, u64 start);
/* The object that began at @start when it had @serial, if it is still there. */
struct leak_object *leak_same(enum leak_kind kind, u64 start, u32 serial);

static inline enum leak_kind leak_kind(const struct leak_object *object)
{
	return object->flags & LEAK_IS_PHYS ? LEAK_PHYS : LEAK_VIRT;
}

static inline bool leak_is_gray(const struct leak_object *object)
{
	return object->min_count != LEAK_BLACK && object->count >= object->min_count;
}

static inline bool leak_is_white(const struct leak_object *object)
{
	return object->min_count != LEAK_BLACK && object->count < object->min_count;
}

/* ---- kmemleak_scan.c ---- */

/* Look at all memory; new leaks are counted and announced. leak.mutex is held. */
void leak_scan(void);
/* Is it lost, old enough? */
bool leak_is_lost(const struct leak_object *object);
/* A scan every so often until leak.thread is another number. */
void leak_thread(void *number);

/* ---- kmemleak_report.c ---- */

typedef void (*leak_emit_fn)(void *ctx, const char *text, size_t len);
/* All that was found and is still lost. Thread context. */
void leak_show(leak_emit_fn emit, void *ctx);
/* What one write to the file does. Return: 0 or a negative errno. */
int leak_command(const char *text);
/* How the ticks of a 250 Hz clock count, from five minutes before 32 bits overflow on, as Linux's do. */
unsigned long leak_jiffies(u64 ns);

/* leak_register_present - who makes the page tables says which of the pages that boot reserved can be read */
void leak_register_present(bool (*present)(struct page *page));

#endif
