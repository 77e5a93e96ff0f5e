// SPDX-License-Identifier: MIT
/*
 * The page allocator and the heap inside a program, over memory the program hands in: seven port functions, two threads
 * as two CPUs. docs/porting.md walks through it; "make embed" builds and runs it.
 */
#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/port.h>
#include <octavo/proc.h>
#include <octavo/slab.h>
#include <octavo/verify.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The memory, and the machine it makes ---- */

static unsigned char memory[16 << 20];

/*
 * "Physical" addresses count from one that has all the alignment that a block of pages can have (4 MiB): what is
 * aligned there is aligned here.
 */
#define BLOCK_MAX ((uintptr_t)4 << 20)

const struct bootinfo *port_bootinfo(void)
{
	static struct bootinfo_range ram[1];
	static const struct bootinfo_cpu cpus[2] = { { 0, BOOT_PXM_NONE }, { 1, BOOT_PXM_NONE } };
	static struct bootinfo machine = {
		.name = "a program's own memory", .arch = BOOT_ARCH_ARM64, .cmdline = "",
		.map = ram, .map_nr = 1, .cpus = cpus, .cpus_nr = 2, .zones = 1u << ZONE_NORMAL, .ram_zeroed = true,
	};

	machine.direct_map = (uintptr_t)memory & ~(BLOCK_MAX - 1);
	ram[0].start = (uintptr_t)memory - machine.direct_map;
	ram[0].size = sizeof(memory);
	ram[0].type = E820_TYPE_RAM;
	machine.direct_map_size = ram[0].start + ram[0].size;
	return &machine;
}

/* ---- The rest of the port ---- */

static _Thread_local unsigned int cpu; /* a thread is a CPU: it never moves to another */

unsigned int port_cpu_id(void)
{
	return cpu;
}

void port_cpu_relax(void)
{
	sched_yield();
}

/* Nothing interrupts a thread in the middle of an allocation: no signal handler here allocates. */
unsigned long port_irq_save(void)
{
	return 0;
}

void port_irq_restore(unsigned long flags)
{
	(void)flags;
}

void port_console_write(const char *text, size_t len)
{
	fwrite(text, 1, len, stderr);
}

void port_panic(const char *why)
{
	fprintf(stderr, "panic: %s\n", why);
	abort();
}

/* ---- A program ---- */

struct note {
	struct note *next;
	char *text;
};

static struct kmem_cache *notes;

static struct note *write_notes(const char *prefix, unsigned int count)
{
	struct note *first = NULL;

	for (unsigned int i = 0; i < count; i++) {
		struct note *note = kmem_cache_alloc(notes, GFP_KERNEL);

		if (!note)
			break;
		note->text = kmalloc(strlen(prefix) + 12, GFP_KERNEL);
		if (note->text)
			sprintf(note->text, "%s %u", prefix, i);
		note->next = first;
		first = note;
	}
	return first;
}

static unsigned int drop_notes(struct note *note)
{
	unsigned int count = 0;

	while (note) {
		struct note *next = note->next;

		kfree(note->text);
		kmem_cache_free(notes, note);
		note = next;
		count++;
	}
	return count;
}

/* CPU 1: joins, and writes notes that CPU 0 frees. */
static void *second(void *result)
{
	cpu = 1;
	if (mm_cpu_online(1))
		return NULL;
	*(struct note **)result = write_notes("from the other thread", 5000);
	return result;
}

static void print(void *ctx, const char *text, size_t len)
{
	(void)ctx;
	fwrite(text, 1, len, stdout);
}

int main(void)
{
	struct note *mine, *theirs = NULL;
	struct page *pages;
	pthread_t thread;

	if (mm_init(NULL))
		return 1;
	mm_free_initmem();

	pages = alloc_pages(GFP_KERNEL, 4);
	notes = KMEM_CACHE(note, SLAB_NO_MERGE);
	if (!pages || !notes || pthread_create(&thread, NULL, second, &theirs))
		return 1;
	mine = write_notes("from this thread", 5000);
	pthread_join(thread, NULL);
	mm_cpu_offline(1); /* what it has cached comes back */

	printf("pages at %p, a note at %p\n", page_address(pages), (void *)mine);
	printf("%lu of %lu KiB free\n", nr_free_pages() * (PAGE_SIZE >> 10), totalram_pages() * (PAGE_SIZE >> 10));
	octavo_proc_read("/proc/buddyinfo", print, NULL);
	octavo_proc_read("/proc/slabinfo", print, NULL);
	printf("%u notes freed\n", drop_notes(mine) + drop_notes(theirs));
	kmem_cache_destroy(notes);
	__free_pages(pages, 4);
	return mm_verify(NULL, NULL) || heap_verify(NULL, NULL) || heap_errors();
}
