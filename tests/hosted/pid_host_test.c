// SPDX-License-Identifier: MIT
/* The files of /proc/PID beside those of the Linux underneath: the same labels, columns and order. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <octavo/proc_pid.h>

#include "hosted.h"
#include "tasks.h"

#define AT ((uintptr_t)0x30000000)
#define PAGE 4096ul

static char ours[1 << 16], theirs[1 << 20];
static size_t ours_len;
static struct test_process p;

static void collect(void *ctx, const char *piece, size_t len)
{
	(void)ctx;
	len = min(len, sizeof(ours) - 1 - ours_len);
	memcpy(ours + ours_len, piece, len);
	ours_len += len;
	ours[ours_len] = '\0';
}

static bool read_theirs(const char *path)
{
	size_t have = 0;
	ssize_t got;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && (got = read(fd, theirs + have, sizeof(theirs) - 1 - have)) > 0)
		have += (size_t)got;
	theirs[have] = '\0';
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/*
 * The form of the lines of @text from the one that begins with @from to the one that begins with @to, exclusive: each
 * number is #, right-aligned numbers keep their width. Lines whose label is in @without are left out.
 */
static const char *form(const char *text, const char *from, const char *to, const char *without)
{
	static char forms[2][8192];
	static unsigned int turn;
	char *out = forms[turn++ % 2], *begin = out;
	const char *at = strstr(text, from);

	while (at && *at && (!to || strncmp(at, to, strlen(to)))) {
		const char *end = strchr(at, '\n');
		char label[40];

		end = end ? end + 1 : at + strlen(at);
		snprintf(label, sizeof(label), "%.*s", (int)strcspn(at, ":"), at);
		if (!without || !strstr(without, label))
			for (const char *s = at; s < end; s++) {
				bool digit = *s >= '0' && *s <= '9', more = s[1] >= '0' && s[1] <= '9';

				/* A number's digits and the blanks before them are as wide as they are together. */
				if (digit && more)
					*out++ = ' ';
				else
					*out++ = digit ? '#' : *s;
				/* One too large for its 8 columns. */
				while (digit && !more && out - begin > 9 && !strncmp(out - 9, "        ", 8))
					*(--out - 1) = '#';
			}
		at = end;
	}
	*out = '\0';
	return begin;
}

TEST(pid_host, smaps_labels)
{
	void *map = mmap((void *)AT, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	ASSERT(map != MAP_FAILED);
	if (!read_theirs("/proc/self/smaps"))
		SKIP("this host has no /proc/self/smaps");
	munmap(map, 8 * PAGE);
	ASSERT(test_process_start(&p));
	test_map(AT, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED);
	ours_len = 0;
	EXPECT_EQ(octavo_pid_map_read(p.task.mm, OCTAVO_PID_SMAPS, collect, NULL), 0);
	EXPECT_STREQ(form(ours, "Size:", "VmFlags:", "ProtectionKey"),
		     form(theirs, "Size:", "VmFlags:", "ProtectionKey"));
	test_process_exit(&p);
}

TEST(pid_host, rollup_labels)
{
	if (!read_theirs("/proc/self/smaps_rollup"))
		SKIP("this host has no /proc/self/smaps_rollup");
	ASSERT(test_process_start(&p));
	test_map(AT, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED);
	ours_len = 0;
	EXPECT_EQ(octavo_pid_rollup(p.task.mm, collect, NULL), 0);
	EXPECT_STREQ(form(ours, "Rss:", NULL, NULL), form(theirs, "Rss:", NULL, NULL));
	test_process_exit(&p);
}

TEST(pid_host, status_labels)
{
	if (!read_theirs("/proc/self/status"))
		SKIP("this host has no /proc/self/status");
	ASSERT(test_process_start(&p));
	ours_len = 0;
	octavo_pid_status(p.task.mm, false, collect, NULL);
	EXPECT_STREQ(form(ours, "VmPeak:", "untag_mask:", NULL),
		     form(theirs, "VmPeak:", strstr(theirs, "untag_mask:") ? "untag_mask:" : "Threads:", NULL));
	test_process_exit(&p);
}

/* ---- The flags of a mapping ---- */

static void flags_line(char *out, size_t size, const char *text)
{
	const char *at = strstr(text, "30000000-"), *end;

	out[0] = '\0';
	at = at ? strstr(at, "VmFlags:") : NULL;
	end = at ? strchr(at, '\n') : NULL;
	if (!end)
		return;
	/* Whether stores are tracked (sd) is how that kernel was built. */
	for (at += 8; at + 3 <= end && strlen(out) + 4 < size; at += 3)
		if (strncmp(at, " sd", 3))
			strncat(out, at, 3);
}

static const struct {
	unsigned long prot, flags;
	int advice;
	unsigned int lock; /* 1: mlock, 2: on fault */
} maps[] = {
	{ PROT_READ | PROT_WRITE, MAP_PRIVATE, -1, 0 },
	{ PROT_READ, MAP_PRIVATE, -1, 0 },
	{ PROT_NONE, MAP_PRIVATE, -1, 0 },
	{ PROT_READ | PROT_EXEC, MAP_PRIVATE, -1, 0 },
	{ PROT_READ | PROT_WRITE, MAP_SHARED, -1, 0 },
	{ PROT_READ, MAP_SHARED, -1, 0 },
	{ PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, -1, 0 },
	{ PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_STACK, -1, 0 },
	{ PROT_READ | PROT_WRITE, MAP_PRIVATE, MADV_SEQUENTIAL, 0 },
	{ PROT_READ | PROT_WRITE, MAP_PRIVATE, MADV_RANDOM, 0 },
	{ PROT_READ | PROT_WRITE, MAP_PRIVATE, MADV_DONTFORK, 0 },
	{ PROT_READ | PROT_WRITE, MAP_PRIVATE, MADV_WIPEONFORK, 0 },
	{ PROT_READ | PROT_WRITE, MAP_PRIVATE, MADV_DONTDUMP, 0 },
	{ PROT_READ | PROT_WRITE, MAP_PRIVATE, MADV_HUGEPAGE, 0 },
	{ PROT_READ | PROT_WRITE, MAP_PRIVATE, MADV_NOHUGEPAGE, 0 },
	{ PROT_READ | PROT_WRITE, MAP_PRIVATE, -1, 1 },
	{ PROT_READ | PROT_WRITE, MAP_PRIVATE, -1, 2 },
};

TEST(pid_host, flags_of_mappings)
{
	ASSERT(test_process_start(&p));
	for (unsigned int i = 0; i < ARRAY_SIZE(maps); i++) {
		void *at = mmap((void *)AT, 4 * PAGE, (int)maps[i].prot, (int)maps[i].flags | MAP_ANONYMOUS | MAP_FIXED,
				-1, 0);
		char want[200], got[200];
		int there = 0;
		long here = 0;

		ASSERT(at == (void *)AT);
		ASSERT(test_map(AT, 4 * PAGE, maps[i].prot, maps[i].flags | MAP_FIXED));
		if (maps[i].advice >= 0) {
			there = madvise(at, 4 * PAGE, maps[i].advice);
			here = ksys_madvise(AT, 4 * PAGE, maps[i].advice);
		}
		if (maps[i].lock) {
			there = mlock2(at, 4 * PAGE, maps[i].lock - 1);
			here = ksys_mlock(AT, 4 * PAGE, maps[i].lock - 1);
		}
		if (there) /* the host was built without it */
			continue;
		EXPECT_EQ(here, 0);
		ASSERT(read_theirs("/proc/self/smaps"));
		ours_len = 0;
		EXPECT_EQ(octavo_pid_map_read(p.task.mm, OCTAVO_PID_SMAPS, collect, NULL), 0);
		flags_line(want, sizeof(want), theirs);
		flags_line(got, sizeof(got), ours);
		if (strcmp(want, got))
			test_fail(__FILE__, __LINE__, "mapping %u:%s, Linux's:%s", i, got, want);
	}
	munmap((void *)AT, 4 * PAGE);
	test_process_exit(&p);
}
