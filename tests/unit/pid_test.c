// SPDX-License-Identifier: MIT
/* What /proc shows of an address space: text to the byte, and numbers that follow from what a process has done. */
#include <octavo/page.h>
#include <octavo/proc_pid.h>
#include <octavo/shmem_fs.h>
#include <octavo/slab.h>

#include "mm/pgtable/mm.h"
#include "tasks.h"

#define AT ((uintptr_t)0x10000000)
#define RW (PROT_READ | PROT_WRITE)
#define FIXED (MAP_PRIVATE | MAP_FIXED)

static struct test_process p, child;

/* ---- Text ---- */

static char text[8192];
static size_t text_len;

static void collect(void *ctx, const char *piece, size_t len)
{
	(void)ctx;
	len = min(len, sizeof(text) - 1 - text_len);
	memcpy(text + text_len, piece, len);
	text_len += len;
	text[text_len] = '\0';
}

static const char *map_text(enum octavo_pid_map file)
{
	text_len = 0;
	text[0] = '\0';
	EXPECT_EQ(octavo_pid_map_read(current_task()->mm, file, collect, NULL), 0);
	return text;
}

/* The number behind @label in what was collected last, from the first line that begins with @line; ~0: none. */
static unsigned long number(const char *line, const char *label)
{
	const char *at = strstr(text, line);
	unsigned long value = 0;

	at = at ? strstr(at, label) : NULL;
	if (!at)
		return ~0ul;
	for (at += strlen(label); *at == ' ' || *at == '\t' || *at == ':'; at++)
		;
	for (; *at >= '0' && *at <= '9'; at++)
		value = value * 10 + (unsigned long)(*at - '0');
	return value;
}

static bool start(void)
{
	return test_process_start(&p);
}

TEST(pid, maps_to_the_byte)
{
	ASSERT(start());
	EXPECT_STREQ(map_text(OCTAVO_PID_MAPS), "");
	test_map(AT, 4 * PAGE_SIZE, RW, FIXED);
	test_map(AT + 4 * PAGE_SIZE, PAGE_SIZE, PROT_READ, FIXED);
	test_map(AT + 8 * PAGE_SIZE, PAGE_SIZE, PROT_NONE, FIXED);
	test_map(AT + 9 * PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_EXEC, FIXED);
	EXPECT_EQ(ksys_brk(TEST_BRK + 100), TEST_BRK + 100);
	EXPECT_STREQ(map_text(OCTAVO_PID_MAPS),
		     sizeof(long) == 8 ?
			     "10000000-10004000 rw-p 00000000 00:00 0 \n"
			     "10004000-10005000 r--p 00000000 00:00 0 \n"
			     "10008000-10009000 ---p 00000000 00:00 0 \n"
			     "10009000-1000a000 r-xp 00000000 00:00 0 \n"
			     "20000000-20001000 rw-p 00000000 00:00 0                                  [heap]\n" :
			     "10000000-10004000 rw-p 00000000 00:00 0 \n"
			     "10004000-10005000 r--p 00000000 00:00 0 \n"
			     "10008000-10009000 ---p 00000000 00:00 0 \n"
			     "10009000-1000a000 r-xp 00000000 00:00 0 \n"
			     "20000000-20001000 rw-p 00000000 00:00 0          [heap]\n");
	test_process_exit(&p);
}

/* A file's name stands in column 73 (49), its device and inode before it. */
TEST(pid, maps_of_files)
{
	const char *line, *name;
	struct file *file;
	int err = 0;

	ASSERT(start());
	file = memfd_setup("a\nb", 0, &err);
	ASSERT(file);
	ASSERT(!shmem_truncate(file->f_inode, 16 * PAGE_SIZE));
	ASSERT(test_map_file(AT, 2 * PAGE_SIZE, RW, MAP_SHARED | MAP_FIXED, file, 3 * PAGE_SIZE));
	line = map_text(OCTAVO_PID_MAPS);
	EXPECT(!strncmp(line, "10000000-10002000 rw-s 00003000 ", 32));
	name = strstr(line, "/memfd:a\\012b (deleted)\n");
	ASSERT(name);
	EXPECT_EQ(name - line, sizeof(long) == 8 ? 73 : 49);
	fput(file);
	test_process_exit(&p);
}

TEST(pid, smaps_to_the_byte)
{
	const char *flags;

	ASSERT(start());
	test_map(AT, 8 * PAGE_SIZE, RW, FIXED);
	EXPECT(test_user_fill(AT, 3 * PAGE_SIZE, 7));
	test_user_get(AT + 5 * PAGE_SIZE); /* the zero page: nobody's */
	map_text(OCTAVO_PID_SMAPS);
	flags = strstr(text, "ProtectionKey:") ?: strstr(text, "VmFlags:");
	ASSERT(flags);
	EXPECT(strstr(flags, "VmFlags: rd wr mr mw me ac "));
	text[flags - text] = '\0';
	EXPECT_STREQ(text, "10000000-10008000 rw-p 00000000 00:00 0 \n"
			   "Size:                 32 kB\n"
			   "KernelPageSize:        4 kB\n"
			   "MMUPageSize:           4 kB\n"
			   "Rss:                  12 kB\n"
			   "Pss:                  12 kB\n"
			   "Pss_Dirty:            12 kB\n"
			   "Shared_Clean:          0 kB\n"
			   "Shared_Dirty:          0 kB\n"
			   "Private_Clean:         0 kB\n"
			   "Private_Dirty:        12 kB\n"
			   "Referenced:           12 kB\n"
			   "Anonymous:            12 kB\n"
			   "KSM:                   0 kB\n"
			   "LazyFree:              0 kB\n"
			   "AnonHugePages:         0 kB\n"
			   "ShmemPmdMapped:        0 kB\n"
			   "FilePmdMapped:         0 kB\n"
			   "Shared_Hugetlb:        0 kB\n"
			   "Private_Hugetlb:       0 kB\n"
			   "Swap:                  0 kB\n"
			   "SwapPss:               0 kB\n"
			   "Locked:                0 kB\n"
			   "THPeligible:           0\n");
	test_process_exit(&p);
}

/* Of three processes each has a third of 5 pages: 6.666 KiB. */
TEST(pid, shares_after_fork)
{
	struct test_process third;

	ASSERT(start());
	test_map(AT, 8 * PAGE_SIZE, RW, FIXED);
	EXPECT(test_user_fill(AT, 5 * PAGE_SIZE, 7));
	ASSERT(test_process_fork(&child, &p));
	ASSERT(test_process_fork(&third, &p));
	map_text(OCTAVO_PID_SMAPS);
	EXPECT_EQ(number("10000000", "Rss"), 20);
	EXPECT_EQ(number("10000000", "Pss"), 6);
	EXPECT_EQ(number("10000000", "Shared_Dirty"), 20);
	EXPECT_EQ(number("10000000", "Private_Dirty"), 0);
	test_switch(&child.task);
	test_user_put(AT, 1);
	map_text(OCTAVO_PID_SMAPS);
	EXPECT_EQ(number("10000000", "Rss"), 20);
	/* One page, and of 4 half each: that two have the other table does not show in this one's (pid_maps.c). */
	EXPECT_EQ(number("10000000", "Pss"), 4 + 8);
	EXPECT_EQ(number("10000000", "Shared_Dirty"), 16);
	EXPECT_EQ(number("10000000", "Private_Dirty"), 4);
	test_process_exit(&child);
	test_switch(&third.task);
	test_process_exit(&third);
	test_switch(&p.task);
	map_text(OCTAVO_PID_SMAPS);
	EXPECT_EQ(number("10000000", "Pss"), 20);
	EXPECT_EQ(number("10000000", "Private_Dirty"), 20);
	test_process_exit(&p);
}

TEST(pid, rollup)
{
	ASSERT(start());
	text_len = 0;
	EXPECT_EQ(octavo_pid_rollup(p.task.mm, collect, NULL), 0);
	EXPECT(!strncmp(text, "00000000-00000000 ---p 00000000 00:00 0 ", 40));
	test_map(AT, 2 * PAGE_SIZE, RW, FIXED);
	test_map(AT + 9 * PAGE_SIZE, 3 * PAGE_SIZE, RW, FIXED);
	test_user_put(AT, 1);
	test_user_put(AT + 10 * PAGE_SIZE, 1);
	text_len = 0;
	EXPECT_EQ(octavo_pid_rollup(p.task.mm, collect, NULL), 0);
	EXPECT(!strncmp(text, "10000000-1000c000 ---p 00000000 00:00 0 ", 40));
	EXPECT(strstr(text, " [rollup]\nRss:                   8 kB\nPss:                   8 kB\n"
			    "Pss_Dirty:             8 kB\nPss_Anon:              8 kB\n"
			    "Pss_File:              0 kB\nPss_Shmem:             0 kB\nShared_Clean: "));
	EXPECT(!strstr(text, "VmFlags"));
	test_process_exit(&p);
}

TEST(pid, numbers)
{
	struct octavo_pid_stat stat;

	ASSERT(start());
	test_map(AT, 8 * PAGE_SIZE, RW, FIXED);
	test_map(AT + 16 * PAGE_SIZE, 4 * PAGE_SIZE, RW, MAP_SHARED | MAP_FIXED);
	EXPECT(test_user_fill(AT, 3 * PAGE_SIZE, 7));
	EXPECT(test_user_fill(AT + 16 * PAGE_SIZE, 2 * PAGE_SIZE, 7));
	text_len = 0;
	octavo_pid_statm(p.task.mm, collect, NULL);
	EXPECT_STREQ(text, "12 5 2 0 0 8 0\n");
	octavo_pid_stat(p.task.mm, &stat);
	EXPECT_EQ(stat.vsize, 12 * PAGE_SIZE);
	EXPECT_EQ(stat.rss, 5);
	EXPECT_EQ(stat.start_brk, TEST_BRK);
	text_len = 0;
	octavo_pid_status(p.task.mm, false, collect, NULL);
	EXPECT(!strncmp(text, "VmPeak:\t      48 kB\nVmSize:\t      48 kB\nVmLck:\t       0 kB\n", 59));
	EXPECT(strstr(text, "RssAnon:\t      12 kB\nRssFile:\t       0 kB\nRssShmem:\t       8 kB\n"));
	EXPECT(strstr(text, "VmSwap:\t       0 kB\nHugetlbPages:\t       0 kB\nCoreDumping:\t0\nTHP_enabled:\t1\n"));
	EXPECT_EQ(account_pinned_vm(p.task.mm, 3), 0);
	EXPECT_EQ(account_pinned_vm(p.task.mm, 1ul << 30), -ENOMEM);
	text_len = 0;
	octavo_pid_status(p.task.mm, true, collect, NULL);
	EXPECT_EQ(number("", "VmPin"), 12);
	EXPECT(strstr(text, "CoreDumping:\t1\n"));
	unaccount_pinned_vm(p.task.mm, 3);
	EXPECT_EQ(ksys_munmap(AT, 8 * PAGE_SIZE), 0);
	text_len = 0;
	octavo_pid_status(p.task.mm, false, collect, NULL);
	EXPECT_EQ(number("", "VmPeak"), 48);
	EXPECT_EQ(number("", "VmSize"), 16);
	EXPECT_EQ(number("", "VmHWM"), 20);
	EXPECT_EQ(number("", "VmRSS"), 8);
	EXPECT_EQ(octavo_pid_clear_refs(p.task.mm, "5\n", 2), 2);
	text_len = 0;
	octavo_pid_status(p.task.mm, false, collect, NULL);
	EXPECT_EQ(number("", "VmHWM"), 8);
	text_len = 0;
	octavo_pid_statm(NULL, collect, NULL);
	EXPECT_STREQ(text, "0 0 0 0 0 0 0\n");
	test_process_exit(&p);
}

/* ---- pagemap, kpageflags, kpagecount ---- */

#define PRESENT ((u64)1 << 63)
#define FILE_OR_SHARED ((u64)1 << 61)
#define EXCLUSIVE ((u64)1 << 56)
#define FRAME (((u64)1 << 55) - 1)
#define SOFT_DIRTY ((u64)1 << 55)

static u64 pagemap(uintptr_t addr, bool frames)
{
	u64 entry = 0;

	EXPECT_EQ(octavo_pid_pagemap(current_task()->mm, addr >> PAGE_SHIFT, &entry, 1, frames), 1);
	return entry;
}

TEST(pid, pagemap)
{
	u64 entries[20], count = 0, flags = 0;
	unsigned long pfn;

	ASSERT(start());
	test_map(AT, 8 * PAGE_SIZE, RW, FIXED);
	test_map(AT + 16 * PAGE_SIZE, 4 * PAGE_SIZE, RW, MAP_SHARED | MAP_FIXED);
	test_user_put(AT + PAGE_SIZE, 1);
	test_user_put(AT + 17 * PAGE_SIZE, 1);
	EXPECT_EQ(octavo_pid_pagemap(p.task.mm, AT >> PAGE_SHIFT, entries, 20, true), 20);
	for (unsigned int i = 0; i < 20; i++)
		EXPECT_EQ(!!(entries[i] & PRESENT), i == 1 || i == 17);
	EXPECT_EQ(entries[1] & (FILE_OR_SHARED | EXCLUSIVE), EXCLUSIVE);
	EXPECT_EQ(entries[17] & (FILE_OR_SHARED | EXCLUSIVE), FILE_OR_SHARED | EXCLUSIVE);
	EXPECT_EQ(pagemap(AT + PAGE_SIZE, false) & FRAME, 0);
	pfn = (unsigned long)(entries[1] & FRAME);
	ASSERT(pfn);
	EXPECT_EQ(octavo_kpagecount(pfn, &count, 1), 1);
	EXPECT_EQ(count, 1);
	EXPECT_EQ(octavo_kpageflags(pfn, &flags, 1), 1);
	EXPECT_EQ(flags & (1u << 11 | 1u << 12 | 1u << 10), 1u << 11 | 1u << 12); /* MMAP, ANON, not BUDDY */
	ASSERT(test_process_fork(&child, &p));
	EXPECT_EQ(pagemap(AT + PAGE_SIZE, false) & EXCLUSIVE, 0);
	test_process_exit(&p);
	test_switch(&child.task);
	EXPECT_EQ(pagemap(AT + PAGE_SIZE, true) & (EXCLUSIVE | FRAME), EXCLUSIVE | pfn);
	/* The end of user space; behind the last frame. */
	EXPECT_EQ(octavo_pid_pagemap(child.task.mm, (child.task.mm->task_size >> PAGE_SHIFT) - 3, entries, 20, true),
		  3);
	EXPECT_EQ(octavo_pid_pagemap(child.task.mm, child.task.mm->task_size >> PAGE_SHIFT, entries, 20, true), 0);
	EXPECT_EQ(octavo_pid_pagemap(child.task.mm, ~(u64)0, entries, 20, true), 0);
	EXPECT_EQ(octavo_kpageflags((u64)1 << 52, &flags, 1), 0);
	test_process_exit(&child);
}

TEST(pid, clear_refs)
{
	ASSERT(start());
	test_map(AT, 4 * PAGE_SIZE, RW, FIXED);
	EXPECT(test_user_fill(AT, 4 * PAGE_SIZE, 7));
	EXPECT_EQ(octavo_pid_clear_refs(p.task.mm, "3", 1), 1);
	map_text(OCTAVO_PID_SMAPS);
	EXPECT_EQ(number("10000000", "Referenced"), 16);
	EXPECT_EQ(octavo_pid_clear_refs(p.task.mm, " 1\n", 3), 3);
	map_text(OCTAVO_PID_SMAPS);
	EXPECT_EQ(number("10000000", "Referenced"), 0);
	/* Nothing has gone. */
	EXPECT_EQ(number("10000000", "Rss"), 16);
	EXPECT(test_user_all(AT, 4 * PAGE_SIZE, 7));
	EXPECT_EQ(octavo_pid_clear_refs(p.task.mm, "0", 1), -EINVAL);
	EXPECT_EQ(octavo_pid_clear_refs(p.task.mm, "6", 1), -EINVAL);
	EXPECT_EQ(octavo_pid_clear_refs(p.task.mm, "11", 2), -EINVAL);
	EXPECT_EQ(octavo_pid_clear_refs(p.task.mm, "", 0), -EINVAL);
	test_process_exit(&p);
}

TEST(pid, soft_dirty)
{
	if (!pgt_soft_dirty(0, pgt_mksoft_dirty(0, pgt_make_leaf(0, 0, PAGE_SHARED))))
		SKIP("%s has no bit for soft-dirty", PGT_NAME);
	ASSERT(start());
	test_map(AT, 4 * PAGE_SIZE, RW, FIXED);
	EXPECT(test_user_fill(AT, 4 * PAGE_SIZE, 7));
	EXPECT(pagemap(AT, false) & SOFT_DIRTY);
	EXPECT_EQ(octavo_pid_clear_refs(p.task.mm, "4", 1), 1);
	EXPECT(!(pagemap(AT, false) & SOFT_DIRTY));
	EXPECT(test_user_all(AT, 4 * PAGE_SIZE, 7));
	EXPECT(!(pagemap(AT, false) & SOFT_DIRTY));
	test_user_put(AT + PAGE_SIZE, 1);
	EXPECT(!(pagemap(AT, false) & SOFT_DIRTY));
	EXPECT(pagemap(AT + PAGE_SIZE, false) & SOFT_DIRTY);
	/* What is new is dirty, touched or not: a mapping, and a heap that grows. */
	EXPECT_EQ(ksys_brk(TEST_BRK + PAGE_SIZE), (long)(TEST_BRK + PAGE_SIZE));
	EXPECT(pagemap(TEST_BRK, false) & SOFT_DIRTY);
	EXPECT_EQ(octavo_pid_clear_refs(p.task.mm, "4", 1), 1);
	EXPECT(!(pagemap(TEST_BRK, false) & SOFT_DIRTY));
	EXPECT_EQ(ksys_brk(TEST_BRK + 2 * PAGE_SIZE), (long)(TEST_BRK + 2 * PAGE_SIZE));
	EXPECT(pagemap(TEST_BRK + PAGE_SIZE, false) & SOFT_DIRTY);
	test_map(AT + 4 * PAGE_SIZE, PAGE_SIZE, RW, FIXED);
	EXPECT(pagemap(AT + 4 * PAGE_SIZE, false) & SOFT_DIRTY);
	test_process_exit(&p);
}

TEST(pid, oom_score)
{
	unsigned long fresh, full;

	ASSERT(start());
	fresh = octavo_pid_oom_score(p.task.mm, &p.process);
	EXPECT(fresh >= 660 && fresh < 700);
	EXPECT_EQ(octavo_pid_set_oom_score_adj(&p.process, "500\n", 4, false), 4);
	full = octavo_pid_oom_score(p.task.mm, &p.process);
	EXPECT(full >= fresh + 320 && full <= fresh + 340);
	/* Back to where it began anybody may; below that, and what a privileged hand has set, nobody without rights. */
	EXPECT_EQ(octavo_pid_set_oom_score_adj(&p.process, "499", 3, false), 3);
	EXPECT_EQ(octavo_pid_set_oom_score_adj(&p.process, "-1", 2, false), -EACCES);
	EXPECT_EQ(octavo_pid_set_oom_score_adj(&p.process, "300", 3, true), 3);
	EXPECT_EQ(octavo_pid_set_oom_score_adj(&p.process, "299", 3, false), -EACCES);
	EXPECT_EQ(octavo_pid_set_oom_score_adj(&p.process, "-1000", 5, true), 5);
	EXPECT_EQ(octavo_pid_oom_score(p.task.mm, &p.process), 0);
	EXPECT_EQ(octavo_pid_set_oom_score_adj(&p.process, "1001", 4, true), -EINVAL);
	EXPECT_EQ(octavo_pid_set_oom_score_adj(&p.process, "12x", 3, true), -EINVAL);
	EXPECT_EQ(octavo_pid_set_oom_score_adj(&p.process, "", 0, true), -EINVAL);
	EXPECT_EQ(p.process.oom_score_adj, -1000);
	test_process_exit(&p);
}

TEST(pid, oom_adj)
{
	static const struct {
		const char *text;
		long result;
		int adj, score_adj;
	} cases[] = {
		{ "15", 2, 15, 1000 },	   { "14", 2, 13, 823 }, { "0\n", 2, 0, 0 },	{ "-1", -EACCES, 0, 0 },
		{ "16", -EINVAL, 0, 0 },   { "-18", -EINVAL, 0, 0 }, { "x", -EINVAL, 0, 0 }, { "", -EINVAL, 0, 0 },
	};

	ASSERT(start());
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		long result = octavo_pid_set_oom_adj(&p.process, cases[i].text, strlen(cases[i].text), i < 3);

		EXPECT_EQ(result, cases[i].result);
		EXPECT_EQ(octavo_pid_oom_adj(&p.process), cases[i].adj);
		EXPECT_EQ(p.process.oom_score_adj, cases[i].score_adj);
	}
	EXPECT_EQ(octavo_pid_set_oom_adj(&p.process, "-17", 3, true), 3);
	EXPECT_EQ(octavo_pid_oom_adj(&p.process), -17);
	EXPECT_EQ(p.process.oom_score_adj, -1000);
	test_process_exit(&p);
}

/* Who shares the address space shares the adjustment, but not a child of vfork() that is about to leave it. */
TEST(pid, oom_score_adj_of_sharers)
{
	struct test_process other, vchild;

	ASSERT(start());
	test_process_init(&other);
	test_process_init(&vchild);
	test_share(&other, &p);
	test_share(&vchild, &p);
	vchild.task.in_vfork = 1;
	EXPECT_EQ(octavo_pid_set_oom_score_adj(&p.process, "-700", 4, true), 4);
	EXPECT_EQ(other.process.oom_score_adj, -700);
	EXPECT_EQ(vchild.process.oom_score_adj, 0);
	EXPECT_EQ(octavo_pid_set_oom_score_adj(&other.process, "-701", 4, false), -EACCES);
	test_process_exit(&vchild);
	test_process_exit(&other);
	test_process_exit(&p);
}

TEST(pid, numa_maps)
{
	ASSERT(start());
	test_map(AT, 4 * PAGE_SIZE, RW, FIXED);
	EXPECT_STREQ(map_text(OCTAVO_PID_NUMA_MAPS), "10000000 default\n");
	test_user_put(AT, 1);
	map_text(OCTAVO_PID_NUMA_MAPS);
	EXPECT(!strncmp(text, "10000000 default anon=1 dirty=1 ", 32));
	EXPECT(strstr(text, "=1 kernelpagesize_kB=4\n"));
	test_process_exit(&p);
}
