// SPDX-License-Identifier: MIT
/* The monitor's pressure and scenarios, as a program reads them. */
#include <stdio.h>
#include <string.h>

#include "hosted.h"
#include "shown.h"

static int run(const char *command)
{
	struct monitor mon = { .emit = shown_emit };

	return shown_run(&mon, command);
}

/* The last line. */
static const char *last(void)
{
	size_t len = strlen(shown);

	if (len)
		shown[--len] = 0;
	while (len && shown[len - 1] != '\n')
		len--;
	return shown + len;
}

TEST(monitor_pressure, results_for_programs)
{
	unsigned long written, verified, bad, refused;
	int len = 0;

	ASSERT(!hosted_boot_default(&(struct hosted_options){ .quiet = true }));
	EXPECT_EQ(run("hog 1 json"), 0);
	EXPECT_EQ(sscanf(last(),
			 "{\"written\":%lu,\"verified\":%lu,\"bad\":%lu,\"refused\":%lu,\"killed\":0}%n",
			 &written, &verified, &bad, &refused, &len),
		  4);
	EXPECT_EQ(last()[len], 0);
	EXPECT(written && verified);
	EXPECT_EQ(bad | refused, 0);
	EXPECT_EQ(run("hog 1"), 0);
	EXPECT(strstr(last(), " 0 of them wrong"));
	EXPECT(!strstr(shown, "refused"));
	EXPECT_EQ(run("pressure json"), 0);
	EXPECT(!strncmp(shown, "{\"ms\":0,\"nr_free_pages\":", 24));
	EXPECT_EQ(run("pressure"), 0);
	EXPECT(!strncmp(shown, "pressure ", 9));
	EXPECT_EQ(run("pressure jsn"), -EINVAL);
	EXPECT_STREQ(shown, "usage: pressure [json]\n");
	EXPECT_EQ(run("pressure json now"), -EINVAL);
	hosted_reset();
}
