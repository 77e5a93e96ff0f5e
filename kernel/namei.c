// SPDX-License-Identifier: MIT
/*
 * From a path to what it names: path_resolution(7).
 *
 * The text still to be walked lies in one buffer; a symbolic link's target is put in front of what is left, so there is
 * no recursion, and 40 of them are ELOOP. A walk holds references to where it is.
 */
#include "kfs.h"

struct walker {
	struct walk *out;
	struct path root;  /* no way above it; no reference of its own */
	struct path at;	   /* with references */
	char *text, *next; /* PATH_MAX + 1 bytes, and where we are in them */
	unsigned int flags, links;
	struct mount *start_mount;
	struct path start;
};

int inode_permission_as(const struct inode *inode, unsigned int may, u32 uid, u32 gid, bool capable)
{
	unsigned int bits = inode->i_mode & 07;

	if (uid == inode->i_uid)
		bits = inode->i_mode >> 6 & 07;
	else if (gid == inode->i_gid)
		bits = inode->i_mode >> 3 & 07;
	if ((bits & may) == may)
		return 0;
	/* The superuser may all but execute what nobody may. */
	if (capable && (!(may & MAY_EXEC) || S_ISDIR(inode->i_mode) || inode->i_mode & 0111))
		return 0;
	return -EACCES;
}

int inode_permission(const struct inode *inode, unsigned int may)
{
	const struct mm_task *me = current_task();

	return inode_permission_as(inode, may, me->process->uid, me->process->gid,
				   task_capable(me, CAP_DAC_OVERRIDE));
}

static bool same_path(const struct path *a, const struct path *b)
{
	return a->mount == b->mount && a->dentry == b->dentry;
}

/* Takes @to's references in place of those of @w->at. */
static void go(struct walker *w, const struct path *to)
{
	path_put_locked(&w->at);
	w->at = *to;
}

/* Down through everything mounted here. */
static int cross_mounts(struct walker *w)
{
	struct mount *m;

	while (w->at.dentry->mounts && (m = mount_on(&w->at))) {
		struct path to = { m, m->root };

		if (w->flags & WALK_NO_XDEV)
			return -EXDEV;
		path_get(&to);
		go(w, &to);
	}
	return 0;
}

static int go_up(struct walker *w)
{
	struct path to = w->at;

	if (same_path(&w->at, &w->root))
		return w->flags & WALK_BENEATH ? -EXDEV : 0;
	if (w->flags & WALK_BENEATH && same_path(&w->at, &w->start))
		return -EXDEV;
	while (to.dentry == to.mount->root) {
		if (!to.mount->parent || to.mount->parent == to.mount)
			return 0;
		if (w->flags & WALK_NO_XDEV)
			return -EXDEV;
		to = (struct path){ to.mount->parent, to.mount->mountpoint };
		if (same_path(&to, &w->root))
			break;
	}
	if (to.dentry != to.mount->root && to.dentry->parent && !same_path(&to, &w->root))
		to.dentry = to.dentry->parent;
	path_get(&to);
	go(w, &to);
	return cross_mounts(w);
}

static struct dentry *lookup_dynamic(struct dentry *dir, const char *name, size_t len, int *err)
{
	struct vnode *v = vnode_of(dir->inode);
	struct dentry *d = dentry_find(dir, name, len);
	struct inode *inode;
	char text[NAME_MAX + 1];

	if (d) {
		struct vnode *child = vnode_of(d->inode);

		if (!child || !child->ops || !child->ops->revalidate || child->ops->revalidate(child))
			return dget(d);
		dentry_remove(d);
	}
	memcpy(text, name, len);
	text[len] = 0;
	inode = v->ops->lookup(v, text, err);
	if (!inode)
		return NULL;
	d = dentry_add(dir, name, len, inode, true);
	if (!d)
		*err = -ENOMEM;
	return d;
}

/* A name in the directory we are in. Return: with a reference; NULL: *@err. */
static struct dentry *lookup_name(struct walker *w, const char *name, size_t len, int *err)
{
	struct dentry *dir = w->at.dentry, *d;
	struct vnode *v = vnode_of(dir->inode);

	*err = -ENOENT;
	if (v && v->ops && v->ops->lookup)
		return lookup_dynamic(dir, name, len, err);
	d = dentry_find(dir, name, len);
	return d ? dget(d) : NULL;
}

/* The link's text goes in front of what is left to walk. */
static int follow_text(struct walker *w, struct vnode *link)
{
	size_t rest = strlen(w->next), len;
	char *target = kmalloc(PATH_MAX, GFP_KERNEL);
	long got;

	if (!target)
		return -ENOMEM;
	got = link->ops && link->ops->readlink ? link->ops->readlink(link, target, PATH_MAX) : -EINVAL;
	len = got < 0 ? 0 : (size_t)got;
	if (got <= 0 || len + 1 + rest >= PATH_MAX) {
		kfree(target);
		return got < 0 ? (int)got : got == 0 ? -ENOENT : -ENAMETOOLONG;
	}
	memmove(w->text + len + 1, w->next, rest + 1);
	memcpy(w->text, target, len);
	/* Only what followed the link's name, a slash or nothing, follows its target. */
	w->text[len] = rest ? '/' : 0;
	w->next = w->text;
	kfree(target);
	if (*w->next == '/') {
		if (w->flags & WALK_BENEATH)
			return -EXDEV;
		path_get(&w->root);
		go(w, &w->root);
	}
	return 0;
}

static int follow(struct walker *w, struct dentry *link_dentry)
{
	struct vnode *link = vnode_of(link_dentry->inode);
	struct path to;
	int err;

	if (w->flags & WALK_NO_SYMLINKS || ++w->links > SYMLINKS_MAX || !link)
		return -ELOOP;
	if (!link->ops || !link->ops->jump)
		return follow_text(w, link);
	if (w->flags & WALK_NO_MAGIC)
		return -ELOOP;
	err = link->ops->jump(link, &to);
	if (err)
		return err;
	if (w->flags & (WALK_BENEATH | WALK_IN_ROOT)) {
		path_put_locked(&to);
		return -EXDEV;
	}
	go(w, &to);
	return 1;
}

/* What the last component was goes to the caller; a mount on it is crossed. */
static int finish(struct walker *w, struct dentry *d, const char *name, size_t len)
{
	struct walk *out = w->out;
	int err;

	out->type = LAST_NORMAL;
	memcpy(out->last, name, len);
	out->last[len] = 0;
	out->last_len = len;
	out->parent = w->at;
	path_get(&out->parent);
	if (!d)
		return 0;
	mount_get(w->at.mount);
	go(w, &(struct path){ w->at.mount, d });
	err = cross_mounts(w);
	if (err) {
		path_put_locked(&out->parent);
		return err;
	}
	out->found = w->at;
	path_get(&out->found);
	return 0;
}

/* Ends at a directory that was not named: "/", ".", "..", or a magic link's object. */
static void finish_here(struct walker *w, enum last_type type)
{
	w->out->type = type;
	w->out->parent = w->out->found = w->at;
	path_get(&w->at);
	path_get(&w->at);
}

static bool is_dots(const char *name, size_t len)
{
	return name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'));
}

/* One component. Return: 1: go on; 0: the walk is at its end; or errno. */
static int step(struct walker *w, enum last_type *type)
{
	const char *name = w->next;
	size_t len = 0;
	struct dentry *d;
	bool last;
	int err;

	while (name[len] && name[len] != '/')
		len++;
	w->next += len;
	w->out->slash = *w->next == '/';
	while (*w->next == '/')
		w->next++;
	last = !*w->next;
	if (!S_ISDIR(w->at.dentry->inode->i_mode))
		return -ENOTDIR;
	err = inode_permission(w->at.dentry->inode, MAY_EXEC);
	if (err)
		return err;
	if (is_dots(name, len)) {
		*type = len == 1 ? LAST_DOT : LAST_DOTDOT;
		err = len == 2 ? go_up(w) : 0;
		return err ? err : 1;
	}
	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	*type = LAST_NORMAL;
	d = lookup_name(w, name, len, &err);
	if (!d) {
		if (err != -ENOENT || !last || !(w->flags & WALK_MISSING))
			return err;
		return finish(w, NULL, name, len);
	}
	if (S_ISLNK(d->inode->i_mode) && (!last || w->flags & WALK_FOLLOW || w->out->slash)) {
		/* What is left begins behind the slashes; a trailing one has said that a directory is wanted. */
		if (last && w->out->slash)
			w->flags |= WALK_DIRECTORY;
		err = follow(w, d);
		dput_locked(d);
		*type = LAST_DOT;
		return err < 0 ? err : 1;
	}
	if (last)
		return finish(w, d, name, len);
	mount_get(w->at.mount);
	go(w, &(struct path){ w->at.mount, d });
	err = cross_mounts(w);
	return err ? err : 1;
}

static int start(struct walker *w, int dirfd, const char *name)
{
	struct fs_context *fs = current()->fs;
	struct path from = fs->cwd;
	struct file *file = NULL;

	w->root = fs->root;
	if (dirfd != AT_FDCWD && (*name != '/' || w->flags & (WALK_IN_ROOT | WALK_BENEATH))) {
		file = fd_get(dirfd);
		if (!file)
			return -EBADF;
		if (!file_path(file)) {
			fput(file);
			return -ENOTDIR;
		}
		from = *file_path(file);
	}
	if (w->flags & WALK_IN_ROOT)
		w->root = from;
	if (*name == '/' && w->flags & WALK_BENEATH) {
		if (file)
			fput(file);
		return -EXDEV;
	}
	w->at = *name == '/' ? w->root : from;
	path_get(&w->at);
	w->start = w->at;
	/* Kept by the walk's own reference: w->at's first value is put only by go(), so hold one more. */
	path_get(&w->start);
	if (file)
		fput(file);
	return 0;
}

int walk_path(int dirfd, const char *name, unsigned int flags, struct walk *walk)
{
	struct walker w = { .out = walk, .flags = flags };
	enum last_type type = LAST_ROOT;
	int err;

	*walk = (struct walk){ 0 };
	if (!*name && !(flags & WALK_EMPTY))
		return -ENOENT;
	if (strlen(name) >= PATH_MAX)
		return -ENAMETOOLONG;
	err = start(&w, dirfd, name);
	if (err)
		return err;
	w.text = kmalloc(PATH_MAX + 1, GFP_KERNEL);
	if (w.text)
		strscpy(w.text, name, PATH_MAX + 1);
	w.next = w.text;
	err = w.text ? 1 : -ENOMEM;
	if (!*name)
		type = LAST_DOT;
	while (err > 0) {
		while (*w.next == '/')
			w.next++;
		if (!*w.next) {
			finish_here(&w, type);
			err = 0;
			break;
		}
		err = step(&w, &type);
		if (!err)
			break;
	}
	kfree(w.text);
	path_put_locked(&w.at);
	path_put_locked(&w.start);
	walk->slash |= !!(w.flags & WALK_DIRECTORY);
	if (!err && walk->found.dentry && walk->slash && *name && !S_ISDIR(walk->found.dentry->inode->i_mode)) {
		walk_end(walk);
		err = -ENOTDIR;
	}
	return err;
}

void walk_end(struct walk *walk)
{
	path_put_locked(&walk->parent);
	path_put_locked(&walk->found);
	*walk = (struct walk){ 0 };
}

int path_lookup(int dirfd, const char *name, unsigned int flags, struct path *to)
{
	struct walk walk;
	int err;

	names_lock();
	err = walk_path(dirfd, name, flags & ~WALK_MISSING, &walk);
	if (!err) {
		*to = walk.found;
		path_get(to);
		walk_end(&walk);
	}
	names_unlock();
	return err;
}

/* ---- Paths from user space ---- */

char *user_path(uintptr_t at, int *err)
{
	return get_user_string(at, PATH_MAX, err);
}
