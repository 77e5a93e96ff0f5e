// SPDX-License-Identifier: MIT
/* Descriptors of processes: pidfd_open(2), pidfd_send_signal(2). Such a file has a reference to its process. */
#include "kernel.h"
#include "kfs.h"
#include "poll.h"

static unsigned int pidfd_poll(struct file *file, void *table)
{
	struct process *p = file->private_data;

	poll_wait(file, &p->ended, table);
	return READ_ONCE(p->zombie) ? POLLIN | POLLRDNORM : 0;
}

static size_t pidfd_show_path(const struct file *file, char *text, size_t size)
{
	(void)file;
	return octavo_snprintf(text, size, "anon_inode:[pidfd]");
}

static void pidfd_evict(struct vnode *v)
{
	process_put(v->data);
}

static const struct file_operations pidfd_fops = { .poll = pidfd_poll, .show_path = pidfd_show_path };
static const struct vnode_ops pidfd_ops = { .evict = pidfd_evict };

long pidfd_new(struct process *process, int flags)
{
	struct vnode *v = anon_vnode(0600, &pidfd_ops, &pidfd_fops);

	if (!v)
		return -ENOMEM;
	process_get(process);
	v->data = process;
	return anon_fd(v, &pidfd_fops, flags | O_CLOEXEC);
}

struct process *pidfd_process(int fd)
{
	struct file *file = fd_get(fd);
	struct process *p = NULL;

	if (!file)
		return NULL;
	if (file->f_op == &pidfd_fops) {
		p = file->private_data;
		process_get(p);
	}
	fput(file);
	return p;
}

static long sys_pidfd_open(int pid, int flags)
{
	struct task *task;
	long fd;

	if (pid <= 0 || (flags & ~O_NONBLOCK))
		return -EINVAL;
	task = thread_find(pid);
	if (!task)
		return -ESRCH;
	fd = task->process->leader == task ? pidfd_new(task->process, flags) : -EINVAL;
	task_put(task);
	return fd;
}
SYSCALL(434, sys_pidfd_open);

static long sys_pidfd_send_signal(int fd, int signo, uintptr_t user, unsigned int flags)
{
	struct process *p;
	struct k_siginfo info = { .signo = signo, .code = SI_USER };
	unsigned long irq;
	long result;

	if (flags || signo < 0 || signo > NSIG)
		return -EINVAL;
	p = pidfd_process(fd);
	if (!p)
		return -EBADF;
	info.kill.pid = current()->core.tgid;
	info.kill.uid = current_process()->ruid;
	if (user && copy_from_user(&info, user, sizeof(info)))
		result = -EFAULT;
	else if (info.signo != signo)
		result = -EINVAL;
	else if (user && (info.code >= 0 || info.code == SI_TKILL) && p != current_process())
		result = -EPERM;
	else
		result = 0;
	irq = klock(&tasks_lock);
	if (!result && (p->zombie || !p->nr_threads))
		result = -ESRCH;
	if (!result && !signal_allowed(p, signo))
		result = -EPERM;
	if (!result)
		result = send_siginfo_locked(p->leader, &info, true);
	kunlock(&tasks_lock, irq);
	process_put(p);
	return result;
}
SYSCALL(424, sys_pidfd_send_signal);
