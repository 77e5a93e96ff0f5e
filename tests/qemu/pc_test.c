// SPDX-License-Identifier: MIT
/* What only the PC port has: page rights, guard pages, CPUs, interrupts. Runs in build/octavo.elf. */
#include <octavo/gfp.h>
#include <octavo/memblock.h>
#include <octavo/page.h>
#include <octavo/verify.h>

#include "apic.h"
#ifdef __x86_64__
#include "arch/x86_64/cpu/paging.h"
#endif
#include "harness.h"
#include "mm/sync/atomic.h"
#include "mm/sync/cpu.h"
#include "mmu.h"
#include "pc.h"
#include "pc_try.h"
#include "report.h"
#include "smp.h"
#include "trap.h"

/* ---- Rights of pages ---- */

#define ERROR_PRESENT 1
#define ERROR_WRITE 2
#define ERROR_FETCH 16

static char writable_byte = (char)0xc3; /* a RET, were it executed */
static const char constant_byte = (char)0xc3;

static void expect_fault(int line, const volatile void *at, enum test_access how, u32 vector, u32 error)
{
	struct pc_fault f;

	test_capture_begin();
	f = pc_try_access(at, how);
	test_capture_end();
	if (f.vector != vector || f.error != error)
		test_fail(__FILE__, line, "%p: vector %u, error %#x instead of %u, %#x", (const void *)at, f.vector,
			  f.error, vector, error);
}
#define EXPECT_FAULT(...) expect_fault(__LINE__, __VA_ARGS__)

TEST(pc, page_rights_hold)
{
	EXPECT_FAULT(pc_text_start, TEST_READ, 0, 0);
	EXPECT_FAULT(pc_text_start, TEST_WRITE, VECTOR_PAGE_FAULT, ERROR_PRESENT | ERROR_WRITE);
	EXPECT_FAULT(&constant_byte, TEST_WRITE, VECTOR_PAGE_FAULT, ERROR_PRESENT | ERROR_WRITE);
	EXPECT_FAULT(&writable_byte, TEST_WRITE, 0, 0);
	EXPECT_FAULT((void *)0x10, TEST_READ, VECTOR_PAGE_FAULT, 0);
	EXPECT_FAULT((void *)0x1000, TEST_WRITE, VECTOR_PAGE_FAULT, ERROR_WRITE);
	if (!(port_bootinfo()->mmu_features & BOOT_MMU_NX))
		return;
	EXPECT_FAULT(&writable_byte, TEST_EXEC, VECTOR_PAGE_FAULT, ERROR_PRESENT | ERROR_FETCH);
	EXPECT_FAULT(&constant_byte, TEST_EXEC, VECTOR_PAGE_FAULT, ERROR_PRESENT | ERROR_FETCH);
	if (PC_IMAGE_BASE != PC_DIRECT_MAP) /* the text's other place */
		EXPECT_FAULT(pc_phys_to_virt(pc_image_phys(pc_text_start)), TEST_EXEC, VECTOR_PAGE_FAULT,
			     ERROR_PRESENT | ERROR_FETCH);
}

#ifdef __x86_64__
/* PC-I1: no page of the image or the direct map is both writable and executable. */
TEST(pc, nothing_is_writable_and_executable)
{
	u64 nx = rdmsr(MSR_EFER) & EFER_NXE ? PTE_NX : 0, i;
	phys_addr_t start, end;
	unsigned int level;

	if (!nx)
		SKIP("this processor has no NX bit");
	for (uintptr_t at = (uintptr_t)pc_image_start; at < (uintptr_t)pc_image_end; at += PAGE_SIZE) {
		u64 entry = mmu_entry(at, &level);
		bool text = at < (uintptr_t)pc_text_end;

		if (entry && (!!(entry & PTE_WRITE) != (at >= (uintptr_t)pc_data_start) || !(entry & PTE_NX) != text))
			test_fail(__FILE__, __LINE__, "%#lx: %#llx", (unsigned long)at, (unsigned long long)entry);
	}
	for_each_mem_range(i, &start, &end)
		EXPECT(mmu_entry(PC_DIRECT_MAP + (uintptr_t)start, &level) & nx);
}

/* PC-I2: the page below each stack is not mapped. */
TEST(pc, stacks_have_guard_pages)
{
	unsigned int level;

	for (char *p = pc_stacks_start; p < pc_stacks_end; p += PC_STACK_SPACING) {
		EXPECT_EQ(mmu_entry((uintptr_t)p, &level), 0);
		EXPECT(mmu_entry((uintptr_t)p + PAGE_SIZE, &level));
		EXPECT(mmu_entry((uintptr_t)p + PC_STACK_SPACING - 1, &level));
		EXPECT_FAULT(p, TEST_WRITE, VECTOR_PAGE_FAULT, ERROR_WRITE);
	}
}

/* [@start, @end) in the largest pages that fit; but the image's parts have rights of their own. */
static void expect_shown(phys_addr_t start, phys_addr_t end, unsigned int largest)
{
	phys_addr_t image = pc_image_phys(pc_image_start), image_end = pc_image_phys(pc_image_end);
	unsigned int level;

	for (phys_addr_t at = start; at < end;) {
		u64 entry = mmu_entry(PC_DIRECT_MAP + (uintptr_t)at, &level);
		phys_addr_t size = level_size(level);

		ASSERT(entry);
		EXPECT_EQ((entry & PTE_ADDRESS & ~(size - 1)) + (at & (size - 1)), at);
		if (level < largest) {
			phys_addr_t next = level_size(level + 1), base = at & ~(next - 1);

			EXPECT(base < start || base + next > end || (base < image_end && image < base + next));
		}
		at = (at & ~(size - 1)) + size;
	}
}

TEST(pc, direct_map_shows_all_ram)
{
	bool huge = port_bootinfo()->mmu_features & BOOT_MMU_GIGANTIC;
	phys_addr_t start, end;
	u64 i;

	for_each_mem_range(i, &start, &end)
		expect_shown(ALIGN(start, PAGE_SIZE), ALIGN_DOWN(end, PAGE_SIZE), huge ? 3 : 2);
}

TEST(pc, struct_pages_are_there)
{
	const struct bootinfo *info = port_bootinfo();
	unsigned long valid = 0;
	unsigned int level;

	for (unsigned int i = 0; i < info->map_nr; i++) {
		unsigned long first = PFN_UP(info->map[i].start);
		unsigned long end = PFN_DOWN(info->map[i].start + info->map[i].size);

		/* The command line may have taken memory away; what the core believes in must be mapped. */
		for (unsigned long pfn = first; info->map[i].type == E820_TYPE_RAM && pfn < end; pfn += 128) {
			if (!pfn_valid(pfn))
				continue;
			valid++;
			ASSERT(mmu_entry((uintptr_t)pfn_to_page(pfn), &level));
			ASSERT(mmu_entry((uintptr_t)(pfn_to_page(pfn) + 1) - 1, &level));
		}
	}
	EXPECT(valid);
}

#endif

/* ---- CPUs ---- */

static unsigned long called; /* bit n: CPU n was here */
static u32 calls, calls_with_interrupts;

static void note_cpu(void *arg)
{
	EXPECT(arg == &called);
	if (irq_flags() & RFLAGS_IF)
		atomic_fetch_add(&calls_with_interrupts, 1);
	atomic_fetch_or(&called, 1ul << port_cpu_id());
	atomic_fetch_add(&calls, 1);
}

static unsigned long online_mask(void)
{
	unsigned long mask = 0;

	for_each_online_cpu(cpu)
		mask |= 1ul << cpu;
	return mask;
}

TEST(pc, every_cpu_is_online_and_knows_its_number)
{
	EXPECT_EQ(smp_online(), port_bootinfo()->cpus_nr);
	EXPECT_EQ(smp_online(), num_online_cpus());
	called = calls = 0;
	smp_run_all(note_cpu, &called);
	EXPECT_EQ(called, online_mask());
	EXPECT_EQ(calls, num_online_cpus());
}

TEST(pc, cpu_call)
{
	called = calls = calls_with_interrupts = 0;
	EXPECT_EQ(port_cpu_call(PORT_CPU_OTHERS, note_cpu, &called), 0);
	EXPECT_EQ(called, online_mask() & ~1ul);
	EXPECT_EQ(calls, num_online_cpus() - 1);
	EXPECT_EQ(port_cpu_call(PORT_CPU_OTHERS, NULL, NULL), 0);
	for_each_online_cpu(cpu) {
		called = 0;
		EXPECT_EQ(port_cpu_call(cpu, note_cpu, &called), 0);
		EXPECT_EQ(called, 1ul << cpu);
	}
	EXPECT_EQ(calls_with_interrupts, 0);
}

static void count_one(void *arg)
{
	atomic_fetch_add((u32 *)arg, 1);
}

static void call_others_often(void *arg)
{
	for (int i = 0; i < 50; i++)
		if (port_cpu_call(PORT_CPU_OTHERS, count_one, arg))
			test_fail(__FILE__, __LINE__, "call %d failed", i);
}

static void call_others_deaf(void *arg)
{
	unsigned long flags = port_irq_save();

	call_others_often(arg);
	port_irq_restore(flags);
}

/* PC-I3: CPUs that call one another at the same time all get through, with interrupts off too. */
TEST(pc, crossing_cpu_calls)
{
	u32 n = num_online_cpus(), count = 0;

	smp_run_all(call_others_often, &count);
	EXPECT_EQ(count, 50 * n * (n - 1));
	count = 0;
	smp_run_all(call_others_deaf, &count);
	EXPECT_EQ(count, 50 * n * (n - 1));
}

static void wait_for_flag(void *arg)
{
	while (!load_acquire((u32 *)arg))
		cpu_pause();
}

TEST(pc, work_for_other_cpus)
{
	u32 flag = 0;

	EXPECT_EQ(smp_run(0, count_one, &flag), -EINVAL);
	EXPECT_EQ(smp_run(PC_CPUS_MAX, count_one, &flag), -EINVAL);
	if (num_online_cpus() == 1)
		SKIP("one CPU: none to give work to");
	EXPECT_EQ(smp_run(1, wait_for_flag, &flag), 0);
	EXPECT_EQ(smp_run(1, wait_for_flag, &flag), -EBUSY);
	store_release(&flag, 1);
	smp_wait(1);
	EXPECT_EQ(smp_run(1, count_one, &flag), 0);
	smp_wait(1);
	EXPECT_EQ(flag, 2);
}

/* ---- Time, interrupts, sleep ---- */

TEST(pc, clock_goes_forward)
{
	u64 last = port_clock_ns(), begin = last;

	for (int i = 0; i < 1000; i++) {
		u64 now = port_clock_ns();

		EXPECT(now >= last);
		last = now;
	}
	clock_delay_us(2000);
	EXPECT(port_clock_ns() - begin >= 2000000);
	EXPECT(clock_tsc_hz() >= 1000000);
}

#define IRQ_BLOCKS 64
static struct page *irq_blocks[IRQ_BLOCKS];
static u32 irq_ticks, irq_failed;

/* In the timer interrupt, wherever it hits the thread: keeps half of what it allocates for the next time. */
static void allocate_in_tick(void)
{
	u32 i = irq_ticks++ % IRQ_BLOCKS;

	if (irq_blocks[i])
		__free_pages(irq_blocks[i], 0);
	irq_blocks[i] = alloc_pages(GFP_ATOMIC, 0);
	irq_failed += !irq_blocks[i];
}

TEST(pc, allocation_from_interrupts)
{
	unsigned long before = (drain_all_pages(NULL), nr_free_pages());
	u64 until = port_clock_ns() + 10000000000;

	irq_ticks = irq_failed = 0;
	memset(irq_blocks, 0, sizeof(irq_blocks));
	if (!apic_timer_start(50000, allocate_in_tick))
		SKIP("this machine has no APIC timer");
	while (load_relaxed(&irq_ticks) < 200 && port_clock_ns() < until) {
		struct page *page = alloc_pages(GFP_KERNEL, 0);

		ASSERT(page);
		__free_pages(page, 0);
	}
	apic_timer_stop();
	EXPECT(irq_ticks >= 200);
	EXPECT_EQ(irq_failed, 0);
	for (int i = 0; i < IRQ_BLOCKS; i++)
		if (irq_blocks[i])
			__free_pages(irq_blocks[i], 0);
	drain_all_pages(NULL);
	EXPECT_EQ(nr_free_pages(), before);
}

/*
 * All CPUs at once allocate and free at random, one in four from the timer interrupt that hits the thread in the
 * middle of it. Each block is stamped at both ends, so two owners of a frame are noticed.
 */
#define HELD 64
#define STRESS_OPS 50000

struct held {
	struct page *page[2][HELD]; /* thread's and interrupt's */
	u8 order[2][HELD];
	u64 random[2];
	u32 in_tick;
} __aligned(64);

static struct held held[8];
static u32 stress_bad;

static u64 *stamp_of(struct page *page, size_t offset)
{
	return (u64 *)((char *)page_address(page) + offset);
}

static void stamp(struct page *page, unsigned int order, u64 value)
{
	*stamp_of(page, 0) = *stamp_of(page, (PAGE_SIZE << order) - 8) = value;
}

static void stress_step(struct held *h, unsigned int side)
{
	u64 r = test_random(&h->random[side]);
	unsigned int i = r % HELD, order = h->order[side][i];
	struct page *page = h->page[side][i];
	u64 mark = (uintptr_t)h << 8 | side << 7 | i;

	if (page) {
		if (*stamp_of(page, 0) != mark || *stamp_of(page, (PAGE_SIZE << order) - 8) != mark)
			atomic_fetch_add(&stress_bad, 1);
		h->page[side][i] = NULL;
		__free_pages(page, order);
		return;
	}
	order = r >> 8 & 7 ? 0 : (unsigned int)(r >> 16) % 7;
	page = alloc_pages(side ? GFP_ATOMIC | __GFP_NOWARN : GFP_KERNEL | __GFP_NOWARN, order);
	if (!page)
		return;
	stamp(page, order, mark);
	h->order[side][i] = (u8)order;
	h->page[side][i] = page;
}

static void stress_tick(void)
{
	struct held *h = &held[port_cpu_id()];

	h->in_tick++;
	stress_step(h, 1);
}

static void stress_this_cpu(void *arg)
{
	struct held *h = &held[port_cpu_id()];
	u64 until = port_clock_ns() + 5000000000;

	(void)arg;
	apic_timer_start(100000, stress_tick);
	for (unsigned int i = 0; i < STRESS_OPS || (!READ_ONCE(h->in_tick) && port_clock_ns() < until); i++)
		stress_step(h, 0);
	apic_timer_stop();
	for (unsigned int i = 0; i < 2 * HELD; i++)
		if (h->page[i / HELD][i % HELD])
			__free_pages(h->page[i / HELD][i % HELD], h->order[i / HELD][i % HELD]);
}

static void show_finding(void *ctx, const char *line)
{
	(void)ctx;
	printk("%s\n", line);
}

TEST(pc, all_cpus_allocate_with_interrupts)
{
	u64 seed = test_seed;

	if (num_online_cpus() > ARRAY_SIZE(held))
		SKIP("%u CPUs: the test has room for %zu", num_online_cpus(), ARRAY_SIZE(held));
	memset(held, 0, sizeof(held));
	stress_bad = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(held); i++) {
		held[i].random[0] = test_random(&seed);
		held[i].random[1] = test_random(&seed);
	}
	smp_run_all(stress_this_cpu, NULL);
	EXPECT(held[0].in_tick);
	EXPECT_EQ(stress_bad, 0);
	EXPECT_EQ(bad_pages(), 0);
	EXPECT_EQ(mm_verify(show_finding, NULL), 0);
}

static void wake_boot_cpu(void *arg)
{
	(void)arg;
	port_unpark(1);
}

TEST(pc, park_and_unpark)
{
	u64 begin;

	EXPECT_EQ(port_thread_self(), 1);
	port_unpark(1); /* the token came first */
	port_park(0);
	if (apic_timer_start(1000000, NULL)) {
		apic_timer_stop();
		begin = port_clock_ns();
		port_park(3000000);
		EXPECT(port_clock_ns() - begin < 2000000000);
	}
	if (num_online_cpus() == 1)
		return;
	EXPECT_EQ(smp_run(1, wake_boot_cpu, NULL), 0);
	port_park(0);
	smp_wait(1);
}

static noinline unsigned int walk_from_here(uintptr_t *pc, unsigned int max)
{
	unsigned int n = port_backtrace(pc, max);

	barrier();
	return n;
}

TEST(pc, backtrace_names_its_callers)
{
	uintptr_t pc[16];
	char name[96];
	unsigned int n = walk_from_here(pc, ARRAY_SIZE(pc));

	ASSERT(n >= 3);
	report_symbol(pc[0] - 1, name, sizeof(name));
	EXPECT(strstr(name, "walk_from_here"));
	report_symbol(pc[1] - 1, name, sizeof(name));
	EXPECT(strstr(name, "backtrace_names_its_callers"));
	report_symbol(pc[n - 1] - 1, name, sizeof(name));
	EXPECT(strstr(name, "start"));
}

TEST(pc, random_numbers_differ)
{
	EXPECT(port_random() != port_random());
}

static u32 mmu_bad;

static void check_registers(void *arg)
{
	const struct bootinfo *info = arg;
	unsigned long cr4 = read_cr4();

	if (((cpuid(1, 0).edx >> 16 & 1) && rdmsr(MSR_PAT) != MMU_PAT) || !(read_cr0() & CR0_WP) ||
	    !(cr4 & CR4_PGE) != !(info->mmu_features & BOOT_MMU_GLOBAL) ||
	    !(cr4 & CR4_SMEP) != !(info->mmu_features & BOOT_MMU_SMEP) ||
	    !(cr4 & CR4_SMAP) != !(info->mmu_features & BOOT_MMU_SMAP) || !(cr4 & CR4_PCIDE) != !info->asids)
		atomic_fetch_add(&mmu_bad, 1);
}

TEST(pc, every_cpu_has_its_mmu_set_up_alike)
{
	mmu_bad = 0;
	smp_run_all(check_registers, (void *)port_bootinfo());
	EXPECT_EQ(mmu_bad, 0);
}
