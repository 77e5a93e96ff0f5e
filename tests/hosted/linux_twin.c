// SPDX-License-Identifier: MIT
/*
 * A child is made by clone() itself and not by the C library's fork(): it shall not copy the hosted machine's RAM, and
 * it touches none of it. What it does and says goes by a page of its own that all share.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"
#include "linux_twin.h"

#define PAGE 4096ul
#define WAIT_SECONDS 20
#define MEMLOCK_PAGES 24ul
#define NOBODY 65534
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

enum { IDLE, ASKED, ANSWERED };

struct channel {
	int state;
	struct twin_call call;
	struct twin_result result;
};

static struct channel *channels;
static pid_t pids[TWIN_PROCESSES];
static int files[TWIN_FILES] = { -1, -1 };

/* ---- Channels ---- */

static bool wait_for(struct channel *c, int state, int seconds)
{
	struct timespec second = { 1, 0 };
	int now;

	for (int i = 0; (now = __atomic_load_n(&c->state, __ATOMIC_ACQUIRE)) != state; i++) {
		if (seconds && i >= seconds * 4)
			return false;
		syscall(SYS_futex, &c->state, FUTEX_WAIT, now, seconds ? &second : NULL, NULL, 0);
	}
	return true;
}

static void say(struct channel *c, int state)
{
	__atomic_store_n(&c->state, state, __ATOMIC_RELEASE);
	syscall(SYS_futex, &c->state, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* ---- Accesses ---- */

static sigjmp_buf escape;
static struct twin_result *accessing;

static void on_signal(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (!accessing)
		_exit(100 + number);
	accessing->signo = number;
	accessing->code = info->si_code;
	accessing->address = (uintptr_t)info->si_addr;
	siglongjmp(escape, 1);
}

__attribute__((no_sanitize("address", "thread", "undefined"))) static void touch(volatile u8 *at, size_t n, int value,
										  struct twin_result *r)
{
	volatile size_t done = 0;

	accessing = r;
	if (!sigsetjmp(escape, 0)) {
		for (; done < n; done++)
			if (value < 0)
				r->bytes[done] = at[done];
			else
				at[done] = (u8)(value + (int)done);
	}
	accessing = NULL;
	r->value = (long)done;
	r->len = value < 0 ? (u32)done : 0;
}

/* ---- Calls ---- */

static long errno_of(long value)
{
	return value == -1 ? -errno : value;
}

static long placed(long addr, size_t len)
{
	if (addr == -1)
		return -errno;
	if ((uintptr_t)addr >= TWIN_ARENA && (uintptr_t)addr < TWIN_END)
		return addr;
	syscall(SYS_munmap, addr, len);
	return TWIN_OUTSIDE;
}

static long do_mmap(const long *a)
{
	int fd = a[4] < 0 ? -1 : files[a[4]];

	if (a[5] % (long)PAGE)
		return -EINVAL;
#ifdef SYS_mmap2
	return placed(syscall(SYS_mmap2, a[0], a[1], a[2], a[3], fd, a[5] / (long)PAGE), (size_t)a[1]);
#else
	return placed(syscall(SYS_mmap, a[0], a[1], a[2], a[3], fd, a[5]), (size_t)a[1]);
#endif
}

/* A line of maps, or the first of a mapping in smaps, whose others begin with a capital letter. */
static bool begins_mapping(const char *line)
{
	return (*line >= '0' && *line <= '9') || (*line >= 'a' && *line <= 'f');
}

static bool in_arena(const char *line)
{
	uintptr_t start = 0;

	for (const char *s = line; *s != '-'; s++)
		start = start * 16 + (uintptr_t)(*s <= '9' ? *s - '0' : *s - 'a' + 10);
	return start >= TWIN_ARENA && start < TWIN_END;
}

/* What maps or smaps says of the arena. */
static void read_maps(const char *path, struct twin_result *r)
{
	static char text[1 << 16];
	size_t kept = 0, have = 0;
	bool keep = false;
	ssize_t got;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	while ((got = read(fd, text + have, sizeof(text) - have)) > 0) {
		char *line = text, *end;

		have += (size_t)got;
		while ((end = memchr(line, '\n', have - (size_t)(line - text)))) {
			if (begins_mapping(line))
				keep = in_arena(line);
			if (keep && kept + (size_t)(end + 1 - line) < TWIN_BYTES) {
				memcpy(r->bytes + kept, line, (size_t)(end + 1 - line));
				kept += (size_t)(end + 1 - line);
			}
			line = end + 1;
		}
		have -= (size_t)(line - text);
		memmove(text, line, have);
	}
	close(fd);
	r->value = fd < 0 ? -errno : 0;
	r->len = (u32)kept;
}

static void read_pagemap(struct twin_result *r)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	ssize_t got = pread(fd, r->bytes, TWIN_PAGES * 8, (off_t)(TWIN_ARENA / PAGE * 8));

	close(fd);
	r->value = got == TWIN_PAGES * 8 ? 0 : -EIO;
	r->len = got > 0 ? (u32)got : 0;
}

/* KiB behind a label of /proc/self/status. */
static long read_status(const char *label)
{
	char text[4096], *at;
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ssize_t got = read(fd, text, sizeof(text) - 1);
	long value = 0;

	close(fd);
	text[got > 0 ? got : 0] = '\0';
	at = strstr(text, label);
	if (!at)
		return -ENOENT;
	for (at += strlen(label); *at == ' ' || *at == '\t'; at++)
		;
	for (; *at >= '0' && *at <= '9'; at++)
		value = value * 10 + *at - '0';
	return value;
}

static void clean(void)
{
	syscall(SYS_munlockall);
	/* What grew down, and a last page that was asked for in part. */
	syscall(SYS_munmap, TWIN_ARENA - (64ul << 20), (64ul << 20) + (TWIN_PAGES + 64) * PAGE);
	for (unsigned int i = 0; i < TWIN_FILES; i++)
		if (ftruncate(files[i], 0) || ftruncate(files[i], TWIN_FILE_PAGES * PAGE))
			_exit(99);
}

static long do_pwrite(const long *a)
{
	u8 bytes[256];
	size_t n = (size_t)a[2] < sizeof(bytes) ? (size_t)a[2] : sizeof(bytes);

	memset(bytes, (int)a[3], n);
	return errno_of(pwrite(files[a[0]], bytes, n, (off_t)a[1]));
}

static long do_pread(const long *a, struct twin_result *r)
{
	long got = errno_of(pread(files[a[0]], r->bytes, (size_t)a[2], (off_t)a[1]));

	r->len = got > 0 ? (u32)got : 0;
	return got;
}

static long file_call(const struct twin_call *call, struct twin_result *r)
{
	const long *a = call->args;

	switch (call->what) {
	case TWIN_TRUNCATE:
		return errno_of(ftruncate(files[a[0]], (off_t)a[1]));
	case TWIN_PWRITE:
		return do_pwrite(a);
	case TWIN_PREAD:
		return do_pread(a, r);
	default:
		return errno_of(fallocate(files[a[0]], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)a[1],
					  (off_t)a[2]));
	}
}

static void twin_main(unsigned int number);

static long do_fork(unsigned int number)
{
	/* Its parent is the test, which waits for it. */
	long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);

	if (!pid)
		twin_main(number);
	return pid < 0 ? -errno : pid;
}

static long memory_call(const struct twin_call *call, struct twin_result *r)
{
	const long *a = call->args;

	switch (call->what) {
	case TWIN_MMAP:
		return do_mmap(a);
	case TWIN_MUNMAP:
		return errno_of(syscall(SYS_munmap, a[0], a[1]));
	case TWIN_MPROTECT:
		return errno_of(syscall(SYS_mprotect, a[0], a[1], a[2]));
	case TWIN_MREMAP:
		return placed(syscall(SYS_mremap, a[0], a[1], a[2], a[3], a[4]), (size_t)a[2]);
	case TWIN_MADVISE:
		return errno_of(syscall(SYS_madvise, a[0], a[1], a[2]));
	case TWIN_MLOCK:
		return errno_of(syscall(SYS_mlock2, a[0], a[1], a[2]));
	case TWIN_MUNLOCK:
		return errno_of(syscall(SYS_munlock, a[0], a[1]));
	case TWIN_MLOCKALL:
		return errno_of(syscall(SYS_mlockall, a[0]));
	case TWIN_MUNLOCKALL:
		return errno_of(syscall(SYS_munlockall));
	case TWIN_MSYNC:
		return errno_of(syscall(SYS_msync, a[0], a[1], a[2]));
	case TWIN_MINCORE:
		r->value = errno_of(syscall(SYS_mincore, a[0], a[1], r->bytes));
		r->len = r->value ? 0 : (u32)(((size_t)a[1] + PAGE - 1) / PAGE);
		return r->value;
	case TWIN_FORK:
		return do_fork((unsigned int)a[0]);
	default:
		return file_call(call, r);
	}
}

static void answer(const struct twin_call *call, struct twin_result *r)
{
	r->value = r->signo = r->code = 0;
	r->address = 0;
	r->len = 0;
	switch (call->what) {
	case TWIN_READ:
		touch((volatile u8 *)call->args[0], (size_t)call->args[1], -1, r);
		break;
	case TWIN_WRITE:
		touch((volatile u8 *)call->args[0], (size_t)call->args[1], (int)call->args[2], r);
		break;
	case TWIN_MAPS:
		read_maps("/proc/self/maps", r);
		break;
	case TWIN_SMAPS:
		read_maps("/proc/self/smaps", r);
		break;
	case TWIN_PAGEMAP:
		read_pagemap(r);
		break;
	case TWIN_LOCKED:
		r->value = read_status("VmLck:");
		break;
	case TWIN_CLEAN:
		clean();
		break;
	default:
		r->value = memory_call(call, r);
	}
}

static void become_ordinary(void)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER };
	struct rlimit locked = { MEMLOCK_PAGES * PAGE, MEMLOCK_PAGES * PAGE };

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	setrlimit(RLIMIT_MEMLOCK, &locked);
	if (!getuid())
		syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY); /* and no capabilities */
	prctl(PR_SET_DUMPABLE, 1);
}

/* Does not return. */
static void twin_main(unsigned int number)
{
	struct channel *c = &channels[number];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		wait_for(c, ASKED, 0);
		if (c->call.what == TWIN_EXIT)
			_exit(0);
		answer(&c->call, &c->result);
		say(c, ANSWERED);
	}
}

/* ---- For the test ---- */

static const char *start_first(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid < 0)
		return "a child process";
	if (!pid) {
		become_ordinary();
		twin_main(0);
	}
	pids[0] = pid;
	return NULL;
}

static bool arena_is_free(void)
{
	size_t bytes = TWIN_SCRATCH - TWIN_ARENA + (128ul << 20);
	void *at = (void *)(TWIN_ARENA - (64ul << 20)), *p;

	p = mmap(at, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (p != MAP_FAILED)
		munmap(p, bytes);
	return p == at;
}

const char *twin_start(void)
{
	if (!arena_is_free())
		return "free addresses from 0x2c000000 to 0x40000000";
	channels = mmap(NULL, TWIN_PROCESSES * sizeof(*channels), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (channels == MAP_FAILED)
		return "shared memory";
	for (unsigned int i = 0; i < TWIN_FILES; i++) {
		char name[] = "twin0";

		name[4] = (char)('0' + i);
		files[i] = memfd_create(name, MFD_CLOEXEC);
		if (files[i] < 0)
			return "memfd_create(2)";
	}
	return start_first();
}

const char *twin_again(void)
{
	kill(pids[0], SIGKILL);
	waitpid(pids[0], NULL, 0);
	memset(&channels[0], 0, sizeof(channels[0]));
	return start_first();
}

void twin_stop(void)
{
	for (unsigned int i = 0; i < TWIN_PROCESSES; i++)
		if (pids[i]) {
			kill(pids[i], SIGKILL);
			waitpid(pids[i], NULL, 0);
			pids[i] = 0;
		}
	for (unsigned int i = 0; i < TWIN_FILES; i++) {
		close(files[i]);
		files[i] = -1;
	}
	if (channels)
		munmap(channels, TWIN_PROCESSES * sizeof(*channels));
	channels = NULL;
}

const struct twin_result *twin_do(unsigned int process, const struct twin_call *call)
{
	struct channel *c = &channels[process];

	c->call = *call;
	say(c, ASKED);
	if (call->what == TWIN_EXIT) {
		waitpid(pids[process], NULL, 0);
		pids[process] = 0;
		c->state = IDLE;
		c->result.value = c->result.signo = c->result.code = 0;
		c->result.address = 0;
		c->result.len = 0;
		return &c->result;
	}
	if (!wait_for(c, ANSWERED, WAIT_SECONDS)) {
		int status = 0;

		waitpid(pids[process], &status, WNOHANG);
		test_fail(__FILE__, __LINE__, "the Linux process %u does not answer to call %d (status %#x)", process,
			  (int)call->what, (unsigned int)status);
		return NULL;
	}
	if (call->what == TWIN_FORK && c->result.value > 0) {
		pids[call->args[0]] = (pid_t)c->result.value;
		c->result.value = 0;
	}
	return &c->result;
}
