// SPDX-License-Identifier: MIT
/*
 * Bad pointers, and nonsense, to every system call: each either refuses or ends the process that made it; the kernel
 * and its parent go on. A child makes the calls, as some of them end it, close its files or change its address space.
 */
#define _GNU_SOURCE
#include "check.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

enum { CALLS = 470 };

static const unsigned long bad[] = {
	8,			      /* not mapped */
	0xffff888000000000ul,	      /* the kernel's direct map */
	0xffffffff80200000ul,	      /* its text */
	0x8000000000000000ul,	      /* no address */
	0x00007ffffffff000ul,	      /* the end of user space */
	~0ul,
};

/* Those that would end more than the caller, or wait for what does not come. */
static int is_left_out(long nr)
{
	switch (nr) {
	case SYS_reboot: case SYS_kill: case SYS_tkill: case SYS_tgkill: case SYS_pause: case SYS_vfork: case SYS_fork:
	case SYS_clone: case SYS_clone3: case SYS_rt_sigsuspend: case SYS_vhangup: case SYS_exit: case SYS_exit_group:
	case SYS_rt_sigqueueinfo: case SYS_rt_tgsigqueueinfo: case SYS_setrlimit: case SYS_prlimit64: case SYS_select:
	case SYS_mlockall: case SYS_umount2: case SYS_chroot: case SYS_pivot_root: case SYS_poll: case SYS_setuid:
		return 1;
	}
	return 0;
}

/* Each argument bad by itself, the others all of one harmless kind. */
static void try_each(long nr, char *page)
{
	const unsigned long harmless[] = { 0, 1, 4096, (unsigned long)page };

	for (unsigned int at = 0; at < 6; at++)
		for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
			for (unsigned int k = 0; k < 4; k++) {
				unsigned long a[6];

				for (unsigned int n = 0; n < 6; n++)
					a[n] = n == at ? bad[i] : harmless[k];
				syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
			}
}

static void try_all(long nr, char *edge)
{
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		unsigned long b = bad[i];

		syscall(nr, b, b, b, b, b, b);
		syscall(nr, 1, b, 4096, 0, b, b);
		syscall(nr, 1, b, b, 1, 0, 0);
		syscall(nr, b, 4096, 7, 0x22, -1, 0);
		syscall(nr, b, 1, 0, 0, 0, 0);
		syscall(nr, 0, 0, b, b, 16, b);
	}
	/* What begins on a page and runs over its end. */
	syscall(nr, edge - 3, edge - 5, 8, edge - 1, edge - 2, edge - 7);
	syscall(nr, 1, edge - 3, 64, 0, edge - 3, 64);
}

/* Wakes what waits; what goes on waiting ends. */
static void on_tick(int signo)
{
	static int ticks;

	(void)signo;
	if (++ticks > 200)
		_exit(0);
}

static void child(long nr)
{
	struct itimerval often = { { 0, 10000 }, { 0, 10000 } };
	struct sigaction action = { .sa_handler = on_tick };
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct rlimit core = { 0, 0 };

	mprotect(page + 4096, 4096, PROT_NONE);
	setrlimit(RLIMIT_CORE, &core);
	if (freopen("/dev/null", "r+", stdin) == NULL)
		_exit(1);
	dup2(0, 1);
	dup2(0, 2);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	try_each(nr, page);
	try_all(nr, page + 4096);
	_exit(0);
}

int main(void)
{
	char word[16] = "still here";
	int ended = 0;

	for (long nr = 0; nr < CALLS; nr++) {
		int status;
		pid_t pid;

		if (is_left_out(nr))
			continue;
		pid = fork();
		CHECK(pid >= 0);
		if (!pid)
			child(nr);
		CHECK(waitpid(pid, &status, 0) == pid);
		ended += status != 0;
	}
	CHECK(!strcmp(word, "still here"));
	CHECK(ended < CALLS / 4);
	return finish("badptr");
}
