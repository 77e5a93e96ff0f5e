// SPDX-License-Identifier: MIT
/*
 * Weak stand-ins for the port functions of tiers 1 and 2, so that a kernel can adopt the lower tiers first.
 * What each does is part of the contract in <octavo/port.h>.
 */
#include <octavo/port.h>

#include "../base/compiler.h"
#include "../base/printk.h"

#define DEFAULT OCTAVO_API __weak

DEFAULT void port_pgd_load(phys_addr_t pgd, unsigned int asid)
{
	(void)pgd;
	(void)asid;
	port_panic("port_pgd_load: this port has no page tables");
}

DEFAULT void port_tlb_flush_page(unsigned int asid, uintptr_t virt)
{
	(void)asid;
	(void)virt;
}

DEFAULT void port_tlb_flush_all(void)
{
}

DEFAULT int port_cpu_call(unsigned int cpu, void (*fn)(void *arg), void *arg)
{
	(void)cpu;
	(void)fn;
	(void)arg;
	return -ENOSYS;
}

DEFAULT void port_kunmap_local(void *virt)
{
	(void)virt;
}

DEFAULT void port_icache_sync(const void *virt, size_t len)
{
	(void)virt;
	(void)len;
}

DEFAULT int port_thread_create(void (*fn)(void *arg), void *arg, const char *name, int node)
{
	(void)fn;
	(void)arg;
	(void)name;
	(void)node;
	return -ENOSYS;
}

DEFAULT uintptr_t port_thread_self(void)
{
	return port_cpu_id() + 1;
}

DEFAULT void port_park(u64 timeout_ns)
{
	(void)timeout_ns;
	port_cpu_relax();
}

DEFAULT void port_unpark(uintptr_t thread)
{
	(void)thread;
}

DEFAULT u64 port_clock_ns(void)
{
	return 0;
}

DEFAULT size_t port_copy_user(void *to, const void *from, size_t len, bool to_user)
{
	(void)to;
	(void)from;
	(void)to_user;
	return len;
}

DEFAULT int port_block_rw(unsigned int device, u64 sector, void *buffer, unsigned int count, bool write)
{
	(void)device;
	(void)sector;
	(void)buffer;
	(void)count;
	(void)write;
	return -ENXIO;
}

DEFAULT u64 port_random(void)
{
	static u64 state __memsys = 0x9e3779b97f4a7c15ull;

	/* xorshift64 (Marsaglia 2003): a fixed sequence, so that a port without entropy is deterministic. */
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

DEFAULT void port_ram_discard(unsigned long pfn, unsigned long pages)
{
	(void)pfn;
	(void)pages;
}

DEFAULT unsigned int port_backtrace(uintptr_t *pc, unsigned int max)
{
	(void)pc;
	(void)max;
	return 0;
}

DEFAULT void port_symbol(uintptr_t pc, char *text, size_t size)
{
	octavo_snprintf(text, size, "0x%lx", (unsigned long)pc);
}
