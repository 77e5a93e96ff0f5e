// SPDX-License-Identifier: MIT
/*
 * The kernel window: where plain pointers into vmalloc, pkmap and fixmap lie.
 *
 * It is address space that the process may not touch. A load or store there is a fault (fault.c), for which this CPU's
 * MMU is asked; if it translates the address, the frame is mapped there, with no more rights than that translation lets
 * through without another look at the tables. So the process's own page tables are a cache of the TLBs, and what is
 * shown must go when a translation is dropped: a flush of any CPU hides the page, and the next access asks the MMU of
 * the CPU that makes it, which may still hold the old translation. A page is never shown longer than some TLB holds its
 * translation (MU-I6).
 *
 * All CPUs are in one process: what CPU 1's translation shows, CPU 0 sees too, until somebody flushes it. mmu_read()
 * and mmu_write() go through one CPU's MMU, whatever is shown.
 *
 * Memory use and bounds. 8192 pages are shown at most, of the 65530 mappings that a process may have
 * (vm.max_map_count): one more, and the one shown longest is hidden; an access to it finds its translation again.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <octavo/page.h>

#include "mmu_impl.h"

#define SHOWN_MAX 8192u
#if UINTPTR_MAX > 0xffffffffu
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WINDOW_BYTES ((u64)1 << 36) /* shadow memory follows it */
#else
#define WINDOW_BYTES ((u64)1 << 40)
#endif
#define WINDOW_LEAST ((u64)1 << 30)
#else
#define WINDOW_BYTES ((u64)256 << 20)
#define WINDOW_LEAST ((u64)80 << 20)
#endif

struct shown {
	char *page; /* NULL: this one is free */
	u64 virt;
	u32 next; /* in the chain, + 1 */
};

static struct {
	char *at;
	size_t bytes;
	int lock;
	struct shown shown[SHOWN_MAX];
	u32 heads[SHOWN_MAX];
	u32 hand, used;
} window;

static unsigned long lock(void)
{
	unsigned long flags = port_irq_save();

	while (__atomic_exchange_n(&window.lock, 1, __ATOMIC_ACQUIRE))
		sched_yield();
	return flags;
}

static void unlock(unsigned long flags)
{
	__atomic_store_n(&window.lock, 0, __ATOMIC_RELEASE);
	port_irq_restore(flags);
}

/* The host's call itself: a sanitizer's own version may not run in a signal handler. */
static bool map(void *at, size_t bytes, int prot, int flags, int fd, u64 offset)
{
#ifdef SYS_mmap2
	return syscall(SYS_mmap2, at, bytes, prot, flags | MAP_FIXED, fd, (long)(offset >> PAGE_SHIFT)) == (long)at;
#else
	return syscall(SYS_mmap, at, bytes, prot, flags | MAP_FIXED, fd, offset) == (long)at;
#endif
}

static void shut(void *at, size_t bytes)
{
	if (!map(at, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))
		port_panic("the kernel window cannot be shut");
}

static u32 *head_of(u64 virt)
{
	return &window.heads[(virt >> PAGE_SHIFT) * 0x9e3779b97f4a7c15ull >> 32 & (SHOWN_MAX - 1)];
}

static struct shown *find(u64 virt)
{
	for (u32 i = *head_of(virt); i; i = window.shown[i - 1].next)
		if (window.shown[i - 1].virt == virt)
			return &window.shown[i - 1];
	return NULL;
}

/* Looked at without the lock. */
static void count(u32 used)
{
	__atomic_store_n(&window.used, used, __ATOMIC_RELAXED);
}

static void forget(struct shown *s)
{
	u32 *link = head_of(s->virt), index = (u32)(s - window.shown) + 1;

	while (*link != index)
		link = &window.shown[*link - 1].next;
	*link = s->next;
	s->page = NULL;
	count(window.used - 1);
}

static struct shown *make_room(u64 virt)
{
	struct shown *s = &window.shown[window.hand];
	u32 *head = head_of(virt);

	window.hand = (window.hand + 1) % SHOWN_MAX;
	if (s->page) {
		shut(s->page, PAGE_SIZE);
		forget(s);
	}
	s->virt = virt;
	s->next = *head;
	*head = (u32)(s - window.shown) + 1;
	count(window.used + 1);
	return s;
}

bool window_has(const void *p)
{
	return (size_t)((const char *)p - window.at) < window.bytes;
}

void window_show(const void *p, u64 virt, u64 phys, int prot)
{
	u64 page = virt & ~(u64)(PAGE_SIZE - 1), offset;
	unsigned long flags = lock();
	struct shown *s = find(page);

	if (!s)
		s = make_room(page);
	s->page = (char *)((uintptr_t)p & PAGE_MASK);
	if (!arena_offset(phys & ~(u64)(PAGE_SIZE - 1), &offset) ||
	    !map(s->page, PAGE_SIZE, prot, MAP_SHARED, arena_fd(), offset))
		port_panic("the kernel window cannot show a frame");
	unlock(flags);
}

void window_hide_all(void)
{
	unsigned long flags = lock();

	if (window.used) {
		shut(window.at, window.bytes);
		for (u32 i = 0; i < SHOWN_MAX && window.used; i++)
			if (window.shown[i].page)
				forget(&window.shown[i]);
		window.hand = 0;
	}
	unlock(flags);
}

void window_hide(u64 virt, u64 size)
{
	u64 first = virt & ~(size - 1);
	unsigned long flags;

	/* What this CPU was shown it has counted; what another is being shown, that one's own flush hides. */
	if (!__atomic_load_n(&window.used, __ATOMIC_RELAXED))
		return;
	flags = lock();
	if (size >> PAGE_SHIFT > SHOWN_MAX) {
		for (u32 i = 0; i < SHOWN_MAX; i++) {
			struct shown *s = &window.shown[i];

			if (!s->page || s->virt - first >= size)
				continue;
			shut(s->page, PAGE_SIZE);
			forget(s);
		}
		size = 0;
	}
	for (u64 at = 0; at < size; at += PAGE_SIZE) {
		struct shown *s = find(first + at);

		if (!s)
			continue;
		shut(s->page, PAGE_SIZE);
		forget(s);
	}
	unlock(flags);
}

int window_create(struct bootinfo *info, const struct hosted_options *options)
{
	void *p;
	u64 bytes;

	info->page_tables = !options->no_page_tables;
	if (!info->page_tables)
		return 0;
	for (bytes = WINDOW_BYTES; !window.at && bytes >= WINDOW_LEAST; bytes /= 2) {
		p = mmap(NULL, (size_t)bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (p == MAP_FAILED)
			continue;
		madvise(p, (size_t)bytes, MADV_DONTDUMP);
		window.at = p;
		window.bytes = (size_t)bytes;
	}
	if (!window.at) {
		hosted_log("no %llu MiB of address space for the kernel window",
			   (unsigned long long)WINDOW_LEAST >> 20);
		return -ENOMEM;
	}
	info->kernel_window = (uintptr_t)window.at;
	info->kernel_window_size = window.bytes;
	faults_catch();
	return 0;
}
