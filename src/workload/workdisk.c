/* SPDX-License-Identifier: Apache-2.0 */
#include "workload/workdisk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE 65536
#define SMALL 4096
#define OURS  "caisson-workload.tmp"

/* The directory we were given, and ours in it; -1: not open. */
static int above = -1, ours = -1;

int workdisk_open(const char *dir)
{
	int r = 0;

	above = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (above < 0)
		return -errno;
	if (mkdirat(above, OURS, 0700) < 0 && errno != EEXIST)
		r = -errno;
	if (r == 0)
		ours = openat(above, OURS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (r == 0 && ours < 0)
		r = -errno;
	if (r < 0)
		workdisk_close();
	return r;
}

int workdisk_write(uint64_t bytes)
{
	static char piece[PIECE];
	/* Over what is there: how long a truncation takes depends on what was written before. */
	int fd = openat(ours, "big", O_WRONLY | O_CREAT | O_CLOEXEC, 0600), r = 0;

	if (fd < 0)
		return -errno;
	for (uint64_t at = 0; r == 0 && at < bytes; at += sizeof(piece)) {
		ssize_t n;

		memset(piece, (int)(at / sizeof(piece)), sizeof(piece));
		n = write(fd, piece, sizeof(piece));
		if (n != (ssize_t)sizeof(piece))
			r = n < 0 ? -errno : -ENOSPC;
	}
	if (r == 0 && ftruncate(fd, (off_t)bytes) < 0)
		r = -errno;
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	close(fd);
	return r;
}

static int read_once(uint64_t *bytes)
{
	static char piece[PIECE];
	int fd = openat(ours, "big", O_RDONLY | O_CLOEXEC), r = 0;
	uint64_t at = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while (r == 0 && (n = read(fd, piece, sizeof(piece))) != 0) {
		if (n < 0)
			r = -errno;
		else if (piece[0] != (char)(at / sizeof(piece)) || piece[n - 1] != piece[0])
			r = -EIO;
		at += sizeof(piece);
	}
	close(fd);
	*bytes += at;
	return r == 0 && !at ? -ENODATA : r;
}

int workdisk_read(uint64_t bytes)
{
	uint64_t done = 0;
	int r = 0;

	while (r == 0 && done < bytes)
		r = read_once(&done);
	return r;
}

/* The same places each time. */
static int64_t place(uint64_t *x, uint64_t places)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return (int64_t)(*x % places * SMALL);
}

static int open_big(int flags, uint64_t *places)
{
	int fd = openat(ours, "big", flags | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || st.st_size < SMALL) {
		close(fd);
		return -ENODATA;
	}
	*places = (uint64_t)st.st_size / SMALL;
	return fd;
}

int workdisk_random_read(uint64_t times)
{
	uint64_t places = 0, x = 88172645463325252u;
	int fd = open_big(O_RDONLY, &places), r = fd < 0 ? fd : 0;
	char b[SMALL];

	while (r == 0 && times--)
		if (pread(fd, b, sizeof(b), place(&x, places)) != (ssize_t)sizeof(b))
			r = -EIO;
	if (fd >= 0)
		close(fd);
	return r;
}

int workdisk_random_write(uint64_t times)
{
	uint64_t places = 0, x = 88172645463325252u;
	int fd = open_big(O_WRONLY, &places), r = fd < 0 ? fd : 0;
	char b[SMALL] = "caisson";

	while (r == 0 && times--)
		if (pwrite(fd, b, sizeof(b), place(&x, places)) != (ssize_t)sizeof(b) ||
		    fdatasync(fd) < 0)
			r = errno ? -errno : -EIO;
	if (fd >= 0)
		close(fd);
	return r;
}

static int name_step(int step, const char *name, const char *other)
{
	struct stat st;
	int fd;

	switch (step) {
	case 0:
		fd = openat(ours, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		return fd < 0 ? -1 : close(fd);
	case 1:
		return fstatat(ours, name, &st, 0);
	case 2:
		return renameat(ours, name, ours, other);
	default:
		return unlinkat(ours, other, 0);
	}
}

int workdisk_names(uint64_t files)
{
	for (int step = 0; step < 4; step++)
		for (uint64_t i = 0; i < files; i++) {
			char name[32], other[32];

			snprintf(name, sizeof(name), "file-%u", (unsigned int)i);
			snprintf(other, sizeof(other), "moved-%u", (unsigned int)i);
			if (name_step(step, name, other) < 0)
				return -errno;
		}
	return 0;
}

void workdisk_close(void)
{
	if (ours >= 0) {
		unlinkat(ours, "big", 0);
		close(ours);
	}
	if (above >= 0) {
		unlinkat(above, OURS, AT_REMOVEDIR);
		close(above);
	}
	ours = above = -1;
}
