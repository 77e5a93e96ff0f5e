// SPDX-License-Identifier: MIT
/*
 * SIGSEGV as the page fault.
 *
 * A plain load or store of the core that the process does not allow is one of these: a guarded page of KFENCE; an
 * address in the kernel window, whose translation this CPU's MMU is asked for; a page of the direct map that the page
 * tables forbid, or forbade; or an access of a test that means to be refused. The MMU's refusal goes to
 * handle_page_fault(), as a processor's would. Any other fault is nobody's: the handler that was there before gets it.
 *
 * The handler runs on the stack of what it interrupted, with interrupts of its CPU off until the translation is in
 * place: so a flush that another CPU asks for comes before the look at the TLB, or after the mapping, and finds it.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <octavo/kfence.h>
#include <octavo/page.h>

#include "mmu_impl.h"

#define STACK_MAX 24u
#define REPEAT_MAX 10000u

bool (*hosted_fault_hook)(struct hosted_trap *trap, bool reported);

static struct sigaction before;
static bool caught;

#if defined(__x86_64__)
#define IP REG_RIP
#define SP REG_RSP
#define FRAME REG_RBP
#elif defined(__i386__)
#define IP REG_EIP
#define SP REG_ESP
#define FRAME REG_EBP
#endif

#ifdef IP
#define CONTEXT_IP(uc) ((uintptr_t)(uc)->uc_mcontext.gregs[IP])
#define CONTEXT_SP(uc) ((uintptr_t)(uc)->uc_mcontext.gregs[SP])
#define CONTEXT_FRAME(uc) ((uintptr_t)(uc)->uc_mcontext.gregs[FRAME])
#define CONTEXT_ERROR(uc) ((uc)->uc_mcontext.gregs[REG_ERR])
#define PROTECTION_TRAP(uc) ((uc)->uc_mcontext.gregs[REG_TRAPNO] == 13) /* general protection: no address */
static void context_set(ucontext_t *uc, const struct hosted_trap *trap)
{
	uc->uc_mcontext.gregs[IP] = (greg_t)trap->ip;
	uc->uc_mcontext.gregs[SP] = (greg_t)trap->sp;
}
#else /* what the fault was is not known here: a read, by nobody */
#define CONTEXT_IP(uc) ((void)(uc), (uintptr_t)0)
#define CONTEXT_SP(uc) ((uintptr_t)0)
#define CONTEXT_FRAME(uc) ((uintptr_t)0)
#define CONTEXT_ERROR(uc) 0
#define PROTECTION_TRAP(uc) false
static void context_set(ucontext_t *uc, const struct hosted_trap *trap)
{
	(void)uc;
	(void)trap;
}
#endif

static enum mmu_access access_of(const ucontext_t *uc)
{
	unsigned int error = (unsigned int)CONTEXT_ERROR(uc);

	return error & PAGE_FAULT_EXEC ? MMU_EXEC : error & PAGE_FAULT_WRITE ? MMU_WRITE : MMU_READ;
}

/* ---- Addresses ---- */

uintptr_t virt_of(const void *p)
{
	return octavo_kernel_virt(p);
}

bool direct_map_virt(u64 *start)
{
	const struct bootinfo *info = hosted_bootinfo();

	*start = info->direct_map ? virt_of((void *)info->direct_map) : 0;
	return info->page_tables && info->direct_map;
}

/* ---- Service ---- */

static int prot_of(unsigned int may)
{
	return (may & 1u << MMU_READ ? PROT_READ : 0) | (may & 1u << MMU_WRITE ? PROT_WRITE : 0) |
	       (may & 1u << MMU_EXEC ? PROT_EXEC : 0);
}

/* The translation is there: the process may see it. False: it leads nowhere. */
static bool show(const void *p, uintptr_t virt, u64 phys, unsigned int may)
{
	u64 offset, direct;

	if (!arena_offset(phys, &offset)) {
		hosted_log("address %#lx leads to %#llx, where neither RAM nor a device is", (unsigned long)virt,
			   (unsigned long long)phys);
		return false;
	}
	if (window_has(p)) {
		window_show(p, virt, phys, prot_of(may));
		return true;
	}
	if (!arena_direct_phys(p, &direct) || direct != phys)
		return false;
	arena_direct_rights(phys & ~(u64)(PAGE_SIZE - 1), PAGE_SIZE, prot_of(may));
	return true;
}

/* An access that is refused for ever, by code that goes on trying, ends here. */
static bool hangs(uintptr_t ip, uintptr_t virt)
{
	static __thread struct {
		uintptr_t ip, virt;
		unsigned int times;
	} last;

	if (last.ip != ip || last.virt != virt)
		last.times = 0;
	last.ip = ip;
	last.virt = virt;
	if (++last.times < REPEAT_MAX)
		return false;
	hosted_log("the access to %#lx was refused %u times, and each time it was to be tried again",
		   (unsigned long)virt, last.times);
	return true;
}

static int report(struct mmu_fault *fault, const ucontext_t *uc)
{
	uintptr_t pc[STACK_MAX];

	fault->fault.ip = CONTEXT_IP(uc);
	if (fault->fault.ip)
		fault->fault.depth = backtrace_from(CONTEXT_FRAME(uc), pc, STACK_MAX);
	fault->fault.stack = pc;
	return handle_page_fault(&fault->fault);
}

static bool serve(void *p, ucontext_t *uc)
{
	struct hosted_trap trap = { CONTEXT_IP(uc), CONTEXT_SP(uc), (uintptr_t)p };
	bool hooked, shown = false, ok;
	unsigned long flags;
	struct mmu_fault fault;
	unsigned int may;
	u64 phys;

	if (!cpu_entered() || !hosted_bootinfo()->page_tables)
		return false;
	hooked = hosted_fault_hook && hosted_fault_hook(&trap, false);
	p = (void *)trap.address;
	if (!hooked && (PROTECTION_TRAP(uc) || !(window_has(p) || arena_direct_phys(p, &phys))))
		return false;
	flags = port_irq_save();
	ok = mmu_translate_for_host(port_cpu_id(), virt_of(p), access_of(uc), &phys, &may, &fault);
	if (ok)
		shown = show(p, virt_of(p), phys, may);
	port_irq_restore(flags);
	if (shown)
		return true;
	if (!ok && !report(&fault, uc) && !hangs(trap.ip, trap.address))
		return true;
	if (!hooked || !hosted_fault_hook(&trap, true))
		return false;
	context_set(uc, &trap);
	return true;
}

static bool serve_kfence(void *p, ucontext_t *uc)
{
	uintptr_t pc[STACK_MAX] = { CONTEXT_IP(uc) };
	unsigned int depth = pc[0] != 0;

	if (!is_kfence_address(p))
		return false;
	if (depth)
		depth += backtrace_from(CONTEXT_FRAME(uc), pc + 1, STACK_MAX - 1);
	return kfence_handle_page_fault((uintptr_t)p, access_of(uc) == MMU_WRITE, pc, depth);
}

static void on_fault(int number, siginfo_t *info, void *context)
{
	int saved = errno;

	if (!serve_kfence(info->si_addr, context) && !serve(info->si_addr, context)) {
		(void)number;
		faults_forget(); /* the instruction runs again, and faults again */
	}
	errno = saved;
}

/* Another CPU may run, as a coroutine, before the handler is through: its faults must come here too. */
void faults_catch(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };

	if (caught)
		return;
	caught = true;
	sigaction(SIGSEGV, &action, &before);
}

void faults_forget(void)
{
	if (caught)
		sigaction(SIGSEGV, &before, NULL);
	caught = false;
}
