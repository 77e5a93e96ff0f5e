// SPDX-License-Identifier: MIT
/*
 * Octavo's own policies on a trace: not a model of them but the core itself, on a machine booted for the purpose, whose
 * one process touches page after page. What goes to make room is what reclaim chooses.
 *
 * The machine has more memory than the policy may use, for page tables and the like come out of it, too. The rest is
 * held by a balloon: free memory down to the min watermark, where reclaim begins, and the trace's pages together are
 * kept at the size that was asked for. Reclaim frees up to 32 pages at a time, so that on average fewer pages are
 * there than a policy of the books would have; struct replay_result says how many.
 *
 * Swap and the file are memory of this process. There is no readahead and no fault-around: what is missed is what was
 * not there. Each page's first word says which page it is and how often it was written, and is checked at each
 * reference.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <octavo/highmem.h>
#include <octavo/mm.h>
#include <octavo/mman.h>
#include <octavo/pagemap.h>
#include <octavo/port.h>
#include <octavo/proc.h>
#include <octavo/task.h>

#include "hosted.h"
#include "mm/block/block.h"
#include "mm/debug/scenario.h"
#include "mm/lru/lru.h"
#include "mm/phys/vmstat.h"
#include "mm/phys/watermark.h"
#include "mm/swap/swap.h"
#include "replay.h"
#include "user.h"

/* Misses between two looks at how much is there. */
#define LOOK 16u
/* Room beyond the trace's pages that makes a difference: reclaim frees that many ahead. */
#define SPARE 1024u
/* Few, as a real TLB covers a small part of memory: who is in it all the time does not look used. */
#define TLB_ENTRIES 64u
#define RAM_START ((u64)16 << 20) /* above ZONE_DMA, which others may not empty */

static enum replay_as kind;

void replay_machine_as(enum replay_as as)
{
	kind = as;
}

static struct {
	const struct replay_trace *trace;
	u32 *version; /* by page: how often it was written; 0: never touched */
	u32 *stored;  /* what the file has of it */
	void *disk;
	struct bdev *bdev;
	struct inode inode;
	struct file *file;
	struct mm_process process;
	struct mm_task task;
	uintptr_t at;
	u64 balloon; /* the first page's number and 1; 0: empty */
	struct zone *zone;
	size_t misses, looks;
	double resident;
} m;

/* ---- A file of the trace's pages, made up when it is read ---- */

static u64 contents(u32 page, u32 version)
{
	return (u64)version << 32 | page;
}

static int read_folio(struct file *file, struct folio *folio)
{
	u32 page = (u32)folio_index(folio);
	u64 word = contents(page, m.stored[page]);

	(void)file;
	m.misses++;
	memcpy_to_page(&folio->page, 0, &word, sizeof(word));
	folio_end_read(folio, true);
	return 0;
}

static int write_folio(struct address_space *mapping, struct folio *folio)
{
	u64 word;

	(void)mapping;
	memcpy_from_page(&word, &folio->page, 0, sizeof(word));
	folio_start_writeback(folio);
	folio_unlock(folio);
	m.stored[(u32)word] = (u32)(word >> 32);
	folio_end_writeback(folio);
	return 0;
}

static int write_one(struct folio *folio, void *ctx)
{
	return write_folio(ctx, folio);
}

static int writepages(struct address_space *mapping, u64 start, u64 end)
{
	return write_cache_pages(mapping, start, end, write_one, mapping);
}

static void evict(struct inode *inode)
{
	inode_evict_mapping(inode);
}

static const struct address_space_operations a_ops = {
	.read_folio = read_folio,
	.writepages = writepages,
	.write_folio = write_folio,
	.write_begin = generic_write_begin,
	.write_end = generic_write_end,
};
static const struct file_operations f_ops = {
	.read_iter = generic_file_read_iter,
	.write_iter = generic_file_write_iter,
	.mmap = generic_file_mmap,
};
static const struct inode_operations i_ops = { .evict = evict };

static bool make_file(void)
{
	memset(&m.inode, 0, sizeof(m.inode));
	m.inode.i_op = &i_ops;
	m.inode.i_fop = &f_ops;
	m.inode.i_size = (u64)m.trace->pages << PAGE_SHIFT;
	if (inode_init_mapping(&m.inode, &a_ops, GFP_KERNEL))
		return false;
	m.file = alloc_file(&m.inode, FMODE_READ | FMODE_WRITE, 0, &f_ops);
	return m.file;
}

/* ---- The machine ---- */

/* The machine's log is shown only if something goes wrong. */
static struct {
	char *text;
	size_t len;
} console;

static bool keep_console(const char *text, size_t len)
{
	console.text = cli_resize(console.text, console.len + len + 1);
	memcpy(console.text + console.len, text, len);
	console.len += len;
	console.text[console.len] = 0;
	return true;
}

static void set(const char *path, const char *value)
{
	(void)octavo_proc_write(path, value, strlen(value));
}

static int boot(u32 pages, const char *gen)
{
	u64 bytes = ALIGN(((u64)pages << PAGE_SHIFT) / 4 * 5 + ((u64)24 << 20), (u64)4 << 20);
	const struct bootinfo_range map[] = { { RAM_START, bytes, E820_TYPE_RAM } };
	const struct bootinfo info = { .arch = BOOT_ARCH_X86_64, .map = map, .map_nr = 1, .cmdline = "" };
	int err = hosted_boot(&info, &(struct hosted_options){ .cpus = 1, .quiet = true, .tlb_entries = TLB_ENTRIES });

	if (err)
		return err;
	init_per_zone_wmark_min();
	mm_free_initmem();
	set("/proc/sys/vm/watermark_boost_factor", "0");
	set("/proc/sys/vm/page-cluster", "0");
	set("/proc/sys/vm/overcommit_memory", "1");
	set("/proc/sys/vm/swappiness", "100");
	set("/sys/kernel/debug/fault_around_bytes", "4096");
	set("/sys/kernel/mm/transparent_hugepage/enabled", "never");
	return octavo_proc_write("/sys/kernel/mm/lru_gen/enabled", gen, strlen(gen)) < 0 && *gen != '0' ? -ENOENT : 0;
}

static int add_swap(void)
{
	unsigned long pages = m.trace->pages + 64ul;
	int err;

	if (pages > SIZE_MAX >> PAGE_SHIFT)
		return -ENOMEM;
	m.disk = cli_alloc((size_t)pages << PAGE_SHIFT);
	err = hosted_block_set(0, m.disk, (u64)pages * PAGE_SECTORS);
	if (err)
		return err;
	m.bdev = bdev_of_port(0, "vda", (u64)pages * PAGE_SECTORS, false);
	if (!m.bdev)
		return -ENOMEM;
	err = swap_make_header(m.bdev, pages, "replay");
	return err ? err : swapon_bdev(m.bdev, "/dev/vda", 0);
}

static bool make_process(void)
{
	unsigned long flags, pages = m.trace->pages;
	long at;

	if (kind != REPLAY_FILE && pages > SIZE_MAX >> PAGE_SHIFT)
		return false;
	if (!scenario_process(&m.process, &m.task, "replay", 100))
		return false;
	flags = port_irq_save();
	octavo_switch_task(&m.task);
	port_irq_restore(flags);
	if (kind == REPLAY_FILE)
		return true;
	at = ksys_mmap(0, (size_t)pages << PAGE_SHIFT, PROT_READ | PROT_WRITE,
		       kind == REPLAY_ANON ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, m.file, 0);
	m.at = (uintptr_t)at;
	return at >= 0 || at < -4095;
}

/* ---- The balloon ---- */

static bool balloon_take(void)
{
	struct page *page = alloc_pages((GFP_HIGHUSER & ~__GFP_RECLAIM) | __GFP_NOWARN | __GFP_NORETRY, 0);

	if (!page)
		return false;
	set_page_private(page, m.balloon);
	m.balloon = (u64)page_to_pfn(page) + 1;
	return true;
}

static bool balloon_give(void)
{
	struct page *page;

	if (!m.balloon)
		return false;
	page = pfn_to_page((unsigned long)(m.balloon - 1));
	m.balloon = page_private(page);
	set_page_private(page, 0);
	__free_pages(page, 0);
	return true;
}

static unsigned long resident(void)
{
	unsigned long pages = 0;

	lru_add_drain();
	for (unsigned int list = 0; list < NR_LRU_LISTS; list++)
		pages += global_node_page_state(NR_INACTIVE_ANON + list);
	return pages;
}

static void find_zone(void)
{
	m.zone = NULL;
	for_each_populated_zone(zone)
		if (!m.zone || zone_managed_pages(zone) > zone_managed_pages(m.zone))
			m.zone = zone;
}

/* See to it that the trace's pages have @pages, those that are free included. */
static void balloon_set(u32 pages)
{
	unsigned long here = resident(), free, min = wmark_pages(m.zone, WMARK_MIN), room;

	drain_all_pages(m.zone);
	free = zone_page_state_snapshot(m.zone, NR_FREE_PAGES);
	room = here + (free > min ? free - min : 0);
	while (room > pages && balloon_take())
		room--;
	while (room < pages && balloon_give())
		room++;
	m.looks++;
	m.resident += (double)here;
}

/* ---- References ---- */

static size_t transfer(u32 page, u64 *word, bool write)
{
	struct iov_iter iter = { .base = word, .count = sizeof(*word) };
	u64 pos = (u64)page << PAGE_SHIFT;
	s64 got;

	if (kind != REPLAY_FILE)
		return write ? hosted_user_write(m.at + pos, word, sizeof(*word)) :
			       hosted_user_read(m.at + pos, word, sizeof(*word));
	got = write ? f_ops.write_iter(m.file, &iter, &pos) : f_ops.read_iter(m.file, &iter, &pos);
	return got < 0 ? 0 : (size_t)got;
}

/* Return: NULL, or what is wrong. */
static const char *touch(u32 ref)
{
	u32 page = ref & REF_PAGE;
	bool first = !m.version[page], write = ref & REF_WRITE || (first && kind == REPLAY_ANON);
	u64 word = 0, want = contents(page, m.version[page]);

	if (first && kind == REPLAY_ANON)
		m.misses++;
	if (!first || kind != REPLAY_ANON) {
		if (transfer(page, &word, false) != sizeof(word))
			return "a page cannot be read";
		if (word != want)
			return "a page has lost what was written to it";
	}
	if (!write)
		return NULL;
	word = contents(page, ++m.version[page]);
	return transfer(page, &word, true) == sizeof(word) ? NULL : "a page cannot be written";
}

static const char *touch_all(u32 pages, replay_progress_fn progress)
{
	const struct replay_trace *trace = m.trace;
	unsigned long reads = m.bdev ? m.bdev->ios[0] : 0;
	size_t looked = 0;

	for (size_t i = 0; i < trace->nr; i++) {
		const char *wrong = touch(trace->refs[i]);

		if (wrong)
			return wrong;
		if (kind == REPLAY_ANON && READ_ONCE(m.bdev->ios[0]) != reads) {
			m.misses += READ_ONCE(m.bdev->ios[0]) - reads;
			reads = READ_ONCE(m.bdev->ios[0]);
		}
		if (m.misses - looked >= LOOK) {
			balloon_set(pages);
			looked = m.misses;
		}
		if (!(i & 0xffff))
			progress((double)i / (double)trace->nr);
	}
	return NULL;
}

static void end_machine(void)
{
	hosted_reset();
	if (hosted_block_set(0, NULL, 0))
		cli_complain("the swap device stays");
	free(m.disk);
	free(m.version);
	free(m.stored);
	hosted_console_hook = NULL;
}

static int run_machine(const struct replay_trace *trace, u32 pages, replay_progress_fn progress,
		       struct replay_result *result, const char *gen)
{
	const char *wrong = NULL;

	/* With room for all of them nothing goes, and more of it would be memory that nobody touches. */
	if (pages > (u64)trace->pages + SPARE)
		pages = trace->pages + SPARE;
	memset(&m, 0, sizeof(m));
	hosted_console_hook = keep_console;
	m.trace = trace;
	m.version = cli_alloc(trace->pages * sizeof(u32));
	m.stored = cli_alloc(trace->pages * sizeof(u32));
	if (boot(pages, gen))
		wrong = "the machine does not boot";
	else if (kind == REPLAY_ANON && add_swap())
		wrong = "there is no swap";
	else if ((kind != REPLAY_ANON && !make_file()) || !make_process())
		wrong = "there is no memory for the process";
	if (!wrong) {
		find_zone();
		balloon_set(pages);
		wrong = touch_all(pages, progress);
	}
	result->misses = m.misses;
	result->resident = m.looks ? m.resident / (double)m.looks : 0;
	end_machine();
	if (wrong && console.text)
		fputs(console.text, stderr);
	if (wrong)
		cli_complain("the machine with %u pages: %s", pages, wrong);
	free(console.text);
	console.text = NULL;
	console.len = 0;
	return wrong ? EXIT_FAILED : EXIT_DONE;
}

static int run_classic(const struct replay_trace *trace, u32 pages, replay_progress_fn progress,
		       struct replay_result *result)
{
	return run_machine(trace, pages, progress, result, "0");
}

static int run_lru_gen(const struct replay_trace *trace, u32 pages, replay_progress_fn progress,
		       struct replay_result *result)
{
	return run_machine(trace, pages, progress, result, "7");
}

const struct replay_policy replay_classic = { "classic", "classic", run_classic };
const struct replay_policy replay_lru_gen = { "lru_gen", "lru_gen", run_lru_gen };
