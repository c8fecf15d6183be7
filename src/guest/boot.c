/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/boot.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "sys/file.h"
#include "sys/netlink.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#define PORT_NAME    "caisson"
#define LIST_MAX     65536
#define PORT_WAIT_MS 5000
#define MODULE_MAX   (16u << 20)

/* The state of this file: the initramfs' /modules, kept open because the directory has no path
 * after the change of root, and which groups are loaded, each by its first letter. */
static int modules_fd = -1;
static bool loaded[UCHAR_MAX + 1];

struct kernel_fs {
	const char *target, *type, *options;
	unsigned long flags;
};

static int mount_one(const struct kernel_fs *m, struct err *e)
{
	if (mkdir(m->target, 0755) < 0 && errno != EEXIST)
		return err_sys(e, "mkdir %s", m->target);
	if (mount(m->type, m->target, m->type, m->flags, m->options) < 0 && errno != EBUSY)
		return err_sys(e, "mount %s", m->target);
	return 0;
}

/* Become the root: a file system that is mounted over the initramfs has a parent, which
 * pivot_root(2) of a container inside needs. */
static int new_root(struct err *e)
{
	if (mkdir("/new", 0755) < 0 && errno != EEXIST)
		return err_sys(e, "mkdir /new");
	if (mount("root", "/new", "tmpfs", 0, "mode=755") < 0)
		return err_sys(e, "mount the root");
	if (mkdir("/new/run", 0755) < 0 || mkdir("/new/run/caisson", 0700) < 0)
		return err_sys(e, "mkdir /run/caisson");
	/* Our own file stays in reach: --init executes it. */
	if (mknod("/new/init", S_IFREG | 0444, 0) < 0 ||
	    mount("/init", "/new/init", NULL, MS_BIND, NULL) < 0)
		return err_sys(e, "keep /init");
	if (chdir("/new") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
	    chdir("/") < 0)
		return err_sys(e, "change of root");
	return 0;
}

static int lo_up(struct err *e)
{
	struct nlmsg_sock s;
	struct netlink_link lo;
	int r = nlmsg_open(&s, NETLINK_ROUTE);

	if (r == 0) {
		r = netlink_link_get(&s, "lo", &lo);
		if (r == 0)
			r = netlink_link_up(&s, lo.index);
		nlmsg_close(&s);
	}
	if (r < 0) {
		errno = -r;
		return err_sys(e, "interface lo");
	}
	return 0;
}

/* favordynmods, where the kernel knows it (Linux 6.0): processes enter cgroups without waiting for
 * a grace period of RCU. */
static int mount_cgroup(struct err *e)
{
	struct kernel_fs m = {"/sys/fs/cgroup", "cgroup2", "favordynmods",
			      MS_NOSUID | MS_NODEV | MS_NOEXEC};
	int r = mount_one(&m, NULL);

	if (r == 0)
		return 0;
	m.options = NULL;
	return mount_one(&m, e);
}

/* What is waited for in the kernel, measured under emulation: namespaces end 80 ms sooner with
 * expedited grace periods (during boot they are so anyway), and there is no modprobe that the
 * kernel could start for each algorithm it misses.  Older kernels have neither. */
static void tune(void)
{
	file_put(AT_FDCWD, "/sys/kernel/rcu_expedited", "1");
	file_put(AT_FDCWD, "/proc/sys/kernel/modprobe", "\n");
}

int boot_mounts(struct err *e)
{
	static const struct kernel_fs list[] = {
	    {"/proc", "proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
	    {"/sys", "sysfs", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
	    {"/dev", "devtmpfs", "mode=755", MS_NOSUID},
	    {"/dev/pts", "devpts", "mode=620,ptmxmode=666", MS_NOSUID | MS_NOEXEC},
	    {"/dev/mqueue", "mqueue", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
	};
	int r;

	modules_fd = open("/modules", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (modules_fd < 0)
		return err_sys(e, "/modules");
	r = new_root(e);
	for (size_t i = 0; r == 0 && i < sizeof(list) / sizeof(list[0]); i++)
		r = mount_one(&list[i], e);
	if (r == 0)
		r = mount_cgroup(e);
	if (r == 0)
		tune();
	return r < 0 ? r : lo_up(e);
}

/* Without the last line of its signature a module counts as unsigned: an emulated CPU needs some
 * 10 ms to verify one, of a file that came with the kernel itself.  A kernel that insists gets it
 * whole.  Source: Linux, Documentation/admin-guide/module-signing.rst. */
static int load(const char *file, struct err *e)
{
	static const char mark[] = "~Module signature appended~\n";
	const size_t tail = sizeof(mark) - 1;
	auto_free char *data = NULL;
	ssize_t n = file_read(modules_fd, file, MODULE_MAX, &data);
	size_t whole = n < 0 ? 0 : (size_t)n, len = whole;
	long r;

	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "module %s", file);
	}
	if (whole > tail && memcmp(data + whole - tail, mark, tail) == 0)
		len -= tail;
	r = syscall(SYS_init_module, data, len, "");
	if (r < 0 && len < whole && errno != EEXIST)
		r = syscall(SYS_init_module, data, whole, "");
	if (r < 0 && errno != EEXIST)
		return err_sys(e, "module %s", file);
	return 0;
}

int boot_modules(const char *group, struct err *e)
{
	auto_free char *text = NULL;
	bool *done = &loaded[(unsigned char)*group];
	char *save = NULL;
	ssize_t n;

	if (*done)
		return 0;
	n = file_read(modules_fd, "list", LIST_MAX, &text);
	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "/modules/list");
	}
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		const char *rest = str_after(line, group);
		int r;

		if (!rest || *rest != ' ')
			continue;
		r = load(rest + 1, e);
		if (r < 0)
			return r;
	}
	*done = true;
	return 0;
}

/* /dev/<port> of the port whose sysfs name file says PORT_NAME; 0 when there is none. */
static int find_port(char *path, size_t size)
{
	DIR *d = opendir("/sys/class/virtio-ports");
	int found = 0;

	if (!d)
		return 0;
	for (const struct dirent *de; !found && (de = readdir(d));) {
		auto_free char *name = NULL, *file = NULL;

		if (de->d_name[0] == '.' || asprintf(&file, "%s/name", de->d_name) < 0)
			continue;
		if (file_read(dirfd(d), file, 64, &name) <= 0)
			continue;
		name[strcspn(name, "\n")] = '\0';
		if (streq(name, PORT_NAME)) {
			snprintf(path, size, "/dev/%s", de->d_name);
			found = 1;
		}
	}
	closedir(d);
	return found;
}

/* The port hangs up until the device has told that the host side is open, which comes by a queue of
 * its own and has no event a poll could wait for. */
static int wait_connected(int fd)
{
	struct timespec step = {.tv_nsec = 1000000};

	for (int ms = 0; ms < PORT_WAIT_MS; ms++) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};

		if (poll(&p, 1, 0) >= 0 && !(p.revents & POLLHUP))
			return 0;
		nanosleep(&step, NULL);
	}
	return -ETIMEDOUT;
}

int boot_port(struct err *e)
{
	char path[300];
	auto_fd int fd = -1;

	if (!find_port(path, sizeof(path)))
		return err_set(e, ERR_NOT_FOUND, "no virtio port named " PORT_NAME);
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "%s", path);
	if (wait_connected(fd) < 0)
		return err_set(e, ERR_TIMEOUT, "the host does not connect %s", path);
	return take_fd(&fd);
}
