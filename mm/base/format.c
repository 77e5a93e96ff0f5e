// SPDX-License-Identifier: MIT
/* Formatted text: one pass over the format, no recursion, no allocation. */
#include "printk.h"
#include "string.h"

struct sink {
	char *buf;
	size_t size;
	size_t len; /* of the whole text, whether it fits or not */
};

struct spec {
	bool left, zero, alt, plus, space, upper, is_signed;
	int width, precision; /* precision -1: none given */
	unsigned int base;
};

static void put(struct sink *out, char c)
{
	if (out->len + 1 < out->size)
		out->buf[out->len] = c;
	out->len++;
}

static void put_padded(struct sink *out, const char *text, int len, const struct spec *spec)
{
	int pad = spec->width > len ? spec->width - len : 0;

	if (!spec->left)
		while (pad-- > 0)
			put(out, ' ');
	for (int i = 0; i < len; i++)
		put(out, text[i]);
	if (spec->left)
		while (pad-- > 0)
			put(out, ' ');
}

static void put_number(struct sink *out, u64 value, struct spec *spec)
{
	const char *digits = spec->upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[96]; /* 64 binary digits would fit; wider precisions are padded below */
	bool negative = spec->is_signed && (s64)value < 0;
	int prefix = 0, body, pos = sizeof(text);
	char head[3];

	if (negative)
		value = -value;
	if (negative || spec->plus || spec->space)
		head[prefix++] = negative ? '-' : spec->plus ? '+' : ' ';
	if (spec->alt && spec->base == 16 && value) {
		head[prefix++] = '0';
		head[prefix++] = spec->upper ? 'X' : 'x';
	}
	for (; value; value /= spec->base)
		text[--pos] = digits[value % spec->base];
	body = (int)sizeof(text) - pos;
	if (spec->alt && spec->base == 8 && spec->precision <= body)
		spec->precision = body + 1;
	if (spec->precision < 0)
		spec->precision = spec->zero && !spec->left ? max(spec->width - prefix, 1) : 1;

	int zeros = spec->precision > body ? spec->precision - body : 0;
	int pad = spec->width - prefix - zeros - body;

	if (!spec->left)
		while (pad-- > 0)
			put(out, ' ');
	for (int i = 0; i < prefix; i++)
		put(out, head[i]);
	while (zeros-- > 0)
		put(out, '0');
	for (; pos < (int)sizeof(text); pos++)
		put(out, text[pos]);
	if (spec->left)
		while (pad-- > 0)
			put(out, ' ');
}

enum length { LEN_INT, LEN_CHAR, LEN_SHORT, LEN_LONG, LEN_LLONG, LEN_SIZE };

static enum length parse_length(const char **fmt)
{
	switch (**fmt) {
	case 'h':
		++*fmt;
		if (**fmt != 'h')
			return LEN_SHORT;
		++*fmt;
		return LEN_CHAR;
	case 'l':
		++*fmt;
		if (**fmt != 'l')
			return LEN_LONG;
		++*fmt;
		return LEN_LLONG;
	case 'z':
	case 't':
		++*fmt;
		return LEN_SIZE;
	default:
		return LEN_INT;
	}
}

static u64 fetch(va_list *args, enum length len, bool is_signed)
{
	switch (len) {
	case LEN_CHAR:
		return is_signed ? (u64)(signed char)va_arg(*args, int) : (unsigned char)va_arg(*args, int);
	case LEN_SHORT:
		return is_signed ? (u64)(short)va_arg(*args, int) : (unsigned short)va_arg(*args, int);
	case LEN_LONG:
		return is_signed ? (u64)va_arg(*args, long) : va_arg(*args, unsigned long);
	case LEN_LLONG:
		return va_arg(*args, unsigned long long);
	case LEN_SIZE:
		return is_signed ? (u64)va_arg(*args, ptrdiff_t) : va_arg(*args, size_t);
	default:
		return is_signed ? (u64)va_arg(*args, int) : va_arg(*args, unsigned int);
	}
}

static const char *parse_flags(const char *fmt, struct spec *spec)
{
	for (;; fmt++) {
		switch (*fmt) {
		case '-':
			spec->left = true;
			break;
		case '0':
			spec->zero = true;
			break;
		case '#':
			spec->alt = true;
			break;
		case '+':
			spec->plus = true;
			break;
		case ' ':
			spec->space = true;
			break;
		default:
			return fmt;
		}
	}
}

static const char *parse_amount(const char *fmt, int *amount, va_list *args)
{
	if (*fmt == '*') {
		*amount = va_arg(*args, int);
		return fmt + 1;
	}
	for (*amount = 0; *fmt >= '0' && *fmt <= '9'; fmt++)
		*amount = *amount * 10 + (*fmt - '0');
	return fmt;
}

static void put_string(struct sink *out, const char *text, struct spec *spec)
{
	int len = 0;

	if (!text)
		text = "(null)";
	while ((spec->precision < 0 || len < spec->precision) && text[len])
		len++;
	put_padded(out, text, len, spec);
}

/* One conversion, @fmt behind its '%'. Returns the format behind it. */
static const char *put_conversion(struct sink *out, const char *fmt, va_list *args)
{
	struct spec spec = { .precision = -1, .base = 10 };
	enum length len;
	char c;

	fmt = parse_flags(fmt, &spec);
	fmt = parse_amount(fmt, &spec.width, args);
	if (spec.width < 0) {
		spec.left = true;
		spec.width = -spec.width;
	}
	if (*fmt == '.')
		fmt = parse_amount(fmt + 1, &spec.precision, args);
	len = parse_length(&fmt);
	switch (*fmt) {
	case 'd':
	case 'i':
		spec.is_signed = true;
		put_number(out, fetch(args, len, true), &spec);
		break;
	case 'X':
		spec.upper = true;
		/* fall through */
	case 'x':
		spec.base = 16;
		put_number(out, fetch(args, len, false), &spec);
		break;
	case 'o':
		spec.base = 8;
		/* fall through */
	case 'u':
		put_number(out, fetch(args, len, false), &spec);
		break;
	case 'p':
		spec.base = 16;
		spec.alt = true;
		put_number(out, (uintptr_t)va_arg(*args, void *), &spec);
		break;
	case 'c':
		c = (char)va_arg(*args, int);
		put_padded(out, &c, 1, &spec);
		break;
	case 's':
		put_string(out, va_arg(*args, const char *), &spec);
		break;
	case '%':
		put(out, '%');
		break;
	case 0:
		return fmt;
	default: /* not a conversion of ours: show it as it stands */
		put(out, '%');
		put(out, *fmt);
	}
	return fmt + 1;
}

size_t octavo_vsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
	struct sink out = { .buf = buf, .size = size };
	va_list ap;

	va_copy(ap, args);
	while (*fmt) {
		if (*fmt == '%')
			fmt = put_conversion(&out, fmt + 1, &ap);
		else
			put(&out, *fmt++);
	}
	va_end(ap);
	if (size)
		buf[min(out.len, size - 1)] = 0;
	return out.len;
}

size_t octavo_snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	size_t len;

	va_start(args, fmt);
	len = octavo_vsnprintf(buf, size, fmt, args);
	va_end(args);
	return len;
}
