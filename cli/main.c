// SPDX-License-Identifier: MIT
/* The octavo command: its subcommands. */
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "replay.h"

static void usage(FILE *to)
{
	fputs("usage: octavo boot [OPTIONS] [FILE|-]   boot a machine's memory map\n"
	      "       octavo tour [OPTIONS] [FILE|-]   the same with pictures and a run of allocations\n"
	      "       octavo replay [OPTIONS] TRACE    miss ratios of replacement policies on a trace\n"
	      "       octavo help\n"
	      "       octavo --version\n"
	      "\n"
	      "FILE is a boot log as dmesg prints it, a copy of /proc/iomem or of the directory\n"
	      "/sys/firmware/memmap, or an Octavo map file; without one it is this machine.\n"
	      "\n"
	      "  --append PARAMS     add PARAMS to the kernel command line (mem=2G, numa=fake=2, ...)\n"
	      "  --cpus N            the machine has N CPUs\n"
	      "  --slit FILE         node distances: a matrix as text, or an ACPI SLIT table\n"
	      "  --disk FILE         a disk (vda, vdb, ...) whose bytes are FILE's\n"
	      "  --swap FILE         the same, and the machine swaps there: mkswap FILE first\n"
	      "  --cat PATH          print a file of the booted machine, such as /proc/zoneinfo; repeatable\n"
	      "  --run COMMAND       run a monitor command on it; repeatable\n"
	      "  --trace FILE        write trace events, as text that ui.perfetto.dev opens\n"
	      "  --trace-events LIST which (oom:,vmscan:mm_vmscan_throttled); all but kmem's\n"
	      "  --quiet             do not print the boot log\n"
	      "  --json              print the booted machine as JSON\n"
	      "  --seed N            deterministic: CPUs take turns as the number N decides\n"
	      "  --monitor[=SCRIPT]  then read monitor commands from SCRIPT or standard input\n"
	      "  --tour              as 'octavo tour'\n"
	      "\n"
	      "octavo(1) has the details.\n",
	      to);
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : NULL;

	setlocale(LC_CTYPE, "");
	if (!command) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(command, "boot") || !strcmp(command, "tour")) {
		for (int i = 2; i < argc; i++) {
			if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
				usage(stdout);
				return EXIT_DONE;
			}
		}
		return boot_main(argc - 1, argv + 1);
	}
	if (!strcmp(command, "replay")) {
		for (int i = 2; i < argc; i++) {
			if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
				replay_usage();
				return EXIT_DONE;
			}
		}
		return replay_main(argc - 1, argv + 1);
	}
	if (!strcmp(command, "help") || !strcmp(command, "--help") || !strcmp(command, "-h")) {
		usage(stdout);
		return EXIT_DONE;
	}
	if (!strcmp(command, "--version") || !strcmp(command, "version")) {
		printf("octavo %s\n", OCTAVO_VERSION);
		return EXIT_DONE;
	}
	cli_complain("no command '%s': boot, tour, replay and help are there", command);
	return EXIT_USAGE;
}
