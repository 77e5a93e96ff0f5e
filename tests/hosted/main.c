// SPDX-License-Identifier: MIT
/* Runs the tests in a process. */
#include <stdio.h>

#include "harness.h"
#include "hosted.h"

int main(int argc, char **argv)
{
	unsigned int ran, failed;

	hosted_enter_cpu(0);
	hosted_console_hook = test_capture;
	failed = test_run(argc > 1 ? argv[1] : NULL, NULL, &ran);
	printf("%u passed, %u failed\n", ran - failed, failed);
	return failed || !ran;
}
