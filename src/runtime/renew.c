/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/renew.h"
#include "base/auto.h"
#include "base/err.h"
#include "sys/fd.h"
#include "sys/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Links lead where they lead inside; a link to the other file is that file once more. */
static int put_id(int root_fd, const char *path, const char *machine_id)
{
	auto_fd int fd =
	    path_open(root_fd, path, O_WRONLY | O_NOCTTY | O_NONBLOCK, 0, PATH_IN_ROOT);
	char line[40];
	struct stat st;
	int n;

	if (fd < 0)
		return fd == -ENOENT || fd == -EROFS || fd == -ENOTDIR ? 0 : fd;
	/* Empty: it is made at the next boot. */
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
		return 0;
	n = snprintf(line, sizeof(line), "%.32s\n", machine_id);
	if (ftruncate(fd, 0) < 0)
		return -errno;
	return fd_write_all(fd, line, (size_t)n);
}

static int drop_keys(int root_fd)
{
	int fd = path_open(root_fd, "etc/ssh", O_RDONLY | O_DIRECTORY, 0, PATH_IN_ROOT), r = 0;
	DIR *d;

	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR ? 0 : fd;
	d = fdopendir(fd);
	if (!d) {
		fd_close(fd);
		return -ENOMEM;
	}
	for (const struct dirent *de; r == 0 && (de = readdir(d));)
		if (fnmatch("ssh_host_*_key*", de->d_name, 0) == 0 &&
		    unlinkat(fd, de->d_name, 0) < 0 && errno != ENOENT && errno != EROFS)
			r = -errno;
	closedir(d);
	return r;
}

int renew_files(int root_fd, const char *machine_id, struct err *e)
{
	int r = put_id(root_fd, "etc/machine-id", machine_id);

	if (r == 0)
		r = put_id(root_fd, "var/lib/dbus/machine-id", machine_id);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "machine id of a clone");
	}
	r = drop_keys(root_fd);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "ssh host keys of a clone");
	}
	return 0;
}
