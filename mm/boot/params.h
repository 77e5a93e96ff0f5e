/* SPDX-License-Identifier: MIT */
/*
 * The command line: how parameters are registered, and what the boot code's own ones say.
 *
 *	static int set_poison(const char *value)
 *	{
 *		return parse_bool(value, &poison);
 *	}
 *	early_param("page_poison", set_poison);
 */
#ifndef MM_BOOT_PARAMS_H
#define MM_BOOT_PARAMS_H

#include <octavo/bootinfo.h>
#include <octavo/types.h>

#include "../base/compiler.h"

#define COMMAND_LINE_SIZE 4096

/*
 * early_param - call @fn_ for each "name" or "name=value" on the command line, in its order
 * int fn(const char *value): @value is NULL when there is no '=', has its quotes removed, and is gone after the
 * call. Called before memblock holds any memory: remember, do not act. A return below 0 makes the parser print
 * "Malformed early option 'name'" with the value; what was set before stays. '-' and '_' in names are the same.
 */
struct early_param {
	const char *name;
	int (*fn)(const char *value);
};

#define EARLY_PARAM_CAT(a, b) a##b
#define EARLY_PARAM_NAME(a, b) EARLY_PARAM_CAT(a, b)
#define early_param(name_, fn_)                                                                   \
	static const struct early_param EARLY_PARAM_NAME(early_param_, __LINE__)                   \
		__attribute__((used, section("octavo_params"), aligned(sizeof(void *)))) = { name_, fn_ }

/* The command line as given, cut at COMMAND_LINE_SIZE - 1; what /proc/cmdline shows. */
extern char saved_command_line[COMMAND_LINE_SIZE];

/* Architecture of the machine being booted; for parameters only some have. */
extern enum boot_arch boot_arch;

/* params_setup - keep the command line; x86-64 prints it here ("Command line: ...") */
void params_setup(const struct bootinfo *info);

/* parse_early_params - call the registered functions */
void parse_early_params(void);

/*
 * params_report - "Kernel command line: ..." and, if there are any, the parameters nobody registered. Linux
 * prints both after "Policy zone".
 */
void params_report(void);

/* Helpers for parameter functions: 0, or -EINVAL and nothing changed. */
int parse_bool(const char *value, bool *result);	/* 1 0 y n on off; NULL is true */
int parse_size(const char *value, u64 *result);		/* memparse() of the whole value, not 0 and in 64 bits */
int parse_number(const char *value, u64 *result);	/* the whole value is one number */

/*
 * next_arg - take the next parameter off a command line, in place
 * Return: the rest of the line; *@param is NULL at its end. Quotes around a value, or around the whole
 * parameter, are removed; an open quote ends at the end of the line.
 */
char *next_arg(char *args, char **param, char **value);

/* kernelcore= and movablecore=: in pages, in percent of all memory, or by firmware's mirror attribute. */
struct kernelcore_params {
	u64 kernelcore_pages;		/* 0: not given this way */
	u64 movablecore_pages;
	unsigned int kernelcore_percent; /* 0: not given this way */
	unsigned int movablecore_percent;
	bool kernelcore_mirror;
	bool movable_node; /* hotpluggable memory becomes Movable */
};
extern struct kernelcore_params kernelcore_params;

/* cma=size[@start[-end]]; size is 0 when it was not given ("cma=0" sets given). */
struct cma_params {
	bool given;
	u64 size;
	phys_addr_t base;
	phys_addr_t limit; /* 0: none */
};
extern struct cma_params cma_params;

/* vmalloc= and vmsplit= (i386): where low memory ends. mem=nopentium: the kernel uses no 4 MiB pages. */
struct lowmem_params {
	u64 vmalloc_reserve; /* bytes, the guard hole included */
	u32 page_offset;
	bool no_large;
};
extern struct lowmem_params lowmem_params;

/* Where the kernel's code and constants lie in physical memory; size 0: the port does not say. */
extern struct bootinfo_span kernel_text_span, kernel_rodata_span;

/* Bytes that mem= leaves, on machines without an e820 map; 0: no limit. */
extern u64 memory_limit;

#endif
