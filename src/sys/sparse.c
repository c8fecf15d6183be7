/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/sparse.h"
#include "sys/fd.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static int copy_range(int from, int to, off_t at, off_t end)
{
	if (lseek(from, at, SEEK_SET) < 0 || lseek(to, at, SEEK_SET) < 0)
		return -errno;
	while (at < end) {
		char b[SPARSE_BLOCK];
		size_t n = (size_t)(end - at) < sizeof(b) ? (size_t)(end - at) : sizeof(b);
		ssize_t got = fd_read_full(from, b, n);
		int r = got <= 0 ? -EIO : fd_write_all(to, b, (size_t)got);

		if (r < 0)
			return r;
		at += got;
	}
	return 0;
}

int sparse_copy(int from, int to)
{
	off_t at = 0, end;

	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	while ((at = lseek(from, at, SEEK_DATA)) >= 0) {
		int r;

		end = lseek(from, at, SEEK_HOLE);
		r = end < 0 ? -errno : copy_range(from, to, at, end);
		if (r < 0)
			return r;
		at = end;
	}
	if (errno != ENXIO)
		return -errno;
	end = lseek(from, 0, SEEK_END);
	return end < 0 || ftruncate(to, end) < 0 ? -errno : 0;
}

static bool is_zero(const char *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

int sparse_each(int fd, int (*each)(const void *data, size_t len, uint64_t at, void *arg),
		void *arg)
{
	char b[SPARSE_BLOCK];
	off_t at = 0;
	int r = 0;

	/* A file system without holes says that everything is data. */
	while (r >= 0 && (at = lseek(fd, at, SEEK_DATA)) >= 0) {
		ssize_t n;

		at -= at % SPARSE_BLOCK;
		n = pread(fd, b, sizeof(b), at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		if (!is_zero(b, (size_t)n))
			r = each(b, (size_t)n, (uint64_t)at, arg);
		at += SPARSE_BLOCK;
	}
	if (r < 0)
		return r;
	return at < 0 && errno != ENXIO ? -errno : 0;
}
