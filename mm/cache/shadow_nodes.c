// SPDX-License-Identifier: MIT
/*
 * Nodes of files' xarrays in which nothing is left but shadows.
 *
 * Purpose. Of a large file that was read once the shadows stay, and with them the nodes they stand in: 9 bytes for each
 * page of a file that may be larger than memory many times over. A shadow is of use only while a refault would still
 * mean something, so there is a bound on these nodes, which a shrinker keeps.
 *
 * Words. A *shadow node* is of the last level, and all its entries are values. *Listed*: on the list of the memory node
 * that it lies in, oldest first.
 *
 * Bound. A refault matters if its distance is at most about the pages in memory. If an eighth of the slots of a shadow
 * node are in use, one node remembers eight pages; so a node for every eight pages of the lists is as much as can be of
 * use, and what is beyond that goes, the oldest first.
 *
 * Invariants.
 *	SN-I1: in an array that has had shadows a node is listed if and only if it is a shadow node, while its lock is
 *	       not held. WORKINGSET_NODES is the number of those listed.
 *
 * Locking. A list's lock is taken inside of an array's. The shrinker comes from the other side: it tries the array's
 * lock, and a node that is listed cannot go, nor its array, while the list's lock is held.
 *
 * Sources. Documentation/admin-guide/cgroup-v2.rst (workingset_nodereclaim).
 */
#include "shadow_nodes.h"

#include <octavo/shrinker.h>

#include "../base/part.h"
#include "../phys/zone.h"

static struct listed {
	spinlock_t lock;
	struct xa_node *oldest, *newest;
} lists[MAX_NUMNODES] __memsys;

static int node_of(const struct xa_node *node)
{
	const struct page *page = virt_to_page(node);

	return page ? page_to_nid(page) : 0;
}

static void unlist_locked(struct listed *listed, struct xa_node *node, int nid)
{
	if (node->list.older)
		node->list.older->list.newer = node->list.newer;
	else
		listed->oldest = node->list.newer;
	if (node->list.newer)
		node->list.newer->list.older = node->list.older;
	else
		listed->newest = node->list.older;
	node->listed = false;
	mod_node_page_state(NODE_DATA(nid), WORKINGSET_NODES, -1);
}

static void list_locked(struct listed *listed, struct xa_node *node, int nid)
{
	node->list.older = listed->newest;
	node->list.newer = NULL;
	if (listed->newest)
		listed->newest->list.newer = node;
	else
		listed->oldest = node;
	listed->newest = node;
	node->listed = true;
	mod_node_page_state(NODE_DATA(nid), WORKINGSET_NODES, 1);
}

void shadow_node_changed(struct xarray *xa, struct xa_node *node)
{
	bool wanted = !node->shift && node->count && node->values == node->count;
	int nid;

	if (likely(wanted == node->listed))
		return;
	nid = node_of(node);
	spin_lock(&lists[nid].lock);
	node->array = xa;
	if (wanted)
		list_locked(&lists[nid], node, nid);
	else
		unlist_locked(&lists[nid], node, nid);
	spin_unlock(&lists[nid].lock);
}

void shadow_node_forget(struct xa_node *node)
{
	int nid;

	if (!node->listed)
		return;
	nid = node_of(node);
	spin_lock(&lists[nid].lock);
	unlist_locked(&lists[nid], node, nid);
	spin_unlock(&lists[nid].lock);
}

/* ---- The shrinker ---- */

static unsigned long bound(int nid)
{
	const struct pglist_data *node = NODE_DATA(nid);
	unsigned long pages = 0;

	for (unsigned int list = NR_INACTIVE_ANON; list <= NR_ACTIVE_FILE; list++)
		pages += node_page_state(node, list);
	return pages / 8;
}

static unsigned long count_nodes(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long nodes = node_page_state(NODE_DATA(sc->nid), WORKINGSET_NODES), most = bound(sc->nid);

	(void)shrinker;
	if (!nodes)
		return SHRINK_EMPTY;
	return nodes > most ? nodes - most : 0;
}

/* The oldest of the list whose array is free to be changed, its lock held and the node not listed; NULL: none. */
static struct xa_node *take_oldest(struct listed *listed, int nid, unsigned long *flags)
{
	unsigned int tries = 16;
	struct xa_node *node, *found = NULL;

	*flags = port_irq_save();
	spin_lock(&listed->lock);
	for (node = listed->oldest; node && tries-- && !found; node = node->list.newer)
		if (spin_trylock((spinlock_t *)(void *)node->array->lock))
			found = node;
	if (found)
		unlist_locked(listed, found, nid);
	spin_unlock(&listed->lock);
	if (!found)
		port_irq_restore(*flags);
	return found;
}

static unsigned long scan_nodes(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long freed = 0;

	(void)shrinker;
	while (freed < sc->nr_to_scan) {
		unsigned long flags;
		struct xa_node *node = take_oldest(&lists[sc->nid], sc->nid, &flags);
		struct xarray *xa;

		if (!node)
			return freed ? freed : SHRINK_STOP;
		mod_node_page_state(NODE_DATA(sc->nid), WORKINGSET_NODERECLAIM, 1);
		xa = node->array;
		xa_clear_node(xa, node);
		/* The node is gone, and its array may be as soon as the lock is free. */
		xa_unlock_irqrestore(xa, flags);
		freed++;
	}
	return freed;
}

static int shadow_nodes_init(void)
{
	struct shrinker *shrinker = shrinker_alloc(SHRINKER_NUMA_AWARE, "mm-shadow");

	if (!shrinker)
		return -ENOMEM;
	for (unsigned int nid = 0; nid < MAX_NUMNODES; nid++)
		spin_lock_init(&lists[nid].lock, LOCK_RANK_SHADOW);
	shrinker->count_objects = count_nodes;
	shrinker->scan_objects = scan_nodes;
	shrinker->seeks = 0; /* what is beyond the bound is of no use to anybody */
	shrinker_register(shrinker);
	return 0;
}
MM_PART(shadow_nodes, .order = MM_PART_FILES, .init = shadow_nodes_init);
