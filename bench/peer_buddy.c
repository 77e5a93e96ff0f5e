// SPDX-License-Identifier: MIT
/*
 * A peer to be measured against: the buddy allocator of the textbooks. A free list for each order, linked through
 * 12 bytes a frame; blocks are split and joined with their buddies (Knuth, The Art of Computer Programming, volume 1,
 * section 2.5); one lock; in front, for single frames, a stack for each CPU that is filled and emptied 64 at a time.
 */
#include <pthread.h>
#include <stdlib.h>

#include "pfa.h"

#define ORDERS 11u
#define NONE UINT32_MAX
#define MAX_CPUS 64u
#define STACK 128u
#define BATCH 64u

struct node {
	uint32_t prev, next;
	uint8_t free; /* heads a free block */
	uint8_t order;
};

static struct node *nodes;
static uint32_t lists[ORDERS];
static size_t nr_frames;
static pthread_spinlock_t lock;
static struct {
	unsigned int nr;
	uint32_t frames[STACK];
} __attribute__((aligned(64))) stacks[MAX_CPUS];

const char *pf_name(void)
{
	return "list-buddy";
}

static void push(uint32_t f, unsigned int order)
{
	nodes[f] = (struct node){ .prev = NONE, .next = lists[order], .free = 1, .order = (uint8_t)order };
	if (lists[order] != NONE)
		nodes[lists[order]].prev = f;
	lists[order] = f;
}

static void unlink_block(uint32_t f)
{
	struct node *n = &nodes[f];

	if (n->prev != NONE)
		nodes[n->prev].next = n->next;
	else
		lists[n->order] = n->next;
	if (n->next != NONE)
		nodes[n->next].prev = n->prev;
	n->free = 0;
}

int pf_init(size_t frames, unsigned int cpus)
{
	if (cpus > MAX_CPUS || !(nodes = calloc(frames, sizeof(*nodes))))
		return -1;
	nr_frames = frames;
	pthread_spin_init(&lock, PTHREAD_PROCESS_PRIVATE);
	for (unsigned int i = 0; i < MAX_CPUS; i++)
		stacks[i].nr = 0;
	for (unsigned int order = 0; order < ORDERS; order++)
		lists[order] = NONE;
	for (size_t f = frames & ~((1ul << (ORDERS - 1)) - 1); f;) {
		f -= 1ul << (ORDERS - 1);
		push((uint32_t)f, ORDERS - 1);
	}
	return 0;
}

void pf_fini(void)
{
	pthread_spin_destroy(&lock);
	free(nodes);
}

size_t pf_meta_bytes(void)
{
	return nr_frames * sizeof(*nodes) + sizeof(stacks);
}

static uint32_t take(unsigned int order)
{
	unsigned int o = order;
	uint32_t f;

	while (o < ORDERS && lists[o] == NONE)
		o++;
	if (o == ORDERS)
		return NONE;
	f = lists[o];
	unlink_block(f);
	while (o > order) {
		o--;
		push(f + (1u << o), o);
	}
	return f;
}

static void give(uint32_t f, unsigned int order)
{
	for (; order < ORDERS - 1; order++) {
		uint32_t buddy = f ^ 1u << order;

		if (buddy >= nr_frames || !nodes[buddy].free || nodes[buddy].order != order)
			break;
		unlink_block(buddy);
		f &= ~(1u << order);
	}
	push(f, order);
}

static void empty_stack(unsigned int cpu)
{
	while (stacks[cpu].nr)
		give(stacks[cpu].frames[--stacks[cpu].nr], 0);
}

uint64_t pf_alloc(unsigned int order, unsigned int cpu)
{
	uint32_t f = NONE;

	if (!order && stacks[cpu].nr)
		return stacks[cpu].frames[--stacks[cpu].nr];
	pthread_spin_lock(&lock);
	if (order) {
		f = take(order);
		if (f == NONE && stacks[cpu].nr) { /* what joins up with what this CPU keeps */
			empty_stack(cpu);
			f = take(order);
		}
	} else {
		while (stacks[cpu].nr < BATCH && (f = take(0)) != NONE)
			stacks[cpu].frames[stacks[cpu].nr++] = f;
		f = stacks[cpu].nr ? stacks[cpu].frames[--stacks[cpu].nr] : NONE;
	}
	pthread_spin_unlock(&lock);
	return f == NONE ? PF_NONE : f;
}

void pf_free(uint64_t frame, unsigned int order, unsigned int cpu)
{
	if (!order && stacks[cpu].nr < STACK) {
		stacks[cpu].frames[stacks[cpu].nr++] = (uint32_t)frame;
		return;
	}
	pthread_spin_lock(&lock);
	if (!order)
		while (stacks[cpu].nr > STACK - BATCH)
			give(stacks[cpu].frames[--stacks[cpu].nr], 0);
	give((uint32_t)frame, order);
	pthread_spin_unlock(&lock);
}
