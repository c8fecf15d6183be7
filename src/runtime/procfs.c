/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/procfs.h"
#include "base/auto.h"
#include "base/err.h"
#include "sys/fd.h"
#include "sys/mountfd.h"
#include "sys/path.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define PROC_ROOT_INO 1 /* PROC_ROOT_INO of the kernel's proc_fs.h */

int procfs_check(int fd)
{
	struct stat st;

	if (mountfd_magic(fd) != PROC_SUPER_MAGIC || fstat(fd, &st) < 0 ||
	    st.st_ino != PROC_ROOT_INO)
		return -EXDEV;
	return 0;
}

int procfs_open(struct err *e)
{
	auto_fd int fd = mountfd_new(
	    "proc", NULL, 0, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, NULL, 0);

	if (fd < 0)
		fd = open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open '/proc'");
	if (procfs_check(fd) < 0)
		return err_set(e, ERR_UNSUPPORTED,
			       "'/proc' is not a procfs and a new one may not be mounted here");
	return take_fd(&fd);
}

int procfs_write(int proc, const char *path, const char *value)
{
	auto_fd int fd =
	    path_open(proc, path, O_WRONLY | O_NOFOLLOW, 0, PATH_BENEATH | PATH_NO_XDEV);

	if (fd < 0)
		return fd;
	if (mountfd_magic(fd) != PROC_SUPER_MAGIC)
		return -EXDEV;
	return fd_write_all(fd, value, strlen(value));
}
