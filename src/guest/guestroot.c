/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/guestroot.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "guest/boot.h"
#include "spec/plan.h"
#include "sys/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define BASE	   "/run/caisson"
#define IMAGE	   GUESTROOT_IMAGE
#define RW	   BASE "/rw"
#define SHARES_DIR BASE "/shares"

static int make_dir(const char *path, struct err *e)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return err_sys(e, "mkdir %s", path);
	return 0;
}

/* The device node of the disk with this serial: disks have no fixed order. */
static int disk_of(const char *serial, char *path, size_t size, struct err *e)
{
	DIR *d = opendir("/sys/block");
	int found = 0;

	if (!d)
		return err_sys(e, "/sys/block");
	for (const struct dirent *de; !found && (de = readdir(d));) {
		auto_free char *text = NULL, *file = NULL;

		if (de->d_name[0] == '.' || asprintf(&file, "%s/serial", de->d_name) < 0)
			continue;
		if (file_read(dirfd(d), file, 64, &text) < 0)
			continue;
		text[strcspn(text, "\n")] = '\0';
		if (streq(text, serial)) {
			snprintf(path, size, "/dev/%s", de->d_name);
			found = 1;
		}
	}
	closedir(d);
	if (!found)
		return err_set(e, ERR_NOT_FOUND, "no disk with serial '%s'", serial);
	return 0;
}

static int mount_disk(const char *serial, const char *target, const char *type, unsigned long flags,
		      struct err *e)
{
	char dev[300];
	int r = disk_of(serial, dev, sizeof(dev), e);

	if (r == 0)
		r = make_dir(target, e);
	if (r < 0)
		return r;
	if (mount(dev, target, type, flags, NULL) < 0)
		return err_sys(e, "mount disk '%s' as %s", serial, type);
	return 0;
}

static int mount_upper(const struct plan_rootfs *rootfs, struct err *e)
{
	int r;

	if (rootfs->disk_rw) {
		r = mount_disk("rw", RW, "ext4", MS_NOATIME, e);
	} else {
		r = make_dir(RW, e);
		if (r == 0 && mount("rw", RW, "tmpfs", 0, "mode=755") < 0)
			r = err_sys(e, "mount the writable layer");
	}
	if (r == 0)
		r = make_dir(RW "/upper", e);
	if (r == 0)
		r = make_dir(RW "/work", e);
	return r;
}

/* upper carries the mode and owner that the root directory of the instance shows. */
static int copy_root_attributes(struct err *e)
{
	struct stat st;

	if (stat(IMAGE, &st) < 0 || chown(RW "/upper", st.st_uid, st.st_gid) < 0 ||
	    chmod(RW "/upper", st.st_mode & 07777) < 0)
		return err_sys(e, "attributes of the root directory");
	return 0;
}

/* The root is a directory of the host, shared under the tag that stands as the only layer. */
static int mount_shared_root(const struct plan *p, struct err *e)
{
	const char *tag = p->caisson->rootfs.lower.v[0];
	int r = boot_modules("share", e);

	if (r < 0)
		return r;
	if (mount(tag, p->root->path, "virtiofs", p->root->readonly ? MS_RDONLY : 0, NULL) < 0)
		return err_sys(e, "mount the root '%s'", tag);
	return 0;
}

static int mount_root(const struct plan *p, struct err *e)
{
	const struct plan_rootfs *rootfs = &p->caisson->rootfs;
	int r = make_dir(p->root->path, e);

	if (r == 0 && !rootfs->disk.n && rootfs->lower.n)
		return mount_shared_root(p, e);
	if (r == 0)
		r = rootfs->disk.n ? mount_disk("image", IMAGE, "erofs", MS_RDONLY, e)
				   : make_dir(IMAGE, e);
	if (r < 0)
		return r;
	/* Also for a read-only root: the runtime makes mount points in it before it closes it. */
	r = mount_upper(rootfs, e);
	if (r == 0)
		r = copy_root_attributes(e);
	if (r < 0)
		return r;
	/* index, xino, metacopy: as the host's overlay for containers has them, off. */
	if (mount("overlay", p->root->path, "overlay", 0,
		  "lowerdir=" IMAGE ",upperdir=" RW "/upper,workdir=" RW "/work") < 0)
		return err_sys(e, "mount the root's overlay");
	return 0;
}

/* "/run/caisson/shares/3/name" -> 3, or -1. */
static int share_number(const char *source)
{
	const char *rest = source ? str_after(source, SHARES_DIR "/") : NULL;
	unsigned int n = 0;

	if (!rest || *rest < '0' || *rest > '9')
		return -1;
	for (; *rest >= '0' && *rest <= '9' && n < 1000; rest++)
		n = n * 10 + (unsigned int)(*rest - '0');
	return *rest && *rest != '/' ? -1 : (int)n;
}

static int mount_shares(const struct plan *p, struct err *e)
{
	int modules = 0, r;

	for (size_t i = 0; i < p->mounts.n; i++) {
		int n = share_number(p->mounts.v[i].source);
		char path[64], tag[32];

		if (n < 0)
			continue;
		if (!modules++) {
			r = boot_modules("share", e);
			if (r == 0)
				r = make_dir(SHARES_DIR, e);
			if (r < 0)
				return r;
		}
		snprintf(path, sizeof(path), SHARES_DIR "/%d", n);
		snprintf(tag, sizeof(tag), "share%d", n);
		if (mkdir(path, 0755) < 0) {
			if (errno == EEXIST) /* a second mount of the same share */
				continue;
			return err_sys(e, "mkdir %s", path);
		}
		if (mount(tag, path, "virtiofs", 0, NULL) < 0)
			return err_sys(e, "mount %s", tag);
	}
	return 0;
}

int guestroot_mount(const struct plan *p, struct err *e)
{
	int r;

	if (!p->caisson || !p->root || !p->root->path)
		return err_set(e, ERR_USAGE, "plan without root");
	r = mount_root(p, e);
	return r < 0 ? r : mount_shares(p, e);
}

void guestroot_unmount(void)
{
	umount2(BASE "/root", 0);
	if (umount2(RW, 0) < 0)
		mount(NULL, RW, NULL, MS_REMOUNT | MS_RDONLY, NULL);
	sync();
}
