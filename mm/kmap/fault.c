// SPDX-License-Identifier: MIT
/*
 * Page faults: those of user mode and of user addresses are the address space's, which registered for them; here are
 * the kernel's own.
 *
 * Nothing of the kernel is paged in: a fault is KFENCE's, or is over already, or is a bug. It is over (spurious) when
 * the tables meanwhile allow what a processor refused: it had the old entry in its TLB, which rights that were only
 * widened need not flush. Everything else is reported, in the words of Linux 6.12 for the format's processors, and
 * with a line more that says what the address is.
 */
#include <octavo/kfence.h>
#include <octavo/page.h>

#include "../base/printk.h"
#include "../phys/gfp.h"
#include "../phys/stackdepot.h"
#include "../pgtable/tlb.h"
#include "../pgtable/walk.h"
#include "../sync/cpu.h"
#include "fault.h"

#define STACK_MAX 24u
/* One instruction, one address, and the tables allow it: after so many times in a row something else is wrong. */
#define SPURIOUS_MAX 64u

static struct {
	u32 reporting;	      /* (a) CPU + 1 that reports; 0: none */
	u32 reports;	      /* (a) since boot */
	uintptr_t address, ip; /* of the latest spurious fault */
	u32 repeats;
} faults __memsys;

int (*user_fault_hook)(const struct page_fault *fault) __memsys;

struct mm_struct *fault_mm(uintptr_t virt)
{
	return PGT_TWO_ROOTS && pgt_kernel_half(virt) ? &init_mm : loaded_mm();
}

/* ---- Spurious faults ---- */

static bool repeats_for_ever(const struct page_fault *fault)
{
	if (fault->address != READ_ONCE(faults.address) || fault->ip != READ_ONCE(faults.ip)) {
		WRITE_ONCE(faults.address, fault->address);
		WRITE_ONCE(faults.ip, fault->ip);
		WRITE_ONCE(faults.repeats, 0);
	}
	WRITE_ONCE(faults.repeats, READ_ONCE(faults.repeats) + 1);
	return READ_ONCE(faults.repeats) > SPURIOUS_MAX;
}

/* The machine would let the access pass now. An access flag that is missing is set (arm64 leaves it to the kernel). */
static bool tables_allow(const struct page_fault *fault)
{
	unsigned int level;
	pgt_entry_t *entry, e;

	if (!pgtables_on || !pgt_kernel_half(fault->address) ||
	    fault->flags & (PAGE_FAULT_USER | PAGE_FAULT_RESERVED | PAGE_FAULT_PKEY | PAGE_FAULT_NONCANONICAL))
		return false;
	entry = pgt_lookup(&init_mm, fault->address & PAGE_MASK, &level);
	e = entry ? pgt_get(entry) : 0;
	if (!entry || !pgt_leaf(level, e) || !pgt_valid(e))
		return false;
	if ((fault->flags & PAGE_FAULT_WRITE && !pgt_write(level, e)) ||
	    (fault->flags & PAGE_FAULT_EXEC && !pgt_exec(level, e)))
		return false;
	if (fault->flags & PAGE_FAULT_ACCESS_FLAG && !pgt_young(level, e))
		(void)pgt_cmpxchg(entry, &e, pgt_mkyoung(level, e));
	return true;
}

static bool spurious(const struct page_fault *fault)
{
	uintptr_t page = fault->address & PAGE_MASK;

	if (!tables_allow(fault) || repeats_for_ever(fault))
		return false;
	flush_tlb_kernel_local(page, page + PAGE_SIZE);
	return true;
}

/* ---- KFENCE ---- */

static bool is_kfence_s(const struct page_fault *fault)
{
	uintptr_t at = (uintptr_t)kernel_pointer(fault->address, NULL), pc[STACK_MAX];
	unsigned int depth = 0;

	if (fault->flags & (PAGE_FAULT_USER | PAGE_FAULT_NONCANONICAL) || !is_kfence_address((const void *)at))
		return false;
	if (fault->ip)
		pc[depth++] = fault->ip;
	for (unsigned int i = 0; i < fault->depth && depth < STACK_MAX; i++)
		pc[depth++] = fault->stack[i];
	return kfence_handle_page_fault(at, fault->flags & PAGE_FAULT_WRITE, pc, depth);
}

/* ---- Reports ---- */

/* Lines of two reports do not mix. Return: false: this CPU is in the middle of one. */
static bool report_begin(void)
{
	u32 me = smp_processor_id() + 1, other;

	while ((other = atomic_cmpxchg(&faults.reporting, 0, me)) != 0) {
		if (other == me)
			return false;
		port_cpu_relax();
	}
	return true;
}

static void report(const struct page_fault *fault)
{
	struct area_description d;
	char name[128];

	WRITE_ONCE(faults.repeats, 0);
	describe_address(fault->address, &d);
	atomic_add_relaxed(&faults.reports, 1);
	if (PGT_TWO_ROOTS)
		fault_headline_arm64(fault, &d);
	else
		fault_headline_x86(fault, &d);
	pr_err("address is %s\n", d.text);
	print_current_task();
	if (fault->ip) {
		symbol_at(fault->ip, name, sizeof(name));
		pr_err("%s%s\n", PGT_TWO_ROOTS ? "pc : " : PGT_VIRT_BITS == 32 ? "EIP: " : "RIP: 0010:", name);
	}
	if (!fault->depth)
		return;
	pr_err(PGT_TWO_ROOTS ? "Call trace:\n" : "Call Trace:\n <TASK>\n");
	stack_print(fault->stack, fault->depth);
	if (!PGT_TWO_ROOTS)
		pr_err(" </TASK>\n");
}

static void report_user(const struct page_fault *fault)
{
	char name[32];

	pr_err("%s[%ld]: segfault at %lx ip %p error %llx\n", current_task_name(name, sizeof(name)),
	       current_task_pid(), (unsigned long)fault->address, (const void *)fault->ip,
	       (unsigned long long)fault->error);
}

static noinline int kernel_fault(const struct page_fault *fault)
{
	unsigned long flags;

	if (is_kfence_s(fault) || spurious(fault))
		return 0;
	if (fault->flags & PAGE_FAULT_UACCESS)
		return -EFAULT;
	flags = port_irq_save();
	if (report_begin()) {
		if (fault->flags & PAGE_FAULT_USER)
			report_user(fault);
		else
			report(fault);
		store_release(&faults.reporting, 0);
	}
	port_irq_restore(flags);
	return -EFAULT;
}

int handle_page_fault(const struct page_fault *fault)
{
	if (likely(user_fault_hook) && (!pgt_kernel_half(fault->address) || fault->flags & PAGE_FAULT_USER)) {
		int done = user_fault_hook(fault);

		if (likely(done <= 0))
			return done;
	}
	return kernel_fault(fault);
}
