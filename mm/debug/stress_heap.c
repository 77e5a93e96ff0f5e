// SPDX-License-Identifier: MIT
/*
 * Random kmalloc(), krealloc() and kfree(). Each object holds a stamp that follows from its address, and its size:
 * memory that is handed out twice, or written by somebody else, carries another when it is freed. Anybody can check any
 * object, so objects also change hands through a table of atomic pointers, and a CPU frees what another allocated.
 */
#include <octavo/port.h>
#include <octavo/slab.h>

#include "../base/string.h"
#include "../sync/atomic.h"
#include "../sync/cpu.h"
#include "monitor_words.h"

/* Objects one CPU holds at most: their table is one page. */
#define SLOTS (PAGE_SIZE / sizeof(void *))

struct header {
	u64 stamp;
	u32 size;
	u8 fill[4]; /* and to the end: the low byte of the stamp */
};
octavo_static_assert(sizeof(struct header) == 16, "the fill begins where it is thought to");

struct worker {
	struct stress_heap *all;
	u64 random;
	unsigned long allocs, refused, bad, moved;
	struct header **slots;
};

static u64 mix(u64 x)
{
	/* the finisher of splitmix64 (Steele, Lea, Flood 2014) */
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static u64 next_random(struct worker *w)
{
	w->random += 0x9e3779b97f4a7c15ull;
	return mix(w->random);
}

static u64 stamp_of(const struct stress_heap *all, const void *object)
{
	return mix(all->seed ^ (uintptr_t)object);
}

/* Of the sizes below, and what a damaged one may lead to. */
#define SIZE_MAX_ASKED (sizeof(struct header) + (1u << 15))

/* As programs ask: most are small, few are pages. */
static u32 random_size(u64 r)
{
	unsigned int bits = 4 + (r & 7);

	if (!(r >> 3 & 31))
		bits += 4;
	return (u32)(sizeof(struct header) + (r >> 8 & ((1u << bits) - 1)));
}

static void fill(const struct stress_heap *all, struct header *object, u32 size)
{
	object->stamp = stamp_of(all, object);
	object->size = size;
	memset((u8 *)object + offsetof(struct header, fill), (u8)object->stamp, size - offsetof(struct header, fill));
}

/* The bytes of an object's end: they go on behind the header. */
static const u8 *fill_of(const struct header *object)
{
	return (const u8 *)object + offsetof(struct header, fill);
}

static bool intact(const struct stress_heap *all, const struct header *object, u32 most)
{
	u64 stamp = stamp_of(all, object);
	u32 size = object->size;

	if (object->stamp != stamp || size < sizeof(*object) || size > SIZE_MAX_ASKED)
		return false;
	size = min(size, most);
	for (u32 i = 0; i < size - (u32)offsetof(struct header, fill); i++)
		if (fill_of(object)[i] != (u8)stamp)
			return false;
	return true;
}

static bool is_zero(const void *object, u32 size)
{
	const u8 *byte = object;

	for (u32 i = 0; i < size; i++)
		if (byte[i])
			return false;
	return true;
}

static struct header *allocate(struct worker *w)
{
	u64 r = next_random(w);
	u32 size = random_size(r);
	bool zero = !(r >> 48 & 7);
	gfp_t gfp = GFP_NOWAIT | __GFP_NOWARN | (zero ? __GFP_ZERO : 0) | (r >> 52 & 7 ? 0 : __GFP_RECLAIMABLE);
	struct header *object = kmalloc(size, gfp);

	if (!object) {
		w->refused++;
		return NULL;
	}
	w->allocs++;
	w->bad += (uintptr_t)object % ARCH_KMALLOC_MINALIGN != 0;
	w->bad += (size & (size - 1)) == 0 && (uintptr_t)object % min(size, (u32)PAGE_SIZE) != 0;
	w->bad += zero && !is_zero(object, size);
	fill(w->all, object, size);
	return object;
}

static void release(struct worker *w, struct header *object)
{
	w->bad += !intact(w->all, object, ~0u);
	object->stamp = 0;
	kfree(object);
}

/* The old contents must be there, up to the smaller size. Its stamp is that of the old address. */
static struct header *change_size(struct worker *w, struct header *object)
{
	u32 size = random_size(next_random(w)), old = object->size;
	u64 stamp = object->stamp;
	struct header *now;

	w->bad += !intact(w->all, object, ~0u);
	now = krealloc(object, size, GFP_NOWAIT | __GFP_NOWARN);
	if (!now) {
		w->refused++;
		return object;
	}
	w->bad += now->stamp != stamp || now->size != old;
	for (u32 i = 0; i < min(size, old) - (u32)offsetof(struct header, fill); i++) {
		if (fill_of(now)[i] != (u8)stamp) {
			w->bad++;
			break;
		}
	}
	fill(w->all, now, size);
	w->allocs++;
	return now;
}

static void step(struct worker *w)
{
	u64 r = next_random(w);
	struct header **slot = &w->slots[r & (SLOTS - 1)];

	if (!*slot) {
		*slot = allocate(w);
	} else if (!(r >> 16 & 7)) {
		*slot = atomic_xchg(&w->all->exchange[(r >> 20) % STRESS_EXCHANGE], (void *)*slot);
		w->moved += *slot != NULL;
	} else if (!(r >> 32 & 15)) {
		*slot = change_size(w, *slot);
	} else {
		release(w, *slot);
		*slot = NULL;
	}
}

void stress_heap_cpu(void *arg)
{
	struct stress_heap *all = arg;
	struct worker w = { .all = all, .random = all->seed ^ mix(smp_processor_id() + 1) };

	/* another run goes on where the last one ended, with other choices */
	w.random ^= load_relaxed(&all->allocs);
	atomic_fetch_add(&all->cpus, 1ul);
	w.slots = kzalloc(PAGE_SIZE, GFP_NOWAIT | __GFP_NOWARN);
	if (w.slots) {
		for (unsigned long i = 0; i < all->ops; i++)
			step(&w);
		for (unsigned int i = 0; i < SLOTS; i++)
			if (w.slots[i])
				release(&w, w.slots[i]);
		kfree(w.slots);
	} else {
		w.refused += all->ops;
	}
	atomic_fetch_add(&all->allocs, w.allocs);
	atomic_fetch_add(&all->refused, w.refused);
	atomic_fetch_add(&all->bad, w.bad);
	atomic_fetch_add(&all->moved, w.moved);
}

void stress_heap_end(struct stress_heap *s)
{
	struct worker w = { .all = s };

	for (unsigned int i = 0; i < STRESS_EXCHANGE; i++) {
		struct header *object = atomic_xchg(&s->exchange[i], (void *)NULL);

		if (object)
			release(&w, object);
	}
	s->bad += w.bad;
}

int monitor_stress_heap(struct monitor *mon, char *args)
{
	char *word = next_word(&args);
	struct stress_heap s = { .seed = port_random() };
	u64 start, ns, ops = 20000;
	int error;

	if (word && (!parse_number_word(word, ~0ul >> 1, &ops) || !ops))
		return monitor_usage(mon, "stress heap [CALLS]   (on each CPU)");
	s.ops = (unsigned long)ops;
	start = port_clock_ns();
	error = monitor_run_all(mon, stress_heap_cpu, &s);
	stress_heap_end(&s);
	if (error)
		return monitor_failed(mon, "stress", error);
	ns = port_clock_ns() - start;
	monitor_say(mon, "%lu CPUs, %lu calls each: %lu objects allocated, %lu of them freed elsewhere, %lu refused, ",
		    s.cpus, s.ops, s.allocs, s.moved, s.refused);
	monitor_say(mon, "%lu damaged, %llu ms\n", s.bad, (unsigned long long)(ns / 1000000));
	return s.bad ? -EIO : 0;
}
