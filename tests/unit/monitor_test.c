// SPDX-License-Identifier: MIT
/* The monitor's commands, without a terminal. */
#include <octavo/gfp.h>
#include "shown.h"

static struct monitor mon = { .emit = shown_emit };

static int run(const char *command)
{
	return shown_run(&mon, command);
}

TEST(monitor, nothing_is_done_for_nothing)
{
	EXPECT_EQ(run(""), 0);
	EXPECT_EQ(run("   "), 0);
	EXPECT_EQ(run("# alloc 0"), 0);
	EXPECT_STREQ(shown, "");
	EXPECT_EQ(run("quit"), MONITOR_QUIT);
	EXPECT_EQ(run("frobnicate"), -EINVAL);
	expect_shown("'frobnicate' is no command");
}

TEST(monitor, allocates_and_frees)
{
	unsigned long free = (drain_all_pages(NULL), nr_free_pages());

	EXPECT_EQ(run("alloc 2 GFP_KERNEL|__GFP_ZERO x3"), 0);
	expect_shown("#1: 3 x order 2 (48K) gfp 0xdc0");
	EXPECT_EQ(run("alloc 0 0xcc0"), 0);
	expect_shown("#2: 1 x order 0");
	drain_all_pages(NULL);
	EXPECT_EQ(nr_free_pages(), free - 13);
	EXPECT_EQ(run("list"), 0);
	expect_shown("#1: 3 x order 2");
	expect_shown("#2: 1 x order 0");
	EXPECT_EQ(run("free 1"), 0);
	EXPECT_EQ(run("free 1"), -ENOENT);
	expect_shown("no allocation '1'");
	EXPECT_EQ(run("free #2"), 0);
	EXPECT_EQ(run("alloc 1 x5"), 0);
	EXPECT_EQ(run("free all"), 0);
	EXPECT_EQ(run("list"), 0);
	EXPECT_STREQ(shown, "");
	drain_all_pages(NULL);
	EXPECT_EQ(nr_free_pages(), free);
	EXPECT_EQ(run("verify"), 0);
}

TEST(monitor, what_cannot_be_had_is_said)
{
	bool was = printk_console(false);

	EXPECT_EQ(run("alloc 10 GFP_KERNEL|__GFP_NOWARN|__GFP_NORETRY x1000000"), -ENOMEM);
	expect_shown("out of memory");
	EXPECT_EQ(run("free all"), 0);
	printk_console(was);
	EXPECT_EQ(run("verify"), 0);
}

TEST(monitor, arguments_are_checked)
{
	static const char *const bad[] = {
		"alloc",   "alloc 11",   "alloc x",	 "alloc 0 GFP_NONE", "alloc 0 x0", "alloc 0 0xfffffffff",
		"free",	   "free 0",	 "free 300",	 "cat",		     "frag 0",	   "stress none",
		"log maybe", "echo 1 >", "cat /proc/nothing",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		unsigned int failures = mon.failures;

		EXPECT(run(bad[i]) < 0);
		EXPECT(*shown);
		EXPECT_EQ(mon.failures, failures + 1);
	}
}

TEST(monitor, files_are_read_and_written)
{
	EXPECT_EQ(run("echo 2048 > /proc/sys/vm/min_free_kbytes"), 0);
	EXPECT_EQ(run("cat /proc/sys/vm/min_free_kbytes"), 0);
	EXPECT_STREQ(shown, "2048\n");
	EXPECT_EQ(run("echo many > /proc/sys/vm/min_free_kbytes"), -EINVAL);
	EXPECT_EQ(run("cat /proc/sys/vm/min_free_kbytes"), 0);
	EXPECT_STREQ(shown, "2048\n");
	EXPECT_EQ(run("ls /proc"), 0);
	expect_shown("buddyinfo\n");
	EXPECT_EQ(run("echo back"), 0);
	EXPECT_STREQ(shown, "back\n");
}

TEST(monitor, pictures)
{
	EXPECT_EQ(run("buddy"), 0);
	expect_shown("   4K");
	expect_shown("DMA");
	EXPECT_EQ(run("frag 2"), 0);
	expect_shown("in whole pageblocks");
	EXPECT_EQ(run("info"), 0);
	expect_shown("CPUs online");
	EXPECT_EQ(run("help"), 0);
	for (unsigned int i = 0; monitor_command_name(i); i++)
		if (strcmp(monitor_command_name(i), "exit"))
			expect_shown(monitor_command_name(i));
}

TEST(monitor, stress_leaves_nothing_behind)
{
	struct stress s = { .ops = 2000, .seed = test_seed };
	unsigned long free = (drain_all_pages(NULL), nr_free_pages());

	stress_cpu(&s);
	EXPECT(s.allocs > 100);
	EXPECT_EQ(s.bad, 0);
	EXPECT_EQ(s.cpus, 1);
	drain_all_pages(NULL);
	EXPECT_EQ(nr_free_pages(), free);
}

TEST(monitor, sizes)
{
	char buf[SIZE_TEXT_MAX];

	EXPECT_STREQ(size_text(0, buf), "0B");
	EXPECT_STREQ(size_text(4096, buf), "4K");
	EXPECT_STREQ(size_text(15973 << 10, buf), "15.5M");
	EXPECT_STREQ(size_text(1023ull << 20, buf), "1023M");
	EXPECT_STREQ(size_text(~0ull, buf), "15.9E");
}
