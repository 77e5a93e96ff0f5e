// SPDX-License-Identifier: MIT
/* Copies of the machine's RAM and descriptors: snapshots, and the one that a child of fork() gets. */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <octavo/page.h>

#include "arena.h"
#include "mmu_impl.h"

/* Touched descriptors are found with mincore(2), which is quick where nothing is; a step of it: 1 GiB. */
#define STEP_PAGES ((size_t)1 << 18)

struct piece {
	char *at;   /* where in the window of descriptors; NULL: in the file */
	u64 offset; /* there */
	size_t bytes;
	char *data;
};

struct arena_copy {
	struct piece *pieces;
	size_t nr, room;
	struct range *ranges;
	unsigned int ranges_nr;
	struct guard_copy *guard;
};

static void *must(void *p)
{
	if (!p)
		port_panic("no memory for a snapshot");
	return p;
}

/* ---- What the host has given ---- */

/* Calls @fn for each run of touched pages in [at, at + bytes). */
static void for_touched(char *at, u64 bytes, void (*fn)(void *ctx, char *at, size_t bytes), void *ctx)
{
	static unsigned char present[STEP_PAGES];

	while (bytes) {
		size_t pages = bytes >> PAGE_SHIFT < STEP_PAGES ? (size_t)(bytes >> PAGE_SHIFT) : STEP_PAGES;
		size_t i = 0;

		if (mincore(at, pages * PAGE_SIZE, present))
			port_panic("mincore failed");
		while (i < pages) {
			unsigned char *hit = memchr(present + i, 1, pages - i), *miss;
			size_t first;

			if (!hit)
				break;
			first = (size_t)(hit - present);
			miss = memchr(hit, 0, pages - first);
			i = miss ? (size_t)(miss - present) : pages;
			fn(ctx, at + first * PAGE_SIZE, (i - first) * PAGE_SIZE);
		}
		at += pages * PAGE_SIZE;
		bytes -= pages * PAGE_SIZE;
	}
}

static void for_file_data(void (*fn)(void *ctx, u64 offset, u64 bytes), void *ctx)
{
	off_t data = 0;

	while ((u64)data < arena.file_end && (data = lseek(arena.fd, data, SEEK_DATA)) >= 0) {
		off_t hole = lseek(arena.fd, data, SEEK_HOLE);

		fn(ctx, (u64)data, (u64)(hole - data));
		data = hole;
	}
}

/*
 * Descriptors are looked for where there is RAM, to the ends of its sections of 128 MiB: the window of a machine with
 * RAM at 52 bits is too long to look all through.
 */
static void for_descriptors(void (*fn)(void *ctx, char *at, size_t bytes), void *ctx)
{
	const u64 section = (u64)128 << 20;
	u64 seen = 0;

	for (unsigned int i = 0; i < arena.nr; i++) {
		const struct range *r = &arena.ranges[i];
		u64 start = r->start & ~(section - 1), end = (r->end + section - 1) & ~(section - 1);
		u64 bytes;

		start = start > seen ? start : seen;
		if (start >= end)
			continue;
		seen = end;
		bytes = (end - start) / PAGE_SIZE * sizeof(struct page);
		start = start / PAGE_SIZE * sizeof(struct page);
		if (start + bytes <= arena.vmemmap_bytes)
			for_touched(arena.vmemmap + start, bytes, fn, ctx);
	}
}

static void touched_count(void *ctx, char *at, size_t bytes)
{
	(void)at;
	*(u64 *)ctx += bytes;
}

u64 hosted_resident_bytes(void)
{
	struct stat st;
	u64 bytes = 0;

	for_descriptors(touched_count, &bytes);
	if (arena.fd >= 0 && !fstat(arena.fd, &st))
		bytes += (u64)st.st_blocks * 512; /* as stat(2) counts them */
	return bytes;
}

/* ---- Snapshots ---- */

static struct piece *copy_add(struct arena_copy *copy, char *at, u64 offset, size_t bytes)
{
	struct piece *p;

	if (copy->nr == copy->room) {
		copy->room = copy->room ? copy->room * 2 : 64;
		copy->pieces = must(realloc(copy->pieces, copy->room * sizeof(*copy->pieces)));
	}
	p = &copy->pieces[copy->nr++];
	*p = (struct piece){ .at = at, .offset = offset, .bytes = bytes, .data = must(malloc(bytes)) };
	return p;
}

static void descriptors_copy(void *ctx, char *at, size_t bytes)
{
	memcpy(copy_add(ctx, at, 0, bytes)->data, at, bytes);
}

static void read_file(char *to, u64 offset, u64 bytes)
{
	while (bytes) {
		ssize_t got = pread(arena.fd, to, (size_t)bytes, (off_t)offset);

		if (got <= 0)
			port_panic("the machine's RAM cannot be read");
		to += got;
		offset += (u64)got;
		bytes -= (u64)got;
	}
}

static void write_file(int fd, const char *from, u64 offset, u64 bytes)
{
	while (bytes) {
		ssize_t put = pwrite(fd, from, (size_t)bytes, (off_t)offset);

		if (put <= 0)
			port_panic("the machine's RAM cannot be written");
		from += put;
		offset += (u64)put;
		bytes -= (u64)put;
	}
}

static void file_copy(void *ctx, u64 offset, u64 bytes)
{
	read_file(copy_add(ctx, NULL, offset, (size_t)bytes)->data, offset, bytes);
}

struct arena_copy *arena_save(void)
{
	struct arena_copy *copy = must(calloc(1, sizeof(*copy)));

	copy->guard = guard_save();
	for_descriptors(descriptors_copy, copy);
	for_file_data(file_copy, copy);
	copy->ranges_nr = arena.nr;
	copy->ranges = must(malloc((arena.nr + 1) * sizeof(*copy->ranges)));
	if (arena.nr)
		memcpy(copy->ranges, arena.ranges, arena.nr * sizeof(*copy->ranges));
	return copy;
}

/* Everything is mapped anew: what ranges there are may have changed, or the file. */
static void map_again(void)
{
	views_drop();
	if (!direct_remap())
		port_panic("the direct map cannot be mapped again");
	for (unsigned int i = 0; i < arena.nr; i++)
		if (range_map(&arena.ranges[i]))
			port_panic("a range of RAM cannot be mapped again");
	for (unsigned int i = 0; i < arena.devices_nr; i++)
		if (range_map(&arena.devices[i]))
			port_panic("a device cannot be mapped again");
}

struct outside {
	const struct arena_copy *copy;
	size_t next; /* piece: those before end before where we are */
};

static void punch(u64 offset, u64 bytes)
{
	if (fallocate(arena.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)bytes))
		port_panic("the machine's RAM cannot be given back");
}

/* Pages that are there now and were not then. Pieces and runs both come in the order of the file. */
static void punch_outside(void *ctx, u64 offset, u64 bytes)
{
	struct outside *o = ctx;
	u64 end = offset + bytes;

	while (offset < end) {
		const struct piece *p = o->next < o->copy->nr ? &o->copy->pieces[o->next] : NULL;
		u64 stop = end;

		if (p && (p->at || p->offset + p->bytes <= offset)) {
			o->next++;
			continue;
		}
		if (p && p->offset <= offset) {
			offset = p->offset + p->bytes;
			continue;
		}
		if (p && p->offset < stop)
			stop = p->offset;
		punch(offset, stop - offset);
		offset = stop;
	}
}

static bool ranges_changed(const struct arena_copy *copy)
{
	if (arena.nr != copy->ranges_nr)
		return true;
	for (unsigned int i = 0; i < arena.nr; i++)
		if (arena.ranges[i].start != copy->ranges[i].start || arena.ranges[i].end != copy->ranges[i].end)
			return true;
	return false;
}

/* Pages that were there stay mapped and are written over: the same few are wanted again and again. */
void arena_restore(const struct arena_copy *copy)
{
	struct outside outside = { copy, 0 };

	guard_restore(NULL);
	rights_reset();
	madvise(arena.vmemmap, arena.vmemmap_bytes, MADV_DONTNEED);
	for_file_data(punch_outside, &outside);
	if (ranges_changed(copy)) {
		arena.ranges = must(realloc(arena.ranges, (copy->ranges_nr + 1) * sizeof(*arena.ranges)));
		memcpy(arena.ranges, copy->ranges, copy->ranges_nr * sizeof(*arena.ranges));
		arena.nr = copy->ranges_nr;
		map_again();
	}
	for (size_t i = 0; i < copy->nr; i++) {
		const struct piece *p = &copy->pieces[i];

		if (p->at) {
			mprotect(p->at, p->bytes, PROT_READ | PROT_WRITE);
			memcpy(p->at, p->data, p->bytes);
		} else {
			write_file(arena.fd, p->data, p->offset, p->bytes);
		}
	}
	guard_restore(copy->guard);
}

void arena_copy_free(struct arena_copy *copy)
{
	for (size_t i = 0; i < copy->nr; i++)
		free(copy->pieces[i].data);
	free(copy->pieces);
	free(copy->guard);
	free(copy->ranges);
	free(copy);
}

/* ---- fork() ---- */

static void file_to_child(void *ctx, u64 offset, u64 bytes)
{
	static char part[1 << 16];

	while (bytes) {
		u64 step = bytes < sizeof(part) ? bytes : sizeof(part);

		read_file(part, offset, step);
		write_file(*(int *)ctx, part, offset, step);
		offset += step;
		bytes -= step;
	}
}

/*
 * The parent's machine must not feel what the child does: the copy is made before, so that it is of one moment, and
 * given away behind.
 */
static int fork_fd = -1;

static void copy_before_fork(void)
{
	if (arena.fd < 0 || !arena.direct)
		return;
	fork_fd = memfd_create("octavo-ram", MFD_CLOEXEC);
	if (fork_fd < 0 || ftruncate(fork_fd, (off_t)arena.file_end))
		port_panic("no memory for a copy of the machine");
	for_file_data(file_to_child, &fork_fd);
}

static void drop_in_parent(void)
{
	if (fork_fd >= 0)
		close(fork_fd);
	fork_fd = -1;
}

static void take_in_child(void)
{
	struct guard_copy *guard;

	if (fork_fd < 0)
		return;
	close(arena.fd);
	arena.fd = fork_fd;
	fork_fd = -1;
	guard = guard_save();
	guard_restore(NULL);
	rights_reset();
	map_again();
	guard_restore(guard);
	free(guard);
	window_hide_all();
	direct_flushed_all();
}

__attribute__((constructor)) static void follow_forks(void)
{
	pthread_atfork(copy_before_fork, drop_in_parent, take_in_child);
}
