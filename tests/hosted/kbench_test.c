// SPDX-License-Identifier: MIT
/* The in-kernel benches in a process: which rows they print, not what is in them. */
#include "bench/kbench.h"
#include "harness.h"
#include "octavo/port.h"

struct output {
	char text[4096];
	size_t used;
};

static void keep(void *ctx, const char *text, size_t len)
{
	struct output *out = ctx;

	len = min(len, sizeof(out->text) - 1 - out->used);
	memcpy(out->text + out->used, text, len);
	out->used += len;
	out->text[out->used] = 0;
}

static int run(struct output *out, const char *only)
{
	struct kbench b = { .clock = port_clock_ns, .unit = "ns", .only = only, .emit = keep, .ctx = out };

	out->used = 0;
	out->text[0] = 0;
	return kbench_run(&b);
}

static unsigned int rows(const char *text)
{
	unsigned int n = 0;

	for (const char *p = text; (p = strstr(p, "R K:")); p++)
		n++;
	return n;
}

TEST(kbench, rows_of_a_group)
{
	static struct output out;

	EXPECT_EQ(run(&out, "alloc_pages.KERNEL.o3"), 0);
	EXPECT_EQ(rows(out.text), 4);
	EXPECT(strstr(out.text, "R K:alloc_pages.KERNEL.o3.pair "));
	EXPECT(strstr(out.text, "R K:alloc_pages.KERNEL.o3.bulk_alloc(4096) "));
	EXPECT(strstr(out.text, " ns/pair\n"));
	EXPECT_EQ(run(&out, "alloc_pages.KERNEL.o3.random_free"), 0);
	EXPECT_EQ(rows(out.text), 1);
	EXPECT_EQ(run(&out, "clear_page"), 0);
	EXPECT_EQ(rows(out.text), 1);
	EXPECT_EQ(run(&out, "alloc_pages_bulk"), 0);
	EXPECT_EQ(rows(out.text), 1);
	EXPECT_EQ(run(&out, "kmalloc.64"), 0);
	EXPECT_EQ(rows(out.text), 4);
	EXPECT(strstr(out.text, "R K:kmalloc.64.bulk_alloc(20000) "));
	EXPECT_EQ(run(&out, "kmem_cache"), 0);
	EXPECT_EQ(rows(out.text), 2);
	EXPECT(strstr(out.text, "R K:kmem_cache.192.bulk_api_64.alloc+free "));
	EXPECT_EQ(run(&out, "nosuch"), -ENOENT);
	EXPECT_EQ(rows(out.text), 0);
}
