// SPDX-License-Identifier: MIT
/*
 * Lines, echo and signals of a terminal: termios(3), POSIX.1-2017 chapter 11.
 *
 * One ring holds what was typed. In canonical mode bytes behind @line are still being edited; a line ends with a marked
 * byte, and ^D marks an end without a byte of its own.
 */
#include "ldisc.h"

#include "mm/base/compiler.h"

#define CTRL(c) ((c) & 31)

enum { INTERRUPT = 2, QUIT = 3, SUSPEND = 20 }; /* their signals: signal(7) */

void ldisc_init(struct ldisc *ld, void (*put)(void *ctx, const char *text, size_t len), void *ctx)
{
	*ld = (struct ldisc){
		.put = put,
		.ctx = ctx,
		.termios = {
			.iflag = ICRNL | IXON,
			.oflag = OPOST | ONLCR,
			.cflag = B115200 | CS8 | CREAD | HUPCL,
			.lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
			.cc = { [VINTR] = CTRL('C'), [VQUIT] = CTRL('\\'), [VERASE] = 127, [VKILL] = CTRL('U'),
				[VEOF] = CTRL('D'), [VMIN] = 1, [VSTART] = CTRL('Q'), [VSTOP] = CTRL('S'),
				[VSUSP] = CTRL('Z'), [VREPRINT] = CTRL('R'), [VDISCARD] = CTRL('O'),
				[VWERASE] = CTRL('W'), [VLNEXT] = CTRL('V') },
		},
	};
}

static bool is(const struct ldisc *ld, u8 c, unsigned int which)
{
	return c && ld->termios.cc[which] == c;
}

static bool local(const struct ldisc *ld, u32 flag)
{
	return ld->termios.lflag & flag;
}

/* ---- Output ---- */

void ldisc_write(struct ldisc *ld, const char *text, size_t len)
{
	size_t from = 0;

	if (!(ld->termios.oflag & OPOST)) {
		ld->put(ld->ctx, text, len);
		return;
	}
	for (size_t i = 0; i < len; i++) {
		bool nl = text[i] == '\n' && ld->termios.oflag & ONLCR;
		bool cr = text[i] == '\r' && ld->termios.oflag & OCRNL;

		if (!nl && !cr)
			continue;
		if (i > from)
			ld->put(ld->ctx, text + from, i - from);
		ld->put(ld->ctx, nl ? "\r\n" : "\n", nl ? 2 : 1);
		from = i + 1;
	}
	if (len > from)
		ld->put(ld->ctx, text + from, len - from);
}

static bool shown_as_two(const struct ldisc *ld, u8 c)
{
	return local(ld, ECHOCTL) && ((c < 32 && c != '\t' && c != '\n') || c == 127);
}

static void echo(struct ldisc *ld, u8 c)
{
	char text[2] = { '^', (char)(c ^ 64) };

	if (c == '\n' ? !local(ld, ECHO) && !(local(ld, ECHONL) && local(ld, ICANON)) : !local(ld, ECHO))
		return;
	if (shown_as_two(ld, c)) {
		ld->put(ld->ctx, text, 2);
	} else {
		text[0] = (char)c;
		ldisc_write(ld, text, 1);
	}
}

static void unecho(struct ldisc *ld, u8 c)
{
	if (!local(ld, ECHO))
		return;
	for (int n = shown_as_two(ld, c) ? 2 : 1; n; n--)
		ld->put(ld->ctx, "\b \b", 3);
}

/* ---- Editing the line ---- */

static void store(struct ldisc *ld, u8 c, u8 mark)
{
	/* A full ring keeps room for the end of the line. */
	if (ld->head - ld->tail >= LDISC_BYTES - !mark) {
		ld->put(ld->ctx, "\a", 1);
		return;
	}
	ld->byte[ld->head % LDISC_BYTES] = c;
	ld->mark[ld->head % LDISC_BYTES] = mark;
	ld->head++;
	if (mark || !local(ld, ICANON))
		ld->line = ld->head;
}

static u8 erase(struct ldisc *ld)
{
	u8 c = ld->byte[--ld->head % LDISC_BYTES];

	/* The later bytes of a UTF-8 character have no column. */
	if ((c & 0xc0) != 0x80)
		unecho(ld, c);
	return c;
}

static u8 last_byte(const struct ldisc *ld)
{
	return ld->byte[(ld->head - 1) % LDISC_BYTES];
}

static void erase_char(struct ldisc *ld)
{
	while (ld->head != ld->line && (erase(ld) & 0xc0) == 0x80)
		;
}

static void erase_word(struct ldisc *ld)
{
	while (ld->head != ld->line && last_byte(ld) == ' ')
		erase(ld);
	while (ld->head != ld->line && last_byte(ld) != ' ')
		erase(ld);
}

static void erase_line(struct ldisc *ld, u8 c)
{
	if (local(ld, ECHOKE)) {
		while (ld->head != ld->line)
			erase(ld);
		return;
	}
	ld->head = ld->line;
	echo(ld, c);
	if (local(ld, ECHOK))
		echo(ld, '\n');
}

static void reprint(struct ldisc *ld, u8 c)
{
	echo(ld, c);
	echo(ld, '\n');
	for (u32 i = ld->line; i != ld->head; i++)
		echo(ld, ld->byte[i % LDISC_BYTES]);
}

/* Return: the byte was about editing. */
static bool edit(struct ldisc *ld, u8 c)
{
	bool extended = local(ld, IEXTEN);

	if (is(ld, c, VERASE) || (c == '\b' && ld->termios.cc[VERASE] == 127))
		erase_char(ld);
	else if (is(ld, c, VKILL))
		erase_line(ld, c);
	else if (extended && is(ld, c, VWERASE))
		erase_word(ld);
	else if (extended && is(ld, c, VREPRINT))
		reprint(ld, c);
	else
		return false;
	return true;
}

/* ---- Input ---- */

void ldisc_flush(struct ldisc *ld)
{
	ld->tail = ld->line = ld->head;
}

static int signal_of(struct ldisc *ld, u8 c)
{
	int signo = is(ld, c, VINTR) ? INTERRUPT : is(ld, c, VQUIT) ? QUIT : is(ld, c, VSUSP) ? SUSPEND : 0;

	if (!signo)
		return 0;
	if (!local(ld, NOFLSH))
		ldisc_flush(ld);
	ld->stopped = false;
	echo(ld, c);
	return signo;
}

int ldisc_input(struct ldisc *ld, u8 c)
{
	u32 flags = ld->termios.iflag;
	int signo;

	if (ld->literal) {
		ld->literal = false;
		echo(ld, c);
		store(ld, c, 0);
		return 0;
	}
	if (c == '\r' && flags & IGNCR)
		return 0;
	if (c == '\r' && flags & ICRNL)
		c = '\n';
	else if (c == '\n' && flags & INLCR)
		c = '\r';
	if (flags & IXON && (is(ld, c, VSTOP) || is(ld, c, VSTART))) {
		ld->stopped = is(ld, c, VSTOP);
		return 0;
	}
	if (local(ld, ISIG)) {
		signo = signal_of(ld, c);
		if (signo)
			return signo;
	}
	if (local(ld, ICANON)) {
		if (local(ld, IEXTEN) && is(ld, c, VLNEXT)) {
			ld->literal = true;
			return 0;
		}
		if (edit(ld, c))
			return 0;
		if (is(ld, c, VEOF)) {
			store(ld, 0, LDISC_END | LDISC_EOF);
			return 0;
		}
		if (c == '\n' || is(ld, c, VEOL) || is(ld, c, VEOL2)) {
			echo(ld, c);
			store(ld, c, LDISC_END);
			return 0;
		}
	}
	echo(ld, c);
	store(ld, c, 0);
	return 0;
}

/* ---- Reading ---- */

u32 ldisc_readable(const struct ldisc *ld)
{
	u32 n = 0;

	for (u32 i = ld->tail; i != ld->line; i++)
		n += !(ld->mark[i % LDISC_BYTES] & LDISC_EOF);
	return n;
}

bool ldisc_ready(const struct ldisc *ld)
{
	return ld->tail != ld->line;
}

u32 ldisc_read(struct ldisc *ld, char *to, u32 size, bool *line_end)
{
	u32 n = 0;

	*line_end = false;
	while (ld->tail != ld->line) {
		u8 mark = ld->mark[ld->tail % LDISC_BYTES];

		/* An end behind a buffer's worth is the same read's: the next one is not to see an empty file. */
		if (n == size && !(mark & LDISC_EOF))
			break;
		if (!(mark & LDISC_EOF))
			to[n++] = (char)ld->byte[ld->tail % LDISC_BYTES];
		ld->tail++;
		if (mark & LDISC_END && local(ld, ICANON)) {
			*line_end = true;
			break;
		}
	}
	return n;
}

void ldisc_set(struct ldisc *ld, const struct ktermios *termios)
{
	ld->termios = *termios;
	if (!local(ld, ICANON))
		ld->line = ld->head;
}
