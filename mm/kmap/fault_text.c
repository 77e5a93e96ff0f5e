// SPDX-License-Identifier: MIT
/* The words of reports: those of Linux on x86 and on arm64. */
#include <octavo/memblock.h>

#include "../base/printk.h"
#include "../pgtable/walk.h"
#include "fault.h"

#define ADDRESS_DIGITS (2 * (int)sizeof(uintptr_t))

/* ---- Tables ---- */

struct entry_names {
	const char *of[5]; /* by level from the root down; NULL: folded, not told */
	const char *form;  /* name, digits, value */
	bool folded_p4d;
};

static const struct entry_names names_x86_64 = { { "PGD", "P4D", "PUD", "PMD", "PTE" }, "%s %.*llx ", true };
static const struct entry_names names_i386 = { { "*pde", "*pte" }, "%s = %0*llx ", false };
static const struct entry_names names_pae = { { "*pdpt", "*pde", "*pte" }, "%s = %0*llx ", false };
static const struct entry_names names_arm64 = { { "pgd", "p4d", "pud", "pmd", "pte" }, "%s=%0*llx, ", true };

static const struct entry_names *names_of_format(void)
{
	if (PGT_VIRT_BITS == 32)
		return PGT_LEVELS == 2 ? &names_i386 : &names_pae;
	return PGT_TWO_ROOTS ? &names_arm64 : &names_x86_64;
}

size_t pagetable_text(char *text, size_t size, uintptr_t virt)
{
	const struct entry_names *names = names_of_format();
	pgt_entry_t *table = fault_mm(virt)->pgd;
	int digits = PGT_TWO_ROOTS || PGT_VIRT_BITS == 32 ? 2 * (int)sizeof(pgt_entry_t) : 1;
	size_t n = 0;

	for (unsigned int level = PGT_ROOT_LEVEL, i = 0;; level--) {
		pgt_entry_t e = pgt_get(table + pgt_index(level, virt));
		/* Linux shows the level that four-level tables lack with the root's entry. */
		unsigned int times = i == 0 && names->folded_p4d && PGT_LEVELS == 4 ? 2 : 1;

		for (; times; times--)
			n += octavo_snprintf(text + n, n < size ? size - n : 0, names->form, names->of[i++], digits,
					     (unsigned long long)e);
		if (!level || !pgt_table(level, e))
			break;
		if (pgt_table_phys(level, e) >= memblock.direct_map_end) {
			n += octavo_snprintf(text + n, n < size ? size - n : 0, "BAD ");
			break;
		}
		table = pgt_table_of(level, e);
	}
	/* What separates two stands behind the last one, too. */
	while (n && n < size && (text[n - 1] == ' ' || text[n - 1] == ','))
		text[--n] = 0;
	return n;
}

/* ---- x86 ---- */

static void oops_x86(const char *what, const struct page_fault *fault)
{
	static const char *const gp = "general protection fault, probably for non-canonical address";

	if (fault->flags & PAGE_FAULT_NONCANONICAL)
		pr_err("Oops: %s 0x%lx: %04llx [#1] SMP\n", gp, (unsigned long)fault->address,
		       (unsigned long long)fault->error);
	else
		pr_err("Oops: %s: %04llx [#1] SMP\n", what, (unsigned long long)fault->error);
}

static const char *violation(u32 flags)
{
	return !(flags & PAGE_FAULT_PRESENT) ? "not-present page" :
	       flags & PAGE_FAULT_RESERVED ? "reserved bit violation" :
	       flags & PAGE_FAULT_PKEY ? "protection keys violation" : "permissions violation";
}

/* Executing what must not be executed. */
static void exec_x86(const struct page_fault *fault)
{
	unsigned int level = 0;
	pgt_entry_t *entry = pgt_canonical(fault->address) && pgt_kernel_half(fault->address) ?
				     pgt_lookup(&init_mm, fault->address & PAGE_MASK, &level) : NULL;
	pgt_entry_t e = entry ? pgt_get(entry) : 0;

	if (!(fault->flags & PAGE_FAULT_EXEC) || !(fault->flags & PAGE_FAULT_PRESENT))
		return;
	if (!pgt_kernel_half(fault->address))
		pr_err("unable to execute userspace code (SMEP?) (uid: 0)\n");
	else if (entry && pgt_leaf(level, e) && !pgt_exec(level, e))
		pr_err("kernel tried to execute NX-protected page - exploit attempt? (uid: 0)\n");
}

static void say_access(const char *exception, u32 flags)
{
	pr_err("#%s: %s %s in %s mode\n", exception, flags & PAGE_FAULT_USER ? "user" : "supervisor",
	       flags & PAGE_FAULT_EXEC ? "instruction fetch" :
	       flags & PAGE_FAULT_WRITE ? "write access" : "read access",
	       flags & PAGE_FAULT_USER ? "user" : "kernel");
}

void fault_headline_x86(const struct page_fault *fault, const struct area_description *d)
{
	char tables[160];

	if (fault->flags & PAGE_FAULT_NONCANONICAL) {
		oops_x86(NULL, fault);
		say_access("GP", fault->flags);
		return;
	}
	if (d->place == PLACE_STACK_GUARD) {
		pr_err("BUG: TASK stack guard page was hit at %0*lx (stack is %0*lx..%0*lx)\n", ADDRESS_DIGITS,
		       (unsigned long)fault->address, ADDRESS_DIGITS, (unsigned long)d->start, ADDRESS_DIGITS,
		       (unsigned long)(d->end - 1));
		oops_x86("stack guard page", fault);
		return;
	}
	exec_x86(fault);
	pr_err("BUG: %s address: %0*lx\n",
	       fault->address < PAGE_SIZE ? "kernel NULL pointer dereference," : "unable to handle page fault for",
	       ADDRESS_DIGITS, (unsigned long)fault->address);
	say_access("PF", fault->flags);
	pr_err("#PF: error_code(0x%04llx) - %s\n", (unsigned long long)fault->error, violation(fault->flags));
	if (fault->flags & PAGE_FAULT_PRESENT && !pgt_kernel_half(fault->address) &&
	    !(fault->flags & PAGE_FAULT_EXEC))
		pr_err("the kernel may touch user memory in user copies only (SMAP?)\n");
	if (pgtables_on && pagetable_text(tables, sizeof(tables), fault->address))
		pr_err("%s\n", tables);
	oops_x86("Oops", fault);
}

/* ---- arm64 ---- */

/* Arm ARM DDI 0487, ISS encoding for an exception from a Data Abort: DFSC. */
static const char *fault_status(u64 esr, char *text, size_t size)
{
	static const char *const kinds[] = { "address size", "translation", "access flag", "permission" };
	unsigned int status = (unsigned int)esr & 0x3f;

	if (status < 16)
		octavo_snprintf(text, size, "level %u %s fault", status & 3, kinds[status >> 2]);
	else
		octavo_snprintf(text, size, "fault status %#x", status);
	return text;
}

static const char *exception_class(u64 esr)
{
	switch (esr >> 26 & 0x3f) {
	case 0x20:
		return "IABT (lower EL)";
	case 0x21:
		return "IABT (current EL)";
	case 0x24:
		return "DABT (lower EL)";
	case 0x25:
		return "DABT (current EL)";
	default:
		return "unknown";
	}
}

static const char *what_arm64(const struct page_fault *fault)
{
	bool permission = fault->flags & PAGE_FAULT_PRESENT;
	bool user = !pgt_kernel_half(fault->address) && pgt_canonical(fault->address);

	if (permission && user)
		return fault->flags & PAGE_FAULT_EXEC ? "execution of user memory" :
							"access to user memory outside uaccess routines";
	if (permission)
		return fault->flags & PAGE_FAULT_WRITE ? "write to read-only memory" :
		       fault->flags & PAGE_FAULT_EXEC ? "execute from non-executable memory" :
							"read from unreadable memory";
	return fault->address < PAGE_SIZE ? "NULL pointer dereference" : "paging request";
}

void fault_headline_arm64(const struct page_fault *fault, const struct area_description *d)
{
	char text[160];
	u64 esr = fault->error;
	bool instruction = fault->flags & PAGE_FAULT_EXEC;

	if (d->place == PLACE_STACK_GUARD)
		pr_err("Insufficient stack space to handle exception!\n");
	pr_err("Unable to handle kernel %s at virtual address %016llx\n", what_arm64(fault),
	       (unsigned long long)fault->address);
	pr_err("Mem abort info:\n");
	pr_err("  ESR = 0x%016llx\n", (unsigned long long)esr);
	pr_err("  EC = 0x%02llx: %s, IL = %u bits\n", (unsigned long long)(esr >> 26 & 0x3f), exception_class(esr),
	       esr >> 25 & 1 ? 32u : 16u);
	pr_err("  FSC = 0x%02llx: %s\n", (unsigned long long)(esr & 0x3f), fault_status(esr, text, sizeof(text)));
	if (!instruction)
		pr_err("Data abort info:\n  CM = %u, WnR = %u\n", (unsigned int)(esr >> 8 & 1),
		       (unsigned int)(esr >> 6 & 1));
	if (!pgt_canonical(fault->address)) {
		pr_err("[%016llx] address between user and kernel address ranges\n",
		       (unsigned long long)fault->address);
	} else if (pgtables_on && pagetable_text(text, sizeof(text), fault->address)) {
		pr_err("%s pgtable: 4k pages, %u-bit VAs, pgdp=%016llx\n",
		       pgt_kernel_half(fault->address) ? "swapper" : "user", PGT_VIRT_BITS,
		       (unsigned long long)fault_mm(fault->address)->pgd_phys);
		pr_err("[%016llx] %s\n", (unsigned long long)fault->address, text);
	}
	pr_err("Internal error: Oops: %016llx [#1] SMP\n", (unsigned long long)esr);
}
