// SPDX-License-Identifier: MIT
/* The heap's verifier: every object has one owner. Invariants in heap.c and in the back end's theory. */
#include "heap.h"

#include "../base/findings.h"

/* Is the object in another place of this magazine, or in another CPU's? */
static bool held_twice(const struct cpu_cache *cc, u32 i)
{
	for (u32 j = i + 1; j < cc->mag.nr; j++)
		if (cc->mag.objs[j] == cc->mag.objs[i])
			return true;
	for_each_possible_cpu(cpu) {
		struct cpu_cache *other = cpu > cc->cpu ? heap_cpu_cache(cpu, cc->cache->slot + cc->node) : NULL;

		for (u32 j = 0; other && j < other->mag.nr; j++)
			if (other->mag.objs[j] == cc->mag.objs[i])
				return true;
	}
	return false;
}

static void verify_object(struct findings *f, const struct cpu_cache *cc, u32 i)
{
	const char *name = cc->cache->name;
	void *object = cc->mag.objs[i];
	struct page *page = heap_page(object);
	struct slab *slab = page && PageSlab(page) ? page_slab(page) : NULL;

	if (!slab || backend_cache_of(slab, object) != cc->cache || slab->node != cc->node)
		finding(f, "HP-I2: %s: CPU %u node %u: %p is no object of it", name, cc->cpu, cc->node, object);
	else if (backend_object_of(slab, object) != object)
		finding(f, "HP-I2: %s: CPU %u: no object begins at %p", name, cc->cpu, object);
	else if (backend_is_free(slab, object))
		finding(f, "HP-I1: %s: CPU %u: object %p is also free in its slab", name, cc->cpu, object);
	else if (held_twice(cc, i))
		finding(f, "HP-I1: %s: CPU %u: object %p is in two places", name, cc->cpu, object);
}

static void verify_cpu(struct findings *f, unsigned int nr)
{
	struct cpu_local *cpu = cpu_locals[nr];

	for (u32 slot = 0; slot < heap.slots; slot++) {
		struct cpu_cache *cc = heap_cpu_cache(nr, slot);
		struct magazine *open = cpu->heap[slot];

		if (open != shut() && (heap.hooks || !cc || open != &cc->mag))
			finding(f, "HP-I4: CPU %u slot %u: %p is open", nr, slot, (void *)open);
		if (!cc)
			continue;
		if (cc->mag.nr > cc->mag.limit) {
			finding(f, "HP-I3: %s: CPU %u: %lu objects of at most %lu", cc->cache->name, nr, cc->mag.nr,
			      cc->mag.limit);
			continue;
		}
		for (u32 i = 0; i < cc->mag.nr; i++)
			verify_object(f, cc, i);
	}
}

unsigned int heap_verify(void (*report)(void *ctx, const char *line), void *ctx)
{
	struct findings f = { .report = report, .ctx = ctx };
	struct kmem_cache *cache;

	mutex_lock(&heap.mutex);
	list_for_each_entry(cache, &heap.caches, list)
		f.n += backend_verify(cache, report, ctx);
	for_each_possible_cpu(cpu)
		if (cpu_locals[cpu] && cpu_locals[cpu]->heap)
			verify_cpu(&f, cpu);
	mutex_unlock(&heap.mutex);
	return f.n;
}
