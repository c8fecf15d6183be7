/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/share.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "sys/fd.h"
#include "sys/path.h"
#include "vmm/guestplan.h"
#include "vmm/vmjail.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

/* Where the share is put together, in a mount namespace that only virtiofsd sees. */
#define STAGE	"/tmp"
#define OPTIONS "source=" STAGE ",xattr,sandbox=namespace"

static const char *find_virtiofsd(void)
{
	static const char *const places[] = {"/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd",
					     "/usr/lib/virtiofsd", "/usr/bin/virtiofsd"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

/* A clone of the source's tree, made before anything covers it. */
static int clone_source(const struct guestplan_share *s, struct err *e)
{
	struct mount_attr ro = {.attr_set = MOUNT_ATTR_RDONLY};
	auto_fd int top = -1, part = -1;
	int fd;

	/* A workload that has the volume may swap links in it: beneath it, or not at all. */
	if (s->subpath) {
		top = open(s->source, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		part = top < 0 ? -errno : path_open(top, s->subpath, O_PATH, 0, PATH_BENEATH);
		if (part < 0) {
			errno = -part;
			return err_sys(e, "share %s: volume-subpath '%s'", s->source, s->subpath);
		}
	}
	fd = (int)syscall(SYS_open_tree, s->subpath ? part : AT_FDCWD, s->subpath ? "" : s->source,
			  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE |
			      (s->subpath ? AT_EMPTY_PATH : 0));
	if (fd < 0)
		return err_sys(e, "share %s", s->source);
	if (s->readonly &&
	    syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &ro, sizeof(ro)) < 0) {
		int r = err_sys(e, "share %s read-only", s->source);

		close(fd);
		return r;
	}
	return fd;
}

static int place(int tree, const char *path, struct err *e)
{
	if (syscall(SYS_move_mount, tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, "share: mount at %s", path);
	return 0;
}

/* Runs in the child: STAGE becomes the directory to export. */
static int stage(void *arg, struct err *e)
{
	const struct guestplan_share *s = arg;
	auto_fd int tree = clone_source(s, e);
	auto_free char *path = NULL;

	if (tree < 0)
		return tree;
	if (!s->file)
		return place(tree, STAGE, e);
	if (mount("share", STAGE, "tmpfs", MS_NOSUID | MS_NODEV, "size=16k,nr_inodes=4,mode=755"))
		return err_sys(e, "share: staging directory");
	if (asprintf(&path, "%s/%s", STAGE, s->file) < 0)
		abort();
	if (mknod(path, S_IFREG | 0644, 0) < 0)
		return err_sys(e, "share: staging file");
	return place(tree, path, e);
}

/* A listening socket and a connection to it.  The kernel chooses an abstract name; what listens
 * accepts one connection and the name is gone with it. */
static int socket_pair(int *listener, int *conn, struct err *e)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(un);
	auto_fd int l = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	auto_fd int c = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (l < 0 || c < 0)
		return err_sys(e, "share: socket");
	if (bind(l, (struct sockaddr *)&un, offsetof(struct sockaddr_un, sun_path)) < 0 ||
	    getsockname(l, (struct sockaddr *)&un, &len) < 0 || listen(l, 1) < 0 ||
	    connect(c, (struct sockaddr *)&un, len) < 0)
		return err_sys(e, "share: socket");
	*listener = take_fd(&l);
	*conn = take_fd(&c);
	return 0;
}

int share_start(const struct guestplan_share *s, const struct share_env *env, struct share *out,
		struct err *e)
{
	const char *program = env->virtiofsd ? env->virtiofsd : find_virtiofsd();
	auto_fd int listener = -1, conn = -1;
	auto_arena struct arena a = ARENA_INIT;
	struct strs argv = {0};
	union {
		const struct guestplan_share *in;
		void *out;
	} u = {.in = s};
	struct vmjail j;
	int r;

	if (!program)
		return err_set(e, ERR_NOT_FOUND,
			       "sharing %s with a virtual machine needs virtiofsd: install "
			       "qemu-system-common or virtiofsd",
			       s->source);
	r = socket_pair(&listener, &conn, e);
	if (r < 0)
		return r;
	arena_strs_add(&a, &argv, program);
	arena_strs_add(&a, &argv, arena_printf(&a, "--fd=%d", VMJAIL_FD_FIRST));
	arena_strs_add(&a, &argv, "-o");
	/* Locks of the host, in which all that have the directory meet, only where that was asked
	 * for: virtiofsd refuses to wait for one (EOPNOTSUPP), which few programs expect. */
	arena_strs_add(&a, &argv,
		       s->consistent ? OPTIONS ",cache=none,flock,posix_lock"
				     : OPTIONS ",cache=auto");
	j = (struct vmjail){
	    .program = program,
	    .argv = &argv,
	    .fds = &listener,
	    .fd_count = 1,
	    .text_fd = env->text_fd,
	    .setup = stage,
	    .setup_arg = u.out,
	    .admit = env->admit,
	    .admit_arg = env->arg,
	};
	r = vmjail_spawn(&j, &out->pid, &out->pidfd, e);
	if (r < 0)
		return err_wrap(e, r, "share %s", s->source);
	out->fd = take_fd(&conn);
	return 0;
}

void share_stop(struct share *s)
{
	if (s->pid > 0) {
		kill(s->pid, SIGKILL);
		while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	fd_close(s->pidfd);
	fd_close(s->fd);
	*s = SHARE_INIT;
}
