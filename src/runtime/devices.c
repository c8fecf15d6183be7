/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/devices.h"
#include "base/auto.h"
#include "base/str.h"
#include "runtime/runtime_int.h"
#include "runtime/target.h"
#include "sys/fd.h"
#include "sys/mountfd.h"
#include "sys/path.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

#define PTMX_MAJOR	5 /* devices.txt of the kernel: 5:2 is the multiplexer, 136-143 are slaves */
#define PTMX_MINOR	2
#define PTS_MAJOR_FIRST 136
#define PTS_MAJOR_LAST	143

struct node {
	const char *path;   /* inside */
	const char *source; /* on the host, for where it has to be bound; NULL: the same */
	mode_t mode;	    /* with S_IFCHR ... */
	dev_t dev;
	uid_t uid;
	gid_t gid;
};

static bool is_device(int fd, mode_t type, dev_t dev)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type && st.st_rdev == dev;
}

int devices_null(struct err *e)
{
	auto_fd int fd = open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open '/dev/null'");
	if (!is_device(fd, S_IFCHR, makedev(1, 3)))
		return err_set(e, ERR_SYSTEM, "'/dev/null' is not the null device");
	return take_fd(&fd);
}

/* Nodes that may not be made (user namespace, or no CAP_MKNOD) are the host's, bound. */
static int bind_node(const struct job *j, const struct node *n, struct err *e)
{
	const char *source = n->source ? n->source : n->path;
	auto_fd int fd = mountfd_clone(AT_FDCWD, source, false), target = -1;
	int r;

	if (fd < 0) {
		errno = -fd;
		return err_sys(e, "device '%s' of the host", source);
	}
	if (!is_device(fd, n->mode & S_IFMT, n->dev))
		return err_set(e, ERR_UNSUPPORTED,
			       "device '%s' may not be made here and the host's is another one",
			       n->path);
	target = target_open(j->root, n->path, false, NULL, e);
	if (target < 0)
		return target;
	r = mountfd_attach(fd, target);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "bind device '%s'", n->path);
	}
	return 0;
}

/* An image may bring anything under this name; only the device itself is kept. */
static int replace_node(int dir, const char *base, const struct node *n)
{
	struct stat st;

	if (fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if ((st.st_mode & S_IFMT) == (n->mode & S_IFMT) &&
	    (S_ISFIFO(st.st_mode) || st.st_rdev == n->dev))
		return 0;
	if (unlinkat(dir, base, 0) < 0)
		return -errno;
	return mknodat(dir, base, n->mode, n->dev) < 0 ? -errno : 0;
}

static int make_node(const struct job *j, int dir, const char *base, const struct node *n,
		     struct err *e)
{
	int r = mknodat(dir, base, n->mode, n->dev) < 0 ? -errno : 0;

	if (r == -EEXIST)
		r = replace_node(dir, base, n);
	if (r == -EPERM && !S_ISFIFO(n->mode))
		return bind_node(j, n, e);
	if (r == 0 && (n->uid || n->gid) &&
	    fchownat(dir, base, n->uid, n->gid, AT_SYMLINK_NOFOLLOW) < 0)
		r = -errno;
	if (r < 0) {
		errno = -r;
		return err_sys(e, "device '%s'", n->path);
	}
	return 0;
}

static int default_nodes(const struct job *j, int dev, struct err *e)
{
	static const struct {
		const char *name, *path;
		int major, minor;
	} nodes[] = {
	    {"null", "/dev/null", 1, 3},       {"zero", "/dev/zero", 1, 5},
	    {"full", "/dev/full", 1, 7},       {"random", "/dev/random", 1, 8},
	    {"urandom", "/dev/urandom", 1, 9}, {"tty", "/dev/tty", 5, 0},
	};

	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		struct node n = {
		    .path = nodes[i].path,
		    .mode = S_IFCHR | 0666,
		    .dev = makedev((unsigned)nodes[i].major, (unsigned)nodes[i].minor),
		};
		int r = j->userns ? bind_node(j, &n, e) : make_node(j, dev, nodes[i].name, &n, e);

		if (r < 0)
			return r;
	}
	return 0;
}

static int links(int dev, struct err *e)
{
	static const char *const names[][2] = {
	    {"/proc/self/fd", "fd"},	   {"/proc/self/fd/0", "stdin"},
	    {"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"},
	    {"/proc/kcore", "core"},	   {"pts/ptmx", "ptmx"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		/* As runc: only where the host has it. */
		if (streq(names[i][1], "core") && access("/proc/kcore", F_OK) < 0)
			continue;
		if (symlinkat(names[i][0], dev, names[i][1]) == 0)
			continue;
		/* ptmx of an image is most likely a node of the host's devpts. */
		if (errno == EEXIST && streq(names[i][1], "ptmx") &&
		    unlinkat(dev, "ptmx", 0) == 0 && symlinkat(names[i][0], dev, names[i][1]) == 0)
			continue;
		if (errno != EEXIST)
			return err_sys(e, "link '/dev/%s'", names[i][1]);
	}
	return 0;
}

static int listed_node(const struct job *j, const struct plan_device *d, struct err *e)
{
	static const char kinds[] = "cbup";
	static const mode_t types[] = {S_IFCHR, S_IFBLK, S_IFCHR, S_IFIFO};
	const char *kind = d->type && d->type[0] && !d->type[1] ? strchr(kinds, d->type[0]) : NULL;
	struct node n = {.path = d->path, .source = d->source};
	const char *base;
	auto_fd int dir = -1;

	if (!kind)
		return err_set(e, ERR_USAGE, "device '%s': unknown type '%s'", d->path,
			       d->type ? d->type : "");
	n.mode = types[kind - kinds] | (d->file_mode.set ? (mode_t)d->file_mode.v & 07777 : 0666);
	n.dev = S_ISFIFO(n.mode) ? 0 : makedev((unsigned)d->major, (unsigned)d->minor);
	n.uid = d->uid.set ? (uid_t)d->uid.v : 0;
	n.gid = d->gid.set ? (gid_t)d->gid.v : 0;
	if (j->userns && !S_ISFIFO(n.mode))
		return bind_node(j, &n, e);
	dir = path_parent(j->root, d->path, 0755, PATH_IN_ROOT, &base);
	if (dir < 0) {
		errno = -dir;
		return err_sys(e, "directory of device '%s'", d->path);
	}
	return make_node(j, dir, base, &n, e);
}

/* Whoever binds a whole /dev brings what is in it. */
static bool brings_dev(const struct plan *p)
{
	for (size_t i = 0; i < p->mounts.n; i++) {
		const struct plan_mount *m = &p->mounts.v[i];

		if (!streq(m->destination, "/dev") && !streq(m->destination, "/dev/"))
			continue;
		if (m->type && streq(m->type, "bind"))
			return true;
		for (size_t k = 0; k < m->options.n; k++)
			if (streq(m->options.v[k], "bind") || streq(m->options.v[k], "rbind"))
				return true;
	}
	return false;
}

int devices_make(struct job *j, struct err *e)
{
	auto_fd int dev = -1;
	int r;

	if (brings_dev(j->plan))
		return 0;
	/* Whatever "/dev" is in the image, the walk stays in its root (CVE-2026-41579). */
	dev = target_open(j->root, "/dev", true, NULL, e);
	if (dev < 0)
		return dev;
	r = default_nodes(j, dev, e);
	if (r == 0)
		r = links(dev, e);
	for (size_t i = 0; r == 0 && i < j->plan->linux_->devices.n; i++) {
		const struct plan_device *d = &j->plan->linux_->devices.v[i];

		/* The link to the own devpts is there already; the host's would take its place. */
		if (!streq(d->path, "/dev/ptmx"))
			r = listed_node(j, d, e);
	}
	return r;
}

/* ---- terminal ---- */

static int open_master(const struct job *j, struct err *e)
{
	auto_fd int fd = -1;
	struct stat st;

	/* The multiplexer of the devpts that we mounted; for exec, or an instance without one, what
	 * is at /dev/pts, which is checked to be one: its files are the image's to arrange. */
	if (j->devpts >= 0)
		fd = openat(j->devpts, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	else
		fd = path_open(j->root, "dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK, 0,
			       PATH_IN_ROOT);
	if (fd < 0 && j->devpts < 0)
		errno = -fd;
	if (fd < 0)
		return err_sys(e, "open '/dev/pts/ptmx' for the terminal");
	if (mountfd_magic(fd) != DEVPTS_SUPER_MAGIC || fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) ||
	    st.st_rdev != makedev(PTMX_MAJOR, PTMX_MINOR))
		return err_set(e, ERR_DENIED, "'/dev/pts/ptmx' is not a terminal multiplexer");
	if (j->devpts < 0)
		fd_set_nonblock(fd, 0);
	return take_fd(&fd);
}

static int open_slave(int master, struct err *e)
{
	static const int unlock;
	auto_fd int fd = -1;
	struct stat st;

	if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return err_sys(e, "unlock the terminal");
	/* By descriptor: a path to /dev/pts/N can be swapped (CVE-2025-52565). */
	fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open the terminal");
	if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || major(st.st_rdev) < PTS_MAJOR_FIRST ||
	    major(st.st_rdev) > PTS_MAJOR_LAST)
		return err_set(e, ERR_DENIED, "the terminal's other end is not a terminal");
	return take_fd(&fd);
}

static int put_on_console(const struct job *j, int slave, struct err *e)
{
	auto_fd int dev = path_open(j->root, "dev", O_PATH | O_DIRECTORY, 0, PATH_IN_ROOT);
	auto_fd int target = -1, mount = -1;
	int r;

	if (dev < 0) {
		errno = -dev;
		return err_sys(e, "open '/dev'");
	}
	if (mknodat(dev, "console", S_IFREG | 0600, 0) < 0 && errno != EEXIST)
		return err_sys(e, "make '/dev/console'");
	target = openat(dev, "console", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (target < 0)
		return err_sys(e, "open '/dev/console'");
	mount = mountfd_clone(slave, "", false);
	r = mount < 0 ? mount : mountfd_attach(mount, target);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "bind '/dev/console'");
	}
	return 0;
}

static void prepare(const struct job *j, int slave)
{
	const struct plan_console *c = &j->process->console_size;
	struct winsize ws = {.ws_row = (unsigned short)c->height,
			     .ws_col = (unsigned short)c->width};
	struct termios t;

	if (c->height || c->width)
		ioctl(slave, TIOCSWINSZ, &ws);
	if (j->opts->flags & LAUNCH_PLAIN_NEWLINE && tcgetattr(slave, &t) == 0) {
		t.c_oflag &= ~(tcflag_t)ONLCR;
		tcsetattr(slave, TCSANOW, &t);
	}
}

int devices_console(struct job *j, struct err *e)
{
	auto_fd int master = open_master(j, e), slave = -1;
	int r;

	if (master < 0)
		return master;
	slave = open_slave(master, e);
	if (slave < 0)
		return slave;
	if (!j->exec) {
		r = put_on_console(j, slave, e);
		if (r < 0)
			return r;
	}
	prepare(j, slave);
	r = handshake_send(j->sync, HANDSHAKE_CONSOLE, 0, master, e);
	if (r < 0)
		return r;
	j->slave = take_fd(&slave);
	return 0;
}
