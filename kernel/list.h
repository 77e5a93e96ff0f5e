/* SPDX-License-Identifier: MIT */
/* Circular lists; a head that is zeroed counts as empty. */
#ifndef KERNEL_LIST_H
#define KERNEL_LIST_H

#include <octavo/types.h>

struct list_node {
	struct list_node *next, *prev;
};

static inline void node_init(struct list_node *n)
{
	n->next = n->prev = n;
}

static inline bool node_alone(const struct list_node *head)
{
	return !head->next || head->next == head;
}

/* Last in the list. */
static inline void node_append(struct list_node *head, struct list_node *n)
{
	if (!head->next)
		node_init(head);
	n->prev = head->prev;
	n->next = head;
	head->prev->next = n;
	head->prev = n;
}

static inline void node_prepend(struct list_node *head, struct list_node *n)
{
	if (!head->next)
		node_init(head);
	node_append(head->next, n);
}

/* Out of the list, and in none; nothing if it is in none. */
static inline void node_remove(struct list_node *n)
{
	if (!n->next)
		return;
	n->prev->next = n->next;
	n->next->prev = n->prev;
	n->next = n->prev = NULL;
}

#define node_entry(n, type, member) ((type *)((char *)(n) - offsetof(type, member)))
#define node_for_each(n, head) \
	for (struct list_node *n = (head)->next; n && n != (head); n = n->next)
#define node_for_each_safe(n, tmp, head) \
	for (struct list_node *n = (head)->next, *tmp = n ? n->next : NULL; n && n != (head); n = tmp, tmp = n->next)

#endif
