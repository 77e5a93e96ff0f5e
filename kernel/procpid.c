// SPDX-License-Identifier: MIT
/*
 * /proc/PID: proc(5). What an address space shows is the core's (<octavo/proc_pid.h>); the rest is the kernel's tasks'.
 *
 * A directory's and a file's vnode have the process's number and when it began: another process of the same number is
 * not it. Threads below task/ have their own numbers.
 */
#include <octavo/proc_pid.h>

#include "kernel.h"
#include "kfs.h"
#include "procpid.h"

#define THREAD (1ull << 32) /* in vnode->number: of one thread */

static struct task *vnode_task(const struct vnode *v)
{
	struct task *task = v->number & THREAD ? thread_find((int)(u32)v->number) : task_find((int)(u32)v->number);

	if (task && task->start_time != v->stamp) {
		task_put(task);
		task = NULL;
	}
	return task;
}

/* ---- What is looked into ---- */

/* Decided when a file is opened: who passes a descriptor on passes the right on, and to that memory only. */
struct look {
	struct mm_struct *mm; /* counted as by mmgrab(), or NULL: there was none */
	bool frames;	      /* pagemap shows their numbers */
};

static struct look *look_new(const struct vnode *v, int *err)
{
	struct look *look = kzalloc(sizeof(*look), GFP_KERNEL);
	struct task *task = vnode_task(v);

	*err = look ? -ESRCH : -ENOMEM;
	if (look && task) {
		look->mm = task_mm_access(task, false, err);
		look->frames = capable(CAP_SYS_ADMIN);
		if (look->mm) {
			mmgrab(look->mm);
			mmput(look->mm);
		}
	}
	if (task)
		task_put(task);
	if (!*err)
		return look;
	kfree(look);
	return NULL;
}

static void look_free(void *owned)
{
	struct look *look = owned;

	if (look->mm)
		mmdrop(look->mm);
	kfree(look);
}

/* The memory that was there when the file was opened. Return: NULL: the process has another by now, or has ended. */
static struct mm_struct *look_mm(const struct look *look)
{
	return look->mm && mmget_not_zero(look->mm) ? look->mm : NULL;
}

/* ---- Text of a process: each gets its task ---- */

struct pid_show {
	struct gen_ops ops;
	int (*show)(struct task *task, struct ktext *text);
	int (*show_mm)(struct mm_struct *mm, struct ktext *text);
	long (*write)(struct task *task, const char *text, size_t len);
};

static int show_mm(const struct pid_show *how, struct mm_struct *mm, struct ktext *text)
{
	int err = mm ? how->show_mm(mm, text) : 0;

	if (mm)
		mmput(mm);
	return err;
}

static int pid_show(struct vnode *v, struct ktext *text)
{
	const struct pid_show *how = v->data;
	struct task *task = vnode_task(v);
	int err;

	if (!task)
		return -ESRCH;
	err = how->show ? how->show(task, text) : show_mm(how, task_mm(task), text);
	task_put(task);
	return err;
}

/* Of the memory that the file was opened for. */
static int pid_show_secret(struct vnode *v, void *look, struct ktext *text)
{
	struct task *task = vnode_task(v);
	struct mm_struct *mm;

	if (!task)
		return -ESRCH;
	task_put(task);
	mm = look_mm(look);
	return show_mm(v->data, mm, text);
}

static int secret_open(struct vnode *v, struct file *file)
{
	int err;
	struct look *look = look_new(v, &err);

	if (!look)
		return err;
	err = gen_own(file, look);
	if (err)
		look_free(look);
	return err;
}

static const struct vnode_ops secret_ops = { .open = secret_open };

static long pid_write(struct vnode *v, const char *text, size_t len)
{
	const struct pid_show *how = v->data;
	struct task *task = vnode_task(v);
	long ret;

	if (!task)
		return -ESRCH;
	ret = how->write(task, text, len);
	task_put(task);
	return ret;
}

#define PID_OPS { .show = pid_show }
#define PID_OPS_SECRET { .show_owned = pid_show_secret, .disown = look_free }
#define PID_OPS_RW { .show = pid_show, .write = pid_write }

/* ---- Memory ---- */

static int show_maps(struct mm_struct *mm, struct ktext *text)
{
	return octavo_pid_map_read(mm, OCTAVO_PID_MAPS, ktext_add, text);
}

static int show_smaps(struct mm_struct *mm, struct ktext *text)
{
	return octavo_pid_map_read(mm, OCTAVO_PID_SMAPS, ktext_add, text);
}

static int show_numa_maps(struct mm_struct *mm, struct ktext *text)
{
	return octavo_pid_map_read(mm, OCTAVO_PID_NUMA_MAPS, ktext_add, text);
}

static int show_rollup(struct mm_struct *mm, struct ktext *text)
{
	return octavo_pid_rollup(mm, ktext_add, text);
}

static int show_statm(struct task *task, struct ktext *text)
{
	struct mm_struct *mm = task_mm(task);

	octavo_pid_statm(mm, ktext_add, text);
	if (mm)
		mmput(mm);
	return 0;
}

/* What lies at [@from, @to) of the process's memory: its arguments or environment. */
static int show_memory(struct mm_struct *mm, struct ktext *text, uintptr_t from, uintptr_t to)
{
	char bounce[256];

	while (from < to) {
		size_t n = min_t(size_t, to - from, sizeof(bounce)), got = access_remote_vm(mm, from, bounce, n, 0);

		if (!got)
			break;
		ktext_add(text, bounce, got);
		from += got;
	}
	return 0;
}

static int show_pid_cmdline(struct mm_struct *mm, struct ktext *text)
{
	struct mm_layout at;

	mm_get_layout(mm, &at);
	return show_memory(mm, text, at.arg_start, at.arg_end);
}

static int show_environ(struct mm_struct *mm, struct ktext *text)
{
	struct mm_layout at;

	mm_get_layout(mm, &at);
	return show_memory(mm, text, at.env_start, at.env_end);
}

static long write_clear_refs(struct task *task, const char *text, size_t len)
{
	struct mm_struct *mm = task_mm(task);
	long ret = mm ? octavo_pid_clear_refs(mm, text, len) : -ESRCH;

	if (mm)
		mmput(mm);
	return ret;
}

/* ---- OOM ---- */

static int show_oom_score(struct task *task, struct ktext *text)
{
	struct mm_struct *mm = task_mm(task);

	ktext_printf(text, "%lu\n", octavo_pid_oom_score(mm, task->core.process));
	if (mm)
		mmput(mm);
	return 0;
}

static int show_oom_score_adj(struct task *task, struct ktext *text)
{
	ktext_printf(text, "%d\n", task->core.process->oom_score_adj);
	return 0;
}

static long write_oom_score_adj(struct task *task, const char *text, size_t len)
{
	return octavo_pid_set_oom_score_adj(task->core.process, text, len,
					    task_capable(current_task(), CAP_SYS_RESOURCE));
}

/* The older scale: -17 to 15, where -17 is never and 15 most likely. */
static int show_oom_adj(struct task *task, struct ktext *text)
{
	ktext_printf(text, "%d\n", octavo_pid_oom_adj(task->core.process));
	return 0;
}

static long write_oom_adj(struct task *task, const char *text, size_t len)
{
	static bool told;

	if (!told)
		printk("%s (%d): /proc/%d/oom_adj is deprecated, please use /proc/%d/oom_score_adj instead.\n",
		       current()->core.comm, current()->core.pid, task->core.pid, task->core.pid);
	told = true;
	return octavo_pid_set_oom_adj(task->core.process, text, len, task_capable(current_task(), CAP_SYS_RESOURCE));
}

/* ---- Names and limits ---- */

static int show_comm(struct task *task, struct ktext *text)
{
	ktext_printf(text, "%.15s\n", task->core.comm);
	return 0;
}

static long write_comm(struct task *task, const char *text, size_t len)
{
	size_t n = 0;

	if (task->process != current_process())
		return -EINVAL;
	while (n < len && n < sizeof(task->core.comm) - 1 && text[n] != '\n')
		n++;
	memset(task->core.comm, 0, sizeof(task->core.comm));
	memcpy(task->core.comm, text, n);
	return (long)len;
}

static int show_mounts(struct task *task, struct ktext *text)
{
	(void)task;
	return mounts_show(text);
}

static int show_mountinfo(struct task *task, struct ktext *text)
{
	(void)task;
	return mountinfo_show(text);
}

/* ---- What execve() said, and what a core dump will have ---- */

/* The process's: it is that of the memory which the file was opened for if no other has come until it is copied. */
static int show_auxv(struct vnode *v, void *owned, struct ktext *text)
{
	const struct look *look = owned;
	struct task *task = vnode_task(v);
	struct mm_struct *mm;

	if (!task)
		return -ESRCH;
	ktext_add(text, (const char *)task->process->auxv, task->process->auxv_len);
	mm = task_mm(task);
	if (!mm || mm != look->mm)
		text->len = 0;
	if (mm)
		mmput(mm);
	task_put(task);
	return 0;
}

static int show_coredump_filter(struct task *task, struct ktext *text)
{
	ktext_printf(text, "%08x\n", task->process->coredump_filter);
	return 0;
}

/* Decimal, or hexadecimal and octal as in C: proc(5). */
static long write_coredump_filter(struct task *task, const char *text, size_t len)
{
	unsigned int base = *text != '0' ? 10 : text[1] == 'x' || text[1] == 'X' ? 16 : 8;
	const char *c = text + (base == 16 ? 2 : 0);
	u64 value = 0;

	if (!pid_may_look(task))
		return -EACCES;
	if (!*c || *c == '\n')
		return -EINVAL;
	for (; *c && *c != '\n'; c++) {
		unsigned int digit = *c >= '0' && *c <= '9' ? (unsigned int)(*c - '0') :
				     (*c | 32) >= 'a' && (*c | 32) <= 'f' ? (unsigned int)((*c | 32) - 'a') + 10 : 99;

		if (digit >= base || value >> 32)
			return -EINVAL;
		value = value * base + digit;
	}
	if (value >> 32)
		return -EINVAL;
	task->process->coredump_filter = (u32)value & 0x1ff;
	return (long)len;
}

static void show_limit(struct ktext *text, unsigned long value)
{
	if (value == RLIM_INFINITY)
		ktext_printf(text, "%-20s ", "unlimited");
	else
		ktext_printf(text, "%-20lu ", value);
}

static int show_limits(struct task *task, struct ktext *text)
{
	static const char *const names[RLIM_NLIMITS][2] = {
		{ "Max cpu time", "seconds" },	      { "Max file size", "bytes" },
		{ "Max data size", "bytes" },	      { "Max stack size", "bytes" },
		{ "Max core file size", "bytes" },    { "Max resident set", "bytes" },
		{ "Max processes", "processes" },     { "Max open files", "files" },
		{ "Max locked memory", "bytes" },     { "Max address space", "bytes" },
		{ "Max file locks", "locks" },	      { "Max pending signals", "signals" },
		{ "Max msgqueue size", "bytes" },     { "Max nice priority", "" },
		{ "Max realtime priority", "" },      { "Max realtime timeout", "us" },
	};

	ktext_printf(text, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (unsigned int i = 0; i < RLIM_NLIMITS; i++) {
		ktext_printf(text, "%-25s ", names[i][0]);
		show_limit(text, task->core.process->rlimit[i].cur);
		show_limit(text, task->core.process->rlimit[i].max);
		ktext_printf(text, "%-10s\n", names[i][1]);
	}
	return 0;
}

static const struct pid_show maps_show = { PID_OPS_SECRET, .show_mm = show_maps };
static const struct pid_show smaps_show = { PID_OPS_SECRET, .show_mm = show_smaps };
static const struct pid_show numa_maps_show = { PID_OPS_SECRET, .show_mm = show_numa_maps };
static const struct pid_show rollup_show = { PID_OPS_SECRET, .show_mm = show_rollup };
static const struct pid_show statm_show = { PID_OPS, .show = show_statm };
static const struct pid_show stat_show = { PID_OPS, .show = pid_stat_show };
static const struct pid_show status_show = { PID_OPS, .show = pid_status_show };
static const struct pid_show cmdline_show = { PID_OPS, .show_mm = show_pid_cmdline };
static const struct pid_show environ_show = { PID_OPS_SECRET, .show_mm = show_environ };
static const struct pid_show clear_show = { { .write = pid_write }, .write = write_clear_refs };
static const struct pid_show score_show = { PID_OPS, .show = show_oom_score };
static const struct pid_show score_adj_show = { PID_OPS_RW, .show = show_oom_score_adj, .write = write_oom_score_adj };
static const struct pid_show adj_show = { PID_OPS_RW, .show = show_oom_adj, .write = write_oom_adj };
static const struct pid_show comm_show = { PID_OPS_RW, .show = show_comm, .write = write_comm };
static const struct pid_show mounts_file_show = { PID_OPS, .show = show_mounts };
static const struct pid_show mountinfo_file_show = { PID_OPS, .show = show_mountinfo };
static const struct pid_show auxv_show = { { .show_owned = show_auxv, .disown = look_free } };
static const struct pid_show filter_show = { PID_OPS_RW, .show = show_coredump_filter, .write = write_coredump_filter };
static const struct pid_show limits_show = { PID_OPS, .show = show_limits };

/* ---- pagemap and mem: bytes ---- */

static int look_open(struct vnode *v, struct file *file)
{
	int err;

	file->private_data = look_new(v, &err);
	return err;
}

static void look_release(struct file *file)
{
	look_free(file->private_data);
	file_release_path(file);
}

static s64 pagemap_read(struct file *file, struct iov_iter *to, u64 *pos)
{
	const struct look *look = file->private_data;
	u64 words[64];
	s64 total = 0;
	struct mm_struct *mm;

	if (*pos % 8 || to->count % 8)
		return -EINVAL;
	mm = look_mm(look);
	if (!mm)
		return 0;
	while (to->count) {
		long nr = octavo_pid_pagemap(mm, *pos / 8, words, min(to->count / 8, ARRAY_SIZE(words)),
					     look->frames);
		size_t got;

		if (nr <= 0) {
			total = total ? total : nr;
			break;
		}
		got = copy_to_iter(words, (size_t)nr * 8, to);
		*pos += got;
		total += (s64)got;
		if (got < (size_t)nr * 8) {
			total = total ? total : -EFAULT;
			break;
		}
	}
	mmput(mm);
	return total;
}

static long pagemap_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct mm_struct *mm = look_mm(file->private_data);
	long ret;

	if (!mm)
		return -EINVAL;
	ret = octavo_pid_pagemap_ioctl(mm, cmd, arg);
	mmput(mm);
	return ret;
}

/* /proc/PID/mem */
static s64 mem_rw(struct file *file, struct iov_iter *iter, u64 *pos, bool write)
{
	char bounce[512];
	s64 total = 0;
	struct mm_struct *mm = look_mm(file->private_data);

	if (!mm)
		return 0;
	while (iter->count) {
		size_t n = min(iter->count, sizeof(bounce)), got;

		if (write && copy_from_iter(bounce, n, iter) != n) {
			total = total ? total : -EFAULT;
			break;
		}
		got = access_remote_vm(mm, (uintptr_t)*pos, bounce, n, FOLL_FORCE | (write ? FOLL_WRITE : 0));
		if (!got) {
			total = total ? total : -EIO;
			break;
		}
		if (!write && copy_to_iter(bounce, got, iter) != got) {
			total = total ? total : -EFAULT;
			break;
		}
		*pos += got;
		total += (s64)got;
		if (got < n)
			break;
	}
	mmput(mm);
	return total;
}

static s64 mem_read(struct file *file, struct iov_iter *to, u64 *pos)
{
	return mem_rw(file, to, pos, false);
}

static s64 mem_write(struct file *file, struct iov_iter *from, u64 *pos)
{
	return mem_rw(file, from, pos, true);
}

static s64 mem_seek(struct file *file, s64 offset, int whence)
{
	if (whence > SEEK_CUR)
		return -EINVAL;
	file->f_pos = whence == SEEK_SET ? (u64)offset : file->f_pos + (u64)offset;
	return (s64)file->f_pos;
}

static const struct vnode_ops look_ops = { .open = look_open };
static const struct file_operations pagemap_fops = { .read_iter = pagemap_read,
						     .ioctl = pagemap_ioctl,
						     .release = look_release,
						     .show_path = vfs_path };
static const struct file_operations mem_fops = { .read_iter = mem_read,
						 .write_iter = mem_write,
						 .llseek = mem_seek,
						 .release = look_release,
						 .show_path = vfs_path };

/* ---- What is in the directory ---- */

struct pid_entry {
	const char *name;
	u32 mode;
	const struct pid_show *show;
	const struct file_operations *fop;
	const struct vnode_ops *ops;
	bool process; /* not in task/TID */
};

static const struct pid_entry pid_entries[] = {
	{ "fd", S_IFDIR | 0500, .ops = &pid_fd_ops },
	{ "task", S_IFDIR | 0555, .ops = &pid_task_ops, .process = true },
	{ "cwd", S_IFLNK | 0777, .ops = &pid_link_ops },
	{ "root", S_IFLNK | 0777, .ops = &pid_link_ops },
	{ "exe", S_IFLNK | 0777, .ops = &pid_link_ops },
	{ "cmdline", S_IFREG | 0444, &cmdline_show },
	{ "comm", S_IFREG | 0644, &comm_show },
	{ "environ", S_IFREG | 0400, &environ_show },
	{ "stat", S_IFREG | 0444, &stat_show },
	{ "statm", S_IFREG | 0444, &statm_show },
	{ "status", S_IFREG | 0444, &status_show },
	{ "maps", S_IFREG | 0444, &maps_show },
	{ "numa_maps", S_IFREG | 0444, &numa_maps_show },
	{ "smaps", S_IFREG | 0444, &smaps_show },
	{ "smaps_rollup", S_IFREG | 0444, &rollup_show },
	{ "pagemap", S_IFREG | 0400, .fop = &pagemap_fops, .ops = &look_ops },
	{ "mem", S_IFREG | 0600, .fop = &mem_fops, .ops = &look_ops },
	{ "clear_refs", S_IFREG | 0200, &clear_show },
	{ "mounts", S_IFREG | 0444, &mounts_file_show },
	{ "mountinfo", S_IFREG | 0444, &mountinfo_file_show },
	{ "auxv", S_IFREG | 0400, &auxv_show },
	{ "coredump_filter", S_IFREG | 0644, &filter_show },
	{ "limits", S_IFREG | 0444, &limits_show },
	{ "oom_score", S_IFREG | 0444, &score_show },
	{ "oom_score_adj", S_IFREG | 0644, &score_adj_show },
	{ "oom_adj", S_IFREG | 0644, &adj_show },
};

struct vnode *pid_vnode(const struct vnode *like, u32 mode, const struct vnode_ops *ops,
			const struct file_operations *fop)
{
	struct vnode *v = vnode_new(like->inode.i_sb, mode, ops, fop);

	if (v) {
		v->number = like->number;
		v->stamp = like->stamp;
		v->inode.i_uid = like->inode.i_uid;
		v->inode.i_gid = like->inode.i_gid;
	}
	return v;
}

struct task *pid_task(const struct vnode *v)
{
	return vnode_task(v);
}

bool pid_may_look(const struct task *task)
{
	return may_look_into(task->process, false);
}

static struct inode *pid_lookup_name(struct vnode *dir, const char *name, int *err)
{
	*err = -ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(pid_entries); i++) {
		const struct pid_entry *e = &pid_entries[i];
		struct vnode *v;

		if (strcmp(e->name, name) || (e->process && dir->number & THREAD))
			continue;
		v = pid_vnode(dir, e->mode, e->show && e->show->ops.disown ? &secret_ops : e->ops,
			      e->show ? &gen_fops : e->fop ? e->fop : &dir_fops);
		*err = -ENOMEM;
		if (v && e->show)
			v->data = (void *)(uintptr_t)&e->show->ops;
		else if (v && S_ISLNK(e->mode))
			v->data = (void *)(uintptr_t)e->name;
		return v ? &v->inode : NULL;
	}
	return NULL;
}

static int pid_readdir(struct vnode *dir, struct dir_context *ctx)
{
	for (; ctx->pos - 2 < ARRAY_SIZE(pid_entries); ctx->pos++) {
		const struct pid_entry *e = &pid_entries[ctx->pos - 2];

		if (e->process && dir->number & THREAD)
			continue;
		if (!ctx->emit(ctx, e->name, strlen(e->name), dir->inode.i_ino + ctx->pos, e->mode >> 12 & 15))
			break;
	}
	return 0;
}

static bool pid_revalidate(struct vnode *v)
{
	struct task *task = vnode_task(v);

	if (task)
		task_put(task);
	return task;
}

static const struct vnode_ops pid_dir_ops = { .lookup = pid_lookup_name, .readdir = pid_readdir,
					      .revalidate = pid_revalidate };

/* The directory of @task, whose reference is given back. */
struct inode *pid_dir_inode(struct superblock *sb, struct task *task, bool thread, int *err)
{
	struct vnode *v;

	*err = -ENOENT;
	if (!task)
		return NULL;
	v = vnode_new(sb, S_IFDIR | 0555, &pid_dir_ops, &dir_fops);
	*err = -ENOMEM;
	if (v) {
		v->number = (u64)(u32)(thread ? task->core.pid : task->core.tgid) | (thread ? THREAD : 0);
		v->stamp = task->start_time;
		v->inode.i_uid = task->core.process->uid;
		v->inode.i_gid = task->core.process->gid;
	}
	task_put(task);
	return v ? &v->inode : NULL;
}

struct inode *proc_pid_inode(struct superblock *sb, int pid, int *err)
{
	return pid_dir_inode(sb, task_find(pid), false, err);
}

int proc_pids_readdir(struct dir_context *ctx, u64 base)
{
	struct task *task;
	char name[16];

	ctx->pos = max(ctx->pos, base);
	while ((task = task_next((int)(ctx->pos - base)))) {
		int pid = task->core.tgid;
		size_t len = octavo_snprintf(name, sizeof(name), "%d", pid);

		task_put(task);
		ctx->pos = base + (u64)pid;
		if (!ctx->emit(ctx, name, len, base + (u64)pid, 4))
			return 0;
		ctx->pos++;
	}
	return 0;
}
