// SPDX-License-Identifier: MIT
/*
 * Names of places in the program: from its own ELF symbol table, which has the static and hidden functions that
 * dladdr() does not know; for shared libraries dladdr() serves. The file is mapped when the first name is asked for.
 */
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <octavo/port.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine.h"

/* Where the linker puts the program's headers; below all of it. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));

static struct {
	bool looked;
	const ElfW(Sym) *symbols;
	size_t nr;
	const char *names;
	size_t names_size;
} program;

static bool in_file(const ElfW(Shdr) *s, size_t size)
{
	return s->sh_offset <= size && s->sh_size <= size - s->sh_offset;
}

/* Any malformed part leaves the program without a table. */
static void find_table(const char *file, size_t size)
{
	const ElfW(Ehdr) *head = (const void *)file;
	const ElfW(Shdr) *sections = (const void *)(file + head->e_shoff);

	if (size < sizeof(*head) || head->e_shentsize != sizeof(*sections) || head->e_shoff > size ||
	    (size_t)head->e_shnum * sizeof(*sections) > size - head->e_shoff)
		return;
	for (unsigned int i = 0; i < head->e_shnum; i++) {
		const ElfW(Shdr) *s = &sections[i];

		if (s->sh_type != SHT_SYMTAB || s->sh_link >= head->e_shnum || !in_file(s, size) ||
		    !in_file(&sections[s->sh_link], size))
			continue;
		program.names = file + sections[s->sh_link].sh_offset;
		program.names_size = sections[s->sh_link].sh_size;
		program.symbols = (const void *)(file + s->sh_offset);
		__atomic_store_n(&program.nr, s->sh_size / sizeof(*program.symbols), __ATOMIC_RELEASE);
		return;
	}
}

static void open_table(void)
{
	struct stat st;
	void *file;
	int fd;

	if (__atomic_exchange_n(&program.looked, true, __ATOMIC_ACQ_REL))
		return;
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (!fstat(fd, &st) && st.st_size > 0) {
		file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (file != MAP_FAILED)
			find_table(file, (size_t)st.st_size);
	}
	close(fd);
}

static bool name_in_program(uintptr_t pc, char *text, size_t size)
{
	uintptr_t base = (uintptr_t)__ehdr_start, at = pc - 1 - base;
	size_t nr;

	open_table();
	nr = __atomic_load_n(&program.nr, __ATOMIC_ACQUIRE);
	for (size_t i = 0; i < nr; i++) {
		const ElfW(Sym) *s = &program.symbols[i];

		if ((s->st_info & 0xf) != STT_FUNC || at - s->st_value >= s->st_size ||
		    s->st_name >= program.names_size)
			continue;
		snprintf(text, size, "%s+0x%lx/0x%lx", program.names + s->st_name,
			 (unsigned long)(pc - base - s->st_value), (unsigned long)s->st_size);
		return true;
	}
	return false;
}

void port_symbol(uintptr_t pc, char *text, size_t size)
{
	Dl_info info;

	if (name_in_program(pc, text, size))
		return;
	if (dladdr((void *)(pc - 1), &info) && info.dli_sname && info.dli_saddr)
		snprintf(text, size, "%s+0x%lx", info.dli_sname, (unsigned long)(pc - (uintptr_t)info.dli_saddr));
	else
		snprintf(text, size, "0x%lx", (unsigned long)pc);
}
