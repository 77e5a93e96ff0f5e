// SPDX-License-Identifier: MIT
/*
 * Names in memory.
 *
 * A dentry holds a reference to its parent and to its inode. One in a tree is held by the tree itself until it is
 * removed; a dynamic one (procfs, sysfs) goes when its last holder lets go. One sleeping lock guards all names, parents
 * and mounts; only reference counts change without it, and only down to one.
 *
 * Invariants: KN-I1 a dentry in a tree is hashed exactly once, under its parent and name; KN-I2 a dentry's parent lives
 * as long as the dentry.
 */
#include "kfs.h"

#define HASH_BUCKETS 1024u

static struct {
	struct rw_semaphore lock;
	struct mm_task *owner; /* who holds the lock */
	struct dentry *bucket[HASH_BUCKETS];
} names __memsys;

void names_lock(void)
{
	down_write(&names.lock);
	names.owner = current_task();
}

void names_unlock(void)
{
	names.owner = NULL;
	up_write(&names.lock);
}

bool names_locked(void)
{
	return READ_ONCE(names.owner) == current_task();
}

/* FNV-1a (Fowler, Noll, Vo), seeded with the parent. */
static u32 name_hash(const struct dentry *parent, const char *name, size_t len)
{
	u32 hash = 2166136261u ^ (u32)((uintptr_t)parent >> 6);

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (u8)name[i]) * 16777619u;
	return hash ^ hash >> 15;
}

static void dentry_hash(struct dentry *d)
{
	struct dentry **bucket;

	d->hash = name_hash(d->parent, d->name, d->name_len);
	bucket = &names.bucket[d->hash % HASH_BUCKETS];
	d->next_hash = *bucket;
	*bucket = d;
	d->hashed = true;
}

static void dentry_unhash(struct dentry *d)
{
	struct dentry **at = &names.bucket[d->hash % HASH_BUCKETS];

	if (!d->hashed)
		return;
	while (*at != d)
		at = &(*at)->next_hash;
	*at = d->next_hash;
	d->hashed = false;
}

static struct dentry *dentry_alloc(const char *name, size_t len, struct inode *inode)
{
	struct dentry *d = kzalloc(sizeof(*d), GFP_KERNEL);

	if (d)
		d->name = kmemdup_nul(name, len, GFP_KERNEL);
	if (!d || !d->name) {
		kfree(d);
		iput(inode);
		return NULL;
	}
	d->name_len = (u32)len;
	d->inode = inode;
	d->refs = 1;
	d->next_cookie = 2;
	list_init(&d->sibling);
	list_init(&d->children);
	return d;
}

struct dentry *dentry_root(struct inode *inode)
{
	return dentry_alloc("/", 1, inode);
}

static void dentry_link(struct dentry *d, struct dentry *parent)
{
	d->parent = dget(parent);
	d->cookie = parent->next_cookie++;
	list_insert_before(&d->sibling, &parent->children);
	dentry_hash(d);
}

struct dentry *dentry_add(struct dentry *parent, const char *name, size_t len, struct inode *inode, bool dynamic)
{
	struct dentry *d = dentry_alloc(name, len, inode);

	if (!d)
		return NULL;
	d->dynamic = dynamic;
	dentry_link(d, parent);
	if (!dynamic) {
		d->in_tree = true;
		d->refs++;
	}
	return d;
}

struct dentry *dentry_find(struct dentry *parent, const char *name, size_t len)
{
	u32 hash = name_hash(parent, name, len);

	for (struct dentry *d = names.bucket[hash % HASH_BUCKETS]; d; d = d->next_hash)
		if (d->hash == hash && d->parent == parent && d->name_len == len && !memcmp(d->name, name, len))
			return d;
	return NULL;
}

struct dentry *dget(struct dentry *dentry)
{
	katomic_inc(&dentry->refs);
	return dentry;
}

/* The last reference may be a child's: go up as long as that is so. */
void dput_locked(struct dentry *d)
{
	while (d && !katomic_dec(&d->refs)) {
		struct dentry *parent = d->parent;

		dentry_unhash(d);
		list_remove(&d->sibling);
		iput(d->inode);
		kfree(d->name);
		kfree(d);
		d = parent;
	}
}

void dput(struct dentry *d)
{
	if (!d || katomic_dec_not_one(&d->refs))
		return;
	if (names_locked()) { /* an open file's last reference went during a walk */
		dput_locked(d);
		return;
	}
	names_lock();
	dput_locked(d);
	names_unlock();
}

void dentry_remove(struct dentry *d)
{
	dentry_unhash(d);
	list_remove(&d->sibling);
	if (d->in_tree) {
		d->in_tree = false;
		dput_locked(d);
	}
}

void dentry_move(struct dentry *d, struct dentry *parent, char *name, size_t len)
{
	struct dentry *was = d->parent;

	dentry_unhash(d);
	list_remove(&d->sibling);
	kfree(d->name);
	d->name = name;
	d->name_len = (u32)len;
	dentry_link(d, parent);
	dput_locked(was);
}

void dentry_swap(struct dentry *a, struct dentry *b)
{
	struct dentry *parent = a->parent;
	char *name = a->name;
	u32 len = a->name_len;

	dentry_unhash(a);
	dentry_unhash(b);
	list_remove(&a->sibling);
	list_remove(&b->sibling);
	a->name = b->name;
	a->name_len = b->name_len;
	b->name = name;
	b->name_len = len;
	/* Each is linked where the other was; the references to parents change places, too. */
	dentry_link(a, b->parent);
	dput_locked(b->parent);
	dentry_link(b, parent);
	dput_locked(parent);
}

bool dentry_below(const struct dentry *d, const struct dentry *above)
{
	for (; d; d = d->parent)
		if (d == above)
			return true;
	return false;
}

int dentry_readdir(struct dentry *dir, struct dir_context *ctx)
{
	for (struct list_node *n = dir->children.next; n != &dir->children; n = n->next) {
		struct dentry *d = container_of(n, struct dentry, sibling);

		if (d->cookie < ctx->pos)
			continue;
		ctx->pos = d->cookie;
		if (!ctx->emit(ctx, d->name, d->name_len, d->inode->i_ino, d->inode->i_mode >> 12 & 15))
			return 0;
		ctx->pos = d->cookie + 1;
	}
	return 0;
}
