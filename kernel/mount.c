// SPDX-License-Identifier: MIT
/* File systems and where they are mounted: mount(2), umount2(2), statfs(2). */
#include "kfs.h"
#include "syscall.h"

static struct {
	struct mount *first, *root;
	struct superblock *devtmpfs; /* one tree, wherever it is mounted */
	u32 next_id, next_dev;
} mounts __memsys;

static const struct fs_type *const fs_types[] = {
	&tmpfs_type, &ramfs_type, &devtmpfs_type, &proc_type, &sysfs_type, &debugfs_type,
};

/* What Linux shows in /proc/filesystems. */
void mount_show_filesystems(struct ktext *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(fs_types); i++)
		ktext_printf(text, "nodev\t%s\n", fs_types[i]->name);
}

static const struct fs_type *fs_type_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(fs_types); i++)
		if (!strcmp(fs_types[i]->name, name))
			return fs_types[i];
	return NULL;
}

struct mount *mount_root(void)
{
	return mounts.root;
}

struct mount *mount_on(const struct path *path)
{
	struct mount *found = NULL;

	for (struct mount *m = mounts.first; m; m = m->next)
		if (m->parent == path->mount && m->mountpoint == path->dentry)
			found = m;
	return found;
}

void mount_get(struct mount *mount)
{
	katomic_inc(&mount->refs);
}

static void superblock_put(struct superblock *sb)
{
	if (!sb || katomic_dec(&sb->refs))
		return;
	/* The last mount of a tmpfs takes its files along. */
	if (sb->root)
		tree_destroy(sb->root);
	kfree(sb);
}

void mount_put(struct mount *mount)
{
	struct superblock *sb;
	struct dentry *root;

	if (!mount || katomic_dec(&mount->refs))
		return;
	sb = mount->sb;
	root = mount->root;
	kfree(mount);
	dput(root);
	superblock_put(sb);
}

void path_get(const struct path *path)
{
	mount_get(path->mount);
	dget(path->dentry);
}

void path_put(const struct path *path)
{
	if (path->dentry)
		dput(path->dentry);
	mount_put(path->mount);
}

void path_put_locked(const struct path *path)
{
	if (path->dentry)
		dput_locked(path->dentry);
	mount_put(path->mount);
}

void mount_each(void (*fn)(void *ctx, struct mount *mount), void *ctx)
{
	for (struct mount *m = mounts.first; m; m = m->next)
		fn(ctx, m);
}

static void mount_link(struct mount *m)
{
	struct mount **at = &mounts.first;

	while (*at)
		at = &(*at)->next;
	*at = m;
	m->attached = true;
}

static struct superblock *superblock_new(const struct fs_type *type, const char *options, int *err)
{
	struct superblock *sb;

	*err = 0;
	if (type == &devtmpfs_type && mounts.devtmpfs) {
		katomic_inc(&mounts.devtmpfs->refs);
		return mounts.devtmpfs;
	}
	sb = kzalloc(sizeof(*sb), GFP_KERNEL);
	*err = -ENOMEM;
	if (!sb)
		return NULL;
	sb->type = type;
	sb->refs = 1;
	sb->dev = MKDEV(0, 16 + mounts.next_dev++);
	*err = type->fill(sb, options);
	if (*err) {
		kfree(sb);
		return NULL;
	}
	if (type == &devtmpfs_type) {
		mounts.devtmpfs = sb;
		katomic_inc(&sb->refs);
	}
	return sb;
}

/* Takes over the reference to @sb, and to @root. */
static int mount_attach(struct superblock *sb, struct dentry *root, const char *source, const char *options,
			unsigned long flags, const struct path *at)
{
	struct mount *m = kzalloc(sizeof(*m), GFP_KERNEL);

	if (!m) {
		dput(root);
		superblock_put(sb);
		return -ENOMEM;
	}
	m->sb = sb;
	m->root = root;
	m->refs = 1;
	m->flags = flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME);
	m->id = ++mounts.next_id;
	strscpy(m->source, source && *source ? source : "none", sizeof(m->source));
	strscpy(m->options, options ? options : "", sizeof(m->options));
	if (at) {
		m->parent = at->mount;
		m->mountpoint = at->dentry;
		path_get(at);
		m->mountpoint->mounts++;
	} else if (!mounts.root) {
		mounts.root = m;
	}
	mount_link(m);
	return 0;
}

int mount_new(const struct fs_type *type, const char *source, const char *options, unsigned long flags,
	      const struct path *at)
{
	struct superblock *sb;
	int err;

	sb = superblock_new(type, options, &err);
	if (!sb)
		return err;
	names_lock();
	err = mount_attach(sb, dget(sb->root), source, options, flags, at);
	names_unlock();
	return err;
}

static long mount_bind(const char *source, unsigned long flags, const struct path *at)
{
	struct path from;
	long err = path_lookup(AT_FDCWD, source, WALK_FOLLOW, &from);

	if (err)
		return err;
	names_lock();
	if (S_ISDIR(from.dentry->inode->i_mode) != S_ISDIR(at->dentry->inode->i_mode)) {
		err = -ENOTDIR;
	} else {
		katomic_inc(&from.mount->sb->refs);
		err = mount_attach(from.mount->sb, dget(from.dentry), source, from.mount->options,
				   from.mount->flags | flags, at);
	}
	names_unlock();
	path_put(&from);
	return err;
}

static long mount_move(const char *source, const struct path *at)
{
	struct path from;
	struct mount *m;
	long err = path_lookup(AT_FDCWD, source, WALK_FOLLOW, &from);

	if (err)
		return err;
	names_lock();
	m = from.mount;
	if (from.dentry != m->root || !m->parent) {
		err = -EINVAL;
	} else {
		struct path was = { m->parent, m->mountpoint };

		for (struct mount *up = at->mount; up; up = up->parent)
			if (up == m)
				err = -ELOOP;
		if (!err) {
			was.dentry->mounts--;
			m->parent = at->mount;
			m->mountpoint = at->dentry;
			path_get(at);
			m->mountpoint->mounts++;
			path_put_locked(&was);
		}
	}
	names_unlock();
	path_put(&from);
	return err;
}

static long mount_remount(unsigned long flags, const char *options, const struct path *at)
{
	struct mount *m = at->mount;
	unsigned long keep = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME;

	if (at->dentry != m->root)
		return -EINVAL;
	if (*options && !(flags & MS_BIND)) {
		int err = tmpfs_options(m->sb, options, true);

		if (err)
			return err;
	}
	names_lock();
	m->flags = flags & keep;
	names_unlock();
	return 0;
}

static long do_mount(const char *source, const char *type_name, unsigned long flags, const char *options,
		     const struct path *at)
{
	const struct fs_type *type;

	if ((flags & 0xffff0000ul) == 0xc0ed0000ul)
		flags &= 0xfffful;
	if ((flags & (MS_REMOUNT | MS_BIND)) == MS_BIND)
		return mount_bind(source, flags, at);
	if (flags & MS_REMOUNT)
		return mount_remount(flags, options, at);
	if (flags & MS_MOVE)
		return mount_move(source, at);
	if (flags & (MS_PRIVATE | MS_SLAVE | MS_SHARED | 1ul << 17)) /* propagation: there is one namespace */
		return 0;
	if (!S_ISDIR(at->dentry->inode->i_mode))
		return -ENOTDIR;
	type = fs_type_find(type_name);
	return type ? mount_new(type, source, options, flags, at) : -ENODEV;
}

static long sys_mount(uintptr_t usource, uintptr_t utarget, uintptr_t utype, unsigned long flags, uintptr_t udata)
{
	char *source = NULL, *target = NULL, *type = NULL, *data = NULL;
	struct path at;
	int err = 0;
	long ret;

	if (!task_capable(current_task(), CAP_SYS_ADMIN))
		return -EPERM;
	target = user_path(utarget, &err);
	if (target && usource)
		source = user_path(usource, &err);
	if (target && !(usource && !source) && utype)
		type = get_user_string(utype, 64, &err);
	if (target && !(utype && !type) && udata)
		data = user_path(udata, &err);
	ret = !target || (usource && !source) || (utype && !type) || (udata && !data) ? err : 0;
	if (!ret)
		ret = path_lookup(AT_FDCWD, target, WALK_FOLLOW, &at);
	if (!ret) {
		ret = do_mount(source ? source : "", type ? type : "", flags, data ? data : "", &at);
		path_put(&at);
	}
	kfree(source);
	kfree(target);
	kfree(type);
	kfree(data);
	return ret;
}
SYSCALL(165, sys_mount);

/* Files of it are open, or somebody's directory is in it: more references to its dentries than the tree's own. */
static bool mount_busy(struct mount *m)
{
	for (struct mount *other = mounts.first; other; other = other->next)
		if (other->parent == m)
			return true;
	return katomic_read(&m->refs) > 2; /* its own, and the path's that led here */
}

#define MNT_DETACH 2
#define UMOUNT_NOFOLLOW 8

static void mount_detach(struct mount *m)
{
	struct mount **at = &mounts.first;
	struct path on = { m->parent, m->mountpoint };

	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	m->attached = false;
	on.dentry->mounts--;
	m->parent = NULL;
	m->mountpoint = NULL;
	path_put_locked(&on);
	mount_put(m);
}

static long sys_umount2(uintptr_t upath, int flags)
{
	struct path at;
	char *path;
	int err;

	if (flags & ~(MNT_DETACH | UMOUNT_NOFOLLOW | 1))
		return -EINVAL;
	if (!task_capable(current_task(), CAP_SYS_ADMIN))
		return -EPERM;
	path = user_path(upath, &err);
	if (!path)
		return err;
	err = path_lookup(AT_FDCWD, path, flags & UMOUNT_NOFOLLOW ? 0 : WALK_FOLLOW, &at);
	kfree(path);
	if (err)
		return err;
	names_lock();
	if (at.dentry != at.mount->root || !at.mount->parent || !at.mount->attached)
		err = -EINVAL;
	else if (!(flags & MNT_DETACH) && mount_busy(at.mount))
		err = -EBUSY;
	else
		mount_detach(at.mount);
	names_unlock();
	path_put(&at);
	return err;
}
SYSCALL(166, sys_umount2);

/* ---- Names of places ---- */

/* Adds a name in front of what lies at *@at. Return: there was room. */
static bool put_name(char *text, size_t *at, const char *name, size_t len)
{
	if (*at < len + 1)
		return false;
	*at -= len;
	memcpy(text + *at, name, len);
	text[--*at] = '/';
	return true;
}

size_t path_text(const struct path *path, char *text, size_t size)
{
	static const char deleted[] = " (deleted)", unreachable[] = "(unreachable)";
	const struct path root = current()->fs ? current()->fs->root : (struct path){ mounts.root, NULL };
	struct path at = *path;
	size_t pos = size, end = size;
	bool gone = at.dentry->parent && !at.dentry->in_tree && !at.dentry->dynamic, room = true;

	if (gone && size > sizeof(deleted)) {
		pos -= sizeof(deleted) - 1;
		memcpy(text + pos, deleted, sizeof(deleted) - 1);
	}
	end = pos;
	while (room && (at.mount != root.mount || at.dentry != root.dentry)) {
		if (at.dentry == at.mount->root || !at.dentry->parent) {
			if (!at.mount->parent)
				break;
			at = (struct path){ at.mount->parent, at.mount->mountpoint };
			continue;
		}
		room = put_name(text, &pos, at.dentry->name, at.dentry->name_len);
		at.dentry = at.dentry->parent;
	}
	if (room && pos == end)
		room = put_name(text, &pos, "", 0);
	if (room && root.dentry && (at.mount != root.mount || at.dentry != root.dentry) &&
	    pos >= sizeof(unreachable) - 1) {
		pos -= sizeof(unreachable) - 1;
		memcpy(text + pos, unreachable, sizeof(unreachable) - 1);
	}
	memmove(text, text + pos, size - pos);
	size -= pos;
	return room ? size : 0;
}

/* ---- statfs ---- */

static void statfs_fill(struct path *path, struct kstatfs *st)
{
	struct superblock *sb = path->mount->sb;
	u64 counts[4] = { 0 };

	*st = (struct kstatfs){ .f_bsize = PAGE_SIZE, .f_frsize = PAGE_SIZE, .f_namelen = NAME_MAX };
	if (!sb)
		return;
	st->f_type = sb->type->magic;
	if (sb->shmem.max_blocks) {
		shmem_statfs(&sb->shmem, counts);
		st->f_blocks = counts[0];
		st->f_bfree = st->f_bavail = counts[1];
	}
	if (sb->shmem.max_inodes) {
		shmem_statfs(&sb->shmem, counts);
		st->f_files = counts[2];
		st->f_ffree = counts[3];
	}
	/* ST_VALID, and flags as mount(2) has them in the low bits. */
	st->f_flags = 0x20 | (path->mount->flags & 0xf);
}

static long sys_statfs(uintptr_t upath, uintptr_t to)
{
	struct kstatfs st;
	struct path at;
	int err;
	char *path = user_path(upath, &err);

	if (!path)
		return err;
	err = path_lookup(AT_FDCWD, path, WALK_FOLLOW, &at);
	kfree(path);
	if (err)
		return err;
	statfs_fill(&at, &st);
	path_put(&at);
	return copy_to_user(to, &st, sizeof(st)) ? -EFAULT : 0;
}
SYSCALL(137, sys_statfs);

static long sys_fstatfs(int fd, uintptr_t to)
{
	struct file *file = fd_get(fd);
	struct kstatfs st = { .f_type = 0x01021994, .f_bsize = PAGE_SIZE, .f_frsize = PAGE_SIZE,
			      .f_namelen = NAME_MAX };

	if (!file)
		return -EBADF;
	if (file_path(file))
		statfs_fill(file_path(file), &st);
	fput(file);
	return copy_to_user(to, &st, sizeof(st)) ? -EFAULT : 0;
}
SYSCALL(138, sys_fstatfs);

/* ---- /proc/mounts ---- */

struct mounts_text {
	struct ktext *text;
	char *path;
};

/* Where it is mounted, into mt->path. Return: length; 0: out of the caller's reach. */
static size_t mounted_at(struct mounts_text *mt, struct mount *m)
{
	struct path at = { m, m->root };
	size_t len = path_text(&at, mt->path, PATH_MAX);

	return len && mt->path[0] == '(' ? 0 : len;
}

static void show_flags(const struct mount *m, struct ktext *text)
{
	ktext_printf(text, "%s%s%s%s%s,relatime", m->flags & MS_RDONLY ? "ro" : "rw",
		     m->flags & MS_NOSUID ? ",nosuid" : "", m->flags & MS_NODEV ? ",nodev" : "",
		     m->flags & MS_NOEXEC ? ",noexec" : "", m->flags & MS_NOATIME ? ",noatime" : "");
}

static void mount_show(void *ctx, struct mount *m)
{
	struct mounts_text *mt = ctx;
	size_t len = mounted_at(mt, m);

	if (!len)
		return;
	ktext_printf(mt->text, "%s %.*s %s ", m->source, (int)len, mt->path, m->sb->type->name);
	show_flags(m, mt->text);
	tmpfs_show_options(m->sb, mt->text);
	ktext_printf(mt->text, " 0 0\n");
}

/* Which directory of its file system is mounted, into mt->path. */
static const char *mounted_root(struct mounts_text *mt, const struct mount *m)
{
	size_t at = PATH_MAX - 1;

	mt->path[at] = 0;
	for (const struct dentry *d = m->root; d->parent && d->name_len < at; d = d->parent) {
		at -= d->name_len;
		memcpy(mt->path + at, d->name, d->name_len);
		mt->path[--at] = '/';
	}
	return mt->path[at] ? mt->path + at : "/";
}

static void mountinfo_line(void *ctx, struct mount *m)
{
	struct mounts_text *mt = ctx;
	size_t len = mounted_at(mt, m);

	if (!len)
		return;
	ktext_printf(mt->text, "%u %u %u:%u %s ", m->id, m->parent ? m->parent->id : m->id, MAJOR(m->sb->dev),
		     MINOR(m->sb->dev), mounted_root(mt, m));
	len = mounted_at(mt, m);
	ktext_printf(mt->text, "%.*s ", (int)len, mt->path);
	show_flags(m, mt->text);
	ktext_printf(mt->text, " - %s %s %s", m->sb->type->name, m->source, m->flags & MS_RDONLY ? "ro" : "rw");
	tmpfs_show_options(m->sb, mt->text);
	ktext_printf(mt->text, "\n");
}

static int each_mount(struct ktext *text, void (*line)(void *ctx, struct mount *m))
{
	struct mounts_text mt = { text, kmalloc(PATH_MAX, GFP_KERNEL) };

	if (!mt.path)
		return -ENOMEM;
	names_lock();
	mount_each(line, &mt);
	names_unlock();
	kfree(mt.path);
	return 0;
}

int mounts_show(struct ktext *text)
{
	return each_mount(text, mount_show);
}

int mountinfo_show(struct ktext *text)
{
	return each_mount(text, mountinfo_line);
}
