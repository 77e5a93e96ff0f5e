// SPDX-License-Identifier: MIT
/*
 * Rows of the page cache and of the xarray it stands on, as in kbench.c: a file of 1024 pages in memory, whose store is
 * nothing at all. read_4k and write_4k are read(2) and write(2) without the system call, into and out of the kernel's
 * memory, the copy of 4 KiB included; write_new_4k makes the pages; add and remove are of folios allocated before. The
 * faults are of a shared mapping whose pages are all in memory, without the exception around them, per page.
 */
#define KBENCH_BEHIND 50000
#include "kbench.h"

#include <octavo/highmem.h>
#include <octavo/pagemap.h>

#include "mm/base/compiler.h"
#include "mm/base/string.h"
#include "mm/cache/xarray_node.h"
#include "mm/vm/fault.h"
#include "tests/tasks.h"

#define REPEATS KBENCH_REPEATS
#define PAGES 1024u

static struct inode inode;
static struct file *file;
static char page_of_bytes[PAGE_SIZE];
static struct folio *folios[PAGES];
static struct xarray xa;

/* All numbers below PAGES, each once, in an order that jumps. */
static unsigned long mixed(unsigned int i)
{
	return i * 379ul % PAGES;
}

static int read_folio(struct file *of, struct folio *folio)
{
	(void)of;
	clear_highpage(&folio->page);
	folio_end_read(folio, true);
	return 0;
}

static int writepages(struct address_space *mapping, u64 start, u64 end)
{
	(void)mapping;
	(void)start;
	(void)end;
	return 0;
}

static const struct address_space_operations a_ops = {
	.read_folio = read_folio,
	.writepages = writepages,
	.write_begin = generic_write_begin,
	.write_end = generic_write_end,
};

static const struct file_operations f_ops = {
	.read_iter = generic_file_read_iter,
	.write_iter = generic_file_write_iter,
	.mmap = generic_file_mmap,
};

/* Says so. */
static bool failed(struct kbench *b, const struct kbench_case *c, bool is_so)
{
	if (is_so)
		kbench_fail(b, "%s: no memory\n", c->name);
	return is_so;
}

static bool begin(struct kbench *b, const struct kbench_case *c)
{
	memset(&inode, 0, sizeof(inode));
	if (failed(b, c, inode_init_mapping(&inode, &a_ops, GFP_KERNEL)))
		return false;
	file = alloc_file(&inode, FMODE_READ | FMODE_WRITE, 0, &f_ops);
	if (!file)
		inode_evict_mapping(&inode);
	return !failed(b, c, !file);
}

static void end(void)
{
	fput(file);
	inode_evict_mapping(&inode);
}

/* ---- xarray ---- */

static void bench_xarray(struct kbench *b, const struct kbench_case *c)
{
	static u32 thing;
	u64 store[REPEATS], load[REPEATS], erase[REPEATS], find[REPEATS];
	bool ok = true;

	xa_init(&xa);
	for (unsigned int r = 0; ok && r <= REPEATS; r++) {
		unsigned int at = r % REPEATS;
		unsigned long index = 0;
		u64 t = b->clock();

		for (unsigned long i = 0; i < PAGES; i++)
			ok = !xa_store_order(&xa, i, 0, &thing, GFP_KERNEL) && ok;
		store[at] = b->clock() - t;
		t = b->clock();
		for (unsigned int i = 0; i < PAGES; i++)
			ok = xa_load(&xa, mixed(i)) && ok;
		load[at] = b->clock() - t;
		t = b->clock();
		while (xa_find(&xa, &index, ~0ul))
			index++;
		find[at] = b->clock() - t;
		t = b->clock();
		for (unsigned long i = 0; i < PAGES; i++)
			ok = xa_erase(&xa, i) && ok;
		erase[at] = b->clock() - t;
	}
	xa_destroy(&xa);
	if (failed(b, c, !ok))
		return;
	kbench_row(b, "xarray.store_seq(1024)", store, PAGES, "op");
	kbench_row(b, "xarray.load_mixed", load, PAGES, "op");
	kbench_row(b, "xarray.find", find, PAGES, "op");
	kbench_row(b, "xarray.erase_seq", erase, PAGES, "op");
}

/* ---- In and out ---- */

static bool add_all(void)
{
	bool ok = true;

	for (unsigned long i = 0; i < PAGES; i++)
		ok = !filemap_add_folio(&inode.i_data, folios[i], i, GFP_KERNEL) && ok;
	return ok;
}

static void bench_folios(struct kbench *b, const struct kbench_case *c)
{
	u64 add[REPEATS], get[REPEATS], remove[REPEATS];
	bool ok = true;

	if (!begin(b, c))
		return;
	for (unsigned int i = 0; i < PAGES; i++)
		ok = (folios[i] = folio_alloc(GFP_KERNEL, 0)) != NULL && ok;
	for (unsigned int r = 0; ok && r <= REPEATS; r++) {
		unsigned int at = r % REPEATS;
		u64 t = b->clock();

		ok = add_all();
		add[at] = b->clock() - t;
		t = b->clock();
		for (unsigned int i = 0; ok && i < PAGES; i++)
			folio_put(filemap_get_folio(&inode.i_data, mixed(i)));
		get[at] = b->clock() - t;
		t = b->clock();
		for (unsigned int i = 0; ok && i < PAGES; i++)
			filemap_remove_folio(folios[i]);
		remove[at] = b->clock() - t;
		for (unsigned int i = 0; ok && i < PAGES; i++)
			folio_unlock(folios[i]);
	}
	for (unsigned int i = 0; i < PAGES; i++)
		if (folios[i])
			folio_put(folios[i]);
	end();
	if (failed(b, c, !ok))
		return;
	kbench_row(b, "filemap.add", add, PAGES, "page");
	kbench_row(b, "filemap.get+put", get, PAGES, "page");
	kbench_row(b, "filemap.remove", remove, PAGES, "page");
}

/* ---- Reading and writing ---- */

static bool transfer(bool write, bool in_order)
{
	bool ok = true;

	for (unsigned int i = 0; i < PAGES; i++) {
		struct iov_iter iter = { .base = page_of_bytes, .count = PAGE_SIZE };
		u64 pos = (u64)(in_order ? i : mixed(i)) << PAGE_SHIFT;
		s64 n = write ? file->f_op->write_iter(file, &iter, &pos) : file->f_op->read_iter(file, &iter, &pos);

		ok = n == PAGE_SIZE && ok;
	}
	return ok;
}

static void bench_transfer(struct kbench *b, const struct kbench_case *c)
{
	u64 fresh[REPEATS], again[REPEATS], reads[REPEATS], truncated[REPEATS];
	bool ok = true;

	if (!begin(b, c))
		return;
	for (unsigned int r = 0; ok && r <= REPEATS; r++) {
		unsigned int at = r % REPEATS;
		u64 t = b->clock();

		ok = transfer(true, true);
		fresh[at] = b->clock() - t;
		t = b->clock();
		ok = transfer(true, false) && ok;
		again[at] = b->clock() - t;
		t = b->clock();
		ok = transfer(false, false) && ok;
		reads[at] = b->clock() - t;
		t = b->clock();
		truncate_setsize(&inode, 0);
		truncated[at] = b->clock() - t;
	}
	end();
	if (failed(b, c, !ok))
		return;
	kbench_row(b, "filemap.write_new_4k", fresh, PAGES, "page");
	kbench_row(b, "filemap.write_4k", again, PAGES, "page");
	kbench_row(b, "filemap.read_4k", reads, PAGES, "page");
	kbench_row(b, "filemap.truncate", truncated, PAGES, "page");
}

/* ---- Faults ---- */

#define PLACE ((uintptr_t)0x40000000)

static bool touch(bool write, size_t step)
{
	struct page_fault fault = { .flags = PAGE_FAULT_USER | (write ? PAGE_FAULT_WRITE : 0) };

	for (uintptr_t at = PLACE; at < PLACE + PAGES * PAGE_SIZE; at += step) {
		fault.address = at;
		if (handle_page_fault(&fault))
			return false;
	}
	return true;
}

/* One pass over a fresh mapping; its table is there. */
static bool fault_all(struct kbench *b, bool write, unsigned long around, u64 *ticks)
{
	unsigned long was = fault_around_bytes;
	bool ok;
	u64 t;

	if (ksys_mmap(PLACE, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) != (long)PLACE)
		return false;
	WRITE_ONCE(fault_around_bytes, around);
	t = b->clock();
	ok = touch(write, write ? PAGE_SIZE : around);
	*ticks = b->clock() - t;
	WRITE_ONCE(fault_around_bytes, was);
	return ok;
}

static void bench_faults(struct kbench *b, const struct kbench_case *c)
{
	static struct test_process process;
	u64 around[REPEATS], alone[REPEATS], write[REPEATS];
	bool ok;

	if (!begin(b, c))
		return;
	ok = transfer(true, true) && test_process_start(&process);
	for (unsigned int r = 0; ok && r <= REPEATS; r++) {
		unsigned int at = r % REPEATS;

		ok = fault_all(b, false, 65536, &around[at]) && fault_all(b, false, PAGE_SIZE, &alone[at]) &&
		     fault_all(b, true, 65536, &write[at]);
	}
	if (ok)
		test_process_exit(&process);
	end();
	if (failed(b, c, !ok))
		return;
	kbench_row(b, "filemap.read_fault_around", around, PAGES, "page");
	kbench_row(b, "filemap.read_fault_alone", alone, PAGES, "page");
	kbench_row(b, "filemap.shared_write_fault", write, PAGES, "page");
}

KBENCH(xarray, "xarray", bench_xarray);
KBENCH(folios, "filemap.folios", bench_folios);
KBENCH(transfer, "filemap.transfer", bench_transfer);
KBENCH(faults, "filemap.faults", bench_faults);
