/* SPDX-License-Identifier: MIT */
/*
 * A machine as a reader found it described: what every source (boot log, /proc/iomem, firmware map, map file)
 * is turned into, and what becomes the struct bootinfo that is booted.
 *
 * A reader adds facts with machine_push() and the setters, says what is doubtful with machine_warn() and gives
 * up with machine_error(). machine_finish() then fills m->info, whose pointers lead into the description: it
 * must outlive the boot.
 */
#ifndef CLI_MACHINE_H
#define CLI_MACHINE_H

#include <errno.h>
#include <octavo/bootinfo.h>

/* The pieces of a kernel image, in the order they lie in memory. */
enum image_part { IMAGE_TEXT, IMAGE_RODATA, IMAGE_DATA, IMAGE_INIT, IMAGE_BSS, IMAGE_PARTS };

struct machine_desc {
	char *name;	/* file the machine was read from, or "this machine" */
	char *cmdline;	/* NULL: none */
	char *version;	/* kernel release of a boot log ("6.12.47+rpt"), or NULL */
	enum boot_arch arch;
	struct bootinfo_range *map;
	struct bootinfo_edit *edits;
	struct bootinfo_mem_affinity *mem_affinity;
	struct bootinfo_cpu *cpus;
	struct bootinfo_span *reserved;
	unsigned int map_nr, edits_nr, mem_affinity_nr, cpus_nr, reserved_nr;
	unsigned int cpus_possible;
	u8 *distance;
	unsigned int distance_nr;
	struct bootinfo_span initrd;
	struct bootinfo_span image[IMAGE_PARTS]; /* start 0 with a size: still to be placed */
	unsigned int max_phys_bits;
	phys_addr_t zone_dma_end, zone_dma32_end;
	bool no_numa; /* a boot log of a kernel built without NUMA */
	bool foreign; /* a boot log of neither an x86 nor an arm64 machine */
	u32 zones;    /* zones of a boot log's kernel, 0: unknown */

	struct bootinfo info; /* machine_finish() */

	char *warnings; /* lines "NAME:LINE: text\n", or NULL */
	unsigned int warnings_nr;
	char *error; /* the one that ended reading, or NULL */
};

/* A source's text. It may hold anything, NUL bytes included. */
struct text {
	const char *name;
	const char *data;
	size_t len;
};

/* Memory that the command cannot do without: these end the process with a message when there is none. */
void *cli_alloc(size_t size);
void *cli_resize(void *p, size_t size);
char *cli_strdup(const char *s);
__printf(1, 2) char *cli_format(const char *fmt, ...);
/* Room for one more entry in an array of @nr: capacity is @nr rounded up to a power of two. */
void *cli_grow(void *array, unsigned int nr, size_t size);

#define machine_push(m, field, ...)                                                                      \
	((m)->field = cli_grow((m)->field, (m)->field##_nr, sizeof(*(m)->field)),                        \
	 (void)((m)->field[(m)->field##_nr++] = (__typeof__(*(m)->field))__VA_ARGS__))

void machine_init(struct machine_desc *m, const char *name);
void machine_free(struct machine_desc *m);

/* @line 0: the source as a whole. Repeats of one warning beyond 20 in all are only counted. */
__printf(3, 4) void machine_warn(struct machine_desc *m, unsigned int line, const char *fmt, ...);
/* Return: always -EINVAL, for "return machine_error(…)". */
__printf(3, 4) int machine_error(struct machine_desc *m, unsigned int line, const char *fmt, ...);

void machine_set_cmdline(struct machine_desc *m, const char *cmdline);
/* More parameters for the kernel: ahead of "--", where init's begin. */
void machine_append_cmdline(struct machine_desc *m, const char *more);

/* A range from inclusive ends; the whole 64-bit space loses its last byte, for want of a number for its size. */
struct bootinfo_range machine_range(u64 first, u64 last, u32 type);

/* Give the machine exactly @count CPUs: those it has, then more, dealt to its nodes in turn. */
void machine_set_cpus(struct machine_desc *m, unsigned int count);

/*
 * Check and complete: place the kernel image, at least one CPU, fill m->info.
 * Return: 0, or -EINVAL with m->error set when there is no memory map at all.
 */
int __must_check machine_finish(struct machine_desc *m);

/* ---- Readers. Return 0, or -EINVAL with m->error set. ---- */

int __must_check bootlog_read(struct machine_desc *m, const struct text *text);
int __must_check iomem_read(struct machine_desc *m, const struct text *text);
int __must_check mapfile_read(struct machine_desc *m, const struct text *text);
/* @path: a directory like /sys/firmware/memmap. -ENOENT: nothing there. */
int __must_check firmware_memmap_read(struct machine_desc *m, const char *path);
/* Node distances: a text matrix (as "numactl --hardware" or the map file write it) or an ACPI SLIT table. */
int __must_check slit_read(struct machine_desc *m, const struct text *text);

bool bootlog_recognise(const struct text *text);
bool iomem_recognise(const struct text *text);
bool mapfile_recognise(const struct text *text);

/*
 * machine_read - from a file of any of the kinds, "-" for standard input, a directory, or NULL: this machine
 * @root: prefix of the paths that describe this machine ("" but for tests)
 */
int __must_check machine_read(struct machine_desc *m, const char *path, const char *root);
int __must_check machine_read_slit(struct machine_desc *m, const char *path);

/* ---- Text helpers the readers share (lines.c) ---- */

struct lines {
	const struct text *text;
	size_t at;
	unsigned int number; /* of the line last returned */
	bool ended;	     /* that line ended in a newline */
	char *line;
};

/* The next line without its newline, carriage return, escape sequences and control bytes; NULL at the end. */
char *lines_next(struct lines *l);
void lines_free(struct lines *l);

/* A number at *@p, which is moved behind it. @base 16: "0x" may lead. False: none, or beyond 64 bits. */
bool scan_number(const char **p, unsigned int base, u64 *value);
/* If *@p begins with @word: moves behind it and what blanks follow. */
bool scan_word(const char **p, const char *word);
const char *skip_blanks(const char *p);
/* A size with K M G T P E; false: none or too large. */
bool scan_size(const char **p, u64 *value);

/* Memory type from the words boot logs and /proc/iomem use, searched in @words. False: none known. */
bool map_type_parse(const char *words, u32 *type);

#endif
