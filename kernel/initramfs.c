// SPDX-License-Identifier: MIT
/* The initial root: the archive that the loader brought becomes files of the root file system. */
#include "cpio.h"
#include "kfs.h"

/* A file with several names: the first one is made, the others are linked to it; contents may come with any. */
struct seen {
	struct seen *next;
	u32 ino, dev_major, dev_minor;
	char path[];
};

struct unpack {
	struct seen *seen;
	unsigned int files;
	char path[PATH_MAX];
	const char *failed; /* what could not be done */
};

static void forget(struct unpack *u)
{
	while (u->seen) {
		struct seen *next = u->seen->next;

		kfree(u->seen);
		u->seen = next;
	}
}

static const struct seen *seen_before(const struct unpack *u, const struct cpio_entry *e)
{
	for (const struct seen *s = u->seen; s; s = s->next)
		if (s->ino == e->ino && s->dev_major == e->dev_major && s->dev_minor == e->dev_minor)
			return s;
	return NULL;
}

static void remember(struct unpack *u, const struct cpio_entry *e)
{
	size_t len = strlen(u->path) + 1;
	struct seen *s = kmalloc(sizeof(*s) + len, GFP_KERNEL);

	if (!s)
		return;
	s->ino = e->ino;
	s->dev_major = e->dev_major;
	s->dev_minor = e->dev_minor;
	memcpy(s->path, u->path, len);
	s->next = u->seen;
	u->seen = s;
}

static int write_contents(const char *path, const struct cpio_entry *e)
{
	struct file *file;
	size_t done = 0;
	u64 pos = 0;
	int err;

	file = vfs_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0600, &err);
	if (!file)
		return err;
	while (done < e->size) {
		s64 put = vfs_write(file, e->data + done, e->size - done, &pos, false);

		if (put <= 0) {
			err = put < 0 ? (int)put : -ENOSPC;
			break;
		}
		done += (size_t)put;
	}
	fput(file);
	return err;
}

/* Directories on the way that the archive does not name. */
static int make_parents(char *path)
{
	for (char *p = path + 1; *p; p++)
		if (*p == '/') {
			int err;

			*p = 0;
			err = vfs_mkdir(path, 0755);
			*p = '/';
			if (err && err != -EEXIST)
				return err;
		}
	return 0;
}

static int make_link(const struct cpio_entry *e, const char *path)
{
	char *target = kmemdup_nul((const char *)e->data, e->size, GFP_KERNEL);
	int err = target ? vfs_symlink(target, path) : -ENOMEM;

	kfree(target);
	return err;
}

static int make_file(struct unpack *u, const struct cpio_entry *e)
{
	const struct seen *first = e->nlink > 1 ? seen_before(u, e) : NULL;

	if (first) {
		int err = strcmp(first->path, u->path) ? vfs_link(first->path, u->path) : 0;

		return err || !e->size ? err : write_contents(first->path, e);
	}
	if (e->nlink > 1)
		remember(u, e);
	return write_contents(u->path, e);
}

static void set_attributes(const struct cpio_entry *e, const char *path)
{
	struct path at;

	if (path_lookup(AT_FDCWD, path, 0, &at))
		return;
	at.dentry->inode->i_mode = (at.dentry->inode->i_mode & S_IFMT) | (e->mode & 07777);
	at.dentry->inode->i_uid = e->uid;
	at.dentry->inode->i_gid = e->gid;
	at.dentry->inode->i_mtime = at.dentry->inode->i_atime = (u64)e->mtime * 1000000000;
	path_put(&at);
}

static int unpack_entry(void *ctx, const struct cpio_entry *e)
{
	struct unpack *u = ctx;
	const char *name;
	int err;

	if (!e) {
		forget(u);
		return 0;
	}
	name = e->name;
	while (*name == '/' || (name[0] == '.' && (name[1] == '/' || !name[1])))
		name++;
	if (!*name)
		return 0;
	octavo_snprintf(u->path, sizeof(u->path), "/%s", name);
	u->failed = u->path;
	err = make_parents(u->path);
	if (err)
		return err;
	switch (e->mode & S_IFMT) {
	case S_IFREG:
		err = make_file(u, e);
		break;
	case S_IFDIR:
		err = vfs_mkdir(u->path, e->mode & 07777);
		err = err == -EEXIST ? 0 : err;
		break;
	case S_IFLNK:
		err = make_link(e, u->path);
		break;
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		err = vfs_mknod(u->path, e->mode, MKDEV(e->rdev_major, e->rdev_minor));
		break;
	default:
		printk("initramfs: %s: mode %o is of no known kind\n", u->path, e->mode);
		return -EINVAL;
	}
	if (err == -EEXIST && !S_ISREG(e->mode))
		err = 0; /* a later archive says it again */
	if (!err && !S_ISLNK(e->mode))
		set_attributes(e, u->path);
	u->files += !err;
	return err;
}

int initramfs_unpack(const void *data, size_t size)
{
	struct unpack *u = kzalloc(sizeof(*u), GFP_KERNEL);
	const char *why = NULL;
	size_t where = 0;
	int err;

	if (!u)
		return -ENOMEM;
	err = cpio_read(data, size, unpack_entry, u, &why, &where);
	forget(u);
	if (err && why)
		printk("initramfs: at byte %zu of %zu: %s\n", where, size, why);
	else if (err)
		printk("initramfs: at byte %zu of %zu: %s cannot be made: error %d\n", where, size,
		       u->failed ? u->failed : "", -err);
	else
		printk("initramfs: %u files from %zu KiB\n", u->files, size >> 10);
	kfree(u);
	return err;
}
