// SPDX-License-Identifier: MIT
/* The test runner, freestanding: prints through the kernel log. */
#include "harness.h"

#include <octavo/verify.h>

#include "mm/sync/lockdep.h"

extern const struct test_case __start_octavo_tests[] __weak;
extern const struct test_case __stop_octavo_tests[] __weak;

u64 test_seed = 1;
unsigned int test_effort = 100;
static unsigned int failures; /* in the running test */
static unsigned int expected; /* failures while expecting */
static bool skipped, expecting;
static char capture_text[16384];
static size_t capture_len;
static bool capturing;

void test_fail(const char *file, int line, const char *fmt, ...)
{
	char text[1024];
	va_list args;
	bool was = capturing;

	va_start(args, fmt);
	octavo_vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (expecting) {
		printk("%s\n", text);
		expected++;
		return;
	}
	capturing = false;
	printk("%s:%d: %s\n", file, line, text);
	capturing = was;
	failures++;
}

void test_finding(void *ctx, const char *line)
{
	(void)ctx;
	test_fail(__FILE__, __LINE__, "%s", line);
}

void expect_verified(void)
{
	EXPECT_EQ(mm_verify(test_finding, NULL), 0);
}

unsigned int test_scaled(unsigned int full)
{
	u64 part = (u64)full * test_effort / 100;

	return part < 1 ? 1 : part > ~0u ? ~0u : (unsigned int)part;
}

void test_capture_begin(void)
{
	capture_len = 0;
	capturing = true;
}

const char *test_capture_end(void)
{
	capturing = false;
	capture_text[capture_len] = 0;
	return capture_text;
}

void test_expect_begin(void)
{
	expected = 0;
	expecting = true;
	test_capture_begin();
}

unsigned int test_expect_end(const char **text)
{
	const char *said = test_capture_end();

	if (text)
		*text = said;
	expecting = false;
	return expected;
}

bool test_capture(const char *text, size_t len)
{
	if (!capturing)
		return false;
	len = min(len, sizeof(capture_text) - 1 - capture_len);
	memcpy(capture_text + capture_len, text, len);
	capture_len += len;
	return true;
}

void test_skip(const char *reason, ...)
{
	char text[512];
	va_list args;

	va_start(args, reason);
	octavo_vsnprintf(text, sizeof(text), reason, args);
	va_end(args);
	capturing = false;
	printk("skipped: %s\n", text);
	skipped = true;
}

const struct test_case *test_first(void)
{
	return __start_octavo_tests;
}

const struct test_case *test_end(void)
{
	return __stop_octavo_tests;
}

static void test_name(const struct test_case *test, char name[128])
{
	octavo_snprintf(name, 128, "%s.%s", test->suite, test->name);
}

bool test_matches(const struct test_case *test, const char *pattern)
{
	char name[128];

	test_name(test, name);
	return !pattern || strstr(name, pattern);
}

enum test_outcome test_run_case(const struct test_case *test)
{
	char name[128];

	unsigned int reports = lockdep_reports;

	failures = 0;
	skipped = expecting = false;
	test->fn();
	capturing = false;
	if (lockdep_reports != reports)
		test_fail(test->file, 0, "%u wrong lock orders were reported", lockdep_reports - reports);
	test_name(test, name);
	if (failures)
		printk("FAIL %s (seed %llu)\n", name, (unsigned long long)test_seed);
	else if (skipped)
		printk("SKIP %s\n", name);
	return failures ? TEST_FAILED : skipped ? TEST_SKIPPED : TEST_PASSED;
}

unsigned int test_run(const char *pattern, void (*before)(void), struct test_counts *counts)
{
	*counts = (struct test_counts){ 0, 0, 0 };
	for (const struct test_case *t = test_first(); t < test_end(); t++) {
		enum test_outcome outcome;

		if (!test_matches(t, pattern))
			continue;
		if (before)
			before();
		outcome = test_run_case(t);
		counts->passed += outcome == TEST_PASSED;
		counts->failed += outcome == TEST_FAILED;
		counts->skipped += outcome == TEST_SKIPPED;
	}
	return counts->failed;
}
