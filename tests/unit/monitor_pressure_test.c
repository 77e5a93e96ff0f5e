// SPDX-License-Identifier: MIT
/* The monitor's commands about memory pressure: swapon, pressure, hog, churn, filecache. */
#include <octavo/verify.h>

#include "shown.h"
#include "swapper.h"

static struct bdev *disk;
static u64 asked; /* sectors */

/* Of this test's, so that it can be taken away again; one at most. */
static struct bdev *give_disk(struct monitor *mon, u64 sectors, int *error)
{
	(void)mon;
	asked = sectors;
	*error = -EMFILE;
	if (disk)
		return NULL;
	disk = brd_create("monitored", sectors, error);
	return disk;
}

static void take_disk(struct monitor *mon, struct bdev *bdev)
{
	(void)mon;
	brd_destroy(bdev);
	disk = NULL;
}

static struct monitor mon = { .emit = shown_emit, .disk = give_disk, .disk_gone = take_disk };

static int run(const char *command)
{
	bool was = printk_console(false);
	int ret = shown_run(&mon, command);

	printk_console(was);
	return ret;
}

/* ---- JSON: an object of names and numbers (RFC 8259), a line each ---- */

static bool digits(const char **p)
{
	const char *from = *p;

	while (**p >= '0' && **p <= '9')
		(*p)++;
	return *p != from && (*from != '0' || *p == from + 1);
}

static bool member(const char **p)
{
	if (*(*p)++ != '"')
		return false;
	while (**p >= ' ' && **p != '"' && **p != '\\')
		(*p)++;
	if (*(*p)++ != '"' || *(*p)++ != ':' || !digits(p))
		return false;
	if (**p != '.')
		return true;
	for ((*p)++; **p >= '0' && **p <= '9';)
		(*p)++;
	return (*p)[-1] != '.';
}

/* Return: lines; 0: one of them is no such object. */
static unsigned int json_lines(const char *p)
{
	unsigned int n = 0;

	for (; *p; n++) {
		if (*p++ != '{')
			return 0;
		do
			if (!member(&p))
				return 0;
		while (*p++ == ',');
		if (p[-1] != '}' || *p++ != '\n')
			return 0;
	}
	return n;
}

TEST(monitor_pressure, arguments_are_checked)
{
	static const char *const wrong[] = { "hog 0", "hog 10001", "hog -1", "hog x", "hog %", "churn 1x", "churn 2%%",
					     "filecache 0%", "filecache json 0", "hog 1 jsonl" };

	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(run(wrong[i]), -EINVAL);
		expect_shown("[PERCENT] [json]");
	}
	EXPECT_EQ(run("swapon"), -EINVAL);
	expect_shown("swapon SIZE");
	EXPECT_EQ(run("swapon 15K"), -EINVAL);
	EXPECT_EQ(run("swapon 1M more"), -EINVAL);
	EXPECT_EQ(run("swapon 1Q"), -EINVAL);
	EXPECT(!disk);
}

TEST(monitor_pressure, scenarios)
{
	static const struct {
		const char *plain, *json, *says;
	} kind[] = { { "hog 1", "hog 1 json", "hog: " },
		     { "churn 1%", "churn json 1%", "churn: " },
		     { "filecache 1", "filecache 1 --json", "filecache: " } };

	for (unsigned int i = 0; i < ARRAY_SIZE(kind); i++) {
		EXPECT_EQ(run(kind[i].plain), 0);
		expect_shown(kind[i].says);
		expect_shown(" pages written, ");
		expect_shown(" read, 0 of them wrong\n");
		expect_shown("free ");
		EXPECT(!strstr(shown, "killed for want of memory"));
		EXPECT_EQ(run(kind[i].json), 0);
		if (!json_lines(shown))
			test_fail(__FILE__, __LINE__, "'%s' says what is no JSON: %s", kind[i].json, shown);
		expect_shown("{\"ms\":");
		expect_shown(",\"nr_free_pages\":");
		expect_shown(",\"oom_kill\":0");
	}
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

TEST(monitor_pressure, json_is_told_from_what_is_none)
{
	EXPECT_EQ(json_lines("{\"a\":1,\"b\":0.50}\n{\"c\":0}\n"), 2);
	EXPECT_EQ(json_lines("{\"a\":1,}\n"), 0);
	EXPECT_EQ(json_lines("{\"a\":01}\n"), 0);
	EXPECT_EQ(json_lines("{\"a\":1.}\n"), 0);
	EXPECT_EQ(json_lines("{\"a\":-}\n"), 0);
	EXPECT_EQ(json_lines("{a:1}\n"), 0);
	EXPECT_EQ(json_lines("{\"a\":1\n"), 0);
	EXPECT_EQ(json_lines(""), 0);
}

TEST(monitor_pressure, a_disk_to_swap_to)
{
	unsigned long total = swap_pages_total();

	EXPECT_EQ(run("pressure"), 0);
	expect_shown("node 0 ");
	expect_shown("inactive anon");
	expect_shown("killed 0");
	EXPECT_EQ(run("swapon 130K"), 0);
	EXPECT_EQ(asked, 32 * PAGE_SECTORS); /* whole pages */
	EXPECT_EQ(swap_pages_total(), total + 31);
	EXPECT_EQ(run("pressure"), 0);
	expect_shown(" of 124K, in 0/s, out 0/s");
	EXPECT_EQ(run("cat /proc/swaps"), 0);
	expect_shown("/dev/monitored");
	/* There is no room for another. */
	EXPECT_EQ(run("swapon 130K"), -EMFILE);
	expect_shown("swapon: a machine has four disks at most\n");
	ASSERT(disk);
	EXPECT_EQ(swapoff_path("/dev/monitored"), 0);
	brd_destroy(disk);
	disk = NULL;
	EXPECT_EQ(swap_pages_total(), total);
}
