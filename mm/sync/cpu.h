/* SPDX-License-Identifier: MIT */
/*
 * The per-CPU base and per-CPU sections.
 *
 * A section is where a CPU works on its own caches without a lock. It may be interrupted; the interrupt
 * handler that finds depth above 1 when it enters leaves the caches alone and goes to the shared structures.
 * Another CPU that must get at the caches sets a flag the owner looks at inside its sections, makes every
 * CPU pass a memory barrier (port_cpu_call), and waits until depth is 0: the owner pays no atomic for it.
 *
 * cpu_section_begin() nests. cpu_section_try() does not: it fails where a section is open already, and is left by
 * cpu_section_leave(). Pointers that never change are read by this_cpu_const().
 */
#ifndef MM_SYNC_CPU_H
#define MM_SYNC_CPU_H

#include "../base/compiler.h"

struct cpu_pages;
struct zone_cpu_stat;
struct alloc_fast;
struct magazine;
struct cpu_cache;
struct rcu_head;

/*
 * Legend: (o) the owning CPU only, (c) constant once the CPU is online, (a) atomic.
 * The first three fields are where the assembly of port/inline/gs looks for them.
 */
struct cpu_local {
	struct cpu_local *self;	  /* (c) */
	u32 depth;		  /* (o) sections entered; others read it with acquire */
	u32 cpu;		  /* (c) */
	s32 node;		  /* (c) */
	u32 online;		  /* (a) */
	struct cpu_pages *pages;  /* (c) mm/phys: this CPU's page caches, an array over zones */
	struct zone_cpu_stat *zone_stats; /* (c) mm/phys: batched counters, an array over zones */
	unsigned long *events;	  /* (c) mm/phys: vm events of this CPU */
	const struct alloc_fast *fast; /* (c) mm/phys: first zone by GFP bits; NULL: the page allocator is not open */
	struct magazine **heap;	      /* (c) mm/slab: magazines by slot; the closed one sends to the slow path */
	struct magazine **heap_local; /* (c) the same from the slot of this CPU's node on */
	struct cpu_cache **heap_caches; /* (c) what the magazines are parts of, by slot; NULL: this CPU has none */
	uintptr_t percpu;	      /* (c) where its copies of per-CPU variables are, less where CPU 0's are */
	u32 percpu_ready;	      /* (a) they have their first values */
	u32 preempt_count;	      /* (o) preempt_disable() less preempt_enable() */
	u32 rcu_nesting;	      /* (o) rcu_read_lock() less rcu_read_unlock(); others read it */
	struct rcu_head *rcu_queue;   /* (a) callbacks that wait for a grace period to begin, latest first */
	unsigned long rcu_seen;	      /* mm/sync/rcu.c's mutex: last grace period this CPU needs not be waited for in */
	u32 rcu_queued;		      /* (a) about how many are in rcu_queue */
	u32 rcu_polls;		      /* (o) polls that left them there */
	u8 held_ranks[16];	  /* (o) debug builds: locks held, by rank */
	u32 held_nr;		  /* (o) */
	u32 fault_nth;		  /* (o) fault injection: fail the Nth allocation from now, 0 off */
	u32 fault_what;		  /* (o) of these: FAIL_NTH_* */
} __aligned(64);

octavo_static_assert(offsetof(struct cpu_local, self) == 0, "%gs:0 is the CPU's own address");
#if defined(__x86_64__)
octavo_static_assert(offsetof(struct cpu_local, depth) == 8, "%gs:8 is the section depth");
#endif

/* Per-CPU memory of the first chunk (Linux: PERCPU_DYNAMIC_RESERVE), and what later chunks have: mm/slab/percpu.c. */
#define PERCPU_ROOM ((size_t)(__SIZEOF_POINTER__ == 8 ? 28 : 20) << 10)
#define PERCPU_UNIT_SIZE ((size_t)32 << 10)
#define PERCPU_LATER_MAX 256u

/*
 * What each CPU's part of the section octavo_percpu begins with or contains, between the variables of DEFINE_PER_CPU().
 * CPU 0's is the section itself.
 */
struct octavo_percpu_unit {
	struct cpu_local cpu;
	uintptr_t later[PERCPU_LATER_MAX];	 /* (c) while the chunk lives: its unit for this CPU */
	char room[PERCPU_ROOM] __aligned(64);
};

#include <octavo_port_inline.h>

/* All CPUs' bases; NULL for those that are not possible. cpu_locals[0] exists before mm_init(). */
extern struct cpu_local *cpu_locals[NR_CPUS];

/* CPUs 0 to nr_cpu_ids - 1 may exist. */
extern unsigned int nr_cpu_ids;

#define for_each_possible_cpu(cpu) for (unsigned int cpu = 0; cpu < nr_cpu_ids; cpu++)
#define for_each_online_cpu(cpu) for_each_possible_cpu(cpu) if (cpu_locals[cpu] && READ_ONCE(cpu_locals[cpu]->online))

static inline unsigned int smp_processor_id(void)
{
	return this_cpu()->cpu;
}

unsigned int num_online_cpus(void);

#endif
