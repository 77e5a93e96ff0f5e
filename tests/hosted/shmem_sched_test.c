// SPDX-License-Identifier: MIT
/*
 * A shmem file that grows and shrinks while others fault its pages in, write, punch and fallocate: every interleaving
 * ends with each page charged for (SH-I1, SH-I2), none mapped behind the end (SH-I3), and nothing read that was cut
 * off.
 */
#include <octavo/mm.h>
#include <octavo/pagemap.h>
#include <octavo/shmem_fs.h>
#include <octavo/verify.h>

#include "mm/cache/shmem.h"
#include "mm/sync/atomic.h"
#include "mm/vm/account.h"
#include "schedules.h"
#include "tasks.h"

#define CPUS 3
#define PAGES 4u
#define ROUNDS 6u

static struct shmem_sb sb;
static struct file *file;
static struct test_process p;
static struct mm_task threads[CPUS];
static uintptr_t at;
static unsigned int wrong;
static long committed;

static void setup(void *ctx)
{
	struct inode *inode;

	(void)ctx;
	wrong = 0;
	committed = (long)vm_committed_pages();
	sb = (struct shmem_sb){ .max_blocks = PAGES - 1 };
	inode = shmem_inode_alloc(&sb, S_IFREG | 0600, VM_NORESERVE);
	file = alloc_file(inode, FMODE_READ | FMODE_WRITE, O_RDWR, &shmem_file_operations);
	if (shmem_truncate(inode, PAGES * PAGE_SIZE) || !test_process_start(&p))
		wrong++;
	at = test_map_file(0, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	test_switch(NULL);
	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		test_thread_make(&threads[cpu], &p);
}

static void resize(u64 *state)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		u64 random = test_random(state), pos = random % (PAGES * PAGE_SIZE);
		struct iov_iter iter = { &pos, 3, false };

		switch (random >> 32 & 3) {
		case 0:
			(void)file->f_op->fallocate(file, 3, pos, PAGE_SIZE + 5);
			break;
		case 1:
			(void)file->f_op->fallocate(file, FALLOC_FL_KEEP_SIZE, pos, PAGE_SIZE);
			break;
		case 2:
			(void)file->f_op->write_iter(file, &iter, &(u64){ pos & ~(u64)255 });
			break;
		default:
			if (shmem_truncate(file->f_inode, random >> 40 & 1 ? pos : PAGES * PAGE_SIZE))
				wrong++;
		}
	}
	/* Who was late is behind the end now. */
	if (shmem_truncate(file->f_inode, PAGE_SIZE))
		wrong++;
}

static void work(unsigned int cpu, void *ctx)
{
	u64 state = test_seed + cpu * 77 + 1;

	(void)ctx;
	test_switch(&threads[cpu]);
	if (!cpu)
		resize(&state);
	for (unsigned int i = 0; cpu && i < ROUNDS; i++) {
		u64 random = test_random(&state);
		uintptr_t where = at + (random % PAGES) * PAGE_SIZE + 64 * cpu;
		unsigned long value = 0x1111ul * cpu;

		/* Behind the end, or over the limit: refused, which is as good. */
		if (random >> 32 & 1)
			(void)test_user_write(where, &value, sizeof(value));
		else if (test_user_read(where, &value, sizeof(value)) == sizeof(value) && value &&
			 value != 0x1111ul * cpu)
			atomic_fetch_add(&wrong, 1);
	}
	test_switch(NULL);
}

static bool sound(void *ctx)
{
	bool well = !wrong && !mm_verify(NULL, NULL) && shmem_i(file->f_inode)->alloced <= PAGES - 1;

	(void)ctx;
	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		test_thread_exit(&threads[cpu]);
	test_process_exit(&p);
	fput(file);
	return well && !mm_verify(NULL, NULL) && !sb.used_blocks && !sb.used_inodes &&
	       (long)vm_committed_pages() == committed;
}

TEST(shmem_sched, resize_and_fault)
{
	struct scenario s = { .cpus = CPUS, .setup = setup, .work = work, .check = sound };

#ifdef OCTAVO_SCHED
	scenario_test(&s, test_scaled(60));
#else
	scenario_test(&s, test_scaled(12));
#endif
}

/* ---- A page that goes bad while its neighbour is faulted in ---- */

static uintptr_t second;

static void bad_setup(void *ctx)
{
	setup(ctx);
	p.process.capabilities = (u64)1 << CAP_SYS_ADMIN;
	test_switch(&threads[0]);
	/* Elsewhere, so that it has a table, and that a lock, of its own. */
	second = test_map_file(at - ((uintptr_t)16 << 20), PAGES * PAGE_SIZE, PROT_READ, MAP_SHARED | MAP_FIXED, file,
			       0);
	if (!second || !test_user_fill(at, 3 * PAGE_SIZE, 7))
		wrong++;
	test_switch(NULL);
}

static void bad_work(unsigned int cpu, void *ctx)
{
	u8 byte;

	(void)ctx;
	test_switch(&threads[cpu]);
	if (!cpu && ksys_madvise(at + PAGE_SIZE, PAGE_SIZE, MADV_HWPOISON))
		wrong++;
	else if (cpu && test_user_read(second, &byte, 1) != 1)
		atomic_fetch_add(&wrong, 1);
	test_switch(NULL);
}

/* Fault-around has not entered it behind memory_failure()'s back (MO-I5). */
static bool bad_check(void *ctx)
{
	struct folio *folio = filemap_get_folio(file->f_mapping, 1);
	bool well = folio && PageHWPoison(&folio->page) && !page_mapcount(&folio->page);

	if (folio)
		folio_put(folio);
	return sound(ctx) && well;
}

TEST(shmem_sched, fault_around_what_goes_bad)
{
	struct scenario s = { .cpus = 2, .setup = bad_setup, .work = bad_work, .check = bad_check };

	scenario_test(&s, test_scaled(200));
}
