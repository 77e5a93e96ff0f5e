// SPDX-License-Identifier: MIT
#ifdef __x86_64__
#include "elf_try.h"

#include "ramfile.h"

#define TEXT ((u64)0x400000)
#define TEXT_BYTES (2 * (u64)PAGE_SIZE + 100)
#define DATA_BYTES ((u64)300)
#define ZEROS (2 * (u64)PAGE_SIZE)

static void segment(struct elf_segment *s, u32 type, u32 flags, u64 offset, u64 vaddr, u64 filesz, u64 memsz)
{
	*s = (struct elf_segment){ type, flags, offset, vaddr, vaddr, filesz, memsz, PAGE_SIZE };
}

size_t elf_sample(enum elf_sample which, u8 to[ELF_SAMPLE_MAX])
{
	u64 base = which == SAMPLE_STATIC ? TEXT : 0, data = TEXT_BYTES, end = data + DATA_BYTES;
	struct elf_header h = { .ident = { 0x7f, 'E', 'L', 'F', 2, 1, 1 }, .machine = 62, .version = 1 };
	struct elf_segment s[4];

	for (size_t i = 0; i < ELF_SAMPLE_MAX; i++)
		to[i] = (u8)(i * 7 + i / PAGE_SIZE);
	h.type = which == SAMPLE_STATIC ? 2 : 3;
	h.entry = base + 0x1000;
	h.phoff = sizeof(h);
	h.ehsize = sizeof(h);
	h.phentsize = sizeof(s[0]);
	h.phnum = which == SAMPLE_INTERPRETED ? 4 : 3;
	segment(&s[0], 1, 5, 0, base, TEXT_BYTES, TEXT_BYTES);
	segment(&s[1], 1, 6, data, base + data + PAGE_SIZE, DATA_BYTES, DATA_BYTES + ZEROS);
	segment(&s[2], 0x6474e551, 6, 0, 0, 0, 0);
	segment(&s[3], 3, 4, 0x800, base + 0x800, 10, 10);
	memcpy(to, &h, sizeof(h));
	memcpy(to + sizeof(h), s, h.phnum * sizeof(s[0]));
	memcpy(to + 0x800, "/lib/ld.so", 10);
	to[0x809] = 0;
	return (size_t)end;
}

/* What elf.c reads by: a file of the page cache. */
s64 vfs_read(struct file *file, void *to, size_t len, u64 *pos, bool user)
{
	s64 got = user ? -EINVAL : ram_file_read(file, to, len, *pos);

	if (got > 0)
		*pos += (u64)got;
	return got;
}

static int read_and_map(struct test_process *p, struct elf_image *image, struct file *file)
{
	int err = elf_read(image, file), interpreted;
	char path[32];
	bool ends = false;

	if (err)
		return err;
	interpreted = elf_interpreter(image, path, sizeof(path));
	if (interpreted < 0)
		return interpreted;
	for (size_t i = 0; interpreted && i < sizeof(path) && !ends; i++)
		ends = !path[i];
	if (interpreted && !ends)
		test_fail(__FILE__, __LINE__, "an interpreter's path without an end");
	return elf_map(image, p->task.mm, false, interpreted);
}

int elf_try(struct test_process *p, struct elf_image *image, const u8 *bytes, size_t size)
{
	static u8 store[RAM_FILE_BYTES];
	static struct ram_file f;
	struct file *file;
	int err = -ENOMEM;

	memset(store, 0, sizeof(store));
	memcpy(store, bytes, size);
	if (!ram_file_make(&f, store, size, false))
		return -ENOMEM;
	file = ram_file_open(&f);
	if (file) {
		err = read_and_map(p, image, file);
		fput(file);
	}
	ram_file_put(&f);
	return err;
}

#endif
