// SPDX-License-Identifier: MIT
/* octavo replay: options and traces that make no sense are told of, and end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/replay.h"
#include "harness.h"

/* The command's exit code; what it says on standard error is in @said. */
static int replay(char *said, size_t size, char *option, char *value, char *path)
{
	char *argv[] = { "replay", option, value, path, NULL };
	FILE *to = tmpfile();
	int saved = dup(STDERR_FILENO), ret;
	size_t n;

	if (!to || saved < 0)
		return -1;
	fflush(stderr);
	dup2(fileno(to), STDERR_FILENO);
	ret = replay_main(4, argv);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(to);
	n = fread(said, 1, size - 1, to);
	said[n] = 0;
	fclose(to);
	return ret;
}

static void expect_refused(const char *option, const char *value, const char *text)
{
	char said[512], name[16], word[16];

	strcpy(name, option);
	strcpy(word, value);
	EXPECT_EQ(replay(said, sizeof(said), name, word, "/nowhere"), EXIT_USAGE);
	EXPECT_STREQ(said, text);
}

TEST(replay_options, lists_with_nothing_in_them)
{
	expect_refused("--sizes", "", "octavo: --sizes: there is no size in the list\n");
	expect_refused("--sizes", ",", "octavo: --sizes: there is no size in the list\n");
	expect_refused("--policies", "", "octavo: --policies: there is no policy in the list\n");
	expect_refused("--policies", ",,", "octavo: --policies: there is no policy in the list\n");
}

static int read_sizes(struct replay_trace *trace, const char *text, size_t limit)
{
	const struct replay_format format = { .id = 1, .size = 2, .delimiter = ',', .format = "csv",
					      .by_size = true, .limit = limit };
	char name[] = "/tmp/octavo-replay-XXXXXX";
	int fd = mkstemp(name), ret = EXIT_FAILED;

	if (fd < 0)
		return ret;
	if (write(fd, text, strlen(text)) == (ssize_t)strlen(text))
		ret = replay_read(trace, name, &format);
	close(fd);
	unlink(name);
	return ret;
}

/* Sizes nothing has are lines left out; the limit holds within an object. */
TEST(replay_options, sizes_beyond_reason)
{
	struct replay_trace t;

	EXPECT_EQ(read_sizes(&t, "1,4097\n2,1000000000000000000\n3,18446744073709551615\n4,1\n", 0), EXIT_DONE);
	EXPECT_EQ(t.nr, 3);
	EXPECT_EQ(t.pages, 3);
	free(t.refs);
	EXPECT_EQ(read_sizes(&t, "1,68719476736\n2,1\n", 10), EXIT_DONE);
	EXPECT_EQ(t.read, 10);
	EXPECT_EQ(t.pages, 10);
	free(t.refs);
}

/* Room for more pages than there are costs nothing. */
TEST(replay_options, memory_beyond_need)
{
	u32 refs[] = { 0, 1, 2, 0, 1, 2 };
	struct replay_trace t = { .refs = refs, .nr = 6, .read = 6, .pages = 3, .format = "csv" };
	const struct replay_policy *const all[] = { &replay_fifo, &replay_clock, &replay_lru, &replay_arc,
						    &replay_opt };

	for (unsigned int i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct replay_result result = { 0 };

		EXPECT_EQ(all[i]->run(&t, REF_PAGE, NULL, &result), EXIT_DONE);
		EXPECT_EQ(result.misses, 3);
	}
}
