// SPDX-License-Identifier: MIT
/*
 * The same random calls on a userfaultfd of the Linux underneath and on one of the core's: results, what they leave in
 * their arguments, what can be read and written afterwards, and which pages are protected. Faults are refused
 * (UFFD_FEATURE_SIGBUS), so that one thread is enough. Linux's memory is looked at by process_vm_readv(2) of oneself.
 */
#include <octavo/proc_pid.h>
#include <octavo/shmem_fs.h>
#include <octavo/verify.h>

#include "mm/vm/userfaultfd.h"
#include "uffd.h"
#include "uffd_twin.h"

#define HALF UFFD_TWIN_HALF
#define PAGES UFFD_TWIN_PAGES
#define RW (PROT_READ | PROT_WRITE)

static struct test_process p;
static struct userfaultfd_ctx *ours[2];
static struct uffd_twin twin;
static struct file *file;
static uintptr_t our_at, our_src;

/* ---- Both sides ---- */

/* What was done last, for who looks into a difference. */
static char history[40][112];
static unsigned int history_nr;

#define NOTE(...) octavo_snprintf(history[history_nr++ % ARRAY_SIZE(history)], sizeof(history[0]), __VA_ARGS__)

static void tell_history(void)
{
	for (unsigned int i = history_nr - min(history_nr, (unsigned int)ARRAY_SIZE(history)); i < history_nr; i++)
		pr_err("%s\n", history[i % ARRAY_SIZE(history)]);
}

/* @arg: of Linux's and ours, addresses each of its own. Return: they answer alike, and leave alike. */
static bool both(unsigned int which, unsigned int cmd, void *linux_arg, void *our_arg, size_t size, size_t result)
{
	long l = uffd_twin_ioctl(&twin, which, cmd, linux_arg), o = uffd_call(ours[which], cmd, our_arg, size);
	const u64 *args = our_arg;

	NOTE("ioctl %#x on %u: %#zx %#zx %#zx %#zx: %ld", cmd & 0xff, which, (size_t)args[0], (size_t)args[1],
	     size > 16 ? (size_t)args[2] : 0, size > 32 ? (size_t)args[3] : 0, l);
	if (l == o && !memcmp((char *)linux_arg + result, (char *)our_arg + result, size - result))
		return true;
	test_fail(__FILE__, __LINE__, "ioctl %#x: Linux says %ld (%#llx), we %ld (%#llx)", cmd, l,
		  result < size ? *(long long *)((char *)linux_arg + result) : 0, o,
		  result < size ? *(long long *)((char *)our_arg + result) : 0);
	return false;
}

static bool range_call(unsigned int which, unsigned int cmd, unsigned int page, u64 len, u64 mode)
{
	struct uffdio_continue l = { .range = { twin.at + page * PAGE_SIZE, len }, .mode = mode, .mapped = 77 };
	struct uffdio_continue o = { .range = { our_at + page * PAGE_SIZE, len }, .mode = mode, .mapped = 77 };
	size_t size = cmd >> 16 & 0x3fff;

	return both(which, cmd, &l, &o, size, size > 24 ? 24 : size);
}

static bool copy_call(unsigned int which, unsigned int cmd, unsigned int page, unsigned int from, u64 len, u64 mode)
{
	struct uffdio_copy l = { twin.at + page * PAGE_SIZE, twin.src + from * PAGE_SIZE, len, mode, 77 };
	struct uffdio_copy o = { our_at + page * PAGE_SIZE, our_src + from * PAGE_SIZE, len, mode, 77 };

	return both(which, cmd, &l, &o, sizeof(l), 32);
}

static bool touch(uintptr_t linux_addr, uintptr_t our_addr, bool write, u8 value)
{
	u8 l = value, o = value;
	bool a = uffd_twin_touch(linux_addr, write, &l), b;

	test_capture_begin();
	b = (write ? test_user_write(our_addr, &o, 1) : test_user_read(our_addr, &o, 1)) == 1;
	test_capture_end();
	p.task.fault = (struct mm_signal){ 0 };
	NOTE("%s of %#lx: %d", write ? "store" : "load", (unsigned long)our_addr, a);
	if (a == b && (!a || l == o))
		return true;
	test_fail(__FILE__, __LINE__, "%s: Linux %s (%u), we %s (%u)", write ? "a store" : "a load",
		  a ? "lets it" : "refuses it", l, b ? "let it" : "refuse it", o);
	return false;
}

#define PM_UFFD_WP (1ull << 57)
#define PM_SWAP (1ull << 62)
#define PM_PRESENT (1ull << 63)

static bool same_pages(void)
{
	u64 l[PAGES], o[PAGES];

	if (!uffd_twin_pagemap(&twin, l) ||
	    octavo_pid_pagemap(p.task.mm, our_at >> PAGE_SHIFT, o, PAGES, false) != PAGES)
		return false;
	for (unsigned int i = 0; i < PAGES; i++) {
		if ((l[i] ^ o[i]) & (PM_UFFD_WP | PM_SWAP | PM_PRESENT)) {
			test_fail(__FILE__, __LINE__, "page %u: Linux's pagemap has %#llx, ours %#llx", i,
				  (unsigned long long)l[i], (unsigned long long)o[i]);
			return false;
		}
	}
	return true;
}

/* ---- Calls ---- */

static bool advise(unsigned int page, unsigned int nr, int advice)
{
	long l = uffd_twin_madvise(twin.at + page * PAGE_SIZE, nr * PAGE_SIZE, advice);
	long o = ksys_madvise(our_at + page * PAGE_SIZE, nr * PAGE_SIZE, advice);

	NOTE("madvise at page %u, %u: %ld", page, nr, l);
	EXPECT_EQ(o, l);
	return o == l;
}

static bool rights(unsigned int page, unsigned int nr, int prot)
{
	long l = uffd_twin_mprotect(twin.at + page * PAGE_SIZE, nr * PAGE_SIZE, prot);
	long o = ksys_mprotect(our_at + page * PAGE_SIZE, nr * PAGE_SIZE, (unsigned long)prot);

	NOTE("mprotect at page %u, %u, %d: %ld", page, nr, prot, l);
	EXPECT_EQ(o, l);
	return o == l;
}

/*
 * The private memory is mapped anew, and belongs to nobody. A first page gives it one anon_vma while it is whole: which
 * pieces can be one again does not depend then on who was touched first, as what Linux merges does.
 */
static bool renew(void)
{
	NOTE("mmap");
	return uffd_twin_renew(twin.at, HALF * PAGE_SIZE) &&
	       test_map(our_at, HALF * PAGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED) && touch(twin.at, our_at, true, 1);
}

static u64 draw(u64 *chance, u64 below)
{
	return test_random(chance) % below;
}

/* As Linux's pagemap.rst has them: struct page_region and struct pm_scan_arg. */
struct region {
	u64 start, end, categories;
};
struct scan {
	u64 size, flags, start, end, walk_end, vec, vec_len, max_pages, inverted, mask, anyof, result;
};
#define REGIONS 6u

/* PAGEMAP_SCAN: allowed, written, file, present, swapped, zero. Here all that was ever there is soft-dirty. */
static bool scan(u64 *chance)
{
	struct region l[REGIONS], o[REGIONS];
	u64 to = draw(chance, PAGES + 4), all = 0x3f;
	struct scan theirs = { .size = sizeof(theirs), .start = twin.at, .end = twin.at }, our;
	long a, b;

	theirs.flags = draw(chance, 2);
	theirs.start += draw(chance, PAGES) * PAGE_SIZE;
	theirs.end += to * PAGE_SIZE - (to && !draw(chance, 4));
	theirs.end = max(theirs.end, theirs.start);
	theirs.vec_len = draw(chance, REGIONS + 1);
	theirs.max_pages = draw(chance, 3) ? 0 : draw(chance, 6);
	theirs.inverted = draw(chance, 3) ? 0 : draw(chance, 64);
	theirs.mask = draw(chance, 2) ? 2 : draw(chance, 64) & draw(chance, 64);
	theirs.anyof = draw(chance, 2) ? 0 : draw(chance, 64);
	theirs.result = draw(chance, 2) ? all : draw(chance, 64);
	our = theirs;
	theirs.vec = theirs.vec_len ? (uintptr_t)l : 0;
	our.vec = our.vec_len ? uffd_args + 1024 : 0;
	a = uffd_twin_scan(&twin, &theirs);
	if (test_user_write(uffd_args, &our, sizeof(our)) != sizeof(our))
		return false;
	b = octavo_pid_pagemap_ioctl(p.task.mm, PAGEMAP_SCAN, uffd_args);
	if (test_user_read(uffd_args, &our, sizeof(our)) != sizeof(our) ||
	    test_user_read(uffd_args + 1024, o, sizeof(o)) != sizeof(o))
		return false;
	NOTE("scan %#zx to %#zx flags %u mask %#x any %#x inverted %#x result %#x: %ld", (size_t)our.start,
	     (size_t)our.end, (unsigned int)our.flags, (unsigned int)our.mask, (unsigned int)our.anyof,
	     (unsigned int)our.inverted, (unsigned int)our.result, a);
	if (a == b && theirs.walk_end == our.walk_end && (a <= 0 || !memcmp(l, o, (size_t)a * sizeof(l[0]))))
		return true;
	test_fail(__FILE__, __LINE__, "PAGEMAP_SCAN: Linux %ld up to %#zx, we %ld up to %#zx", a,
		  (size_t)theirs.walk_end, b, (size_t)our.walk_end);
	for (long i = 0; i < max(a, b); i++)
		pr_err("%#zx-%#zx %#x, %#zx-%#zx %#x\n", (size_t)l[i].start, (size_t)l[i].end,
		       (unsigned int)l[i].categories, (size_t)o[i].start, (size_t)o[i].end,
		       (unsigned int)o[i].categories);
	return false;
}

static bool call(u64 *chance)
{
	static const unsigned int fills[] = { UFFDIO_ZEROPAGE, UFFDIO_CONTINUE, UFFDIO_POISON };
	unsigned int which = !draw(chance, 8), page = (unsigned int)draw(chance, PAGES);
	unsigned int nr = (unsigned int)draw(chance, 4) + 1, from = (unsigned int)draw(chance, HALF);
	u64 len = draw(chance, 16) ? nr * PAGE_SIZE : draw(chance, 3) * 100, mode = draw(chance, 5);

	nr = min(nr, PAGES - page);
	switch (draw(chance, 18)) {
	case 0:
	case 1:
		len *= 1 + draw(chance, 3);
		mode = draw(chance, 9);
		/* A range that is watched otherwise from now on keeps its protection, unseen, in Linux: not here. */
		return (mode & UFFDIO_REGISTER_MODE_WP || range_call(which, UFFDIO_UNREGISTER, page, len, 0)) &&
		       range_call(which, UFFDIO_REGISTER, page, len, mode);
	case 2:
		return range_call(which, UFFDIO_UNREGISTER, page, len, 0);
	case 3:
		return range_call(which, UFFDIO_WAKE, page, len, 0);
	case 4:
	case 5:
		return copy_call(which, UFFDIO_COPY, page, from, len, mode);
	case 6:
	case 7:
		return range_call(which, fills[draw(chance, 3)], page, len, mode > 2 ? 0 : mode);
	case 8:
	case 9:
		return range_call(which, UFFDIO_WRITEPROTECT, page, len, mode);
	case 10:
		return copy_call(which, UFFDIO_MOVE, page, from, len, mode);
	case 11:
		return advise(page, nr, MADV_DONTNEED);
	case 12:
		return draw(chance, 2) ? rights(page, nr, draw(chance, 2) ? PROT_READ : RW) : renew();
	case 16:
	case 17:
		return scan(chance);
	case 13:
		return touch(twin.src + from * PAGE_SIZE, our_src + from * PAGE_SIZE, draw(chance, 2), (u8)mode);
	default:
		return touch(twin.at + page * PAGE_SIZE, our_at + page * PAGE_SIZE, draw(chance, 2), (u8)page);
	}
}

/* ---- A machine with both ---- */

static bool begin_ours(u64 features)
{
	int err;

	uffd_args = 0;
	if (!test_process_start(&p))
		return false;
	ours[0] = uffd_open(features);
	ours[1] = uffd_open(features);
	file = memfd_setup("twin", 0, &err);
	our_at = test_map(UFFD_TWIN_AT, PAGES * PAGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED);
	our_src = test_map(UFFD_TWIN_SRC, HALF * PAGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED);
	return ours[0] && ours[1] && file && !shmem_truncate(file->f_inode, HALF * PAGE_SIZE) && our_at && our_src &&
	       test_map_file(our_at + HALF * PAGE_SIZE, HALF * PAGE_SIZE, RW, MAP_SHARED | MAP_FIXED, file, 0);
}

static void report(void *arg, const char *line)
{
	(void)arg;
	test_fail(__FILE__, __LINE__, "%s", line);
}

static void end(void)
{
	EXPECT_EQ(mm_verify(report, NULL), 0);
	userfaultfd_release(ours[0]);
	userfaultfd_release(ours[1]);
	EXPECT_EQ(mm_verify(report, NULL), 0);
	uffd_twin_end(&twin);
	test_process_exit(&p);
	fput(file);
}

static const u64 features[] = {
	UFFD_FEATURE_SIGBUS,
	UFFD_FEATURE_SIGBUS | UFFD_FEATURE_WP_UNPOPULATED,
	UFFD_FEATURE_SIGBUS | UFFD_FEATURE_WP_ASYNC,
};

TEST(userfaultfd_linux, random_calls)
{
	unsigned int seeds = test_scaled(120);

	if (!UFFD_HAS_WP)
		SKIP("entries have no bit for protection");
	for (unsigned int seed = 0; seed < seeds; seed++) {
		u64 chance = test_seed * 1000 + seed;

		if (!uffd_twin_begin(&twin, features[seed % ARRAY_SIZE(features)]))
			SKIP("the Linux underneath has no userfaultfd with all of this");
		ASSERT(begin_ours(features[seed % ARRAY_SIZE(features)]));
		ASSERT(renew());
		for (unsigned int step = 0; step < 150; step++) {
			if (call(&chance) && same_pages())
				continue;
			test_fail(__FILE__, __LINE__, "seed %u, step %u", seed, step);
			tell_history();
			end();
			return;
		}
		end();
	}
}
