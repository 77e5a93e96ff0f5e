// SPDX-License-Identifier: MIT
/*
 * Faults of anonymous memory, signals, copies to and from user space, get_user_pages(): FA-I1 to FA-I6. Files and
 * devices are in file_faults_test.c.
 */
#include <octavo/gfp.h>
#include <octavo/highmem.h>
#include <octavo/uaccess.h>
#include <octavo/verify.h>

#include "fault.h"
#include "mm/pgtable/pgtable.h"
#include "mm/phys/vmstat.h"
#include "mm/sync/atomic.h"
#include "mm/vm/gup.h"
#include "mm/vm/thp.h"
#include "tasks.h"

#define SEGV 11
#define BUS 7
#define RW (PROT_READ | PROT_WRITE)

static struct test_process p;

static char found[2048];

static void collect(void *ctx, const char *line)
{
	size_t len = strlen(found);

	(void)ctx;
	octavo_snprintf(found + len, sizeof(found) - len, "%s\n", line);
}

static unsigned int verify(void)
{
	found[0] = 0;
	return mm_verify(collect, NULL);
}

static void all_is_sound(void)
{
	EXPECT_EQ(verify(), 0);
	EXPECT_STREQ(found, "");
}

static void over(void)
{
	test_process_exit(&p);
	all_is_sound();
}

static long rss(unsigned int which)
{
	return p.task.mm->rss[which];
}

/* This CPU runs a process with so many pages of private memory. Return: where; 0 after the test has failed. */
static uintptr_t start_with(unsigned int pages)
{
	return test_process_start(&p) ? test_map(0, pages * PAGE_SIZE, RW, MAP_PRIVATE) : 0;
}

static struct page *page_at(uintptr_t addr)
{
	pgt_entry_t e = test_user_entry(addr);

	return e && pgt_present(e) ? pfn_to_page(PFN_DOWN(pgt_leaf_phys(0, e))) : NULL;
}

/* ---- Anonymous memory ---- */

TEST(page_faults, who_reads_gets_the_zero_page_who_writes_a_page)
{
	uintptr_t at;
	char byte = 1;

	at = start_with(4);
	ASSERT(at);
	EXPECT_EQ(test_user_entry(at), 0);
	EXPECT_EQ(test_user_read(at + 5, &byte, 1), 1);
	EXPECT_EQ(byte, 0);
	EXPECT(page_at(at) == pfn_to_page(zero_pfn));
	EXPECT(!pgt_write(0, test_user_entry(at)));
	EXPECT_EQ(rss(MM_ANONPAGES), 0);
	byte = 7;
	EXPECT_EQ(test_user_write(at + 5, &byte, 1), 1);
	EXPECT(page_at(at) && page_at(at) != pfn_to_page(zero_pfn));
	EXPECT_EQ(rss(MM_ANONPAGES), 1);
	EXPECT_EQ(test_user_write(at + PAGE_SIZE, &byte, 1), 1);
	EXPECT_EQ(rss(MM_ANONPAGES), 2);
	EXPECT(pgt_write(0, test_user_entry(at + PAGE_SIZE)) && pgt_dirty(0, test_user_entry(at + PAGE_SIZE)));
	EXPECT(PageAnonExclusive(page_at(at)) && page_mapcount(page_at(at)) == 1 && page_count(page_at(at)) == 1);
	EXPECT(test_user_all(at, 5, 0) && test_user_all(at + 6, PAGE_SIZE - 6, 0));
	EXPECT_EQ(p.task.maj_flt, 0);
	EXPECT(p.task.min_flt >= 3);
	all_is_sound();
	EXPECT_EQ(ksys_munmap(at, 4 * PAGE_SIZE), 0);
	EXPECT_EQ(rss(MM_ANONPAGES), 0);
	EXPECT_EQ(test_user_entry(at), 0);
	over();
}

TEST(page_faults, signals_say_what_and_where)
{
	uintptr_t at, none, read;
	char byte;

	at = start_with(8);
	ASSERT(at);
	read = at + 2 * PAGE_SIZE, none = at + 4 * PAGE_SIZE;
	ASSERT(!ksys_mprotect(read, PAGE_SIZE, PROT_READ));
	ASSERT(!ksys_mprotect(none, PAGE_SIZE, PROT_NONE));
	ASSERT(!ksys_munmap(at + 6 * PAGE_SIZE, PAGE_SIZE));
	EXPECT_REFUSED(at + 6 * PAGE_SIZE + 3, false, SEGV, SEGV_MAPERR);
	EXPECT_REFUSED(at + 6 * PAGE_SIZE + 4095, true, SEGV, SEGV_MAPERR);
	EXPECT_REFUSED((uintptr_t)16, false, SEGV, SEGV_MAPERR);
	EXPECT_REFUSED(read + 1, true, SEGV, SEGV_ACCERR);
	EXPECT_EQ(test_user_read(read, &byte, 1), 1);
	EXPECT_REFUSED(read + 1, true, SEGV, SEGV_ACCERR);
	EXPECT_REFUSED(none + 2, false, SEGV, SEGV_ACCERR);
	EXPECT_REFUSED(none + 2, true, SEGV, SEGV_ACCERR);
	/* Without NX in the format whatever can be read can be executed. */
	if (test_user_exec_checked && !pgt_exec(0, pgt_make_leaf(0, 0, PAGE_READONLY))) {
		EXPECT_EQ(test_user_write(at, "x", 1), 1);
		EXPECT_EQ(test_user_exec(at, &byte, 1), 0);
		EXPECT_EQ(p.task.fault.signo, SEGV);
		EXPECT_EQ(p.task.fault.code, SEGV_ACCERR);
		EXPECT_EQ(p.task.fault.address, at);
	}
	over();
}

/* A fault as the processor would report it, without an access. */
static int fault_at(uintptr_t addr, u32 flags)
{
	struct page_fault fault = { .address = addr, .flags = flags };

	return handle_page_fault(&fault);
}

TEST(page_faults, what_is_no_address_of_the_process)
{
	struct mm_task *me;

	ASSERT(test_process_start(&p));
	me = current_task();
	EXPECT_EQ(fault_at((uintptr_t)PGT_KERNEL_START + 16, PAGE_FAULT_USER), -EFAULT);
	EXPECT_EQ(me->fault.signo, SEGV);
	EXPECT_EQ(me->fault.code, SEGV_MAPERR);
	EXPECT_EQ(me->fault.address, (uintptr_t)PGT_KERNEL_START + 16);
	EXPECT_EQ(fault_at((uintptr_t)1 << 20, PAGE_FAULT_USER | PAGE_FAULT_NONCANONICAL), -EFAULT);
	EXPECT_EQ(me->fault.code, SI_KERNEL);
	EXPECT_EQ(me->fault.address, 0);
	/* A copy with a fix-up: nothing is reported. */
	test_capture_begin();
	EXPECT_EQ(fault_at(8, PAGE_FAULT_UACCESS), -EFAULT);
	EXPECT_STREQ(test_capture_end(), "");
	/* The kernel itself, without: it is. */
	test_capture_begin();
	EXPECT_EQ(fault_at(8, 0), -EFAULT);
	EXPECT(strstr(test_capture_end(), "NULL pointer dereference"));
	over();
}

TEST(page_faults, protection_keys)
{
	uintptr_t at;
	char byte = 1;
	struct vm_area_struct *vma;

	at = start_with(1);
	ASSERT(at);
	mmap_write_lock(p.task.mm);
	vma = vma_lookup(p.task.mm, at);
	vma_start_write(vma);
	vma->vm_flags |= 3ull << VM_PKEY_SHIFT;
	mmap_write_unlock(p.task.mm);
	p.task.pkru = 2u << 6; /* key 3: no writes */
	EXPECT_EQ(fault_at(at + 9, PAGE_FAULT_USER), 0);
	EXPECT_EQ(fault_at(at + 9, PAGE_FAULT_USER | PAGE_FAULT_WRITE), -EFAULT);
	EXPECT_EQ(p.task.fault.code, SEGV_PKUERR);
	EXPECT_EQ(p.task.fault.pkey, 3);
	EXPECT_EQ(p.task.fault.address, at + 9);
	p.task.pkru = 1u << 6; /* no access */
	EXPECT_EQ(fault_at(at, PAGE_FAULT_USER), -EFAULT);
	EXPECT_EQ(p.task.fault.code, SEGV_PKUERR);
	p.task.pkru = 0;
	EXPECT_EQ(test_user_write(at, &byte, 1), 1);
	over();
}

TEST(page_faults, the_stack_grows)
{
	uintptr_t top, at;

	ASSERT(test_process_start(&p));
	top = (uintptr_t)0x40000000;
	ASSERT(!vm_stack(p.task.mm, top, 2 * PAGE_SIZE, false));
	at = top - 20 * PAGE_SIZE;
	EXPECT_EQ(test_user_write(at, "stack", 5), 5);
	EXPECT(vma_lookup(p.task.mm, at));
	EXPECT_EQ(rss(MM_ANONPAGES), 1);
	p.process.rlimit[RLIMIT_STACK].cur = 64 * PAGE_SIZE;
	EXPECT_REFUSED(top - 100 * PAGE_SIZE, true, SEGV, SEGV_MAPERR);
	over();
}

/* ---- Copies and reuse ---- */

TEST(page_faults, a_write_copies_what_is_shared_and_reuses_what_is_not)
{
	static struct test_process child;
	struct page *page, *own;
	uintptr_t at;

	at = start_with(2);
	ASSERT(at);
	test_user_put(at, 1);
	test_user_put(at + PAGE_SIZE, 2);
	page = page_at(at);
	ASSERT(test_process_fork(&child, &p));
	all_is_sound();
	test_user_put(at, 11);
	own = page_at(at);
	EXPECT(own != page);
	all_is_sound();
	test_switch(&child.task);
	EXPECT_EQ(test_user_get(at), 1);
	EXPECT_EQ(test_user_get(at + PAGE_SIZE), 2);
	/* The other side has its copy: nobody else has this one. */
	test_user_put(at, 21);
	EXPECT(page_at(at) == page);
	EXPECT(PageAnonExclusive(page));
	page = page_at(at + PAGE_SIZE);
	test_user_put(at + PAGE_SIZE, 22);
	EXPECT(page_at(at + PAGE_SIZE) != page);
	all_is_sound();
	test_process_exit(&child);
	test_switch(&p.task);
	EXPECT_EQ(test_user_get(at), 11);
	EXPECT_EQ(test_user_get(at + PAGE_SIZE), 2);
	test_user_put(at + PAGE_SIZE, 12);
	EXPECT(page_at(at + PAGE_SIZE) == page);
	EXPECT(page_at(at) == own);
	over();
}

TEST(page_faults, rights_come_and_go_and_the_page_stays)
{
	struct page *page;
	uintptr_t at;

	at = start_with(3);
	ASSERT(at);
	test_user_put(at + PAGE_SIZE, 5);
	page = page_at(at + PAGE_SIZE);
	ASSERT(!ksys_mprotect(at, 3 * PAGE_SIZE, PROT_NONE));
	EXPECT_REFUSED(at + PAGE_SIZE, false, SEGV, SEGV_ACCERR);
	EXPECT(pgt_protnone(test_user_entry(at + PAGE_SIZE)));
	all_is_sound();
	ASSERT(!ksys_mprotect(at, 3 * PAGE_SIZE, PROT_READ));
	EXPECT_EQ(test_user_get(at + PAGE_SIZE), 5);
	EXPECT_REFUSED(at + PAGE_SIZE, true, SEGV, SEGV_ACCERR);
	ASSERT(!ksys_mprotect(at, 3 * PAGE_SIZE, RW));
	test_user_put(at + PAGE_SIZE, 6);
	EXPECT(page_at(at + PAGE_SIZE) == page);
	over();
}

TEST(page_faults, an_entry_that_allows_it_already_is_no_error)
{
	uintptr_t at;

	at = start_with(1);
	ASSERT(at);
	test_user_put(at, 5);
	EXPECT_EQ(fault_at(at, PAGE_FAULT_USER | PAGE_FAULT_WRITE | PAGE_FAULT_PRESENT), 0);
	EXPECT_EQ(fault_at(at, PAGE_FAULT_USER), 0);
	EXPECT_EQ(rss(MM_ANONPAGES), 1);
	over();
}

/* ---- Large folios ---- */

TEST(page_faults, a_large_folio_where_it_fits)
{
	static struct test_process child;
	uintptr_t at, base;
	struct page *head;

	ASSERT(test_process_start(&p));
	thp_mode_set(4, THP_ALWAYS);
	at = test_map(0, 48 * PAGE_SIZE, RW, MAP_PRIVATE);
	ASSERT(at);
	base = ALIGN(at, 16 * PAGE_SIZE);
	test_user_put(base + 5 * PAGE_SIZE, 77);
	EXPECT_EQ(rss(MM_ANONPAGES), 16);
	head = page_at(base);
	ASSERT(head && PageHead(head));
	EXPECT_EQ(folio_order((struct folio *)head), 4);
	EXPECT(page_at(base + 15 * PAGE_SIZE) == head + 15);
	EXPECT_EQ(page_ref_count(head), 16);
	EXPECT(test_user_all(base, 5 * PAGE_SIZE, 0));
	all_is_sound();
	/* Part of it goes: the rest stays. */
	ASSERT(!ksys_munmap(base, 4 * PAGE_SIZE));
	EXPECT_EQ(rss(MM_ANONPAGES), 12);
	EXPECT_EQ(page_ref_count(head), 12);
	EXPECT_EQ(test_user_get(base + 5 * PAGE_SIZE), 77);
	all_is_sound();
	/* A page is there already: smaller ones then, or one. */
	test_user_put(base + 16 * PAGE_SIZE, 1);
	ASSERT(!ksys_munmap(base + 17 * PAGE_SIZE, 15 * PAGE_SIZE));
	ASSERT(test_process_fork(&child, &p));
	test_user_put(base + 6 * PAGE_SIZE, 78);
	test_switch(&child.task);
	EXPECT_EQ(test_user_get(base + 6 * PAGE_SIZE), 0);
	EXPECT_EQ(test_user_get(base + 5 * PAGE_SIZE), 77);
	all_is_sound();
	test_process_exit(&child);
	test_switch(&p.task);
	thp_mode_set(4, THP_NEVER);
	over();
}

/* ---- Copies between kernel and user ---- */

TEST(page_faults, copies_stop_at_bad_pointers)
{
	static char text[3 * PAGE_SIZE];
	uintptr_t at;
	u32 word = 0;

	ASSERT(test_process_start(&p));
	at = test_map(0, 3 * PAGE_SIZE, RW, MAP_PRIVATE);
	ASSERT(at && !ksys_munmap(at + 2 * PAGE_SIZE, PAGE_SIZE));
	memset(text, 'o', sizeof(text));
	EXPECT_EQ(copy_to_user(at + 10, text, 2 * PAGE_SIZE), 10);
	EXPECT(test_user_all(at + 10, 2 * PAGE_SIZE - 10, 'o') && test_user_all(at, 10, 0));
	memset(text, 'x', sizeof(text));
	EXPECT_EQ(copy_from_user(text, at + PAGE_SIZE + 1, PAGE_SIZE), 1);
	EXPECT_EQ(text[PAGE_SIZE - 2], 'o');
	EXPECT_EQ(text[PAGE_SIZE - 1], 0);
	EXPECT_EQ(copy_to_user((uintptr_t)PGT_KERNEL_START, text, 8), 8);
	EXPECT_EQ(copy_from_user(&word, (uintptr_t)-8, 4), 4);
	EXPECT(!access_ok((uintptr_t)-8, 16) && !access_ok(p.task.mm->task_size, 1));
	EXPECT(access_ok(p.task.mm->task_size - 1, 1) && access_ok(0, 0));
	EXPECT_EQ(clear_user(at + 20, 3 * PAGE_SIZE), PAGE_SIZE + 20);
	EXPECT(test_user_all(at + 20, 2 * PAGE_SIZE - 20, 0));
	EXPECT_EQ(copy_to_user(at + 2 * PAGE_SIZE - 3, "abc", 3), 0);
	EXPECT_EQ(strncpy_from_user(text, at + 2 * PAGE_SIZE - 3, 16), -EFAULT);
	EXPECT_EQ(strncpy_from_user(text, at + 2 * PAGE_SIZE - 3, 3), 3);
	EXPECT_EQ(strnlen_user(at + 2 * PAGE_SIZE - 3, 16), 0);
	EXPECT(strnlen_user(at + 2 * PAGE_SIZE - 3, 2) > 2);
	EXPECT_EQ(copy_to_user(at + PAGE_SIZE - 2, "hello", 6), 0);
	EXPECT_EQ(strncpy_from_user(text, at + PAGE_SIZE - 2, 16), 5);
	EXPECT_STREQ(text, "hello");
	EXPECT_EQ(strnlen_user(at + PAGE_SIZE - 2, 16), 6);
	EXPECT_EQ(fault_in_writeable(at, 3 * PAGE_SIZE), PAGE_SIZE);
	EXPECT_EQ(fault_in_readable(at, 2 * PAGE_SIZE), 0);
	over();
}

TEST(page_faults, no_faults_between_disable_and_enable)
{
	uintptr_t at;
	u32 word = 1, was = 9;

	at = start_with(1);
	ASSERT(at);
	pagefault_disable();
	EXPECT_EQ(copy_to_user(at, &word, 4), 4);
	EXPECT_EQ(user_cmpxchg32(at, 0, 1, &was), -EFAULT);
	pagefault_enable();
	EXPECT_EQ(rss(MM_ANONPAGES), 0);
	EXPECT_EQ(user_cmpxchg32(at, 0, 5, &was), 0);
	EXPECT_EQ(was, 0);
	pagefault_disable();
	EXPECT_EQ(user_cmpxchg32(at, 5, 6, &was), 0);
	pagefault_enable();
	EXPECT_EQ(was, 5);
	EXPECT_EQ(user_cmpxchg32(at, 5, 7, &was), 0);
	EXPECT_EQ(was, 6);
	EXPECT_EQ(put_user((u32)8, at), 0);
	EXPECT_EQ(get_user(word, at), 0);
	EXPECT_EQ(word, 8);
	EXPECT_EQ(user_cmpxchg32(at + 2, 0, 1, &was), -EFAULT);
	EXPECT_EQ(user_cmpxchg32(16, 0, 1, &was), -EFAULT);
	/* Who has been killed waits for no page. */
	EXPECT_EQ(ksys_madvise(at, PAGE_SIZE, MADV_DONTNEED), 0);
	p.task.fatal_signal = 1;
	EXPECT_EQ(user_cmpxchg32(at, 0, 1, &was), -EFAULT);
	p.task.fatal_signal = 0;
	EXPECT_EQ(rss(MM_ANONPAGES), 0);
	over();
}

/* ---- get_user_pages ---- */

TEST(page_faults, pins_keep_pages_where_they_are)
{
	static struct test_process child;
	struct page *pages[2], *page;
	unsigned long acquired = global_node_page_state(NR_FOLL_PIN_ACQUIRED);
	uintptr_t at;

	at = start_with(2);
	ASSERT(at);
	EXPECT_EQ(pin_user_pages_fast(at, 2, FOLL_WRITE, pages), 2);
	EXPECT(folio_maybe_dma_pinned(page_folio(pages[0])) && PageAnonExclusive(pages[0]));
	EXPECT_EQ(global_node_page_state(NR_FOLL_PIN_ACQUIRED), acquired + 2);
	/* FA-I6: fork does not take it, nor does a write copy it away. */
	page = page_at(at);
	EXPECT(page == pages[0]);
	ASSERT(test_process_fork(&child, &p));
	test_user_put(at, 3);
	EXPECT(page_at(at) == page);
	all_is_sound();
	test_switch(&child.task);
	EXPECT_EQ(test_user_get(at), 0);
	test_process_exit(&child);
	test_switch(&p.task);
	unpin_user_pages_dirty_lock(pages, 2, true);
	EXPECT(PageDirty(page));
	EXPECT(!folio_maybe_dma_pinned(page_folio(page)));
	EXPECT_EQ(page_count(page), 1);
	over();
}

TEST(page_faults, pins_for_reading_want_a_page_of_ones_own)
{
	static struct test_process child;
	struct page *page, *zero;
	uintptr_t at;

	at = start_with(2);
	ASSERT(at);
	test_user_put(at, 4);
	ASSERT(test_process_fork(&child, &p));
	page = page_at(at);
	EXPECT_EQ(get_user_pages_fast(at, 1, 0, &zero), 1);
	EXPECT(zero == page);
	put_page(zero);
	EXPECT_EQ(pin_user_pages_fast(at, 1, 0, &page), 1);
	EXPECT(PageAnonExclusive(page) && page == page_at(at));
	unpin_user_pages(&page, 1);
	/* The zero page is everybody's, unless the pin is for long. */
	EXPECT_EQ(pin_user_pages_fast(at + PAGE_SIZE, 1, 0, &zero), 1);
	EXPECT(zero == pfn_to_page(zero_pfn));
	unpin_user_pages(&zero, 1);
	EXPECT_EQ(pin_user_pages_fast(at + PAGE_SIZE, 1, FOLL_LONGTERM, &page), 1);
	EXPECT(page != zero && page_is_anon(page));
	unpin_user_pages(&page, 1);
	test_process_exit(&child);
	over();
}

TEST(page_faults, get_user_pages_refuses_and_forces)
{
	struct page *page;
	char text[8] = "";
	uintptr_t at;

	at = start_with(2);
	ASSERT(at);
	test_user_put(at, 4);
	ASSERT(!ksys_mprotect(at, PAGE_SIZE, PROT_READ));
	ASSERT(!ksys_mprotect(at + PAGE_SIZE, PAGE_SIZE, PROT_NONE));
	EXPECT_EQ(get_user_pages_fast(at, 1, FOLL_WRITE, &page), -EFAULT);
	EXPECT_EQ(get_user_pages_fast(at + PAGE_SIZE, 1, 0, &page), -EFAULT);
	EXPECT_EQ(get_user_pages_fast(16, 1, 0, &page), -EFAULT);
	EXPECT_EQ(get_user_pages_fast(at, 1, FOLL_PIN, &page), -EINVAL);
	EXPECT_EQ(access_remote_vm(p.task.mm, at + 8, "debugger", 8, FOLL_WRITE), 0);
	EXPECT_EQ(access_remote_vm(p.task.mm, at + PAGE_SIZE - 4, "debugger", 8, FOLL_WRITE | FOLL_FORCE), 8);
	EXPECT_EQ(access_remote_vm(p.task.mm, at + PAGE_SIZE - 4, text, 8, FOLL_FORCE), 8);
	EXPECT(!memcmp(text, "debugger", 8));
	EXPECT(!pgt_write(0, test_user_entry(at)));
	EXPECT_REFUSED(at, true, SEGV, SEGV_ACCERR);
	over();
}

/* ---- Ahead of time ---- */

TEST(page_faults, populate_does_what_writes_would)
{
	uintptr_t at;

	ASSERT(test_process_start(&p));
	at = test_map(0, 40 * PAGE_SIZE, RW, MAP_PRIVATE | MAP_POPULATE);
	ASSERT(at);
	EXPECT_EQ(rss(MM_ANONPAGES), 40);
	EXPECT(test_user_all(at, 40 * PAGE_SIZE, 0));
	all_is_sound();
	over();
}

/* ---- Without memory ---- */

static bool touch_a_page(void *ctx)
{
	uintptr_t at = *(uintptr_t *)ctx;
	bool done;

	test_capture_begin();
	done = test_user_write(at, "x", 1) == 1;
	(void)test_capture_end();
	/* On bare metal the access is the kernel's copy, which no signal answers. */
	if (!done && test_user_exec_checked && p.task.fault.signo != 9)
		test_fail(__FILE__, __LINE__, "signal %d", p.task.fault.signo);
	if (ksys_munmap(at, PAGE_SIZE) || !test_map(at, PAGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED))
		test_fail(__FILE__, __LINE__, "cannot map again");
	return done;
}

static void check_rss(void *ctx)
{
	(void)ctx;
	EXPECT_EQ(rss(MM_ANONPAGES), 0);
	all_is_sound();
}

/* FA-I5 */
TEST(page_faults, without_memory_nothing_has_changed)
{
	uintptr_t at;

	at = start_with(1);
	ASSERT(at);
	EXPECT(fault_each(touch_a_page, check_rss, &at) >= 2);
	over();
}

static struct test_process forked;

static bool copy_a_page(void *ctx)
{
	uintptr_t at = *(uintptr_t *)ctx;
	bool done;

	test_capture_begin();
	done = test_user_write(at, "y", 1) == 1;
	(void)test_capture_end();
	return done;
}

static void check_copy(void *ctx)
{
	char byte;

	EXPECT_EQ(copy_from_user(&byte, *(uintptr_t *)ctx, 1), 0);
	EXPECT(byte == 'x' || byte == 'y');
	EXPECT_EQ(rss(MM_ANONPAGES), 1);
	all_is_sound();
}

TEST(page_faults, without_memory_for_a_copy)
{
	uintptr_t at;

	at = start_with(1);
	ASSERT(at);
	EXPECT_EQ(test_user_write(at, "x", 1), 1);
	ASSERT(test_process_fork(&forked, &p));
	EXPECT(fault_each(copy_a_page, check_copy, &at) >= 1);
	test_process_exit(&forked);
	over();
}

/* ---- The verifier ---- */

TEST(page_faults, the_verifier_sees_what_is_wrong)
{
	uintptr_t at;
	struct page *page;
	spinlock_t *lock;
	bool shared;
	pgt_entry_t *entry;

	at = start_with(2);
	ASSERT(at);
	test_user_put(at, 1);
	(void)test_user_get(at + PAGE_SIZE);
	page = page_at(at);
	all_is_sound();
	p.task.mm->rss[MM_ANONPAGES]++;
	EXPECT(verify() && strstr(found, "FA-I1"));
	p.task.mm->rss[MM_ANONPAGES]--;
	page->_mapcount++;
	EXPECT(verify() && strstr(found, "FA-I2"));
	page->_mapcount--;
	ClearPageAnonExclusive(page);
	EXPECT(verify() && strstr(found, "FA-I3"));
	SetPageAnonExclusive(page);
	entry = vm_entry_find(p.task.mm, at + PAGE_SIZE, &lock, &shared);
	ASSERT(entry);
	spin_unlock(lock);
	*entry = pgt_mkwrite(0, *entry);
	EXPECT(verify() && strstr(found, "FA-I4"));
	*entry = pgt_wrprotect(0, *entry);
	all_is_sound();
	over();
}
