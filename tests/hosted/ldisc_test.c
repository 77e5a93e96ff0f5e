// SPDX-License-Identifier: MIT
/* The reference kernel's line discipline: editing, echo, signals, raw mode. */
#include "kernel/ldisc.h"

#include "harness.h"

static struct ldisc ld;
static char screen[4096];
static size_t screen_len;

static void put(void *ctx, const char *text, size_t len)
{
	(void)ctx;
	memcpy(screen + screen_len, text, len);
	screen_len += len;
	screen[screen_len] = 0;
}

static void begin(void)
{
	ldisc_init(&ld, put, NULL);
	screen_len = 0;
	screen[0] = 0;
}

/* Return: the last signal. */
static int type(const char *text)
{
	int signo = 0, s;

	for (; *text; text++) {
		s = ldisc_input(&ld, (u8)*text);
		signo = s ? s : signo;
	}
	return signo;
}

static const char *take(u32 size)
{
	static char text[LDISC_BYTES + 1];
	bool end;

	text[ldisc_read(&ld, text, size, &end)] = 0;
	return text;
}

TEST(ldisc, gives_whole_lines)
{
	begin();
	type("ab");
	EXPECT(!ldisc_ready(&ld));
	type("c\rnext");
	EXPECT(ldisc_ready(&ld));
	EXPECT_EQ(ldisc_readable(&ld), 4);
	EXPECT_STREQ(take(100), "abc\n");
	EXPECT(!ldisc_ready(&ld));
	EXPECT_STREQ(screen, "abc\r\nnext");
	type("\r");
	EXPECT_STREQ(take(2), "ne");
	EXPECT_STREQ(take(100), "xt\n");
}

TEST(ldisc, edits)
{
	begin();
	type("helx\177lo\r");
	EXPECT_STREQ(take(100), "hello\n");
	EXPECT_STREQ(screen, "helx\b \blo\r\n");
	type("one two\027three\r"); /* ^W */
	EXPECT_STREQ(take(100), "one three\n");
	type("wrong\025right\r"); /* ^U */
	EXPECT_STREQ(take(100), "right\n");
	type("\177\177\r"); /* nothing to erase: not what came before */
	EXPECT_STREQ(take(100), "\n");
	type("\303\251\177x\r"); /* two bytes, one character */
	EXPECT_STREQ(take(100), "x\n");
	begin();
	type("a\026\003b\r"); /* ^V makes ^C a byte */
	EXPECT_STREQ(take(100), "a\003b\n");
	EXPECT_STREQ(screen, "a^Cb\r\n");
}

TEST(ldisc, ends_files)
{
	bool end;
	char text[8];

	begin();
	type("ab\004cd\r");
	EXPECT_STREQ(take(100), "ab");
	EXPECT_STREQ(take(100), "cd\n");
	type("\004");
	EXPECT(ldisc_ready(&ld));
	EXPECT_EQ(ldisc_readable(&ld), 0);
	EXPECT_EQ(ldisc_read(&ld, text, sizeof(text), &end), 0);
	EXPECT(end && !ldisc_ready(&ld));
	/* ^D behind exactly what a reader has room for is not another, empty file. */
	type("wxyz\004");
	EXPECT_EQ(ldisc_read(&ld, text, 4, &end), 4);
	EXPECT(end && !ldisc_ready(&ld));
}

TEST(ldisc, raises_signals)
{
	begin();
	EXPECT_EQ(type("lost\003"), 2);
	EXPECT_EQ(type("\034"), 3);
	EXPECT_EQ(type("\032"), 20);
	EXPECT_STREQ(screen, "lost^C^\\^Z");
	type("\r");
	EXPECT_STREQ(take(100), "\n");
	ld.termios.lflag |= NOFLSH;
	type("kept\003\r");
	EXPECT_STREQ(take(100), "kept\n");
	ld.termios.lflag &= ~ISIG;
	EXPECT_EQ(type("\003\r"), 0);
	EXPECT_STREQ(take(100), "\003\n");
}

TEST(ldisc, raw_bytes_at_once)
{
	struct ktermios raw;

	begin();
	type("typed ahead");
	EXPECT(!ldisc_ready(&ld));
	raw = ld.termios;
	raw.lflag &= ~(ICANON | ECHO | ISIG);
	raw.iflag &= ~ICRNL;
	ldisc_set(&ld, &raw);
	EXPECT_STREQ(take(100), "typed ahead");
	screen_len = 0;
	screen[0] = 0;
	type("\177\003\r\004x");
	EXPECT_EQ(ldisc_readable(&ld), 5);
	EXPECT_STREQ(take(3), "\177\003\r");
	EXPECT_STREQ(take(3), "\004x");
	EXPECT_STREQ(screen, "");
}

TEST(ldisc, stops_and_goes_on)
{
	begin();
	type("\023");
	EXPECT(ld.stopped);
	type("\021a\r");
	EXPECT(!ld.stopped);
	EXPECT_STREQ(take(100), "a\n");
	ld.termios.iflag &= ~IXON;
	type("\023\r");
	EXPECT(!ld.stopped);
	EXPECT_STREQ(take(100), "\023\n");
}

TEST(ldisc, output_begins_lines_at_the_left)
{
	begin();
	ldisc_write(&ld, "a\nb\n", 4);
	EXPECT_STREQ(screen, "a\r\nb\r\n");
	ld.termios.oflag = 0;
	ldisc_write(&ld, "c\n", 2);
	EXPECT_STREQ(screen, "a\r\nb\r\nc\n");
}

/* Nothing typed without end may go beyond the ring, and its end can still be typed. */
TEST(ldisc, a_line_without_end)
{
	u32 n;

	begin();
	for (unsigned int i = 0; i < 3 * LDISC_BYTES; i++) {
		ldisc_input(&ld, 'x');
		screen_len = 0;
	}
	EXPECT(!ldisc_ready(&ld));
	type("\r");
	n = (u32)strlen(take(LDISC_BYTES));
	EXPECT_EQ(n, LDISC_BYTES);
	EXPECT(!ldisc_ready(&ld));
}
