// SPDX-License-Identifier: MIT
/*
 * Trace events as text: the lines of /sys/kernel/tracing/trace, and the format files that tell programs how to make
 * them.
 *
 * Both are made from an event's row in mm/sync/trace_events.h. "{field:form}" in its text is, in a line, the field's
 * value in that form; in "print fmt" it is a printf conversion, and an expression behind the text. Where a name stands
 * for a number, the expression is __print_symbolic() or, for sets of bits, __print_flags(), with the pairs of a table
 * below.
 */
#include "trace.h"

#include <octavo/address.h>
#include <octavo/percpu.h>
#include <octavo/port.h>

#include "../phys/gfp.h"
#include "../phys/pageblock.h"

/* ---- Names of numbers ---- */

struct names {
	const struct {
		u64 value;
		const char *name;
	} * list;
	unsigned int nr;
	const char *flags; /* what stands between two; NULL: one name for one number */
};

#define NAMES(name_, flags_, ...)                                                  \
	static const __typeof__(*((struct names *)0)->list) name_##_list[] = { __VA_ARGS__ }; \
	static const struct names name_ = { name_##_list, ARRAY_SIZE(name_##_list), flags_ }

NAMES(lru_names, NULL, { 0, "inactive_anon" }, { 1, "active_anon" }, { 2, "inactive_file" }, { 3, "active_file" },
      { 4, "unevictable" });
NAMES(reclaim_names, "|", { 0x01, "RECLAIM_WB_ANON" }, { 0x02, "RECLAIM_WB_FILE" }, { 0x10, "RECLAIM_WB_MIXED" },
      { 0x04, "RECLAIM_WB_SYNC" }, { 0x08, "RECLAIM_WB_ASYNC" });
NAMES(throttle_names, "|", { 1, "VMSCAN_THROTTLE_WRITEBACK" }, { 2, "VMSCAN_THROTTLE_ISOLATED" },
      { 4, "VMSCAN_THROTTLE_NOPROGRESS" }, { 8, "VMSCAN_THROTTLE_CONGESTED" });
NAMES(priority_names, NULL, { 0, "COMPACT_PRIO_SYNC_FULL" }, { 1, "COMPACT_PRIO_SYNC_LIGHT" },
      { 2, "COMPACT_PRIO_ASYNC" });
NAMES(feedback_names, NULL, { 3, "failed" }, { 1, "withdrawn" }, { 2, "progress" });
NAMES(status_names, NULL, { 0, "not_suitable_zone" }, { 1, "skipped" }, { 2, "deferred" }, { 3, "no_suitable_page" },
      { 4, "continue" }, { 5, "complete" }, { 6, "partial_skipped" }, { 7, "contended" }, { 8, "success" });
NAMES(migrate_names, NULL, { 0, "MIGRATE_ASYNC" }, { 1, "MIGRATE_SYNC_LIGHT" }, { 2, "MIGRATE_SYNC" });
NAMES(why_names, NULL, { 0, "compaction" }, { 1, "memory_failure" }, { 2, "memory_hotplug" },
      { 3, "syscall_or_cpuset" }, { 4, "mempolicy_mbind" }, { 5, "numa_misplaced" }, { 6, "contig_range" },
      { 7, "longterm_pin" }, { 8, "demotion" });
NAMES(rss_names, NULL, { 0, "MM_FILEPAGES" }, { 1, "MM_ANONPAGES" }, { 2, "MM_SWAPENTS" }, { 3, "MM_SHMEMPAGES" });

/* ---- Forms ---- */

enum kind {
	KIND_SIGNED,
	KIND_UNSIGNED,
	KIND_HEX,
	KIND_POINTER,
	KIND_SYMBOL,
	KIND_STRING,
	KIND_GFP,
	KIND_NAMES,
	KIND_YES, /* "true", "false" */
	KIND_ACCOUNT,
	KIND_PAGE,
	KIND_ZONE,
	KIND_SYNC,
	KIND_BLOCK,
	KIND_FRAGMENTING,
};

struct form {
	const char *name;
	enum kind kind;
	const char *conversion;
	const struct names *names;
};

/* By name; behind these, each type's own form, in the order of enum trace_type. */
static const struct form forms[] = {
	{ "d", KIND_SIGNED, "%d" },
	{ "ld", KIND_SIGNED, "%ld" },
	{ "lld", KIND_SIGNED, "%lld" },
	{ "lx", KIND_HEX, "%lx" },
	{ "page", KIND_PAGE, "%p" },
	{ "lru", KIND_NAMES, "%s", &lru_names },
	{ "reclaim", KIND_NAMES, "%s", &reclaim_names },
	{ "throttle", KIND_NAMES, "%s", &throttle_names },
	{ "zone", KIND_ZONE, "%-8s" },
	{ "prio", KIND_NAMES, "%s", &priority_names },
	{ "feedback", KIND_NAMES, "%s", &feedback_names },
	{ "status", KIND_NAMES, "%s", &status_names },
	{ "migrate", KIND_NAMES, "%s", &migrate_names },
	{ "why", KIND_NAMES, "%s", &why_names },
	{ "rss", KIND_NAMES, "%s", &rss_names },
	{ "account", KIND_ACCOUNT, "%s" },
	{ "sync", KIND_SYNC, "%s" },
	{ "block", KIND_BLOCK, "%d" },
	{ "frag", KIND_FRAGMENTING, "%d" },
};

struct type {
	struct form form;
	const char *c_type, *behind; /* its declaration in the format file: what stands ahead of and behind the name */
	u8 size;
	bool is_signed;
};

static const struct type types[] = {
	[TRACE_INT] = { { NULL, KIND_SIGNED, "%d" }, "int", "", 4, true },
	[TRACE_UINT] = { { NULL, KIND_UNSIGNED, "%u" }, "unsigned int", "", 4, false },
	[TRACE_LONG] = { { NULL, KIND_SIGNED, "%ld" }, "long", "", sizeof(long), true },
	[TRACE_ULONG] = { { NULL, KIND_UNSIGNED, "%lu" }, "unsigned long", "", sizeof(long), false },
	[TRACE_LONGLONG] = { { NULL, KIND_SIGNED, "%lld" }, "unsigned long long", "", 8, false },
	[TRACE_SIZE] = { { NULL, KIND_UNSIGNED, "%zu" }, "size_t", "", sizeof(size_t), false },
	[TRACE_BOOL] = { { NULL, KIND_YES, "%s" }, "bool", "", 1, false },
	[TRACE_SHORT] = { { NULL, KIND_SIGNED, "%hd" }, "short", "", 2, true },
	[TRACE_PID] = { { NULL, KIND_SIGNED, "%d" }, "pid_t", "", 4, true },
	[TRACE_UID] = { { NULL, KIND_UNSIGNED, "%u" }, "uid_t", "", 4, false },
	[TRACE_POINTER] = { { NULL, KIND_POINTER, "%p" }, "const void *", "", sizeof(void *), false },
	[TRACE_SHRINKER] = { { NULL, KIND_POINTER, "%p" }, "struct shrinker *", "", sizeof(void *), false },
	[TRACE_FUNCTION] = { { NULL, KIND_SYMBOL, "%pS" }, "void *", "", sizeof(void *), false },
	[TRACE_GFP] = { { NULL, KIND_GFP, "%s" }, "unsigned long", "", sizeof(long), false },
	[TRACE_CALLER] = { { NULL, KIND_SYMBOL, "%pS" }, "unsigned long", "", sizeof(long), false },
	[TRACE_COMM] = { { NULL, KIND_STRING, "%s" }, "char", "[16]", 16, false },
	[TRACE_TEXT] = { { NULL, KIND_STRING, "%s" }, "__data_loc char[]", "", 4, false },
};

/* One piece of an event's text: @literal, @len of it, then the field (NULL: the text ends here) in a form. */
struct piece {
	const char *literal;
	size_t len;
	const struct trace_field *field;
	unsigned int index;
	const struct form *form;
};

static const struct form *find_form(const char *name, size_t len)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(forms); i++)
		if (!strncmp(forms[i].name, name, len) && !forms[i].name[len])
			return &forms[i];
	return NULL;
}

/* Return: the rest of the text; NULL: it was the last piece. *@bad: no such field or form. */
static const char *next_piece(const struct trace_event_info *info, const char *text, struct piece *piece, bool *bad)
{
	const char *name, *colon, *end;

	*piece = (struct piece){ .literal = text };
	while (text[piece->len] && text[piece->len] != '{')
		piece->len++;
	if (!text[piece->len])
		return NULL;
	name = text + piece->len + 1;
	for (end = name; *end != '}'; end++)
		;
	for (colon = name; colon < end && *colon != ':'; colon++)
		;
	for (unsigned int i = 0; i < info->fields_nr && !piece->field; i++) {
		size_t len = strlen(info->fields[i].name);

		if ((size_t)(colon - name) == len && !strncmp(info->fields[i].name, name, len)) {
			piece->field = &info->fields[i];
			piece->index = i;
		}
	}
	if (piece->field)
		piece->form = colon == end ? &types[piece->field->type].form :
					     find_form(colon + 1, (size_t)(end - colon - 1));
	*bad |= !piece->form;
	return piece->form ? end + 1 : NULL;
}

bool trace_text_is_valid(const struct trace_event_info *info)
{
	const char *text = info->text;
	struct piece piece;
	bool bad = false;

	while (text)
		text = next_piece(info, text, &piece, &bad);
	return !bad;
}

/* ---- Lines ---- */

static void show_names(struct seq_file *m, const struct names *names, u64 value)
{
	const char *between = "";

	for (unsigned int i = 0; i < names->nr; i++) {
		u64 mask = names->list[i].value;

		if (names->flags ? (value & mask) != mask || !mask : value != mask)
			continue;
		seq_printf(m, "%s%s", between, names->list[i].name);
		if (!names->flags)
			return;
		between = names->flags;
		value &= ~mask;
	}
	if (value || !names->flags)
		seq_printf(m, "%s0x%llx", between, (unsigned long long)value);
}

static void show_gfp(struct seq_file *m, gfp_t gfp)
{
	char text[GFP_TEXT_MAX];

	gfp_flags_text(text, sizeof(text), gfp);
	seq_puts(m, gfp ? text : "none");
}

static void show_symbol(struct seq_file *m, u64 value)
{
	char text[128];

	port_symbol((uintptr_t)value, text, sizeof(text));
	seq_puts(m, text);
}

static void show_pointer(struct seq_file *m, u64 value)
{
	seq_printf(m, "%0*lx", 2 * (int)sizeof(long), (unsigned long)octavo_kernel_virt((void *)(uintptr_t)value));
}

static const char *zone_name(u64 zone)
{
	static const char *const names[] = {
		[ZONE_DMA] = "DMA",	    [ZONE_DMA32] = "DMA32",	[ZONE_NORMAL] = "Normal",
		[ZONE_HIGHMEM] = "HighMem", [ZONE_MOVABLE] = "Movable",
	};

	return zone < ARRAY_SIZE(names) && names[zone] ? names[zone] : "?";
}

static void show_value(struct seq_file *m, const struct form *form, u64 value)
{
	switch (form->kind) {
	case KIND_SIGNED:
		seq_printf(m, "%lld", (long long)value);
		break;
	case KIND_UNSIGNED:
		seq_printf(m, "%llu", (unsigned long long)value);
		break;
	case KIND_HEX:
		seq_printf(m, "%llx", (unsigned long long)value);
		break;
	case KIND_POINTER:
		show_pointer(m, value);
		break;
	case KIND_PAGE:
		show_pointer(m, trace_pointer(octavo_pfn_to_page((unsigned long)value)));
		break;
	case KIND_SYMBOL:
		show_symbol(m, value);
		break;
	case KIND_STRING:
		seq_puts(m, (const char *)(uintptr_t)value);
		break;
	case KIND_GFP:
		show_gfp(m, (gfp_t)value);
		break;
	case KIND_NAMES:
		show_names(m, form->names, value);
		break;
	case KIND_YES:
		seq_puts(m, value ? "true" : "false");
		break;
	case KIND_ACCOUNT:
		seq_puts(m, value & __GFP_ACCOUNT ? "true" : "false");
		break;
	case KIND_ZONE:
		seq_printf(m, "%-8s", zone_name(value));
		break;
	case KIND_SYNC:
		seq_puts(m, value ? "sync" : "async");
		break;
	case KIND_BLOCK:
		seq_printf(m, "%u", pageblock_order);
		break;
	case KIND_FRAGMENTING:
		seq_printf(m, "%d", (int)value < (int)pageblock_order);
		break;
	}
}

static void show_fields(struct seq_file *m, const struct trace_event_info *info, const struct trace_record *record)
{
	const char *text = info->text;
	struct piece piece;
	bool bad = false;

	do {
		text = next_piece(info, text, &piece, &bad);
		seq_write(m, piece.literal, piece.len);
		if (text)
			show_value(m, piece.form, record->values[piece.index]);
	} while (text);
}

void trace_show_record(struct seq_file *m, const struct trace_record *record)
{
	const struct trace_event_info *info = &trace_event_info[record->id];
	u64 us = (record->when + 500) / 1000;
	char preempt = record->preempt ? "0123456789abcdef"[record->preempt] : '.';

	seq_printf(m, "%16s-%-7d [%03u] ...%c. %5llu.%06llu: %s: ", record->pid ? record->comm : "<idle>", record->pid,
		   record->cpu, preempt, (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000),
		   info->name);
	show_fields(m, info, record);
	seq_puts(m, "\n");
}

void trace_show_header(struct seq_file *m, unsigned long entries, unsigned long written)
{
	seq_printf(m,
		   "# tracer: nop\n"
		   "#\n"
		   "# entries-in-buffer/entries-written: %lu/%lu   #P:%u\n"
		   "#\n",
		   entries, written, num_online_cpus());
	seq_puts(m, "#                                _-----=> irqs-off/BH-disabled\n"
		    "#                               / _----=> need-resched\n"
		    "#                              | / _---=> hardirq/softirq\n"
		    "#                              || / _--=> preempt-depth\n"
		    "#                              ||| / _-=> migrate-disable\n"
		    "#                              |||| /     delay\n"
		    "#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION\n"
		    "#              | |         |   |||||     |         |\n");
}

/* ---- Format files ---- */

static void show_pairs(struct seq_file *m, const struct names *names)
{
	for (unsigned int i = 0; i < names->nr; i++)
		seq_printf(m, "%s{ 0x%llx, \"%s\" }", i ? ", " : "", (unsigned long long)names->list[i].value,
			   names->list[i].name);
}

static void show_gfp_expression(struct seq_file *m, const char *field)
{
	const char *name;
	gfp_t mask;

	seq_printf(m, "(REC->%s) ? __print_flags(REC->%s, \"|\", ", field, field);
	for (unsigned int i = 0; (name = gfp_flags_name(i, &mask)); i++)
		seq_printf(m, "%s{ 0x%lx, \"%s\" }", i ? ", " : "", (unsigned long)mask, name);
	seq_puts(m, ") : \"none\"");
}

static void show_expression(struct seq_file *m, const struct piece *piece)
{
	const char *field = piece->field->name;

	switch (piece->form->kind) {
	case KIND_GFP:
		show_gfp_expression(m, field);
		break;
	case KIND_NAMES:
		if (piece->form->names->flags)
			seq_printf(m, "__print_flags(REC->%s, \"%s\", ", field, piece->form->names->flags);
		else
			seq_printf(m, "__print_symbolic(REC->%s, ", field);
		show_pairs(m, piece->form->names);
		seq_puts(m, ")");
		break;
	case KIND_YES:
		seq_printf(m, "REC->%s ? \"true\" : \"false\"", field);
		break;
	case KIND_ACCOUNT:
		seq_printf(m, "(REC->%s & 0x%lx) ? \"true\" : \"false\"", field, (unsigned long)__GFP_ACCOUNT);
		break;
	case KIND_SYNC:
		seq_printf(m, "REC->%s ? \"sync\" : \"async\"", field);
		break;
	case KIND_BLOCK:
		seq_printf(m, "%u", pageblock_order);
		break;
	case KIND_FRAGMENTING:
		seq_printf(m, "REC->%s < %u", field, pageblock_order);
		break;
	case KIND_ZONE:
		seq_printf(m, "__print_symbolic(REC->%s", field);
		for (unsigned int zone = 0; zone < MAX_NR_ZONES; zone++)
			if (zone_name(zone)[0] != '?')
				seq_printf(m, ", { %u, \"%s\" }", zone, zone_name(zone));
		seq_puts(m, ")");
		break;
	case KIND_PAGE:
		seq_printf(m, "(((struct page *)vmemmap_base) + (REC->%s))", field);
		break;
	case KIND_SYMBOL:
		seq_printf(m, "(void *)REC->%s", field);
		break;
	case KIND_STRING:
		seq_printf(m, "%s%s%s", piece->field->type == TRACE_TEXT ? "__get_str(" : "REC->", field,
			   piece->field->type == TRACE_TEXT ? ")" : "");
		break;
	default:
		seq_printf(m, "REC->%s", field);
	}
}

static void show_print_format(struct seq_file *m, const struct trace_event_info *info)
{
	const char *text = info->text;
	struct piece piece;
	bool bad = false;

	seq_puts(m, "print fmt: \"");
	do {
		text = next_piece(info, text, &piece, &bad);
		seq_write(m, piece.literal, piece.len);
		if (text)
			seq_puts(m, piece.form->conversion);
	} while (text);
	seq_puts(m, "\"");
	text = info->text;
	while ((text = next_piece(info, text, &piece, &bad))) {
		seq_puts(m, ", ");
		show_expression(m, &piece);
	}
	seq_puts(m, "\n");
}

static void show_field(struct seq_file *m, const char *declaration, const char *name, const char *behind,
		       unsigned int offset, unsigned int size, bool is_signed)
{
	seq_printf(m, "\tfield:%s %s%s;\toffset:%u;\tsize:%u;\tsigned:%d;\n", declaration, name, behind, offset, size,
		   is_signed);
}

void trace_show_format(struct seq_file *m, enum trace_id id)
{
	const struct trace_event_info *info = &trace_event_info[id];
	unsigned int offset = 8;

	seq_printf(m, "name: %s\nID: %u\nformat:\n", info->name, TRACE_FIRST_ID + id);
	show_field(m, "unsigned short", "common_type", "", 0, 2, false);
	show_field(m, "unsigned char", "common_flags", "", 2, 1, false);
	show_field(m, "unsigned char", "common_preempt_count", "", 3, 1, false);
	show_field(m, "int", "common_pid", "", 4, 4, true);
	seq_puts(m, "\n");
	for (unsigned int i = 0; i < info->fields_nr; i++) {
		const struct type *type = &types[info->fields[i].type];
		unsigned int align = type->size < 16 ? type->size : 1;

		offset = ALIGN(offset, align);
		show_field(m, type->c_type, info->fields[i].name, type->behind, offset, type->size, type->is_signed);
		offset += type->size;
	}
	seq_puts(m, "\n");
	show_print_format(m, info);
}
