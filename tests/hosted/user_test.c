// SPDX-License-Identifier: MIT
/* Accesses of simulated user code and the kernel's copies: what the MMU lets through, and where they stop. */
#include <octavo/uaccess.h>

#include "tlb_fixture.h"

#include "mm/vm/pkeys.h"
#include "tasks.h"
#include "user.h"

static struct space space;

static bool begin(void)
{
	if (!space_make(&space))
		return false;
	switch_mm(space.mm);
	return true;
}

static void end(void)
{
	switch_mm(&init_mm);
	space_unmake(&space);
}

static void fill(char *bytes, size_t n, unsigned int seed)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] = (char)(seed + i * 7 + (i >> 8));
}

TEST(user_access, bytes_arrive_across_pages)
{
	static char out[3 * PAGE_SIZE], in[3 * PAGE_SIZE];
	static const size_t sizes[] = { 1, 2, 3, 4, 7, 8, 9, 63, 64, 4095, 4096, 4097, 8192 };

	ASSERT(begin());
	for (unsigned int i = 0; i < 3; i++)
		EXPECT(space_map(&space, i));
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
		for (unsigned int at = 0; at < 9; at++) {
			uintptr_t virt = space_virt(0) + (at < 5 ? at : PAGE_SIZE + at - 9);

			fill(out, sizes[i], i * 9 + at);
			EXPECT_EQ(hosted_user_write(virt, out, sizes[i]), sizes[i]);
			memset(in, 0, sizeof(in));
			EXPECT_EQ(hosted_user_read(virt, in, sizes[i]), sizes[i]);
			EXPECT(!memcmp(in, out, sizes[i]));
			memset(in, 0, sizeof(in));
			EXPECT_EQ(port_copy_user(in, (void *)virt, sizes[i], false), 0);
			EXPECT(!memcmp(in, out, sizes[i]));
		}
	end();
}

/* What comes before the bad page has been done; the rest has not. */
TEST(user_access, stops_at_the_bad_page)
{
	static char out[2 * PAGE_SIZE], in[2 * PAGE_SIZE];
	uintptr_t virt = space_virt(0) + 100;

	fill(out, sizeof(out), 3);
	ASSERT(begin());
	EXPECT(space_map(&space, 0));
	test_capture_begin();
	EXPECT_EQ(hosted_user_write(virt, out, PAGE_SIZE), PAGE_SIZE - 100);
	EXPECT_EQ(hosted_user_read(virt, in, PAGE_SIZE), PAGE_SIZE - 100);
	EXPECT(!memcmp(in, out, PAGE_SIZE - 100));
	EXPECT_EQ(hosted_user_read(space_virt(1), in, 1), 0);
	EXPECT_EQ(port_copy_user((void *)virt, out, PAGE_SIZE, true), 100);
	EXPECT_EQ(port_copy_user(in, (void *)virt, PAGE_SIZE, false), 100);
	/* A page of the kernel's is not the user's, though it is there. */
	EXPECT_EQ(port_copy_user(in, (void *)octavo_kernel_virt(space.mm->pgd), 8, false), 8);
	test_capture_end();
	end();
}

TEST(user_access, rights)
{
	char bytes[8] = "octavo!";
	u64 old = 0;

	ASSERT(begin());
	EXPECT(space_map(&space, 0));
	EXPECT_EQ(hosted_user_write(space_virt(0), bytes, 8), 8);
	EXPECT_EQ(pgt_protect_range(space.mm, space_virt(0), PAGE_SIZE, 0, PGPROT_WRITE), 0);
	flush_tlb_page(space.mm, space_virt(0));
	test_capture_begin();
	EXPECT_EQ(hosted_user_write(space_virt(0), bytes, 8), 0);
	EXPECT_EQ(hosted_user_cmpxchg(space_virt(0), &old, 1, 4), 0);
	EXPECT_EQ(port_copy_user((void *)space_virt(0), bytes, 8, true), 8);
	if (mmu_control(port_cpu_id())->nxe || PGT_TWO_ROOTS)
		EXPECT_EQ(hosted_user_exec(space_virt(0), bytes, 8), 0);
	test_capture_end();
	EXPECT_EQ(hosted_user_read(space_virt(0), bytes, 8), 8);
	EXPECT_STREQ(bytes, "octavo!");
	EXPECT_EQ(pgt_protect_range(space.mm, space_virt(0), PAGE_SIZE, PGPROT_EXEC, 0), 0);
	flush_tlb_page(space.mm, space_virt(0));
	memset(bytes, 0, sizeof(bytes));
	EXPECT_EQ(hosted_user_exec(space_virt(0), bytes, 8), 8);
	EXPECT_STREQ(bytes, "octavo!");
	end();
}

TEST(user_access, compare_and_exchange)
{
	u64 old = 0, word = 0;

	ASSERT(begin());
	EXPECT(space_map(&space, 0));
	EXPECT_EQ(hosted_user_write(space_virt(0), &word, 8), 8);
	EXPECT_EQ(hosted_user_cmpxchg(space_virt(0) + 4, &old, 5, 4), 4);
	EXPECT_EQ(old, 0);
	old = 4;
	EXPECT_EQ(hosted_user_cmpxchg(space_virt(0) + 4, &old, 6, 4), 4);
	EXPECT_EQ(old, 5);
	EXPECT_EQ(hosted_user_cmpxchg(space_virt(0) + 4, &old, 6, 4), 4);
	EXPECT_EQ(hosted_user_read(space_virt(0), &word, 8), 8);
	EXPECT_EQ(word, (u64)6 << 32);
	end();
}

/* ---- Protection keys ---- */

#define SEGV 11
#define PKUERR 4

static struct test_process process;
static struct mm_task other;

/* A key's rights are those of the thread that runs: for what it loads, and for what the kernel copies on its behalf. */
TEST(user_access, protection_keys_are_the_threads)
{
	unsigned long word = 9;
	uintptr_t at;
	u32 was = 7;
	long key;

	ASSERT(test_process_start(&process));
	key = ksys_pkey_alloc(0, 0);
	if (key < 0) {
		EXPECT_EQ(key, -EINVAL);
		test_process_exit(&process);
		SKIP("this format has no protection keys");
	}
	at = test_map(0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	EXPECT_EQ(ksys_pkey_mprotect(at, PAGE_SIZE, PROT_READ | PROT_WRITE, (int)key), 0);
	test_user_put(at, 5);
	test_thread_make(&other, &process);
	process.task.pkru = (u32)PKEY_DISABLE_WRITE << 2 * key;
	EXPECT_EQ(test_user_get(at), 5);
	EXPECT_REFUSED(at, true, SEGV, PKUERR);
	EXPECT_EQ(copy_to_user(at, &word, sizeof(word)), sizeof(word));
	EXPECT_EQ(user_cmpxchg32(at, 5, 6, &was), -EFAULT);
	process.task.pkru = (u32)PKEY_DISABLE_ACCESS << 2 * key;
	EXPECT_REFUSED(at, false, SEGV, PKUERR);
	EXPECT_EQ(copy_from_user(&word, at, sizeof(word)), sizeof(word));
	/* Another thread may. */
	test_switch(&other);
	test_user_put(at, 8);
	EXPECT_EQ(user_cmpxchg32(at, 8, 6, &was), 0);
	EXPECT_EQ(was, 8);
	test_switch(&process.task);
	EXPECT_REFUSED(at, true, SEGV, PKUERR);
	/* The mapping's key is another one now, whatever a TLB remembers. */
	EXPECT_EQ(ksys_pkey_mprotect(at, PAGE_SIZE, PROT_READ | PROT_WRITE, 0), 0);
	EXPECT_EQ(test_user_get(at), 6);
	process.task.pkru = 0;
	test_thread_exit(&other);
	test_process_exit(&process);
}
