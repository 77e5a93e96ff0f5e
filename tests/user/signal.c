// SPDX-License-Identifier: MIT
/* Signals: handlers and what they are given, masks, alternate stacks, restarts, waiting, timers. */
#define _GNU_SOURCE
#include "check.h"

#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>

static volatile sig_atomic_t count, last, queued;
static siginfo_t last_info;
static sigjmp_buf jump;

static void handler(int signo, siginfo_t *info, void *context)
{
	(void)context;
	count++;
	last = signo;
	last_info = *info;
	if (info->si_code == SI_QUEUE)
		queued += info->si_value.sival_int;
}

static void install(int signo, int flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };

	CHECK(sigaction(signo, &action, NULL) == 0);
}

static void test_handler(void)
{
	double x = 1.5;

	install(SIGUSR1, 0);
	count = 0;
	CHECK(kill(getpid(), SIGUSR1) == 0);
	CHECK(count == 1 && last == SIGUSR1 && last_info.si_pid == getpid() && last_info.si_code == SI_USER);
	__asm__ volatile("" : "+x"(x));
	raise(SIGUSR1);
	__asm__ volatile("" : "+x"(x));
	CHECK(count == 2 && last_info.si_code == SI_TKILL && x == 1.5);
	install(SIGUSR1, SA_RESETHAND);
	raise(SIGUSR1);
	struct sigaction now;
	CHECK(sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
}

static void test_mask(void)
{
	sigset_t set, old, pending;
	union sigval value = { .sival_int = 77 };

	install(SIGUSR1, 0);
	install(SIGRTMIN, 0);
	count = 0;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0);
	raise(SIGUSR1);
	raise(SIGUSR1);
	for (int i = 0; i < 3; i++)
		CHECK(sigqueue(getpid(), SIGRTMIN, value) == 0);
	CHECK(count == 0 && sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1));
	sigprocmask(SIG_SETMASK, &old, NULL);
	CHECK(count == 4 && queued == 3 * 77);
}

static volatile sig_atomic_t depth, deepest;

static void nesting(int signo)
{
	if (++depth > deepest)
		deepest = depth;
	if (++count == 1)
		raise(signo);
	depth--;
}

/* A signal waits while its own handler runs, unless that says otherwise. */
static void test_nesting(void)
{
	struct sigaction action = { .sa_handler = nesting };

	sigaction(SIGUSR1, &action, NULL);
	count = deepest = 0;
	raise(SIGUSR1);
	CHECK(count == 2 && deepest == 1);
	action.sa_flags = SA_NODEFER;
	sigaction(SIGUSR1, &action, NULL);
	count = deepest = 0;
	raise(SIGUSR1);
	CHECK(count == 2 && deepest == 2);
	install(SIGUSR1, 0);
}

static void fault_handler(int signo, siginfo_t *info, void *context)
{
	(void)context;
	last = signo;
	last_info = *info;
	siglongjmp(jump, 1);
}

/* The stack is nowhere: in QEMU the access has the kernel's rights, and the program's all the same. */
static void test_far_return(void)
{
	static char stack[65536];
	struct sigaction action = { .sa_sigaction = fault_handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t alt = { .ss_sp = stack, .ss_size = sizeof(stack) };

	CHECK(sigaltstack(&alt, NULL) == 0);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	last = 0;
	if (!sigsetjmp(jump, 1))
		__asm__ volatile("mov $0xd480c288, %%eax\n\tmov %%rax, %%rsp\n\tlretq" : : : "rax", "memory");
	CHECK(last == SIGSEGV);
	last = 0;
	if (!sigsetjmp(jump, 1))
		__asm__ volatile("mov $0xd480c288, %%eax\n\tmov %%rax, %%rsp\n\tiretq" : : : "rax", "memory");
	CHECK(last == SIGSEGV);
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	alt.ss_flags = SS_DISABLE;
	CHECK(sigaltstack(&alt, NULL) == 0);
}

static void test_fault(void)
{
	struct sigaction action = { .sa_sigaction = fault_handler, .sa_flags = SA_SIGINFO };
	char *read_only = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile int zero = 0;

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGFPE, &action, NULL);
	sigaction(SIGILL, &action, NULL);
	sigaction(SIGTRAP, &action, NULL);
	if (!sigsetjmp(jump, 1))
		*(volatile char *)0x1234 = 1;
	CHECK(last == SIGSEGV && last_info.si_code == SEGV_MAPERR && last_info.si_addr == (void *)0x1234);
	if (!sigsetjmp(jump, 1))
		*(volatile char *)read_only = 1;
	CHECK(last == SIGSEGV && last_info.si_code == SEGV_ACCERR && last_info.si_addr == read_only);
	last = 0;
	if (!sigsetjmp(jump, 1))
		*(volatile char *)0xffff888000000000ul = 1;
	CHECK(last == SIGSEGV);
	last = 0;
	if (!sigsetjmp(jump, 1))
		*(volatile char *)0x8000000000000000ul = 1;
	CHECK(last == SIGSEGV);
	last = 0;
	if (!sigsetjmp(jump, 1))
		((void (*)(void))read_only)();
	CHECK(last == SIGSEGV);
	if (!sigsetjmp(jump, 1))
		zero = 100 / zero;
	CHECK(last == SIGFPE && last_info.si_code == FPE_INTDIV);
	if (!sigsetjmp(jump, 1))
		__asm__ volatile("ud2");
	CHECK(last == SIGILL);
	if (!sigsetjmp(jump, 1))
		__asm__ volatile("int3");
	CHECK(last == SIGTRAP && last_info.si_code == SI_KERNEL);
	last = 0;
	if (!sigsetjmp(jump, 1))
		__asm__ volatile("hlt");
	CHECK(last == SIGSEGV);
	signal(SIGSEGV, SIG_DFL);
	signal(SIGTRAP, SIG_DFL);
}

static volatile uintptr_t on_stack;

static void where(int signo)
{
	char here;

	last = signo;
	on_stack = (uintptr_t)&here;
}

static void test_altstack(void)
{
	static char room[65536];
	stack_t stack = { .ss_sp = room, .ss_size = sizeof(room) }, old;
	struct sigaction action = { .sa_handler = where, .sa_flags = SA_ONSTACK };

	CHECK(sigaltstack(&stack, NULL) == 0);
	sigaction(SIGUSR2, &action, NULL);
	raise(SIGUSR2);
	CHECK(on_stack - (uintptr_t)room < sizeof(room));
	CHECK(sigaltstack(NULL, &old) == 0 && old.ss_sp == room && !(old.ss_flags & SS_ONSTACK));
	stack.ss_flags = SS_DISABLE;
	CHECK(sigaltstack(&stack, NULL) == 0);
}

/* Deep recursion ends on the alternate stack, as the one it ran on is full. */
static int __attribute__((noinline)) deep(volatile int *p)
{
	volatile int room[1024];

	room[0] = *p;
	return (*p ? deep(room) : 0) + room[0];
}

static void test_overflow(void)
{
	static char room[65536];
	stack_t stack = { .ss_sp = room, .ss_size = sizeof(room) };
	struct sigaction action = { .sa_sigaction = fault_handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	volatile int start = 1;

	sigaltstack(&stack, NULL);
	sigaction(SIGSEGV, &action, NULL);
	last = 0;
	if (!sigsetjmp(jump, 1))
		deep(&start);
	CHECK(last == SIGSEGV);
	signal(SIGSEGV, SIG_DFL);
}

static void test_restart(void)
{
	struct itimerval timer = { .it_value = { 0, 20000 } }, off = { 0 };
	struct timespec second = { 1, 0 }, left;
	int fds[2];
	char c;

	install(SIGALRM, 0);
	count = 0;
	setitimer(ITIMER_REAL, &timer, NULL);
	CHECK_ERROR(nanosleep(&second, &left), EINTR);
	CHECK(count == 1 && left.tv_sec == 0 && left.tv_nsec > 1000000 && left.tv_nsec <= 990000000);
	CHECK(pipe(fds) == 0);
	/* Again and again: the first may come before the read does on a busy machine, and nobody writes. */
	timer.it_interval.tv_usec = 20000;
	setitimer(ITIMER_REAL, &timer, NULL);
	CHECK_ERROR(read(fds[0], &c, 1), EINTR);
	setitimer(ITIMER_REAL, &off, NULL);
	timer.it_interval.tv_usec = 0;
	count = 0;
	install(SIGALRM, SA_RESTART);
	pid_t pid = fork();
	if (!pid) {
		usleep(300000);
		_exit(write(fds[1], "x", 1) != 1);
	}
	setitimer(ITIMER_REAL, &timer, NULL);
	CHECK(read(fds[0], &c, 1) == 1 && c == 'x' && count == 1);
	waitpid(pid, NULL, 0);
	close(fds[0]);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERROR(write(fds[1], "x", 1), EPIPE);
	close(fds[1]);
}

static void test_waiting(void)
{
	struct timespec soon = { 0, 20000000 };
	siginfo_t info;
	sigset_t set, none;
	pid_t pid;

	sigemptyset(&none);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	CHECK_ERROR(sigtimedwait(&set, &info, &soon), EAGAIN);
	CHECK_ERROR(syscall(SYS_rt_sigtimedwait, &set, NULL, (void *)8, 8), EFAULT);
	CHECK_ERROR(syscall(SYS_rt_sigtimedwait, (void *)8, NULL, &soon, 8), EFAULT);
	CHECK_ERROR(syscall(SYS_rt_sigtimedwait, &set, NULL, &soon, 4), EINVAL);
	pid = fork();
	if (!pid) {
		usleep(10000);
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	CHECK(sigwaitinfo(&set, &info) == SIGUSR1 && info.si_pid == pid);
	waitpid(pid, NULL, 0);
	count = 0;
	pid = fork();
	if (!pid) {
		usleep(10000);
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	CHECK_ERROR(sigsuspend(&none), EINTR);
	CHECK(count == 1);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	waitpid(pid, NULL, 0);
}

static void test_chld(void)
{
	install(SIGCHLD, 0);
	count = 0;
	pid_t pid = fork();
	if (!pid)
		_exit(9);
	while (!count)
		usleep(1000);
	CHECK(last == SIGCHLD && last_info.si_pid == pid && last_info.si_status == 9);
	CHECK(last_info.si_code == CLD_EXITED);
	CHECK(waitpid(pid, NULL, 0) == pid);
	signal(SIGCHLD, SIG_IGN);
	pid = fork();
	if (!pid)
		_exit(0);
	CHECK_ERROR(waitpid(pid, NULL, 0), ECHILD);
	signal(SIGCHLD, SIG_DFL);
}

static void test_timer(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1 };
	struct itimerspec spec = { .it_value = { 0, 2000000 }, .it_interval = { 0, 2000000 } };
	timer_t timer;

	install(SIGRTMIN + 1, 0);
	count = 0;
	CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	CHECK(timer_settime(timer, 0, &spec, NULL) == 0);
	while (count < 5)
		pause();
	CHECK(timer_delete(timer) == 0 && last_info.si_code == SI_TIMER);
	struct timespec a, b, wait = { 0, 3000000 };
	clock_gettime(CLOCK_MONOTONIC, &a);
	nanosleep(&wait, NULL);
	clock_gettime(CLOCK_MONOTONIC, &b);
	CHECK((b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec >= 3000000);
}

int main(void)
{
	test_handler();
	test_mask();
	test_nesting();
	test_fault();
	test_far_return();
	test_altstack();
	test_overflow();
	test_restart();
	test_waiting();
	test_chld();
	test_timer();
	return finish("signal");
}
