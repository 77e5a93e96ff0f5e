// SPDX-License-Identifier: MIT
/* Directories and names: getdents64(2), mkdir(2), rmdir(2), unlink(2), rename(2), link(2), symlink(2), mknod(2). */
#include "kfs.h"
#include "syscall.h"

/* ---- getdents64 ---- */

struct dirents {
	struct dir_context ctx;
	char *buffer;
	size_t len, size;
	bool old; /* getdents(2): the type behind the name */
	bool full;
};

static bool dirent_emit(struct dir_context *ctx, const char *name, size_t len, u64 ino, unsigned int type)
{
	struct dirents *d = container_of(ctx, struct dirents, ctx);
	/* ino, off, reclen, type (64) or, of the old kind, the type in the last byte */
	size_t bytes = ALIGN(8 + 8 + 2 + 1 + len + 1, 8);
	u16 reclen = (u16)bytes;
	u64 next = ctx->pos + 1;
	char *at = d->buffer + d->len;

	if (d->size - d->len < bytes) {
		d->full = true;
		return false;
	}
	memset(at, 0, bytes);
	memcpy(at, &ino, 8);
	memcpy(at + 8, &next, 8);
	memcpy(at + 16, &reclen, 2);
	at[d->old ? bytes - 1 : 18] = (char)type;
	memcpy(at + (d->old ? 18 : 19), name, len);
	d->len += bytes;
	return true;
}

static int dirents_read(struct file *file, struct dirents *d)
{
	struct dentry *dir = file_path(file)->dentry;
	struct vnode *v = vnode_of(dir->inode);
	struct dentry *up = dir->parent ? dir->parent : dir;

	if (d->ctx.pos == 0) {
		if (!d->ctx.emit(&d->ctx, ".", 1, dir->inode->i_ino, 4))
			return 0;
		d->ctx.pos = 1;
	}
	if (d->ctx.pos == 1) {
		if (!d->ctx.emit(&d->ctx, "..", 2, up->inode->i_ino, 4))
			return 0;
		d->ctx.pos = 2;
	}
	if (v->ops && v->ops->readdir)
		return v->ops->readdir(v, &d->ctx);
	return dentry_readdir(dir, &d->ctx);
}

static long do_getdents(int fd, uintptr_t to, size_t size, bool old)
{
	struct file *file = fd_get(fd);
	struct dirents d = { .ctx.emit = dirent_emit, .size = min(size, 8 * PAGE_SIZE), .old = old };
	long ret;

	if (!file)
		return -EBADF;
	if (!file_path(file) || !S_ISDIR(file->f_inode->i_mode) || file->f_flags & O_PATH) {
		ret = file->f_flags & O_PATH ? -EBADF : -ENOTDIR;
		goto out;
	}
	d.buffer = kvmalloc(max(d.size, (size_t)64), GFP_KERNEL);
	ret = -ENOMEM;
	if (!d.buffer)
		goto out;
	names_lock();
	d.ctx.pos = file->f_pos;
	ret = dirents_read(file, &d);
	names_unlock();
	if (!ret)
		ret = d.full && !d.len ? -EINVAL : (long)d.len;
	if (ret > 0 && copy_to_user(to, d.buffer, d.len))
		ret = -EFAULT;
	if (ret >= 0)
		file->f_pos = d.ctx.pos;
	kvfree(d.buffer);
out:
	fput(file);
	return ret;
}

static long sys_getdents64(int fd, uintptr_t to, unsigned int size)
{
	return do_getdents(fd, to, size, false);
}
SYSCALL(217, sys_getdents64);

static long sys_getdents(int fd, uintptr_t to, unsigned int size)
{
	return do_getdents(fd, to, size, true);
}
SYSCALL(78, sys_getdents);

const struct file_operations dir_fops = { .release = file_release_path, .show_path = vfs_path };

/* ---- Making names ---- */

static long create_at(int dirfd, uintptr_t upath, u32 mode, u32 rdev, const char *target)
{
	struct walk walk;
	char *path;
	int err;

	path = user_path(upath, &err);
	if (!path)
		return err;
	names_lock();
	err = walk_path(dirfd, path, WALK_MISSING, &walk);
	if (!err) {
		if (walk.found.dentry || walk.type != LAST_NORMAL)
			err = -EEXIST;
		else if (walk.slash && !S_ISDIR(mode))
			err = -ENOENT;
		else
			err = tree_create(&walk, mode, rdev, target);
		walk_end(&walk);
	}
	names_unlock();
	kfree(path);
	return err;
}

static long sys_mkdirat(int dirfd, uintptr_t path, u32 mode)
{
	return create_at(dirfd, path, S_IFDIR | (mode & 01777 & ~current()->fs->umask), 0, NULL);
}
SYSCALL(258, sys_mkdirat);

static long sys_mkdir(uintptr_t path, u32 mode)
{
	return sys_mkdirat(AT_FDCWD, path, mode);
}
SYSCALL(83, sys_mkdir);

static long sys_mknodat(int dirfd, uintptr_t path, u32 mode, u64 dev)
{
	if (!(mode & S_IFMT))
		mode |= S_IFREG;
	if (S_ISDIR(mode))
		return -EPERM;
	if (S_ISLNK(mode) || !(S_ISREG(mode) || S_ISCHR(mode) || S_ISBLK(mode) || S_ISFIFO(mode) || S_ISSOCK(mode)))
		return -EINVAL;
	if ((S_ISCHR(mode) || S_ISBLK(mode)) && !task_capable(current_task(), CAP_SYS_ADMIN))
		return -EPERM;
	return create_at(dirfd, path, (mode & S_IFMT) | (mode & 07777 & ~current()->fs->umask),
			 S_ISCHR(mode) || S_ISBLK(mode) ? dev_from_user(dev) : 0, NULL);
}
SYSCALL(259, sys_mknodat);

static long sys_mknod(uintptr_t path, u32 mode, u64 dev)
{
	return sys_mknodat(AT_FDCWD, path, mode, dev);
}
SYSCALL(133, sys_mknod);

static long sys_symlinkat(uintptr_t utarget, int dirfd, uintptr_t path)
{
	int err;
	char *target = user_path(utarget, &err);
	long ret;

	if (!target)
		return err;
	ret = *target ? create_at(dirfd, path, S_IFLNK | 0777, 0, target) : -ENOENT;
	kfree(target);
	return ret;
}
SYSCALL(266, sys_symlinkat);

static long sys_symlink(uintptr_t target, uintptr_t path)
{
	return sys_symlinkat(target, AT_FDCWD, path);
}
SYSCALL(88, sys_symlink);

/* ---- Taking names away ---- */

static void touch_dir(struct inode *dir)
{
	dir->i_mtime = dir->i_ctime = fs_now();
}

/* May the caller take @victim out of @parent? */
static int may_remove(const struct path *parent, const struct dentry *victim)
{
	const struct inode *dir = parent->dentry->inode;
	const struct mm_task *me = current_task();
	int err;

	if (!inode_is_tree(parent->dentry->inode))
		return -EPERM;
	if (parent->mount->flags & MS_RDONLY)
		return -EROFS;
	err = inode_permission(dir, MAY_WRITE | MAY_EXEC);
	if (err)
		return err;
	if (dir->i_mode & S_ISVTX && me->process->uid != victim->inode->i_uid && me->process->uid != dir->i_uid &&
	    !task_capable(me, CAP_DAC_OVERRIDE))
		return -EPERM;
	return 0;
}

static int remove_name(struct walk *walk, bool directory)
{
	struct dentry *d = walk->found.dentry;
	struct inode *inode = d->inode, *dir = walk->parent.dentry->inode;
	int err;

	if (walk->type != LAST_NORMAL)
		return !directory ? -EISDIR : walk->type == LAST_DOT ? -EINVAL : walk->type == LAST_ROOT ? -EBUSY :
												       -ENOTEMPTY;
	if (d->mounts || d == walk->found.mount->root)
		return -EBUSY;
	err = may_remove(&walk->parent, d);
	if (err)
		return err;
	if (directory && !S_ISDIR(inode->i_mode))
		return -ENOTDIR;
	if (!directory && S_ISDIR(inode->i_mode))
		return -EISDIR;
	if (directory && !list_is_empty(&d->children))
		return -ENOTEMPTY;
	inode->i_nlink -= directory ? 2 : 1;
	inode->i_ctime = fs_now();
	if (directory)
		dir->i_nlink--;
	touch_dir(dir);
	dentry_remove(d);
	return 0;
}

static long unlink_at(int dirfd, uintptr_t upath, bool directory)
{
	struct walk walk;
	int err;
	char *path = user_path(upath, &err);

	if (!path)
		return err;
	names_lock();
	err = walk_path(dirfd, path, 0, &walk);
	if (!err) {
		err = remove_name(&walk, directory);
		walk_end(&walk);
	}
	names_unlock();
	kfree(path);
	return err;
}

static long sys_unlinkat(int dirfd, uintptr_t path, int flags)
{
	if (flags & ~AT_REMOVEDIR)
		return -EINVAL;
	return unlink_at(dirfd, path, flags & AT_REMOVEDIR);
}
SYSCALL(263, sys_unlinkat);

static long sys_unlink(uintptr_t path)
{
	return unlink_at(AT_FDCWD, path, false);
}
SYSCALL(87, sys_unlink);

static long sys_rmdir(uintptr_t path)
{
	return unlink_at(AT_FDCWD, path, true);
}
SYSCALL(84, sys_rmdir);

/* ---- Other names ---- */

static int link_to(const struct path *from, struct walk *to)
{
	struct inode *inode = from->dentry->inode;
	struct dentry *d;
	int err;

	if (to->found.dentry || to->type != LAST_NORMAL)
		return -EEXIST;
	if (from->mount->sb != to->parent.mount->sb)
		return -EXDEV;
	if (S_ISDIR(inode->i_mode) || !inode_is_tree(to->parent.dentry->inode))
		return -EPERM;
	if (to->parent.mount->flags & MS_RDONLY)
		return -EROFS;
	if (to->parent.dentry->parent && !to->parent.dentry->in_tree)
		return -ENOENT;
	err = inode_permission(to->parent.dentry->inode, MAY_WRITE | MAY_EXEC);
	if (err)
		return err;
	ihold(inode);
	d = dentry_add(to->parent.dentry, to->last, to->last_len, inode, false);
	if (!d)
		return -ENOMEM;
	dput_locked(d);
	inode->i_nlink++;
	inode->i_ctime = fs_now();
	touch_dir(to->parent.dentry->inode);
	return 0;
}

static int link_paths(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
	struct path path;
	struct walk walk;
	int err;

	err = path_lookup(from_fd, from, (flags & AT_SYMLINK_FOLLOW ? WALK_FOLLOW : 0) |
			  (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0), &path);
	if (err)
		return err;
	names_lock();
	err = walk_path(to_fd, to, WALK_MISSING, &walk);
	if (!err) {
		err = link_to(&path, &walk);
		walk_end(&walk);
	}
	names_unlock();
	path_put(&path);
	return err;
}

int vfs_link(const char *from, const char *to)
{
	return link_paths(AT_FDCWD, from, AT_FDCWD, to, 0);
}

static long sys_linkat(int from_fd, uintptr_t ufrom, int to_fd, uintptr_t uto, int flags)
{
	char *from, *to = NULL;
	int err;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	from = user_path(ufrom, &err);
	if (from)
		to = user_path(uto, &err);
	if (to)
		err = link_paths(from_fd, from, to_fd, to, flags);
	kfree(from);
	kfree(to);
	return err;
}
SYSCALL(265, sys_linkat);

static long sys_link(uintptr_t from, uintptr_t to)
{
	return sys_linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}
SYSCALL(86, sys_link);

/* ---- rename ---- */

static int rename_check(struct walk *from, struct walk *to, unsigned int flags)
{
	struct dentry *old = from->found.dentry, *new = to->found.dentry;
	int err;

	if (from->type != LAST_NORMAL || to->type != LAST_NORMAL)
		return -EBUSY;
	if (from->parent.mount != to->parent.mount)
		return -EXDEV;
	if (old->mounts || (new && new->mounts) || old == from->found.mount->root)
		return -EBUSY;
	if (new && flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (!new && flags & RENAME_EXCHANGE)
		return -ENOENT;
	if (dentry_below(to->parent.dentry, old))
		return -EINVAL;
	if (new && dentry_below(from->parent.dentry, new))
		return flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	err = may_remove(&from->parent, old);
	if (!err)
		err = may_remove(&to->parent, new ? new : old);
	if (err)
		return err;
	if (!S_ISDIR(old->inode->i_mode) && !new && to->slash)
		return -ENOTDIR;
	if (!new || flags & RENAME_EXCHANGE)
		return 0;
	if (S_ISDIR(old->inode->i_mode) && !S_ISDIR(new->inode->i_mode))
		return -ENOTDIR;
	if (!S_ISDIR(old->inode->i_mode) && S_ISDIR(new->inode->i_mode))
		return -EISDIR;
	return S_ISDIR(new->inode->i_mode) && !list_is_empty(&new->children) ? -ENOTEMPTY : 0;
}

static int rename_walked(struct walk *from, struct walk *to, unsigned int flags)
{
	struct dentry *old = from->found.dentry, *new = to->found.dentry;
	struct inode *from_dir = from->parent.dentry->inode, *to_dir = to->parent.dentry->inode;
	int err = rename_check(from, to, flags);
	char *name;

	if (err || old == new || (new && old->inode == new->inode && !(flags & RENAME_EXCHANGE)))
		return err;
	if (flags & RENAME_EXCHANGE) {
		from_dir->i_nlink += S_ISDIR(new->inode->i_mode) - (u32)S_ISDIR(old->inode->i_mode);
		to_dir->i_nlink += S_ISDIR(old->inode->i_mode) - (u32)S_ISDIR(new->inode->i_mode);
		dentry_swap(old, new);
	} else {
		name = kmemdup_nul(to->last, to->last_len, GFP_KERNEL);
		if (!name)
			return -ENOMEM;
		if (new) {
			new->inode->i_nlink -= S_ISDIR(new->inode->i_mode) ? 2 : 1;
			to_dir->i_nlink -= S_ISDIR(new->inode->i_mode);
			dentry_remove(new);
		}
		if (S_ISDIR(old->inode->i_mode)) {
			from_dir->i_nlink--;
			to_dir->i_nlink++;
		}
		dentry_move(old, to->parent.dentry, name, to->last_len);
	}
	touch_dir(from_dir);
	touch_dir(to_dir);
	old->inode->i_ctime = fs_now();
	return 0;
}

static long sys_renameat2(int from_fd, uintptr_t ufrom, int to_fd, uintptr_t uto, unsigned int flags)
{
	struct walk from_walk, to_walk;
	char *from, *to = NULL;
	int err;

	if (flags & ~(unsigned int)(RENAME_NOREPLACE | RENAME_EXCHANGE) ||
	    flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	from = user_path(ufrom, &err);
	if (from)
		to = user_path(uto, &err);
	if (!to) {
		kfree(from);
		return err;
	}
	names_lock();
	err = walk_path(from_fd, from, 0, &from_walk);
	if (!err) {
		err = walk_path(to_fd, to, WALK_MISSING, &to_walk);
		if (!err) {
			err = rename_walked(&from_walk, &to_walk, flags);
			walk_end(&to_walk);
		}
		walk_end(&from_walk);
	}
	names_unlock();
	kfree(from);
	kfree(to);
	return err;
}
SYSCALL(316, sys_renameat2);

static long sys_renameat(int from_fd, uintptr_t from, int to_fd, uintptr_t to)
{
	return sys_renameat2(from_fd, from, to_fd, to, 0);
}
SYSCALL(264, sys_renameat);

static long sys_rename(uintptr_t from, uintptr_t to)
{
	return sys_renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}
SYSCALL(82, sys_rename);
