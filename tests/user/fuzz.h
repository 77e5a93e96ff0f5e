/* SPDX-License-Identifier: MIT */
/* Random system calls, by a seed: what fuzz.c and faults.c share. Each round is a child's, in a family of its own. */
#ifndef TESTS_USER_FUZZ_H
#define TESTS_USER_FUZZ_H

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "check.h"

#define FUZZ_CALLS 470
#define ARENA_PAGES 16
#define JAIL "/tmp/jail"

static unsigned long fuzz_state;
static char *fuzz_arena;

/* xorshift64*: S. Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled" */
static unsigned long fuzz_random(void)
{
	fuzz_state ^= fuzz_state >> 12;
	fuzz_state ^= fuzz_state << 25;
	fuzz_state ^= fuzz_state >> 27;
	return fuzz_state * 0x2545f4914f6cdd1dul;
}

/*
 * Not called: what ends the machine or its clock; a family of one's own left, so that it cannot be ended; and for the
 * superuser what acts on processes that are none of ours, or on mounts and devices.
 */
static int fuzz_leaves_out(long nr, int root)
{
	switch (nr) {
	case SYS_reboot: case SYS_setsid: case SYS_setpgid: case SYS_vhangup:
	case SYS_settimeofday: case SYS_clock_settime: case SYS_clock_adjtime: case SYS_adjtimex:
		return 1;
	case SYS_kill: case SYS_tkill: case SYS_tgkill: case SYS_rt_sigqueueinfo: case SYS_rt_tgsigqueueinfo:
	case SYS_pidfd_send_signal: case SYS_prlimit64: case SYS_process_vm_writev: case SYS_setpriority:
	case SYS_sched_setaffinity: case SYS_sched_setscheduler: case SYS_sched_setparam: case SYS_sched_setattr:
	case SYS_ioprio_set: case SYS_process_madvise: case SYS_pidfd_getfd:
	case SYS_mount: case SYS_umount2: case SYS_pivot_root: case SYS_mknod: case SYS_mknodat: case SYS_chroot:
	case SYS_move_mount: case SYS_fsmount: case SYS_open_tree: case SYS_setuid: case SYS_setreuid:
	case SYS_setresuid: case SYS_syslog: case SYS_sethostname: case SYS_setdomainname:
		return root;
	}
	return 0;
}

static const char *const fuzz_paths[] = {
	"/tmp/a", "/tmp/b", "/tmp/d/c", "/tmp/d", "/tmp", "/", ".", "..", "", "/proc/self/maps", "/proc/self/mem",
	"/proc/self/smaps", "/proc/self/status", "/proc/self/fd/3", "/proc/self/pagemap", "/proc/meminfo",
	"/proc/self/task", "/proc/self/clear_refs", "/dev/null", "/dev/zero", "/dev/full",
	"/proc/self/exe", "/tmp/link", "/tmp/fifo", "/proc/self/oom_score_adj", "/proc/self/environ", "/proc/vmstat",
};

static unsigned long fuzz_pointer(void)
{
	unsigned long size = ARENA_PAGES * 4096ul, r = fuzz_random();

	switch (r >> 60) {
	case 0:
		return (unsigned long)fuzz_arena + size - (r >> 8 & 63); /* over the end */
	case 1:
		return 0;
	case 2:
		return r >> 8 & 0xffff;
	case 3:
		return 0xffff800000000000ul | (r & 0x7ffffffff000ul);
	case 4:
		return ((unsigned long)fuzz_arena + r % size) & ~4095ul;
	default:
		return ((unsigned long)fuzz_arena + r % (size - 256)) & ~7ul;
	}
}

static unsigned long fuzz_argument(void)
{
	unsigned long r = fuzz_random(), bits = 0;

	switch (r >> 59 & 15) {
	case 0: case 1: case 2:
		return r & 15;
	case 3:
		return r & 255;
	case 4:
		return -(r & 7);
	case 5:
		for (int i = 0; i < 3; i++)
			bits |= 1ul << (r >> 8 * i & 31);
		return bits;
	case 6:
		return 1ul << (r & 63);
	case 7:
		return (r & 15) * 4096;
	case 8:
		return r;
	case 9:
		return (unsigned long)fuzz_paths[r % (sizeof(fuzz_paths) / sizeof(fuzz_paths[0]))];
	default:
		return fuzz_pointer();
	}
}

/* Words in the arena that mean something as parts of structures. */
static void fuzz_fill(void)
{
	unsigned long *words = (unsigned long *)fuzz_arena;

	for (unsigned int i = 0; i < ARENA_PAGES * 512; i++)
		words[i] = fuzz_argument();
	for (unsigned int i = 0; i < 8; i++)
		strcpy(fuzz_arena + 4096 * i + 512, fuzz_paths[fuzz_random() % (sizeof(fuzz_paths) / sizeof(char *))]);
}

static void fuzz_nothing(int signo)
{
	(void)signo;
}

static void fuzz_limits(void)
{
	struct rlimit memory = { 192ul << 20, 192ul << 20 }, none = { 0, 0 }, files = { 64, 64 };
	struct rlimit file = { 8ul << 20, 8ul << 20 }, processes = { 64, 64 };

	setrlimit(RLIMIT_AS, &memory);
	setrlimit(RLIMIT_CORE, &none);
	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_FSIZE, &file);
	setrlimit(RLIMIT_NPROC, &processes);
}

/* A child's round: @calls calls from @seed on. @only: a system call's number, or -1 for all. */
static void fuzz_round(unsigned long seed, int calls, int root, long only)
{
	struct itimerval often = { { 0, 20000 }, { 0, 20000 } };
	struct sigaction action = { .sa_handler = fuzz_nothing };

	setpgid(0, 0);
	fuzz_state = seed * 0x9e3779b97f4a7c15ul | 1;
	fuzz_limits();
	if (root && chroot(JAIL))
		_exit(3);
	if (chdir("/tmp"))
		_exit(3);
	if (!root && (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534)))
		_exit(3);
	for (int fd = 0; fd < 3; fd++)
		if (dup2(open("/dev/null", O_RDWR), fd) < 0)
			_exit(3); /* the terminal is not to be had */
	fuzz_arena = mmap(NULL, ARENA_PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fuzz_arena == MAP_FAILED)
		_exit(3);
	open("/tmp/a", O_RDWR | O_CREAT, 0666);
	memfd_create("fuzz", MFD_ALLOW_SEALING);
	fuzz_fill();
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	while (calls--) {
		long nr = only >= 0 ? only : (long)(fuzz_random() % FUZZ_CALLS);
		unsigned long a[6];

		for (int i = 0; i < 6; i++)
			a[i] = fuzz_argument();
		if (!fuzz_leaves_out(nr, root))
			syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	}
	_exit(0);
}

/* Its own small world for the superuser's rounds. */
static void fuzz_prepare(void)
{
	static const struct { const char *name; int minor; } devices[] = {
		{ "null", 3 }, { "zero", 5 }, { "full", 7 }
	};
	char path[64];

	umask(0);
	mkdir(JAIL, 0777);
	mkdir(JAIL "/tmp", 01777);
	mkdir(JAIL "/dev", 0755);
	mkdir(JAIL "/proc", 0755);
	mount("proc", JAIL "/proc", "proc", 0, NULL);
	mount("tmp", JAIL "/tmp", "tmpfs", 0, "size=32m");
	for (unsigned int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), JAIL "/dev/%s", devices[i].name);
		mknod(path, S_IFCHR | 0666, makedev(1, devices[i].minor));
	}
}

static void fuzz_clean(void)
{
	struct shmid_ds unused;
	int last = shmctl(0, SHM_INFO, &unused);

	for (int i = 0; i <= last; i++)
		shmctl(shmctl(i, SHM_STAT, &unused), IPC_RMID, NULL);
	umount2(JAIL "/tmp", MNT_DETACH);
	umount2(JAIL "/proc", MNT_DETACH);
	CHECK(system("rm -rf " JAIL " /tmp/a /tmp/b /tmp/d /tmp/link /tmp/fifo") == 0);
}

/* Ends what is left of the family of @pid, and waits for what comes of it. */
static void fuzz_end(pid_t pid)
{
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	while (waitpid(-1, NULL, WNOHANG) > 0 || !kill(-pid, 0)) {
		kill(-pid, SIGKILL);
		usleep(1000);
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* @rounds children after each other, from @seed on; each has @ms. */
static void fuzz_rounds(unsigned long seed, int rounds, int calls, int root, int ms, long only)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (int i = 0; i < rounds; i++) {
		pid_t pid = fork();

		if (!pid)
			fuzz_round(seed + (unsigned long)i, calls, root, only);
		if (pid < 0)
			continue;
		setpgid(pid, pid);
		for (int waited = 0; waited < ms && waitpid(pid, NULL, WNOHANG) != pid; waited += 2)
			usleep(2000);
		fuzz_end(pid);
	}
}

#endif
