/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/fd.h"
#include "base/auto.h"
#include "base/fault.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

int fd_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;
	size_t all = len;

	len = fault_length("fd-write", len);
	all -= len;
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return all ? -ENOSPC : 0;
}

ssize_t fd_read_full(int fd, void *data, size_t len)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = read(fd, (char *)data + got, len - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

static ssize_t copy_by_hand(int from, int to, ssize_t done)
{
	char b[65536];

	for (;;) {
		ssize_t n = read(from, b, sizeof(b));
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : done;
		r = fd_write_all(to, b, (size_t)n);
		if (r < 0)
			return r;
		done += n;
	}
}

ssize_t fd_copy(int from, int to)
{
	ssize_t done = 0;

	for (;;) {
		ssize_t n = copy_file_range(from, NULL, to, NULL, 1 << 30, 0);

		if (n < 0 && errno == EINTR)
			continue;
		/* A kernel that cannot do it for this pair, and /proc files that claim to be empty.
		 */
		if (n < 0 || (n == 0 && done == 0))
			return copy_by_hand(from, to, done);
		if (n == 0)
			return done;
		done += n;
	}
}

ssize_t fd_slurp(int fd, size_t max, char **data)
{
	size_t cap = 4096, len = 0;
	char *p = malloc(cap + 1);

	for (;;) {
		ssize_t n;

		if (!p)
			abort();
		n = fd_read_full(fd, p + len, cap - len);
		if (n < 0 || len + (size_t)n > max) {
			free(p);
			return n < 0 ? n : -EFBIG;
		}
		len += (size_t)n;
		if (len < cap)
			break;
		cap *= 2;
		p = realloc(p, cap + 1);
	}
	p[len] = '\0';
	*data = p;
	return (ssize_t)len;
}

int fd_sealed(const char *name, const void *data, size_t len)
{
	auto_fd int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, data, len);
	if (r < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return -errno;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	return take_fd(&fd);
}

/* Without close_range (before 5.9, or 5.11 for the flag) the open descriptors are listed. */
static int each_from(int first, int (*fn)(int fd))
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *de;
	int r = 0;

	if (!d)
		return -errno;
	while (r >= 0 && (de = readdir(d))) {
		long fd = strtol(de->d_name, NULL, 10);

		if (de->d_name[0] != '.' && fd >= first && fd != dirfd(d))
			r = fn((int)fd);
	}
	closedir(d);
	return r < 0 ? r : 0;
}

static int set_cloexec(int fd)
{
	return fd_set_cloexec(fd, 1);
}

int fd_cloexec_from(int first)
{
	if (syscall(SYS_close_range, first, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		return 0;
	return each_from(first, set_cloexec);
}

int fd_close_from(int first)
{
	if (syscall(SYS_close_range, first, ~0U, 0) == 0)
		return 0;
	return each_from(first, close);
}

/* The lowest of keep that is not below first, or -1. */
static int next_kept(int first, const int *keep, size_t n)
{
	int found = -1;

	for (size_t i = 0; i < n; i++)
		if (keep[i] >= first && (found < 0 || keep[i] < found))
			found = keep[i];
	return found;
}

int fd_close_but(int first, const int *keep, size_t n)
{
	for (;;) {
		int at = next_kept(first, keep, n);

		if (at < 0)
			return fd_close_from(first);
		/* Before 5.9 one by one. */
		if (at > first && syscall(SYS_close_range, first, at - 1, 0) < 0)
			for (int fd = first; fd < at; fd++)
				close(fd);
		first = at + 1;
	}
}

int fd_set_cloexec(int fd, int on)
{
	int fl = fcntl(fd, F_GETFD);

	if (fl < 0)
		return -errno;
	fl = on ? fl | FD_CLOEXEC : fl & ~FD_CLOEXEC;
	return fcntl(fd, F_SETFD, fl) < 0 ? -errno : 0;
}

int fd_set_nonblock(int fd, int on)
{
	int fl = fcntl(fd, F_GETFL);

	if (fl < 0)
		return -errno;
	fl = on ? fl | O_NONBLOCK : fl & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, fl) < 0 ? -errno : 0;
}

void fd_close(int fd)
{
	auto_release_fd(&fd);
}
