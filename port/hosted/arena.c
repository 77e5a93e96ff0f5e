// SPDX-License-Identifier: MIT
/*
 * The machine's RAM.
 *
 * Purpose. Physical memory of any size and shape, at the cost of what is touched. It is one sparse file without a
 * name, the offset in it being the physical address. One window of reserved address space shows it from physical
 * address 0 up to the end of the direct map; in it, what the memory map calls RAM is accessible and the rest is not, so
 * that a stray access to a hole stops the process. A second window holds struct page.
 *
 * Words. A *range* is a piece of RAM in whole pages. It is *direct* when it lies in the window. Every other range (high
 * memory of a 32-bit machine, RAM at the top of 52 bits) is seen by the core only through *windows* of one page each,
 * 16 a CPU, that port_kmap_local() opens, or through its own page tables (window.c). A *view* is a second mapping of a
 * range, for the machine itself: the MMU reads page tables there, whatever the direct map forbids.
 *
 *	file         |--RAM--|      |----RAM----|        |-high RAM-|   sparse: offset = physical address
 *	direct map   |--RAM--|......|----RAM----|  PROT_NONE where dots are     ranges[i].direct
 *	views        |--RAM--|----RAM----|-high RAM-|  as far as there is room  ranges[i].view
 *	windows      |cpu 0: 16 pages|cpu 1: ...|  PROT_NONE unless open
 *	vmemmap      |descriptor of frame 0 ...|   demand-zero (or PROT_NONE until populated)
 *
 * Memory use. Address space only, until pages are touched; huge pages are declined, so that touching one page costs one
 * page. Everything is dropped by closing the file. A child of fork() gets a copy: the file would be shared.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <octavo/page.h>

#include "arena.h"
#include "mmu.h"

#define PHYS_END ((u64)1 << 52)
#define FILE_OFFSETS_32 ((u64)1 << 44) /* mmap(2) with 32 bits: so many pages */
#define GIB ((u64)1 << 30)
#define I386_LOWMEM ((u64)896 << 20)
#if UINTPTR_MAX > 0xffffffffu
#define DIRECT_MAX ((u64)1 << 46)	/* a user process has 2^47 */
#define DIRECT_HINT ((void *)0x200000000000ull)
#define VMEMMAP_HINT ((void *)0x180000000000ull)
#define VIEWS_MAX ((u64)1 << 44)
#else
#define DIRECT_MAX ((u64)1 << 30) /* of 3 or 4 GiB, half of them with struct page in a large machine */
#define DIRECT_HINT NULL
#define VMEMMAP_HINT NULL
#define VIEWS_MAX ((u64)384 << 20)
#endif

struct arena arena = { .fd = -1 };

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
	return p == MAP_FAILED ? NULL : p;
}

static void sparse(void *p, u64 bytes)
{
	madvise(p, (size_t)bytes, MADV_NOHUGEPAGE);
	madvise(p, (size_t)bytes, MADV_DONTDUMP);
}

/* Frames of a machine keep their alignment as addresses: the window begins on a boundary of 4 MiB. */
#define WINDOW_ALIGN ((uintptr_t)4 << 20)

bool direct_remap(void)
{
	void *p = mmap(arena.direct, (size_t)arena.direct_bytes, PROT_NONE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED,
		       arena.fd, 0);

	if (p != arena.direct)
		return false;
	sparse(p, arena.direct_bytes);
	return true;
}

static bool reserve_direct(u64 bytes)
{
	void *p = reserve(DIRECT_HINT, bytes + WINDOW_ALIGN, PROT_NONE);

	if (!p)
		return false;
	arena.map = p;
	arena.map_bytes = (size_t)(bytes + WINDOW_ALIGN);
	arena.direct = (char *)(((uintptr_t)p + WINDOW_ALIGN - 1) & ~(WINDOW_ALIGN - 1));
	arena.direct_bytes = bytes;
	return direct_remap();
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

/* What mmap(2) of a 32-bit process cannot say is put behind the rest. */
static void range_place(struct range *r)
{
	r->file = r->start;
	if (sizeof(void *) == 4 && r->end > FILE_OFFSETS_32) {
		arena.far_end = arena.far_end ? arena.far_end : FILE_OFFSETS_32 / 2;
		r->file = arena.far_end;
		arena.far_end += r->end - r->start;
	}
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
		range_place(r);
	}
}

static void view_map(struct range *r)
{
	u64 bytes = r->end - r->start;
	void *p;

	r->view = NULL;
	if (arena.views_bytes + bytes > VIEWS_MAX)
		return;
	p = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, arena.fd, (off_t)r->file);
	if (p == MAP_FAILED)
		return;
	sparse(p, bytes);
	arena.views = realloc(arena.views, (arena.views_nr + 1) * sizeof(*arena.views));
	if (!arena.views)
		abort();
	arena.views[arena.views_nr++] = (struct view){ p, (size_t)bytes };
	arena.views_bytes += bytes;
	r->view = p;
}

void views_drop(void)
{
	for (unsigned int i = 0; i < arena.views_nr; i++)
		munmap(arena.views[i].at, arena.views[i].bytes);
	free(arena.views);
	arena.views = NULL;
	arena.views_nr = 0;
	arena.views_bytes = 0;
}

int range_map(struct range *r)
{
	u64 end = r->file + (r->end - r->start);

	if (end > arena.file_end) {
		if (ftruncate(arena.fd, (off_t)end))
			return -ENOMEM;
		arena.file_end = end;
	}
	view_map(r);
	if (!r->direct)
		return 0;
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
	sparse(arena.vmemmap, bytes);
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
	return arena.windows ? 0 : -ENOMEM;
}

/* Room for devices to come if there is; then for the RAM; then for less, the rest through windows. */
static int direct_create(u64 want, u64 least)
{
	least = least < want ? least : want;
	while (!reserve_direct(want)) {
		if (want <= (u64)64 << 20) {
			hosted_log("no address space for a direct map of %llu MiB", (unsigned long long)(want >> 20));
			return -ENOMEM;
		}
		want = want > least ? least : want / 2 & ~(WINDOW_ALIGN - 1);
	}
	return 0;
}

static int ranges_map(void)
{
	for (unsigned int i = 0; i < arena.nr; i++) {
		if (!range_map(&arena.ranges[i]))
			continue;
		hosted_log("RAM [%#llx, %#llx) cannot be mapped", (unsigned long long)arena.ranges[i].start,
			   (unsigned long long)arena.ranges[i].end);
		return -ENOMEM;
	}
	return 0;
}

static void arena_unmap(void)
{
	if (arena.map)
		munmap(arena.map, arena.map_bytes);
	if (arena.vmemmap)
		munmap(arena.vmemmap, arena.vmemmap_bytes);
	if (arena.windows)
		munmap(arena.windows, arena.windows_bytes);
	views_drop();
	if (arena.fd >= 0)
		close(arena.fd);
	free(arena.ranges);
	free(arena.devices);
	free(arena.plan.ranges);
	memset(&arena, 0, sizeof(arena));
	arena.fd = -1;
}

/* What decides how the machine is laid out. */
static void plan_make(struct plan *plan, const struct bootinfo *info, const struct hosted_options *options)
{
	u64 limit = direct_limit(info, options);

	memset(plan, 0, sizeof(*plan));
	ranges_collect(info);
	plan->later = span_end(info, true);
	plan->want = plan->later < limit ? plan->later : limit;
	plan->least = span_end(info, false);
	plan->windows = cpus_nr();
	plan->populate = options->populate;
	plan->nr = arena.nr;
	plan->ranges = malloc((arena.nr + 1) * sizeof(*plan->ranges));
	if (!plan->ranges)
		abort();
	if (arena.nr)
		memcpy(plan->ranges, arena.ranges, arena.nr * sizeof(*plan->ranges));
}

static bool plan_same(const struct plan *a, const struct plan *b)
{
	if (a->later != b->later || a->want != b->want || a->least != b->least || a->windows != b->windows ||
	    a->populate || b->populate || a->nr != b->nr)
		return false;
	for (unsigned int i = 0; i < a->nr; i++)
		if (a->ranges[i].start != b->ranges[i].start || a->ranges[i].end != b->ranges[i].end)
			return false;
	return true;
}

static int arena_map(struct bootinfo *info, const struct hosted_options *options)
{
	arena.fd = memfd_create("octavo-ram", MFD_CLOEXEC);
	if (arena.fd < 0) {
		hosted_log("no file for the machine's RAM (memfd_create: error %d)", errno);
		return -ENOMEM;
	}
	if (direct_create(arena.plan.want, arena.plan.least))
		return -ENOMEM;
	ranges_place();
	return windows_create() || vmemmap_create(info, options) || ranges_map() ? -ENOMEM : 0;
}

/* A machine laid out as the last one takes over what that left behind: the tests boot the same one over and over. */
int arena_create(struct bootinfo *info, const struct hosted_options *options)
{
	struct arena last = arena;
	struct plan plan;

	memset(&arena, 0, sizeof(arena));
	arena.fd = -1;
	plan_make(&plan, info, options);
	if (last.idle && plan_same(&plan, &last.plan)) {
		free(arena.ranges);
		free(plan.ranges);
		arena = last;
		arena.idle = false;
		info->vmemmap = (uintptr_t)arena.vmemmap;
		info->vmemmap_size = arena.vmemmap_bytes;
		info->vmemmap_populate = NULL;
		info->vmemmap_depopulate = NULL;
	} else {
		struct arena fresh = arena;

		arena = last;
		arena_unmap();
		arena = fresh;
		arena.plan = plan;
		if (arena_map(info, options)) {
			arena_unmap();
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
	if (arena.fd < 0 || arena.idle)
		return;
	guard_restore(NULL);
	rights_reset();
	if (arena.changed || arena.devices_nr) {
		arena_unmap();
		return;
	}
	arena.idle = true;
	if (fallocate(arena.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)arena.file_end) ||
	    madvise(arena.vmemmap, arena.vmemmap_bytes, MADV_DONTNEED))
		arena_unmap();
}

/* ---- Windows ---- */

static const struct range *device_of(u64 phys)
{
	for (unsigned int i = 0; i < arena.devices_nr; i++)
		if (phys - arena.devices[i].start < arena.devices[i].end - arena.devices[i].start)
			return &arena.devices[i];
	return NULL;
}

const struct range *range_of(u64 phys)
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
	arena.changed = true;
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
	arena.changed = true;
	ranges_add(start, size);
	r = &arena.ranges[arena.nr - 1];
	r->direct = start < arena.direct_bytes;
	range_place(r);
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
	arena.changed = true;
	port_ram_discard(PFN_DOWN(start), (unsigned long)(size >> PAGE_SHIFT));
	if (r->direct && mprotect(arena.direct + start, (size_t)size, PROT_NONE))
		return -ENOMEM;
	if (end < r->end) {
		struct range rest = *r;

		rest.file += end - rest.start;
		rest.view = rest.view ? rest.view + (end - rest.start) : NULL;
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

/* ---- Devices ---- */

int hosted_device_add(phys_addr_t start, phys_addr_t size)
{
	struct range *r;

	if (!size || ((start | size) & (PAGE_SIZE - 1)) || start + size < start || start + size > PHYS_END)
		return -EINVAL;
	for (unsigned int i = 0; i < arena.nr; i++)
		if (start < arena.ranges[i].end && arena.ranges[i].start < start + size)
			return -EEXIST;
	if (device_of(start) || device_of(start + size - 1))
		return -EEXIST;
	arena.devices = realloc(arena.devices, (arena.devices_nr + 1) * sizeof(*arena.devices));
	if (!arena.devices)
		abort();
	r = &arena.devices[arena.devices_nr];
	*r = (struct range){ .start = start, .end = start + size };
	range_place(r);
	if (range_map(r))
		return -ENOMEM;
	arena.devices_nr++;
	return 0;
}

/* ---- As the machine's bus sees it ---- */

static const struct range *anything_of(u64 phys)
{
	const struct range *r = range_of(phys);

	return r ? r : device_of(phys);
}

void *arena_phys(u64 phys)
{
	const struct range *r = anything_of(phys);

	if (!r || (!r->view && !r->direct))
		return NULL;
	return r->view ? r->view + (phys - r->start) : arena.direct + phys;
}

bool arena_offset(u64 phys, u64 *offset)
{
	const struct range *r = anything_of(phys);

	if (r)
		*offset = r->file + (phys - r->start);
	return r != NULL;
}

int arena_fd(void)
{
	return arena.fd;
}

void arena_bytes(u64 phys, char *bytes, size_t size, bool write)
{
	char *at = arena_phys(phys);
	u64 offset;

	if (at) {
		memcpy(write ? at : bytes, write ? bytes : at, size);
	} else if (!arena_offset(phys, &offset)) {
		if (!write)
			memset(bytes, 0xff, size);
	} else if ((write ? pwrite(arena.fd, bytes, size, (off_t)offset) :
			    pread(arena.fd, bytes, size, (off_t)offset)) != (ssize_t)size) {
		port_panic("the machine's RAM cannot be read or written");
	}
}

bool arena_direct_phys(const void *p, u64 *phys)
{
	*phys = (u64)((const char *)p - arena.direct);
	return arena.direct && *phys < arena.direct_bytes;
}
