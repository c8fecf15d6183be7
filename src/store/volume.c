/* SPDX-License-Identifier: Apache-2.0 */
#include "store/volume.h"
#include "base/auto.h"
#include "base/err.h"
#include "store/instance.h"
#include "sys/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define NAME_LEN (32 + INSTANCE_NAME_MAX)

int volume_ensure(int root_fd, const char *name, struct err *e)
{
	char at[NAME_LEN], beside[NAME_LEN], data[NAME_LEN + 8], id[INSTANCE_ID + 1];
	auto_fd int lock = -1;
	int r = instance_check_name(name, e);

	if (r < 0)
		return r;
	snprintf(at, sizeof(at), "volumes/%s", name);
	if (faccessat(root_fd, at, F_OK, 0) == 0)
		return 0;
	instance_new_id(id);
	snprintf(beside, sizeof(beside), "tmp/volume-%s", id);
	snprintf(data, sizeof(data), "%s/_data", beside);
	if ((mkdirat(root_fd, "volumes", 0711) < 0 && errno != EEXIST) ||
	    (mkdirat(root_fd, "tmp", 0700) < 0 && errno != EEXIST) ||
	    mkdirat(root_fd, beside, 0711) < 0)
		return err_sys(e, "volume '%s'", name);
	/* Locked until it has its name: a sweep takes what is in tmp/ and not locked. */
	lock = openat(root_fd, beside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock < 0 || flock(lock, LOCK_EX) < 0 || mkdirat(root_fd, data, 0755) < 0)
		return err_sys(e, "volume '%s'", name);
	if (renameat(root_fd, beside, root_fd, at) == 0)
		return 1;
	r = errno;
	path_remove(root_fd, beside);
	/* Somebody else made it meanwhile. */
	if (r == EEXIST || r == ENOTEMPTY)
		return 0;
	errno = r;
	return err_sys(e, "volume '%s'", name);
}

int volume_remove(int root_fd, const char *name, struct err *e)
{
	char at[NAME_LEN], beside[NAME_LEN], id[INSTANCE_ID + 1];
	int r = instance_check_name(name, e);

	if (r < 0)
		return r;
	instance_new_id(id);
	snprintf(at, sizeof(at), "volumes/%s", name);
	snprintf(beside, sizeof(beside), "tmp/volume-%s", id);
	if (renameat(root_fd, at, root_fd, beside) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "volume '%s'", name);
	r = path_remove(root_fd, beside);
	if (r == 0)
		return 0;
	errno = -r;
	return err_sys(e, "volume '%s'", name);
}
