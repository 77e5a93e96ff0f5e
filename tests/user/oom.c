// SPDX-License-Identifier: MIT
/*
 * No memory is left: who ends for it, who does not, and what it all comes to. "oom hog" takes all there is, for cases
 * in which that is the end.
 */
#define _GNU_SOURCE
#include "leak.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#define MIB (1ul << 20)

/* ---- Files ---- */

static long file_number(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY);

	CHECK(fd >= 0);
	CHECK(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return strtol(text, NULL, 10);
}

/* Return: 0 or errno. */
static int put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), err = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		err = errno;
	close(fd);
	return err;
}

static long vmstat(const char *name)
{
	FILE *f = fopen("/proc/vmstat", "r");
	char line[128];
	long value = -1;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ' ')
			value = strtol(line + strlen(name), NULL, 10);
	if (f)
		fclose(f);
	return value;
}

static int set_adj(const char *adj)
{
	return put_file("/proc/self/oom_score_adj", adj);
}

/* ---- Who takes memory ---- */

static void take(size_t bytes)
{
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		_exit(3);
	for (size_t i = 0; i < bytes; i += 4096)
		p[i] = 1;
}

/* For ever: it ends by being killed. */
static void hog(void)
{
	for (;;)
		take(4 * MIB);
}

static void *hog_thread(void *arg)
{
	hog();
	return arg;
}

static void hog_threads(void)
{
	pthread_t t;

	for (int i = 0; i < 3; i++)
		pthread_create(&t, NULL, hog_thread, NULL);
	hog();
}

static void hog_locked(void)
{
	mlockall(MCL_CURRENT | MCL_FUTURE);
	hog();
}

/* Memory of a file that has no name goes with its last user. */
static void hog_shared(void)
{
	static char block[65536];
	int fd = memfd_create("hog", 0);

	for (;;)
		if (write(fd, block, sizeof(block)) <= 0) {
			char *p = mmap(NULL, 512 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

			for (size_t i = 0; p != MAP_FAILED; i += 4096)
				p[i] = 1;
			_exit(4);
		}
}

static void hog_forks(void)
{
	for (;;) {
		if (!fork())
			take(8 * MIB);
		else
			take(64 * 1024);
	}
}

static pid_t start(void (*work)(void))
{
	pid_t pid = fork();

	if (!pid) {
		set_adj("0");
		work();
		_exit(0);
	}
	return pid;
}

static bool ends_by(pid_t pid, int signo)
{
	int status = -1;

	return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == signo;
}

/* ---- Who ends ---- */

static void test_hogs(void)
{
	static void (*const hogs[])(void) = { hog, hog_threads, hog_locked };

	for (unsigned int i = 0; i < sizeof(hogs) / sizeof(hogs[0]); i++) {
		long kills = vmstat("oom_kill");

		CHECK(ends_by(start(hogs[i]), SIGKILL));
		CHECK(vmstat("oom_kill") > kills);
	}
}

/* Threads of a file's memory are killed late, as it is nobody's: but they are, and it is free then. */
static void test_shared(void)
{
	int status = -1;
	pid_t pid = start(hog_shared);

	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ||
	      (WIFEXITED(status) && WEXITSTATUS(status) == 4));
}

static int ready[2];

static void sleeper(size_t bytes, const char *adj)
{
	set_adj(adj);
	take(bytes);
	CHECK(write(ready[1], "x", 1) == 1);
	for (;;)
		pause();
}

static void willing(void)
{
	sleeper(4 * MIB, "1000");
}

static void protected(void)
{
	sleeper(64 * MIB, "-1000");
}

static void ordinary(void)
{
	sleeper(16 * MIB, "0");
}

static pid_t start_sleeper(void (*work)(void))
{
	char c;
	pid_t pid = start(work);

	CHECK(read(ready[0], &c, 1) == 1);
	return pid;
}

static bool lives(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) == 0;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	CHECK(ends_by(pid, SIGKILL));
}

/* The small one that offers itself goes first, then the hog; the others stay, however large. */
static void test_order(void)
{
	pid_t first = start_sleeper(willing), kept = start_sleeper(protected), other = start_sleeper(ordinary);
	pid_t last = start(hog);

	CHECK(ends_by(last, SIGKILL));
	CHECK(ends_by(first, SIGKILL));
	CHECK(lives(kept));
	CHECK(lives(other));
	end(kept);
	end(other);
}

/*
 * Each is small, so many have to go; what began it is spared, and sees the end. 20 at a time: each kill's report lists
 * all of them on an emulated serial line, and with 200 that alone takes longer than the case has.
 */
static void test_bomb(void)
{
	pid_t pid = fork();
	struct rlimit limit = { 20, 20 };
	int status = -1;

	if (!pid) {
		setpgid(0, 0);
		setrlimit(RLIMIT_NPROC, &limit);
		CHECK(setresuid(1000, 1000, 1000) == 0);
		put_file("/proc/self/oom_score_adj", "500");
		hog_forks();
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	/* Those that are left. */
	for (int i = 0; i < 200 && !kill(-pid, SIGKILL); i++) {
		struct timespec t = { 0, 10000000 };

		while (waitpid(-pid, NULL, WNOHANG) > 0)
			;
		nanosleep(&t, NULL);
	}
}

/* ---- Files of the process ---- */

static void test_files(void)
{
	long score = file_number("/proc/self/oom_score");
	int status = -1;
	pid_t pid;

	CHECK(score >= 0 && score <= 2000);
	CHECK(set_adj("1000") == 0);
	CHECK(file_number("/proc/self/oom_score") >= 1300); /* thousandths of the pages, rounded down */
	CHECK(file_number("/proc/self/oom_adj") == 15);
	CHECK(set_adj("1001") == EINVAL);
	CHECK(set_adj("-1001") == EINVAL);
	CHECK(set_adj("x") == EINVAL);
	CHECK(put_file("/proc/self/oom_adj", "-17") == 0);
	CHECK(file_number("/proc/self/oom_score_adj") == -1000);
	CHECK(file_number("/proc/self/oom_score") == 0);
	CHECK(put_file("/proc/self/oom_adj", "16") == EINVAL);
	CHECK(set_adj("100") == 0);
	pid = fork();
	if (!pid) {
		failures = 0;
		/* What the privileged parent chose is as low as it goes. */
		CHECK(setresuid(1000, 1000, 1000) == 0);
		CHECK(set_adj("200") == 0);
		CHECK(set_adj("100") == 0);
		CHECK(set_adj("99") == EACCES);
		CHECK(file_number("/proc/self/oom_score_adj") == 100);
		_exit(failures != 0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(put_file("/proc/sys/vm/panic_on_oom", "3") == EINVAL);
	CHECK(put_file("/proc/sys/vm/oom_kill_allocating_task", "1") == 0);
	CHECK(file_number("/proc/sys/vm/oom_kill_allocating_task") == 1);
	CHECK(put_file("/proc/sys/vm/oom_kill_allocating_task", "0") == 0);
	CHECK(file_number("/proc/sys/vm/oom_dump_tasks") == 1);
}

static void all(void)
{
	test_files();
	/* Who looks is not to be the one. */
	CHECK(set_adj("-1000") == 0);
	test_hogs();
	test_shared();
	test_order();
	test_bomb();
}

int main(int argc, char **argv)
{
	struct resources before;

	if (argc > 1 && !strcmp(argv[1], "hog"))
		hog();
	if (getuid() || access("/init", F_OK)) {
		printf("oom: skipped: not the superuser on a machine of its own\n");
		return 0;
	}
	CHECK(pipe(ready) == 0);
	all();
	before = resources_now();
	all();
	check_resources(&before, 4096);
	return finish("oom");
}
