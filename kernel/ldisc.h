/* SPDX-License-Identifier: MIT */
/* The line discipline of terminals: termios(3). Pure: whoever calls it holds the terminal's lock. */
#ifndef KERNEL_LDISC_H
#define KERNEL_LDISC_H

#include <octavo/types.h>

enum {
	VINTR, VQUIT, VERASE, VKILL, VEOF, VTIME, VMIN, VSWTC, VSTART, VSTOP, VSUSP, VEOL, VREPRINT, VDISCARD, VWERASE,
	VLNEXT, VEOL2, NCCS = 19
};

/* As ioctl(TCGETS) gives it on x86-64. */
struct ktermios {
	u32 iflag, oflag, cflag, lflag;
	u8 line;
	u8 cc[NCCS];
};
octavo_static_assert(sizeof(struct ktermios) == 36, "struct termios of the kernel's");

#define INLCR 0100u
#define IGNCR 0200u
#define ICRNL 0400u
#define IXON 02000u
#define OPOST 01u
#define ONLCR 04u
#define OCRNL 010u
#define CS8 060u
#define CREAD 0200u
#define HUPCL 02000u
#define B115200 010002u
#define ISIG 01u
#define ICANON 02u
#define ECHO 010u
#define ECHOE 020u
#define ECHOK 040u
#define ECHONL 0100u
#define NOFLSH 0200u
#define TOSTOP 0400u
#define ECHOCTL 01000u
#define ECHOKE 04000u
#define IEXTEN 0100000u

#define LDISC_BYTES 4096u /* also the longest line */

struct ldisc {
	struct ktermios termios;
	void (*put)(void *ctx, const char *text, size_t len); /* to the terminal's screen */
	void *ctx;
	u32 head, line, tail; /* written; behind the last complete line; read. Counted without end. */
	bool stopped, literal;
	u8 byte[LDISC_BYTES];
	u8 mark[LDISC_BYTES]; /* LDISC_END, LDISC_EOF */
};
#define LDISC_END 1u /* a line ends with this byte */
#define LDISC_EOF 2u /* and the byte is not part of it */

void ldisc_init(struct ldisc *ld, void (*put)(void *ctx, const char *text, size_t len), void *ctx);
/* A byte came in. Return: the signal that the foreground processes are to get, or 0. */
int ldisc_input(struct ldisc *ld, u8 c);
/* Bytes that a reader could get now. In canonical mode: of complete lines. */
u32 ldisc_readable(const struct ldisc *ld);
/* Is there something to return, if only the end of file? */
bool ldisc_ready(const struct ldisc *ld);
/* A line, or less if @size is, or what is there. *@eof: its end was ^D, or (with 0 bytes) nothing but. */
u32 ldisc_read(struct ldisc *ld, char *to, u32 size, bool *line_end);
void ldisc_write(struct ldisc *ld, const char *text, size_t len);
void ldisc_flush(struct ldisc *ld);
/* Another mode: what was typed so far becomes readable when lines no longer count. */
void ldisc_set(struct ldisc *ld, const struct ktermios *termios);

#endif
