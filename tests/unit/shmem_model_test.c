// SPDX-License-Identifier: MIT
/*
 * A tmpfs file under writes, truncation, holes, fallocate and accesses through mappings, against an array of bytes and
 * a list of the pages that must be there.
 */
#include <octavo/mm.h>
#include <octavo/shmem_fs.h>
#include <octavo/verify.h>

#include "mm/cache/shmem.h"
#include "model.h"
#include "tasks.h"

#define PAGES 12u
#define BYTES (PAGES * PAGE_SIZE)
#define LIMIT 9u /* blocks of the instance */

enum { WRITE, READ, TRUNCATE, PUNCH, FALLOCATE, STORE, LOAD, COPY_STORE, SEEK, KINDS };

static struct world {
	struct shmem_sb sb;
	struct file *file;
	struct test_process p;
	uintptr_t shared, private;
	u64 size;
	u8 bytes[BYTES], copy[BYTES];
	bool data[PAGES];     /* uptodate */
	bool there[PAGES];    /* charged */
	bool copied[PAGES];   /* the private mapping has its own */
	bool running;
	u8 buf[BYTES];
} *w, the_world;

static void end(void)
{
	if (!w)
		return;
	if (w->running)
		test_process_exit(&w->p);
	if (w->file)
		fput(w->file);
	w = NULL;
}

static void reset(void *ctx)
{
	struct inode *inode;

	(void)ctx;
	end();
	w = &the_world;
	memset(w, 0, sizeof(*w));
	w->sb.max_blocks = LIMIT;
	inode = shmem_inode_alloc(&w->sb, S_IFREG | 0600, VM_NORESERVE);
	ASSERT(inode);
	w->file = alloc_file(inode, FMODE_READ | FMODE_WRITE, O_RDWR, &shmem_file_operations);
	ASSERT(w->file);
	w->running = test_process_start(&w->p);
	ASSERT(w->running);
	w->shared = test_map_file(0, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, w->file, 0);
	w->private = test_map_file(0, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, w->file, 0);
}

static void draw(void *ctx, u64 *state, struct model_op *op)
{
	u64 random = test_random(state);

	(void)ctx;
	op->kind = (u8)(random % KINDS);
	op->a = (u8)(random >> 8);
	op->b = (u16)(random >> 16);
}

static unsigned int used(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < PAGES; i++)
		n += w->there[i];
	return n;
}

/* A page for @pos, if the limit has room. */
static bool take(u64 pos)
{
	unsigned int page = (unsigned int)(pos >> PAGE_SHIFT);

	if (!w->there[page] && used() == LIMIT)
		return false;
	w->there[page] = true;
	w->data[page] = true;
	return true;
}

/* Where an operation lies, and how long it is: two pages and a bit at most. */
static u64 place(const struct model_op *op)
{
	return (u64)op->b * 7 % BYTES;
}

static size_t length(const struct model_op *op)
{
	size_t len = 1 + (size_t)op->a * 37 % (2 * PAGE_SIZE + 100);

	return (size_t)min_t(u64, len, BYTES - place(op));
}

static const char *do_write(u64 pos, size_t len, u8 value)
{
	struct iov_iter iter = { w->buf, len, false };
	s64 want = 0, got;
	u64 at = pos;

	memset(w->buf, value, len);
	while ((size_t)want < len && take(pos + (u64)want)) {
		u64 from = pos + (u64)want;
		size_t n = (size_t)min_t(u64, PAGE_SIZE - (from & (PAGE_SIZE - 1)), len - (size_t)want);

		memset(w->bytes + from, value, n);
		want += (s64)n;
	}
	if (pos + (u64)want > w->size && want)
		w->size = pos + (u64)want;
	got = w->file->f_op->write_iter(w->file, &iter, &at);
	if (got != (want ? want : -ENOSPC))
		return "write: another number of bytes";
	return i_size_read(w->file->f_inode) == w->size ? NULL : "write: another size";
}

static const char *do_read(u64 pos, size_t len)
{
	struct iov_iter iter = { w->buf, len, false };
	s64 want = pos < w->size ? (s64)min_t(u64, len, w->size - pos) : 0;

	if (w->file->f_op->read_iter(w->file, &iter, &pos) != want)
		return "read: another number of bytes";
	return memcmp(w->buf, w->bytes + pos - (u64)want, (size_t)want) ? "read: other bytes" : NULL;
}

/* [from, to) is zeros, whole pages are gone; @all: private copies, too. */
static void forget(u64 from, u64 to, bool all)
{
	memset(w->bytes + from, 0, (size_t)(to - from));
	for (unsigned int i = 0; i < PAGES; i++) {
		u64 first = (u64)i << PAGE_SHIFT;

		if (first < from || first + PAGE_SIZE > to)
			continue;
		w->there[i] = w->data[i] = false;
		if (all)
			w->copied[i] = false;
	}
}

static const char *do_truncate(u64 size)
{
	if (size <= w->size)
		forget(size, BYTES, true);
	w->size = size;
	return shmem_truncate(w->file->f_inode, size) ? "truncate failed" : NULL;
}

static const char *do_punch(u64 pos, size_t len)
{
	forget(pos, pos + len, false);
	return w->file->f_op->fallocate(w->file, 3, pos, len) ? "punch failed" : NULL;
}

static const char *do_fallocate(u64 pos, size_t len, bool keep)
{
	unsigned int first = (unsigned int)(pos >> PAGE_SHIFT), last = (unsigned int)((pos + len - 1) >> PAGE_SHIFT);
	unsigned int missing = 0, i;
	long want = 0;

	for (i = first; i <= last; i++)
		missing += !w->there[i];
	if (used() + missing > LIMIT)
		want = -ENOSPC;
	/* What is there already when it gets to it is made data, even if it fails behind it. */
	for (i = first, missing = used(); i <= last; i++) {
		if (!w->there[i] && missing++ == LIMIT)
			break;
		if (w->there[i])
			w->data[i] = true;
		else if (!want)
			w->there[i] = true;
	}
	if (!want && !keep && pos + len > w->size)
		w->size = pos + len;
	return w->file->f_op->fallocate(w->file, keep, pos, len) == want ? NULL : "fallocate: another answer";
}

/* May an access by a mapping be had at @pos, for which a page may have to come? */
static bool reachable(u64 pos)
{
	return pos >> PAGE_SHIFT < (w->size + PAGE_SIZE - 1) >> PAGE_SHIFT && take(pos);
}

static const char *do_store(u64 pos, u8 value)
{
	bool can = reachable(pos);

	/* Behind the end, in the last page, it is kept as long as the page is. */
	if (can)
		w->bytes[pos] = value;
	return (test_user_write(w->shared + pos, &value, 1) == 1) == can ? NULL : "store: another outcome";
}

static const char *do_load(u64 pos)
{
	unsigned int page = (unsigned int)(pos >> PAGE_SHIFT);
	bool can = reachable(pos);
	u8 got = 0, want = w->copied[page] ? w->copy[pos] : w->bytes[pos];

	if ((test_user_read(w->shared + pos, &got, 1) == 1) != can)
		return "load: another outcome";
	if (can && got != w->bytes[pos])
		return "load: another byte";
	can = can || w->copied[page];
	if ((test_user_read(w->private + pos, &got, 1) == 1) != can)
		return "private load: another outcome";
	return can && got != want ? "private load: another byte" : NULL;
}

static const char *do_copy_store(u64 pos, u8 value)
{
	unsigned int page = (unsigned int)(pos >> PAGE_SHIFT);
	bool can = w->copied[page] || reachable(pos);
	u64 start = (u64)page << PAGE_SHIFT;

	if (can && !w->copied[page]) {
		memcpy(w->copy + start, w->bytes + start, PAGE_SIZE);
		w->copied[page] = true;
	}
	if (can)
		w->copy[pos] = value;
	return (test_user_write(w->private + pos, &value, 1) == 1) == can ? NULL : "private store: another outcome";
}

static const char *do_seek(u64 pos, bool data)
{
	u64 at = pos;
	s64 want = -ENXIO;

	while (at < w->size && w->data[at >> PAGE_SHIFT] != data)
		at = (at | (PAGE_SIZE - 1)) + 1;
	if (pos < w->size)
		want = at < w->size ? (s64)at : data ? -ENXIO : (s64)w->size;
	return w->file->f_op->llseek(w->file, (s64)pos, data ? 3 : 4) == want ? NULL : "seek: another answer";
}

static const char *apply(void *ctx, const struct model_op *op)
{
	(void)ctx;
	switch (op->kind % KINDS) {
	case WRITE:
		return do_write(place(op), length(op), (u8)(op->a | 1));
	case READ:
		return do_read(place(op), length(op));
	case TRUNCATE:
		return do_truncate(op->a & 1 ? place(op) : place(op) & ~(u64)(PAGE_SIZE - 1));
	case PUNCH:
		return do_punch(place(op), length(op));
	case FALLOCATE:
		return do_fallocate(place(op), length(op), op->a & 1);
	case STORE:
		return do_store(place(op), (u8)(op->a | 1));
	case LOAD:
		return do_load(place(op));
	case COPY_STORE:
		return do_copy_store(place(op), (u8)(op->a | 1));
	default:
		return do_seek(place(op), op->a & 1);
	}
}

static const char *check(void *ctx)
{
	struct iov_iter iter = { w->buf, BYTES, false };
	u64 pos = 0;

	(void)ctx;
	if (shmem_i(w->file->f_inode)->alloced != used() || w->sb.used_blocks != used())
		return "another number of pages";
	if (i_size_read(w->file->f_inode) != w->size)
		return "another size";
	if (w->file->f_op->read_iter(w->file, &iter, &pos) != (s64)w->size || memcmp(w->buf, w->bytes, (size_t)w->size))
		return "other contents";
	return mm_verify(NULL, NULL) ? "the verifier finds something" : NULL;
}

static void describe(const struct model_op *op, char *text, size_t size)
{
	static const char *const names[] = { "write", "read", "truncate", "punch", "fallocate",
					     "store", "load", "store privately", "seek" };

	octavo_snprintf(text, size, "%s at %llu, %zu bytes (a %u)", names[op->kind % KINDS],
			(unsigned long long)place(op), length(op), op->a);
}

/* SH-I1, SH-I2, SH-I3 hold after each of them, too. */
TEST(shmem_model, oracle)
{
	const struct model model = { "shmem", NULL, reset, draw, apply, check, describe, 16 };

	for (unsigned int i = 0; i < 3; i++)
		if (!model_run(&model, test_seed + i, test_scaled(1200), NULL))
			break;
	end();
}
