/* SPDX-License-Identifier: MIT */
/* What the parts of KFENCE share: objects, the pool, reports. */
#ifndef MM_SLAB_KFENCE_H
#define MM_SLAB_KFENCE_H

#include <octavo/kfence.h>
#include <octavo/rcupdate.h>

#include "slab.h"

/* 255 guard pages and as many object pages, and a pair ahead: 2 MiB, as Linux's default. */
#define KFENCE_NUM_OBJECTS 255u
#define KFENCE_OBJECTS_MAX 511u /* 4 MiB: what is contiguous */

enum kfence_state {
	KFENCE_OBJECT_UNUSED,
	KFENCE_OBJECT_ALLOCATED,
	KFENCE_OBJECT_RCU_FREEING, /* waits for readers (SLAB_TYPESAFE_BY_RCU) */
	KFENCE_OBJECT_FREED,
};

struct kfence_track {
	long pid;
	u32 cpu, stack; /* handle in the stack depot */
	u64 ns;
};

struct kfence_object {
	struct list_head list; /* (g) in kfence.free when free */
	enum kfence_state state; /* (g) */
	u32 size;		 /* (g) as asked for */
	u32 hash;		 /* (g) of where it was allocated */
	bool zombie;		 /* (g) its cache is gone; it never comes back into use */
	uintptr_t addr;		 /* (g) */
	uintptr_t opened;	 /* (g) page that a fault opened */
	struct kmem_cache *cache; /* (g) */
	char cache_name[32];	 /* (g) outlives the cache */
	struct rcu_head rcu;
	struct kfence_track allocated, freed; /* (g) */
};

enum kfence_counter {
	KFENCE_ALLOCATED,
	KFENCE_ALLOCS,
	KFENCE_FREES,
	KFENCE_ZOMBIES,
	KFENCE_BUGS,
	KFENCE_SKIP_INCOMPATIBLE,
	KFENCE_SKIP_CAPACITY,
	KFENCE_SKIP_COVERED,
	KFENCE_COUNTERS
};

#define KFENCE_COVERED_BITS 12

/* Legend: (g) kfence.lock, (a) atomic, (c) constant once the pool is there. */
struct kfence {
	spinlock_t lock;
	uintptr_t pool; /* (a) 0: there is none */
	size_t bytes;	/* (c) */
	unsigned int objects_nr; /* (c) */
	struct kfence_object *objects; /* (c) */
	u8 *covered;		 /* (a) how many objects hash here, 2^KFENCE_COVERED_BITS of them */
	const struct kfence_ops *ops; /* (c) */
	struct list_head free;	 /* (g) longest free first */
	bool protects;		 /* (c) pages are really shut */
	u32 enabled;		 /* (a) */
	u32 due;		 /* (a) the next allocation is sampled */
	u32 check_on_panic;	 /* (a) */
	u32 skip_covered_thresh; /* (a) percent of the pool in use from which on known places are skipped */
	unsigned long interval_ms; /* (a) */
	unsigned long num_objects; /* from the command line; 0: default */
	u64 next_ns;		 /* (a) when the next sample is due */
	unsigned long counters[KFENCE_COUNTERS]; /* (a) */
};
extern struct kfence kfence;

enum kfence_error {
	KFENCE_ERROR_OOB,
	KFENCE_ERROR_UAF,
	KFENCE_ERROR_CORRUPTION,
	KFENCE_ERROR_INVALID,
	KFENCE_ERROR_INVALID_FREE,
};

/* What bytes around objects hold: it differs from one address to the next, so that a shifted copy does not match. */
static inline u8 kfence_canary(uintptr_t addr)
{
	return (u8)(0xaa ^ (addr & 7));
}

static inline uintptr_t kfence_page_of(unsigned int object)
{
	return kfence.pool + ((size_t)object + 1) * 2 * PAGE_SIZE;
}

static inline unsigned int kfence_number(const struct kfence_object *object)
{
	return (unsigned int)(object - kfence.objects);
}

/* The object whose page @addr lies on; NULL: a guard page's, or none. */
struct kfence_object *kfence_object_at(uintptr_t addr);

/* @pc: the code at fault and its callers. @object may be NULL. */
void kfence_report(enum kfence_error error, uintptr_t addr, bool is_write, const struct kfence_object *object,
		   const uintptr_t *pc, unsigned int depth);
/* The same of the running code, from its caller @caller outward. */
void kfence_report_here(enum kfence_error error, uintptr_t addr, const struct kfence_object *object, uintptr_t caller);

/* The lines of an object for reports and debugfs, through @put. */
void kfence_print_object(void (*put)(void *ctx, const char *line), void *ctx, const struct kfence_object *object);

/* Is @p a guarded object in use of another cache than @asked? Reported. */
bool kfence_wrong_cache(const struct kmem_cache *asked, const void *p);

/*
 * A cache is being destroyed: its free objects forget it, those in use are shut for ever, "zombies".
 * Return: how many of those.
 */
unsigned int kfence_shutdown_cache(struct kmem_cache *cache, uintptr_t caller);

extern const struct heap_tool kfence_tool;
extern const struct heap_page_ops kfence_page_ops;

#endif
