// SPDX-License-Identifier: MIT
/* Where a process stands: root, working directory, umask; chdir(2), chroot(2), getcwd(2), umask(2). */
#include "kfs.h"
#include "syscall.h"

struct fs_context *fs_new(void)
{
	struct fs_context *fs = kzalloc(sizeof(*fs), GFP_KERNEL);
	struct mount *root = mount_root();

	if (!fs)
		return NULL;
	fs->refs = 1;
	fs->umask = 022;
	if (root) {
		fs->root = fs->cwd = (struct path){ root, root->root };
		path_get(&fs->root);
		path_get(&fs->cwd);
	}
	return fs;
}

struct fs_context *fs_dup(struct fs_context *from)
{
	struct fs_context *fs = kzalloc(sizeof(*fs), GFP_KERNEL);

	if (!fs)
		return NULL;
	names_lock();
	*fs = *from;
	fs->refs = 1;
	path_get(&fs->root);
	path_get(&fs->cwd);
	names_unlock();
	return fs;
}

struct fs_context *task_fs(struct task *task)
{
	unsigned long flags = klock(&tasks_lock);
	struct fs_context *fs = task->fs;

	if (fs)
		kadd(&fs->refs, 1);
	kunlock(&tasks_lock, flags);
	return fs;
}

void fs_put(struct fs_context *fs)
{
	if (!fs || katomic_dec(&fs->refs))
		return;
	path_put(&fs->root);
	path_put(&fs->cwd);
	kfree(fs);
}

/* Takes over @to's references. */
static void set_path(struct path *which, const struct path *to)
{
	struct path was;

	names_lock();
	was = *which;
	*which = *to;
	names_unlock();
	path_put(&was);
}

static long change_dir(struct path *which, const struct path *to)
{
	int err = S_ISDIR(to->dentry->inode->i_mode) ? inode_permission(to->dentry->inode, MAY_EXEC) : -ENOTDIR;

	if (err)
		path_put(to);
	else
		set_path(which, to);
	return err;
}

static long change_dir_named(struct path *which, uintptr_t upath)
{
	struct path to;
	int err;
	char *path = user_path(upath, &err);

	if (!path)
		return err;
	err = path_lookup(AT_FDCWD, path, WALK_FOLLOW | WALK_DIRECTORY, &to);
	kfree(path);
	return err ? err : change_dir(which, &to);
}

static long sys_chdir(uintptr_t path)
{
	return change_dir_named(&current()->fs->cwd, path);
}
SYSCALL(80, sys_chdir);

static long sys_chroot(uintptr_t path)
{
	if (!task_capable(current_task(), CAP_SYS_ADMIN))
		return -EPERM;
	return change_dir_named(&current()->fs->root, path);
}
SYSCALL(161, sys_chroot);

static long sys_fchdir(int fd)
{
	struct file *file = fd_get(fd);
	struct path to;

	if (!file)
		return -EBADF;
	if (!file_path(file)) {
		fput(file);
		return -ENOTDIR;
	}
	to = *file_path(file);
	path_get(&to);
	fput(file);
	return change_dir(&current()->fs->cwd, &to);
}
SYSCALL(81, sys_fchdir);

static long sys_getcwd(uintptr_t to, size_t size)
{
	struct fs_context *fs = current()->fs;
	char *text = kmalloc(PATH_MAX, GFP_KERNEL);
	bool gone;
	size_t len;
	long ret;

	if (!text)
		return -ENOMEM;
	names_lock();
	gone = fs->cwd.dentry->parent && !fs->cwd.dentry->in_tree && !fs->cwd.dentry->dynamic;
	len = path_text(&fs->cwd, text, PATH_MAX - 1);
	names_unlock();
	text[len++] = 0;
	ret = (long)len;
	if (gone)
		ret = -ENOENT;
	else if (len > size)
		ret = -ERANGE;
	else if (copy_to_user(to, text, len))
		ret = -EFAULT;
	kfree(text);
	return ret;
}
SYSCALL(79, sys_getcwd);

static long sys_umask(u32 mask)
{
	u32 was = current()->fs->umask;

	current()->fs->umask = mask & 0777;
	return was;
}
SYSCALL(95, sys_umask);
