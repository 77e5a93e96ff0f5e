// SPDX-License-Identifier: MIT
/*
 * procfs, sysfs and debugfs: the core's files (octavo_proc_read() and its kin), the kernel's own (kernfile.c), and
 * processes (procpid.c).
 *
 * A directory knows its whole path; a name in it is one of the kernel's own table, or one that the core lists there.
 */
#include <octavo/proc.h>

#include "kfs.h"

#define PROC_MAGIC 0x9fa0u
#define SYSFS_MAGIC 0x62656572u
#define DEBUGFS_MAGIC 0x64626720u
#define PATH_BYTES 256u

/* ---- Text of the core's ---- */

static int core_show(struct vnode *v, struct ktext *text)
{
	return octavo_proc_read(v->text, ktext_add, text);
}

static long core_write(struct vnode *v, const char *text, size_t len)
{
	return octavo_proc_write(v->text, text, len);
}

static const struct gen_ops core_ops = { .show = core_show, .write = core_write };
static const struct gen_ops core_read_ops = { .show = core_show };

struct vnode *gen_vnode(struct superblock *sb, u32 mode, const struct gen_ops *ops)
{
	struct vnode *v = vnode_new(sb, S_IFREG | mode, NULL, &gen_fops);

	if (v)
		v->data = (void *)(uintptr_t)ops;
	return v;
}

bool text_number(const char *text, u64 *value)
{
	bool overflow = false;
	size_t n;

	while (*text == ' ' || *text == '\t')
		text++;
	n = parse_u64(text, value, &overflow);
	if (!n || overflow)
		return false;
	for (text += n; *text; text++)
		if (*text != ' ' && *text != '\t' && *text != '\n')
			return false;
	return true;
}

static bool starts_with(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/*
 * Who may read what the core shows. Files with addresses of the kernel's, or of what its heap holds, are the
 * superuser's, as in Linux.
 */
static u32 core_mode(const char *path)
{
	static const char *const secret[] = { "/proc/slabinfo", "/proc/vmallocinfo", "/proc/pagetypeinfo",
					      "/proc/iomem", "/proc/page_owner", "/proc/allocinfo",
					      "/sys/kernel/slab/", "/sys/kernel/debug/",
					      "/sys/kernel/tracing/" };
	static const char *const writable[] = { "/proc/sys/", "/sys/kernel/mm/", "/sys/module/", "/sys/devices/",
						"/sys/kernel/debug/", "/sys/kernel/slab/", "/sys/block/",
						"/sys/kernel/tracing/" };
	u32 mode = 0444;

	for (size_t i = 0; i < ARRAY_SIZE(secret); i++)
		if (starts_with(path, secret[i]))
			mode = 0400;
	for (size_t i = 0; i < ARRAY_SIZE(writable); i++)
		if (starts_with(path, writable[i]))
			mode |= 0200;
	return !strcmp(path, "/proc/slabinfo") ? 0600 : mode;
}

/* ---- Directories ---- */

struct core_find {
	const char *name;
	bool found, directory;
};

static void find_name(void *ctx, const char *name, bool directory)
{
	struct core_find *find = ctx;

	if (!strcmp(find->name, name)) {
		find->found = true;
		find->directory = directory;
	}
}

static const struct vnode_ops core_dir_ops;

/* @v, which may be NULL, with a copy of @text. Return: NULL without memory for it. */
static struct vnode *with_text(struct vnode *v, const char *text)
{
	if (!v)
		return NULL;
	v->text = kstrdup(text, GFP_KERNEL);
	if (v->text)
		return v;
	iput(&v->inode);
	return NULL;
}

static struct vnode *core_dir(struct superblock *sb, const char *path)
{
	bool debug = !strcmp(path, "/sys/kernel/debug");

	return with_text(vnode_new(sb, S_IFDIR | (debug ? 0700 : 0555), &core_dir_ops, &dir_fops), path);
}

/* "self" and "thread-self" are the reader's. */
static long kern_link(struct vnode *v, char *text, size_t size)
{
	const struct mm_task *me = current_task();

	if (!strcmp(v->text, "self"))
		return (long)octavo_snprintf(text, size, "%d", me->tgid);
	if (!strcmp(v->text, "thread-self"))
		return (long)octavo_snprintf(text, size, "%d/task/%d", me->tgid, me->pid);
	return (long)octavo_snprintf(text, size, "%s", v->text);
}

static const struct vnode_ops kern_link_ops = { .readlink = kern_link };

static struct vnode *kern_vnode(struct superblock *sb, const struct kernfile *f)
{
	if (f->ops)
		return gen_vnode(sb, f->mode, f->ops);
	if (!f->link)
		return vnode_new(sb, S_IFREG | f->mode, NULL, f->fop);
	return with_text(vnode_new(sb, S_IFLNK | 0777, &kern_link_ops, &dir_fops), f->link);
}

/* Of the kernel's own. Return: NULL: none; *@directory: it is above one. */
static const struct kernfile *kern_find(const char *path, bool *directory)
{
	size_t len = strlen(path);

	*directory = false;
	for (unsigned int i = 0; i < kernfiles_nr; i++) {
		if (strncmp(kernfiles[i].path, path, len))
			continue;
		if (!kernfiles[i].path[len])
			return &kernfiles[i];
		*directory |= kernfiles[i].path[len] == '/';
	}
	return NULL;
}

static bool dir_number(const char *name, int *pid)
{
	u64 value = 0;

	if (*name == '0' && name[1])
		return false;
	for (const char *p = name; *p; p++) {
		if (*p < '0' || *p > '9' || value > 100000000)
			return false;
		value = value * 10 + (u64)(*p - '0');
	}
	*pid = (int)value;
	return *name;
}

static struct inode *core_lookup(struct vnode *dir, const char *name, int *err)
{
	struct superblock *sb = dir->inode.i_sb;
	struct core_find find = { .name = name };
	const struct kernfile *own;
	char path[PATH_BYTES];
	struct vnode *v;
	bool directory;
	int pid;

	if (!strcmp(dir->text, "/proc") && dir_number(name, &pid))
		return proc_pid_inode(sb, pid, err);
	*err = -ENOENT;
	if (octavo_snprintf(path, sizeof(path), "%s/%s", dir->text, name) >= sizeof(path))
		return NULL;
	own = kern_find(path, &directory);
	octavo_proc_list(dir->text, find_name, &find);
	if (!own && !directory && !find.found)
		return NULL;
	if (own)
		v = kern_vnode(sb, own);
	else if (directory || find.directory)
		v = core_dir(sb, path);
	else {
		u32 mode = core_mode(path);

		v = with_text(gen_vnode(sb, mode, mode & 0222 ? &core_ops : &core_read_ops), path);
	}
	*err = -ENOMEM;
	return v ? &v->inode : NULL;
}

/* Names of the core's first; a position is a count of names, which do not change while the machine runs. */
struct core_list {
	struct dir_context *ctx;
	const char *dir;
	u64 at;
	bool full;
};

static void list_name(void *arg, const char *name, bool directory)
{
	struct core_list *list = arg;
	u64 at = list->at++;

	if (list->full || at < list->ctx->pos)
		return;
	if (!list->ctx->emit(list->ctx, name, strlen(name), at + 1, directory ? 4 : 8))
		list->full = true;
	else
		list->ctx->pos = at + 1;
}

/* Is this name the core's, or one that an earlier entry has shown? */
static bool listed_before(const char *dir, const char *name, size_t len, unsigned int upto)
{
	char text[NAME_MAX + 1];
	struct core_find find = { .name = text };
	size_t dir_len = strlen(dir);

	memcpy(text, name, len);
	text[len] = 0;
	octavo_proc_list(dir, find_name, &find);
	for (unsigned int i = 0; !find.found && i < upto; i++) {
		const char *path = kernfiles[i].path;

		if (starts_with(path, dir) && path[dir_len] == '/' && !strncmp(path + dir_len + 1, text, len) &&
		    (!path[dir_len + 1 + len] || path[dir_len + 1 + len] == '/'))
			return true;
	}
	return find.found;
}

static int core_readdir(struct vnode *dir, struct dir_context *ctx)
{
	struct core_list list = { ctx, dir->text, 2, false };
	size_t dir_len = strlen(dir->text);

	octavo_proc_list(dir->text, list_name, &list);
	for (unsigned int i = 0; i < kernfiles_nr && !list.full; i++) {
		const char *path = kernfiles[i].path, *name = path + dir_len + 1;
		char text[NAME_MAX + 1];
		size_t len = 0;

		if (!starts_with(path, dir->text) || path[dir_len] != '/')
			continue;
		while (name[len] && name[len] != '/')
			len++;
		if (listed_before(dir->text, name, len, i))
			continue;
		memcpy(text, name, len);
		text[len] = 0;
		list_name(&list, text, name[len]);
	}
	if (list.full)
		return 0;
	return strcmp(dir->text, "/proc") ? 0 : proc_pids_readdir(ctx, 1u << 20);
}

static const struct vnode_ops core_dir_ops = { .lookup = core_lookup, .readdir = core_readdir };

static int core_fill(struct superblock *sb, const char *path)
{
	struct vnode *v = core_dir(sb, path);

	if (!v)
		return -ENOMEM;
	sb->root = dentry_root(&v->inode);
	return sb->root ? 0 : -ENOMEM;
}

static int proc_fill(struct superblock *sb, const char *options)
{
	(void)options;
	return core_fill(sb, "/proc");
}

static int sysfs_fill(struct superblock *sb, const char *options)
{
	(void)options;
	return core_fill(sb, "/sys");
}

static int debugfs_fill(struct superblock *sb, const char *options)
{
	(void)options;
	return core_fill(sb, "/sys/kernel/debug");
}

const struct fs_type proc_type = { "proc", PROC_MAGIC, false, proc_fill };
const struct fs_type sysfs_type = { "sysfs", SYSFS_MAGIC, false, sysfs_fill };
const struct fs_type debugfs_type = { "debugfs", DEBUGFS_MAGIC, false, debugfs_fill };
