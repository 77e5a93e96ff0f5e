// SPDX-License-Identifier: MIT
/*
 * /proc/sysvipc/shm and the limits of SysV shared memory. Format: proc_sysvipc(5), and what Linux writes; sizes are as
 * wide as a word's greatest number needs.
 */
#include "../cache/shmem.h"
#include "../cache/sysv_shm.h"
#include "proc.h"

#if __SIZEOF_POINTER__ == 8
#define SIZE_WIDTH "21"
#else
#define SIZE_WIDTH "10"
#endif

static void show_segment(struct seq_file *m, const struct shm_segment *seg)
{
	unsigned long resident = seg->file->f_mapping->nrpages << PAGE_SHIFT;
	unsigned long swapped = READ_ONCE(shmem_i(seg->file->f_inode)->swapped) << PAGE_SHIFT;

	seq_printf(m, "%10d %10d  %4o %" SIZE_WIDTH "lu %5u %5u  ", seg->key, seg->id, seg->mode,
		   (unsigned long)seg->size, (u32)seg->cpid, (u32)seg->lpid);
	seq_printf(m, "%5lu %5u %5u %5u %5u %10llu %10llu %10llu %" SIZE_WIDTH "lu %" SIZE_WIDTH "lu\n", seg->nattch,
		   seg->uid, seg->gid, seg->cuid, seg->cgid, (unsigned long long)seg->atime,
		   (unsigned long long)seg->dtime, (unsigned long long)seg->ctime, resident, swapped);
}

PROC_SHOW(sysvipc_shm_show)
{
	const struct shm_segment *seg;

	(void)entry;
	(void)id;
	seq_puts(m, "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      "
		    "atime      dtime      ctime                   rss                  swap\n");
	mutex_lock(&shm.lock);
	for (unsigned long slot = 0; (seg = shm_next(&slot)); slot++)
		show_segment(m, seg);
	mutex_unlock(&shm.lock);
}

/* ---- /proc/sys/kernel/shmmax, shmall, shmmni ---- */

struct shm_limit_file {
	unsigned long *word;
	int *number;
	u64 most;
};
const struct shm_limit_file shm_limit_max = { &shm.limits.max, NULL, ~0ul },
			    shm_limit_all = { &shm.limits.all, NULL, ~0ul },
			    shm_limit_mni = { NULL, &shm.limits.mni, SHM_SLOTS };

PROC_SHOW(shm_limit_show)
{
	const struct shm_limit_file *file = entry->data;

	(void)id;
	seq_printf(m, "%lu\n", file->word ? READ_ONCE(*file->word) : (unsigned long)READ_ONCE(*file->number));
}

/* A number as sysctl.c has them. */
PROC_STORE(shm_limit_store)
{
	const struct shm_limit_file *file = entry->data;
	bool overflow;
	u64 value;
	size_t len;

	(void)id;
	while (*text == ' ' || (*text >= '\t' && *text <= '\r'))
		text++;
	len = parse_u64(text, &value, &overflow);
	if (!len || overflow || value > file->most || (text[len] && !strchr(" \t\n", text[len])))
		return -EINVAL;
	mutex_lock(&shm.lock);
	if (file->word)
		WRITE_ONCE(*file->word, (unsigned long)value);
	else
		WRITE_ONCE(*file->number, (int)value);
	mutex_unlock(&shm.lock);
	return 0;
}
