// SPDX-License-Identifier: MIT
/* The heap's front end: the CPUs' tables, draining them, and the gate that shuts the fast paths. Theory in heap.c. */
#include "heap.h"

#include "../base/printk.h"
#include "../base/string.h"
#include "meta.h"

#define for_each_slot(slot) for (u32 slot = 1; slot < heap.slots; slot++)

/* ---- Tables ---- */

/* From memblock, so that a CPU that comes online needs no memory. Not written until then. */
int heap_cpu_setup(unsigned int cpu_nr)
{
	struct cpu_local *cpu = cpu_locals[cpu_nr];
	size_t bytes = heap_slots() * (sizeof(struct magazine *) + sizeof(struct cpu_cache *));
	void *table = memblock_alloc_node(bytes, 64, cpu->node);

	if (!table) {
		pr_err("CPU %u: no %zu bytes of memory for its table of caches\n", cpu_nr, bytes);
		return -ENOMEM;
	}
	cpu->heap = NULL;
	cpu->heap_caches = (struct cpu_cache **)((struct magazine **)table + heap_slots());
	return 0;
}

int heap_cpu_online(unsigned int cpu_nr)
{
	struct cpu_local *cpu = cpu_locals[cpu_nr];
	struct magazine **table = (struct magazine **)cpu->heap_caches - heap_slots();

	if (cpu->heap)
		return 0;
	for (u32 slot = 0; slot < heap.slots; slot++)
		table[slot] = shut();
	cpu->heap_local = table + cpu->node;
	store_release(&cpu->heap, table);
	return 0;
}

/* ---- The gate ---- */

struct magazine *heap_entry(struct cpu_cache *cc)
{
	return heap.hooks || cc->cache->dying || load_relaxed(&cc->asked) ? shut() : &cc->mag;
}

static void set_gates_locked(void)
{
	for_each_possible_cpu(nr) {
		struct cpu_local *cpu = cpu_locals[nr];

		if (!cpu || !cpu->heap)
			continue;
		for_each_slot(slot) {
			struct cpu_cache *cc = cpu->heap_caches[slot];

			if (cc && cc != CPU_CACHE_BUSY)
				store_release(&cpu->heap[slot], heap_entry(cc));
		}
	}
}

void heap_hooks_set(u32 hooks, bool on)
{
	unsigned long flags;

	spin_lock_irqsave(&heap.gate, flags);
	store_relaxed(&heap.hooks, on ? heap.hooks | hooks : heap.hooks & ~hooks);
	set_gates_locked();
	spin_unlock_irqrestore(&heap.gate, flags);
}

void heap_tool_set(enum heap_tool_kind kind, const struct heap_tool *tool)
{
	static const u32 hook[HEAP_TOOLS] = { HEAP_FAIL, HEAP_GUARD, HEAP_LEAK, HEAP_TRACE };

	if (tool)
		store_release(&heap.tools[kind], tool);
	heap_hooks_set(hook[kind], tool != NULL);
	if (!tool)
		store_release(&heap.tools[kind], NULL);
}

/* ---- Draining ---- */

/* Take the cpu_caches of @cache from their CPUs: onto a list. */
static struct cpu_cache *take_all(const struct kmem_cache *cache)
{
	struct cpu_cache *taken = NULL;
	unsigned long flags;

	for_each_possible_cpu(nr) {
		struct cpu_local *cpu = cpu_locals[nr];

		if (!cpu || !cpu->heap)
			continue;
		spin_lock_irqsave(&heap.gate, flags);
		for (u32 slot = cache->slot; slot < cache->slot + heap.nodes; slot++) {
			struct cpu_cache *cc = cpu->heap_caches[slot];

			if (!cc || cc == CPU_CACHE_BUSY)
				continue;
			store_release(&cpu->heap[slot], shut());
			store_release(&cpu->heap_caches[slot], CPU_CACHE_BUSY);
			cc->next = taken;
			taken = cc;
		}
		spin_unlock_irqrestore(&heap.gate, flags);
	}
	return taken;
}

/* Whoever was in a section when the entries changed has left it. False: there is no way to know. */
static bool wait_for_sections(void)
{
	smp_mb();
	if (num_online_cpus() > 1 && port_cpu_call(PORT_CPU_OTHERS, NULL, NULL) == -ENOSYS)
		return false;
	for_each_online_cpu(nr)
		while (nr != smp_processor_id() && load_acquire(&cpu_locals[nr]->depth))
			port_cpu_relax();
	return true;
}

/* Back to its CPU, or away for good. */
static void put_one(struct cpu_cache *cc, bool discard)
{
	struct cpu_local *cpu = cpu_locals[cc->cpu];
	u32 slot = cc->cache->slot + cc->node;
	unsigned long flags;

	spin_lock_irqsave(&heap.gate, flags);
	store_release(&cpu->heap_caches[slot], discard ? NULL : cc);
	store_release(&cpu->heap[slot], discard ? shut() : heap_entry(cc));
	spin_unlock_irqrestore(&heap.gate, flags);
	if (discard)
		meta_free(cc, cc->bytes);
}

/* Everything in the magazine, and the slabs, go back. */
void heap_empty_cpu_cache(struct cpu_cache *cc, struct list_head *dead)
{
	backend_give(cc->cache, cc, cc->mag.objs, cc->mag.nr, dead);
	store_relaxed(&cc->mag.nr, 0);
	backend_flush(cc->cache, cc, dead);
}

void heap_drain(struct kmem_cache *cache, bool discard)
{
	struct cpu_cache *cc, *next, *taken;
	bool reached;

	if (!cache->slot)
		return;
	taken = take_all(cache);
	reached = !taken || wait_for_sections() || cache->dying;
	for (cc = taken; cc; cc = next) {
		struct list_head dead;

		next = cc->next;
		if (!reached && cc->cpu != smp_processor_id() && READ_ONCE(cpu_locals[cc->cpu]->online)) {
			store_relaxed(&cc->asked, 1);
			put_one(cc, false);
			continue;
		}
		INIT_LIST_HEAD(&dead);
		heap_empty_cpu_cache(cc, &dead);
		backend_bury(cache, &dead);
		put_one(cc, discard);
	}
}

/* The CPU is offline: what it held goes back, and what it goes through at its return is its own again. */
void heap_cpu_dead(unsigned int cpu)
{
	struct cpu_local *local = cpu_locals[cpu];

	if (!local->heap)
		return;
	mutex_lock(&heap.mutex);
	for_each_slot(slot) {
		struct cpu_cache *cc = local->heap_caches[slot];
		struct list_head dead;

		if (!cc)
			continue;
		INIT_LIST_HEAD(&dead);
		heap_empty_cpu_cache(cc, &dead);
		backend_bury(cc->cache, &dead);
	}
	mutex_unlock(&heap.mutex);
}

unsigned long heap_in_magazines(struct kmem_cache *cache, int nid)
{
	unsigned long n = 0;

	if (!cache->slot)
		return 0;
	for_each_possible_cpu(cpu)
		for (u32 i = 0; i < heap.nodes; i++) {
			struct cpu_cache *cc = nid == NUMA_NO_NODE || (u32)nid == i ?
						       heap_cpu_cache(cpu, cache->slot + i) : NULL;

			n += cc ? load_relaxed(&cc->mag.nr) : 0;
		}
	return n;
}
