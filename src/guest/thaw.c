/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/thaw.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "guest/boot.h"
#include "sys/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUS	"/sys/bus/virtio"
#define DEVICES BUS "/devices"
#define NET_ID	"0x0001\n" /* virtio 1.1, 5: device types */

/* Call each with the directory and name of every virtio device below dir. */
static int each_device(const char *dir, int (*each)(int dir_fd, const char *name, void *arg),
		       void *arg)
{
	DIR *d = opendir(dir);
	int r = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	for (const struct dirent *de; r == 0 && (de = readdir(d));)
		if (str_after(de->d_name, "virtio"))
			r = each(dirfd(d), de->d_name, arg);
	closedir(d);
	return r;
}

static int see_net(int dir_fd, const char *name, void *arg)
{
	auto_free char *file = NULL, *id = NULL;
	bool *found = arg;

	if (asprintf(&file, "%s/device", name) < 0)
		abort();
	if (file_read(dir_fd, file, 64, &id) > 0 && streq(id, NET_ID))
		*found = true;
	return 0;
}

static int unbind(int dir_fd, const char *name, void *arg)
{
	return file_put(dir_fd, "unbind", name);
}

static int bind_one(int dir_fd, const char *name, void *arg)
{
	auto_free char *driver = NULL;

	if (asprintf(&driver, "%s/driver", name) < 0)
		abort();
	if (faccessat(dir_fd, driver, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return file_put(AT_FDCWD, BUS "/drivers_probe", name);
}

int thaw_prepare(struct err *e)
{
	static const char *const drivers[] = {BUS "/drivers/virtio_blk", BUS "/drivers/virtio_net"};
	bool net = false;
	int r = boot_modules("late", e);

	if (r < 0)
		return r;
	each_device(DEVICES, see_net, &net);
	if (net)
		r = boot_modules("net", e);
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < sizeof(drivers) / sizeof(drivers[0]); i++)
		r = each_device(drivers[i], unbind, NULL);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "let go of the devices");
	}
	return 0;
}

int thaw_wake(struct err *e)
{
	int r = each_device(DEVICES, bind_one, NULL);

	if (r < 0) {
		errno = -r;
		return err_sys(e, "take the devices");
	}
	return 0;
}
