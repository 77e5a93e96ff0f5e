// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include <octavo/mman.h>
#include <octavo/shmem_fs.h>

#include "linux_calls.h"

#define TWIN_SELDOM TWIN_CALLS

struct draw {
	u64 bits;
};

static unsigned int pick(struct draw *d, unsigned int n)
{
	unsigned int value = (unsigned int)((d->bits >> 32) * n >> 32);

	d->bits = d->bits * 0x5851f42d4c957f2dull + 0x14057b7ef767814full;
	return value;
}

static long some_page(struct draw *d)
{
	/* Around the border of two tables half of the time. */
	unsigned int page = pick(d, 2) ? pick(d, TWIN_PAGES) : 20 + pick(d, 8);

	return (long)(TWIN_ARENA + page * PAGE);
}

/* Pages from @addr on that stay in the arena; now and then none, or not a multiple of a page. */
static long some_len(struct draw *d, long addr, unsigned int most)
{
	unsigned int room = (unsigned int)((TWIN_END - (uintptr_t)addr) / PAGE), pages = 1 + pick(d, most);

	if (!pick(d, 40))
		return pick(d, 2) ? 0 : (long)(PAGE + 1);
	return (long)(min(pages, room) * PAGE);
}

static long some_prot(struct draw *d)
{
	static const u8 prots[] = { PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ,
				    PROT_READ, PROT_NONE, PROT_READ | PROT_EXEC, PROT_READ | PROT_WRITE | PROT_EXEC };

	return prots[pick(d, ARRAY_SIZE(prots))];
}

static void draw_mmap(struct draw *d, struct twin_call *call)
{
	static const u32 extra[] = { 0, 0, 0, 0, MAP_POPULATE, MAP_NORESERVE, MAP_STACK, MAP_LOCKED,
				     MAP_POPULATE | MAP_NONBLOCK };
	long *a = call->args;
	bool file = !pick(d, 3);

	a[0] = some_page(d);
	a[1] = some_len(d, a[0], 10);
	a[2] = some_prot(d);
	a[3] = pick(d, 4) ? MAP_PRIVATE : MAP_SHARED;
	a[3] |= (long)extra[pick(d, ARRAY_SIZE(extra))];
	a[3] |= pick(d, 6) ? MAP_FIXED : pick(d, 2) ? MAP_FIXED_NOREPLACE : 0;
	a[4] = file ? (long)pick(d, TWIN_FILES) : -1;
	a[5] = file ? (long)(pick(d, TWIN_FILE_PAGES) * PAGE) : 0;
	a[3] |= file ? 0 : MAP_ANONYMOUS;
	if (!pick(d, 50))
		a[0] += 1; /* not aligned */
	if (!pick(d, 50))
		a[3] &= ~3l; /* neither private nor shared */
	if (!pick(d, 50))
		a[5] += 12;
	if (!pick(d, 14))
		a[3] |= MAP_GROWSDOWN;
	if (!pick(d, 30))
		a[3] |= MAP_32BIT;
}

static void draw_mremap(struct draw *d, struct twin_call *call)
{
	static const u8 flags[] = { 0, 0, MREMAP_MAYMOVE, MREMAP_MAYMOVE | MREMAP_FIXED,
				    MREMAP_MAYMOVE | MREMAP_FIXED, MREMAP_MAYMOVE | MREMAP_FIXED,
				    MREMAP_MAYMOVE | MREMAP_DONTUNMAP,
				    MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, MREMAP_FIXED, 16 };
	long *a = call->args;

	a[0] = some_page(d);
	a[1] = some_len(d, a[0], 6);
	a[2] = pick(d, 2) ? a[1] : some_len(d, a[0], 8);
	a[3] = flags[pick(d, ARRAY_SIZE(flags))];
	a[4] = a[3] & MREMAP_FIXED ? some_page(d) : 0;
	/* What would lie behind the arena is somebody else's. */
	if (a[3] & MREMAP_FIXED && (uintptr_t)(a[4] + a[2]) > TWIN_END)
		a[4] = (long)TWIN_END - (long)ALIGN((unsigned long)a[2], PAGE);
}

static void draw_madvise(struct draw *d, struct twin_call *call)
{
	static const u16 advice[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED, MADV_DONTNEED, MADV_DONTNEED,
		MADV_FREE, MADV_REMOVE, MADV_DONTFORK, MADV_DONTFORK, MADV_DOFORK, MADV_DONTDUMP, MADV_DODUMP,
		MADV_WIPEONFORK, MADV_WIPEONFORK, MADV_KEEPONFORK, MADV_COLD, MADV_PAGEOUT, MADV_POPULATE_READ,
		MADV_POPULATE_WRITE, MADV_DONTNEED_LOCKED, 999
	};
	long *a = call->args;

	a[0] = some_page(d);
	a[1] = some_len(d, a[0], 8);
	a[2] = advice[pick(d, ARRAY_SIZE(advice))];
}

static void draw_range(struct draw *d, struct twin_call *call, unsigned int most)
{
	call->args[0] = some_page(d) + (pick(d, 50) ? 0 : 5);
	call->args[1] = some_len(d, call->args[0], most);
}

static void draw_access(struct draw *d, struct twin_call *call)
{
	long addr = some_page(d);

	addr += pick(d, 3) ? (long)pick(d, 16) * 8 : (long)PAGE - 1 - (long)pick(d, 16);
	call->args[0] = addr;
	call->args[1] = 1 + (long)pick(d, pick(d, 4) ? 16 : 3 * PAGE);
	if (call->args[1] > (long)TWIN_END - addr)
		call->args[1] = (long)TWIN_END - addr;
	call->args[2] = 1 + (long)pick(d, 200);
}

static void draw_file(struct draw *d, struct twin_call *call)
{
	long *a = call->args;

	a[0] = (long)pick(d, TWIN_FILES);
	a[1] = (long)pick(d, TWIN_FILE_PAGES + 4) * (long)PAGE + (pick(d, 2) ? 0 : (long)pick(d, PAGE));
	a[2] = 1 + (long)pick(d, call->what == TWIN_PUNCH ? 5 * PAGE : 250);
	a[3] = 1 + (long)pick(d, 200);
}

static void draw_flags(struct draw *d, struct twin_call *call)
{
	static const u8 sync[] = { MS_ASYNC, MS_SYNC, MS_SYNC | MS_INVALIDATE, MS_INVALIDATE, 0, MS_SYNC | MS_ASYNC,
				   8 };

	switch (call->what) {
	case TWIN_MPROTECT:
		draw_range(d, call, 8);
		call->args[2] = some_prot(d) | (pick(d, 40) ? 0 : 0x40);
		break;
	case TWIN_MLOCK:
		draw_range(d, call, 8);
		call->args[2] = pick(d, 3) == 0 ? MLOCK_ONFAULT : pick(d, 40) ? 0 : 2;
		break;
	case TWIN_MSYNC:
		draw_range(d, call, 8);
		call->args[2] = sync[pick(d, ARRAY_SIZE(sync))];
		break;
	case TWIN_MLOCKALL:
		call->args[0] = pick(d, 4) ? MCL_FUTURE | (pick(d, 2) ? MCL_ONFAULT : 0) : pick(d, 2) ? 0 : 8;
		break;
	default:
		draw_range(d, call, 12);
	}
}

static void draw_shm(struct draw *d, struct twin_call *call)
{
	static const u32 flags[] = { 0, 0, SHM_RND, SHM_RDONLY, SHM_REMAP, SHM_REMAP, SHM_REMAP | SHM_RND,
				     SHM_REMAP | SHM_EXEC, SHM_RDONLY | SHM_REMAP };
	long *a = call->args;

	a[0] = (long)pick(d, TWIN_SEGMENTS);
	a[1] = pick(d, 20) ? some_page(d) + (pick(d, 8) ? 0 : 100) : 0;
	a[2] = (long)flags[pick(d, ARRAY_SIZE(flags))];
}

static void draw_limit(struct draw *d, struct twin_call *call)
{
	static const u8 which[] = { TWIN_LIMIT_AS, TWIN_LIMIT_AS, TWIN_LIMIT_DATA, TWIN_LIMIT_STACK,
				    TWIN_LIMIT_MEMLOCK };
	long *a = call->args;

	a[0] = which[pick(d, ARRAY_SIZE(which))];
	a[1] = pick(d, 2) ? (long)pick(d, 20) : -1;
}

static void draw_other(struct draw *d, struct twin_call *call)
{
	long *a = call->args;

	switch (call->what) {
	case TWIN_BRK:
		a[0] = (long)(pick(d, TWIN_PAGES - TWIN_BRK_PAGE + 1) * PAGE) - (pick(d, 4) ? 0 : (long)pick(d, PAGE));
		break;
	case TWIN_MSEAL:
		draw_range(d, call, 3);
		a[2] = pick(d, 20) ? 0 : 1;
		break;
	case TWIN_REMAP_FILE:
		draw_range(d, call, 5);
		a[2] = pick(d, 30) ? 0 : 1;
		a[3] = (long)pick(d, TWIN_FILE_PAGES);
		a[4] = pick(d, 2) ? 0 : MAP_NONBLOCK;
		break;
	case TWIN_SHMAT:
		draw_shm(d, call);
		break;
	case TWIN_SHMDT:
		a[0] = some_page(d) + (pick(d, 20) ? 0 : 8);
		break;
	default:
		draw_limit(d, call);
	}
}

void linux_call_decode(const struct model_op *op, struct twin_call *call, unsigned int *process)
{
	struct draw d = { ((u64)op->kind << 56 | (u64)op->a << 48 | (u64)op->b << 32) * 0x9e3779b97f4a7c15ull };

	memset(call, 0, sizeof(*call));
	(void)pick(&d, 2);
	call->what = (enum twin_what)op->kind;
	*process = pick(&d, TWIN_PROCESSES);
	switch (call->what) {
	case TWIN_MMAP:
		draw_mmap(&d, call);
		break;
	case TWIN_MREMAP:
		draw_mremap(&d, call);
		break;
	case TWIN_MADVISE:
		draw_madvise(&d, call);
		break;
	case TWIN_READ:
	case TWIN_WRITE:
		draw_access(&d, call);
		break;
	case TWIN_TRUNCATE:
	case TWIN_PWRITE:
	case TWIN_PREAD:
	case TWIN_PUNCH:
		draw_file(&d, call);
		break;
	case TWIN_BRK:
	case TWIN_MSEAL:
	case TWIN_REMAP_FILE:
	case TWIN_SHMAT:
	case TWIN_SHMDT:
	case TWIN_LIMIT:
		draw_other(&d, call);
		break;
	default:
		draw_flags(&d, call);
	}
}

void linux_call_random(void *ctx, u64 *state, struct model_op *op)
{
	static const u8 kinds[] = {
		TWIN_MMAP, TWIN_MMAP, TWIN_MMAP, TWIN_MMAP, TWIN_MMAP, TWIN_MUNMAP, TWIN_MUNMAP, TWIN_MPROTECT,
		TWIN_MPROTECT, TWIN_MPROTECT, TWIN_MREMAP, TWIN_MREMAP, TWIN_MREMAP, TWIN_MADVISE, TWIN_MADVISE,
		TWIN_MADVISE, TWIN_MLOCK, TWIN_MUNLOCK, TWIN_MLOCKALL, TWIN_MUNLOCKALL, TWIN_MSYNC, TWIN_MINCORE,
		TWIN_READ, TWIN_READ, TWIN_READ, TWIN_READ, TWIN_WRITE, TWIN_WRITE, TWIN_WRITE, TWIN_WRITE,
		TWIN_WRITE, TWIN_TRUNCATE, TWIN_PWRITE, TWIN_PREAD, TWIN_PUNCH, TWIN_FORK, TWIN_FORK, TWIN_EXIT,
		TWIN_BRK, TWIN_BRK, TWIN_REMAP_FILE, TWIN_SHMAT, TWIN_SHMAT, TWIN_SHMDT, TWIN_LIMIT, TWIN_SELDOM
	};
	u64 r = test_random(state);

	(void)ctx;
	op->kind = kinds[(r >> 40) % ARRAY_SIZE(kinds)];
	/* What is sealed stays so for the rest of a life. */
	if (op->kind == TWIN_SELDOM)
		op->kind = (r >> 60) ? TWIN_MINCORE : TWIN_MSEAL;
	op->a = (u8)(r >> 16);
	op->b = (u16)r;
}

void linux_call_describe(const struct model_op *op, char *text, size_t size)
{
	static const char *const names[TWIN_CALLS] = {
		"mmap", "munmap", "mprotect", "mremap", "madvise", "mlock2", "munlock", "mlockall", "munlockall",
		"msync", "mincore", "read", "write", "ftruncate", "pwrite", "pread", "punch", "fork", "exit", "brk",
		"mseal", "remap_file_pages", "shmat", "shmdt", "setrlimit", "maps", "smaps", "pagemap", "status",
		"nattch", "fill", "clean"
	};
	struct twin_call call;
	unsigned int process;

	linux_call_decode(op, &call, &process);
	snprintf(text, size, "%u: %s(%#lx, %#lx, %#lx, %#lx, %#lx, %#lx)", process, names[call.what],
		 (unsigned long)call.args[0], (unsigned long)call.args[1], (unsigned long)call.args[2],
		 (unsigned long)call.args[3], (unsigned long)call.args[4], (unsigned long)call.args[5]);
}
