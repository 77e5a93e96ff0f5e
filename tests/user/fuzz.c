// SPDX-License-Identifier: MIT
/*
 * Random system calls with arguments that nearly mean something, as the superuser in a directory of its own and as an
 * ordinary user: the kernel goes on, and all is given back. fuzz [SEED [ROUNDS [CALL]]]: rounds of SEED, SEED + 1...
 */
#define _GNU_SOURCE
#include "leak.h"

#include "fuzz.h"

static void both(unsigned long seed, int rounds, long only)
{
	fuzz_prepare();
	for (int root = 0; root < 2; root++) {
		printf("fuzz: %d rounds from seed %lu as %s\n", rounds, seed, root ? "root" : "nobody");
		fflush(stdout);
		fuzz_rounds(seed, rounds, 400, root, 300, only);
	}
	fuzz_clean();
}

int main(int argc, char **argv)
{
	unsigned long seed = argc > 1 ? strtoul(argv[1], NULL, 0) : (unsigned long)getpid();
	int rounds = argc > 2 ? atoi(argv[2]) : 60;
	long only = argc > 3 ? atol(argv[3]) : -1;
	struct resources before;

	if (getuid()) {
		printf("fuzz: skipped: not the superuser\n");
		return 0;
	}
	if (getppid() != 1 && access("/init", F_OK)) {
		printf("fuzz: skipped: not on a machine of its own\n");
		return 0;
	}
	both(seed, rounds, only);
	before = resources_now();
	both(seed + (unsigned long)rounds, rounds, only);
	check_resources(&before, 2048);
	return finish("fuzz");
}
