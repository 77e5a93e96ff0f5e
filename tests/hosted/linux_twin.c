// SPDX-License-Identifier: MIT
/*
 * A child is made by clone() itself and not by the C library's fork(): it shall not copy the hosted machine's RAM, and
 * it touches none of it. What it does and says goes by a page of its own that all share.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"
#include "linux_twin.h"

#define PAGE 4096ul
#define WAIT_SECONDS 20
#define NOBODY 65534
#ifndef SYS_mseal
#define SYS_mseal 462
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

enum { IDLE, ASKED, ANSWERED };

struct channel {
	int state;
	struct twin_call call;
	struct twin_result result;
};

/* What all children know. */
struct common {
	struct channel channels[TWIN_PROCESSES];
	int segments[TWIN_SEGMENTS];
	bool no_brk, no_mseal;
};

static struct common *common;
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
	return sizeof(long) == 8 && (unsigned long)addr >> 30 == 1 ? TWIN_SECOND_GIB : TWIN_OUTSIDE;
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

static uintptr_t start_of(const char *line)
{
	uintptr_t start = 0;

	for (const char *s = line; *s != '-'; s++)
		start = start * 16 + (uintptr_t)(*s <= '9' ? *s - '0' : *s - 'a' + 10);
	return start;
}

/* What maps or smaps says of the arena. */
static void read_maps(const char *path, struct twin_result *r)
{
	static char text[1 << 16];
	size_t kept = 0, have = 0;
	bool keep = false, over = false;
	ssize_t got;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	/* There may be tens of thousands of mappings behind it. */
	while (!over && (got = read(fd, text + have, sizeof(text) - have)) > 0) {
		char *line = text, *end;

		have += (size_t)got;
		while ((end = memchr(line, '\n', have - (size_t)(line - text)))) {
			if (begins_mapping(line)) {
				over = start_of(line) >= TWIN_END;
				keep = !over && start_of(line) >= TWIN_ARENA;
			}
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

/* The number behind a label. */
static u64 number_of(const char *text, const char *label)
{
	const char *at = strstr(text, label);
	u64 value = 0;

	for (at = at ? at + strlen(label) : ""; *at == ' ' || *at == '\t'; at++)
		;
	for (; *at >= '0' && *at <= '9'; at++)
		value = value * 10 + (u64)(*at - '0');
	return value;
}

static void read_status(struct twin_status *status)
{
	char text[4096];
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ssize_t got = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[got > 0 ? got : 0] = '\0';
	*status = (struct twin_status){ number_of(text, "VmLck:"), number_of(text, "VmSize:"),
					number_of(text, "VmData:"), number_of(text, "VmStk:") };
}

static long set_limit(unsigned int which, long pages)
{
	static const int resources[] = { RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_MEMLOCK };
	struct twin_status now;
	struct rlimit limit;

	read_status(&now);
	getrlimit(resources[which], &limit);
	limit.rlim_cur = limit.rlim_max;
	if (pages >= 0)
		limit.rlim_cur = (rlim_t)pages * PAGE +
				 (which == TWIN_LIMIT_AS ? now.size : which == TWIN_LIMIT_DATA ? now.data : 0) * 1024;
	return errno_of(setrlimit(resources[which], &limit));
}

static long set_brk(long bytes)
{
	return common->no_brk ? 0 : syscall(SYS_brk, TWIN_BRK_AT + (uintptr_t)bytes);
}

static void new_segments(void)
{
	for (unsigned int i = 0; i < TWIN_SEGMENTS; i++) {
		if (common->segments[i] >= 0)
			shmctl(common->segments[i], IPC_RMID, NULL);
		common->segments[i] = shmget(IPC_PRIVATE, TWIN_SEGMENT_BYTES(i), 0600);
	}
}

static long count_mappings(void)
{
	static char text[1 << 16];
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	ssize_t got;
	long lines = 0;

	while ((got = read(fd, text, sizeof(text))) > 0)
		for (ssize_t i = 0; i < got; i++)
			lines += text[i] == '\n';
	close(fd);
	return sizeof(long) == 8 ? lines - 1 : lines; /* [vsyscall] is none */
}

/* Every other page is another mapping. */
static long fill(long left)
{
	long most = 0, pages;
	char text[32] = "";
	int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
	u8 *at;

	if (read(fd, text, sizeof(text) - 1) <= 0)
		return -errno;
	close(fd);
	for (const char *s = text; *s >= '0' && *s <= '9'; s++)
		most = most * 10 + *s - '0';
	pages = most - left - count_mappings();
	if (pages <= 0)
		return -EOVERFLOW;
	at = mmap(NULL, (size_t)pages * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return -errno;
	for (long i = 1; i < pages; i += 2)
		if (mprotect(at + i * (long)PAGE, PAGE, PROT_READ))
			return -errno;
	/* It may have had a neighbour that it is alike. */
	for (long i = 0; count_mappings() < most - left && i < 4; i++)
		if (mmap(NULL, PAGE, i & 1 ? PROT_READ : PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
			return -errno;
	return count_mappings() == most - left ? 0 : -EDOM;
}

static void clean(void)
{
	uintptr_t brk = (uintptr_t)set_brk(-1);

	for (unsigned int i = TWIN_LIMIT_AS; i <= TWIN_LIMIT_MEMLOCK; i++)
		set_limit(i, -1);
	syscall(SYS_munlockall);
	/* What grew down, and a last page that was asked for in part. */
	syscall(SYS_munmap, TWIN_ARENA - (64ul << 20), (64ul << 20) + (TWIN_PAGES + 64) * PAGE);
	if (brk > TWIN_BRK_AT) {
		/* The heap shrinks only if it is there. */
		mmap((void *)TWIN_BRK_AT, brk - TWIN_BRK_AT, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		set_brk(0);
	}
	new_segments();
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

static long attach(unsigned int segment, long addr, int flags)
{
	void *at = shmat(common->segments[segment], (void *)addr, flags);

	return placed(at == (void *)-1 ? -1 : (long)at, TWIN_SEGMENT_BYTES(segment));
}

static long other_call(const struct twin_call *call)
{
	const long *a = call->args;
	struct shmid_ds segment;

	switch (call->what) {
	case TWIN_BRK:
		return set_brk(a[0]);
	case TWIN_MSEAL:
		return errno_of(syscall(SYS_mseal, a[0], a[1], a[2]));
	case TWIN_REMAP_FILE:
		return errno_of(syscall(SYS_remap_file_pages, a[0], a[1], a[2], a[3], a[4]));
	case TWIN_SHMAT:
		return attach((unsigned int)a[0], a[1], (int)a[2]);
	case TWIN_SHMDT:
		return errno_of(shmdt((void *)a[0]));
	case TWIN_LIMIT:
		return set_limit((unsigned int)a[0], a[1]);
	case TWIN_NATTCH:
		return shmctl(common->segments[a[0]], IPC_STAT, &segment) ? -errno : (long)segment.shm_nattch;
	case TWIN_FILL:
		return fill(a[0]);
	default:
		return -ENOSYS;
	}
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
	case TWIN_TRUNCATE:
	case TWIN_PWRITE:
	case TWIN_PREAD:
	case TWIN_PUNCH:
		return file_call(call, r);
	default:
		return other_call(call);
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
	case TWIN_STATUS:
		read_status((struct twin_status *)(void *)r->bytes);
		break;
	case TWIN_CLEAN:
		clean();
		break;
	default:
		r->value = memory_call(call, r);
	}
}

/* The heap's place becomes the arena's end, and the program's data, which counts against the same limit, none. */
static bool move_heap(void)
{
	struct prctl_mm_map map = { .exe_fd = -1 };
	unsigned long long v[52] = { 0 };
	char text[2048], *at;
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	ssize_t got = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[got > 0 ? got : 0] = '\0';
	/* The third field is a letter, the rest are numbers, in the order of proc_pid_stat(5). */
	at = strrchr(text, ')');
	at = at ? strchr(at + 2, ' ') : NULL;
	for (unsigned int i = 4; at && i < 52; i++) {
		v[i] = number_of(at, " ");
		at = strchr(at + 1, ' ');
	}
	map.start_code = v[26];
	map.end_code = v[27];
	map.start_stack = v[28];
	map.start_data = map.end_data = v[45];
	map.arg_start = v[48];
	map.arg_end = v[49];
	map.env_start = v[50];
	map.env_end = v[51];
	map.start_brk = map.brk = TWIN_BRK_AT;
	return !prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0) &&
	       syscall(SYS_brk, 0) == (long)TWIN_BRK_AT;
}

/* What it will ever need: limits come. */
static noinline void grow_stack(void)
{
	volatile u8 deep[256 << 10];

	for (size_t i = 0; i < sizeof(deep); i += PAGE)
		deep[i] = 0;
}

static void become_ordinary(void)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER };
	struct rlimit locked = { TWIN_MEMLOCK_PAGES * PAGE, TWIN_MEMLOCK_PAGES * PAGE };

	grow_stack();
	common->no_brk = !move_heap();
	common->no_mseal = sizeof(long) < 8 || syscall(SYS_mseal, 0, 0, 0) < 0;
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
	common = mmap(NULL, sizeof(*common), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (common == MAP_FAILED) {
		common = NULL;
		return "shared memory";
	}
	channels = common->channels;
	memset(common->segments, -1, sizeof(common->segments));
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

const char *twin_lacks(enum twin_what what)
{
	if (what == TWIN_BRK && common->no_brk)
		return "a heap that may be moved (prctl(PR_SET_MM_MAP))";
	if (what == TWIN_MSEAL && common->no_mseal)
		return "mseal(2)";
	if (what == TWIN_SHMAT && common->segments[0] < 0)
		return "SysV shared memory";
	return NULL;
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
	if (!common)
		return;
	for (unsigned int i = 0; i < TWIN_SEGMENTS; i++)
		if (common->segments[i] >= 0)
			shmctl(common->segments[i], IPC_RMID, NULL);
	munmap(common, sizeof(*common));
	common = NULL;
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
