// SPDX-License-Identifier: MIT
/* A rw_semaphore as one thread sees it, and the thread that current_task() is. */
#include <octavo/rwsem.h>
#include <octavo/task.h>

#include "harness.h"
#include "mm/sync/cpu.h"
#include "mm/vm/task.h"

TEST(rwsem, one_thread)
{
	struct rw_semaphore sem = RWSEM_INIT(0);

	EXPECT(!rwsem_is_locked(&sem));
	down_read(&sem);
	EXPECT(rwsem_is_locked(&sem));
	EXPECT(down_read_trylock(&sem));
	EXPECT(!down_write_trylock(&sem));
	up_read(&sem);
	EXPECT(!down_write_trylock(&sem));
	up_read(&sem);
	EXPECT(!rwsem_is_locked(&sem));

	EXPECT(down_write_trylock(&sem)); /* RW-I1 */
	EXPECT(!down_read_trylock(&sem));
	EXPECT(!down_write_trylock(&sem));
	downgrade_write(&sem);
	EXPECT(down_read_trylock(&sem));
	EXPECT(!down_write_trylock(&sem));
	up_read(&sem);
	up_read(&sem);
	EXPECT_EQ(down_write_killable(&sem), 0);
	up_write(&sem);
	EXPECT_EQ(down_read_killable(&sem), 0);
	up_read(&sem);
	EXPECT_EQ(sem.count, 0);
	down_write(&sem);
	init_rwsem(&sem);
	EXPECT(!rwsem_is_locked(&sem));
}

TEST(task, a_cpu_starts_with_a_kernel_thread)
{
	struct mm_task *idle = current_task(), task = { .process = current_task()->process };

	ASSERT(idle);
	EXPECT(!idle->mm);
	EXPECT(idle->flags & PF_KTHREAD);
	EXPECT(task_capable(idle, CAP_SYS_ADMIN));
	EXPECT_EQ(task_rlimit(idle, RLIMIT_AS), RLIM_INFINITY);
	EXPECT(this_task() == idle);
	preempt_disable();
	octavo_switch_task(&task);
	EXPECT(current_task() == &task);
	octavo_switch_task(idle);
	preempt_enable();
	EXPECT(current_task() == idle);
}
