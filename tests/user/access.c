// SPDX-License-Identifier: MIT
/*
 * Reading, writing and executing where one may not, and instructions that are not for programs: each gets its signal,
 * with the right code and address, and nothing else happens.
 */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static sigjmp_buf back;
static volatile int signo, code;
static void *volatile address;

static void caught(int number, siginfo_t *info, void *context)
{
	(void)context;
	signo = number;
	code = info->si_code;
	address = info->si_addr;
	siglongjmp(back, 1);
}

enum { READ, WRITE, EXECUTE };

/* Return: the signal, or 0. */
static int try(volatile void *at, int how)
{
	signo = code = 0;
	address = NULL;
	if (sigsetjmp(back, 1))
		return signo;
	if (how == READ)
		(void)*(volatile char *)at;
	else if (how == WRITE)
		*(volatile char *)at = 0;
	else
		((void (*)(void))(unsigned long)at)();
	return 0;
}

static void refused(volatile void *at, int how, int number, int why)
{
	CHECK(try(at, how) == number);
	CHECK(code == why);
	CHECK(address == (void *)at);
}

static char *map(int prot)
{
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*p = (char)0xc3; /* ret */
	CHECK(mprotect(p, 4096, prot) == 0);
	return p;
}

static void test_rights(void)
{
	char *none = map(PROT_NONE), *ro = map(PROT_READ), *rw = map(PROT_READ | PROT_WRITE);
	char *rx = map(PROT_READ | PROT_EXEC), *gone = map(PROT_READ);

	munmap(gone, 4096);
	for (int how = READ; how <= EXECUTE; how++) {
		refused(none, how, SIGSEGV, SEGV_ACCERR);
		refused(gone, how, SIGSEGV, SEGV_MAPERR);
		refused((void *)16, how, SIGSEGV, SEGV_MAPERR);
	}
	CHECK(!try(ro, READ));
	refused(ro, WRITE, SIGSEGV, SEGV_ACCERR);
	refused(ro, EXECUTE, SIGSEGV, SEGV_ACCERR);
	CHECK(!try(rw, READ) && !try(rw, WRITE));
	refused(rw, EXECUTE, SIGSEGV, SEGV_ACCERR);
	CHECK(!try(rx, READ) && !try(rx, EXECUTE));
	refused(rx, WRITE, SIGSEGV, SEGV_ACCERR);
	refused((void *)&test_rights, WRITE, SIGSEGV, SEGV_ACCERR);
}

/* The kernel's half, and addresses that are none. */
static void test_kernel(void)
{
	static const unsigned long places[] = { 0xffff800000000000ul, 0xffff888000000000ul, 0xffff888001000000ul,
						0xffffc90000000000ul, 0xffffea0000000000ul, 0xffffffff80000000ul,
						0xffffffff80200000ul, 0xfffffffffffff000ul };
	static const unsigned long none[] = { 0x0000800000000000ul, 0x8000000000000000ul, 0xffff7fffffffffffu };

	for (unsigned int i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		for (int how = READ; how <= EXECUTE; how++) {
			CHECK(try((void *)places[i], how) == SIGSEGV);
			CHECK(code == SEGV_MAPERR || code == SEGV_ACCERR);
			CHECK(address == (void *)places[i]);
		}
	for (unsigned int i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		for (int how = READ; how <= WRITE; how++)
			CHECK(try((void *)none[i], how) == SIGSEGV && code == SI_KERNEL);
}

static void test_file(void)
{
	int fd = memfd_create("short", 0);
	char *p;

	CHECK(ftruncate(fd, 100) == 0);
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(!try(p + 4095, WRITE));
	refused(p + 4096, READ, SIGBUS, BUS_ADRERR);
	refused(p + 4097, WRITE, SIGBUS, BUS_ADRERR);
	CHECK(ftruncate(fd, 0) == 0);
	refused(p, READ, SIGBUS, BUS_ADRERR);
	CHECK_ERROR(write(1, p, 1), EFAULT);
	munmap(p, 8192);
	close(fd);
}

#define INSTRUCTION(name, text)                      \
	static void name(void)                       \
	{                                            \
		__asm__ volatile(text : : : "memory"); \
	}
INSTRUCTION(do_hlt, "hlt")
INSTRUCTION(do_cli, "cli")
INSTRUCTION(do_in, "inb $0x60, %%al")
INSTRUCTION(do_out, "outb %%al, $0x64")
INSTRUCTION(do_rdmsr, "xorl %%ecx, %%ecx\n\trdmsr")
INSTRUCTION(do_wrmsr, "movl $0xc0000082, %%ecx\n\txorl %%eax, %%eax\n\txorl %%edx, %%edx\n\twrmsr")
INSTRUCTION(do_cr0, "movq %%cr0, %%rax")
INSTRUCTION(do_cr3, "movq %%rax, %%cr3")
INSTRUCTION(do_cr4, "movq %%rax, %%cr4")
INSTRUCTION(do_dr7, "movq %%rax, %%dr7")
INSTRUCTION(do_lgdt, "lgdt (%%rsp)")
INSTRUCTION(do_lidt, "lidt (%%rsp)")
INSTRUCTION(do_ltr, "movl $0x40, %%eax\n\tltr %%ax")
INSTRUCTION(do_invlpg, "invlpg (%%rsp)")
INSTRUCTION(do_swapgs, "swapgs")
INSTRUCTION(do_wbinvd, "wbinvd")
INSTRUCTION(do_clts, "clts")
INSTRUCTION(do_int, "int $0x0e")
INSTRUCTION(do_int2, "int $0x20")
INSTRUCTION(do_stac, "stac")
INSTRUCTION(do_ds, "movl $0x10, %%eax\n\tmovl %%eax, %%ds")
INSTRUCTION(do_ss, "movl $0x10, %%eax\n\tmovl %%eax, %%ss")
INSTRUCTION(do_iret, "pushq $0x10\n\tpushq $0x1000\n\tpushq $0x2\n\tpushq $0x8\n\tpushq $0x1000\n\tiretq")
INSTRUCTION(do_far, "pushq $0x8\n\tpushq $0x1000\n\tlretq")
INSTRUCTION(do_sysret, "sysretq")
INSTRUCTION(do_bad_rsp, "movq $0x8000000000000000, %%rsp\n\tpushq %%rax")
INSTRUCTION(do_bad_rip, "movabsq $0x8000000000000000, %%rax\n\tjmp *%%rax")
INSTRUCTION(do_bad_syscall, "movabsq $0xffff888000000000, %%rsp\n\tmovl $39, %%eax\n\tsyscall\n\tpushq %%rax")
INSTRUCTION(do_trap, "pushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tmovl $39, %%eax\n\tsyscall\n\tnop")
INSTRUCTION(do_align, "pushfq\n\torq $0x40000, (%%rsp)\n\tpopfq\n\tmovl 1(%%rsp), %%eax")
INSTRUCTION(do_nested, "pushfq\n\torq $0x4000, (%%rsp)\n\tpopfq\n\tmovl $39, %%eax\n\tsyscall\n\tud2")
INSTRUCTION(do_fs, "movabsq $0x8000000000000000, %%rax\n\twrfsbase %%rax")
INSTRUCTION(do_into_nowhere,
	    "movl $158, %%eax\n\tmovl $0x1002, %%edi\n\tmovabsq $0x8000000000000000, %%rsi\n\tsyscall\n\tud2")

enum { PASSES = 127 };

static const struct {
	const char *name;
	void (*fn)(void);
	int signo; /* and above it, what emulators make of it */
} instructions[] = {
	{ "hlt", do_hlt, SIGSEGV }, { "cli", do_cli, SIGSEGV }, { "in", do_in, SIGSEGV }, { "out", do_out, SIGSEGV },
	{ "rdmsr", do_rdmsr, SIGSEGV }, { "wrmsr", do_wrmsr, SIGSEGV }, { "cr0", do_cr0, SIGSEGV },
	{ "cr3", do_cr3, SIGSEGV }, { "cr4", do_cr4, SIGSEGV }, { "dr7", do_dr7, SIGSEGV },
	{ "lgdt", do_lgdt, SIGSEGV }, { "lidt", do_lidt, SIGSEGV }, { "ltr", do_ltr, SIGSEGV },
	{ "invlpg", do_invlpg, SIGSEGV }, { "swapgs", do_swapgs, SIGSEGV }, { "wbinvd", do_wbinvd, SIGSEGV },
	{ "clts", do_clts, SIGSEGV }, { "int 14", do_int, SIGSEGV }, { "int 32", do_int2, SIGSEGV },
	{ "stac", do_stac, SIGILL }, { "ds", do_ds, SIGSEGV }, { "ss", do_ss, SIGSEGV }, { "iret", do_iret, SIGSEGV },
	{ "lret", do_far, SIGSEGV }, { "sysret", do_sysret, SIGSEGV }, { "rsp", do_bad_rsp, SIGBUS | SIGSEGV << 8 },
	{ "rip", do_bad_rip, SIGSEGV }, { "syscall with a kernel stack", do_bad_syscall, SIGSEGV },
	{ "single step", do_trap, SIGTRAP }, { "alignment", do_align, SIGBUS | PASSES << 8 },
	{ "nested task", do_nested, SIGILL }, { "fs base", do_fs, SIGSEGV | PASSES << 8 },
	{ "fs base by arch_prctl", do_into_nowhere, SIGILL },
};

/* Each in a child: most leave it no stack to handle anything on. */
static void test_instructions(void)
{
	struct rlimit core = { 0, 0 };

	setrlimit(RLIMIT_CORE, &core);
	for (unsigned int i = 0; i < sizeof(instructions) / sizeof(instructions[0]); i++) {
		pid_t pid = fork();
		int status = -1;

		if (!pid) {
			signal(SIGSEGV, SIG_DFL);
			signal(SIGBUS, SIG_DFL);
			instructions[i].fn();
			_exit(0);
		}
		CHECK(waitpid(pid, &status, 0) == pid);
		status = WIFSIGNALED(status) ? WTERMSIG(status) : status ? -1 : PASSES;
		if (status != (instructions[i].signo & 255) && status != instructions[i].signo >> 8) {
			printf("%s: %d\n", instructions[i].name, status);
			CHECK(!"the signal");
		}
	}
}

/* Nothing of the kernel's is to be had by asking for it. */
static void test_calls(void)
{
	static const unsigned long places[] = { 0xffff888000000000ul, 0xffffffff80200000ul, 0x8000000000000000ul };
	int zero = open("/dev/zero", O_RDONLY), ends[2];

	CHECK(pipe(ends) == 0);
	for (unsigned int i = 0; i < 3; i++) {
		void *at = (void *)places[i];

		CHECK_ERROR(write(ends[1], at, 8), EFAULT);
		CHECK_ERROR(read(zero, at, 8), EFAULT);
		CHECK_ERROR(mprotect(at, 4096, PROT_READ), ENOMEM);
		CHECK_ERROR(munmap(at, 4096), EINVAL);
		CHECK(mmap(at, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED);
		CHECK(errno == ENOMEM);
		CHECK_ERROR(madvise(at, 4096, MADV_DONTNEED), ENOMEM);
		CHECK_ERROR(open(at, O_RDONLY), EFAULT);
	}
	/* A buffer that begins well and ends in the kernel. */
	CHECK_ERROR(read(zero, (void *)0x7ffffffff000ul, 0x10000), EFAULT);
	close(zero);
	close(ends[0]);
	close(ends[1]);
}

/* ---- Programs: who may write them, and which rights they lend ---- */

static void copy_self(const char *to, mode_t mode)
{
	static char data[65536];
	int from = open("/proc/self/exe", O_RDONLY), fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0700);
	ssize_t n;

	CHECK(fd >= 0);
	while ((n = read(from, data, sizeof(data))) > 0)
		CHECK(write(fd, data, (size_t)n) == n);
	CHECK(fchmod(fd, mode) == 0);
	close(fd);
	close(from);
}

/* Return: its exit status. */
static int run(const char *program, const char *what)
{
	pid_t pid = fork();
	int status = -1;

	if (!pid) {
		if (!setresgid(1000, 1000, 1000) && !setresuid(1000, 1000, 1000))
			execl(program, program, what, NULL);
		_exit(errno);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_programs(void)
{
	int fd, status;
	pid_t pid;

	mkdir("/tmp/lends", 0755);
	CHECK(mount("lends", "/tmp/lends", "tmpfs", MS_NOSUID, NULL) == 0);
	copy_self("/tmp/lends/it", 04755);
	CHECK(run("/tmp/lends/it", "who") == 1);
	CHECK(mount(NULL, "/tmp/lends", NULL, MS_REMOUNT, NULL) == 0);
	CHECK(run("/tmp/lends/it", "who") == 2);
	copy_self("/tmp/lends/unreadable", 0711);
	CHECK(run("/tmp/lends/unreadable", "who") == 1);
	fd = open("/tmp/lends/it", O_WRONLY);
	CHECK(run("/tmp/lends/it", "who") == ETXTBSY);
	close(fd);
	pid = fork();
	if (!pid) {
		execl("/tmp/lends/it", "it", "wait", NULL);
		_exit(1);
	}
	usleep(300000);
	CHECK_ERROR(open("/tmp/lends/it", O_WRONLY), ETXTBSY);
	CHECK_ERROR(open("/tmp/lends/it", O_RDONLY | O_TRUNC), ETXTBSY);
	CHECK_ERROR(truncate("/tmp/lends/it", 0), ETXTBSY);
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid);
	CHECK(truncate("/tmp/lends/it", 0) == 0);
	CHECK(umount("/tmp/lends") == 0);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = caught, .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	if (argc > 1 && !strcmp(argv[1], "wait"))
		pause();
	if (argc > 1)
		return geteuid() ? 1 : 2;
	test_rights();
	test_kernel();
	test_file();
	test_calls();
	test_instructions();
	if (!getuid() && !access("/init", F_OK))
		test_programs();
	return finish("access");
}
