// SPDX-License-Identifier: MIT
/*
 * kmemleak: the scan. The theory stands in kmemleak.c.
 *
 * Whatever is looked at is looked at in pieces of at most PIECE bytes, with the lock held for each, and after each the
 * object or root is looked up again: a free waits for one piece at most, and what was freed is never touched.
 */
#include <octavo/memblock.h>
#include <octavo/page.h>
#include <octavo/port.h>

#include "../base/printk.h"
#include "../boot/params.h"
#include "../phys/zone.h"
#include "../sync/percpu_unit.h"
#include "kmemleak.h"

#define PIECE 1024u
#define BATCH 64u
#define FIRST_SCAN_NS 60000000000ull

extern const char __start_memsys[] __weak, __stop_memsys[] __weak;

/* ---- Colours ---- */

static void make_gray_locked(struct leak_object *object)
{
	if (!object->gray.next)
		list_add_tail(&object->gray, &leak.gray);
}

static void count_reference_locked(struct leak_object *object)
{
	if (!leak_is_white(object))
		return;
	object->count++;
	if (leak_is_gray(object))
		make_gray_locked(object);
}

static bool in_bounds(uintptr_t value)
{
	return value >= ~load_relaxed(&leak.not_low) && value < ~load_relaxed(&leak.not_high);
}

/* A word that may be a pointer was found in @owner (NULL: in no object). */
static void visit_locked(uintptr_t value, const struct leak_object *owner)
{
	struct leak_object *object = leak_containing(LEAK_VIRT, value);

	if (!object || object == owner)
		return;
	if (leak_is_gray(object) && object->excess_ref) {
		object = leak_find(LEAK_VIRT, object->excess_ref);
		if (!object || object == owner)
			return;
	}
	count_reference_locked(object);
}

static UNCHECKED void scan_words_locked(const void *start, size_t size, const struct leak_object *owner)
{
	const uintptr_t *p = (const uintptr_t *)ALIGN((uintptr_t)start, sizeof(uintptr_t));
	const uintptr_t *end = (const uintptr_t *)((uintptr_t)start + size) - 1;

	for (; p <= end; p++) {
		uintptr_t value = *(const volatile uintptr_t *)p;

		if (in_bounds(value))
			visit_locked(value, owner);
	}
}

static UNCHECKED uintptr_t read_word(const char *p)
{
	return *(const volatile uintptr_t *)(uintptr_t)p;
}

/* ---- Objects ---- */

/* [@from, @end) of an object. */
static void scan_part(enum leak_kind kind, u64 start, u32 serial, u64 from, u64 end)
{
	bool there = true;

	while (from < end && there && load_relaxed(&leak.enabled)) {
		u64 next = min(end, (from | (PIECE - 1)) + 1);
		const struct leak_object *object;
		unsigned long flags;
		struct page *page;

		spin_lock_irqsave(&leak.lock, flags);
		object = leak_same(kind, start, serial);
		there = object != NULL;
		if (there && kind == LEAK_VIRT) {
			scan_words_locked((const void *)(uintptr_t)from, (size_t)(next - from), object);
		} else if (there && (page = pfn_to_online_page((unsigned long)(from >> PAGE_SHIFT)))) {
			const char *virt = kmap_local_page(page);

			scan_words_locked(virt + (from & (PAGE_SIZE - 1)), (size_t)(next - from), object);
			kunmap_local(virt);
		}
		spin_unlock_irqrestore(&leak.lock, flags);
		from = next;
	}
}

/* The n-th part of an object that is to be scanned. */
static bool part_locked(const struct leak_object *object, unsigned int n, u64 *from, u64 *end)
{
	const struct leak_area *area = object->areas;

	if (!area || object->flags & LEAK_FULL_SCAN) {
		*from = object->start;
		*end = object->start + object->size;
		return !n;
	}
	while (area && n--)
		area = area->next;
	if (area) {
		*from = area->start;
		*end = area->start + area->size;
	}
	return area != NULL;
}

static bool scan_next_gray(void)
{
	struct leak_object *object;
	enum leak_kind kind;
	unsigned long flags;
	u64 start, from, end;
	u32 serial;
	bool more;

	spin_lock_irqsave(&leak.lock, flags);
	if (list_empty(&leak.gray)) {
		spin_unlock_irqrestore(&leak.lock, flags);
		return false;
	}
	object = list_first_entry(&leak.gray, struct leak_object, gray);
	list_del(&object->gray);
	start = object->start;
	serial = object->serial;
	kind = leak_kind(object);
	more = !(object->flags & LEAK_NO_SCAN);
	for (unsigned int n = 0; more; n++) {
		more = part_locked(object, n, &from, &end);
		spin_unlock_irqrestore(&leak.lock, flags);
		if (more)
			scan_part(kind, start, serial, from, end);
		spin_lock_irqsave(&leak.lock, flags);
		object = leak_same(kind, start, serial);
		more = more && object;
	}
	spin_unlock_irqrestore(&leak.lock, flags);
	return true;
}

static void scan_gray(void)
{
	while (load_relaxed(&leak.enabled) && scan_next_gray())
		;
}

/* ---- Roots ---- */

static void scan_plain(const char *start, const char *end)
{
	unsigned long flags;

	while (start < end && load_relaxed(&leak.enabled)) {
		size_t size = min((size_t)(end - start), (size_t)PIECE);

		spin_lock_irqsave(&leak.lock, flags);
		scan_words_locked(start, size, NULL);
		spin_unlock_irqrestore(&leak.lock, flags);
		start += size;
	}
}

/* CPU 0's per-CPU variables, which are part of the image. The room for areas is left out: those in use are objects. */
static void scan_percpu(void)
{
	const char *start = percpu_unit_start(0), *room = (const char *)percpu_unit_of(0);

	scan_plain(start, room);
	scan_plain(room + sizeof(struct octavo_percpu_unit), start + percpu_unit_bytes());
}

static bool frame_in(unsigned long pfn, const struct bootinfo_span *span)
{
	return PFN_PHYS(pfn) >= span->start && PFN_PHYS(pfn + 1) <= span->start + span->size;
}

static bool (*page_present)(struct page *page) __memsys;

void leak_register_present(bool (*present)(struct page *page))
{
	page_present = present;
}

/* Instructions and constants point at no object, though in 32 bits some look as if they did. */
static struct page *reserved_page(unsigned long pfn)
{
	bool constant = frame_in(pfn, &kernel_text_span) || frame_in(pfn, &kernel_rodata_span);
	struct page *page = memblock_is_map_memory(PFN_PHYS(pfn)) && !constant ? pfn_to_online_page(pfn) : NULL;

	if (!page || !PageReserved(page) || PageOffline(page) || PageHWPoison(page))
		return NULL;
	return !page_present || !page_address(page) || page_present(page) ? page : NULL;
}

/*
 * The frame that &leak.probe lies in, if it is one of the machine's: in a kernel, not in a process. Its image is among
 * what boot reserved, and what lies in it as a root of its own must not be counted twice.
 */
static unsigned long frame_of_probe(void)
{
	phys_addr_t start, end;
	u64 cursor;

	leak.probe = (uintptr_t)port_random() | 1;
	for_each_reserved_mem_range(cursor, &start, &end)
		for (unsigned long pfn = PFN_DOWN(start); pfn < PFN_UP(end); pfn++) {
			struct page *page = reserved_page(pfn);
			const char *virt = page ? kmap_local_page(page) : NULL;
			bool here = virt && read_word(virt + ((uintptr_t)&leak.probe & (PAGE_SIZE - 1))) == leak.probe;

			if (virt)
				kunmap_local(virt);
			if (here)
				return pfn;
		}
	return PFN_NONE;
}

#define SCAN_STACK ((uintptr_t)4096) /* more than a scan uses */

/* Is the word at this address of the image scanned as part of something else, or the scan's own, on the stack? */
static bool in_other_root(uintptr_t addr)
{
	return leak.stack - addr <= SCAN_STACK ||
	       (addr >= (uintptr_t)__start_memsys && addr < (uintptr_t)__stop_memsys) ||
	       addr - (uintptr_t)percpu_unit_start(0) < percpu_unit_bytes();
}

/* A page that is seen in the image at @alias; 0: not. */
static void scan_reserved_page(const char *virt, uintptr_t alias)
{
	size_t from = 0;

	for (size_t at = 0; alias && at < PAGE_SIZE; at += sizeof(uintptr_t))
		if (in_other_root(alias + at)) {
			scan_plain(virt + from, virt + at);
			from = at + sizeof(uintptr_t);
		}
	scan_plain(virt + from, virt + PAGE_SIZE);
}

/* What memblock gave out before there was a page allocator, and what boot reserved: the kernel image, for one. */
static void scan_reserved(void)
{
	const uintptr_t probe_page = (uintptr_t)&leak.probe & PAGE_MASK;
	const unsigned long probe = frame_of_probe();
	phys_addr_t start, end;
	u64 cursor;

	for_each_reserved_mem_range(cursor, &start, &end)
		for (unsigned long pfn = PFN_DOWN(start); pfn < PFN_UP(end) && load_relaxed(&leak.enabled); pfn++) {
			struct page *page = reserved_page(pfn);
			const char *virt = page ? kmap_local_page(page) : NULL;

			if (!virt)
				continue;
			scan_reserved_page(virt, probe == PFN_NONE ? 0 : probe_page + (pfn - probe) * PAGE_SIZE);
			kunmap_local(virt);
		}
}

static void scan_registered(void)
{
	size_t done = 0;
	unsigned int n = 0;
	unsigned long flags;

	/* The n-th root from @done on; roots that come and go meanwhile may shift others, which the next scan sees. */
	for (;;) {
		const struct leak_root *root;

		spin_lock_irqsave(&leak.lock, flags);
		root = leak.roots;
		for (unsigned int i = 0; root && i < n; i++)
			root = root->next;
		if (root && done < root->size && (leak.stacks || !root->stack)) {
			size_t size = min(root->size - done, (size_t)PIECE);

			scan_words_locked((const char *)root->start + done, size, NULL);
			done += size;
		} else {
			done = 0;
			n++;
		}
		spin_unlock_irqrestore(&leak.lock, flags);
		if (!root || !load_relaxed(&leak.enabled))
			return;
	}
}

static UNCHECKED bool page_may_point(const struct page *page)
{
	return in_bounds((uintptr_t) * (const volatile u64 *)&page->private_data) ||
	       in_bounds((uintptr_t) * (const volatile u64 *)&page->mapping_index);
}

/* Descriptors of pages in use: what their owners noted there. */
static void scan_descriptors(void)
{
	const u32 not = 1u << PG_slab | 1u << PG_reserved | 1u << PG_offline | 1u << PG_guard;
	unsigned long flags;

	for_each_populated_zone(zone)
		for (unsigned long pfn = zone->zone_start_pfn, n = zone->spanned_pages; n; n--, pfn++) {
			const struct page *page;
			u32 is;

			if (!load_relaxed(&leak.enabled))
				return;
			if (!pfn_valid(pfn))
				continue;
			page = pfn_to_page(pfn);
			is = load_acquire(&page->flags);
			if (!(is & 1u << PG_init) || is & not || page_ref_count(page) <= 0 || !page_may_point(page))
				continue;
			spin_lock_irqsave(&leak.lock, flags);
			scan_words_locked(&page->private_data, sizeof(*page) - offsetof(struct page, private_data),
					  NULL);
			spin_unlock_irqrestore(&leak.lock, flags);
		}
}

/* ---- Objects that change ---- */

/* CRC-32 as Linux's crc32_le() from 0 on (polynomial of IEEE 802.3, reflected), by half bytes. */
static UNCHECKED u32 crc32_piece(u32 crc, const u8 *p, size_t size)
{
	static const u32 table[16] = { 0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
				       0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
				       0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c };

	while (size--) {
		crc ^= *(const volatile u8 *)p++;
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return crc;
}

/* Has the object another checksum than before? Then it is in use: gray for this scan. */
static void check_change(u64 start, u32 serial, size_t size)
{
	struct leak_object *object = NULL;
	unsigned long flags;
	u32 crc = 0;

	for (size_t done = 0; done < size;) {
		size_t piece = min(size - done, (size_t)PIECE);

		spin_lock_irqsave(&leak.lock, flags);
		object = leak_same(LEAK_VIRT, start, serial);
		if (object)
			crc = crc32_piece(crc, (const u8 *)(uintptr_t)start + done, piece);
		done += piece;
		if (object && done == size && (object->checksum != crc || object->flags & LEAK_CHANGED)) {
			object->checksum = crc;
			object->flags &= ~LEAK_CHANGED;
			if (leak_is_white(object)) {
				object->count = object->min_count;
				make_gray_locked(object);
			}
		}
		spin_unlock_irqrestore(&leak.lock, flags);
		if (!object)
			return;
	}
}

static void check_changes(void)
{
	struct leak_object *object;
	unsigned long flags;
	u64 cursor = 0;

	do {
		u64 start = 0;
		size_t size = 0;
		u32 serial = 0;

		spin_lock_irqsave(&leak.lock, flags);
		for (unsigned int i = 0; i < BATCH && !size && (object = leak_from(LEAK_VIRT, cursor)); i++) {
			cursor = object->start + 1;
			if (!leak_is_white(object))
				continue;
			start = object->start;
			serial = object->serial;
			size = object->size;
		}
		spin_unlock_irqrestore(&leak.lock, flags);
		if (size)
			check_change(start, serial, size);
	} while (object && load_relaxed(&leak.enabled));
}

/* ---- A scan ---- */

/* Nobody has been seen yet. */
static void whiten(enum leak_kind kind)
{
	struct leak_object *object;
	unsigned long flags;
	u64 cursor = 0;

	do {
		spin_lock_irqsave(&leak.lock, flags);
		for (unsigned int i = 0; i < BATCH && (object = leak_from(kind, cursor)); i++) {
			cursor = object->start + 1;
			object->count = 0;
			if (leak_is_gray(object))
				make_gray_locked(object);
		}
		spin_unlock_irqrestore(&leak.lock, flags);
	} while (object);
}

bool leak_is_lost(const struct leak_object *object)
{
	return leak_is_white(object) && object->born_ns + leak.min_age_ns <= leak.last_scan_ns;
}

static unsigned long mark_lost(void)
{
	struct leak_object *object;
	unsigned long flags, found = 0;
	u64 cursor = 0;

	do {
		spin_lock_irqsave(&leak.lock, flags);
		for (unsigned int i = 0; i < BATCH && (object = leak_from(LEAK_VIRT, cursor)); i++) {
			cursor = object->start + 1;
			if (!leak_is_lost(object) || object->flags & LEAK_REPORTED)
				continue;
			object->flags |= LEAK_REPORTED;
			found++;
		}
		spin_unlock_irqrestore(&leak.lock, flags);
	} while (object);
	return found;
}

/* What an interrupted scan left. */
static void empty_gray(void)
{
	unsigned long flags;

	spin_lock_irqsave(&leak.lock, flags);
	while (!list_empty(&leak.gray))
		list_del(leak.gray.next);
	spin_unlock_irqrestore(&leak.lock, flags);
}

void leak_scan(void)
{
	unsigned long found;

	leak.stack = (uintptr_t)__builtin_frame_address(0);
	leak.last_scan_ns = port_clock_ns();
	whiten(LEAK_VIRT);
	whiten(LEAK_PHYS);
	scan_plain(__start_memsys, __stop_memsys);
	scan_percpu();
	scan_reserved();
	scan_descriptors();
	scan_registered();
	scan_gray();
	check_changes();
	scan_gray();
	empty_gray();
	if (!load_relaxed(&leak.enabled))
		return;
	found = mark_lost();
	if (!found)
		return;
	leak.found = true;
	pr_info("kmemleak: %lu new suspected memory leaks (see /sys/kernel/debug/kmemleak)\n", found);
}

/* ---- By itself ---- */

static bool wait_until(u64 until, u32 number)
{
	for (u64 now = port_clock_ns(); load_acquire(&leak.thread) == number && now < until; now = port_clock_ns())
		port_park(min(until - now, (u64)1000000000));
	return load_acquire(&leak.thread) == number;
}

void leak_thread(void *number)
{
	const u32 mine = (u32)(uintptr_t)number;
	u64 wait = min(FIRST_SCAN_NS, leak.scan_wait_ns);

	while (wait_until(port_clock_ns() + wait, mine)) {
		mutex_lock(&leak.mutex);
		if (load_relaxed(&leak.enabled))
			leak_scan();
		wait = leak.scan_wait_ns;
		mutex_unlock(&leak.mutex);
		if (!load_relaxed(&leak.enabled))
			return;
	}
}
