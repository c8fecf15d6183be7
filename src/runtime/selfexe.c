/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/selfexe.h"
#include "base/auto.h"
#include "base/err.h"
#include "sys/fd.h"
#include "sys/mountfd.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020 /* Linux 6.3 */
#endif

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* A read-only mount that is no longer attached anywhere cannot be made writable by anybody: the
 * kernel changes only mounts of the caller's own namespace.  A sealed memfd cannot change at all.
 */
static bool is_safe(int fd)
{
	struct statvfs st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals >= 0 && (seals & SEALS) == SEALS)
		return true;
	return fstatvfs(fd, &st) == 0 && st.f_flag & ST_RDONLY;
}

static int sealed_copy(int from, struct err *e)
{
	auto_fd int fd = memfd_create("caisson", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ssize_t n;

	if (fd < 0)
		return err_sys(e, "memfd for the own program");
	n = fd_copy(from, fd);
	if (n < 0 || fchmod(fd, 0500) < 0)
		return err_sys(e, "copy the own program");
	if (fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_EXEC) < 0 && fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return err_sys(e, "seal the copy of the own program");
	return take_fd(&fd);
}

int selfexe_open(struct err *e)
{
	struct mountfd_attr ro = {.set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
				  .userns_fd = -1};
	auto_fd int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), tree = -1;

	if (self < 0)
		return err_sys(e, "open '/proc/self/exe'");
	/* About 30 us, against 300 and more for the copy. */
	tree = mountfd_clone(self, "", false);
	if (tree >= 0 && mountfd_change(tree, &ro) == 0 && is_safe(tree))
		return take_fd(&tree);
	return sealed_copy(self, e);
}

int selfexe_ensure(char **argv, char **envp, struct err *e)
{
	auto_fd int self = open("/proc/self/exe", O_PATH | O_CLOEXEC), copy = -1;

	if (self < 0)
		return err_sys(e, "open '/proc/self/exe'");
	if (is_safe(self))
		return 0;
	close(take_fd(&self));
	self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	/* fcntl(F_GET_SEALS) does not work on O_PATH. */
	if (self >= 0 && is_safe(self))
		return 0;
	copy = selfexe_open(e);
	if (copy < 0)
		return copy;
	syscall(SYS_execveat, copy, "", argv, envp, AT_EMPTY_PATH);
	return err_sys(e, "execute the safe copy of the own program");
}
