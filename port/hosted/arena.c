// SPDX-License-Identifier: MIT
/*
 * The machine's RAM.
 *
 * Purpose. Physical memory of any size and shape, at the cost of what is touched. One window of reserved
 * address space stands for physical addresses 0 up to the end of the direct map; in it, what the memory map calls
 * RAM is demand-zero memory and the rest is not accessible, so that a stray access to a hole stops the
 * process. A second window does the same for struct page.
 *
 * Words. A *range* is a piece of RAM in whole pages. It is *direct* when it lies in the window. Every other
 * range (high memory of a 32-bit machine, RAM at the top of 52 bits) lies in one sparse file without a name,
 * and its pages are seen only through *windows* of one page each, 16 a CPU, that port_kmap_local() opens.
 *
 *	direct map   |--RAM--|......|----RAM----|  PROT_NONE where dots are     ranges[i].direct
 *	file         |-high RAM-|-high RAM-|       packed, in range order       ranges[i].file
 *	windows      |cpu 0: 16 pages|cpu 1: ...|  PROT_NONE unless open
 *	vmemmap      |descriptor of frame 0 ...|   demand-zero (or PROT_NONE until populated)
 *
 * Memory use. Address space only, until pages are touched; huge pages are declined, so that touching one
 * page costs one page. Everything is dropped by unmapping it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <octavo/page.h>

#include "machine.h"

#define PHYS_END ((u64)1 << 52)
#define GIB ((u64)1 << 30)
#define I386_LOWMEM ((u64)896 << 20)
#if UINTPTR_MAX > 0xffffffffu
#define DIRECT_MAX ((u64)1 << 46)	/* a user process has 2^47 */
#define DIRECT_HINT ((void *)0x200000000000ull)
#define VMEMMAP_HINT ((void *)0x180000000000ull)
#else
#define DIRECT_MAX ((u64)1 << 30) /* of 3 or 4 GiB, half of them with struct page in a large machine */
#define DIRECT_HINT NULL
#define VMEMMAP_HINT NULL
#endif

struct range {
	u64 start, end;
	u64 file; /* offset in the file, when not direct */
	bool direct;
};

static struct {
	struct range *ranges;
	unsigned int nr;
	void *map;	  /* what was reserved, to be unmapped */
	size_t map_bytes;
	char *direct;	  /* physical address 0 */
	u64 direct_bytes; /* covered by the window */
	char *vmemmap;
	size_t vmemmap_bytes;
	char *windows;
	size_t windows_bytes;
	int fd; /* -1: none */
	u64 file_end;
} arena = { .fd = -1 };

static u64 page_up(u64 x)
{
	return (x + PAGE_SIZE - 1) & ~(u64)(PAGE_SIZE - 1);
}

/* ---- Ranges ---- */

static void ranges_add(u64 start, u64 size)
{
	u64 end = start + size < start ? PHYS_END : start + size;

	start = start & ~(u64)(PAGE_SIZE - 1);
	end = end > PHYS_END ? PHYS_END : page_up(end);
	if (!size || start >= end)
		return;
	arena.ranges = realloc(arena.ranges, (arena.nr + 1) * sizeof(*arena.ranges));
	if (!arena.ranges)
		abort();
	arena.ranges[arena.nr++] = (struct range){ .start = start, .end = end };
}

static int by_start(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static void ranges_merge(void)
{
	unsigned int n = 0;

	if (!arena.nr)
		return;
	qsort(arena.ranges, arena.nr, sizeof(*arena.ranges), by_start);
	for (unsigned int i = 1; i < arena.nr; i++) {
		struct range *last = &arena.ranges[n], *next = &arena.ranges[i];

		if (next->start <= last->end)
			last->end = next->end > last->end ? next->end : last->end;
		else
			arena.ranges[++n] = *next;
	}
	arena.nr = n + 1;
}

/* "512M", "0x1000": as the command line writes sizes. */
static u64 parse_size(const char *s, char **end)
{
	u64 value = strtoull(s, end, 0);
	const char *units = "kmgtpe", *unit = **end ? strchr(units, **end | 0x20) : NULL;

	if (!unit)
		return value;
	++*end;
	return value << (10 * (unsigned int)(unit - units + 1));
}

/* memmap=SIZE@START on the command line makes RAM of what the map does not call so. */
static void ranges_add_memmap(const char *cmdline)
{
	for (const char *p = cmdline; p && (p = strstr(p, "memmap=")); ) {
		p += strlen("memmap=");
		while (*p && *p != ' ') {
			char *end;
			u64 size = parse_size(p, &end), start;

			if (*end == '@') {
				start = parse_size(end + 1, &end);
				ranges_add(start, size);
			}
			p = end + strcspn(end, ", ");
			p += *p == ',';
		}
	}
}

static void ranges_collect(const struct bootinfo *info)
{
	free(arena.ranges);
	arena.ranges = NULL;
	arena.nr = 0;
	for (unsigned int i = 0; i < info->map_nr; i++)
		if (info->map[i].type == E820_TYPE_RAM)
			ranges_add(info->map[i].start, info->map[i].size);
	for (unsigned int i = 0; i < info->edits_nr; i++)
		if (info->edits[i].to == E820_TYPE_RAM)
			ranges_add(info->edits[i].start, info->edits[i].size);
	ranges_add_memmap(info->cmdline);
	ranges_merge();
}

/*
 * End of what is RAM or may become RAM later: memory devices that the tables announce, and on 64-bit hosts as much
 * again for memory hotplug.
 */
static u64 span_end(const struct bootinfo *info, bool later)
{
	u64 end = arena.nr ? arena.ranges[arena.nr - 1].end : PAGE_SIZE;

	if (later && sizeof(void *) == 8 && end <= PHYS_END / 2)
		end *= 2;
	for (unsigned int i = 0; later && i < info->mem_affinity_nr; i++) {
		const struct bootinfo_mem_affinity *a = &info->mem_affinity[i];
		u64 last = a->start + a->size;

		if (a->size && last > a->start && last <= PHYS_END && last > end)
			end = page_up(last);
	}
	for (unsigned int i = 0; later && i < info->map_nr; i++) {
		const struct bootinfo_range *r = &info->map[i];
		bool device = r->type == E820_TYPE_PMEM || r->type == E820_TYPE_PRAM ||
			      r->type == (u32)E820_TYPE_SOFT_RESERVED;
		u64 last = r->start + r->size;

		if (device && last > r->start && last <= PHYS_END && last > end)
			end = page_up(last);
	}
	/* The section of 128 MiB that the last frame lies in has descriptors to its end. */
	return (end + ((u64)128 << 20) - 1) & ~(((u64)128 << 20) - 1);
}

/* ---- Mapping ---- */

static void *reserve(void *hint, u64 bytes, int prot)
{
	void *p;

	if (bytes != (size_t)bytes)
		return NULL;
	p = mmap(hint, (size_t)bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	madvise(p, (size_t)bytes, MADV_NOHUGEPAGE);
	madvise(p, (size_t)bytes, MADV_DONTDUMP);
	return p;
}

/* Frames of a machine keep their alignment as addresses: the window begins on a boundary of 4 MiB. */
#define WINDOW_ALIGN ((uintptr_t)4 << 20)

static bool reserve_direct(u64 bytes)
{
	void *p = reserve(DIRECT_HINT, bytes + WINDOW_ALIGN, PROT_NONE);

	if (!p)
		return false;
	arena.map = p;
	arena.map_bytes = (size_t)(bytes + WINDOW_ALIGN);
	arena.direct = (char *)(((uintptr_t)p + WINDOW_ALIGN - 1) & ~(WINDOW_ALIGN - 1));
	arena.direct_bytes = bytes;
	return true;
}

static u64 direct_limit(const struct bootinfo *info, const struct hosted_options *options)
{
	u64 limit = DIRECT_MAX;

	if (info->arch == BOOT_ARCH_I386 || info->arch == BOOT_ARCH_I386_PAE) {
		limit = options->lowmem_bytes ? page_up(options->lowmem_bytes) : I386_LOWMEM;
		limit = limit < DIRECT_MAX ? limit : DIRECT_MAX;
	}
	return limit;
}

/* A range that lies across the end of the window becomes two. */
static void ranges_place(void)
{
	for (unsigned int i = 0; i < arena.nr; i++) {
		struct range *r = &arena.ranges[i];
		u64 cut = arena.direct_bytes;

		if (r->start < cut && r->end > cut) {
			u64 end = r->end;

			r->end = cut;
			ranges_add(cut, end - cut);
			qsort(arena.ranges, arena.nr, sizeof(*arena.ranges), by_start);
			r = &arena.ranges[i];
		}
		r->direct = r->end <= cut;
		if (!r->direct) {
			r->file = arena.file_end;
			arena.file_end += r->end - r->start;
		}
	}
}

static int range_map(const struct range *r)
{
	if (!r->direct)
		return ftruncate(arena.fd, (off_t)arena.file_end) ? -ENOMEM : 0;
	return mprotect(arena.direct + r->start, (size_t)(r->end - r->start), PROT_READ | PROT_WRITE) ? -ENOMEM : 0;
}

static int vmemmap_populate(uintptr_t virt, phys_addr_t phys, size_t size)
{
	(void)phys;
	return mprotect((void *)virt, size, PROT_READ | PROT_WRITE) ? -ENOMEM : 0;
}

static void vmemmap_depopulate(uintptr_t virt, size_t size)
{
	madvise((void *)virt, size, MADV_DONTNEED);
	mprotect((void *)virt, size, PROT_NONE);
}

static int vmemmap_create(struct bootinfo *info, const struct hosted_options *options)
{
	u64 bytes = (span_end(info, true) >> PAGE_SHIFT) * sizeof(struct page);
	int prot = options->populate ? PROT_NONE : PROT_READ | PROT_WRITE;

	arena.vmemmap = reserve(VMEMMAP_HINT, bytes, prot);
	if (!arena.vmemmap) {
		bytes = (span_end(info, false) >> PAGE_SHIFT) * sizeof(struct page);
		arena.vmemmap = reserve(VMEMMAP_HINT, bytes, prot);
	}
	if (!arena.vmemmap) {
		hosted_log("no %llu MiB of address space for struct page", (unsigned long long)(bytes >> 20));
		return -ENOMEM;
	}
	arena.vmemmap_bytes = (size_t)bytes;
	info->vmemmap = (uintptr_t)arena.vmemmap;
	info->vmemmap_size = bytes;
	info->vmemmap_populate = options->populate ? vmemmap_populate : NULL;
	info->vmemmap_depopulate = options->populate ? vmemmap_depopulate : NULL;
	return 0;
}

static int windows_create(void)
{
	arena.windows_bytes = (size_t)cpus_nr() * HOSTED_KMAP_MAX * PAGE_SIZE;
	arena.windows = reserve(NULL, arena.windows_bytes, PROT_NONE);
	if (!arena.windows)
		return -ENOMEM;
	arena.fd = memfd_create("octavo-highmem", MFD_CLOEXEC);
	return arena.fd < 0 ? -ENOMEM : 0;
}

int arena_create(struct bootinfo *info, const struct hosted_options *options)
{
	u64 limit = direct_limit(info, options), want, least;

	ranges_collect(info);
	want = span_end(info, true);
	want = want < limit ? want : limit;
	least = span_end(info, false);
	least = least < want ? least : want;
	/* Room for devices to come if there is; then for the RAM; then for less, the rest through windows. */
	while (!reserve_direct(want)) {
		if (want <= (u64)64 << 20) {
			hosted_log("no address space for a direct map of %llu MiB", (unsigned long long)(want >> 20));
			return -ENOMEM;
		}
		want = want > least ? least : want / 2 & ~(WINDOW_ALIGN - 1);
	}
	ranges_place();
	if (windows_create() || vmemmap_create(info, options)) {
		arena_destroy();
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < arena.nr; i++) {
		if (range_map(&arena.ranges[i])) {
			hosted_log("RAM [%#llx, %#llx) cannot be mapped", (unsigned long long)arena.ranges[i].start,
				   (unsigned long long)arena.ranges[i].end);
			arena_destroy();
			return -ENOMEM;
		}
	}
	guard_register();
	info->direct_map = (uintptr_t)arena.direct;
	info->direct_map_size = arena.direct_bytes;
	return 0;
}

void arena_destroy(void)
{
	guard_restore(NULL);
	if (arena.map)
		munmap(arena.map, arena.map_bytes);
	if (arena.vmemmap)
		munmap(arena.vmemmap, arena.vmemmap_bytes);
	if (arena.windows)
		munmap(arena.windows, arena.windows_bytes);
	if (arena.fd >= 0)
		close(arena.fd);
	free(arena.ranges);
	memset(&arena, 0, sizeof(arena));
	arena.fd = -1;
}

/* ---- Windows ---- */

static const struct range *range_of(u64 phys)
{
	unsigned int low = 0, high = arena.nr;

	while (low < high) {
		unsigned int mid = low + (high - low) / 2;

		if (arena.ranges[mid].end <= phys)
			low = mid + 1;
		else
			high = mid;
	}
	return low < arena.nr && arena.ranges[low].start <= phys ? &arena.ranges[low] : NULL;
}

void *port_kmap_local(unsigned long pfn)
{
	u64 phys = PFN_PHYS(pfn);
	const struct range *r = range_of(phys);
	char *window;

	if (!r) {
		hosted_log("port_kmap_local: frame %#lx is not RAM", pfn);
		port_panic("port_kmap_local of a frame that is not RAM");
	}
	window = arena.windows + cpu_window_open() * PAGE_SIZE;
	if (r->direct) /* high memory all the same: nothing else shows it at the window's address */
		return arena.direct + phys;
	if (mmap(window, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, arena.fd,
		 (off_t)(r->file + (phys - r->start))) != window)
		port_panic("port_kmap_local: mmap failed");
	return window;
}

void port_kunmap_local(void *virt)
{
	char *page = (char *)((uintptr_t)virt & PAGE_MASK);
	char *window = arena.windows + cpu_window_close() * PAGE_SIZE;

	if (page >= arena.direct && page < arena.direct + arena.direct_bytes)
		return;
	if (page != window) {
		hosted_log("port_kunmap_local: %p is not the window opened last (%p)", (void *)page, (void *)window);
		port_panic("port_kunmap_local out of order");
	}
	if (mmap(window, PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) !=
	    window)
		port_panic("port_kunmap_local: mmap failed");
}

/* ---- Memory that comes and goes ---- */

void port_ram_discard(unsigned long pfn, unsigned long pages)
{
	u64 start = PFN_PHYS(pfn), end = start + PFN_PHYS(pages);

	while (start < end) {
		const struct range *r = range_of(start);
		u64 stop;

		if (!r)
			return;
		stop = end < r->end ? end : r->end;
		if (r->direct)
			madvise(arena.direct + start, (size_t)(stop - start), MADV_DONTNEED);
		else
			fallocate(arena.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				  (off_t)(r->file + (start - r->start)), (off_t)(stop - start));
		start = stop;
	}
}

int hosted_ram_add(phys_addr_t start, phys_addr_t size)
{
	struct range *r;

	if (!size || ((start | size) & (PAGE_SIZE - 1)) || start + size < start || start + size > PHYS_END)
		return -EINVAL;
	if ((start < arena.direct_bytes) != (start + size <= arena.direct_bytes))
		return -EINVAL;
	for (unsigned int i = 0; i < arena.nr; i++)
		if (start < arena.ranges[i].end && arena.ranges[i].start < start + size)
			return -EEXIST;
	ranges_add(start, size);
	r = &arena.ranges[arena.nr - 1];
	r->direct = start < arena.direct_bytes;
	if (!r->direct) {
		r->file = arena.file_end;
		arena.file_end += size;
	}
	if (range_map(r)) {
		arena.nr--;
		return -ENOMEM;
	}
	qsort(arena.ranges, arena.nr, sizeof(*arena.ranges), by_start);
	return 0;
}

int hosted_ram_remove(phys_addr_t start, phys_addr_t size)
{
	struct range *r = (struct range *)range_of(start);
	u64 end = start + size;

	if (!r || !size || ((start | size) & (PAGE_SIZE - 1)) || end < start || end > r->end)
		return -EINVAL;
	port_ram_discard(PFN_DOWN(start), (unsigned long)(size >> PAGE_SHIFT));
	if (r->direct && mprotect(arena.direct + start, (size_t)size, PROT_NONE))
		return -ENOMEM;
	if (end < r->end) {
		struct range rest = *r;

		rest.file += end - rest.start;
		rest.start = end;
		r->end = start;
		ranges_add(rest.start, rest.end - rest.start);
		arena.ranges[arena.nr - 1] = rest;
		qsort(arena.ranges, arena.nr, sizeof(*arena.ranges), by_start);
		return 0;
	}
	r->end = start;
	if (r->start == r->end) {
		*r = arena.ranges[--arena.nr];
		qsort(arena.ranges, arena.nr, sizeof(*arena.ranges), by_start);
	}
	return 0;
}

/* ---- Copies ---- */

/* Touched pages are found with mincore(2), which is quick where nothing is; a step of it: 1 GiB. */
#define STEP_PAGES ((size_t)1 << 18)

struct piece {
	char *at;   /* where in the windows; NULL: in the file */
	u64 offset; /* there */
	size_t bytes;
	char *data;
};

struct arena_copy {
	struct piece *pieces;
	size_t nr, room;
	struct range *ranges;
	unsigned int ranges_nr;
	u64 file_end;
	struct guard_copy *guard;
};

static void *must(void *p)
{
	if (!p || p == MAP_FAILED)
		port_panic("no memory for a snapshot");
	return p;
}

static void copy_add(struct arena_copy *copy, char *at, u64 offset, const char *data, size_t bytes)
{
	struct piece *p;

	if (copy->nr == copy->room) {
		copy->room = copy->room ? copy->room * 2 : 64;
		copy->pieces = must(realloc(copy->pieces, copy->room * sizeof(*copy->pieces)));
	}
	p = &copy->pieces[copy->nr++];
	*p = (struct piece){ .at = at, .offset = offset, .bytes = bytes, .data = must(malloc(bytes)) };
	memcpy(p->data, data, bytes);
}

/* Calls @fn for each run of touched pages in [at, at + bytes). */
static void for_touched(char *at, u64 bytes, void (*fn)(void *ctx, char *at, size_t bytes), void *ctx)
{
	static unsigned char present[STEP_PAGES];

	while (bytes) {
		size_t pages = bytes >> PAGE_SHIFT < STEP_PAGES ? (size_t)(bytes >> PAGE_SHIFT) : STEP_PAGES;
		size_t i = 0;

		if (mincore(at, pages * PAGE_SIZE, present))
			port_panic("mincore failed");
		while (i < pages) {
			unsigned char *hit = memchr(present + i, 1, pages - i), *miss;
			size_t first;

			if (!hit)
				break;
			first = (size_t)(hit - present);
			miss = memchr(hit, 0, pages - first);
			i = miss ? (size_t)(miss - present) : pages;
			fn(ctx, at + first * PAGE_SIZE, (i - first) * PAGE_SIZE);
		}
		at += pages * PAGE_SIZE;
		bytes -= pages * PAGE_SIZE;
	}
}

static void for_file_data(void (*fn)(void *ctx, u64 offset, u64 bytes), void *ctx)
{
	off_t data = 0;

	while ((u64)data < arena.file_end && (data = lseek(arena.fd, data, SEEK_DATA)) >= 0) {
		off_t hole = lseek(arena.fd, data, SEEK_HOLE);

		fn(ctx, (u64)data, (u64)(hole - data));
		data = hole;
	}
}

/*
 * What of the windows the host has really given. Descriptors are looked for where there is RAM, to the ends of its
 * sections of 128 MiB: the window of a machine with RAM at 52 bits is too long to look all through.
 */
static void for_resident(void (*fn)(void *ctx, char *at, size_t bytes), void *ctx)
{
	const u64 section = (u64)128 << 20;
	u64 seen = 0;

	for (unsigned int i = 0; i < arena.nr; i++) {
		const struct range *r = &arena.ranges[i];
		u64 start = r->start & ~(section - 1), end = (r->end + section - 1) & ~(section - 1);
		u64 bytes;

		if (r->direct)
			for_touched(arena.direct + r->start, r->end - r->start, fn, ctx);
		start = start > seen ? start : seen;
		if (start >= end)
			continue;
		seen = end;
		bytes = (end - start) / PAGE_SIZE * sizeof(struct page);
		start = start / PAGE_SIZE * sizeof(struct page);
		if (start + bytes <= arena.vmemmap_bytes)
			for_touched(arena.vmemmap + start, bytes, fn, ctx);
	}
}

static void touched_copy(void *ctx, char *at, size_t bytes)
{
	copy_add(ctx, at, 0, at, bytes);
}

static void file_copy(void *ctx, u64 offset, u64 bytes)
{
	char *view = must(mmap(NULL, (size_t)bytes, PROT_READ, MAP_SHARED, arena.fd, (off_t)offset));

	copy_add(ctx, NULL, offset, view, (size_t)bytes);
	munmap(view, (size_t)bytes);
}

static void touched_count(void *ctx, char *at, size_t bytes)
{
	(void)at;
	*(u64 *)ctx += bytes;
}

static void file_count(void *ctx, u64 offset, u64 bytes)
{
	(void)offset;
	*(u64 *)ctx += bytes;
}

u64 hosted_resident_bytes(void)
{
	u64 bytes = 0;

	for_resident(touched_count, &bytes);
	for_file_data(file_count, &bytes);
	return bytes;
}

struct arena_copy *arena_save(void)
{
	struct arena_copy *copy = must(calloc(1, sizeof(*copy)));

	/* Pages that are shut can be read for as long as it takes. */
	copy->guard = guard_save();
	guard_restore(NULL);
	for_resident(touched_copy, copy);
	guard_restore(copy->guard);
	for_file_data(file_copy, copy);
	copy->ranges_nr = arena.nr;
	copy->ranges = must(malloc((arena.nr + 1) * sizeof(*copy->ranges)));
	memcpy(copy->ranges, arena.ranges, arena.nr * sizeof(*copy->ranges));
	copy->file_end = arena.file_end;
	return copy;
}

void arena_restore(const struct arena_copy *copy)
{
	guard_restore(NULL);
	mprotect(arena.direct, (size_t)arena.direct_bytes, PROT_NONE);
	madvise(arena.direct, (size_t)arena.direct_bytes, MADV_DONTNEED);
	madvise(arena.vmemmap, arena.vmemmap_bytes, MADV_DONTNEED);
	arena.ranges = must(realloc(arena.ranges, (copy->ranges_nr + 1) * sizeof(*arena.ranges)));
	memcpy(arena.ranges, copy->ranges, copy->ranges_nr * sizeof(*arena.ranges));
	arena.nr = copy->ranges_nr;
	arena.file_end = copy->file_end;
	if (ftruncate(arena.fd, 0) || ftruncate(arena.fd, (off_t)arena.file_end))
		port_panic("ftruncate failed");
	for (unsigned int i = 0; i < arena.nr; i++)
		if (range_map(&arena.ranges[i]))
			port_panic("a range of RAM cannot be mapped again");
	for (size_t i = 0; i < copy->nr; i++) {
		const struct piece *p = &copy->pieces[i];
		ssize_t put = (ssize_t)p->bytes;

		if (p->at) {
			mprotect(p->at, p->bytes, PROT_READ | PROT_WRITE);
			memcpy(p->at, p->data, p->bytes);
		} else {
			put = pwrite(arena.fd, p->data, p->bytes, (off_t)p->offset);
		}
		if (put != (ssize_t)p->bytes)
			port_panic("pwrite failed");
	}
	guard_restore(copy->guard);
}

void arena_copy_free(struct arena_copy *copy)
{
	for (size_t i = 0; i < copy->nr; i++)
		free(copy->pieces[i].data);
	free(copy->pieces);
	free(copy->guard);
	free(copy->ranges);
	free(copy);
}
