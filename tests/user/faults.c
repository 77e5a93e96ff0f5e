// SPDX-License-Identifier: MIT
/*
 * Allocations that fail: while random system calls and a family of busy processes run, failslab and fail_page_alloc
 * make some fail everywhere in the kernel. Programs may get errors or end; the kernel goes on, and all is given back.
 * faults [SEED [ROUNDS]]
 */
#define _GNU_SOURCE
#include "leak.h"

#include <sys/socket.h>
#include <sys/syscall.h>

#include "fuzz.h"
#include "storm.h"

#define DEBUGFS "/sys/kernel/debug/"

/* The files are open before anything fails; a write that fails is made again. */
static int open_setting(const char *point, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), DEBUGFS "%s/%s", point, name);
	return open(path, O_WRONLY);
}

static void put(int fd, const char *text)
{
	int tries = 0;

	while (tries++ < 1000 && write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		;
	CHECK(tries < 1000);
}

static void prepare(const char *point)
{
	static const char *const settings[][2] = { { "verbose", "0" }, { "ignore-gfp-wait", "N" }, { "times", "-1" } };

	for (unsigned int i = 0; i < 3; i++) {
		int fd = open_setting(point, settings[i][0]);

		put(fd, settings[i][1]);
		close(fd);
	}
}

static void work(unsigned long seed, int rounds)
{
	static const struct { const char *slab, *page; } levels[] = { { "1", "0" }, { "0", "1" }, { "5", "3" } };
	int slab = open_setting("failslab", "probability"), page = open_setting("fail_page_alloc", "probability");

	prepare("failslab");
	prepare("fail_page_alloc");
	fuzz_prepare();
	for (unsigned int i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		printf("faults: seed %lu, failslab %s%%, fail_page_alloc %s%%\n", seed, levels[i].slab, levels[i].page);
		fflush(stdout);
		put(slab, levels[i].slab);
		put(page, levels[i].page);
		fuzz_rounds(seed + i, rounds, 400, i & 1, 300, -1);
		storm(seed + i, 4, 2000);
		put(slab, "0");
		put(page, "0");
	}
	close(slab);
	close(page);
	fuzz_clean();
}

/* What is made of several objects is taken apart again when one of them cannot be had. */
static void descriptors(void)
{
	int slab = open_setting("failslab", "probability"), made = 0, fd[2];

	prepare("failslab");
	put(slab, "10");
	for (int i = 0; i < 3000; i++) {
		fd[0] = (int)syscall(SYS_userfaultfd, 0);
		if (fd[0] >= 0)
			close(fd[0]);
		made += fd[0] >= 0;
		if (!socketpair(AF_UNIX, SOCK_STREAM, 0, fd)) {
			close(fd[0]);
			close(fd[1]);
		}
		if (!pipe(fd)) {
			close(fd[0]);
			close(fd[1]);
		}
	}
	put(slab, "0");
	CHECK(made > 0 && made < 3000);
	close(slab);
}

int main(int argc, char **argv)
{
	unsigned long seed = argc > 1 ? strtoul(argv[1], NULL, 0) : (unsigned long)getpid();
	int rounds = argc > 2 ? atoi(argv[2]) : 20;
	struct resources before;

	if (access(DEBUGFS "failslab/probability", W_OK) && mount("debugfs", DEBUGFS, "debugfs", 0, NULL)) {
		printf("faults: skipped: there is no failslab\n");
		return 0;
	}
	descriptors();
	work(seed, rounds);
	before = resources_now();
	descriptors();
	work(seed + 100, rounds);
	check_resources(&before, 1024);
	return finish("faults");
}
