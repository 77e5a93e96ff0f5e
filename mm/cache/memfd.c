// SPDX-License-Identifier: MIT
/*
 * memfd_create(2) and seals: a shmem file of which its users can promise each other what it will not do any more.
 * Sources: memfd_create(2), fcntl(2), Documentation/userspace-api/mfd_noexec.rst.
 *
 * Seals change under i_rwsem, which writers hold; mappings look at them without it, and at i_mmap_writable behind
 * that: who maps for writing counts there first, and F_SEAL_WRITE makes counting fail.
 */
#include "../base/string.h"
#include "../lru/lru.h"
#include "../sync/atomic.h"
#include "../vm/rmap.h"
#include "shmem.h"

#include "../base/printk.h"

#define MFD_NAME_MAX 249u /* NAME_MAX less "memfd:" */
#define MFD_FLAGS (MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC)
#define F_SEAL_ALL \
	(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_EXEC)

/* Pins that have not gone after five looks, 10 to 80 ms apart, are there to stay. */
#define PIN_LOOKS 5u
#define PIN_WAIT_NS 10000000ull

int sysctl_memfd_noexec __memsys = NOEXEC_AS_ASKED;

static int setup_flags(const char *name, unsigned int *flags)
{
	int scope = READ_ONCE(sysctl_memfd_noexec);

	if (*flags & MFD_HUGETLB)
		return -ENODEV; /* there are no pools */
	if (*flags & ~MFD_FLAGS || (*flags & (MFD_EXEC | MFD_NOEXEC_SEAL)) == (MFD_EXEC | MFD_NOEXEC_SEAL))
		return -EINVAL;
	if (!(*flags & (MFD_EXEC | MFD_NOEXEC_SEAL)))
		*flags |= scope == NOEXEC_AS_ASKED ? MFD_EXEC : MFD_NOEXEC_SEAL;
	if (*flags & MFD_EXEC && scope == NOEXEC_ALWAYS)
		return -EACCES;
	return strlen(name) > MFD_NAME_MAX ? -EINVAL : 0;
}

struct file *memfd_setup(const char *name, unsigned int flags, int *err)
{
	char full[sizeof("memfd:") + MFD_NAME_MAX];
	struct shmem_inode *info;
	struct file *file;

	*err = setup_flags(name, &flags);
	if (*err)
		return NULL;
	octavo_snprintf(full, sizeof(full), "memfd:%s", name);
	file = shmem_file_setup(full, 0, VM_NORESERVE, err);
	if (!file)
		return NULL;
	info = shmem_i(file->f_inode);
	if (flags & MFD_NOEXEC_SEAL) {
		info->inode.i_mode &= ~S_IXUGO;
		info->seals = F_SEAL_EXEC;
	} else if (flags & MFD_ALLOW_SEALING) {
		info->seals = 0;
	}
	return file;
}

/* ---- Pins: whoever holds one may write without a mapping ---- */

/* References that neither the cache (one a folio), this look nor an entry of a page table has. */
static bool has_pins(struct address_space *mapping)
{
	struct folio *folios[16];
	unsigned long index = 0;
	unsigned int nr;
	bool pinned = false;

	while (!pinned && (nr = filemap_get_folios(mapping, &index, ~0ul, folios, ARRAY_SIZE(folios)))) {
		for (unsigned int i = 0; i < nr; i++) {
			unsigned long known = 2 + (unsigned long)folio_mapcount(folios[i]);

			if ((unsigned long)page_ref_count(&folios[i]->page) != known)
				pinned = true;
			folio_put(folios[i]);
		}
	}
	return pinned;
}

static int wait_for_pins(struct address_space *mapping)
{
	/* What batches on their way to the lists hold is nobody's pin. */
	lru_add_drain_all();
	for (unsigned int look = 0; has_pins(mapping); look++) {
		u64 until = port_clock_ns() + (PIN_WAIT_NS << look);

		if (look + 1 == PIN_LOOKS || fatal_signal_pending(current_task()))
			return -EBUSY;
		/* A clock that stands still (the weak default) ends the wait with the first park. */
		for (u64 now = port_clock_ns(); now && now < until; now = port_clock_ns())
			port_park(until - now);
	}
	return 0;
}

static int add_seals_locked(struct shmem_inode *info, unsigned int seals)
{
	struct address_space *mapping = info->inode.i_mapping;
	int err;

	if (info->seals & F_SEAL_SEAL)
		return -EPERM;
	/* A program that is to stay one must not change. */
	if (seals & F_SEAL_EXEC && info->inode.i_mode & S_IXUGO)
		seals |= F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
	if (seals & F_SEAL_WRITE && !(info->seals & F_SEAL_WRITE)) {
		err = mapping_deny_writable(mapping);
		if (err)
			return err;
		err = wait_for_pins(mapping);
		if (err) {
			mapping_allow_writable(mapping);
			return err;
		}
	}
	store_relaxed(&info->seals, info->seals | seals);
	return 0;
}

long memfd_add_seals(struct file *file, unsigned int seals)
{
	long ret;

	if (!(file->f_mode & FMODE_WRITE))
		return -EPERM;
	if (seals & ~F_SEAL_ALL || !file_is_shmem(file))
		return -EINVAL;
	down_write(&file->f_inode->i_rwsem);
	ret = add_seals_locked(shmem_i(file->f_inode), seals);
	up_write(&file->f_inode->i_rwsem);
	return ret;
}

long memfd_get_seals(struct file *file)
{
	return file_is_shmem(file) ? (long)load_relaxed(&shmem_i(file->f_inode)->seals) : -EINVAL;
}
