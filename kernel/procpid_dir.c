// SPDX-License-Identifier: MIT
/* /proc/PID/fd, task, and the links cwd, root and exe. */
#include "kernel.h"
#include "procpid.h"

/* ---- Links to objects ---- */

/* Where a file without a name lies: a place of its own that leads nowhere else. */
static struct mount nowhere __memsys = { .refs = 1 };

static int path_of_file(struct file *file, struct path *to)
{
	if (file_path(file)) {
		*to = *file_path(file);
		path_get(to);
		return 0;
	}
	ihold(file->f_inode);
	to->dentry = dentry_root(file->f_inode);
	if (!to->dentry)
		return -ENOMEM;
	to->mount = &nowhere;
	mount_get(&nowhere);
	return 0;
}

static size_t file_text(struct file *file, char *text, size_t size)
{
	if (file->f_op && file->f_op->show_path)
		return min(file->f_op->show_path(file, text, size), size);
	return min(octavo_snprintf(text, size, "anon_inode:[%llu]", (unsigned long long)file->f_inode->i_ino), size);
}

static int fs_path(struct task *task, bool cwd, struct path *to)
{
	struct fs_context *fs = task_fs(task);
	bool locked = names_locked();

	if (!fs)
		return -ENOENT;
	if (!locked)
		names_lock();
	*to = cwd ? fs->cwd : fs->root;
	path_get(to);
	if (!locked)
		names_unlock();
	fs_put(fs);
	return 0;
}

/* The place that a link of the process leads to, or its open program. */
static int link_target(struct vnode *v, struct path *to)
{
	const char *which = v->data;
	struct task *task = pid_task(v);
	struct file *file = NULL;
	struct mm_struct *mm;
	int err = -ENOENT;

	if (!task)
		return -ENOENT;
	if (!strcmp(which, "exe")) {
		mm = task_mm_access(task, false, &err);
		file = mm ? mm_get_exe_file(mm) : NULL;
		if (mm)
			mmput(mm);
		if (file) {
			err = path_of_file(file, to);
			fput(file);
		} else if (!err) {
			err = -ENOENT;
		}
	} else {
		err = fs_path(task, !strcmp(which, "cwd"), to);
		/* Asked when it has been found: until then execve() may have come. */
		if (!pid_may_look(task)) {
			if (!err)
				path_put(to);
			err = -EACCES;
		}
	}
	task_put(task);
	return err;
}

static long link_text(struct vnode *v, char *text, size_t size)
{
	struct path at;
	bool locked = names_locked();
	long ret = link_target(v, &at);

	if (ret)
		return ret;
	if (!locked)
		names_lock();
	ret = (long)path_text(&at, text, size);
	if (!locked)
		names_unlock();
	path_put(&at);
	return ret;
}

const struct vnode_ops pid_link_ops = { .readlink = link_text, .jump = link_target };

/* ---- fd ---- */

static struct file *fd_file(const struct vnode *v)
{
	struct task *task = pid_task(v);
	struct files *files = task ? task_files(task) : NULL;
	struct file *file = NULL;

	if (files) {
		file = files_lookup(files, (int)(uintptr_t)v->data);
		files_put(files);
	}
	/* Asked when it has been found: until then execve() may have come. */
	if (file && !pid_may_look(task)) {
		fput(file);
		file = NULL;
	}
	if (task)
		task_put(task);
	return file;
}

static int fd_jump(struct vnode *v, struct path *to)
{
	struct file *file = fd_file(v);
	int err;

	if (!file)
		return -ENOENT;
	err = path_of_file(file, to);
	fput(file);
	return err;
}

static long fd_text(struct vnode *v, char *text, size_t size)
{
	struct file *file = fd_file(v);
	long len;

	if (!file)
		return -ENOENT;
	len = (long)file_text(file, text, size);
	fput(file);
	return len;
}

static bool fd_there(struct vnode *v)
{
	struct file *file = fd_file(v);

	if (file)
		fput(file);
	return file;
}

static const struct vnode_ops fd_link_ops = { .readlink = fd_text, .jump = fd_jump, .revalidate = fd_there };

static struct inode *fd_lookup(struct vnode *dir, const char *name, int *err)
{
	struct vnode *v;
	u64 fd;

	*err = -ENOENT;
	if (!text_number(name, &fd) || fd > 0x7fffffff)
		return NULL;
	v = pid_vnode(dir, S_IFLNK | 0700, &fd_link_ops, &dir_fops);
	if (!v) {
		*err = -ENOMEM;
		return NULL;
	}
	v->data = (void *)(uintptr_t)fd;
	if (fd_there(v))
		return &v->inode;
	iput(&v->inode);
	return NULL;
}

static bool fd_entry(void *arg, int fd, struct file *file)
{
	struct dir_context *ctx = arg;
	char name[16];
	size_t len;

	(void)file;
	if ((u64)fd + 2 < ctx->pos)
		return true;
	ctx->pos = (u64)fd + 2;
	len = octavo_snprintf(name, sizeof(name), "%d", fd);
	if (!ctx->emit(ctx, name, len, 0x10000 + (u64)fd, 10))
		return false;
	ctx->pos++;
	return true;
}

static int fd_readdir(struct vnode *dir, struct dir_context *ctx)
{
	struct task *task = pid_task(dir);
	int err = task && pid_may_look(task) ? 0 : task ? -EACCES : -ENOENT;

	if (!err)
		fd_each(task, fd_entry, ctx);
	if (task)
		task_put(task);
	return err;
}

const struct vnode_ops pid_fd_ops = { .lookup = fd_lookup, .readdir = fd_readdir };

/* ---- task ---- */

static struct inode *task_lookup(struct vnode *dir, const char *name, int *err)
{
	struct task *thread;
	u64 tid;

	*err = -ENOENT;
	if (!text_number(name, &tid) || tid > PID_MAX)
		return NULL;
	thread = thread_find((int)tid);
	if (thread && thread->core.tgid != (int)(u32)dir->number) {
		task_put(thread);
		thread = NULL;
	}
	return pid_dir_inode(dir->inode.i_sb, thread, true, err);
}

static int task_readdir(struct vnode *dir, struct dir_context *ctx)
{
	struct task *task = pid_task(dir), *thread;
	char name[16];

	if (!task)
		return -ENOENT;
	while ((thread = thread_next(task->process, (int)(ctx->pos - 2)))) {
		int tid = thread->core.pid;
		size_t len = octavo_snprintf(name, sizeof(name), "%d", tid);

		task_put(thread);
		ctx->pos = (u64)tid + 2;
		if (!ctx->emit(ctx, name, len, 0x100000 + (u64)tid, 4))
			break;
		ctx->pos++;
	}
	task_put(task);
	return 0;
}

const struct vnode_ops pid_task_ops = { .lookup = task_lookup, .readdir = task_readdir };
