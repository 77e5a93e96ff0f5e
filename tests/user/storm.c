// SPDX-License-Identifier: MIT
/* Killed in the middle of anything: busy processes come and go by SIGKILL; all is given back. storm [SEED [SECONDS]] */
#define _GNU_SOURCE
#include "leak.h"

#include "storm.h"

int main(int argc, char **argv)
{
	unsigned long seed = argc > 1 ? strtoul(argv[1], NULL, 0) : (unsigned long)getpid();
	long ms = argc > 2 ? atol(argv[2]) * 1000 : 8000;
	struct resources before;

	if (access("/bin/busybox", X_OK)) {
		printf("storm: skipped: there is no /bin/busybox\n");
		return 0;
	}
	printf("storm: seed %lu\n", seed);
	fflush(stdout);
	storm(seed, 8, ms);
	before = resources_now();
	storm(seed + 1, 8, ms);
	check_resources(&before, 2048);
	return finish("storm");
}
