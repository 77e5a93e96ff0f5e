// SPDX-License-Identifier: MIT
/* SysV shared memory: ids, rights, attachments, destruction; answers are Linux's. */
#include <octavo/fault.h>
#include <octavo/mm.h>
#include <octavo/proc.h>
#include <octavo/shmem_fs.h>
#include <octavo/uaccess.h>
#include <octavo/verify.h>

#include "fault.h"
#include "harness.h"
#include "mm/cache/sysv_shm.h"
#include "mm/proc/proc.h"
#include "mm/vm/account.h"
#include "proc_text.h"
#include "tasks.h"

#define KEY 0x1234567

/* An address, which need not be a positive number, and no error. */
#define MAPPED(at) ((unsigned long)(at) < -4095ul)

static struct test_process p, q;
static unsigned int findings;
static char finding_text[200];

static void note(void *ctx, const char *line)
{
	(void)ctx;
	strscpy(finding_text, line, sizeof(finding_text));
	findings++;
}

/* struct shmid64_ds, by words and halves. */
struct stat_words {
	u32 key, uid, gid, cuid, cgid;
	u32 mode;
	unsigned long nattch;
};

static uintptr_t user_buf;

static long stat(int id, int cmd, struct stat_words *out)
{
	u32 raw[64];
	long ret = ksys_shmctl(id, cmd, user_buf);

	if (ret < 0)
		return ret;
	EXPECT_EQ(test_user_read(user_buf, raw, sizeof(long) == 8 ? 112 : 84), sizeof(long) == 8 ? 112 : 84);
	out->key = raw[0];
	out->uid = raw[1];
	out->gid = raw[2];
	out->cuid = raw[3];
	out->cgid = raw[4];
	out->mode = raw[5] & 0xffff;
	out->nattch = sizeof(long) == 8 ? raw[22] : raw[18];
	return ret;
}

static unsigned long nattch(int id)
{
	struct stat_words s = { 0 };

	EXPECT_EQ(stat(id, IPC_STAT, &s), 0);
	return s.nattch;
}

static bool start(void)
{
	if (!test_process_start(&p))
		return false;
	user_buf = test_map(0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	return user_buf;
}

TEST(sysv_shm, get)
{
	long id;

	ASSERT(start());
	EXPECT_EQ(ksys_shmget(IPC_PRIVATE, 0, 0600), -EINVAL);
	EXPECT_EQ(ksys_shmget(KEY, PAGE_SIZE, 0600), -ENOENT);
	id = ksys_shmget(KEY, 3 * PAGE_SIZE - 5, IPC_CREAT | 0640);
	EXPECT_EQ(id, 0);
	EXPECT_EQ(ksys_shmget(KEY, 3 * PAGE_SIZE, 0), -EINVAL);
	EXPECT_EQ(ksys_shmget(KEY, 3 * PAGE_SIZE - 5, IPC_CREAT | IPC_EXCL | 0600), -EEXIST);
	EXPECT_EQ(ksys_shmget(KEY, 0, 0), id);
	EXPECT_EQ(ksys_shmget(KEY, 5, IPC_EXCL), id);
	EXPECT_EQ(ksys_shmget(5, ~(size_t)0, IPC_CREAT | 0600), -EINVAL);
	EXPECT_EQ(ksys_shmget(IPC_PRIVATE, PAGE_SIZE, 0600), 1);
	EXPECT_EQ(ksys_shmget(IPC_PRIVATE, PAGE_SIZE, 0600), 2);
	EXPECT_EQ(ksys_shmctl(1, IPC_RMID, 0), 0);
	EXPECT_EQ(ksys_shmctl(1, IPC_RMID, 0), -EINVAL);
	/* Slots are not used again at once, and never with the same id. */
	EXPECT_EQ(ksys_shmget(IPC_PRIVATE, PAGE_SIZE, 0600), 3);
	for (int i = 4; i < 64; i++) {
		EXPECT_EQ(ksys_shmget(IPC_PRIVATE, PAGE_SIZE, 0600), i);
		EXPECT_EQ(ksys_shmctl(i, IPC_RMID, 0), 0);
	}
	EXPECT_EQ(ksys_shmget(IPC_PRIVATE, PAGE_SIZE, 0600), SHM_SLOTS + 1);
	EXPECT_EQ(ksys_shmctl(1, IPC_RMID, 0), -EIDRM);
	expect_verified();
	test_process_exit(&p);
}

/* Limits: kernel.shmmax, shmall, shmmni. */
TEST(sysv_shm, limits)
{
	struct shm_limits was = shm.limits;

	ASSERT(start());
	EXPECT_EQ(octavo_proc_write("/proc/sys/kernel/shmmax", "20480\n", 6), 6);
	EXPECT_EQ(ksys_shmget(IPC_PRIVATE, 20481, 0600), -EINVAL);
	EXPECT_EQ(octavo_proc_write("/proc/sys/kernel/shmall", "7", 1), 1);
	EXPECT_EQ(ksys_shmget(IPC_PRIVATE, 20480, 0600), 0);
	EXPECT_EQ(ksys_shmget(IPC_PRIVATE, 3 * PAGE_SIZE, 0600), -ENOSPC);
	EXPECT_EQ(ksys_shmget(IPC_PRIVATE, 2 * PAGE_SIZE, 0600), 1);
	shm.limits = was;
	EXPECT_EQ(octavo_proc_write("/proc/sys/kernel/shmmni", "3\n", 2), 2);
	EXPECT_EQ(ksys_shmget(IPC_PRIVATE, 1, 0600), 2);
	EXPECT_EQ(ksys_shmget(IPC_PRIVATE, 1, 0600), -ENOSPC);
	EXPECT_EQ(octavo_proc_write("/proc/sys/kernel/shmmni", "32769", 5), -EINVAL);
	EXPECT_EQ(octavo_proc_write("/proc/sys/kernel/shmmax", "x", 1), -EINVAL);
	expect_verified();
	shm.limits = was;
	EXPECT_STREQ(proc_text("/proc/sys/kernel/shmmni"), "4096\n");
	if (sizeof(long) == 8)
		EXPECT_STREQ(proc_text("/proc/sys/kernel/shmmax"), "18446744073692774399\n");
	test_process_exit(&p);
}

TEST(sysv_shm, attach)
{
	uintptr_t a, b, other;
	long id;

	ASSERT(start());
	other = test_map(0, PAGE_SIZE, PROT_READ, MAP_PRIVATE);
	id = ksys_shmget(KEY, 3 * PAGE_SIZE - 5, IPC_CREAT | 0640);
	EXPECT_EQ(ksys_shmat((int)id, 1, 0), -EINVAL);
	EXPECT_EQ(ksys_shmat((int)id, 0, SHM_REMAP), -EINVAL);
	EXPECT_EQ(ksys_shmat((int)id, 5, SHM_RND | SHM_REMAP), -EINVAL);
	EXPECT_EQ(ksys_shmat(-1, 0, 0), -EINVAL);
	EXPECT_EQ(ksys_shmat((int)id + 1, 0, 0), -EINVAL);
	EXPECT_EQ(ksys_shmat((int)id + (int)SHM_SLOTS, 0, 0), -EIDRM);
	EXPECT_EQ(ksys_shmat((int)id, other, 0), -EINVAL);
	EXPECT_EQ(ksys_shmat((int)id, ~(uintptr_t)0xfff, 0), -EINVAL);
	EXPECT_EQ(nattch((int)id), 0);
	a = (uintptr_t)ksys_shmat((int)id, 0, 0);
	EXPECT_EQ(nattch((int)id), 1);
	test_user_put(a, 5);
	EXPECT_EQ(ksys_mprotect(a + PAGE_SIZE, PAGE_SIZE, PROT_READ), 0);
	EXPECT_EQ(nattch((int)id), 3);
	EXPECT_EQ((uintptr_t)ksys_shmat((int)id, a, SHM_REMAP), a);
	EXPECT_EQ(nattch((int)id), 1);
	EXPECT_EQ(test_user_get(a), 5);
	b = (uintptr_t)ksys_shmat((int)id, 0, SHM_RDONLY);
	EXPECT_EQ(test_user_get(b), 5);
	EXPECT_REFUSED(b, true, 11, 2);
	EXPECT_EQ(ksys_mprotect(b, PAGE_SIZE, PROT_READ | PROT_WRITE), -EACCES);
	EXPECT_EQ(ksys_shmdt(b), 0);
	EXPECT_EQ(ksys_shmdt(b), -EINVAL);
	EXPECT_EQ(ksys_shmdt(a + PAGE_SIZE), -EINVAL);
	EXPECT_EQ(ksys_shmdt(a + 1), -EINVAL);
	EXPECT_EQ(ksys_shmdt(other), -EINVAL);
	/* Pieces of an attachment, the first of which is gone. */
	EXPECT_EQ(ksys_mprotect(a + PAGE_SIZE, PAGE_SIZE, PROT_READ), 0);
	EXPECT_EQ(ksys_munmap(a, PAGE_SIZE), 0);
	EXPECT_EQ(ksys_shmdt(a), 0);
	EXPECT_EQ(nattch((int)id), 0);
	expect_verified();
	test_process_exit(&p);
}

/* Marked for destruction: its key leads nowhere, its id does until the last user has gone. */
TEST(sysv_shm, destruction)
{
	long before = (long)vm_committed_pages();
	struct stat_words s;
	uintptr_t a, b;
	long id;

	ASSERT(start());
	id = ksys_shmget(KEY, PAGE_SIZE, IPC_CREAT | 0640);
	a = (uintptr_t)ksys_shmat((int)id, 0, 0);
	test_user_put(a, 9);
	EXPECT_EQ(ksys_shmctl((int)id, IPC_RMID, 0), 0);
	EXPECT_EQ(stat((int)id, IPC_STAT, &s), 0);
	EXPECT_EQ(s.mode, 01640);
	EXPECT_EQ(s.key, 0);
	EXPECT_EQ(ksys_shmget(KEY, 0, 0), -ENOENT);
	ASSERT(test_process_fork(&q, &p));
	EXPECT_EQ(nattch((int)id), 2);
	b = (uintptr_t)ksys_shmat((int)id, 0, 0);
	EXPECT_EQ(test_user_get(b), 9);
	EXPECT_EQ(ksys_shmdt(a), 0);
	EXPECT_EQ(ksys_shmdt(b), 0);
	EXPECT_EQ(nattch((int)id), 1);
	test_switch(&q.task);
	EXPECT_EQ(test_user_get(a), 9);
	test_process_exit(&q);
	test_switch(&p.task);
	EXPECT_EQ(ksys_shmctl((int)id, IPC_STAT, user_buf), -EINVAL);
	expect_verified();
	test_process_exit(&p);
	EXPECT_EQ((long)vm_committed_pages(), before);
}

/* What is mapped anew in place of the last attachment of a segment marked for destruction finds it gone. */
TEST(sysv_shm, last_attachment_mapped_anew)
{
	long first, second;
	uintptr_t a, b;

	ASSERT(start());
	first = ksys_shmget(KEY, 2 * PAGE_SIZE, IPC_CREAT | 0640);
	a = (uintptr_t)ksys_shmat((int)first, 0, 0);
	b = (uintptr_t)ksys_shmat((int)first, 0, 0);
	test_user_put(a + PAGE_SIZE, 9);
	EXPECT_EQ(ksys_shmctl((int)first, IPC_RMID, 0), 0);
	EXPECT_EQ(ksys_remap_file_pages(a, PAGE_SIZE, 0, 1, 0), 0);
	EXPECT_EQ(test_user_get(a), 9);
	EXPECT_EQ(nattch((int)first), 3);
	EXPECT_EQ(ksys_shmdt(b), 0);
	EXPECT_EQ(vm_munmap(p.task.mm, a, PAGE_SIZE), 0);
	EXPECT_EQ(nattch((int)first), 1);
	EXPECT_EQ(ksys_remap_file_pages(a + PAGE_SIZE, PAGE_SIZE, 0, 0, 0), -EINVAL);
	EXPECT_EQ(ksys_shmctl((int)first, IPC_STAT, user_buf), -EINVAL);
	second = ksys_shmget(KEY, PAGE_SIZE, IPC_CREAT | IPC_EXCL | 0640);
	EXPECT_EQ(nattch((int)second), 0);
	expect_verified();
	test_process_exit(&p);
}

TEST(sysv_shm, control)
{
	struct stat_words s;
	unsigned long words[16];
	long id;

	ASSERT(start());
	EXPECT_EQ(ksys_shmctl(-1, IPC_STAT, user_buf), -EINVAL);
	EXPECT_EQ(ksys_shmctl(1, -1, user_buf), -EINVAL);
	EXPECT_EQ(ksys_shmctl(0, 77, user_buf), -EINVAL);
	EXPECT_EQ(ksys_shmctl(0, IPC_INFO, user_buf), 0);
	EXPECT_EQ(test_user_read(user_buf, words, 5 * sizeof(long)), 5 * sizeof(long));
	EXPECT(words[0] == ~0ul - (1ul << 24) && words[1] == 1 && words[2] == 4096 && words[3] == 4096);
	EXPECT_EQ(ksys_shmctl(0, IPC_INFO, 8), -EFAULT);
	id = ksys_shmget(KEY, PAGE_SIZE, IPC_CREAT | 0000);
	EXPECT_EQ(ksys_shmctl((int)id, IPC_SET, 8), -EFAULT);
	EXPECT_EQ(ksys_shmctl(500, SHM_STAT, user_buf), -EINVAL);
	/* No right to it, not even for its owner. */
	EXPECT_EQ(ksys_shmat((int)id, 0, 0), -EACCES);
	EXPECT_EQ(ksys_shmctl((int)id, IPC_STAT, user_buf), -EACCES);
	EXPECT_EQ(ksys_shmget(KEY, 0, 0600), -EACCES);
	EXPECT_EQ(stat((int)id, SHM_STAT_ANY, &s), id);
	/* Who may do anything may that, too; and the owner may give himself the right. */
	p.process.capabilities = (u64)1 << CAP_IPC_OWNER;
	EXPECT_EQ(stat((int)id, IPC_STAT, &s), 0);
	EXPECT_EQ(s.mode, 0);
	p.process.capabilities = 0;
	words[0] = s.mode | 0644;
	EXPECT_EQ(test_user_write(user_buf + 20, words, 2), 2);
	EXPECT_EQ(ksys_shmctl((int)id, IPC_SET, user_buf), 0);
	EXPECT_EQ(stat((int)id, IPC_STAT, &s), 0);
	EXPECT_EQ(s.mode, 0644);
	/* Another user reads, and that is all. */
	p.process.uid++;
	p.process.gid++;
	EXPECT(MAPPED(ksys_shmat((int)id, 0, SHM_RDONLY)));
	EXPECT_EQ(ksys_shmat((int)id, 0, 0), -EACCES);
	EXPECT_EQ(ksys_shmctl((int)id, IPC_RMID, 0), -EPERM);
	EXPECT_EQ(ksys_shmctl((int)id, IPC_SET, user_buf), -EPERM);
	EXPECT_EQ(ksys_shmctl((int)id, SHM_LOCK, 0), -EPERM);
	p.process.uid--;
	p.process.gid--;
	p.process.rlimit[RLIMIT_MEMLOCK].cur = 0;
	EXPECT_EQ(ksys_shmctl((int)id, SHM_LOCK, 0), -EPERM);
	p.process.rlimit[RLIMIT_MEMLOCK].cur = PAGE_SIZE - 1;
	EXPECT_EQ(ksys_shmctl((int)id, SHM_LOCK, 0), -ENOMEM);
	p.process.rlimit[RLIMIT_MEMLOCK].cur = PAGE_SIZE;
	EXPECT_EQ(ksys_shmctl((int)id, SHM_LOCK, 0), 0);
	EXPECT_EQ(stat((int)id, IPC_STAT, &s), 0);
	EXPECT_EQ(s.mode, 02644);
	EXPECT_EQ(ksys_shmctl((int)id, SHM_UNLOCK, 0), 0);
	EXPECT_EQ(stat((int)id, IPC_STAT, &s), 0);
	EXPECT_EQ(s.mode, 0644);
	EXPECT_EQ(ksys_shmctl(0, SHM_INFO, user_buf), 0);
	test_process_exit(&p);
}

TEST(sysv_shm, proc_file)
{
	long id;

	ASSERT(start());
	EXPECT_STREQ(proc_text("/proc/sysvipc/shm"),
		     "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid   "
		     "   atime      dtime      ctime                   rss                  swap\n");
	id = ksys_shmget(KEY, 5000, IPC_CREAT | 0640);
	EXPECT_EQ(id, 0);
	EXPECT(strstr(proc_text("/proc/sysvipc/shm"), "  19088743          0   640 "));
	EXPECT(strstr(proc_text("/proc/sysvipc/shm"), " 5000 "));
	test_process_exit(&p);
}

static bool one_round(void *ctx)
{
	long id = ksys_shmget(KEY, 5000, IPC_CREAT | 0640), at;
	bool all_well;

	(void)ctx;
	if (id < 0) {
		EXPECT_EQ(id, -ENOMEM);
		return false;
	}
	at = ksys_shmat((int)id, 0, 0);
	all_well = MAPPED(at) && !ksys_shmdt((uintptr_t)at);
	/* Unmapping may want memory, too; nothing has changed then. */
	if (MAPPED(at) && !all_well)
		EXPECT_EQ(ksys_shmdt((uintptr_t)at), 0);
	else if (!MAPPED(at))
		EXPECT_EQ(at, -ENOMEM);
	EXPECT_EQ(ksys_shmctl((int)id, IPC_RMID, 0), 0);
	return all_well;
}

static void check(void *ctx)
{
	(void)ctx;
	EXPECT_EQ(shm.used, 0);
	expect_verified();
}

TEST(sysv_shm, without_memory)
{
	ASSERT(start());
	EXPECT(fault_each_among(FAIL_NTH_ALL, one_round, check, NULL) > 3);
	test_process_exit(&p);
}

/* SH-I5 */
TEST(sysv_shm, verifier)
{
	long id;

	ASSERT(start());
	id = ksys_shmget(KEY, PAGE_SIZE, IPC_CREAT | 0640);
	shm.pages++;
	EXPECT_EQ(mm_verify(note, NULL), 1);
	EXPECT(strstr(finding_text, "SH-I5"));
	shm.pages--;
	EXPECT_EQ(ksys_shmctl((int)id, IPC_RMID, 0), 0);
	expect_verified();
	test_process_exit(&p);
}
