// SPDX-License-Identifier: MIT
/*
 * Protection keys, pkeys(7): WRPKRU is no system call, so the kernel learns of its effects by faults, its own ones too.
 * A handler begins with the rights of a new program, and its return gives back the ones that were there.
 */
#define _GNU_SOURCE
#include "check.h"

#include <cpuid.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>

#define INITIAL 0x55555554u
#define PKUERR 4 /* si_code */

static unsigned int rdpkru(void)
{
	unsigned int value, d;

	__asm__ volatile("rdpkru" : "=a"(value), "=d"(d) : "c"(0));
	return value;
}

static void wrpkru(unsigned int value)
{
	__asm__ volatile("wrpkru" : : "a"(value), "c"(0), "d"(0) : "memory");
}

/* A load, and a system call, with @pkru in force for no more than that: not even the stack may be of use then. */
static void load_under(unsigned int pkru, const volatile int *from)
{
	__asm__ volatile("wrpkru\n\tmovl (%1), %%r8d\n\tmovl %2, %%eax\n\twrpkru"
			 : "+a"(pkru)
			 : "r"(from), "i"(INITIAL), "c"(0), "d"(0)
			 : "memory", "r8");
}

static long syscall_under(unsigned int pkru, long nr, long a, const volatile void *b, long len)
{
	long result = pkru, c = 0, d = 0;

	__asm__ volatile("wrpkru\n\tmovq %5, %%rax\n\tmovq %6, %%rdx\n\tsyscall\n\tmovq %%rax, %%r12\n\t"
			 "movl %7, %%eax\n\txorl %%ecx, %%ecx\n\txorl %%edx, %%edx\n\twrpkru\n\tmovq %%r12, %%rax"
			 : "+a"(result), "+c"(c), "+d"(d)
			 : "D"(a), "S"(b), "r"(nr), "r"(len), "i"(INITIAL)
			 : "memory", "r11", "r12");
	return result;
}

static volatile int seen, seen_code, seen_key;
static volatile unsigned int in_handler, in_frame;
static unsigned int pkru_at; /* in XSAVE's form */

static void on_segv(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	unsigned int *saved = (unsigned int *)((char *)uc->uc_mcontext.fpregs + pkru_at);

	(void)signo;
	in_handler = rdpkru();
	in_frame = *saved;
	seen_code = info->si_code;
	seen_key = info->si_pkey;
	if (++seen > 1000)
		_exit(3);
	*saved = INITIAL;
	if (info->si_pkey)
		*saved = 0; /* all rights: the access succeeds now */
}

static void expect_fault(unsigned int pkru, int key)
{
	CHECK(seen == 1);
	CHECK(seen_code == PKUERR);
	CHECK(seen_key == key);
	CHECK(in_handler == INITIAL);
	CHECK(in_frame == pkru);
	seen = 0;
}

static volatile int word = 5;

/* Before anyone asks for a key: key 0 is what everything has. */
static void without_keys(void)
{
	int ends[2];
	char got;

	load_under(INITIAL | 1, &word);
	expect_fault(INITIAL | 1, 0);
	CHECK(rdpkru() == INITIAL);
	CHECK(pipe(ends) == 0);
	CHECK(syscall_under(INITIAL | 1, SYS_write, ends[1], &word, 1) == -EFAULT);
	CHECK(syscall_under(INITIAL, SYS_write, ends[1], &word, 1) == 1);
	CHECK(syscall_under(INITIAL | 2, SYS_read, ends[0], &got, 1) == -EFAULT); /* no writing */
	CHECK(syscall_under(INITIAL | 2, SYS_write, ends[1], &word, 1) == 1);
	close(ends[0]);
	close(ends[1]);
}

static int with_keys(void)
{
	volatile int *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int key = pkey_alloc(0, 0), ends[2], zero;

	CHECK(key > 0);
	CHECK(!(rdpkru() >> 2 * key & 3));
	*page = 7;
	CHECK(pkey_mprotect((void *)page, 8192, PROT_READ | PROT_WRITE, key) == 0);
	CHECK(*page == 7);
	wrpkru(INITIAL);
	CHECK(*page == 7); /* refused, and allowed by the handler */
	expect_fault(INITIAL, key);
	CHECK(rdpkru() == 0);
	wrpkru(2u << 2 * key);
	CHECK(*page == 7 && !seen);
	*page = 8;
	expect_fault(2u << 2 * key, key);
	wrpkru(1u << 2 * key);
	page[1024] = 9; /* nothing is there yet */
	expect_fault(1u << 2 * key, key);
	CHECK(page[1024] == 9);
	CHECK(pipe(ends) == 0);
	wrpkru(1u << 2 * key);
	CHECK_ERROR(write(ends[1], (void *)page, 1), EFAULT);
	wrpkru(0);
	CHECK(write(ends[1], (void *)page, 1) == 1);
	wrpkru(2u << 2 * key);
	CHECK_ERROR(read(ends[0], (void *)page, 1), EFAULT);
	wrpkru(0);
	zero = open("/dev/zero", O_RDWR);
	CHECK(read(zero, (void *)(page + 1), 1) == 1);
	close(zero);
	close(ends[0]);
	close(ends[1]);
	CHECK(!seen);
	return key;
}

/* Threads with rights of their own, on one processor. */
static void *keep_rights(void *arg)
{
	unsigned int mine = (unsigned int)(unsigned long)arg;
	unsigned long wrong = 0;

	wrpkru(mine);
	for (int i = 0; i < 3000; i++) {
		wrong += rdpkru() != mine;
		sched_yield();
	}
	return (void *)wrong;
}

static void threads(void)
{
	pthread_t thread[3];
	cpu_set_t one, all;
	void *wrong;

	CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
	for (unsigned long i = 0; i < 3; i++)
		CHECK(pthread_create(&thread[i], NULL, keep_rights, (void *)(i << 20)) == 0);
	for (int i = 0; i < 3; i++) {
		CHECK(pthread_join(thread[i], &wrong) == 0);
		CHECK(!wrong);
	}
	CHECK(sched_setaffinity(0, sizeof(all), &all) == 0);
}

static void children(void)
{
	int status;
	pid_t pid;

	wrpkru(0x10);
	pid = fork();
	if (!pid) {
		if (rdpkru() != 0x10)
			_exit(1);
		execl("/proc/self/exe", "pkeys", "new", NULL);
		_exit(2);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(rdpkru() == 0x10);
	wrpkru(INITIAL);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO };
	unsigned int a, b, c, d;
	int key;

	(void)argv;
	if (argc > 1)
		return rdpkru() != INITIAL;
	__cpuid_count(7, 0, a, b, c, d);
	if (!(c >> 4 & 1)) {
		printf("pkeys: skipped: the processor or the system has no protection keys\n");
		return 0;
	}
	__cpuid_count(0xd, 9, a, b, c, d);
	pkru_at = b;
	sigaction(SIGSEGV, &action, NULL);
	CHECK(rdpkru() == INITIAL);
	without_keys();
	key = with_keys();
	threads();
	children();
	CHECK(pkey_free(key) == 0);
	return finish("pkeys");
}
