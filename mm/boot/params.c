// SPDX-License-Identifier: MIT
/*
 * The command line.
 *
 * Purpose
 *	Splits the command line into parameters and hands each to the functions that files all over the core
 *	registered for its name with early_param(). What nobody knows is reported once, as Linux does.
 *
 * Words
 *	parameter	name or name=value, between blanks; double quotes keep blanks in a value together
 *	registration	a struct early_param in the section octavo_params; several may share a name
 *
 * Memory use and bounds
 *	Two buffers of COMMAND_LINE_SIZE: the line as given, and the copy that is cut up.
 *
 * What failure does
 *	A value its owner refuses is reported with its name and then ignored. An overlong line is cut, with a report.
 *
 * Differences from Linux
 *	Every registration is early; there are no module parameters. Names with a dot belong to somebody else
 *	and are passed over, as Linux passes over those of modules.
 *
 * Sources: Documentation/admin-guide/kernel-parameters.rst and .txt of Linux 6.12.
 */
#include "params.h"

#include "../base/printk.h"
#include "../base/string.h"

extern const struct early_param __start_octavo_params[];
extern const struct early_param __stop_octavo_params[];

char saved_command_line[COMMAND_LINE_SIZE] __memsys;
enum boot_arch boot_arch __memsys;
static char scratch[COMMAND_LINE_SIZE] __memsys;
static char unknown[900] __memsys; /* with the words around it, one line of the log */

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The log takes lines of 1 KiB: longer ones go out in pieces. */
static void print_line(const char *head, const char *text)
{
	size_t len = strlen(text);

	printk("%s", head);
	for (; len > 512; text += 512, len -= 512)
		printk("%.512s", text);
	printk("%s\n", text);
}

void params_setup(const struct bootinfo *info)
{
	const char *line = info->cmdline ? info->cmdline : "";

	boot_arch = info->arch;
	if (strscpy(saved_command_line, line, sizeof(saved_command_line)) < 0)
		pr_err("Command line has %zu characters: all behind %zu are ignored\n", strlen(line),
		       sizeof(saved_command_line) - 1);
	/* One line of the log is one line. */
	for (char *p = saved_command_line; *p; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	if (boot_arch == BOOT_ARCH_X86_64)
		print_line("Command line: ", saved_command_line);
}

char *next_arg(char *args, char **param, char **value)
{
	bool quoted = false;
	char *p, *out;

	*param = *value = NULL;
	while (is_blank(*args))
		args++;
	if (!*args)
		return args;
	/* Quotes vanish where they enclose: the text is moved together over them. */
	*param = out = args;
	for (p = args; *p && (quoted || !is_blank(*p)); p++) {
		if (*p == '"') {
			quoted = !quoted;
			continue;
		}
		if (*p == '=' && !*value) {
			*out++ = 0;
			*value = out;
			continue;
		}
		*out++ = *p;
	}
	if (*p)
		p++;
	*out = 0;
	return p;
}

static bool same_name(const char *a, const char *b)
{
	for (;; a++, b++) {
		char x = *a == '-' ? '_' : *a, y = *b == '-' ? '_' : *b;

		if (x != y)
			return false;
		if (!x)
			return true;
	}
}

static bool is_known(const char *param)
{
	for (const struct early_param *p = __start_octavo_params; p < __stop_octavo_params; p++)
		if (same_name(p->name, param))
			return true;
	return false;
}

static void call_params(const char *param, const char *value)
{
	for (const struct early_param *p = __start_octavo_params; p < __stop_octavo_params; p++) {
		if (!same_name(p->name, param) || p->fn(value) >= 0)
			continue;
		if (value)
			pr_warn("Malformed early option '%s': value '%.200s' ignored\n", param, value);
		else
			pr_warn("Malformed early option '%s': it needs a value\n", param);
	}
}

/* Steps through the parameters up to "--", from a fresh copy of the line. */
struct param_cursor {
	char *rest, *param, *value;
};

static void cursor_start(struct param_cursor *cursor)
{
	memcpy(scratch, saved_command_line, sizeof(scratch));
	cursor->rest = scratch;
}

static bool cursor_step(struct param_cursor *cursor)
{
	cursor->rest = next_arg(cursor->rest, &cursor->param, &cursor->value);
	return cursor->param && (cursor->value || strcmp(cursor->param, "--"));
}

void parse_early_params(void)
{
	struct param_cursor cursor;

	cursor_start(&cursor);
	while (cursor_step(&cursor))
		call_params(cursor.param, cursor.value);
}

/* Adds those with or without a value; false when the line is full. */
static bool collect_unknown(bool with_value, size_t *len)
{
	struct param_cursor cursor;

	cursor_start(&cursor);
	while (cursor_step(&cursor)) {
		size_t room = sizeof(unknown) - *len, n;

		if (!cursor.value == with_value || strchr(cursor.param, '.') || is_known(cursor.param))
			continue;
		n = octavo_snprintf(unknown + *len, room, "%s%s%s%s", *len ? " " : "", cursor.param,
				    with_value ? "=" : "", with_value ? cursor.value : "");
		if (n >= room) {
			unknown[*len] = 0;
			return false;
		}
		*len += n;
	}
	return true;
}

void params_report(void)
{
	size_t len = 0;
	bool all;

	print_line("Kernel command line: ", saved_command_line);
	unknown[0] = 0;
	all = collect_unknown(false, &len) && collect_unknown(true, &len);
	if (len || !all)
		pr_warn("Unknown kernel command line parameters \"%s%s\", will be passed to user space.\n", unknown,
			all ? "" : " ...");
}

int parse_bool(const char *value, bool *result)
{
	char c = value ? *value : '1';

	if (c == 'o' || c == 'O')
		c = (value[1] | 0x20) == 'n' ? '1' : (value[1] | 0x20) == 'f' ? '0' : 0;
	switch (c) {
	case '1': case 'y': case 'Y': case 't': case 'T':
		*result = true;
		return 0;
	case '0': case 'n': case 'N': case 'f': case 'F':
		*result = false;
		return 0;
	}
	return -EINVAL;
}

int parse_size(const char *value, u64 *result)
{
	const char *end;
	u64 size;

	if (!value)
		return -EINVAL;
	size = memparse(value, &end);
	if (end == value || *end || !size || size == ~0ull)
		return -EINVAL;
	*result = size;
	return 0;
}

int parse_number(const char *value, u64 *result)
{
	bool overflow;
	u64 number;
	size_t n;

	if (!value)
		return -EINVAL;
	n = parse_u64(value, &number, &overflow);
	if (!n || value[n] || overflow)
		return -EINVAL;
	*result = number;
	return 0;
}
