// SPDX-License-Identifier: MIT
/*
 * slab_debug= and the orders of slabs on the command line (Documentation/mm/slab.rst and
 * admin-guide/kernel-parameters.txt of Linux 6.12).
 *
 *	slab_debug[=[FLAGS][,NAME...][;[FLAGS],NAME...]...]
 *
 * A block without names is for all caches; one with names for those alone, the first that has the name. A name may
 * end in an asterisk. The letters, in either case:
 *	F consistency checks, Z red zones, P poison, U user tracking, T trace, A failslab,
 *	O off for caches whose slabs it would enlarge, - none
 */
#include "debug.h"

#include "../base/printk.h"
#include "../base/string.h"
#include "../boot/params.h"

#define DEFAULT_FLAGS (SLAB_CONSISTENCY_CHECKS | SLAB_RED_ZONE | SLAB_POISON | SLAB_STORE_USER)
#define TEXT_MAX 1024u

unsigned int slab_min_order __memsys;
unsigned int slab_max_order __memsys = 3; /* PAGE_ALLOC_COSTLY_ORDER: higher ones are hard to get */
unsigned int slab_min_objects __memsys;

static struct {
	slab_flags_t all; /* for caches that no block names */
	bool keep_order;
	char text[TEXT_MAX]; /* blocks with names; empty if there are none */
} debug_option __memsys;

/* What one block says. */
struct block {
	slab_flags_t flags;
	bool keep_order;
	const char *names; /* NULL: all caches */
	const char *end;   /* of the names */
	const char *next;  /* NULL: the last block */
};

static slab_flags_t letter_flag(char letter)
{
	switch (letter | 0x20) {
	case 'f':
		return SLAB_CONSISTENCY_CHECKS;
	case 'z':
		return SLAB_RED_ZONE;
	case 'p':
		return SLAB_POISON;
	case 'u':
		return SLAB_STORE_USER;
	case 't':
		return SLAB_TRACE;
	case 'a':
		return SLAB_FAILSLAB;
	}
	return 0;
}

static struct block parse_block(const char *text, bool report)
{
	struct block b = { 0 };
	const char *p = text;

	if (*p == ',')
		b.flags = DEFAULT_FLAGS;
	for (; *p && *p != ',' && *p != ';'; p++) {
		if (*p == '-')
			b.flags = 0;
		else if (*p == 'o' || *p == 'O')
			b.keep_order = true;
		else if (letter_flag(*p))
			b.flags |= letter_flag(*p);
		else if (report)
			pr_err("slab_debug option '%c' unknown. skipped\n", *p);
	}
	if (*p == ',')
		b.names = ++p;
	while (*p && *p != ';')
		p++;
	b.end = p;
	b.next = *p ? p + 1 : NULL;
	return b;
}

static int set_slab_debug(const char *value)
{
	bool named = false;
	struct block b;

	debug_option.all = DEFAULT_FLAGS;
	debug_option.keep_order = false;
	debug_option.text[0] = 0;
	if (!value || !*value)
		return 0;
	if (strscpy(debug_option.text, value, TEXT_MAX) < 0) {
		pr_err("slab_debug: longer than %u characters; the rest is ignored\n", TEXT_MAX - 1);
	}
	debug_option.all = 0;
	for (const char *p = debug_option.text; p; p = b.next) {
		b = parse_block(p, true);
		debug_option.keep_order |= b.keep_order;
		if (b.names)
			named = true;
		else
			debug_option.all = b.flags;
	}
	if (!named)
		debug_option.text[0] = 0;
	return 0;
}
early_param("slab_debug", set_slab_debug);
early_param("slub_debug", set_slab_debug);

/* Does the list from @names to @end have @name? */
static bool is_named(const char *names, const char *end, const char *name)
{
	while (names < end) {
		const char *stop = names;
		size_t len;

		while (stop < end && *stop != ',' && *stop != '*')
			stop++;
		len = (size_t)(stop - names);
		if (len + (stop < end && *stop == '*') && !strncmp(name, names, len) &&
		    ((stop < end && *stop == '*') || !name[len]))
			return true;
		while (stop < end && *stop != ',')
			stop++;
		names = stop + 1;
	}
	return false;
}

slab_flags_t slab_debug_flags(const char *name, slab_flags_t flags, unsigned int object_size)
{
	struct block b;

	(void)object_size;
	if (flags & SLAB_NO_USER_FLAGS)
		return flags;
	for (const char *p = debug_option.text[0] ? debug_option.text : NULL; p; p = b.next) {
		b = parse_block(p, false);
		if (b.names && is_named(b.names, b.end, name))
			return flags | b.flags;
	}
	/* kmemleak's own caches do without: their objects' stacks are of no use, and there are many. */
	return flags | (flags & SLAB_NOLEAKTRACE ? debug_option.all & ~SLAB_STORE_USER : debug_option.all);
}

bool slab_debug_keeps_order(void)
{
	return debug_option.keep_order;
}

/* ---- Orders ---- */

static int parse_order(const char *value, unsigned int *order)
{
	u64 number;

	if (parse_number(value, &number) < 0)
		return -EINVAL;
	*order = (unsigned int)min(number, (u64)MAX_PAGE_ORDER);
	return 0;
}

static int set_min_order(const char *value)
{
	if (parse_order(value, &slab_min_order) < 0)
		return -EINVAL;
	slab_max_order = max(slab_max_order, slab_min_order);
	return 0;
}
early_param("slab_min_order", set_min_order);
early_param("slub_min_order", set_min_order);

static int set_max_order(const char *value)
{
	if (parse_order(value, &slab_max_order) < 0)
		return -EINVAL;
	slab_min_order = min(slab_min_order, slab_max_order);
	return 0;
}
early_param("slab_max_order", set_max_order);
early_param("slub_max_order", set_max_order);

static int set_min_objects(const char *value)
{
	u64 number;

	if (parse_number(value, &number) < 0 || number > 32767)
		return -EINVAL;
	slab_min_objects = (unsigned int)number;
	return 0;
}
early_param("slab_min_objects", set_min_objects);
early_param("slub_min_objects", set_min_objects);
