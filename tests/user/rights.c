// SPDX-License-Identifier: MIT
/*
 * Who may look into whom: memory over an execve() of a set-user-ID program, users that change, programs that cannot be
 * read. Wants to be the superuser; without that there is nothing to be tried.
 */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

enum { NOBODY = 65534, OWN = 0x0bad, LENT = 0x600d };

#define LENDING "/tmp/rights.lending"	 /* set-user-ID, the superuser's */
#define UNREADABLE "/tmp/rights.private" /* to be executed only */

static volatile long word = OWN; /* the programs are not relocated: it is at the same address in each */

static void copy_program(const char *to, mode_t mode)
{
	static char block[1 << 16];
	int in = open("/proc/self/exe", O_RDONLY), out = open(to, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	ssize_t n;

	CHECK(in >= 0 && out >= 0);
	while ((n = read(in, block, sizeof(block))) > 0)
		CHECK(write(out, block, (size_t)n) == n);
	CHECK(fchmod(out, mode) == 0);
	close(in);
	close(out);
}

static int status_of(pid_t pid)
{
	int status = -1;

	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void become_nobody(void)
{
	CHECK(setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
	CHECK(prctl(PR_GET_DUMPABLE) == 0);
	CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);
}

static int open_of(pid_t pid, const char *name, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return open(path, flags);
}

static const char *const looks[] = { "maps",	"smaps", "numa_maps", "smaps_rollup",
				     "environ", "auxv",	 "mem",	      "pagemap" };
enum { LOOKS = sizeof(looks) / sizeof(looks[0]), TEXTS = 6 /* the first are text */ };

static void check_closed(pid_t pid)
{
	struct iovec local = { (void *)(uintptr_t)&word, 0 }, remote = { (void *)(uintptr_t)&word, sizeof(word) };
	char path[64], text[64];
	long seen;

	for (unsigned int i = 0; i < LOOKS; i++) {
		errno = 0;
		if (open_of(pid, looks[i], O_RDONLY) >= 0 || errno != EACCES) {
			failures++;
			printf("FAIL /proc/PID/%s is open (errno %d)\n", looks[i], errno);
		}
	}
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	CHECK_ERROR(readlink(path, text, sizeof(text)), EACCES);
	snprintf(path, sizeof(path), "/proc/%d/cwd", pid);
	CHECK_ERROR(readlink(path, text, sizeof(text)), EACCES);
	local.iov_base = &seen;
	local.iov_len = sizeof(seen);
	CHECK_ERROR(process_vm_readv(pid, &local, 1, &remote, 1, 0), EPERM);
}

/* ---- Another program in the place of one that was opened ---- */

/* What the set-user-ID program does: says that it is there, waits, and looks whether its memory is as it was. */
static int wait_lending(int tell, int hear)
{
	char c = 'x';

	if (geteuid() != 0 || getuid() != NOBODY)
		return 3;
	word = LENT;
	if (write(tell, &c, 1) != 1 || read(hear, &c, 1) != 1)
		return 4;
	return word == LENT ? 0 : 5;
}

static pid_t lending_begin(int *ready, int *go)
{
	int there[2], here[2];
	char tell[16], hear[16];
	pid_t pid;

	CHECK(pipe(there) == 0 && pipe(here) == 0);
	pid = fork();
	if (!pid) {
		char c;

		CHECK(read(here[0], &c, 1) == 1);
		snprintf(tell, sizeof(tell), "%d", there[1]);
		snprintf(hear, sizeof(hear), "%d", here[0]);
		execl(LENDING, "rights", "lending", tell, hear, (char *)NULL);
		_exit(9);
	}
	close(there[1]);
	close(here[0]);
	*ready = there[0];
	*go = here[1];
	return pid;
}

/* The vector of a program with another's rights says so; Linux goes on showing that of the program before. */
static int is_lent(const unsigned long *aux, size_t nr)
{
	for (size_t i = 0; i + 1 < nr; i += 2)
		if (aux[i] == AT_SECURE)
			return aux[i + 1] != 0;
	return 1;
}

/* Of the program that has taken the place of the opened one there is nothing to be read. */
static void check_nothing(int fd, const char *name)
{
	unsigned long text[64];
	ssize_t n = pread(fd, text, sizeof(text), 0);

	if (n > 0 && (strcmp(name, "auxv") || is_lent(text, (size_t)n / sizeof(text[0])))) {
		failures++;
		printf("FAIL %s: %zd bytes of another program\n", name, n);
	}
	close(fd);
}

static void over_exec(void)
{
	const off_t at = (off_t)(uintptr_t)&word, entry = at / 4096 * 8;
	int ready, go, mem, pagemap, text[TEXTS];
	uint64_t frame;
	long seen = 0;
	pid_t pid;
	char c = 'x';

	become_nobody();
	pid = lending_begin(&ready, &go);
	mem = open_of(pid, "mem", O_RDWR);
	pagemap = open_of(pid, "pagemap", O_RDONLY);
	CHECK(mem >= 0 && pagemap >= 0);
	CHECK(pread(mem, &seen, sizeof(seen), at) == sizeof(seen) && seen == OWN);
	CHECK(pwrite(mem, &seen, sizeof(seen), at) == sizeof(seen));
	CHECK(pread(pagemap, &frame, sizeof(frame), entry) == sizeof(frame) && frame >> 63);
	for (int i = 0; i < TEXTS; i++) {
		text[i] = open_of(pid, looks[i], O_RDONLY);
		CHECK(text[i] >= 0);
	}
	CHECK(pread(text[0], &seen, sizeof(seen), 0) == sizeof(seen));
	CHECK(write(go, &c, 1) == 1 && read(ready, &c, 1) == 1);
	for (int i = 0; i < TEXTS; i++)
		check_nothing(text[i], looks[i]);
	/* The old program's memory is gone; the new one's was never opened. */
	CHECK(pread(mem, &seen, sizeof(seen), at) == 0);
	CHECK(pwrite(mem, &seen, sizeof(seen), at) == 0);
	CHECK(pread(pagemap, &frame, sizeof(frame), entry) == 0);
	check_closed(pid);
	CHECK(write(go, &c, 1) == 1);
	CHECK(status_of(pid) == 0);
	CHECK(pread(mem, &seen, sizeof(seen), at) == 0);
	check_nothing(mem, "mem");
	check_nothing(pagemap, "pagemap");
	close(ready);
	close(go);
}

/* A descriptor of the caller's own memory is handed to the program that takes his place. */
static int inherited(int mem)
{
	long value = OWN;
	ssize_t n;

	for (int i = 0; i < TEXTS; i++)
		check_nothing(mem + 1 + i, looks[i]);
	if (failures)
		return 6;

	word = LENT;
	n = pwrite(mem, &value, sizeof(value), (off_t)(uintptr_t)&word);
	return geteuid() ? 3 : word != LENT ? 4 : n ? 5 : 0;
}

static void over_own_exec(void)
{
	char fd[16];
	int mem;

	become_nobody();
	mem = open("/proc/self/mem", O_RDWR);
	CHECK(mem >= 0);
	for (int i = 0; i < TEXTS; i++)
		CHECK(open_of(getpid(), looks[i], O_RDONLY) == mem + 1 + i);
	snprintf(fd, sizeof(fd), "%d", mem);
	execl(LENDING, "rights", "inherited", fd, (char *)NULL);
	failures++;
}

/* Advice about reading is no right to frame numbers. */
static void advice(void)
{
	const off_t entry = (off_t)(uintptr_t)&word / 4096 * 8;
	uint64_t frame = 0;
	int fd;

	become_nobody();
	fd = open("/proc/self/pagemap", O_RDONLY);
	word = OWN;
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	CHECK(pread(fd, &frame, sizeof(frame), entry) == sizeof(frame) && frame >> 63);
	CHECK(!(frame & ((1ull << 55) - 1)));
	close(fd);
}

/* ---- Users that change ---- */

/* Each change ends it, and asking for the same again does not. */
static void changes(void)
{
	int set;

#define ENDS(call)                                                                          \
	CHECK(prctl(PR_SET_DUMPABLE, 1) == 0 && prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0);     \
	(void)(call);                                                                       \
	CHECK(prctl(PR_GET_DUMPABLE) == 0);                                                 \
	CHECK(prctl(PR_GET_PDEATHSIG, &set) == 0 && set == 0)
#define KEEPS(call)                                                                         \
	CHECK(prctl(PR_SET_DUMPABLE, 1) == 0 && prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0);     \
	(void)(call);                                                                       \
	CHECK(prctl(PR_GET_DUMPABLE) == 1);                                                 \
	CHECK(prctl(PR_GET_PDEATHSIG, &set) == 0 && set == SIGUSR1)

	KEEPS(setresuid(0, 0, 0));
	KEEPS(setresgid(0, 0, 0));
	KEEPS(setfsuid(0));
	ENDS(setegid(NOBODY));
	ENDS(setegid(0));
	ENDS(setfsgid(NOBODY));
	ENDS(setfsuid(NOBODY));
	ENDS(setfsuid(0));
	ENDS(setfsgid(0));
	KEEPS(setresuid(-1, -1, NOBODY));
	ENDS(seteuid(NOBODY));
	KEEPS(setfsuid(1));
	ENDS(seteuid(0));
	CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);
}

/* The superuser who acts for somebody is not his to be looked into, even if he may be dumped. */
static void acting(void)
{
	int ready[2], stay[2], status;
	pid_t pid;
	char c;

	CHECK(pipe(ready) == 0 && pipe(stay) == 0);
	pid = fork();
	if (!pid) {
		CHECK(setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(0, NOBODY, 0) == 0);
		CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);
		close(stay[1]);
		CHECK(write(ready[1], "x", 1) == 1 && read(stay[0], &c, 1) == 0);
		_exit(failures != 0);
	}
	CHECK(read(ready[0], &c, 1) == 1);
	close(stay[0]);
	if (!fork()) {
		close(stay[1]);
		become_nobody();
		check_closed(pid);
		_exit(failures != 0);
	}
	CHECK(wait(&status) > 0 && status == 0);
	close(stay[1]);
	CHECK(status_of(pid) == 0);
	close(ready[0]);
	close(ready[1]);
}

/* ---- Programs ---- */

static int run(const char *path)
{
	pid_t pid = fork();

	if (!pid) {
		execl(path, "rights", "dumpable", (char *)NULL);
		_exit(9);
	}
	return status_of(pid);
}

/* Begun anew, an ordinary program may be dumped; one that lends rights or cannot be read may not. */
static void programs(void)
{
	CHECK(run("/proc/self/exe") == 1);
	CHECK(run(UNREADABLE) == 1);
	CHECK(setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
	CHECK(prctl(PR_GET_DUMPABLE) == 0);
	CHECK_ERROR(open(UNREADABLE, O_RDONLY), EACCES);
	CHECK(run(UNREADABLE) == 0);
	CHECK(run(LENDING) == 0);
	CHECK(run("/tmp/rights.common") == 1);
}

static void alone(void (*test)(void))
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		failures = 0;
		test();
		fflush(stdout);
		_exit(failures != 0);
	}
	CHECK(status_of(pid) == 0);
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "lending"))
		return wait_lending(atoi(argv[2]), atoi(argv[3]));
	if (argc == 3 && !strcmp(argv[1], "inherited"))
		return inherited(atoi(argv[2]));
	if (argc == 2 && !strcmp(argv[1], "dumpable"))
		return prctl(PR_GET_DUMPABLE);
	if (geteuid()) {
		printf("rights: left out: not the superuser\n");
		return finish("rights");
	}
	copy_program(LENDING, 04755);
	copy_program(UNREADABLE, 0711);
	copy_program("/tmp/rights.common", 0755);
	alone(over_exec);
	alone(over_own_exec);
	alone(advice);
	alone(changes);
	alone(acting);
	alone(programs);
	unlink(LENDING);
	unlink(UNREADABLE);
	unlink("/tmp/rights.common");
	return finish("rights");
}
