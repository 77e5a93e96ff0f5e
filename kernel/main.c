// SPDX-License-Identifier: MIT
/*
 * The reference kernel: from the port's start-up to the first program.
 *
 * Purpose: Octavo's core in a kernel, on real hardware, running programs that were made for Linux. It is small rather
 * than complete: what memory management needs to be exercised by shells, test suites and benches.
 *
 * The boot CPU's context becomes its idle thread; thread 1 unpacks the initramfs, frees start-up memory and becomes
 * init: init= from the command line, else /init. Parameters that nobody knows go to it, as in Linux: what has an
 * equals sign into its environment, other words as arguments.
 */
#include "kernel.h"
#include "uts.h"
#include "vfs.h"

#include <octavo/rcupdate.h>
#include <octavo/reclaim_hook.h>
#include <octavo/verify.h>

#include "port/pc/cmdline.h"
#include "port/pc/pc.h"
#include "port/pc/power.h"
#include "port/pc/run.h"
#include "port/pc/smp.h"

#define INIT_ARGS 32u

void arch_trap_init(void);
void syscall_init(void);
void sched_start_others(unsigned int nr);

const char *kernel_cmdline(void)
{
	return pc_cmdline();
}

void kernel_panic(const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	octavo_vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	printk("Kernel panic - not syncing: %s\n", text);
	power_end(POWER_PANIC);
}

static void say_finding(void *ctx, const char *line)
{
	(void)ctx;
	printk("verify: %s\n", line);
}

static bool at_rest(struct process *process)
{
	struct task *thread;
	bool rest = true;
	int tid = 1;

	while (rest && (thread = thread_next(process, tid))) {
		tid = thread->core.pid + 1;
		rest = thread->state != TASK_RUNNING;
		task_put(thread);
	}
	return rest;
}

/* Everyone but init and the caller is sent @signo, and given ten seconds to stop or end. Return: how many have not. */
static unsigned int quiesce(int signo)
{
	unsigned int busy = 1;
	struct task *task;

	for (unsigned int tries = 0; busy && tries < 1000; tries++) {
		int pid = 1;

		busy = 0;
		while ((task = task_next(pid))) {
			struct process *p = task->process;

			pid = task->core.tgid + 1;
			if (p != current_process() && p != init_process && !p->zombie &&
			    !(task->core.flags & PF_KTHREAD)) {
				send_signal(task, signo, true);
				busy += signo == SIGKILL || !at_rest(p);
				if (tries == 999)
					printk("verify: process %d (%s) goes on\n", p->pid, task->core.comm);
			}
			task_put(task);
		}
		if (busy) {
			set_state(TASK_UNINTERRUPTIBLE);
			schedule_timeout(10 * NS_PER_MS);
		}
	}
	return busy;
}

/*
 * octavo.verify on the command line: at the end every page frame has one owner, or it is said which has not. First with
 * all address spaces that there are, at rest; then without them, when the heap is looked at, too.
 */
static void verify(void)
{
	unsigned int findings;
	char value[8];

	if (!cmdline_value(kernel_cmdline(), "octavo.verify", value, sizeof(value)))
		return;
	findings = quiesce(SIGSTOP);
	rcu_barrier();
	findings += mm_verify(say_finding, NULL);
	findings += quiesce(SIGKILL);
	rcu_barrier();
	findings += mm_verify(say_finding, NULL) + heap_verify(say_finding, NULL);
	printk("verify: %u findings\n", findings);
}

void machine_power(bool restart)
{
	verify();
	if (restart)
		power_reset();
	power_end(POWER_PASSED);
}

/* ---- Command line ---- */

/* Parameters of the kernel's own, by name or by what they begin with. */
static bool is_known(const char *word, size_t len)
{
	static const char *const names[] = {
		"console", "panic", "init", "rdinit", "root", "rootfstype", "ro", "rw", "quiet", "debug", "loglevel",
		"nokaslr", "norandmaps", "maxcpus", "nosmp", "earlyprintk", "mitigations",
		"mem", "memmap", "numa", "movablecore", "kernelcore", "hugepages", "hugepagesz", "default_hugepagesz",
		"crashkernel", "slub_debug", "slab_debug", "slab_nomerge", "init_on_alloc", "init_on_free",
		"page_owner",
		"debug_pagealloc", "page_poison", "kmemleak", "failslab", "fail_page_alloc", "cma", "vmalloc",
		"transparent_hugepage", "swapaccount", "reboot", "acpi", "noapic", "nolapic", "tsc", "clocksource",
	};
	size_t name = 0;

	while (name < len && word[name] != '=')
		name++;
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i]) == name && !memcmp(word, names[i], name))
			return true;
	/* Names with a dot are a module's: octavo.exit=, sysctl.vm.swappiness=. */
	for (size_t i = 0; i < name; i++)
		if (word[i] == '.')
			return true;
	return false;
}

struct init_words {
	char text[4096];
	char *argv[INIT_ARGS + 2], *envp[INIT_ARGS + 4];
	unsigned int argc, envc;
};

/* Each word that is not the kernel's: for init. Behind "--" all are arguments. */
static void sort_words(struct init_words *w)
{
	bool rest = false;

	strscpy(w->text, kernel_cmdline(), sizeof(w->text));
	for (char *p = w->text; *p;) {
		size_t len = 0;
		char *word = p;

		while (p[len] && p[len] != ' ')
			len++;
		p += len;
		while (*p == ' ')
			*p++ = 0;
		if (!len)
			continue;
		if (!rest && len == 2 && word[0] == '-' && word[1] == '-')
			rest = true;
		else if (rest || (!is_known(word, len) && !strchr(word, '='))) {
			if (w->argc <= INIT_ARGS)
				w->argv[w->argc++] = word;
		} else if (!is_known(word, len) && w->envc < INIT_ARGS + 3) {
			w->envp[w->envc++] = word;
		}
	}
}

/* ---- Thread 1 ---- */

static void begin_init(void)
{
	static const struct {
		u8 which;
		unsigned long cur, max;
	} limits[] = {
		{ RLIMIT_STACK, 8ul << 20, RLIM_INFINITY },
		{ RLIMIT_CORE, 0, RLIM_INFINITY },
		{ RLIMIT_NOFILE, 1024, 4096 },
		{ RLIMIT_MEMLOCK, 8ul << 20, 8ul << 20 },
		{ RLIMIT_MSGQUEUE, 819200, 819200 },
		{ RLIMIT_NICE, 0, 0 },
		{ RLIMIT_RTPRIO, 0, 0 },
	};
	struct process *p = current_process();
	unsigned long processes;

	/* Stacks of all fill an eighth of memory; a user has half of them, as in Linux. */
	threads_max = (unsigned int)(totalram_pages() / (8 * KERNEL_STACK_BYTES / PAGE_SIZE));
	threads_max = clamp(threads_max, 20u, (unsigned int)PID_MAX);
	processes = threads_max / 2;

	for (unsigned int i = 0; i < ARRAY_SIZE(limits); i++)
		p->core.rlimit[limits[i].which] = (struct mm_rlimit){ limits[i].cur, limits[i].max };
	p->core.rlimit[RLIMIT_NPROC] = p->core.rlimit[RLIMIT_SIGPENDING] = (struct mm_rlimit){ processes, processes };
	p->dumpable = true;
	p->coredump_filter = 0x33;
	init_process = p;
}

static void run_init(struct init_words *w)
{
	char path[256] = "/init";
	const char *const others[] = { "/sbin/init", "/etc/init", "/bin/init", "/bin/sh" };
	int err;

	if (!cmdline_value(kernel_cmdline(), "rdinit", path, sizeof(path)))
		cmdline_value(kernel_cmdline(), "init", path, sizeof(path));
	w->argv[0] = path;
	printk("Run %s as init process\n", path);
	err = kernel_exec(path, w->argv, w->envp);
	if (!err)
		return;
	printk("Failed to execute %s (error %d)\n", path, err);
	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++) {
		strscpy(path, others[i], sizeof(path));
		if (!kernel_exec(path, w->argv, w->envp)) {
			printk("Run %s as init process\n", path);
			return;
		}
	}
	kernel_panic("No working init found.  Try passing init= option to kernel.");
}

static void init_thread(void *arg)
{
	const struct bootinfo *boot = port_bootinfo();
	struct task *me = current();
	struct init_words *w = kvmalloc(sizeof(*w), GFP_KERNEL);
	int err;

	(void)arg;
	begin_init();
	kthreads_begin();
	if (!w)
		kernel_panic("no memory for the first program");
	memset(w, 0, sizeof(*w));
	w->argc = 1;
	w->envp[0] = (char *)"HOME=/";
	w->envp[1] = (char *)"TERM=linux";
	w->envc = 2;
	me->fs = fs_new();
	me->files = files_new();
	if (!me->fs || !me->files)
		kernel_panic("no memory for the first program's files");
	err = vfs_init(boot->initrd.size ? pc_phys_to_virt(boot->initrd.start) : NULL, (size_t)boot->initrd.size);
	if (err)
		kernel_panic("the initramfs cannot be unpacked (error %d)", err);
	mm_free_initmem();
	err = vfs_open_console();
	if (err < 0)
		printk("Warning: unable to open an initial console.\n");
	sort_words(w);
	octavo_task_add(&me->core);
	run_init(w);
	kvfree(w);
}

/* ---- What the core asks of the running thread ---- */

static unsigned int *scope_flags(void)
{
	return &current()->core.flags;
}

static const char *task_name(void)
{
	return current()->core.comm;
}

static long task_number(void)
{
	return current()->core.pid;
}

static u32 task_user(void)
{
	return current()->core.process->ruid;
}

/* Threads that are of use to somebody: of those that wait for a CPU it is not asked whether they are stalled. */
static unsigned int nr_productive(void)
{
	return sched_nr_productive(PF_MEMSTALL);
}

/* Release, and the number of the build. */
static const char *release_text(void)
{
	static char text[sizeof(uts.release) + 16];
	size_t number = 0;

	while (uts.version[number] && uts.version[number] != ' ')
		number++;
	octavo_snprintf(text, sizeof(text), "%s %.*s", uts.release, (int)number, uts.version);
	return text;
}

static struct task_ops task_ops = { .scope_flags = scope_flags, .name = task_name, .pid = task_number,
				    .uid = task_user, .signal_pending = signal_pending, .kill = kill_for_memory,
				    .nr_productive = nr_productive };

void run_command_line(void)
{
	int pid;

	time_init();
	arch_trap_init();
	syscall_init();
	sched_init();
	task_ops.release = release_text();
	register_task_ops(&task_ops);
	pid = kthread_create(init_thread, NULL, "init");
	if (pid != 1)
		kernel_panic("the first thread has number %d", pid);
	sched_start_others(smp_online());
	sched_idle();
}
