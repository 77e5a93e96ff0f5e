/* SPDX-License-Identifier: MIT */
/*
 * Tests that run anywhere the core runs: hosted and on bare metal.
 *
 *	TEST(memblock, adds_merge)
 *	{
 *		EXPECT_EQ(1, 1);
 *	}
 *
 * A test registers itself. It runs on a booted machine (hosted: a small one, booted afresh for each test).
 * A failed EXPECT is counted and the test goes on; a failed ASSERT returns from the function it stands in.
 */
#ifndef TESTS_HARNESS_H
#define TESTS_HARNESS_H

#include "mm/base/compiler.h"
#include "mm/base/printk.h"
#include "mm/base/string.h"

struct test_case {
	const char *suite;
	const char *name;
	void (*fn)(void);
	const char *file;
};

#define TEST(suite_, name_)                                                                            \
	static void test_##suite_##_##name_(void);                                                      \
	static const struct test_case case_##suite_##_##name_                                           \
		__attribute__((used, section("octavo_tests"), aligned(sizeof(void *)))) = {              \
			#suite_, #name_, test_##suite_##_##name_, __FILE__                               \
		};                                                                                      \
	static void test_##suite_##_##name_(void)

__printf(3, 4) void test_fail(const char *file, int line, const char *fmt, ...);

#define EXPECT(cond)                                                     \
	do {                                                             \
		if (!(cond))                                             \
			test_fail(__FILE__, __LINE__, "not true: %s", #cond); \
	} while (0)
#define ASSERT(cond)                                                     \
	do {                                                             \
		if (!(cond)) {                                           \
			test_fail(__FILE__, __LINE__, "not true: %s", #cond); \
			return;                                          \
		}                                                        \
	} while (0)
#define EXPECT_EQ(got, want)                                                                        \
	do {                                                                                        \
		long long _got = (long long)(got), _want = (long long)(want);                       \
		if (_got != _want)                                                                  \
			test_fail(__FILE__, __LINE__, "%s is %lld (0x%llx), not %lld (0x%llx)", #got, _got, \
				  (unsigned long long)_got, _want, (unsigned long long)_want);       \
	} while (0)
#define EXPECT_STREQ(got, want)                                                                  \
	do {                                                                                     \
		const char *_got = (got), *_want = (want);                                       \
		if (strcmp(_got, _want))                                                         \
			test_fail(__FILE__, __LINE__, "%s is\n%s\nnot\n%s", #got, _got, _want);     \
	} while (0)

/* A seeded generator for tests: xorshift64*, never 0. */
static inline u64 test_random(u64 *state)
{
	u64 x = *state ? *state : 0x9e3779b97f4a7c15ull;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545f4914f6cdd1dull;
}

/*
 * test_skip - this test cannot run here; return after it. @reason says exactly what is missing.
 */
__printf(1, 2) void test_skip(const char *reason, ...);
#define SKIP(...)                       \
	do {                            \
		test_skip(__VA_ARGS__); \
		return;                 \
	} while (0)

enum test_outcome { TEST_PASSED, TEST_FAILED, TEST_SKIPPED };

struct test_counts {
	unsigned int passed, failed, skipped;
};

/* All tests, as an array that the linker made. */
const struct test_case *test_first(void);
const struct test_case *test_end(void);

/* Does "suite.name" contain @pattern? NULL is in every name. */
bool test_matches(const struct test_case *test, const char *pattern);

/* Runs one test; says FAIL or SKIP and its name if it does. */
enum test_outcome test_run_case(const struct test_case *test);

/*
 * Runs the tests that match @pattern, one after the other. @before is called ahead of each and may be NULL.
 * Return: the number of failed tests.
 */
unsigned int test_run(const char *pattern, void (*before)(void), struct test_counts *counts);

/* For those that tell a reader of findings (mm_verify(), struct findings): each fails the test. */
void test_finding(void *ctx, const char *line);
/* mm_verify() finds nothing. */
void expect_verified(void);

/* The seed of this run's random tests (hosted: --seed); printed when a test fails. */
extern u64 test_seed;

/*
 * How much random and repeated tests do, in percent (hosted: --effort): slow builds do less, a night's run more.
 * Return: that part of @full, at least 1.
 */
extern unsigned int test_effort;
unsigned int test_scaled(unsigned int full);

/*
 * Console capture for tests that expect a report: everything printed between begin and end. Not nested.
 */
void test_capture_begin(void);
const char *test_capture_end(void);
/*
 * For tests of the test tools: failures between begin and end are expected. They do not fail the test, and what
 * they print is captured. Return of end: how many there were; *@text (may be NULL): what they printed.
 */
void test_expect_begin(void);
unsigned int test_expect_end(const char **text);
/* For the port's console: true if the text was captured and is not to be shown. */
bool test_capture(const char *text, size_t len);

#endif
