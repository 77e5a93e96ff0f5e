// SPDX-License-Identifier: MIT
/* octavo boot --disk and --swap: what is said of files that are no disks, and what a machine has of those that are. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "harness.h"
#include "hosted.h"

static char dir[] = "/tmp/octavo-boot-XXXXXX", said[16384];
static int from; /* the directory that we came from */

/* Of @bytes, in the directory; with a swap header, if @swap. */
static void make_file(const char *name, size_t bytes, bool swap)
{
	u8 header[4096] = { [1024] = 1, [1028] = (u8)(bytes / 4096 - 1) };
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

	memcpy(header + 4086, "SWAPSPACE2", 10);
	if (fd < 0 || ftruncate(fd, (off_t)bytes) || (swap && write(fd, header, sizeof(header)) != sizeof(header)))
		test_fail(__FILE__, __LINE__, "no file '%s'", name);
	close(fd);
}

static bool begin(void)
{
	FILE *f;

	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	from = open(".", O_RDONLY | O_DIRECTORY);
	if (from < 0 || !mkdtemp(dir) || chdir(dir))
		return false;
	f = fopen("map", "w");
	if (!f)
		return false;
	fputs("ram 0-64M node 0\ncpu 1 node 0\n", f);
	fclose(f);
	/* Who only may read files is to reach them. */
	return !chmod(dir, 0755) && !chmod("map", 0644);
}

static void end(void)
{
	static const char *const names[] = { "map", "script", "said", "a", "b", "odd", "short", "empty" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)unlink(names[i]);
	EXPECT(!fchdir(from) && !rmdir(dir));
	close(from);
}

/* octavo boot --quiet map WORD..., the words separated by blanks. What it prints is in @said. Return: the exit code. */
static int boot(const char *words)
{
	char line[256], *argv[24] = { "boot", "--quiet", "map" }, *rest;
	int argc = 3, out = dup(1), err = dup(2), fd, ret;
	bool (*hook)(const char *text, size_t len) = hosted_console_hook; /* of who runs the tests */
	ssize_t n;

	snprintf(line, sizeof(line), "%s", words);
	for (char *word = strtok_r(line, " ", &rest); word && argc < 23; word = strtok_r(NULL, " ", &rest))
		argv[argc++] = word;
	fflush(stdout);
	fd = open("said", O_RDWR | O_CREAT | O_TRUNC, 0600);
	dup2(fd, 1);
	dup2(fd, 2);
	ret = boot_main(argc, argv);
	fflush(stdout);
	fflush(stderr);
	hosted_console_hook = hook;
	dup2(out, 1);
	dup2(err, 2);
	close(out);
	close(err);
	n = pread(fd, said, sizeof(said) - 1, 0);
	said[n < 0 ? 0 : n] = 0;
	close(fd);
	return ret;
}

static void expect_boot(int code, const char *words, const char *part)
{
	int ret = boot(words);

	if (ret != code || !strstr(said, part))
		test_fail(__FILE__, __LINE__, "boot %s: exit code %d, not %d, or no '%s' in: %s", words, ret, code,
			  part, said);
}

TEST(boot_disks, what_is_no_disk)
{
	ASSERT(begin());
	make_file("a", 64 * 1024, false);
	make_file("empty", 0, false);
	make_file("short", 511, false);
	expect_boot(EXIT_FAILED, "--disk none", "the disk 'none': No such file or directory\n");
	expect_boot(EXIT_FAILED, "--disk=.", "the disk '.': Is a directory\n");
	expect_boot(EXIT_FAILED, "--disk empty", "the disk 'empty': it is empty\n");
	expect_boot(EXIT_FAILED, "--swap short", "the disk 'short': it is empty\n");
	expect_boot(EXIT_FAILED, "--disk a --swap a", "the disk 'a': it is given twice\n");
	expect_boot(EXIT_FAILED, "--swap a", "--swap 'a': no swap area is on it ('mkswap FILE' makes one)\n");
	expect_boot(EXIT_USAGE, "--swap", "--swap needs a value\n");
	expect_boot(EXIT_USAGE, "--disk a --disk b --swap c --disk d --disk e",
		    "'e': a machine has four disks at most\n");
	/* Each of these let go of what it had. */
	expect_boot(EXIT_DONE, "--disk a", "");
	end();
}

TEST(boot_disks, areas)
{
	ASSERT(begin());
	make_file("a", 64 * 1024, true);
	make_file("b", 128 * 1024, true);
	expect_boot(EXIT_DONE, "--swap a --disk=b --cat /proc/swaps", "/dev/vda ");
	EXPECT(strstr(said, "60\t") && !strstr(said, "/dev/vdb"));
	expect_boot(EXIT_DONE, "--disk a --swap=b --cat /proc/swaps", "/dev/vdb ");
	EXPECT(strstr(said, "124\t") && !strstr(said, "/dev/vda"));
	/* The rest of a length that is no number of sectors is not used; here the area is as long as what is left. */
	make_file("odd", 64 * 1024 + 100, true);
	expect_boot(EXIT_DONE, "--swap odd --cat /proc/swaps", "60\t");
	end();
}

/* For reading only it is a disk, and no place to swap to. */
TEST(boot_disks, read_only)
{
	const uid_t nobody = 65534, me = geteuid();

	ASSERT(begin());
	make_file("a", 64 * 1024, true);
	make_file("said", 0, false);
	EXPECT(!chmod("a", 0444) && !chmod("said", 0666));
	ASSERT(me || !seteuid(nobody)); /* whom permissions do not stop */
	expect_boot(EXIT_DONE, "--disk a", "");
	expect_boot(EXIT_FAILED, "--swap a", "--swap 'a': it cannot be written\n");
	ASSERT(!seteuid(me));
	end();
}

/* The monitor's disks come behind those that are there, and are four with them. */
TEST(boot_disks, the_fifth)
{
	FILE *f;

	ASSERT(begin());
	make_file("a", 64 * 1024, false);
	make_file("b", 64 * 1024, true);
	f = fopen("script", "w");
	ASSERT(f);
	fputs("swapon 1M\nswapon 2M\ncat /proc/swaps\nswapon 4M\n", f);
	fclose(f);
	expect_boot(EXIT_FAILED, "--disk a --swap b --monitor=script",
		    "swapon: a machine has four disks at most\n");
	EXPECT(strstr(said, "/dev/vdb ") && strstr(said, "/dev/vdc ") && strstr(said, "/dev/vdd "));
	EXPECT(strstr(said, "\t1020\t") && strstr(said, "\t2044\t"));
	end();
}
