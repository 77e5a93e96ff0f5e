// SPDX-License-Identifier: MIT
/* The test runner, freestanding: prints through the kernel log. */
#include "harness.h"

extern const struct test_case __start_octavo_tests[] __weak;
extern const struct test_case __stop_octavo_tests[] __weak;

u64 test_seed = 1;
static unsigned int failures; /* in the running test */
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
	capturing = false;
	printk("%s:%d: %s\n", file, line, text);
	capturing = was;
	failures++;
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

bool test_capture(const char *text, size_t len)
{
	if (!capturing)
		return false;
	len = min(len, sizeof(capture_text) - 1 - capture_len);
	memcpy(capture_text + capture_len, text, len);
	capture_len += len;
	return true;
}

unsigned int test_run(const char *only, void (*before)(void), unsigned int *ran)
{
	unsigned int failed = 0;
	char name[128];

	*ran = 0;
	for (const struct test_case *t = __start_octavo_tests; t < __stop_octavo_tests; t++) {
		octavo_snprintf(name, sizeof(name), "%s.%s", t->suite, t->name);
		if (only && !strstr(name, only))
			continue;
		failures = 0;
		if (before)
			before();
		t->fn();
		capturing = false;
		++*ran;
		if (failures) {
			failed++;
			printk("FAIL %s (seed %llu)\n", name, (unsigned long long)test_seed);
		}
	}
	return failed;
}
