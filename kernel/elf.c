// SPDX-License-Identifier: MIT
/*
 * ELF files: which are taken, and how their segments are mapped. Sources: System V ABI (generic: chapter 5; x86-64:
 * chapter 5), elf(5).
 *
 * Programs that may lie anywhere are put at two thirds of user space if they have an interpreter, else among the other
 * mappings, as Linux does.
 */
#include "elf.h"

#include <octavo/mman.h>

#define ET_EXEC 2
#define ET_DYN 3
#define EM_X86_64 62
#define PT_LOAD 1u
#define PT_INTERP 3u
#define PT_PHDR 6u
#define PT_GNU_STACK 0x6474e551u
#define PF_X 1u
#define PF_W 2u
#define PF_R 4u
#define DYN_BASE 0x555555554000ul

static int read_exactly(struct file *file, void *to, size_t len, u64 at)
{
	s64 got = vfs_read(file, to, len, &at, false);

	return got < 0 ? (int)got : (size_t)got == len ? 0 : -ENOEXEC;
}

static int check_segments(struct elf_image *image)
{
	bool any = false;

	for (unsigned int i = 0; i < image->header.phnum; i++) {
		const struct elf_segment *s = &image->segments[i];

		if (s->type == PT_GNU_STACK)
			image->exec_stack = s->flags & PF_X;
		if (s->type != PT_LOAD)
			continue;
		any = true;
		if (s->filesz > s->memsz || s->memsz >= (u64)1 << 46 || s->vaddr >= (u64)1 << 47 ||
		    (s->vaddr - s->offset) % PAGE_SIZE)
			return -ENOEXEC;
	}
	return any ? 0 : -ENOEXEC;
}

int elf_read(struct elf_image *image, struct file *file)
{
	struct elf_header *h = &image->header;
	static const u8 magic[7] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };
	int err;

	memset(image, 0, sizeof(*image));
	image->file = file;
	image->exec_stack = true; /* of programs that do not say: elf(5), PT_GNU_STACK */
	err = read_exactly(file, h, sizeof(*h), 0);
	if (err)
		return err;
	if (memcmp(h->ident, magic, sizeof(magic)) || h->machine != EM_X86_64 ||
	    (h->type != ET_EXEC && h->type != ET_DYN) || h->phentsize != sizeof(struct elf_segment) || !h->phnum ||
	    h->phnum > ELF_PHDRS_MAX)
		return -ENOEXEC;
	err = read_exactly(file, image->segments, h->phnum * sizeof(struct elf_segment), h->phoff);
	return err ? err : check_segments(image);
}

int elf_interpreter(const struct elf_image *image, char *path, size_t size)
{
	for (unsigned int i = 0; i < image->header.phnum; i++) {
		const struct elf_segment *s = &image->segments[i];
		int err;

		if (s->type != PT_INTERP)
			continue;
		if (s->filesz < 2 || s->filesz > size)
			return -ENOEXEC;
		err = read_exactly(image->file, path, s->filesz, s->offset);
		if (err)
			return err;
		return path[s->filesz - 1] ? -ENOEXEC : 1;
	}
	return 0;
}

/* ---- Mapping ---- */

/* What lies between the first page and the last one of the segments. */
static size_t span(const struct elf_image *image, uintptr_t *first)
{
	uintptr_t low = ~0ul, high = 0;

	for (unsigned int i = 0; i < image->header.phnum; i++) {
		const struct elf_segment *s = &image->segments[i];

		if (s->type != PT_LOAD)
			continue;
		low = min(low, (uintptr_t)s->vaddr & PAGE_MASK);
		high = max(high, (uintptr_t)(s->vaddr + s->memsz));
	}
	*first = low;
	return ALIGN(high, PAGE_SIZE) - low;
}

static u64 greatest_align(const struct elf_image *image)
{
	u64 align = PAGE_SIZE;

	for (unsigned int i = 0; i < image->header.phnum; i++)
		if (image->segments[i].type == PT_LOAD && is_power_of_2(image->segments[i].align))
			align = max(align, image->segments[i].align);
	return align;
}

/* Where an image that may lie anywhere is to lie: a place that all of it fits into. Return: 0 or errno. */
static int choose_bias(struct elf_image *image, struct mm_struct *mm, bool fixed_base)
{
	u64 align = greatest_align(image);
	uintptr_t first, at;
	size_t size = span(image, &first);
	long got;

	if (fixed_base) {
		image->bias = ALIGN_DOWN(DYN_BASE + mm_random_offset(28), align) - first;
		return 0;
	}
	got = vm_mmap(mm, NULL, 0, size + align - PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, 0);
	if (got < 0)
		return (int)got;
	at = ALIGN((uintptr_t)got, align);
	got = vm_munmap(mm, (uintptr_t)got, size + align - PAGE_SIZE);
	image->bias = at - first;
	return (int)got;
}

static unsigned long rights(const struct elf_segment *s)
{
	return (s->flags & PF_R ? PROT_READ : 0) | (s->flags & PF_W ? PROT_WRITE : 0) |
	       (s->flags & PF_X ? PROT_EXEC : 0);
}

/*
 * The part of a page behind the file's bytes, and the pages behind that. All of the page: interpreters take what lies
 * behind their variables for memory that is zero, too.
 */
static int map_zeros(struct mm_struct *mm, const struct elf_segment *s, uintptr_t start)
{
	uintptr_t file_end = start + s->filesz, end = start + s->memsz, page = ALIGN(file_end, PAGE_SIZE);

	if (file_end < page && end > file_end && (s->flags & PF_W) && clear_user(file_end, page - file_end))
		return -EFAULT;
	if (end <= page)
		return 0;
	return (int)vm_brk(mm, page, ALIGN(end, PAGE_SIZE) - page, s->flags & PF_X);
}

static int map_segment(struct elf_image *image, struct mm_struct *mm, const struct elf_segment *s)
{
	uintptr_t start = image->bias + s->vaddr, page = start & PAGE_MASK;
	size_t skipped = start - page;
	long got = 0;

	if (s->filesz)
		got = vm_mmap(mm, image->file, page, s->filesz + skipped, rights(s),
			      MAP_PRIVATE | MAP_FIXED_NOREPLACE, s->offset - skipped);
	if (got < 0)
		return (int)got;
	if (s->memsz > s->filesz) {
		struct elf_segment whole = *s;
		uintptr_t from = start;

		if (!s->filesz) { /* nothing of the file: from the page on */
			from = page;
			whole.memsz += skipped;
		}
		got = map_zeros(mm, &whole, from);
	}
	if (got < 0)
		return (int)got;
	if (s->flags & PF_X) {
		image->start_code = image->start_code ? min(image->start_code, start) : start;
		image->end_code = max(image->end_code, start + s->filesz);
	}
	image->start_data = max(image->start_data, start);
	image->end_data = max(image->end_data, start + s->filesz);
	image->brk = max(image->brk, ALIGN(start + s->memsz, PAGE_SIZE));
	if (s->offset <= image->header.phoff && image->header.phoff < s->offset + s->filesz)
		image->phdr = start + image->header.phoff - s->offset;
	return 0;
}

int elf_map(struct elf_image *image, struct mm_struct *mm, bool interpreter, bool has_interpreter)
{
	bool movable = image->header.type == ET_DYN;
	int err = movable ? choose_bias(image, mm, !interpreter && has_interpreter) : 0;

	for (unsigned int i = 0; i < image->header.phnum && !err; i++)
		if (image->segments[i].type == PT_LOAD)
			err = map_segment(image, mm, &image->segments[i]);
	image->entry = image->bias + image->header.entry;
	/* The heap of a program among the mappings would have no room there. */
	if (movable && !interpreter && !has_interpreter)
		image->brk = DYN_BASE;
	return err;
}
