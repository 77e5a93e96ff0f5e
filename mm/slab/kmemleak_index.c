// SPDX-License-Identifier: MIT
/*
 * kmemleak's objects by address: a treap (Seidel and Aragon, "Randomized Search Trees", 1996) for each kind of address.
 *
 *	A search tree by start of the object that is at the same time a heap by a hash of it: its shape is that of a
 *	tree built in random order, about 2 ln n deep. Inserting splits a subtree, removing merges two: both go down
 *	one path and need no way back up, so there are no parent pointers and no recursion. Who walks over all objects
 *	remembers an address, not a place in the tree, and so may let go of the lock between two of them.
 */
#include "kmemleak.h"

/* Neighbouring addresses far apart (Fibonacci hashing). */
static u64 weight(const struct leak_object *object)
{
	u64 x = object->start * 0x9e3779b97f4a7c15ull;

	return x ^ x >> 32;
}

/* The last that begins at @addr or ahead of it. */
static struct leak_object *last_up_to(enum leak_kind kind, u64 addr)
{
	struct leak_object *at = leak.tree[kind], *best = NULL;

	while (at) {
		if (at->start <= addr)
			best = at;
		at = at->child[at->start <= addr];
	}
	return best;
}

struct leak_object *leak_containing(enum leak_kind kind, u64 addr)
{
	struct leak_object *object = last_up_to(kind, addr);

	return object && addr - object->start < object->size ? object : NULL;
}

struct leak_object *leak_from(enum leak_kind kind, u64 start)
{
	struct leak_object *at = leak.tree[kind], *best = NULL;

	while (at) {
		if (at->start >= start)
			best = at;
		at = at->child[at->start < start];
	}
	return best;
}

struct leak_object *leak_find(enum leak_kind kind, u64 start)
{
	struct leak_object *object = last_up_to(kind, start);

	return object && object->start == start ? object : NULL;
}

struct leak_object *leak_same(enum leak_kind kind, u64 start, u32 serial)
{
	struct leak_object *object = leak_find(kind, start);

	return object && object->serial == serial ? object : NULL;
}

bool leak_insert(enum leak_kind kind, struct leak_object *object, u64 *other)
{
	struct leak_object **link = &leak.tree[kind], **below = &object->child[0], **above = &object->child[1], *at;
	const u64 mine = weight(object);

	at = last_up_to(kind, object->start + object->size - 1);
	if (at && at->start + at->size > object->start) {
		*other = at->start;
		return false;
	}
	while (*link && weight(*link) >= mine)
		link = &(*link)->child[object->start > (*link)->start];
	at = *link;
	*link = object;
	while (at) {
		if (at->start < object->start) {
			*below = at;
			below = &at->child[1];
			at = *below;
		} else {
			*above = at;
			above = &at->child[0];
			at = *above;
		}
	}
	*below = *above = NULL;
	leak.objects++;
	return true;
}

void leak_remove(enum leak_kind kind, struct leak_object *object)
{
	struct leak_object **link = &leak.tree[kind], *a = object->child[0], *b = object->child[1];

	while (*link != object)
		link = &(*link)->child[object->start > (*link)->start];
	while (a && b) {
		if (weight(a) >= weight(b)) {
			*link = a;
			link = &a->child[1];
			a = *link;
		} else {
			*link = b;
			link = &b->child[0];
			b = *link;
		}
	}
	*link = a ? a : b;
	if (object->gray.next)
		list_del(&object->gray);
	leak.objects--;
}
