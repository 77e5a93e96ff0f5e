// SPDX-License-Identifier: MIT
/* octavo replay: traces as they are read, and policies whose results are known. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/replay.h"
#include "harness.h"

static const struct replay_format any = { .id = 2, .delimiter = ',' };

/* Reads @text as a file. */
static int read_text(struct replay_trace *trace, const char *text, const struct replay_format *format)
{
	char name[] = "/tmp/octavo-replay-XXXXXX";
	int fd = mkstemp(name), ret;

	if (fd < 0)
		return EXIT_FAILED;
	ret = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? EXIT_DONE : EXIT_FAILED;
	close(fd);
	if (!ret)
		ret = replay_read(trace, name, format);
	unlink(name);
	return ret;
}

static size_t misses(const struct replay_policy *policy, const struct replay_trace *trace, u32 pages)
{
	struct replay_result result = { 0 };

	EXPECT_EQ(policy->run(trace, pages, NULL, &result), EXIT_DONE);
	return result.misses;
}

TEST(replay, lackey_traces)
{
	struct replay_trace t;

	if (read_text(&t, "==12== Lackey, an example Valgrind tool\n"
			  "I  04001090,3\n"
			  " S 1fff000ff8,8\n"  /* ends with its page */
			  " S 1fff000ffc,8\n"  /* reaches into the next */
			  " L 1fff001000,8\n"  /* the same page again */
			  " M 04001fff,1\n"
			  "I  04002000,4\n", &any)) {
		test_fail(__FILE__, __LINE__, "cannot be read");
		return;
	}
	EXPECT_STREQ(t.format, "lackey");
	EXPECT_EQ(t.read, 7);
	EXPECT_EQ(t.nr, 5);
	EXPECT_EQ(t.pages, 4);
	EXPECT_EQ(t.writes, 3);
	/* numbers follow addresses */
	EXPECT_EQ(t.refs[0], 0);
	EXPECT_EQ(t.refs[1], 2 | REF_WRITE);
	EXPECT_EQ(t.refs[2], 3 | REF_WRITE);
	EXPECT_EQ(t.refs[3], 0 | REF_WRITE);
	EXPECT_EQ(t.refs[4], 1);
	free(t.refs);
	struct replay_format data = any;

	data.data = true;
	EXPECT_EQ(read_text(&t, "I  04001090,3\n L 04002000,4\n", &data), EXIT_DONE);
	EXPECT_EQ(t.read, 1);
	free(t.refs);
}

TEST(replay, csv_traces)
{
	struct replay_format f = any;
	struct replay_trace t;

	EXPECT_EQ(read_text(&t, "time, obj_id, size\n0,77,100\n1, 12 ,9000\n2,77,100\n3,a-name,1\n", &f), EXIT_DONE);
	EXPECT_STREQ(t.format, "csv");
	EXPECT_EQ(t.nr, 4);
	EXPECT_EQ(t.pages, 3);
	EXPECT_EQ(t.refs[2], 0);
	free(t.refs);
	f.size = 3;
	f.by_size = true;
	EXPECT_EQ(read_text(&t, "time,id,size\n0,77,100\n1,12,9000\n2,77,100\n", &f), EXIT_DONE);
	EXPECT_EQ(t.nr, 5);
	EXPECT_EQ(t.pages, 4);
	free(t.refs);
	f = (struct replay_format){ .id = 1, .op = 2, .delimiter = ' ', .format = "csv", .limit = 2 };
	EXPECT_EQ(read_text(&t, "7 read\n8 write\n9 read\n", &f), EXIT_DONE);
	EXPECT_EQ(t.nr, 2);
	EXPECT_EQ(t.refs[1], 1 | REF_WRITE);
	free(t.refs);
}

TEST(replay, packed_traces)
{
	char name[] = "/tmp/octavo-replay-XXXXXX", command[160], path[64];
	int fd = mkstemp(name);
	struct replay_trace t;

	if (fd < 0 || system("gzip --version > /dev/null 2>&1")) {
		test_skip("there is no gzip");
		return;
	}
	close(fd);
	snprintf(command, sizeof(command), "printf ' L 1000,8\\n L 2000,8\\n' | gzip > %s.gz", name);
	EXPECT_EQ(system(command), 0);
	snprintf(path, sizeof(path), "%s.gz", name);
	EXPECT_EQ(replay_read(&t, path, &any), EXIT_DONE);
	EXPECT_EQ(t.nr, 2);
	free(t.refs);
	unlink(path);
	unlink(name);
}

static u32 refs[20000];
static u64 seed = 7;

static struct replay_trace trace_of(size_t nr, u32 pages)
{
	return (struct replay_trace){ .refs = refs, .nr = nr, .read = nr, .pages = pages, .format = "csv" };
}

/* The reference string of Belady, Nelson and Shedler (1969), in which FIFO misses more with more memory. */
TEST(replay, known_results)
{
	static const u8 string[] = { 1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5 };
	struct replay_trace t = trace_of(sizeof(string), 6);

	for (size_t i = 0; i < sizeof(string); i++)
		refs[i] = string[i];
	EXPECT_EQ(misses(&replay_fifo, &t, 3), 9);
	EXPECT_EQ(misses(&replay_fifo, &t, 4), 10);
	EXPECT_EQ(misses(&replay_lru, &t, 3), 10);
	EXPECT_EQ(misses(&replay_lru, &t, 4), 8);
	EXPECT_EQ(misses(&replay_opt, &t, 3), 7);
	EXPECT_EQ(misses(&replay_opt, &t, 4), 6);
	EXPECT_EQ(misses(&replay_clock, &t, 3), 10);
	EXPECT_EQ(misses(&replay_clock, &t, 4), 8);
}

/* The fewest misses that any choice of victims gives: all are tried. @here: resident pages as bits. */
static unsigned int best(const struct replay_trace *t, size_t i, u32 here, u32 pages)
{
	unsigned int least = ~0u;

	for (; i < t->nr && here >> t->refs[i] & 1; i++)
		;
	if (i == t->nr)
		return 0;
	if ((u32)__builtin_popcount(here) < pages)
		return 1 + best(t, i + 1, here | 1u << t->refs[i], pages);
	for (u32 out = here; out; out &= out - 1) {
		unsigned int n = 1 + best(t, i + 1, (here & ~(out & -out)) | 1u << t->refs[i], pages);

		least = n < least ? n : least;
	}
	return least;
}

TEST(replay, opt_is_the_optimum)
{
	for (unsigned int round = 0; round < 60; round++) {
		struct replay_trace t = trace_of(14, 6);

		for (size_t i = 0; i < t.nr; i++)
			refs[i] = (u32)(test_random(&seed) % 6);
		for (u32 pages = 1; pages < 5; pages++)
			EXPECT_EQ(misses(&replay_opt, &t, pages), best(&t, 0, 0, pages));
	}
}

/* LRU by looking back: a miss if as many other pages were used since. */
static size_t lru_slowly(const struct replay_trace *t, u32 pages)
{
	size_t n = 0;

	for (size_t i = 0; i < t->nr; i++) {
		u64 since[4] = { 0 };
		u32 others = 0;
		size_t k = i;

		while (k-- > 0 && t->refs[k] != t->refs[i]) {
			others += !(since[t->refs[k] / 64] >> t->refs[k] % 64 & 1);
			since[t->refs[k] / 64] |= 1ull << t->refs[k] % 64;
		}
		n += k == ~(size_t)0 || others >= pages;
	}
	return n;
}

TEST(replay, policies_against_each_other)
{
	struct replay_trace t = trace_of(4000, 200);

	for (size_t i = 0; i < t.nr; i++)
		refs[i] = (u32)(test_random(&seed) % 200 * (test_random(&seed) % 200) / 200);
	for (u32 pages = 1; pages <= 200; pages = pages * 2 + 1) {
		size_t opt = misses(&replay_opt, &t, pages);

		EXPECT_EQ(misses(&replay_lru, &t, pages), lru_slowly(&t, pages));
		EXPECT(misses(&replay_fifo, &t, pages) >= opt);
		EXPECT(misses(&replay_clock, &t, pages) >= opt);
		EXPECT(misses(&replay_arc, &t, pages) >= opt);
	}
	EXPECT_EQ(misses(&replay_arc, &t, 200), misses(&replay_opt, &t, 200));
}

/* What ARC is for: pages that are used again and again survive a scan of pages that are used once. */
TEST(replay, arc_survives_scans)
{
	struct replay_trace t = trace_of(0, 5050);

	for (u32 scan = 0; scan < 50; scan++) {
		for (u32 i = 0; i < 100; i++)
			refs[t.nr++] = i % 50;
		for (u32 i = 0; i < 100; i++)
			refs[t.nr++] = 50 + scan * 100 + i;
	}
	EXPECT(misses(&replay_arc, &t, 100) < 5050 + 150);
	EXPECT(misses(&replay_lru, &t, 100) >= 5050 + 49 * 50);
}
