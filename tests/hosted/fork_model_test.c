// SPDX-License-Identifier: MIT
/*
 * Several processes that fork, write, map, unmap and exit, while pages are moved under them: every byte against an
 * oracle, every count by the verifiers. The memory lies in three last-level tables, so that some are shared by all,
 * some by few, and some are changed in part.
 */
#include <octavo/mm.h>
#include <octavo/mman.h>
#include <octavo/verify.h>

#include "mm/pgtable/swapops.h"
#include "mm/vm/anon_vma.h"
#include "mm/vm/share.h"
#include "mm/vm/vm.h"
#include "mmu.h"
#include "model.h"
#include "tasks.h"

#define PROCESSES 5u
#define PAGES 24u

/* Ten pages before a table's end, ten behind, four in the next table. */
#define BASE ((uintptr_t)0x40000000)

enum page_state { NOT_MAPPED, READ_ONLY, WRITABLE };

struct oracle {
	bool alive;
	enum page_state state[PAGES];
	bool no_copy[PAGES], wipe[PAGES];
	unsigned long value[PAGES];
};

static struct test_process process[PROCESSES] __memsys;
static struct oracle oracle[PROCESSES] __memsys;

static uintptr_t address_of(unsigned int page)
{
	uintptr_t size = (uintptr_t)PGT_SIZE(1);

	if (page < 20)
		return BASE + size - 10 * PAGE_SIZE + page * PAGE_SIZE;
	return BASE + 2 * size + (page - 20) * PAGE_SIZE;
}

enum { OP_WRITE, OP_READ, OP_FORK, OP_EXIT, OP_UNMAP, OP_MAP, OP_PROTECT, OP_MOVE, OP_REFERENCED, OP_NOT_COPIED, OPS };

static void describe(const struct model_op *op, char *text, size_t size)
{
	static const char *const names[] = { "write", "read", "fork", "exit", "unmap", "map", "protect", "move",
					     "referenced", "not copied" };

	octavo_snprintf(text, size, "%s process %u page %u for %u", names[op->kind], op->a % PROCESSES, op->b % PAGES,
			op->b / PAGES % 8 + 1);
}

static void draw(void *ctx, u64 *state, struct model_op *op)
{
	static const u8 often[] = { OP_WRITE, OP_WRITE, OP_WRITE, OP_WRITE, OP_READ, OP_READ, OP_FORK, OP_FORK, OP_EXIT,
				    OP_UNMAP, OP_MAP, OP_MAP, OP_PROTECT, OP_PROTECT, OP_MOVE, OP_MOVE, OP_REFERENCED,
				    OP_NOT_COPIED };
	u64 r = test_random(state);

	(void)ctx;
	op->kind = often[r % ARRAY_SIZE(often)];
	op->a = (u8)(r >> 16);
	op->b = (u16)(r >> 32);
}

static void all_exit(void)
{
	for (unsigned int i = 0; i < PROCESSES; i++)
		if (oracle[i].alive)
			test_process_exit(&process[i]);
	test_switch(NULL);
	memset(oracle, 0, sizeof(oracle));
}

static void reset(void *ctx)
{
	(void)ctx;
	all_exit();
	if (test_process_start(&process[0]))
		oracle[0].alive = true;
}

/* ---- One operation ---- */

static const char *one_write(struct oracle *o, unsigned int page, unsigned long value)
{
	size_t done = test_user_write(address_of(page), &value, sizeof(value));

	if (o->state[page] != WRITABLE)
		return done ? "a store that should be refused is not" : NULL;
	o->value[page] = value;
	return done == sizeof(value) ? NULL : "a store is refused";
}

static const char *one_read(const struct oracle *o, unsigned int page)
{
	unsigned long value = ~0ul;
	size_t done = test_user_read(address_of(page), &value, sizeof(value));

	if (o->state[page] == NOT_MAPPED)
		return done ? "a load that should be refused is not" : NULL;
	if (done != sizeof(value))
		return "a load is refused";
	return value == o->value[page] ? NULL : "a load finds other bytes";
}

static const char *fork_one(unsigned int parent)
{
	struct oracle *o = &oracle[parent], *child = NULL;

	for (unsigned int i = 0; i < PROCESSES && !child; i++)
		if (!oracle[i].alive)
			child = &oracle[i];
	if (!child)
		return NULL;
	if (!test_process_fork(&process[child - oracle], &process[parent]))
		return "fork fails";
	*child = *o;
	for (unsigned int i = 0; i < PAGES; i++) {
		if (o->wipe[i] || o->no_copy[i])
			child->value[i] = 0;
		if (o->no_copy[i]) {
			child->state[i] = NOT_MAPPED;
			child->no_copy[i] = false;
		}
	}
	return NULL;
}

static const char *exit_one(unsigned int i)
{
	test_process_exit(&process[i]);
	memset(&oracle[i], 0, sizeof(oracle[i]));
	for (i = 0; i < PROCESSES; i++)
		if (oracle[i].alive)
			return NULL;
	reset(NULL);
	return NULL;
}

/* Pages from @page on that lie side by side, at most @nr. */
static unsigned int side_by_side(unsigned int page, unsigned int nr)
{
	return min(nr, page < 20 ? 20 - page : PAGES - page);
}

static const char *map_some(struct oracle *o, unsigned int page, unsigned int nr)
{
	long at = ksys_mmap(address_of(page), nr * PAGE_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0);

	if (at != (long)address_of(page))
		return "mmap fails";
	for (unsigned int i = page; i < page + nr; i++) {
		o->state[i] = WRITABLE;
		o->value[i] = 0;
		o->no_copy[i] = o->wipe[i] = false;
	}
	return NULL;
}

static const char *unmap_some(struct oracle *o, unsigned int page, unsigned int nr)
{
	if (ksys_munmap(address_of(page), nr * PAGE_SIZE))
		return "munmap fails";
	for (unsigned int i = page; i < page + nr; i++) {
		o->state[i] = NOT_MAPPED;
		o->value[i] = 0;
		o->no_copy[i] = o->wipe[i] = false;
	}
	return NULL;
}

static const char *protect_some(struct oracle *o, unsigned int page, unsigned int nr, bool write)
{
	for (unsigned int i = page; i < page + nr; i++) {
		if (o->state[i] == NOT_MAPPED)
			continue;
		if (ksys_mprotect(address_of(i), PAGE_SIZE, PROT_READ | (write ? PROT_WRITE : 0)))
			return "mprotect fails";
		o->state[i] = write ? WRITABLE : READ_ONLY;
	}
	return NULL;
}

/* The page at @addr with a reference; NULL: none of its own. */
static struct page *page_at(struct mm_struct *mm, uintptr_t addr)
{
	spinlock_t *lock;
	pgt_entry_t *entry = table_lock_find(mm, addr, &lock), e;
	struct page *page = NULL;

	if (!entry)
		return NULL;
	e = pgt_get(entry);
	if (!pgt_none(e) && pgt_present(e))
		page = entry_page(e);
	if (page)
		get_page(page);
	spin_unlock(lock);
	return page;
}

/* Everything that maps the page maps another one with the same contents afterwards. */
static const char *move_page(struct mm_struct *mm, uintptr_t addr)
{
	struct page *page = page_at(mm, addr), *to;
	int mapped, after;
	void *bytes;

	if (!page)
		return NULL;
	to = alloc_page(GFP_HIGHUSER_MOVABLE);
	if (!to) {
		put_page(page);
		return NULL;
	}
	folio_lock(page_folio(page));
	mapped = page_mapcount(page);
	if (!try_to_migrate(page_folio(page), 0))
		return "a page that nobody pinned does not move";
	if (page_mapcount(page) || page_count(page) != 1)
		return "a page has references left after its entries have gone";
	copy_highpage(to, page);
	to->mapping_index = page->mapping_index;
	__SetPageSwapBacked(to);
	__SetPageUptodate(to);
	bytes = kmap_local_page(page);
	memset(bytes, 0xdb, PAGE_SIZE);
	kunmap_local(bytes);
	remove_migration_ptes(page_folio(page), page_folio(to));
	after = page_mapcount(to);
	folio_unlock(page_folio(page));
	put_page(page);
	put_page(to);
	return after == mapped ? NULL : "a moved page has fewer entries than before";
}

static const char *referenced(struct mm_struct *mm, uintptr_t addr)
{
	struct page *page = page_at(mm, addr);
	vm_flags_t flags;
	int first, second;

	if (!page)
		return NULL;
	first = folio_referenced(page_folio(page), false, &flags);
	second = folio_referenced(page_folio(page), false, &flags);
	put_page(page);
	if (first > page_mapcount(page) || second)
		return "an accessed mark is still there";
	return NULL;
}

static const char *not_copied(struct mm_struct *mm, struct oracle *o, unsigned int page, bool wipe)
{
	struct vm_area_struct *vma = vma_lookup(mm, address_of(page));

	if (!vma)
		return NULL;
	mmap_write_lock(mm);
	vma_start_write(vma);
	vma->vm_flags |= wipe ? VM_WIPEONFORK : VM_DONTCOPY;
	mmap_write_unlock(mm);
	for (unsigned int i = 0; i < PAGES; i++) {
		if (address_of(i) < vma->vm_start || address_of(i) >= vma->vm_end)
			continue;
		o->wipe[i] |= wipe;
		o->no_copy[i] |= !wipe;
	}
	return NULL;
}

static const char *apply(void *ctx, const struct model_op *op)
{
	static unsigned long serial __memsys;
	unsigned int who = op->a % PROCESSES, page = op->b % PAGES, nr = side_by_side(page, op->b / PAGES % 8 + 1);
	struct mm_struct *mm = process[who].task.mm;
	struct oracle *o = &oracle[who];

	(void)ctx;
	if (!o->alive)
		return NULL;
	test_switch(&process[who].task);
	switch (op->kind) {
	case OP_WRITE:
		return one_write(o, page, ++serial);
	case OP_READ:
		return one_read(o, page);
	case OP_FORK:
		return fork_one(who);
	case OP_EXIT:
		return exit_one(who);
	case OP_UNMAP:
		return unmap_some(o, page, nr);
	case OP_MAP:
		return map_some(o, page, nr);
	case OP_PROTECT:
		return protect_some(o, page, nr, op->a & 64);
	case OP_MOVE:
		return move_page(mm, address_of(page));
	case OP_REFERENCED:
		return referenced(mm, address_of(page));
	default:
		return not_copied(mm, o, page, op->a & 64);
	}
}

static void tell(void *ctx, const char *line)
{
	(void)ctx;
	pr_err("%s\n", line);
}

static const char *check(void *ctx)
{
	const char *wrong = NULL;
	uintptr_t virt;

	(void)ctx;
	for (unsigned int i = 0; i < PROCESSES && !wrong; i++) {
		if (!oracle[i].alive)
			continue;
		test_switch(&process[i].task);
		if (mmu_stale(0, &virt))
			return "a translation that was flushed nowhere";
		for (unsigned int page = 0; page < PAGES && !wrong; page++)
			wrong = one_read(&oracle[i], page);
	}
	return wrong ? wrong : mm_verify(tell, NULL) ? "mm_verify() finds something" : NULL;
}

static const struct model forks = {
	.name = "fork",
	.reset = reset,
	.random = draw,
	.apply = apply,
	.check = check,
	.describe = describe,
	.check_every = 7,
};

TEST(fork_model, random)
{
	for (unsigned int run = 0; run < 4; run++)
		if (!model_run(&forks, test_seed + run, test_scaled(1500), NULL))
			break;
	all_exit();
}
