// SPDX-License-Identifier: MIT
/*
 * Core dumps: when there is one, its name, what it says of the process, and which memory is in it. core(5), elf(5).
 * core keep: leaves one at /tmp/core.kept for a debugger.
 */
#define _GNU_SOURCE
#include "check.h"

#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/procfs.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/userfaultfd.h>

#define PATTERN "/proc/sys/kernel/core_pattern"

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

static size_t get(const char *path, char *to, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t got = fd < 0 ? -1 : read(fd, to, size - 1);

	if (fd >= 0)
		close(fd);
	to[got < 0 ? 0 : got] = 0;
	return got < 0 ? 0 : (size_t)got;
}

static char *wanted, *unwanted, *big;
static volatile int *volatile nowhere = (volatile int *)16;

static void *wait_for_ever(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

__attribute__((noinline)) static void fail_here(int signo)
{
	if (signo == SIGSEGV)
		*nowhere = 1;
	raise(signo);
}

/* A child that ends by @signo with a limit of @limit. Return: its status. */
static int end_by(int signo, rlim_t limit, int threads)
{
	struct rlimit core = { limit, RLIM_INFINITY };
	pid_t pid = fork();
	int status = 0;

	if (!pid) {
		pthread_t thread;

		setrlimit(RLIMIT_CORE, &core);
		wanted = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		unwanted = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		big = mmap(NULL, 64ul << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			   -1, 0);
		strcpy(wanted, "this is to be found again");
		strcpy(unwanted, "this is not");
		strcpy(big + (32ul << 20), "in the midst of nothing");
		madvise(unwanted, 8192, MADV_DONTDUMP);
		while (threads--)
			if (pthread_create(&thread, NULL, wait_for_ever, NULL))
				_exit(9);
		fail_here(signo);
		_exit(8);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == signo);
	return status;
}

struct found {
	int threads, signo, siginfo, files, auxv, xstate, loads;
	char *name;
};

static void read_notes(const char *at, const char *end, struct found *f)
{
	while (at < end) {
		const Elf64_Nhdr *n = (const void *)at;
		const char *data = at + sizeof(*n) + ((n->n_namesz + 3) & ~3u);

		switch (n->n_type) {
		case NT_PRSTATUS:
			if (!f->threads++)
				f->signo = ((const struct elf_prstatus *)data)->pr_cursig;
			CHECK(n->n_descsz == sizeof(struct elf_prstatus));
			CHECK(((const struct elf_prstatus *)data)->pr_reg[16] > 0x10000); /* rip */
			break;
		case NT_PRPSINFO:
			CHECK(n->n_descsz == sizeof(struct elf_prpsinfo));
			CHECK(!strcmp(((const struct elf_prpsinfo *)data)->pr_fname, "core"));
			break;
		case NT_SIGINFO:
			f->siginfo = ((const siginfo_t *)data)->si_signo;
			break;
		case NT_AUXV:
			f->auxv = 1;
			break;
		case NT_FILE:
			f->files = (int)*(const long *)data;
			break;
		case NT_X86_XSTATE:
			f->xstate++;
		}
		at = data + ((n->n_descsz + 3) & ~3u);
	}
	CHECK(at == end);
}

static int contains(const char *text, size_t size, const char *what)
{
	return memmem(text, size, what, strlen(what)) != NULL;
}

static void read_core(const char *path, int signo, int threads)
{
	struct found f = { 0 };
	struct stat st = { 0 };
	const Elf64_Ehdr *h;
	const Elf64_Phdr *p;
	int fd = open(path, O_RDONLY);
	char *all;

	CHECK(fd >= 0 && fstat(fd, &st) == 0);
	if (fd < 0)
		return;
	CHECK((st.st_mode & 07777) == 0600);
	CHECK(st.st_size > (64l << 20)); /* holes are in the size, */
	CHECK(st.st_blocks < 16384);	 /* not in what it takes */
	all = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	h = (const void *)all;
	p = (const void *)(all + h->e_phoff);
	CHECK(!memcmp(h->e_ident, ELFMAG, SELFMAG) && h->e_type == ET_CORE && h->e_machine == EM_X86_64);
	CHECK(p[0].p_type == PT_NOTE);
	read_notes(all + p[0].p_offset, all + p[0].p_offset + p[0].p_filesz, &f);
	for (int i = 1; i < h->e_phnum; i++) {
		CHECK(p[i].p_type == PT_LOAD && p[i].p_offset % 4096 == 0);
		CHECK(p[i].p_offset + p[i].p_filesz <= (size_t)st.st_size);
		f.loads += p[i].p_filesz != 0;
	}
	CHECK(f.threads == threads + 1 && f.signo == signo && f.siginfo == signo && f.auxv && f.loads > 2);
	CHECK(f.files > 1);
	CHECK(contains(all, (size_t)st.st_size, "this is to be found again"));
	CHECK(contains(all, (size_t)st.st_size, "in the midst of nothing"));
	CHECK(!contains(all, (size_t)st.st_size, "this is" " not"));
	munmap(all, (size_t)st.st_size);
}

static void test_limits(void)
{
	unlink("core");
	CHECK(!WCOREDUMP(end_by(SIGABRT, 0, 0)));
	CHECK_ERROR(access("core", F_OK), ENOENT);
	CHECK(!WCOREDUMP(end_by(SIGKILL, RLIM_INFINITY, 0)));
	CHECK(!WCOREDUMP(end_by(SIGTERM, RLIM_INFINITY, 0)));
	CHECK_ERROR(access("core", F_OK), ENOENT);
	CHECK(WCOREDUMP(end_by(SIGABRT, RLIM_INFINITY, 0)));
	read_core("core", SIGABRT, 0);
	CHECK(WCOREDUMP(end_by(SIGSEGV, RLIM_INFINITY, 3)));
	read_core("core", SIGSEGV, 3);
	unlink("core");
	prctl(PR_SET_DUMPABLE, 0);
	CHECK(!WCOREDUMP(end_by(SIGABRT, RLIM_INFINITY, 0)));
	CHECK_ERROR(access("core", F_OK), ENOENT);
	prctl(PR_SET_DUMPABLE, 1);
	CHECK(WCOREDUMP(end_by(SIGABRT, 16384, 0)));
	struct stat st;
	CHECK(stat("core", &st) == 0 && st.st_size <= 16384);
	unlink("core");
	/* Not through a link of somebody's. */
	CHECK(symlink("/tmp/core.elsewhere", "core") == 0);
	CHECK(!WCOREDUMP(end_by(SIGABRT, RLIM_INFINITY, 0)));
	CHECK_ERROR(access("/tmp/core.elsewhere", F_OK), ENOENT);
	unlink("core");
}

static void test_pattern(void)
{
	char was[256], name[64];
	int status;
	pid_t pid;

	CHECK(get(PATTERN, was, sizeof(was)) > 0);
	CHECK(put(PATTERN, "/tmp/core.%e.%s.%%\n"));
	CHECK(get(PATTERN, name, sizeof(name)) > 0 && !strcmp(name, "/tmp/core.%e.%s.%%\n"));
	CHECK(WCOREDUMP(end_by(SIGQUIT, RLIM_INFINITY, 0)));
	CHECK(unlink("/tmp/core.core.3.%") == 0);
	/* Names lead nowhere else. */
	CHECK(put(PATTERN, "/tmp/core.%e") && prctl(PR_SET_NAME, "/../way/out") == 0);
	CHECK(WCOREDUMP(end_by(SIGQUIT, RLIM_INFINITY, 0)));
	CHECK(unlink("/tmp/core.!..!way!out") == 0);
	CHECK(mkdir("/tmp/core", 0700) == 0);
	CHECK(put(PATTERN, "/tmp/core/%e/out") && prctl(PR_SET_NAME, "..") == 0);
	CHECK(!WCOREDUMP(end_by(SIGQUIT, RLIM_INFINITY, 0)));
	CHECK_ERROR(unlink("/tmp/out"), ENOENT);
	CHECK(put(PATTERN, "/tmp/core/%e") && prctl(PR_SET_NAME, "") == 0);
	CHECK(WCOREDUMP(end_by(SIGQUIT, RLIM_INFINITY, 0)));
	CHECK(unlink("/tmp/core/!") == 0);
	CHECK(rmdir("/tmp/core") == 0 && prctl(PR_SET_NAME, "core") == 0);
	CHECK(put(PATTERN, "/tmp/core.%p"));
	pid = fork();
	if (!pid) {
		struct rlimit core = { RLIM_INFINITY, RLIM_INFINITY };

		setrlimit(RLIMIT_CORE, &core);
		abort();
	}
	CHECK(waitpid(pid, &status, 0) == pid && WCOREDUMP(status));
	snprintf(name, sizeof(name), "/tmp/core.%d", pid);
	CHECK(unlink(name) == 0);
	CHECK(put(PATTERN, was));
}

/* What is not asked for is not there. */
static void test_filter(void)
{
	char text[32];
	struct stat st;

	CHECK(get("/proc/self/coredump_filter", text, sizeof(text)) && !strcmp(text, "00000033\n"));
	CHECK(put("/proc/self/coredump_filter", "0x10"));
	CHECK(get("/proc/self/coredump_filter", text, sizeof(text)) && !strcmp(text, "00000010\n"));
	CHECK(WCOREDUMP(end_by(SIGABRT, RLIM_INFINITY, 0)));
	CHECK(stat("core", &st) == 0 && st.st_size < 200000);
	unlink("core");
	CHECK(put("/proc/self/coredump_filter", "0x33"));
	CHECK(!put("/proc/self/coredump_filter", "x"));
}

/* Return: it has ended within some seconds. Who has not is killed, and left if even that does not end it. */
static int ends(pid_t pid, int *status)
{
	for (int i = 0; i < 1000; i++) {
		if (waitpid(pid, status, WNOHANG) == pid)
			return 1;
		usleep(10000);
	}
	kill(pid, SIGKILL);
	return 0;
}

static void *never_answers(void *arg)
{
	char message[64];

	(void)!read(*(int *)arg, message, sizeof(message));
	return wait_for_ever(NULL);
}

/* Who would handle the faults of a dump stands still for it: such a page is not there. */
static void test_missing(void)
{
	struct rlimit core = { RLIM_INFINITY, RLIM_INFINITY };
	pid_t pid = fork();
	int status = 0;

	if (!pid) {
		struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_MISSING_SHMEM };
		int fd = memfd_create("missing", 0), uffd = (int)syscall(SYS_userfaultfd, 0);
		struct uffdio_register r = { .range.len = 8192, .mode = UFFDIO_REGISTER_MODE_MISSING };
		pthread_t handler;
		void *at;

		if (ftruncate(fd, 8192) || ioctl(uffd, UFFDIO_API, &api))
			_exit(1);
		at = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		r.range.start = (unsigned long)at;
		if (ioctl(uffd, UFFDIO_REGISTER, &r) || pthread_create(&handler, NULL, never_answers, &uffd))
			_exit(2);
		setrlimit(RLIMIT_CORE, &core);
		fail_here(SIGSEGV);
	}
	CHECK(ends(pid, &status) && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV && WCOREDUMP(status));
	unlink("core");
}

/* One that would take hours ends with the process. */
static void test_killed(void)
{
	struct rlimit core = { RLIM_INFINITY, RLIM_INFINITY };
	pid_t pid = fork();
	int status = 0;

	if (!pid) {
		const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

		if (mmap(NULL, 1ul << 46, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED)
			_exit(1);
		setrlimit(RLIMIT_CORE, &core);
		fail_here(SIGSEGV);
	}
	usleep(300000);
	CHECK(waitpid(pid, &status, WNOHANG) == 0);
	CHECK(kill(pid, SIGKILL) == 0);
	CHECK(ends(pid, &status) && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	unlink("core");
}

int main(int argc, char **argv)
{
	if (getuid() || chdir("/tmp") || access("/init", F_OK)) {
		printf("core: skipped: not the superuser on a machine of its own\n");
		return 0;
	}
	if (argc > 1) {
		CHECK(put(PATTERN, "/tmp/core.kept"));
		CHECK(WCOREDUMP(end_by(SIGSEGV, RLIM_INFINITY, 2)));
		return finish(argv[1]);
	}
	test_limits();
	test_pattern();
	test_filter();
	test_missing();
	test_killed();
	return finish("core");
}
