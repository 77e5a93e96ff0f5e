// SPDX-License-Identifier: MIT
/*
 * New threads and processes: fork(2), vfork(2), clone(2), clone3 (clone(2)), kernel threads.
 *
 * The memory of dead threads (task, stack, vector registers) is kept for new ones: making a stack means mapping it.
 */
#include "kernel.h"
#include "vfs.h"

#include <octavo/vmalloc.h>

#define CLONE_VM 0x100ull
#define CLONE_FS 0x200ull
#define CLONE_FILES 0x400ull
#define CLONE_SIGHAND 0x800ull
#define CLONE_PIDFD 0x1000ull
#define CLONE_PTRACE 0x2000ull
#define CLONE_VFORK 0x4000ull
#define CLONE_PARENT 0x8000ull
#define CLONE_THREAD 0x10000ull
#define CLONE_NEWNS 0x20000ull
#define CLONE_SYSVSEM 0x40000ull
#define CLONE_SETTLS 0x80000ull
#define CLONE_PARENT_SETTID 0x100000ull
#define CLONE_CHILD_CLEARTID 0x200000ull
#define CLONE_DETACHED 0x400000ull
#define CLONE_UNTRACED 0x800000ull
#define CLONE_CHILD_SETTID 0x1000000ull
#define CLONE_IO 0x80000000ull
#define CLONE_CLEAR_SIGHAND 0x100000000ull
#define CLONE_KNOWN                                                                                                 \
	(0xffull | CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_PTRACE | CLONE_VFORK | CLONE_PARENT |  \
	 CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | CLONE_DETACHED | \
	 CLONE_UNTRACED | CLONE_CHILD_SETTID | CLONE_IO | CLONE_CLEAR_SIGHAND | CLONE_PIDFD)

#define TASKS_KEPT 16u

void process_list_add(struct process *process);

/* ---- Memory of threads ---- */

static struct {
	struct klock lock;
	struct list_node list; /* by task.run */
	unsigned int nr;
} kept;

static struct task *take_kept(unsigned int more_than)
{
	unsigned long flags = klock(&kept.lock);
	struct task *task = NULL;

	if (kept.nr > more_than) {
		task = node_entry(kept.list.next, struct task, run);
		node_remove(&task->run);
		WRITE_ONCE(kept.nr, kept.nr - 1);
	}
	kunlock(&kept.lock, flags);
	return task;
}

void task_put(struct task *task)
{
	unsigned long flags;

	if (ksub(&task->refs, 1))
		return;
	process_put(task->process);
	flags = klock(&kept.lock);
	node_prepend(&kept.list, &task->run);
	WRITE_ONCE(kept.nr, kept.nr + 1);
	kunlock(&kept.lock, flags);
}

void task_trim(void)
{
	struct task *task;

	while (READ_ONCE(kept.nr) > TASKS_KEPT && (task = take_kept(TASKS_KEPT))) {
		arch_thread_free(task);
		account_kernel_stack(task->stack, KERNEL_STACK_BYTES, false);
		vfree(task->stack);
		kfree(task);
	}
}

struct task *task_alloc(void)
{
	struct task *task = take_kept(0);
	void *stack = NULL, *fpu = NULL;

	if (task) {
		stack = task->stack;
		fpu = task->thread.fpu;
	} else {
		task = kmalloc(sizeof(*task), GFP_KERNEL);
		stack = task ? vmalloc(KERNEL_STACK_BYTES) : NULL;
		if (!stack) {
			kfree(task);
			return NULL;
		}
		account_kernel_stack(stack, KERNEL_STACK_BYTES, true);
	}
	memset(task, 0, sizeof(*task));
	task->stack = stack;
	task->thread.fpu = fpu;
	task->refs = 2; /* while it runs; and as long as it has a number */
	task->state = TASK_NEW;
	task->start_time = clock_monotonic_ns();
	task->timer_slack_ns = 50000;
	return task;
}

/* One that never ran. */
static void task_drop(struct task *task)
{
	if (task->process) {
		task->refs = 1;
		task_put(task);
		return;
	}
	arch_thread_free(task);
	account_kernel_stack(task->stack, KERNEL_STACK_BYTES, false);
	vfree(task->stack);
	kfree(task);
}

/* ---- Processes ---- */

static struct process *process_new(const struct process *from)
{
	struct process *p = kmalloc(sizeof(*p), GFP_KERNEL);

	if (!p)
		return NULL;
	if (from)
		memcpy(p, from, sizeof(*p));
	else
		memset(p, 0, sizeof(*p));
	p->refs = 1;
	p->tty = from ? from->tty : NULL;
	p->leader = NULL;
	p->threads = p->children = p->sibling = p->all = (struct list_node){ NULL, NULL };
	p->pending = (struct sigpending){ { NULL, NULL }, 0 };
	p->child_exit = p->ended = (struct wait_queue){ .lock = { 0 } };
	p->nr_threads = p->queued = p->live = 0;
	p->exiting = p->zombie = p->stopped = p->continued = p->execed = p->subreaper = p->shares_vm = false;
	p->execing = p->dumping = NULL;
	p->parked = 0;
	p->exit_code = p->stop_code = 0;
	p->dead_threads = p->children_times = (struct times){ 0 };
	p->timers = (struct list_node){ NULL, NULL };
	p->itimer = (struct posix_timer){ 0 };
	p->nr_timers = 0;
	p->next_timer = 0;
	return p;
}

static int check_limits(void)
{
	unsigned long limit = task_rlimit(&current()->core, RLIMIT_NPROC);

	if (limit == RLIM_INFINITY || !current_process()->ruid || capable(CAP_SYS_RESOURCE) || capable(CAP_SYS_ADMIN))
		return 0;
	return threads_of_user(current_process()->ruid) >= limit ? -EAGAIN : 0;
}

/* ---- The parts of a clone ---- */

static int copy_sighand(struct task *child, u64 flags)
{
	struct sighand *from = current()->sighand, *s;
	unsigned long irq;

	if (flags & CLONE_SIGHAND) {
		irq = klock(&tasks_lock);
		from->refs++;
		kunlock(&tasks_lock, irq);
		child->sighand = from;
		return 0;
	}
	s = sighand_new();
	if (!s)
		return -ENOMEM;
	memcpy(s->action, from->action, sizeof(s->action));
	if (flags & CLONE_CLEAR_SIGHAND)
		for (unsigned int i = 0; i < NSIG; i++)
			if (s->action[i].handler != SIG_IGN)
				s->action[i] = (struct k_sigaction){ 0 };
	child->sighand = s;
	return 0;
}

static int copy_files(struct task *child, u64 flags)
{
	struct task *me = current();

	if (flags & CLONE_FS) {
		kadd(&me->fs->refs, 1);
		child->fs = me->fs;
	} else {
		child->fs = fs_dup(me->fs);
	}
	if (!child->fs)
		return -ENOMEM;
	child->files = flags & CLONE_FILES ? files_get(me->files) : files_dup(me->files);
	return child->files ? 0 : -ENOMEM;
}

static int copy_mm(struct task *child, u64 flags)
{
	struct mm_struct *mm = current()->core.mm;

	if (flags & CLONE_VM)
		mmget(mm);
	else
		mm = mm_fork(mm, &child->process->core);
	if (!mm)
		return -ENOMEM;
	octavo_task_mm(&child->core, mm);
	if ((flags & CLONE_VM) && !(flags & CLONE_THREAD))
		child->process->shares_vm = current_process()->shares_vm = true;
	return 0;
}

static void undo(struct task *child)
{
	struct mm_struct *mm;
	unsigned long flags;

	if (child->files)
		files_put(child->files);
	if (child->fs)
		fs_put(child->fs);
	flags = klock(&tasks_lock);
	if (child->sighand)
		sighand_put(child->sighand);
	kunlock(&tasks_lock, flags);
	mm = child->core.mm ? octavo_task_mm(&child->core, NULL) : NULL;
	if (mm)
		mmput(mm);
	task_drop(child);
}

static void inherit(struct task *child, const struct clone_args *args)
{
	struct task *me = current();

	child->core.flags = PF_FORKNOEXEC;
	memcpy(child->core.comm, me->core.comm, sizeof(child->core.comm));
	child->nice = me->nice;
	child->policy = me->policy;
	memcpy(child->allowed, me->allowed, sizeof(child->allowed));
	child->blocked = me->blocked;
	child->timer_slack_ns = me->timer_slack_ns;
	/* A parent that did not choose the signal gets the one that its own child was made with: clone(2). */
	child->exit_signal = args->flags & CLONE_THREAD ? -1 :
			     args->flags & CLONE_PARENT ? current_process()->leader->exit_signal :
			     (int)args->exit_signal;
	if (!(args->flags & CLONE_VM) || (args->flags & CLONE_VFORK)) {
		child->altstack = me->altstack;
		child->altstack_size = me->altstack_size;
		child->altstack_flags = me->altstack_flags;
	}
	if (args->flags & CLONE_CHILD_CLEARTID)
		child->clear_child_tid = args->child_tid;
}

/* Into the tables, where signals and waits find it. Return: 0; -EAGAIN: the process is going. */
static int publish(struct task *child, const struct clone_args *args)
{
	struct process *p = child->process, *parent = current_process();
	unsigned long flags = klock(&tasks_lock);

	if (current()->death || fatal_signal_pending(&current()->core)) {
		kunlock(&tasks_lock, flags);
		return -ERESTARTNOINTR;
	}
	pid_take(child->core.pid, child);
	node_append(&p->threads, &child->threads);
	p->nr_threads++;
	kadd(&p->live, 1);
	if (args->flags & CLONE_THREAD) {
		child->core.tgid = p->pid;
	} else {
		p->pid = child->core.tgid = child->core.pid;
		p->leader = child;
		p->parent = args->flags & CLONE_PARENT && parent->parent ? parent->parent : parent;
		p->ppid = p->parent->pid;
		node_append(&p->parent->children, &p->sibling);
		process_get(p); /* the parent's */
		process_list_add(p);
	}
	kunlock(&tasks_lock, flags);
	return 0;
}

/* The caller sleeps until @child has another address space or none. */
static void wait_for_vfork(struct task *child)
{
	struct task *me = current();
	unsigned long flags;

	for (;;) {
		set_state(TASK_UNINTERRUPTIBLE);
		if (kload(&child->vfork_done) || fatal_signal_pending(&me->core))
			break;
		schedule();
	}
	set_state(TASK_RUNNING);
	flags = klock(&tasks_lock);
	child->vfork_parent = NULL;
	kunlock(&tasks_lock, flags);
}

static struct task *copy_task(const struct clone_args *args, int *err)
{
	struct task *child = task_alloc();
	struct process *p;

	*err = -ENOMEM;
	if (!child)
		return NULL;
	if (args->flags & CLONE_THREAD) {
		p = current_process();
	} else {
		p = process_new(current_process());
	}
	if (!p) {
		task_drop(child);
		return NULL;
	}
	child->process = p;
	child->core.process = &p->core;
	if (args->flags & CLONE_THREAD)
		process_get(p);
	inherit(child, args);
	*err = copy_sighand(child, args->flags);
	if (!*err)
		*err = copy_files(child, args->flags);
	if (!*err)
		*err = copy_mm(child, args->flags);
	if (!*err)
		*err = arch_fork(child);
	if (!*err)
		*err = min(pid_alloc(child), 0);
	if (!*err)
		return child;
	undo(child);
	return NULL;
}

static int check_flags(const struct clone_args *args)
{
	u64 flags = args->flags;

	if ((flags & ~CLONE_KNOWN) || args->set_tid_size)
		return -EINVAL;
	if ((flags & CLONE_SIGHAND) && !(flags & CLONE_VM))
		return -EINVAL;
	if ((flags & CLONE_THREAD) && !(flags & CLONE_SIGHAND))
		return -EINVAL;
	if ((flags & CLONE_CLEAR_SIGHAND) && (flags & CLONE_SIGHAND))
		return -EINVAL;
	if ((flags & CLONE_PIDFD) && (flags & (CLONE_THREAD | CLONE_DETACHED)))
		return -EINVAL;
	/* Before there is a child: afterwards nothing could be done about it. */
	if ((flags & CLONE_PIDFD) && put_user((s32)-1, args->pidfd))
		return -EFAULT;
	if ((flags & CLONE_PARENT) && current_process() == init_process)
		return -EINVAL;
	if (args->exit_signal > NSIG)
		return -EINVAL;
	return check_limits();
}

/* Return: 0 or a negative errno. */
static int give_pidfd(struct task *child, const struct clone_args *args)
{
	long fd;

	if (!(args->flags & CLONE_PIDFD))
		return 0;
	fd = pidfd_new(child->process, 0);
	if (fd < 0)
		return (int)fd;
	return put_user((s32)fd, args->pidfd) ? -EFAULT : 0;
}

static long do_clone(const struct clone_args *args)
{
	int err = check_flags(args), pid;
	struct task *child;
	unsigned long flags;

	if (err)
		return err;
	child = copy_task(args, &err);
	if (!child)
		return err;
	pid = child->core.pid;
	if (args->stack)
		arch_set_sp(child, args->stack);
	if (args->flags & CLONE_SETTLS)
		arch_set_tls(child, args->tls);
	arch_thread_begin(child);
	err = give_pidfd(child, args);
	if (!err)
		err = publish(child, args);
	if (err) {
		flags = klock(&tasks_lock);
		pid_free(pid);
		kunlock(&tasks_lock, flags);
		undo(child);
		return err;
	}
	/* What cannot be told is not, as in Linux. */
	if ((args->flags & CLONE_PARENT_SETTID) && put_user(pid, args->parent_tid))
		pid = child->core.pid;
	if (args->flags & CLONE_CHILD_SETTID)
		child->set_child_tid = args->child_tid;
	kor(&child->work, WORK_IRET);
	if (args->flags & CLONE_VFORK) {
		child->vfork_parent = current();
		child->core.in_vfork = !!(args->flags & CLONE_VM);
		task_get(child);
	}
	octavo_task_add(&child->core);
	sched_start(child);
	if (args->flags & CLONE_VFORK) {
		wait_for_vfork(child);
		task_put(child);
	}
	return pid;
}

/* The new thread, before it goes to user mode. */
void fork_first(void);
void fork_first(void)
{
	struct task *me = current();
	int pid = me->core.pid;

	if (me->set_child_tid && put_user(pid, me->set_child_tid))
		me->set_child_tid = 0;
}

static long sys_clone(unsigned long flags, unsigned long stack, unsigned long parent_tid, unsigned long child_tid,
		      unsigned long tls)
{
	struct clone_args args = {
		.flags = (u32)flags & ~0xffull,
		.exit_signal = flags & 0xff,
		.stack = stack,
		.parent_tid = parent_tid,
		.pidfd = parent_tid,
		.child_tid = child_tid,
		.tls = tls,
	};

	/* One word for two. */
	if ((args.flags & CLONE_PIDFD) && (args.flags & CLONE_PARENT_SETTID))
		return -EINVAL;
	return do_clone(&args);
}
SYSCALL(56, sys_clone);

static long sys_fork(void)
{
	struct clone_args args = { .exit_signal = SIGCHLD };

	return do_clone(&args);
}
SYSCALL(57, sys_fork);

static long sys_vfork(void)
{
	struct clone_args args = { .flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD };

	return do_clone(&args);
}
SYSCALL(58, sys_vfork);

static long sys_clone3(uintptr_t user, size_t size)
{
	struct clone_args args = { 0 };

	if (size < 64)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (copy_from_user(&args, user, min(size, sizeof(args))))
		return -EFAULT;
	for (size_t i = sizeof(args); i < size; i++) {
		u8 byte;

		if (get_user(byte, user + i))
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	if ((args.flags & (0xff | CLONE_DETACHED)) || !args.stack != !args.stack_size)
		return -EINVAL;
	if ((args.flags & (CLONE_THREAD | CLONE_PARENT)) && args.exit_signal)
		return -EINVAL;
	if (args.stack && !access_ok(args.stack, args.stack_size))
		return -EINVAL;
	args.stack += args.stack_size;
	return do_clone(&args);
}
SYSCALL(435, sys_clone3);

static long sys_set_tid_address(uintptr_t addr)
{
	current()->clear_child_tid = addr;
	return current()->core.pid;
}
SYSCALL(218, sys_set_tid_address);

/* ---- Kernel threads ---- */

int kthread_create(void (*fn)(void *arg), void *arg, const char *name)
{
	struct task *task = task_alloc();
	struct process *p;
	unsigned long flags;
	int pid;

	if (!task)
		return -ENOMEM;
	p = process_new(NULL);
	task->sighand = p ? sighand_new() : NULL;
	pid = task->sighand ? pid_alloc(task) : -ENOMEM;
	if (pid < 0) {
		kfree(task->sighand);
		kfree(p);
		task->process = NULL;
		task_drop(task);
		return pid;
	}
	task->process = p;
	task->core.process = &p->core;
	task->core.flags = PF_KTHREAD;
	task->core.tgid = p->pid = pid;
	memset(task->allowed, 0xff, sizeof(task->allowed));
	strscpy(task->core.comm, name, sizeof(task->core.comm));
	for (unsigned int i = 0; i < RLIM_NLIMITS; i++)
		p->core.rlimit[i] = (struct mm_rlimit){ RLIM_INFINITY, RLIM_INFINITY };
	p->cap_permitted = p->cap_bounding = p->core.capabilities = ~0ull >> (63 - 40);
	p->leader = task;
	p->nr_threads = p->live = 1;
	process_get(p); /* given back when it ends, as a parent's is */
	flags = klock(&tasks_lock);
	pid_take(pid, task);
	node_append(&p->threads, &task->threads);
	process_list_add(p);
	kunlock(&tasks_lock, flags);
	task->kthread_fn = fn;
	task->kthread_arg = arg;
	memset(task_frame(task), 0, 176);
	arch_thread_begin(task);
	sched_start(task);
	return pid;
}

/* What was asked for before there was an init, which is to have number 1. */
static struct early_thread {
	void (*fn)(void *arg);
	void *arg;
	char name[16];
} early_threads[8];
static unsigned int early_threads_nr;

int port_thread_create(void (*fn)(void *arg), void *arg, const char *name, int node)
{
	struct early_thread *early;
	int pid;

	(void)node;
	if (init_process) {
		pid = kthread_create(fn, arg, name);
		return min(pid, 0);
	}
	if (early_threads_nr == ARRAY_SIZE(early_threads))
		return -EAGAIN;
	early = &early_threads[early_threads_nr++];
	early->fn = fn;
	early->arg = arg;
	strscpy(early->name, name, sizeof(early->name));
	return 0;
}

void kthreads_begin(void)
{
	for (unsigned int i = 0; i < early_threads_nr; i++)
		if (kthread_create(early_threads[i].fn, early_threads[i].arg, early_threads[i].name) < 0)
			kernel_panic("no memory for the thread %s", early_threads[i].name);
}
