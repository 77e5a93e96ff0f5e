// SPDX-License-Identifier: MIT
#include "harness.h"

static const char *fmt(const char *format, ...)
{
	static char text[128];
	va_list args;

	va_start(args, format);
	octavo_vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return text;
}

TEST(format, numbers)
{
	EXPECT_STREQ(fmt("%d %u %x", -1, 7u, 0xabu), "-1 7 ab");
	EXPECT_STREQ(fmt("[%5d|%-5d|%05d]", 42, 42, -42), "[   42|42   |-0042]");
	EXPECT_STREQ(fmt("%#x %#018llx", 16u, 0x1000ull), "0x10 0x0000000000001000");
	EXPECT_STREQ(fmt("%llu %zu %lx", ~0ull, (size_t)3, 0xfful), "18446744073709551615 3 ff");
	EXPECT_STREQ(fmt("%lld", (long long)(1ull << 63)), "-9223372036854775808");
}

TEST(format, text)
{
	EXPECT_STREQ(fmt("%-8s|%8s|%.2s|%c%%", "ab", "cd", "xyz", 'q'), "ab      |      cd|xy|q%");
	EXPECT_STREQ(fmt("%*d%s", 4, 1, (char *)NULL), "   1(null)");
}

TEST(format, cut)
{
	char small[4] = "zzz";

	EXPECT_EQ(octavo_snprintf(small, sizeof(small), "%d", 12345), 5);
	EXPECT_STREQ(small, "123");
	EXPECT_EQ(octavo_snprintf(NULL, 0, "%s", "abc"), 3);
}

TEST(string, memparse)
{
	const char *end;

	EXPECT_EQ(memparse("512M", &end), 512ll << 20);
	EXPECT_EQ(*end, 0);
	EXPECT_EQ(memparse("0x10k@1", &end), 16384);
	EXPECT_EQ(*end, '@');
	EXPECT_EQ(memparse("99999999999999999999G", &end), ~0ull);
	EXPECT_EQ(memparse("16E", &end), ~0ull);
	const char *none = "x";
	memparse(none, &end);
	EXPECT(end == none);
}

TEST(string, int_sqrt)
{
	for (u64 i = 0; i < 1000; i++) {
		EXPECT_EQ(int_sqrt(i * i), i);
		EXPECT_EQ(int_sqrt(i * i + 2 * i), i);
	}
	EXPECT_EQ(int_sqrt(~0ull), 0xffffffffu);
}
