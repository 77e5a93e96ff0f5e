// SPDX-License-Identifier: MIT
/* Names: creating, finding, renaming, linking, permissions, and every error that the manual pages promise. */
#define _GNU_SOURCE
#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int exists(const char *path)
{
	struct stat st;

	return !lstat(path, &st);
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	CHECK(fd >= 0);
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static int same(const char *path, const char *text)
{
	char buffer[256];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buffer, sizeof(buffer));

	if (fd >= 0)
		close(fd);
	return n == (ssize_t)strlen(text) && !memcmp(buffer, text, strlen(text));
}

static void test_open(void)
{
	struct stat st;
	int fd;

	CHECK_ERROR(open("none", O_RDONLY), ENOENT);
	CHECK_ERROR(open("", O_RDONLY), ENOENT);
	CHECK_ERROR(open("none/x", O_CREAT | O_WRONLY, 0600), ENOENT);
	put("file", "hello");
	CHECK(same("file", "hello"));
	CHECK_ERROR(open("file/x", O_RDONLY), ENOTDIR);
	CHECK_ERROR(open("file/", O_RDONLY), ENOTDIR);
	CHECK_ERROR(open("file", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_ERROR(open("file", O_CREAT | O_EXCL | O_WRONLY, 0600), EEXIST);
	CHECK_ERROR(open(".", O_WRONLY), EISDIR);
	CHECK_ERROR(open(".", O_CREAT | O_RDONLY, 0600), EISDIR);
	CHECK_ERROR(open((char *)8, O_RDONLY), EFAULT);
	CHECK_ERROR(openat(9999, "file", O_RDONLY), EBADF);
	fd = open("file", O_RDONLY);
	CHECK_ERROR(openat(fd, "x", O_RDONLY), ENOTDIR);
	CHECK_ERROR(write(fd, "x", 1), EBADF);
	CHECK_ERROR(ftruncate(fd, 1), EINVAL);
	close(fd);
	fd = open("file", O_WRONLY | O_APPEND);
	CHECK_ERROR(read(fd, &st, 1), EBADF);
	CHECK(lseek(fd, 0, SEEK_SET) == 0);
	CHECK(write(fd, "!!", 2) == 2);
	CHECK(lseek(fd, 0, SEEK_CUR) == 7);
	close(fd);
	CHECK(same("file", "hello!!"));
	fd = open("file", O_PATH);
	CHECK_ERROR(read(fd, &st, 1), EBADF);
	CHECK(fstat(fd, &st) == 0 && st.st_size == 7);
	close(fd);
	umask(027);
	fd = open("masked", O_CREAT | O_WRONLY, 0666);
	CHECK(fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0640);
	close(fd);
	umask(022);
	fd = open(".", O_TMPFILE | O_RDWR, 0600);
	CHECK(fd >= 0 && fstat(fd, &st) == 0 && st.st_nlink == 0);
	CHECK(write(fd, "tmp", 3) == 3);
	close(fd);
	/* A mode without rights does not keep its maker from writing. */
	fd = open("sealed", O_CREAT | O_RDWR, 0);
	CHECK(fd >= 0 && write(fd, "x", 1) == 1);
	close(fd);
}

static void test_long_names(void)
{
	static char name[PATH_MAX + 16];

	memset(name, 'n', sizeof(name) - 1);
	CHECK_ERROR(open(name, O_RDONLY), ENAMETOOLONG);
	name[256] = 0;
	CHECK_ERROR(open(name, O_CREAT | O_WRONLY, 0600), ENAMETOOLONG);
	CHECK_ERROR(mkdir(name, 0700), ENAMETOOLONG);
	name[255] = 0;
	put(name, "long");
	CHECK(same(name, "long"));
	CHECK(unlink(name) == 0);
}

static void test_links(void)
{
	char text[64];
	struct stat a, b;

	CHECK(symlink("file", "soft") == 0);
	CHECK_ERROR(symlink("file", "soft"), EEXIST);
	CHECK(readlink("soft", text, sizeof(text)) == 4 && !memcmp(text, "file", 4));
	CHECK(readlink("soft", text, 2) == 2);
	CHECK_ERROR(readlink("file", text, sizeof(text)), EINVAL);
	CHECK(same("soft", "hello!!"));
	CHECK_ERROR(open("soft", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_ERROR(open("soft", O_CREAT | O_EXCL | O_WRONLY, 0600), EEXIST);
	CHECK(lstat("soft", &a) == 0 && S_ISLNK(a.st_mode) && a.st_size == 4);
	CHECK(symlink("loop2", "loop1") == 0 && symlink("loop1", "loop2") == 0);
	CHECK_ERROR(open("loop1", O_RDONLY), ELOOP);
	CHECK_ERROR(stat("loop1/x", &a), ELOOP);
	CHECK(symlink("made", "dangling") == 0);
	CHECK_ERROR(open("dangling", O_RDONLY), ENOENT);
	put("dangling", "through");
	CHECK(same("made", "through"));
	CHECK(link("file", "hard") == 0);
	CHECK(stat("file", &a) == 0 && stat("hard", &b) == 0);
	CHECK(a.st_ino == b.st_ino && a.st_nlink == 2);
	CHECK_ERROR(link("file", "hard"), EEXIST);
	CHECK_ERROR(link("none", "x"), ENOENT);
	CHECK_ERROR(link(".", "x"), EPERM);
	CHECK(linkat(AT_FDCWD, "soft", AT_FDCWD, "hardsoft", 0) == 0);
	CHECK(lstat("hardsoft", &a) == 0 && S_ISLNK(a.st_mode));
	CHECK(linkat(AT_FDCWD, "soft", AT_FDCWD, "hardfile", AT_SYMLINK_FOLLOW) == 0);
	CHECK(lstat("hardfile", &a) == 0 && S_ISREG(a.st_mode));
	CHECK(unlink("hard") == 0 && unlink("hardfile") == 0 && unlink("hardsoft") == 0);
	CHECK(stat("file", &a) == 0 && a.st_nlink == 1);
}

static void test_dirs(void)
{
	struct stat st;
	char cwd[256];

	CHECK(mkdir("d", 0755) == 0);
	CHECK_ERROR(mkdir("d", 0755), EEXIST);
	CHECK_ERROR(mkdir("file/x", 0755), ENOTDIR);
	CHECK(mkdir("d/e/", 0700) == 0);
	CHECK(stat("d", &st) == 0 && st.st_nlink == 3);
	CHECK_ERROR(rmdir("d"), ENOTEMPTY);
	CHECK_ERROR(rmdir("file"), ENOTDIR);
	CHECK_ERROR(rmdir("d/."), EINVAL);
	CHECK_ERROR(rmdir("d/e/.."), ENOTEMPTY);
	CHECK_ERROR(rmdir("none"), ENOENT);
	CHECK_ERROR(unlink("d"), EISDIR);
	CHECK_ERROR(unlinkat(AT_FDCWD, "d", 0x1000), EINVAL);
	CHECK(chdir("d/e") == 0);
	CHECK(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd + strlen(cwd) - 4, "/d/e"));
	CHECK_ERROR(syscall(SYS_getcwd, cwd, 2), ERANGE);
	CHECK(exists("../../file"));
	CHECK(exists("../e/../../d/./e"));
	CHECK(rmdir("../e") == 0);
	CHECK_ERROR(open("x", O_CREAT | O_WRONLY, 0600), ENOENT);
	CHECK_ERROR(syscall(SYS_getcwd, cwd, sizeof(cwd)), ENOENT);
	CHECK(stat(".", &st) == 0 && st.st_nlink == 0);
	CHECK(chdir("../..") == 0);
	CHECK(stat("d", &st) == 0 && st.st_nlink == 2);
	CHECK(rmdir("d") == 0);
	CHECK_ERROR(chdir("file"), ENOTDIR);
	CHECK_ERROR(chdir("none"), ENOENT);
	CHECK_ERROR(chdir((char *)1), EFAULT);
	CHECK(exists("/..") && exists("/../../."));
}

static void test_readdir(void)
{
	char name[300];
	int seen[200] = { 0 }, dots = 0, others = 0;
	struct dirent *e;
	DIR *dir;

	CHECK(mkdir("many", 0755) == 0);
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "many/f%d", i);
		put(name, "");
	}
	dir = opendir("many");
	CHECK(dir != NULL);
	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			dots++;
		else if (e->d_name[0] == 'f' && e->d_type == DT_REG)
			seen[atoi(e->d_name + 1)]++;
		else
			others++;
		/* What is removed meanwhile does not make others be seen twice or not at all. */
		if (e->d_name[0] == 'f') {
			snprintf(name, sizeof(name), "many/%s", e->d_name);
			CHECK(unlink(name) == 0);
		}
	}
	for (int i = 0; i < 200; i++)
		CHECK(seen[i] == 1);
	CHECK(dots == 2 && others == 0);
	if (dir) {
		rewinddir(dir);
		for (dots = 0; (e = readdir(dir)); dots++)
			;
		CHECK(dots == 2);
		closedir(dir);
	}
	CHECK(rmdir("many") == 0);
	CHECK_ERROR(syscall(SYS_getdents64, 0x7fff, name, sizeof(name)), EBADF);
}

static void test_rename(void)
{
	put("a", "a");
	put("b", "b");
	CHECK(rename("a", "b") == 0);
	CHECK(same("b", "a") && !exists("a"));
	CHECK_ERROR(rename("a", "b"), ENOENT);
	CHECK(mkdir("x", 0755) == 0 && mkdir("x/y", 0755) == 0 && mkdir("z", 0755) == 0);
	CHECK_ERROR(rename("x", "x/y/q"), EINVAL);
	CHECK_ERROR(rename("x", "b"), ENOTDIR);
	CHECK_ERROR(rename("b", "x"), EISDIR);
	CHECK_ERROR(rename("z", "x"), ENOTEMPTY);
	CHECK_ERROR(rename("x/.", "q"), EBUSY);
	CHECK(rename("x", "z") == 0);
	CHECK(exists("z/y") && !exists("x"));
	CHECK(rename("b", "b") == 0 && exists("b"));
	put("c", "c");
	CHECK_ERROR(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "c", 1), EEXIST);
	CHECK(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "c", 2) == 0);
	CHECK(same("b", "c") && same("c", "a"));
	CHECK(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "z", 2) == 0);
	CHECK(same("z", "c") && exists("b/y"));
	CHECK_ERROR(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "c", 3), EINVAL);
	CHECK_ERROR(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "none", 2), ENOENT);
	CHECK(rmdir("b/y") == 0 && rmdir("b") == 0 && unlink("c") == 0 && unlink("z") == 0);
}

static void test_attributes(void)
{
	struct timespec times[2] = { { 1000, 5 }, { 0, UTIME_OMIT } };
	struct stat st;

	CHECK(chmod("file", 0751) == 0 && stat("file", &st) == 0 && (st.st_mode & 07777) == 0751);
	CHECK_ERROR(chmod("none", 0), ENOENT);
	CHECK(utimensat(AT_FDCWD, "file", times, 0) == 0 && stat("file", &st) == 0);
	CHECK(st.st_atim.tv_sec == 1000 && st.st_atim.tv_nsec == 5 && st.st_mtim.tv_sec > 1600000000);
	times[0].tv_nsec = 2000000000;
	CHECK_ERROR(utimensat(AT_FDCWD, "file", times, 0), EINVAL);
	CHECK(truncate("file", 3) == 0 && same("file", "hel"));
	CHECK(truncate("file", 5) == 0 && stat("file", &st) == 0 && st.st_size == 5);
	CHECK_ERROR(truncate("file", -1), EINVAL);
	CHECK_ERROR(truncate(".", 0), EISDIR);
	CHECK(access("file", R_OK | W_OK | X_OK) == 0);
	CHECK_ERROR(access("none", F_OK), ENOENT);
	CHECK_ERROR(access("file", 8), EINVAL);
	CHECK(mknod("pipe", S_IFIFO | 0600, 0) == 0 && stat("pipe", &st) == 0 && S_ISFIFO(st.st_mode));
	CHECK(unlink("pipe") == 0);
	CHECK_ERROR(mknod("d", S_IFDIR | 0600, 0), EPERM);
}

static void as_nobody(void)
{
	CHECK(setgid(65534) == 0 && setuid(65534) == 0);
	CHECK_ERROR(open("private", O_RDONLY), EACCES);
	CHECK_ERROR(open("closed/file", O_RDONLY), EACCES);
	CHECK_ERROR(open("new", O_CREAT | O_WRONLY, 0600), EACCES);
	CHECK_ERROR(unlink("file"), EACCES);
	CHECK_ERROR(rename("file", "elif"), EACCES);
	CHECK_ERROR(mkdir("dir", 0700), EACCES);
	CHECK_ERROR(chmod("file", 0777), EPERM);
	CHECK_ERROR(chown("file", 0, 0), EPERM);
	CHECK_ERROR(access("private", R_OK), EACCES);
	CHECK_ERROR(truncate("file", 0), EACCES);
	CHECK_ERROR(unlink("sticky/theirs"), EPERM);
	CHECK_ERROR(rename("sticky/theirs", "sticky/mine"), EPERM);
	CHECK_ERROR(chroot("/"), EPERM);
	CHECK_ERROR(mknod("sticky/null", S_IFCHR | 0666, 0x103), EPERM);
	put("sticky/own", "mine");
	CHECK(unlink("sticky/own") == 0);
	CHECK_ERROR(open("/proc/1/environ", O_RDONLY), EACCES);
	_exit(failures);
}

static void test_permissions(void)
{
	int status = -1;

	if (getuid())
		return;
	put("private", "x");
	CHECK(chmod("private", 0600) == 0 && chmod("file", 0644) == 0);
	CHECK(mkdir("closed", 0700) == 0 && mkdir("sticky", 0777) == 0 && chmod("sticky", 01777) == 0);
	put("closed/file", "x");
	put("sticky/theirs", "x");
	if (!fork())
		as_nobody();
	wait(&status);
	CHECK(status == 0);
	CHECK(unlink("private") == 0 && unlink("closed/file") == 0 && rmdir("closed") == 0);
	CHECK(unlink("sticky/theirs") == 0 && rmdir("sticky") == 0);
}

int main(void)
{
	static const char *const left[] = { "file", "masked", "sealed", "soft", "loop1", "loop2", "dangling", "made" };
	char dir[] = "/tmp/names-XXXXXX";

	umask(022);
	CHECK(mkdtemp(dir) != NULL && chmod(dir, 0755) == 0 && chdir(dir) == 0);
	test_open();
	test_long_names();
	test_links();
	test_dirs();
	test_readdir();
	test_rename();
	test_attributes();
	test_permissions();
	for (unsigned int i = 0; i < sizeof(left) / sizeof(left[0]); i++)
		CHECK(unlink(left[i]) == 0);
	CHECK(chdir("/") == 0 && rmdir(dir) == 0);
	return finish("names");
}
