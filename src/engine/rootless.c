/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * RUN/ns/users	locked shared by whoever uses the namespaces, tried exclusively by the holder:
 *		got it, nobody does.  It removes RUN/ns/holder under that lock, so whoever has the
 *		shared lock reads a record that stays true, or none.
 * RUN/ns/make	locked by the command that makes the namespaces, or finds them again.
 *
 * Was the holder killed while instances run, their monitors still are in the user namespace, and
 * hold a descriptor of the network namespace: a new holder is made in both.  Their numbers in the
 * record tell them from all others.
 */
#include "engine/rootless.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/session.h"
#include "fmt/passwd.h"
#include "fmt/subid.h"
#include "net/outside.h"
#include "store/instance.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/path.h"
#include "sys/userns.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define RANGES_MAX 16
#define IDLE_MS	   10000

/* ---- the run root ---- */

static int open_run(const char *path, struct err *e)
{
	auto_fd int top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
	struct stat st;
	int r;

	r = top < 0 ? -errno : path_mkdirs(top, path, 0700, PATH_IN_ROOT);
	if (r >= 0) {
		close(r);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (r < 0 || fd < 0 || fstat(fd, &st) < 0) {
		errno = r < 0 ? -r : errno;
		return err_sys(e, "cannot open '%s'", path);
	}
	/* /tmp is everybody's: another user may have been there first. */
	if (st.st_uid != geteuid() || st.st_mode & 022)
		return err_set(e, ERR_DENIED,
			       "'%s' does not belong to this user alone (owner %u, mode %04o)",
			       path, (unsigned int)st.st_uid, (unsigned int)st.st_mode & 07777);
	if (mkdirat(fd, "ns", 0700) < 0 && errno != EEXIST)
		return err_sys(e, "'%s/ns'", path);
	return take_fd(&fd);
}

static int lock_file(int run, const char *name, int how, struct err *e)
{
	auto_fd int fd = openat(run, name, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return err_sys(e, "run-root/%s", name);
	do
		r = flock(fd, how);
	while (r < 0 && errno == EINTR);
	return r < 0 ? err_sys(e, "lock run-root/%s", name) : take_fd(&fd);
}

/* ---- id maps ---- */

/* "0 UID 1 1 FIRST COUNT ...": ourselves as root, then every range of ours. */
static void print_map(struct buf *b, const char *file, const char *name, uint32_t own, uint32_t uid)
{
	auto_free char *text = NULL;
	struct subid v[RANGES_MAX];
	uint32_t at = 1;
	size_t n = 0;

	if (file_read(AT_FDCWD, file, 4 << 20, &text) >= 0)
		n = subid_ranges(text, name, uid, v, RANGES_MAX);
	if (!n)
		return;
	buf_printf(b, "0 %u 1", own);
	for (size_t i = 0; i < n && v[i].count <= UINT32_MAX - at; i++) {
		buf_printf(b, " %u %u %u", at, v[i].first, v[i].count);
		at += v[i].count;
	}
}

/* Without ranges, or without the two programs, there is one id: ours. */
static int map_ids(pid_t pid, struct err *e)
{
	auto_buf struct buf uids = BUF_INIT(4096), gids = BUF_INIT(4096);
	auto_free char *passwd = NULL;
	auto_free char *name = NULL;
	struct passwd_user u;
	int r = -ENOENT;

	if (file_read(AT_FDCWD, "/etc/passwd", 4 << 20, &passwd) >= 0 &&
	    passwd_find_user(passwd, NULL, geteuid(), &u))
		name = strndup(u.name, u.name_len);
	print_map(&uids, "/etc/subuid", name, geteuid(), geteuid());
	print_map(&gids, "/etc/subgid", name, getegid(), geteuid());
	if (uids.len && gids.len)
		r = userns_map_by("newuidmap", pid, uids.p);
	if (r == 0)
		r = userns_map_by("newgidmap", pid, gids.p);
	if (r == -EACCES)
		return err_set(e, ERR_DENIED,
			       "newuidmap or newgidmap refused this user's own ranges of "
			       "/etc/subuid and /etc/subgid");
	if (r == -ENOENT)
		r = userns_map_single(pid);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "map ids into the user namespace");
	}
	return 0;
}

/* ---- the holder ---- */

struct holding {
	struct session *s;
	int run;
	int user, net; /* namespaces to be held; -1: new ones */
	int ready[2];  /* from the child: it is in a new user namespace */
	int go[2];     /* to the child: its ids are mapped */
	int failed[2]; /* from the child: errno of what failed; closed by execve */
};

static int become_holder(struct holding *h)
{
	const char *argv[] = {h->s->self, "--run-root", h->s->run_root, "__hold", NULL};
	static char *const nothing[] = {NULL};
	union {
		const char **in;
		char *const *out;
	} u = {.in = argv};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;
	char c = 0;

	if (h->user >= 0) {
		if (setns(h->user, CLONE_NEWUSER) < 0 || setns(h->net, CLONE_NEWNET) < 0)
			return -errno;
	} else {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
			return -errno;
		/* Who gained capabilities is not dumpable, and then newuidmap may not look. */
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
		if (write(h->ready[1], &c, 1) != 1 || fd_read_full(h->go[0], &c, 1) != 1)
			return -ECANCELED;
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	for (int i = 0; i < 3; i++)
		if (dup2(null, i) < 0)
			return -errno;
	if (chdir("/") < 0 || fd_cloexec_from(3) < 0)
		return -errno;
	execve(h->s->self, u.out, nothing);
	return -errno;
}

static int refused(int why, struct err *e)
{
	if (why == -EPERM || why == -ENOSPC || why == -EINVAL)
		return err_set(
		    e, ERR_UNSUPPORTED,
		    "this kernel lets an ordinary user make no user namespace (see "
		    "user.max_user_namespaces, kernel.unprivileged_userns_clone, "
		    "kernel.apparmor_restrict_unprivileged_userns); root can run instances");
	errno = -why;
	return err_sys(e, "make a user namespace");
}

/* The parent's side; the holder is nobody's child when we have gone. */
static int await_holder(struct holding *h, pid_t pid, struct err *e)
{
	int why = 0, r = 0;
	char c = 0;

	if (h->user < 0 && fd_read_full(h->ready[0], &c, 1) == 1) {
		r = map_ids(pid, e);
		if (r == 0 && write(h->go[1], &c, 1) != 1)
			r = err_sys(e, "user namespace");
	}
	close(take_fd(&h->go[1]));
	if (fd_read_full(h->failed[0], &why, sizeof(why)) == sizeof(why) && r == 0)
		r = refused(why, e);
	return r;
}

static int record(struct holding *h, pid_t pid, struct userns_holder *out, struct err *e)
{
	int r = userns_holder_look(pid, out);

	if (r == 0)
		r = userns_holder_write(h->run, out);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "the process that holds the user namespace");
	}
	return 0;
}

static int make_holder(struct holding *h, struct userns_holder *out, struct err *e)
{
	int *pipes[] = {h->ready, h->go, h->failed};
	int r = 0;
	pid_t pid;

	for (size_t i = 0; i < 3; i++)
		if (pipe2(pipes[i], O_CLOEXEC) < 0)
			return err_sys(e, "pipe");
	pid = fork();
	if (pid == 0) {
		int why;

		close(h->go[1]);
		why = become_holder(h);
		_exit(write(h->failed[1], &why, sizeof(why)) != sizeof(why));
	}
	close(h->ready[1]);
	close(h->failed[1]);
	r = pid < 0 ? err_sys(e, "fork") : await_holder(h, pid, e);
	if (r == 0)
		r = record(h, pid, out, e);
	if (r < 0 && pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	close(h->ready[0]);
	close(h->go[0]);
	fd_close(h->go[1]);
	close(h->failed[0]);
	return r;
}

/* ---- finding namespaces again whose holder was killed ---- */

struct search {
	int root;
	struct userns_holder want;
	int user, net;
};

/* A descriptor of the process that is this network namespace. */
static int borrow_net(pid_t pid, uint64_t number)
{
	char path[64], link[64], want[48];
	struct dirent *de;
	int found = -1;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	snprintf(want, sizeof(want), "net:[%llu]", (unsigned long long)number);
	d = opendir(path);
	while (d && found < 0 && (de = readdir(d))) {
		ssize_t n = readlinkat(dirfd(d), de->d_name, link, sizeof(link) - 1);

		link[n < 0 ? 0 : n] = '\0';
		if (n > 0 && streq(link, want))
			found = openat(dirfd(d), de->d_name, O_RDONLY | O_CLOEXEC);
	}
	if (d)
		closedir(d);
	return found;
}

static int try_monitor(const char *id, void *arg)
{
	auto_arena struct arena a = ARENA_INIT;
	struct search *s = arg;
	struct instance_start st = {0};
	auto_free char *text = NULL;
	struct userns_holder h = s->want;
	char path[112];
	ssize_t n;

	snprintf(path, sizeof(path), "instances/%.64s/start.json", id);
	n = file_read(s->root, path, 1 << 20, &text);
	if (n < 0 ||
	    jbind_parse(&instance_start_table, text, (size_t)n, &st, &a, "start.json", NULL) < 0 ||
	    st.monitor_pid < 2)
		return 0;
	h.pid = (pid_t)st.monitor_pid;
	if (s->user < 0)
		s->user = userns_holder_same_user(&h);
	if (s->user >= 0 && s->net < 0)
		s->net = borrow_net(h.pid, h.net);
	return s->user >= 0 && s->net >= 0 ? -ECANCELED : 0;
}

static void find_again(struct holding *h, const struct userns_holder *old)
{
	auto_fd int root = open(h->s->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct search s = {root, *old, -1, -1};

	if (root >= 0)
		(void)instance_each(root, try_monitor, &s, NULL);
	if (s.user >= 0 && s.net >= 0) {
		h->user = s.user;
		h->net = s.net;
		return;
	}
	fd_close(s.user);
	fd_close(s.net);
}

/* ---- entering ---- */

static int recorded(int run, struct userns_holder *h)
{
	int r = userns_holder_read(run, h);

	return r < 0 ? r : userns_holder_user(h);
}

static int make_or_find(struct session *s, int run, struct err *e)
{
	auto_fd int make = lock_file(run, "ns/make", LOCK_EX, e);
	struct holding h = {.s = s, .run = run, .user = -1, .net = -1};
	struct userns_holder holder = {0};
	int fd, r;

	if (make < 0)
		return make;
	fd = recorded(run, &holder); /* somebody was faster */
	if (fd >= 0)
		return fd;
	if (fd == -ESTALE)
		find_again(&h, &holder);
	r = make_holder(&h, &holder, e);
	fd_close(h.user);
	fd_close(h.net);
	if (r < 0)
		return r;
	fd = userns_holder_user(&holder);
	return fd < 0 ? err_set(e, ERR_SYSTEM, "the user namespace went away") : fd;
}

int rootless_enter(struct session *s, struct err *e)
{
	auto_fd int run = open_run(s->run_root, e), users = -1, user = -1;
	struct userns_holder h;

	if (run < 0)
		return run;
	users = lock_file(run, "ns/users", LOCK_SH, e);
	if (users < 0)
		return users;
	user = recorded(run, &h);
	if (user < 0)
		user = make_or_find(s, run, e);
	if (user < 0)
		return user;
	if (setns(user, CLONE_NEWUSER) < 0)
		return err_sys(e, "enter the user namespace of '%s'", s->run_root);
	/* A copy of the caller's own table: mounts of the host come and go in it. */
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_sys(e, "own mount namespace");
	s->users_fd = take_fd(&users);
	return 0;
}

void rootless_stay(struct session *s)
{
	auto_fd int run =
	    userns_inside() ? open(s->run_root, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	struct userns_holder h;
	int users;

	if (run < 0 || userns_holder_read(run, &h) < 0)
		return;
	users = lock_file(run, "ns/users", LOCK_SH, NULL);
	if (users > 0)
		s->users_fd = users;
}

int rootless_hold(const char *run_root, struct err *e)
{
	auto_fd int run = open(run_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), users = -1;
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};

	if (run < 0)
		return err_sys(e, "'%s'", run_root);
	/* It needs none; and pasta, which gives up CAP_SYS_PTRACE before, could not open the
	 * namespaces of one who has more than itself. */
	if (syscall(SYS_capset, &head, none) < 0)
		return err_sys(e, "give up capabilities");
	users = openat(run, "ns/users", O_RDONLY | O_CLOEXEC);
	if (users < 0)
		return err_sys(e, "'%s/ns/users'", run_root);
	/* Twice free, so that a loop of short commands keeps what it comes back for. */
	for (int idle = 0; idle < 2;) {
		poll(NULL, 0, IDLE_MS);
		if (flock(users, LOCK_EX | LOCK_NB) < 0) {
			idle = 0;
			continue;
		}
		if (++idle < 2)
			flock(users, LOCK_UN);
	}
	(void)unlinkat(run, "ns/holder", 0);
	outside_stop(run);
	return 0;
}
