// SPDX-License-Identifier: MIT
/* open(2), openat(2), openat2(2), creat(2): from a name to an open file. */
#include "kfs.h"
#include "syscall.h"

struct path *file_path(const struct file *file)
{
	return file->f_path;
}

/* ---- Writers or programs ---- */

static struct klock writers_lock __memsys;

/* One more on the side of @by, if nobody is on the other. */
static int join(struct inode *inode, s32 by)
{
	unsigned long flags = klock(&writers_lock);
	bool other = by > 0 ? inode->i_writers < 0 : inode->i_writers > 0;

	if (!other)
		inode->i_writers += by;
	kunlock(&writers_lock, flags);
	return other ? -ETXTBSY : 0;
}

static void leave(struct inode *inode, s32 by)
{
	unsigned long flags = klock(&writers_lock);

	inode->i_writers -= by;
	kunlock(&writers_lock, flags);
}

int inode_write_begin(struct inode *inode)
{
	return join(inode, 1);
}

void inode_write_end(struct inode *inode)
{
	leave(inode, 1);
}

int file_deny_write(struct file *file)
{
	int err = join(file->f_inode, -1);

	if (!err)
		file->f_mode |= FMODE_TEXT;
	return err;
}

void file_release_path(struct file *file)
{
	struct path *path = file->f_path;

	if (!path)
		return;
	if (file->f_mode & (FMODE_WRITER | FMODE_TEXT))
		leave(file->f_inode, file->f_mode & FMODE_TEXT ? -1 : 1);
	if (file->f_mode & FMODE_LOCKS)
		locks_release_file(file->f_inode, file);
	file->f_path = NULL;
	path_put(path);
	kfree(path);
}

size_t vfs_path(const struct file *file, char *text, size_t size)
{
	const struct path *path = file->f_path;
	bool locked = names_locked();
	size_t len;

	if (!path)
		return 0;
	if (!locked)
		names_lock();
	len = path_text(path, text, size);
	if (!locked)
		names_unlock();
	return len;
}

void fops_with_path(struct file_operations *fop)
{
	fop->release = file_release_path;
	fop->show_path = vfs_path;
}

struct file *file_new(struct inode *inode, u32 flags, const struct file_operations *fop)
{
	static const u32 modes[4] = { FMODE_READ, FMODE_WRITE, FMODE_READ | FMODE_WRITE, 0 };
	struct file *file = alloc_file(inode, flags & O_PATH ? 0 : modes[flags & O_ACCMODE],
				       flags & ~(u32)(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC), fop);

	if (!file)
		iput(inode);
	return file;
}

/* ---- A file that only stands for a place: O_PATH ---- */
const struct file_operations path_fops = { .release = file_release_path, .show_path = vfs_path };

static int open_allowed(const struct path *path, int flags)
{
	const struct inode *inode = path->dentry->inode;
	static const unsigned int may[4] = { MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE };
	unsigned int want = may[flags & O_ACCMODE] | (flags & O_TRUNC ? MAY_WRITE : 0);
	unsigned long mnt = path->mount->flags;
	bool device = S_ISCHR(inode->i_mode) || S_ISBLK(inode->i_mode);

	if (S_ISDIR(inode->i_mode) && want & MAY_WRITE)
		return -EISDIR;
	if (want & MAY_WRITE && mnt & MS_RDONLY && !device && !S_ISFIFO(inode->i_mode))
		return -EROFS;
	if (device && mnt & MS_NODEV)
		return -EACCES;
	if (S_ISSOCK(inode->i_mode))
		return -ENXIO;
	return inode_permission(inode, want);
}

static int open_inode(struct file *file, struct inode *inode, int flags)
{
	struct vnode *v = vnode_of(inode);
	int err;

	if (S_ISCHR(inode->i_mode) || S_ISBLK(inode->i_mode))
		return device_open(inode, file);
	if (S_ISFIFO(inode->i_mode))
		return fifo_open(inode, file);
	if (v && v->ops && v->ops->open)
		return v->ops->open(v, file);
	if (!S_ISREG(inode->i_mode) || v)
		return 0;
	/* O_TRUNC alone writes, too. */
	err = file->f_mode & FMODE_WRITE || flags & O_TRUNC ? inode_write_begin(inode) : 0;
	if (err)
		return err;
	if (file->f_mode & FMODE_WRITE)
		file->f_mode |= FMODE_WRITER;
	if (flags & O_TRUNC)
		err = shmem_truncate(inode, 0);
	if (flags & O_TRUNC && !(file->f_mode & FMODE_WRITE))
		inode_write_end(inode);
	return err;
}

struct file *open_path(const struct path *path, int flags, int *err)
{
	struct inode *inode = path->dentry->inode;
	struct path *kept;
	struct file *file;

	*err = 0;
	if (flags & O_DIRECTORY && !S_ISDIR(inode->i_mode))
		*err = -ENOTDIR;
	else if (S_ISLNK(inode->i_mode) && !(flags & O_PATH))
		*err = -ELOOP;
	else if (!(flags & O_PATH))
		*err = open_allowed(path, flags);
	if (*err)
		return NULL;
	*err = -ENOMEM;
	kept = kmalloc(sizeof(*kept), GFP_KERNEL);
	if (!kept)
		return NULL;
	ihold(inode);
	file = file_new(inode, (u32)flags, flags & O_PATH ? &path_fops : inode->i_fop ? inode->i_fop : &path_fops);
	if (!file) {
		kfree(kept);
		return NULL;
	}
	*kept = *path;
	path_get(kept);
	file->f_path = kept;
	*err = flags & O_PATH ? 0 : open_inode(file, inode, flags);
	if (!*err)
		return file;
	/* What was not opened is not to be released: only the name is. */
	file->f_op = &path_fops;
	fput(file);
	return NULL;
}

static int open_missing(struct walk *walk, int flags, u32 mode)
{
	if (walk->slash || flags & O_DIRECTORY)
		return flags & O_CREAT ? -EISDIR : -ENOENT;
	if (!inode_is_tree(walk->parent.dentry->inode))
		return walk->parent.mount->sb->type == &proc_type ? -ENOENT : -EACCES;
	return tree_create(walk, S_IFREG | (mode & 07777 & ~current()->fs->umask), 0, NULL);
}

/* O_TMPFILE: a file that never had a name. */
static int open_nameless(struct walk *walk, u32 mode)
{
	struct dentry *dir = walk->found.dentry, *d;
	struct inode *inode;
	int err;

	if (!S_ISDIR(dir->inode->i_mode))
		return -ENOTDIR;
	if (!inode_is_tree(dir->inode))
		return -EOPNOTSUPP;
	err = inode_permission(dir->inode, MAY_WRITE | MAY_EXEC);
	if (err)
		return err;
	inode = tree_inode(walk->found.mount->sb, S_IFREG | (mode & 07777 & ~current()->fs->umask), 0, NULL, &err);
	if (!inode)
		return err;
	inode->i_nlink = 0;
	d = dentry_add(dir, "#", 1, inode, false);
	if (!d)
		return -ENOMEM;
	dentry_remove(d);
	dput_locked(dir);
	walk->found.dentry = d;
	return 0;
}

static unsigned int walk_flags(int flags)
{
	unsigned int walk = 0;

	if (!(flags & O_NOFOLLOW) && (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL))
		walk |= WALK_FOLLOW;
	if (flags & O_CREAT)
		walk |= WALK_MISSING;
	return walk;
}

static struct file *open_walk(int dirfd, const char *name, int flags, u32 mode, unsigned int resolve, int *err)
{
	bool nameless = (flags & O_TMPFILE) == O_TMPFILE, created = false;
	struct file *file = NULL;
	struct walk walk;
	struct path path;

	names_lock();
	*err = walk_path(dirfd, name, walk_flags(flags) | resolve, &walk);
	if (*err) {
		names_unlock();
		return NULL;
	}
	if (nameless) {
		*err = open_nameless(&walk, mode);
		flags &= ~O_DIRECTORY;
		created = true;
	} else if (!walk.found.dentry) {
		*err = open_missing(&walk, flags, mode);
		created = true;
	} else if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) {
		*err = -EEXIST;
	} else if (flags & O_CREAT && S_ISDIR(walk.found.dentry->inode->i_mode)) {
		*err = -EISDIR;
	}
	path = walk.found;
	if (!*err)
		path_get(&path);
	walk_end(&walk);
	names_unlock();
	if (*err)
		return NULL;
	if (created) {
		/* Whoever makes a file may open it as he asked, whatever its mode. */
		u32 was = path.dentry->inode->i_mode;

		path.dentry->inode->i_mode |= path.dentry->inode->i_uid == current_task()->process->uid ? 0700 : 0;
		file = open_path(&path, flags & ~O_TRUNC, err);
		path.dentry->inode->i_mode = was;
	} else {
		file = open_path(&path, flags, err);
	}
	path_put(&path);
	return file;
}

struct file *vfs_open(int dirfd, const char *path, int flags, u32 mode, int *err)
{
	return open_walk(dirfd, path, flags, mode, 0, err);
}

struct file *vfs_open_exec(int dirfd, const char *path, int at_flags, int *err)
{
	struct file *file = open_walk(dirfd, path, O_PATH | (at_flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0), 0,
				      at_flags & AT_EMPTY_PATH ? WALK_EMPTY : 0, err);
	struct path at;

	if (!file)
		return NULL;
	at = *file_path(file);
	path_get(&at);
	fput(file);
	file = NULL;
	if (S_ISLNK(at.dentry->inode->i_mode))
		*err = -ELOOP;
	else if (!S_ISREG(at.dentry->inode->i_mode) || at.mount->flags & MS_NOEXEC)
		*err = -EACCES;
	else
		*err = inode_permission(at.dentry->inode, MAY_EXEC);
	if (!*err) {
		/* What may be executed need not be readable; the kernel reads it. */
		struct inode *inode = at.dentry->inode;
		struct path *kept = kmalloc(sizeof(*kept), GFP_KERNEL);

		ihold(inode);
		file = kept ? file_new(inode, O_RDONLY, inode->i_fop) : NULL;
		if (file) {
			*kept = at;
			path_get(kept);
			file->f_path = kept;
			file->f_mode |= FMODE_EXEC;
		} else {
			if (!kept)
				iput(inode);
			kfree(kept);
			*err = -ENOMEM;
		}
	}
	path_put(&at);
	return file;
}

/* ---- System calls ---- */

static long do_open(int dirfd, uintptr_t upath, int flags, u32 mode, unsigned int resolve)
{
	struct file *file;
	char *path;
	int err, fd;

	if (flags & O_PATH)
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	if (flags & 020000000) {
		if ((flags & O_TMPFILE) != O_TMPFILE || !(flags & O_ACCMODE) || flags & O_CREAT)
			return -EINVAL;
	} else if ((flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY)) {
		return -EINVAL;
	}
	path = user_path(upath, &err);
	if (!path)
		return err;
	file = open_walk(dirfd, path, flags, mode, resolve, &err);
	kfree(path);
	if (!file)
		return err;
	fd = fd_install(file, 0, flags & O_CLOEXEC);
	if (fd < 0)
		fput(file);
	return fd;
}

static long sys_open(uintptr_t path, int flags, u32 mode)
{
	return do_open(AT_FDCWD, path, flags, mode, 0);
}
SYSCALL(2, sys_open);

static long sys_openat(int dirfd, uintptr_t path, int flags, u32 mode)
{
	return do_open(dirfd, path, flags, mode, 0);
}
SYSCALL(257, sys_openat);

static long sys_creat(uintptr_t path, u32 mode)
{
	return do_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode, 0);
}
SYSCALL(85, sys_creat);

#define OPEN_FLAGS_KNOWN                                                                                   \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_ASYNC | O_DIRECT | \
	 O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | O_TMPFILE)

static long sys_openat2(int dirfd, uintptr_t path, uintptr_t uhow, size_t size)
{
	struct {
		u64 flags, mode, resolve;
	} how;
	/* RESOLVE_NO_XDEV, NO_MAGICLINKS, NO_SYMLINKS, BENEATH, IN_ROOT in the order of their bits */
	static const unsigned int walks[] = { WALK_NO_XDEV, WALK_NO_MAGIC, WALK_NO_SYMLINKS, WALK_BENEATH,
					      WALK_IN_ROOT };
	unsigned int resolve = 0;
	u8 byte;

	if (size < sizeof(how))
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (copy_from_user(&how, uhow, sizeof(how)))
		return -EFAULT;
	for (size_t i = sizeof(how); i < size; i++) {
		if (get_user(byte, uhow + i))
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	if (how.flags & ~(u64)OPEN_FLAGS_KNOWN || how.mode & ~07777ull || how.resolve >> ARRAY_SIZE(walks) ||
	    (how.mode && !(how.flags & (O_CREAT | 020000000))))
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(walks); i++)
		if (how.resolve >> i & 1)
			resolve |= walks[i];
	return do_open(dirfd, path, (int)how.flags, (u32)how.mode, resolve);
}
SYSCALL(437, sys_openat2);
