/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/mountfd.h"
#include "base/auto.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

/* The context's log holds lines "e overlay: ..."; the last one is what went wrong. */
static int explain(int fs, char *why, size_t size)
{
	int saved = errno;
	ssize_t n;

	if (why && size) {
		char line[256];

		why[0] = '\0';
		while (fs >= 0 && (n = read(fs, line, sizeof(line) - 1)) > 0) {
			line[n] = '\0';
			line[strcspn(line, "\n")] = '\0';
			snprintf(why, size, "%s", n > 2 ? line + 2 : line);
		}
	}
	errno = saved;
	return -saved;
}

static int configure(int fs, const char *opt)
{
	const char *eq = strchr(opt, '=');
	char key[64];

	if (!eq)
		return fsconfig(fs, FSCONFIG_SET_FLAG, opt, NULL, 0);
	if ((size_t)(eq - opt) >= sizeof(key)) {
		errno = EINVAL;
		return -1;
	}
	memcpy(key, opt, (size_t)(eq - opt));
	key[eq - opt] = '\0';
	return fsconfig(fs, FSCONFIG_SET_STRING, key, eq + 1, 0);
}

int mountfd_new(const char *type, const char *const *opts, size_t n, uint64_t attr, char *why,
		size_t size)
{
	auto_fd int fs = fsopen(type, FSOPEN_CLOEXEC);
	int fd;

	if (fs < 0)
		return explain(-1, why, size);
	for (size_t i = 0; i < n; i++)
		if (configure(fs, opts[i]) < 0)
			return explain(fs, why, size);
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return explain(fs, why, size);
	fd = fsmount(fs, FSOPEN_CLOEXEC, (unsigned int)attr);
	return fd < 0 ? explain(fs, why, size) : fd;
}

int mountfd_clone(int dir_fd, const char *path, bool recursive)
{
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
	int fd;

	if (recursive)
		flags |= AT_RECURSIVE;
	if (!*path)
		flags |= AT_EMPTY_PATH;
	fd = open_tree(dir_fd, path, flags);
	return fd < 0 ? -errno : fd;
}

int mountfd_clone_there(int mnt_ns, const char *path)
{
	auto_fd int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	auto_fd int cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd;

	/* Process 1 shares root and working directory with the kernel's threads: EINVAL. */
	if (own < 0 || cwd < 0 || unshare(CLONE_FS) < 0 || setns(mnt_ns, CLONE_NEWNS) < 0)
		return -errno;
	fd = mountfd_clone(AT_FDCWD, path, false);
	/* Anywhere else it cannot go on. */
	if (setns(own, CLONE_NEWNS) < 0 || fchdir(cwd) < 0)
		abort();
	return fd;
}

int mountfd_change(int fd, const struct mountfd_attr *a)
{
	struct mount_attr attr = {
	    .attr_set = a->set,
	    .attr_clr = a->clear,
	    .propagation = a->propagation,
	};

	if (a->set & MOUNT_ATTR_IDMAP)
		attr.userns_fd = (uint64_t)a->userns_fd;
	if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | (a->recursive ? AT_RECURSIVE : 0),
		    &attr, sizeof(attr)) < 0)
		return -errno;
	return 0;
}

int mountfd_attach(int fd, int target_fd)
{
	if (move_mount(fd, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
	    0)
		return -errno;
	return 0;
}

uint64_t mountfd_magic(int fd)
{
	struct statfs st;

	return fstatfs(fd, &st) < 0 ? 0 : (uint64_t)st.f_type;
}
