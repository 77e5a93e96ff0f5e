// SPDX-License-Identifier: MIT
/* The buffered writer behind each file: bounded memory, no allocation. */
#include "proc.h"

void seq_open(struct seq_file *m, octavo_emit_fn emit, void *ctx)
{
	m->emit = emit;
	m->ctx = ctx;
	m->len = 0;
}

void seq_flush(struct seq_file *m)
{
	if (m->len)
		m->emit(m->ctx, m->buf, m->len);
	m->len = 0;
}

void seq_write(struct seq_file *m, const char *text, size_t len)
{
	while (len) {
		size_t room = sizeof(m->buf) - m->len;
		size_t part = min(len, room);

		memcpy(m->buf + m->len, text, part);
		m->len += part;
		text += part;
		len -= part;
		if (m->len == sizeof(m->buf))
			seq_flush(m);
	}
}

void seq_puts(struct seq_file *m, const char *text)
{
	seq_write(m, text, strlen(text));
}

void seq_printf(struct seq_file *m, const char *fmt, ...)
{
	for (int attempt = 0; attempt < 2; attempt++) {
		size_t room = sizeof(m->buf) - m->len, len;
		va_list args;

		va_start(args, fmt);
		len = octavo_vsnprintf(m->buf + m->len, room, fmt, args);
		va_end(args);
		if (len < room) {
			m->len += len;
			return;
		}
		if (m->len == 0) {
			/* A piece longer than the buffer: cut, which callers avoid with seq_puts() for strings. */
			m->len = room - 1;
			seq_flush(m);
			return;
		}
		seq_flush(m);
	}
}

void seq_list(struct seq_file *m, bool (*has)(unsigned int n, unsigned long arg), unsigned long arg, unsigned int nr)
{
	const char *comma = "";

	for (unsigned int n = 0; n < nr; n++) {
		unsigned int first = n;

		if (!has(n, arg))
			continue;
		while (n + 1 < nr && has(n + 1, arg))
			n++;
		if (n == first)
			seq_printf(m, "%s%u", comma, first);
		else
			seq_printf(m, "%s%u-%u", comma, first, n);
		comma = ",";
	}
	seq_puts(m, "\n");
}

void seq_mask(struct seq_file *m, bool (*has)(unsigned int n, unsigned long arg), unsigned long arg, unsigned int nr)
{
	unsigned int words = DIV_ROUND_UP(max(nr, 1u), 32);

	/* The first word has only the digits that @nr bits need. */
	for (unsigned int word = words; word-- > 0;) {
		unsigned int bits = word == words - 1 ? max(nr, 1u) - 32 * word : 32;
		u32 value = 0;

		for (unsigned int bit = 0; bit < bits; bit++)
			if (32 * word + bit < nr && has(32 * word + bit, arg))
				value |= 1u << bit;
		seq_printf(m, "%0*x%s", (int)DIV_ROUND_UP(bits, 4), value, word ? "," : "\n");
	}
}
