// SPDX-License-Identifier: MIT
/*
 * File systems whose names are dentries and whose files are in RAM: tmpfs, ramfs, devtmpfs and the root. Contents of
 * regular files are the core's shmem inodes; the rest are vnodes. Options: tmpfs(5).
 */
#include <octavo/mmzone.h>

#include "kfs.h"

#define TMPFS_MAGIC 0x01021994u
#define RAMFS_MAGIC 0x858458f6u

static long tree_readlink(struct vnode *v, char *text, size_t size)
{
	size_t len = min(strlen(v->text), size);

	memcpy(text, v->text, len);
	return (long)len;
}

static void tree_evict(struct vnode *v)
{
	if (S_ISFIFO(v->inode.i_mode))
		fifo_evict(v);
}

static const struct vnode_ops tree_node_ops = { .evict = tree_evict };
static const struct vnode_ops tree_link_ops = { .readlink = tree_readlink };

/* The core's operations on a file, with the kernel's name for it. */
static struct file_operations tmpfs_file_ops __memsys;

void tmpfs_init(void)
{
	tmpfs_file_ops = shmem_file_operations;
	fops_with_path(&tmpfs_file_ops);
}

bool inode_is_tree(struct inode *inode)
{
	const struct superblock *sb = inode->i_sb;

	return sb && sb->type->tree;
}

struct inode *tree_inode(struct superblock *sb, u32 mode, u32 rdev, const char *target, int *err)
{
	const struct mm_process *me = current_task()->process;
	struct inode *inode;
	struct vnode *v;

	*err = -ENOSPC;
	if (S_ISREG(mode)) {
		inode = shmem_inode_alloc(&sb->shmem, mode, VM_NORESERVE); /* charged page by page */
		if (!inode)
			return NULL;
		inode->i_fop = &tmpfs_file_ops;
		inode->i_sb = sb;
		inode->i_dev = sb->dev;
		inode->i_ino = katomic_next(&sb->next_ino);
		inode->i_atime = inode->i_mtime = inode->i_ctime = fs_now();
	} else {
		if (!katomic_add_below(&sb->shmem.used_inodes, 1, sb->shmem.max_inodes))
			return NULL;
		v = vnode_new(sb, mode, S_ISLNK(mode) ? &tree_link_ops : &tree_node_ops, &dir_fops);
		if (v && target) {
			v->text = kstrdup(target, GFP_KERNEL);
			v->inode.i_size = strlen(target);
		}
		if (!v || (target && !v->text)) {
			*err = -ENOMEM;
			if (v)
				iput(&v->inode);
			else
				katomic_add_long(&sb->shmem.used_inodes, -1);
			return NULL;
		}
		inode = &v->inode;
		inode->i_rdev = rdev;
	}
	inode->i_nlink = S_ISDIR(mode) ? 2 : 1;
	inode->i_uid = me->uid;
	inode->i_gid = me->gid;
	return inode;
}

static void dir_changed(struct inode *dir)
{
	dir->i_mtime = dir->i_ctime = fs_now();
}

int tree_create(struct walk *walk, u32 mode, u32 rdev, const char *target)
{
	struct inode *dir = walk->parent.dentry->inode, *inode;
	struct superblock *sb = walk->parent.mount->sb;
	struct dentry *d;
	int err;

	if (!inode_is_tree(dir))
		return -EPERM;
	if (walk->parent.mount->flags & MS_RDONLY)
		return -EROFS;
	if (walk->parent.dentry->parent && !walk->parent.dentry->in_tree)
		return -ENOENT; /* a directory that was removed */
	err = inode_permission(dir, MAY_WRITE | MAY_EXEC);
	if (err)
		return err;
	if (S_ISDIR(mode) && dir->i_mode & S_ISGID)
		mode |= S_ISGID;
	inode = tree_inode(sb, mode, rdev, target, &err);
	if (!inode)
		return err;
	if (dir->i_mode & S_ISGID)
		inode->i_gid = dir->i_gid;
	d = dentry_add(walk->parent.dentry, walk->last, walk->last_len, inode, false);
	if (!d)
		return -ENOMEM;
	if (S_ISDIR(mode))
		dir->i_nlink++;
	dir_changed(dir);
	mount_get(walk->parent.mount);
	walk->found = (struct path){ walk->parent.mount, d };
	return 0;
}

/* The deepest name first, without recursion: down to a leaf, take it, go up. */
void tree_destroy(struct dentry *root)
{
	bool locked = names_locked();
	struct dentry *at = root;

	if (!locked)
		names_lock();
	for (;;) {
		while (!list_is_empty(&at->children))
			at = container_of(at->children.next, struct dentry, sibling);
		if (at == root)
			break;
		struct dentry *parent = at->parent;

		dentry_remove(at);
		at = parent;
	}
	dput_locked(root);
	if (!locked)
		names_unlock();
}

/* ---- Options ---- */

/* "size=16m", "nr_blocks=", "nr_inodes=10k"; a percentage of RAM as "size=50%". Return: false: no number. */
static bool option_number(const char *text, u64 whole, u64 *value)
{
	const char *end;

	*value = memparse(text, &end);
	if (end == text)
		return false;
	if (*end == '%') {
		*value = whole / 100 * *value;
		end++;
	}
	return !*end;
}

static bool option_octal(const char *text, u32 *value)
{
	*value = 0;
	for (; *text >= '0' && *text <= '7'; text++)
		*value = *value << 3 | (u32)(*text - '0');
	return !*text && *value <= 07777;
}

static bool starts(const char *text, const char *with, const char **rest)
{
	size_t len = strlen(with);

	*rest = text + len;
	return !strncmp(text, with, len);
}

static bool tmpfs_option(struct superblock *sb, const char *option, bool *noswap)
{
	u64 ram = (u64)totalram_pages() << PAGE_SHIFT, value;
	const char *text;

	if (starts(option, "size=", &text)) {
		if (!option_number(text, ram, &value))
			return false;
		sb->shmem.max_blocks = (unsigned long)((value + PAGE_SIZE - 1) >> PAGE_SHIFT);
	} else if (starts(option, "nr_blocks=", &text)) {
		if (!option_number(text, ram >> PAGE_SHIFT, &value))
			return false;
		sb->shmem.max_blocks = (unsigned long)value;
	} else if (starts(option, "nr_inodes=", &text)) {
		if (!option_number(text, 0, &value))
			return false;
		sb->shmem.max_inodes = (unsigned long)value;
	} else if (starts(option, "mode=", &text)) {
		return option_octal(text, &sb->default_mode);
	} else if (starts(option, "uid=", &text) || starts(option, "gid=", &text)) {
		if (!option_number(text, 0, &value) || value > ~0u)
			return false;
		if (option[0] == 'u')
			sb->default_uid = (u32)value;
		else
			sb->default_gid = (u32)value;
	} else if (!strcmp(option, "noswap")) {
		*noswap = true;
	} else if (starts(option, "huge=", &text)) {
		static const char *const names[] = { "never", "always", "within_size", "advise" };

		/* Folios are as large as the core makes them, whatever is asked for. */
		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			if (!strcmp(text, names[i]))
				return true;
		return false;
	} else {
		static const char *const ignored[] = { "rw", "ro", "inode32", "inode64", "relatime", "silent",
						       "defaults" };

		for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
			if (!strcmp(option, ignored[i]))
				return true;
		return false;
	}
	return true;
}

/* A remount may not go below what is in use, nor change whether pages may be swapped out. */
int tmpfs_options(struct superblock *sb, const char *options, bool remount)
{
	struct shmem_sb before = sb->shmem;
	bool noswap = false;
	char option[64];

	while (options && *options) {
		const char *comma = strchr(options, ',');
		size_t len = comma ? (size_t)(comma - options) : strlen(options);

		if (len >= sizeof(option))
			return -EINVAL;
		memcpy(option, options, len);
		option[len] = 0;
		if (len && !tmpfs_option(sb, option, &noswap)) {
			printk("%s: Bad option \"%s\"\n", sb->type->name, option);
			sb->shmem.max_blocks = before.max_blocks;
			sb->shmem.max_inodes = before.max_inodes;
			return -EINVAL;
		}
		options += len + !!comma;
	}
	if (remount && (noswap != before.noswap ||
			(sb->shmem.max_blocks && sb->shmem.max_blocks < sb->shmem.used_blocks) ||
			(sb->shmem.max_inodes && sb->shmem.max_inodes < sb->shmem.used_inodes))) {
		sb->shmem.max_blocks = before.max_blocks;
		sb->shmem.max_inodes = before.max_inodes;
		return -EINVAL;
	}
	if (!remount && noswap)
		sb->shmem.noswap = true;
	return 0;
}

void tmpfs_show_options(const struct superblock *sb, struct ktext *text)
{
	if (sb->type == &tmpfs_type || sb->type == &devtmpfs_type) {
		if (sb->shmem.max_blocks)
			ktext_printf(text, ",size=%luk", sb->shmem.max_blocks << (PAGE_SHIFT - 10));
		if (sb->shmem.max_inodes)
			ktext_printf(text, ",nr_inodes=%lu", sb->shmem.max_inodes);
		if (sb->default_mode != 01777)
			ktext_printf(text, ",mode=%o", sb->default_mode);
		if (sb->shmem.noswap)
			ktext_printf(text, ",noswap");
	}
}

static int tree_fill(struct superblock *sb, const char *options, u32 mode)
{
	struct inode *inode;
	int err;

	sb->default_mode = mode;
	err = tmpfs_options(sb, options, false);
	if (err)
		return err;
	inode = tree_inode(sb, S_IFDIR | sb->default_mode, 0, NULL, &err);
	if (!inode)
		return err;
	inode->i_uid = sb->default_uid;
	inode->i_gid = sb->default_gid;
	sb->root = dentry_root(inode);
	return sb->root ? 0 : -ENOMEM;
}

static int tmpfs_fill(struct superblock *sb, const char *options)
{
	/* Half of RAM, and as many inodes as pages in it. */
	sb->shmem.max_blocks = sb->shmem.max_inodes = totalram_pages() / 2;
	return tree_fill(sb, options, 01777);
}

static int ramfs_fill(struct superblock *sb, const char *options)
{
	sb->shmem.noswap = true;
	return tree_fill(sb, options, 0755);
}

static int devtmpfs_fill(struct superblock *sb, const char *options)
{
	sb->shmem.max_blocks = sb->shmem.max_inodes = totalram_pages() / 2;
	return tree_fill(sb, options, 0755);
}

const struct fs_type tmpfs_type = { "tmpfs", TMPFS_MAGIC, true, tmpfs_fill };
const struct fs_type ramfs_type = { "ramfs", RAMFS_MAGIC, true, ramfs_fill };
const struct fs_type devtmpfs_type = { "devtmpfs", TMPFS_MAGIC, true, devtmpfs_fill };

/* ---- For the kernel's own use while it starts ---- */

static int kernel_create(const char *path, u32 mode, u32 rdev, const char *target)
{
	struct walk walk;
	int err;

	names_lock();
	err = walk_path(AT_FDCWD, path, WALK_MISSING, &walk);
	if (!err) {
		err = walk.found.dentry || walk.type != LAST_NORMAL ? -EEXIST :
								      tree_create(&walk, mode, rdev, target);
		walk_end(&walk);
	}
	names_unlock();
	return err;
}

int vfs_mknod(const char *path, u32 mode, u32 rdev)
{
	return kernel_create(path, mode, rdev, NULL);
}

int vfs_symlink(const char *target, const char *path)
{
	return kernel_create(path, S_IFLNK | 0777, 0, target);
}

int vfs_mkdir(const char *path, u32 mode)
{
	return kernel_create(path, S_IFDIR | mode, 0, NULL);
}
