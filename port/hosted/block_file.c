// SPDX-License-Identifier: MIT
/*
 * Block devices in the host's files: what is written to them is there for the next machine, and for tools of the host
 * (mkswap). Sources: pread(2), pwrite(2), fdatasync(2), fallocate(2).
 */
#include "hosted.h"

#include <octavo/blkdev.h>
#include <octavo/errno.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAJOR_FILES 259u /* Linux's for disks beyond those with numbers of their own */
#define SECTOR 512u
#define PIECE 4096u

struct file_disk {
	struct bdev bdev;
	char name[16];
	int fd;
};

static int error_of(int host_errno)
{
	return host_errno == ENOSPC ? -ENOSPC : -EIO;
}

/*
 * @len bytes at @at, all of them. Memory of the machine that the host has taken away for the moment makes it say
 * EFAULT: the machine's own access brings it back, so the bytes go by way of the stack then.
 */
static int transfer(int fd, char *buffer, size_t len, off_t at, bool write)
{
	char piece[PIECE];
	bool direct = true;

	while (len) {
		size_t n = direct || len < PIECE ? len : PIECE;
		char *memory = direct ? buffer : piece;
		ssize_t done;

		if (!direct && write)
			memcpy(piece, buffer, n);
		done = write ? pwrite(fd, memory, n, at) : pread(fd, memory, n, at);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && errno == EFAULT && direct) {
			direct = false;
			continue;
		}
		if (done <= 0)
			return done ? error_of(errno) : -EIO; /* shorter than it was */
		if (!direct && !write)
			memcpy(buffer, piece, (size_t)done);
		buffer += done;
		at += done;
		len -= (size_t)done;
	}
	return 0;
}

static int file_rw(struct bdev *bdev, u64 sector, void *buffer, unsigned int count, bool write)
{
	const struct file_disk *disk = bdev->private_data;

	return transfer(disk->fd, buffer, (size_t)count * SECTOR, (off_t)(sector * SECTOR), write);
}

/* A file system that makes no holes keeps the bytes: nothing is lost. */
static int file_discard(struct bdev *bdev, u64 sector, u64 count)
{
	const struct file_disk *disk = bdev->private_data;

	if (fallocate(disk->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(sector * SECTOR),
		      (off_t)(count * SECTOR)) &&
	    errno != EOPNOTSUPP && errno != ENOSYS && errno != ENODEV && errno != EINVAL)
		return error_of(errno);
	return 0;
}

static int file_flush(struct bdev *bdev)
{
	const struct file_disk *disk = bdev->private_data;

	return fdatasync(disk->fd) && errno != EINVAL ? error_of(errno) : 0;
}

static const struct bdev_ops file_ops = { .rw = file_rw, .discard = file_discard, .flush = file_flush };

/* Return: descriptor, or the host's errno, negative. Two machines with one disk would ruin it: the file is locked. */
static int open_file(const char *path, bool *read_only)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	*read_only = fd < 0 && (errno == EACCES || errno == EROFS || errno == EPERM);
	if (*read_only)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (flock(fd, (*read_only ? LOCK_SH : LOCK_EX) | LOCK_NB)) {
		int error = errno == EWOULDBLOCK ? EBUSY : errno;

		close(fd);
		return -error;
	}
	return fd;
}

struct bdev *hosted_block_open(const char *path, const char *name, int *error)
{
	struct file_disk *disk = calloc(1, sizeof(*disk));
	bool read_only;
	off_t bytes;
	u32 minor = 0;

	*error = -ENOMEM;
	if (!disk)
		return NULL;
	disk->fd = *error = open_file(path, &read_only);
	if (disk->fd < 0)
		goto free;
	bytes = lseek(disk->fd, 0, SEEK_END);
	*error = -EINVAL;
	if (bytes < (off_t)SECTOR)
		goto close;
	while (bdev_find(BDEV(MAJOR_FILES, minor)))
		minor++;
	strncpy(disk->name, name, sizeof(disk->name) - 1);
	disk->bdev = (struct bdev){ .name = disk->name, .dev = BDEV(MAJOR_FILES, minor),
				    .sectors = (u64)bytes / SECTOR, .ops = &file_ops, .private_data = disk,
				    .slow = true, .read_only = read_only };
	*error = bdev_register(&disk->bdev);
	if (!*error)
		return &disk->bdev;
close:
	close(disk->fd);
free:
	free(disk);
	return NULL;
}

void hosted_block_close(struct bdev *bdev, bool machine_is_there)
{
	struct file_disk *disk = bdev->private_data;

	if (machine_is_there)
		bdev_unregister(bdev);
	(void)fdatasync(disk->fd);
	close(disk->fd);
	free(disk);
}
