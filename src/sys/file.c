/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/file.h"
#include "base/auto.h"
#include "base/fault.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

ssize_t file_read(int dir_fd, const char *name, size_t max, char **data)
{
	auto_fd int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd_slurp(fd, max, data);
}

ssize_t file_read_doc(int dir_fd, const char *name, size_t max, char **data)
{
	auto_fd int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	char some[4096];
	ssize_t n;

	if (fd < 0)
		return -errno;
	do
		n = read(fd, some, sizeof(some) - 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n == sizeof(some) - 1 || (size_t)n > max)
		return lseek(fd, 0, SEEK_SET) < 0 ? -errno : fd_slurp(fd, max, data);
	some[n] = '\0';
	*data = malloc((size_t)n + 1);
	if (!*data)
		abort();
	memcpy(*data, some, (size_t)n + 1);
	return n;
}

static int write_beside(int dir_fd, const char *tmp, const void *data, size_t len, mode_t mode,
			enum file_sync sync)
{
	auto_fd int fd = openat(dir_fd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	int r;

	if (fd < 0)
		return -errno;
	if (fault_point("file-write") < 0)
		return -errno;
	r = fd_write_all(fd, data, len);
	if (r < 0)
		return r;
	return sync == FILE_DURABLE && fdatasync(fd) < 0 ? -errno : 0;
}

int file_replace(int dir_fd, const char *name, const void *data, size_t len, mode_t mode,
		 enum file_sync sync)
{
	char tmp[NAME_MAX + 1];
	unsigned int salt;
	int r;

	if (getrandom(&salt, sizeof(salt), 0) != sizeof(salt))
		return -EIO;
	if (snprintf(tmp, sizeof(tmp), ".%s.tmp-%08x", name, salt) >= (int)sizeof(tmp))
		return -ENAMETOOLONG;
	r = write_beside(dir_fd, tmp, data, len, mode, sync);
	if (r == 0 && (fault_point("file-rename") < 0 || renameat(dir_fd, tmp, dir_fd, name) < 0))
		r = -errno;
	if (r < 0) {
		unlinkat(dir_fd, tmp, 0);
		return r;
	}
	if (sync != FILE_DURABLE)
		return 0;
	return fault_point("file-dirsync") < 0 || fsync(dir_fd) < 0 ? -errno : 0;
}

int file_replace_path(const char *path, const void *data, size_t len, mode_t mode,
		      enum file_sync sync)
{
	const char *slash = strrchr(path, '/');
	auto_free char *above = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	auto_fd int dir = -1;

	if (!above)
		abort();
	dir = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -errno
		       : file_replace(dir, slash ? slash + 1 : path, data, len, mode, sync);
}

int file_put(int dir_fd, const char *name, const char *value)
{
	auto_fd int fd = openat(dir_fd, name, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	do
		n = write(fd, value, strlen(value));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}
