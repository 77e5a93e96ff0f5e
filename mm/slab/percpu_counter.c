// SPDX-License-Identifier: MIT
/*
 * Counters with a part on each CPU.
 *
 * PN-I1: fbc.count and the differences of the CPUs add up to what was counted. A CPU that leaves has its difference
 * brought into count before anyone can find it gone.
 *
 * The owner changes its difference with one instruction, so an interrupt may count too. A difference that reached the
 * batch is taken out by exchange: whatever is there is moved, once.
 */
#include <octavo/percpu_counter.h>

#include "../base/part.h"
#include "../sync/cpu.h"
#include "../sync/spinlock.h"

#define BATCH_MIN 32
/* A difference is below the batch, and grows by less than that: two such steps, should one be missed, fit an s32. */
#define BATCH_MAX (1 << 29)

octavo_static_assert(sizeof(spinlock_t) <= sizeof(((struct percpu_counter *)NULL)->lock), "it lies in there");

static struct {
	spinlock_t lock;
	struct percpu_counter *all; /* guarded by it */
	u32 online;		    /* (a) CPUs */
	s32 batch;		    /* (a) */
} counters __memsys = { .lock = { .rank = LOCK_RANK_COUNTERS }, .batch = BATCH_MIN };

static spinlock_t *lock_of(const struct percpu_counter *fbc)
{
	return (spinlock_t *)fbc->lock;
}

static unsigned long counter_lock(const struct percpu_counter *fbc)
{
	unsigned long flags;

	spin_lock_irqsave(lock_of(fbc), flags);
	return flags;
}

static void counter_unlock(const struct percpu_counter *fbc, unsigned long flags)
{
	spin_unlock_irqrestore(lock_of(fbc), flags);
}

s32 percpu_counter_batch(void)
{
	return load_relaxed(&counters.batch);
}

static void update_batch(u32 online)
{
	store_relaxed(&counters.batch, max((s32)BATCH_MIN, (s32)(2 * online)));
}

int percpu_counter_init(struct percpu_counter *fbc, s64 amount, gfp_t gfp)
{
	unsigned long flags;

	spin_lock_init(lock_of(fbc), LOCK_RANK_COUNTER);
	fbc->count = amount;
	fbc->counters = alloc_percpu_gfp(s32, gfp);
	if (!fbc->counters)
		return -ENOMEM;
	spin_lock_irqsave(&counters.lock, flags);
	fbc->next = counters.all;
	fbc->link = &counters.all;
	if (fbc->next)
		fbc->next->link = &fbc->next;
	counters.all = fbc;
	spin_unlock_irqrestore(&counters.lock, flags);
	return 0;
}

void percpu_counter_destroy(struct percpu_counter *fbc)
{
	unsigned long flags;

	if (!fbc->counters)
		return;
	spin_lock_irqsave(&counters.lock, flags);
	*fbc->link = fbc->next;
	if (fbc->next)
		fbc->next->link = fbc->link;
	spin_unlock_irqrestore(&counters.lock, flags);
	free_percpu(fbc->counters);
	fbc->counters = NULL;
}

void percpu_counter_set(struct percpu_counter *fbc, s64 amount)
{
	unsigned long flags = counter_lock(fbc);

	for_each_possible_cpu(cpu)
		if (cpu_locals[cpu] && load_relaxed(&cpu_locals[cpu]->percpu_ready))
			store_relaxed(per_cpu_ptr(fbc->counters, cpu), 0);
	fbc->count = amount;
	counter_unlock(fbc, flags);
}

static noinline void add_to_sum(struct percpu_counter *fbc, s64 amount)
{
	unsigned long flags = counter_lock(fbc);

	fbc->count += amount + this_cpu_xchg(*fbc->counters, 0);
	counter_unlock(fbc, flags);
}

static force_inline void add(struct percpu_counter *fbc, s64 amount, s32 batch)
{
	s32 sum;

	if (unlikely(amount >= batch || amount <= -batch)) {
		add_to_sum(fbc, amount);
		return;
	}
	sum = this_cpu_add_return(*fbc->counters, (s32)amount);
	if (unlikely(sum >= batch || sum <= -batch))
		add_to_sum(fbc, 0);
}

void percpu_counter_add_batch(struct percpu_counter *fbc, s64 amount, s32 batch)
{
	add(fbc, amount, min(batch, BATCH_MAX));
}

void percpu_counter_add(struct percpu_counter *fbc, s64 amount)
{
	add(fbc, amount, load_relaxed(&counters.batch));
}

void percpu_counter_sync(struct percpu_counter *fbc)
{
	unsigned long flags = counter_lock(fbc);

	fbc->count += this_cpu_xchg(*fbc->counters, 0);
	counter_unlock(fbc, flags);
}

s64 percpu_counter_read(const struct percpu_counter *fbc)
{
	unsigned long flags;
	s64 count;

	if (sizeof(long) == 8)
		return (s64)load_relaxed_u64((const u64 *)&fbc->count);
	/* two words, which only belong together under the lock */
	flags = counter_lock(fbc);
	count = fbc->count;
	counter_unlock(fbc, flags);
	return count;
}

/* The lock is held. */
static s64 sum_locked(const struct percpu_counter *fbc)
{
	s64 sum = fbc->count;

	for_each_possible_cpu(cpu)
		if (cpu_locals[cpu] && load_relaxed(&cpu_locals[cpu]->percpu_ready))
			sum += load_relaxed(per_cpu_ptr(fbc->counters, cpu));
	return sum;
}

s64 percpu_counter_sum(struct percpu_counter *fbc)
{
	unsigned long flags = counter_lock(fbc);
	s64 sum = sum_locked(fbc);

	counter_unlock(fbc, flags);
	return sum;
}

static int order_of(s64 a, s64 b)
{
	return a > b ? 1 : a < b ? -1 : 0;
}

int __percpu_counter_compare(struct percpu_counter *fbc, s64 rhs, s32 batch)
{
	s64 count = percpu_counter_read(fbc), distance = count > rhs ? count - rhs : rhs - count;

	if (distance > (s64)batch * num_online_cpus())
		return order_of(count, rhs);
	return order_of(percpu_counter_sum(fbc), rhs);
}

bool percpu_counter_limited_add(struct percpu_counter *fbc, s64 limit, s64 amount)
{
	unsigned long flags;
	bool fits;
	s64 sum;

	if (!amount)
		return true;
	flags = counter_lock(fbc);
	sum = sum_locked(fbc) + amount;
	fits = amount > 0 ? sum <= limit : sum >= limit;
	if (fits)
		fbc->count += amount;
	counter_unlock(fbc, flags);
	return fits;
}

static int counters_cpu_online(unsigned int cpu)
{
	(void)cpu;
	update_batch(atomic_fetch_add(&counters.online, 1) + 1);
	return 0;
}

static void counters_cpu_dead(unsigned int cpu)
{
	unsigned long flags;

	update_batch(atomic_sub_fetch(&counters.online, 1));
	spin_lock_irqsave(&counters.lock, flags);
	for (struct percpu_counter *fbc = counters.all; fbc; fbc = fbc->next) {
		s32 *left = per_cpu_ptr(fbc->counters, cpu);

		spin_lock(lock_of(fbc));
		fbc->count += *left;
		*left = 0;
		spin_unlock(lock_of(fbc));
	}
	spin_unlock_irqrestore(&counters.lock, flags);
}

MM_PART(percpu_counter, .order = MM_PART_PERCPU, .cpu_online = counters_cpu_online, .cpu_dead = counters_cpu_dead);
